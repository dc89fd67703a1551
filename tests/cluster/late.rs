//! What comes after a salvage: what Prometheus wrote since is set aside by an undo, every sample of it;
//! and a start that meets new damage proves nothing, and says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use serde_json::Value;

use super::damage::{Damage, LOAD, Server, files, samples};
use super::install::{Install, Kind, ROOMY, serve};
use super::keeper::Keeper;
use super::kill::WAITS;
use super::left::nothing_is_left;
use super::life::{first, until_told};
use super::scene::{Scene, run};

const TARGET: &str = "sts/prom";

/// The log that an undo has set aside: of those under `prom-fix-*` the one that no manifest of a salvage
/// names.
fn aside(data: &Path) -> PathBuf {
    let folders = fs::read_dir(data).expect("the data").flatten().map(|one| one.path());
    let later = |folder: &PathBuf| {
        let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap_or_default();
        manifest.contains(r#""phase": "later""#)
    };
    let mut found =
        folders.filter(|path| path.to_string_lossy().contains("/prom-fix-")).filter(later);
    found.next().expect("something was set aside").join("old")
}

/// What our agent says of a directory that nobody writes.
pub fn surveyed(folder: &Path) -> Value {
    let agent = format!("target/agents/prom-fix-agent-{}", std::env::consts::ARCH);
    let mut survey = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(agent));
    let said = run(survey.args(["survey", "--json"]).arg(folder), "");
    serde_json::from_str(&said.stdout).expect("JSON")
}

/// Samples in the segments of a log, as our agent counts them.
fn counted(folder: &Path) -> u64 {
    let told = surveyed(folder);
    let segments = told["segments"].as_array().expect("segments").iter();
    segments.filter_map(|one| one["counts"]["entries"]["samples"].as_u64()).sum()
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn what_it_wrote_since_is_set_aside_and_new_damage_proves_nothing() {
    let scene = Scene::new("late");
    serve(&scene, "load", LOAD);
    let (server, before) = Server::with_log(&scene, Install::new(Kind::Set, "v3.16.0", ROOMY));
    server.damage(Damage::Gap);
    until_told(&scene, TARGET, &["wal/gap"]);
    let broken = files(&server.data);
    let mend = ["wal", TARGET, "--inspect", "--apply", "--yes", "-o", "json"];
    let mend = [&mend[..], &WAITS[..]].concat();

    let report = scene.plugin(&mend).expect(0).json();
    let digest = first(&report, "/plan/digest");
    let last = before.keys().map(|(_, at)| *at).max().expect("samples");
    let now = samples(&scene, &server.pod());
    let since = now.keys().filter(|(_, at)| *at > last).count() as u64;
    assert!(since > u64::from(LOAD), "it has taken {since} samples since");
    let refused = scene.plugin(&["undo", &digest, "--yes"]).expect(3).stderr;
    let words = refused.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, from) = words.split_once("what it wrote after ").expect("from when on");
    let from: Timestamp = from.split(' ').next().unwrap_or("").parse().expect("a time");
    let new = now.keys().filter(|(_, at)| *at > last).map(|(_, at)| *at).min().expect("new ones");
    assert!(from.as_millisecond() <= new, "{refused}: the first is of {new}");
    assert!(words.contains("would be set aside on the volume, and not be served"), "{refused}");
    scene.plugin(&["undo", &digest, "--yes", "--force"]).expect(0);
    assert_eq!(files(&server.data), broken, "to the last byte");
    let set_aside = counted(&aside(&server.data));
    assert!(set_aside >= since, "{set_aside} of {since} and those that came after");
    until_told(&scene, TARGET, &["wal/gap"]);

    // Damaged again between the helper and the start: that cuts its log.
    let at = server.segment(2);
    let keeper = Keeper::new(&format!(
        "printf '\\377\\377\\377\\377' | dd of={} bs=1 seek=60 conv=notrunc 2> $here/said",
        at.display()
    ));
    let program = keeper.program();
    let stop = [("PROM_FIX_FAULT", "step-8-did"), ("PROM_FIX_FAULT_RUN", &*program)];
    let said = scene.plugin_with(&mend, &stop).expect(124);
    assert!(keeper.left("said").contains("copied"), "{}", keeper.left("said"));
    assert!(said.stderr.contains("not proved: it serves, and has cut its log"), "{}", said.stderr);
    let report = said.json();
    assert_eq!(report.pointer("/reports/0/outcome/proved"), Some(&Value::Bool(false)));
    assert!(report.to_string().contains("wal/repaired-with-loss"), "{report:#}");
    let digest = first(&report, "/plan/digest");
    let receipt = scene.plugin(&["receipts", &digest]).expect(0).stdout;
    assert!(receipt.contains("not proved"), "{receipt}");
    nothing_is_left(&scene);
    // The cut has taken nothing from what is aside; what it took from another segment nothing brings
    // back.
    scene.plugin(&["undo", &digest, "--yes", "--force"]).expect(0);
    let mut now = files(&server.data);
    let cut = now.remove("wal/00000002").expect("cut, and there");
    let mut old = broken;
    let whole = old.remove("wal/00000002").expect("a segment");
    assert_eq!(now, old, "to the last byte");
    assert_ne!(cut, whole);
    until_told(&scene, TARGET, &["wal/gap"]);
}
