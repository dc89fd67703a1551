//! One flipped bit costs at most the samples of the record that it stands in: of a Series record it is
//! put right. At every byte of logs that real releases wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use prom_fix::walfile::contents;
use prom_fix::walfile::frame::{HEADER, PAGE};
use prom_fix::walfile::mend::mend;
use prom_fix::walfile::record::{self, Entry};

use crate::corruptions::history;
use crate::corruptions::server::{self, Release, Server};

/// Steps of the history, each with new series: a few, and more than a page of a log has room for
/// whatever its compression, so that a record goes over its end.
const SHORT: std::ops::Range<i64> = 19..21;
const LONG: std::ops::Range<i64> = 130..156;

/// A first segment, as a release wrote it.
fn log(release: &Release, data: &Path, steps: std::ops::Range<i64>) -> Vec<u8> {
    let server = Server::start(release, data).expect("an empty directory");
    steps.for_each(|step| server.write(&history::scrape(step)));
    assert_eq!(server.stop(), Vec::<String>::new());
    fs::read(data.join("wal/00000000")).expect("a segment")
}

/// A record, decompressed, and where it lies.
struct Record {
    at: std::ops::Range<usize>,
    bytes: Vec<u8>,
}

fn records(log: &[u8]) -> Vec<Record> {
    let mut all = Vec::new();
    let at = |offset: u64| usize::try_from(offset).expect("small");
    contents::each(log, &mut |content| {
        let at = at(content.frame.offset)..at(content.frame.end);
        all.push(Record { at, bytes: content.bytes.to_vec() });
        Ok(())
    })
    .expect("memory");
    all
}

/// What one record says: refs of series, and samples.
#[derive(Clone, Default)]
struct Says {
    series: BTreeSet<u64>,
    samples: Vec<(u64, i64)>,
}

fn says(record: &[u8]) -> Says {
    let mut says = Says::default();
    // Of a type to come it says nothing.
    let _ = record::read(record, |entry| match entry {
        Entry::Series { reference, .. } => {
            says.series.insert(reference);
        }
        Entry::Sample { reference, time } => says.samples.push((reference, time)),
        _ => {}
    });
    says
}

/// Samples of series that are named.
fn served(log: &[Says]) -> BTreeMap<(u64, i64), usize> {
    let named: BTreeSet<u64> = log.iter().flat_map(|says| &says.series).copied().collect();
    let mut served = BTreeMap::new();
    for sample in log.iter().flat_map(|says| &says.samples) {
        if named.contains(&sample.0) {
            *served.entry(*sample).or_default() += 1;
        }
    }
    served
}

/// What a log comes to that lacks one of its records.
fn without(whole: &[Says], hit: usize) -> BTreeMap<(u64, i64), usize> {
    let mut left = whole.to_vec();
    left.remove(hit);
    served(&left)
}

/// Each byte with one of its bits, of a long log those at some distance; and the type of each fragment
/// with all of its bits. Or `all`: of a short log each bit, of a long one each byte.
fn flips(whole: &[Record], size: usize, all: bool) -> Vec<(usize, u8)> {
    let long = size > PAGE;
    // The rest of its page is zero.
    let size = whole.last().map_or(0, |last| size.min(last.at.end + 20));
    let mut heads: BTreeSet<usize> = (0..size).step_by(PAGE).collect();
    heads.extend(whole.iter().map(|record| record.at.start));
    let is_head =
        |at: usize| (0..HEADER).any(|behind| at >= behind && heads.contains(&(at - behind)));
    let bytes = (0..size).filter(|at| !long || all || at.is_multiple_of(1999) || is_head(*at));
    let bits = |at: usize| {
        let every = heads.contains(&at) || (all && !long);
        (0..8).filter(move |bit| every || *bit == at % 8).map(move |bit| (at, 1 << bit))
    };
    bytes.flat_map(bits).collect()
}

/// One log, at each byte.
fn check(name: &str, log: &[u8], all: bool) {
    let whole = records(log);
    let all_says: Vec<Says> = whole.iter().map(|record| says(&record.bytes)).collect();
    let everything = served(&all_says);
    let least: Vec<_> = (0..whole.len()).map(|hit| without(&all_says, hit)).collect();
    let mut bytes = log.to_vec();
    let (mut of_series, mut costs_series) = (0, Vec::new());
    for (at, bit) in flips(&whole, log.len(), all) {
        let hits_series =
            |(record, says): (&Record, &Says)| record.at.contains(&at) && !says.series.is_empty();
        of_series += usize::from(whole.iter().zip(&all_says).any(hits_series));
        bytes[at] ^= bit;
        let mut anew = Vec::new();
        mend(&bytes[..], &mut anew).expect("memory");
        bytes[at] ^= bit;
        let mut kept = records(&anew);
        // A type among zeros at the end makes a record of nothing: the checksum of nothing is zero.
        kept.retain(|record| !record.bytes.is_empty());
        let place = format!("{name}, byte {at}, bit {bit}");
        let same = kept.iter().zip(&whole).take_while(|(k, w)| k.bytes == w.bytes).count();
        if same == whole.len() && kept.len() == same {
            continue;
        }
        // Behind the first that is not the same stand all that come after it, or its beginning first.
        let hit = &whole[same];
        assert!(hit.at.contains(&at), "{place}: lost is the record at {:?}", hit.at);
        let behind = &whole[same + 1..];
        let rest = kept.get(same..).unwrap_or_default();
        let (beginning, rest) = rest.split_at(rest.len().saturating_sub(behind.len()));
        assert!(rest.iter().map(|r| &r.bytes).eq(behind.iter().map(|r| &r.bytes)), "{place}");
        assert!(beginning.len() <= 1, "{place}: records that were never written");
        for part in beginning {
            assert!(hit.bytes.starts_with(&part.bytes), "{place}: not of that record");
        }
        let kept_says: Vec<Says> = kept.iter().map(|record| says(&record.bytes)).collect();
        let now = served(&kept_says);
        for (sample, count) in &least[same] {
            assert!(now.get(sample) >= Some(count), "{place}: {sample:?} is lost, too");
        }
        for (sample, count) in &now {
            assert!(everything.get(sample) >= Some(count), "{place}: {sample:?} is foreign");
        }
        if !all_says[same].series.is_empty() {
            costs_series.push((at - hit.at.start, bit));
        }
    }
    assert!(of_series > 20, "{name}: no Series record was hit");
    assert_eq!(costs_series, [], "{name}: of {of_series} flips in Series records");
}

/// `PROM_FIX_MATRIX=1`: at every bit.
#[test]
#[ignore = "starts Prometheus: tests/run"]
fn a_flip_costs_one_record_and_the_samples_of_series_that_it_alone_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = std::env::var("PROM_FIX_MATRIX").is_ok_and(|matrix| matrix == "1");
    std::thread::scope(|scope| {
        for release in server::releases() {
            let folder = folder.path().join(&release.version);
            scope.spawn(move || {
                fs::create_dir(&folder).expect("a folder");
                for (name, steps) in [("short", SHORT), ("long", LONG)] {
                    let log = log(&release, &folder.join(name), steps);
                    assert_eq!(log.len() > PAGE, name == "long", "{} bytes", log.len());
                    check(&format!("{} {name}", release.version), &log, all);
                }
            });
        }
    });
}
