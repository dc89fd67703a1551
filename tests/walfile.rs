//! The engine against Prometheus: logs that its own storage wrote, counted by its own reader
//! (tests/bench/go/wal). Needs Go; `tests/run` runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use prom_fix::walfile::count::{Counts, OfType};
use prom_fix::walfile::record::RecordType;
use prom_fix::walfile::segment::{Depth, survey};

use crate::go;

fn says(program: &Path, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect("it starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {words}");
    String::from_utf8(output.stdout).expect("JSON")
}

/// Each segment of a folder, by its name.
fn counted(folder: &Path, depth: Depth) -> BTreeMap<String, Counts> {
    let entries = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
    let counted = |path: PathBuf| {
        let found = survey(File::open(&path).expect("a segment"), depth);
        assert_eq!(found.faults, [], "{}", path.display());
        let name = path.file_name().expect("a name").to_string_lossy();
        (name.into_owned(), found.counts)
    };
    entries.filter(|path| path.is_file()).map(counted).collect()
}

#[test]
#[ignore = "needs Go: tests/run"]
fn counts_are_those_of_prometheus_own_reader() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = go::build(go::WAL, folder.path()).expect("go starts");
    let ways: [(&str, &[&str]); 4] = [
        ("none", &["-compression", "none", "-segment", "131072"]),
        ("snappy", &["-compression", "snappy"]),
        ("zstd", &["-compression", "zstd", "-segment", "131072"]),
        ("start-times", &["-st", "-segment", "131072"]),
    ];
    let mut met = BTreeSet::new();
    for (way, flags) in ways {
        let data = folder.path().join(way);
        let data_text = data.display().to_string();
        says(&program, &[&["make", data_text.as_str()], flags].concat());
        for log in ["wal", "wbl"] {
            let log = data.join(log);
            let told = says(&program, &["count", &log.display().to_string()]);
            let told: BTreeMap<String, Counts> = serde_json::from_str(&told).expect("counts");
            let types = |of: &Counts| -> BTreeSet<String> { of.by_type.keys().map(name).collect() };
            let all: BTreeSet<String> = told.values().flat_map(types).collect();
            assert!(all.len() > 1, "{told:?}");
            met.extend(all);
            assert_eq!(counted(&log, Depth::Full), told, "{}", log.display());
            let records = |all: BTreeMap<String, Counts>| -> BTreeMap<String, Counts> {
                all.into_iter().map(|(name, of)| (name, without_entries(of))).collect()
            };
            let quick = records(counted(&log, Depth::Quick));
            assert_eq!(quick, records(told), "{}", log.display());
        }
    }
    let all: BTreeSet<String> =
        RecordType::ALL.iter().filter(|kind| **kind != RecordType::Unknown).map(name).collect();
    assert_eq!((met.len(), met), (13, all), "every type of record that there is");
}

/// Records alone: what a quick look sees.
fn without_entries(of: Counts) -> Counts {
    let mut records = Counts { records: of.records, ..Counts::default() };
    for (kind, of) in of.by_type {
        records.by_type.insert(kind, OfType { records: of.records, entries: 0 });
    }
    records
}

/// As JSON has it.
fn name(kind: &RecordType) -> String {
    serde_json::to_value(kind).expect("JSON").as_str().expect("a text").to_owned()
}
