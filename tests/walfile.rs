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

/// All segments of a folder, each on its own.
fn counted(folder: &Path, depth: Depth) -> Counts {
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    names.retain(|path| path.is_file());
    names.sort();
    let mut all = Counts::default();
    for name in names {
        let found = survey(File::open(&name).expect("a segment"), depth);
        assert_eq!(found.faults, [], "{}", name.display());
        all.add(&found.counts);
    }
    all
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
    for (name, flags) in ways {
        let data = folder.path().join(name);
        let data_text = data.display().to_string();
        says(&program, &[&["make", data_text.as_str()], flags].concat());
        for log in ["wal", "wbl"] {
            let log = data.join(log);
            let told = says(&program, &["count", &log.display().to_string()]);
            let told: BTreeMap<String, OfType> = serde_json::from_str(&told).expect("counts");
            met.extend(told.keys().cloned());
            assert!(told.len() > 1 && told.values().all(|of| of.records > 0), "{told:?}");
            let ours = |depth| -> BTreeMap<String, OfType> {
                let text = serde_json::to_string(&counted(&log, depth).by_type).expect("JSON");
                serde_json::from_str(&text).expect("names and counts")
            };
            assert_eq!(ours(Depth::Full), told, "{}", log.display());
            let records = |all: BTreeMap<String, OfType>| -> Vec<(String, u64)> {
                all.into_iter().map(|(kind, of)| (kind, of.records)).collect()
            };
            assert_eq!(records(ours(Depth::Quick)), records(told), "{}", log.display());
        }
    }
    let all: BTreeSet<String> =
        RecordType::ALL.iter().filter(|kind| **kind != RecordType::Unknown).map(name).collect();
    assert_eq!((met.len(), met), (13, all), "every type of record that there is");
}

/// As JSON has it.
fn name(kind: &RecordType) -> String {
    serde_json::to_value(kind).expect("JSON").as_str().expect("a text").to_owned()
}
