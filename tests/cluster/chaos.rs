//! The plugin is killed while it mends a log, the helper is removed under it: what is left can be
//! finished and taken back, from any machine, and nothing is lost on the way.

use std::path::PathBuf;

use super::damage::{Files, files};
use super::kill::{WAITS, dies};
use super::life::until_told;
use super::salvage::nothing_is_left;
use super::scene::{Scene, essence, until};
use super::wal::{is_beside_its_pod, with_gap};

const TARGET: &str = "sts/prom";

/// Steps: hold, delete, wait, agent, helper, wait, helper gone, agent gone, let go, wait.
const PLACES: &[&str] = &[
    "journal-created",
    "step-1-sent",
    "step-2-sent",
    "step-3-did",
    "step-4-sent",
    "step-5-sent",
    "step-5-did",
    "step-6-did",
    "step-7-sent",
    "step-8-did",
];
/// From here on it runs again.
const LET_GO: &[&str] = &["step-9-sent", "step-9-did", "step-10-did", "journal-open"];

/// A few of them, and with `PROM_FIX_MATRIX=1` all.
fn some(all: &'static [&'static str], every: usize) -> Vec<&'static str> {
    let matrix = std::env::var("PROM_FIX_MATRIX").is_ok_and(|v| v == "1");
    all.iter().copied().skip(usize::from(!matrix)).step_by(if matrix { 1 } else { every }).collect()
}

/// A set that no start gets past the gap of; where its data is, and what lies there.
pub fn gap(name: &str) -> (Scene, PathBuf, Files) {
    let scene = Scene::new(name);
    with_gap(&scene);
    until_told(&scene, TARGET, &["wal/gap"]);
    let data = scene.folder("data-prom-0");
    let broken = files(&data);
    (scene, data, broken)
}

/// The plan that mends it, as a file.
pub fn planned(scene: &Scene) -> tempfile::NamedTempFile {
    // Between two crashes, when a start is under way, there is a moment without an answer.
    let mut plan = String::new();
    until("a plan is made", 60, || {
        let said = scene.plugin(&["wal", TARGET, "--inspect", "-o", "plan"]);
        plan = said.stdout;
        said.code == 2 && !plan.is_empty()
    });
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), plan).expect("written");
    file
}

/// Makes the plan, and kills whoever carries it out.
fn killed_at(scene: &Scene, place: &str) {
    let file = planned(scene);
    let path = file.path().to_str().expect("a plain path");
    dies(scene, &["apply", "-f", path, "--yes"], place);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_salvage_that_was_killed_is_taken_back() {
    let (scene, data, broken) = gap("back");
    let set = essence(&scene.get(TARGET));
    for place in some(PLACES, 3) {
        killed_at(&scene, place);
        scene.elsewhere(&["undo", TARGET, "--yes"]).expect(0);
        assert_eq!(files(&data), broken, "after {place}");
        assert_eq!(essence(&scene.get(TARGET)), set, "after {place}");
        nothing_is_left(&scene);
        until_told(&scene, TARGET, &["wal/gap"]);
        eprintln!("taken back after {place}");
    }
    for place in some(LET_GO, 3) {
        killed_at(&scene, place);
        until("it runs", 60, || scene.field("pod/prom-0", ".status.phase") == "Running");
        // It has written, or is about to.
        scene.elsewhere(&["undo", TARGET, "--yes", "--force"]).expect(0);
        assert_eq!(files(&data), broken, "after {place}");
        nothing_is_left(&scene);
        until_told(&scene, TARGET, &["wal/gap"]);
        eprintln!("taken back after {place}");
    }
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_salvage_that_was_killed_is_finished() {
    let (scene, data, broken) = gap("finish");
    for place in some(PLACES, 4).into_iter().chain(some(LET_GO, 4)) {
        killed_at(&scene, place);
        if place == "step-5-sent" {
            is_beside_its_pod(&scene.get("pod/prom-fix-salvage-data-prom-0"), true);
        }
        if place == "step-5-did" {
            // Whoever tidies up takes the helper away under it.
            let helper = "prom-fix-salvage-data-prom-0";
            scene.kubectl(&["delete", "pod", helper, "--grace-period=0", "--force"]);
        }
        scene.elsewhere(&[&["resume", TARGET, "--yes"], &WAITS[..]].concat()).expect(0);
        nothing_is_left(&scene);
        assert!(data.join("wal/00000001").exists(), "after {place}: the missing segment is there");
        scene.elsewhere(&["undo", TARGET, "--yes", "--force"]).expect(0);
        assert_eq!(files(&data), broken, "after {place}");
        until_told(&scene, TARGET, &["wal/gap"]);
        eprintln!("finished after {place}");
    }
}

/// The undo itself is killed: it is finished by the same command.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn an_undo_that_was_killed_is_finished() {
    let (scene, data, broken) = gap("again");
    for place in some(&["step-2-sent", "step-6-did", "step-9-sent", "undo-5-sent"], 2) {
        let mend = ["wal", TARGET, "--inspect", "--apply", "--yes"];
        scene.plugin(&[&mend[..], &WAITS[..]].concat()).expect(0);
        dies(&scene, &["undo", TARGET, "--yes", "--force"], place);
        let open = scene.elsewhere(&["receipts", "-o", "json"]).expect(0).json();
        let open = open.as_array().into_iter().flatten().find(|one| one["state"] == "open");
        let open = open.and_then(|one| one["digest"].as_str()).expect("an open receipt").to_owned();
        let by = if place.starts_with("undo") { "undo" } else { "resume" };
        scene.elsewhere(&[by, &open, "--yes", "--force"]).expect(0);
        assert_eq!(files(&data), broken, "after {place}");
        nothing_is_left(&scene);
        until_told(&scene, TARGET, &["wal/gap"]);
        eprintln!("undone after {place}");
    }
}
