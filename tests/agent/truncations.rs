//! A log cut off at every length: what Prometheus' own reader reads of it before its first fault is
//! what the survey says that its repair would keep, its fault is of the kind that the survey says, and
//! what is written anew it reads without one.

use std::fs;
use std::process::Command;

use prom_fix::walfile::compression::Compression;
use prom_fix::walfile::fault::FaultKind;
use prom_fix::walfile::mend::mend;
use prom_fix::walfile::segment::{Depth, survey};
use prom_fix::walfile::writer::Writer;

use crate::go;

/// Records of samples, the last one over the end of a page where the log is `long`.
fn log(how: Compression, long: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    let entries: &[usize] = if long { &[2900, 100, 700, 20] } else { &[1, 30, 0, 60, 25] };
    for (time, entries) in entries.iter().enumerate() {
        let mut record = vec![2];
        if *entries > 0 {
            record.extend(1_u64.to_be_bytes());
            record.extend((time as u64 * 15_000).to_be_bytes());
        }
        for entry in 0..*entries {
            record.extend([if entry == 0 { 0 } else { 2 }, 0]);
            record.extend((entry as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        }
        let record = match how {
            Compression::None => record,
            Compression::Snappy => snap::raw::Encoder::new().compress_vec(&record).expect("small"),
            Compression::Zstd => {
                use ruzstd::encoding::{CompressionLevel, compress_to_vec};
                compress_to_vec(&record[..], CompressionLevel::Fastest)
            }
        };
        writer.record(how, &record).expect("memory");
    }
    bytes
}

/// All lengths of a short log; of a long one those near its end, near the page's, and some others.
fn lengths(long: bool, size: usize) -> Vec<usize> {
    let near = |length: &usize| {
        !long || length.is_multiple_of(397) || length.abs_diff(32 << 10) < 60 || size - length < 60
    };
    (0..=size).filter(near).collect()
}

/// By the last words of Prometheus' own reader: of tsdb/wlog/reader.go, its decoder's, those of snappy and zstd.
fn kind(words: &str) -> Option<FaultKind> {
    let says = |what: &str| words.contains(what);
    match words {
        "-" => None,
        _ if says("unexpected checksum") => Some(FaultKind::Checksum),
        _ if says("last record is torn") => Some(FaultKind::TornRecord),
        _ if says("corrupt input") || says("unexpected EOF") => Some(FaultKind::Compression),
        _ if says("invalid size") => Some(FaultKind::Decoding),
        _ => panic!("{words}"),
    }
}

#[test]
#[ignore = "needs Go: tests/run"]
fn a_log_cut_at_every_length_is_read_as_by_prometheus_own_reader() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = go::build(go::WAL, folder.path()).expect("go starts");
    for how in [Compression::None, Compression::Snappy, Compression::Zstd] {
        for long in [false, true] {
            let bytes = log(how, long);
            let place = folder.path().join(format!("{how:?}-{long}"));
            fs::create_dir(&place).expect("a folder");
            let mut paths = Vec::new();
            for length in lengths(long, bytes.len()) {
                let mut anew = Vec::new();
                mend(&bytes[..length], &mut anew).expect("memory");
                for (name, bytes) in [("cut", &bytes[..length]), ("anew", &anew[..])] {
                    let path = place.join(format!("{length}-{name}"));
                    fs::write(&path, bytes).expect("written");
                    paths.push(path);
                }
            }
            let list = place.join("list");
            let lines: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            fs::write(&list, lines.join("\n")).expect("written");
            let told = Command::new(&program).arg("read").arg(&list).output().expect("it starts");
            assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
            let told = String::from_utf8(told.stdout).expect("text");
            assert_eq!(told.lines().count(), paths.len());
            for (path, told) in paths.iter().zip(told.lines()) {
                let found = survey(fs::File::open(path).expect("a file"), Depth::Full);
                let (records, fault) = told.split_once(' ').expect("RECORDS FAULT");
                let at = format!("{}: {told}: {found:?}", path.display());
                assert_eq!(records, found.kept.prometheus.records.to_string(), "{at}");
                assert_eq!(fault == "-", found.is_healthy(), "{at}");
                assert!(!at.contains("-anew") || fault == "-", "{at}");
                assert_eq!(found.faults.first().map(|fault| fault.kind), kind(fault), "{at}");
            }
        }
    }
}
