//! This program is killed at every place where a plan or an undo may stand, and what it leaves
//! behind can be finished by `resume` and taken back by `undo`. Debug builds abort where
//! `PROM_FIX_FAULT` says.

use serde_json::Value;

use super::install::{Install, Kind};
use super::life::{owner_may_write, text, until_told};
use super::replicas::{half_broken, steps};
use super::scene::{Said, Scene, essence, until};

const TARGET: &str = "sts/prom";
pub const WAITS: [&str; 4] = ["--settle", "2s", "--timeout", "3m"];

/// The plan of one StatefulSet pod: patch, delete, wait.
const PLACES: &[&str] = &[
    "journal-created",
    "step-1-began",
    "step-1-sent",
    "step-1-did",
    "step-2-began",
    "step-2-sent",
    "step-2-did",
    "step-3-began",
    "step-3-did",
    "journal-open",
];
const PLACES_OF_UNDO: &[&str] = &["undo-1-began", "undo-1-sent", "undo-1-fields", "undo-1-did"];

/// A set that dies before its first line and lives at twice the limit.
fn broken(name: &str) -> (Scene, Install, Value) {
    let scene = Scene::new(name);
    let install = Install { scrapes: false, ..Install::new(Kind::Set, "v3.16.0", "16Mi") };
    install.apply(&scene);
    until_told(&scene, TARGET, &["oom/limit-below-need"]);
    let before = essence(&scene.get(TARGET));
    (scene, install, before)
}

/// Waits until the set's own pod is killed. After an undo the pod of the plan is still there for a
/// moment, with kills of its own to tell from; its successor is new and tells nothing yet.
fn until_broken(scene: &Scene) {
    let revision = ".metadata.labels.controller-revision-hash";
    until("the set has its own pod back", 60, || {
        scene.field(TARGET, ".metadata.generation")
            == scene.field(TARGET, ".status.observedGeneration")
            && scene.field(TARGET, ".status.updateRevision") == scene.field("pod/prom-0", revision)
            && scene.field("pod/prom-0", ".metadata.deletionTimestamp").is_empty()
    });
    until_told(scene, TARGET, &["oom/limit-below-need"]);
}

fn limit(scene: &Scene, install: &Install) -> String {
    text(&scene.get(TARGET), install.memory())
}

/// Runs it so that it dies at that place, and sees to it that it did.
#[track_caller]
pub fn dies(scene: &Scene, args: &[&str], place: &str) -> Said {
    let mut all = args.to_vec();
    all.extend(WAITS);
    let said = scene.plugin_with(&all, &[("PROM_FIX_FAULT", place)]);
    assert_eq!(said.code, -1, "{place} was reached\n{}\n{}", said.stdout, said.stderr);
    said
}

#[track_caller]
fn runs(scene: &Scene, args: &[&str]) {
    let mut all = args.to_vec();
    all.extend(WAITS);
    all.extend(["-o", "json"]);
    let said = scene.plugin(&all).expect(0);
    assert_eq!(said.json()["command"], args[0], "a report says by which command it came");
}

/// Two replicas of a resource, one of them serving: the operator is paused when it dies.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_paused_window_does_not_stay_open() {
    let scene = Scene::new("paused");
    let target = "prometheus/prom";
    half_broken(&scene, Kind::Resource, "v2.53.3");
    let told = until_told(&scene, target, &["oom/limit-below-need", "oom/replay"]);
    let sent = |act: &str| {
        let at = steps(&told).iter().position(|s| s == act).expect("a step of the plan");
        format!("step-{}-sent", at + 1)
    };
    let before = essence(&scene.get(target));
    let of_set = "/spec/template/spec/containers/0/resources/limits/memory";
    let rendered = || text(&scene.get("sts/prometheus-prom"), of_set);
    let old = rendered();
    // The set is patched, no pod was deleted yet.
    let place = sent("patch StatefulSet/prometheus-prom");
    dies(&scene, &["oom", target, "--apply", "--yes"], &place);
    // Long enough for a sync that began before the pause to end.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_ne!(rendered(), old);
    runs(&scene, &["undo", target, "--yes"]);
    assert_eq!(essence(&scene.get(target)), before);
    until("the operator renders the old value", 30, || rendered() == old);

    until_told(&scene, target, &["oom/limit-below-need", "oom/replay"]);
    scene.until_ready("prometheus-prom-1", 60);
    // The broken one is back, the serving one is deleted.
    let place = sent("delete Pod/prometheus-prom-1");
    dies(&scene, &["oom", target, "--apply", "--yes"], &place);
    assert_eq!(scene.get(target).pointer("/spec/paused"), Some(&Value::Bool(true)));
    runs(&scene, &["resume", target, "--yes"]);
    assert_eq!(scene.get(target).pointer("/spec/paused"), None);
    runs(&scene, &["undo", target, "--yes"]);
    assert_eq!(essence(&scene.get(target)), before);
}

/// A second person is told that a plan is not finished, and may not begin another.
#[track_caller]
fn is_held(scene: &Scene, place: &str) {
    let said = scene.plugin(&["oom", TARGET, "--apply", "--yes", "-o", "json"]);
    let reason = text(&said.json(), "/reports/0/blocked/reason");
    assert_eq!((said.code, reason.as_str()), (3, "busy"), "after {place}: {}", said.stdout);
}

/// Dies at each place; what is left is finished, and then taken back.
fn finished(name: &str, places: &[&str]) {
    let (scene, install, before) = broken(name);
    for place in places {
        until_broken(&scene);
        dies(&scene, &["oom", TARGET, "--apply", "--yes"], place);
        if *place == "step-1-sent" {
            is_held(&scene, place);
        }
        runs(&scene, &["resume", TARGET, "--yes"]);
        assert_eq!(limit(&scene, &install), "32Mi", "after {place}");
        runs(&scene, &["undo", TARGET, "--yes"]);
        assert_eq!(essence(&scene.get(TARGET)), before, "after {place}");
    }
    owner_may_write(&scene, &install);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn what_is_left_of_the_first_step_is_finished() {
    finished("resume-1", &PLACES[..4]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn what_is_left_of_the_second_step_is_finished() {
    finished("resume-2", &PLACES[4..7]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn what_is_left_of_the_last_step_is_finished() {
    finished("resume-3", &PLACES[7..]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn what_is_left_is_taken_back() {
    let (scene, install, before) = broken("undo");
    for place in PLACES {
        until_broken(&scene);
        dies(&scene, &["oom", TARGET, "--apply", "--yes"], place);
        runs(&scene, &["undo", TARGET, "--yes"]);
        assert_eq!(essence(&scene.get(TARGET)), before, "after {place}");
    }
    owner_may_write(&scene, &install);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn an_undo_that_died_is_done_again() {
    let (scene, install, before) = broken("again");
    for place in PLACES_OF_UNDO {
        until_broken(&scene);
        runs(&scene, &["oom", TARGET, "--apply", "--yes"]);
        dies(&scene, &["undo", TARGET, "--yes"], place);
        runs(&scene, &["undo", TARGET, "--yes"]);
        assert_eq!(essence(&scene.get(TARGET)), before, "after {place}");
    }
    owner_may_write(&scene, &install);
}
