//! The plugin is killed while it mends a log, the helper is removed under it: what is left can be
//! finished and taken back, from any machine, and nothing is lost on the way.

use std::path::PathBuf;

use super::damage::{Damage, Files, LOAD, Samples, Server, files, now};
use super::install::{Install, Kind, ROOMY, serve};
use super::keeper::Keeper;
use super::kill::{WAITS, dies};
use super::left::{no_helper_is_left, nothing_is_left};
use super::life::until_told;
use super::salvage::served_again;
use super::scene::{Scene, essence, until};
use super::turns::matrix;
use super::wal::{self, is_beside_its_pod};

const TARGET: &str = "sts/prom";
const HELPER: &str = "prom-fix-salvage-data-prom-0";

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

/// Of a Deployment, steps: to none, wait, agent, helper, wait, helper gone, agent gone, to as many as
/// before, wait.
const PLACES_OF_DEPLOYMENT: &[&str] = &[
    "journal-created",
    "step-1-sent",
    "step-2-did",
    "step-3-sent",
    "step-4-sent",
    "step-4-did",
    "step-5-did",
    "step-6-sent",
    "step-7-did",
    "step-8-sent",
];

/// The plan that takes it back has the same steps; then the rest is undone, last step first.
const PLACES_OF_UNDO: &[&str] = &[
    "journal-created",
    "step-1-sent",
    "step-2-sent",
    "step-3-did",
    "step-4-sent",
    "step-5-sent",
    "step-6-did",
    "step-7-sent",
    "step-8-did",
    "step-9-sent",
    "step-9-did",
    "undo-5-began",
    "undo-5-sent",
    "undo-4-sent",
    "undo-1-began",
];

/// Every so many of them from one on, and with `PROM_FIX_MATRIX=1` all.
fn some(all: &[&'static str], from: usize, every: usize) -> Vec<&'static str> {
    let (from, every) = if matrix() { (0, 1) } else { (from, every) };
    all.iter().copied().skip(from).step_by(every).collect()
}

/// A set that no start gets past the gap of; where its data is, and what lies there.
pub fn gap(name: &str) -> (Scene, PathBuf, Files) {
    let scene = Scene::new(name);
    let data = wal::with_gap(&scene, true);
    until_told(&scene, TARGET, &["wal/gap"]);
    let broken = files(&data);
    assert!(broken.len() >= 2, "there is something to be lost: {:?}", broken.keys());
    (scene, data, broken)
}

/// The same of a server that takes samples, which tell what was lost; and those that it had.
pub fn with_gap<'a>(scene: &'a Scene, kind: Kind, image: &str) -> (Server<'a>, Samples) {
    serve(scene, "load", LOAD);
    let (server, before) = Server::with_log(scene, Install::new(kind, image, ROOMY));
    server.damage(Damage::Gap);
    until_told(scene, server.install.target(), &["wal/gap"]);
    (server, before)
}

/// It takes samples again, and of those before it lacks none but what the gap took.
pub fn is_served(server: &Server<'_>, before: &Samples) {
    server.until_taken(now());
    served_again(server, Damage::Gap, before);
}

/// The plan that mends it, as a file.
fn planned(scene: &Scene) -> tempfile::NamedTempFile {
    planned_for(scene, TARGET)
}

pub fn planned_for(scene: &Scene, target: &str) -> tempfile::NamedTempFile {
    // Between two crashes, when a start is under way, there is a moment without an answer.
    let mut plan = String::new();
    until("a plan is made", 60, || {
        let said = scene.plugin(&["wal", target, "--inspect", "-o", "plan"]);
        plan = said.stdout;
        said.code == 2 && !plan.is_empty()
    });
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), plan).expect("written");
    file
}

/// Makes the plan, and kills whoever carries it out.
fn killed_at(scene: &Scene, place: &str) {
    killed(scene, TARGET, place);
}

fn killed(scene: &Scene, target: &str, place: &str) {
    let file = planned_for(scene, target);
    let path = file.path().to_str().expect("a plain path");
    dies(scene, &["apply", "-f", path, "--yes"], place);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_salvage_that_was_killed_is_taken_back() {
    let (scene, data, broken) = gap("back");
    let set = essence(&scene.get(TARGET));
    for place in some(PLACES, 2, 3) {
        killed_at(&scene, place);
        if place == "step-5-sent" {
            let helper = format!("pod/{HELPER}");
            // Sent, and not yet answered.
            until("it has a node", 30, || !scene.field(&helper, ".spec.nodeName").is_empty());
            is_beside_its_pod(&scene.get(&helper), true);
        }
        scene.elsewhere(&["undo", TARGET, "--yes"]).expect(0);
        assert_eq!(files(&data), broken, "after {place}");
        assert_eq!(essence(&scene.get(TARGET)), set, "after {place}");
        nothing_is_left(&scene);
        until_told(&scene, TARGET, &["wal/gap"]);
        eprintln!("taken back after {place}");
    }
    for place in some(LET_GO, 0, 4) {
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
    let scene = Scene::new("finish");
    let (server, before) = with_gap(&scene, Kind::Set, "v3.16.0");
    let broken = files(&server.data);
    for place in some(PLACES, 0, 3).into_iter().chain(some(LET_GO, 1, 4)) {
        killed_at(&scene, place);
        if place == "step-5-did" {
            // Whoever tidies up takes the helper away under it.
            scene.kubectl(&["delete", "pod", HELPER, "--grace-period=0", "--force"]).expect(0);
        }
        scene.elsewhere(&[&["resume", TARGET, "--yes"], &WAITS[..]].concat()).expect(0);
        nothing_is_left(&scene);
        is_served(&server, &before);
        scene.elsewhere(&["undo", TARGET, "--yes", "--force"]).expect(0);
        assert_eq!(files(&server.data), broken, "after {place}");
        until_told(&scene, TARGET, &["wal/gap"]);
        eprintln!("finished after {place}");
    }
}

/// The undo itself is killed: it is finished by the same command.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn an_undo_that_was_killed_is_finished() {
    let (scene, data, broken) = gap("again");
    for place in some(PLACES_OF_UNDO, 6, 6) {
        let plan = planned(&scene);
        let path = plan.path().to_str().expect("a plain path");
        scene.plugin(&[&["apply", "-f", path, "--yes"], &WAITS[..]].concat()).expect(0);
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

/// Somebody takes the helper away while this program waits for it: it is made again, and goes on.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_helper_that_is_taken_away_is_made_again() {
    let scene = Scene::new("taken");
    let (server, before) = with_gap(&scene, Kind::Set, "v3.16.0");
    let broken = files(&server.data);
    let taken = |helper: &str| {
        Keeper::new(&format!(
            "kubectl delete pod {helper} -n {} --grace-period=0 --force > $here/said 2>&1",
            scene.ns
        ))
    };
    let with = |args: &[&str], place: &str, keeper: &Keeper| {
        let program = keeper.program();
        let stop = [("PROM_FIX_FAULT", place), ("PROM_FIX_FAULT_RUN", &*program)];
        let said = scene.plugin_with(args, &stop);
        assert!(keeper.left("said").contains("deleted"), "{place}: {}", keeper.left("said"));
        said
    };
    let keeper = taken("prom-fix-survey-data-prom-0");
    let looked = with(&["wal", TARGET, "--inspect", "-o", "plan"], "step-2-sent", &keeper);
    assert!(looked.code == 2 && looked.stdout.contains("kind: Plan"), "{looked:?}");
    nothing_is_left(&scene);
    for place in ["step-5-sent", "step-6-began"] {
        let plan = planned(&scene);
        let path = plan.path().to_str().expect("a plain path");
        let mend = [&["apply", "-f", path, "--yes"], &WAITS[..]].concat();
        with(&mend, place, &taken(HELPER)).expect(0);
        is_served(&server, &before);
        nothing_is_left(&scene);
        let undo = ["undo", TARGET, "--yes", "--force"];
        with(&undo, place, &taken("prom-fix-back-salvage-data-prom-0")).expect(0);
        assert_eq!(files(&server.data), broken, "{place}");
        nothing_is_left(&scene);
        until_told(&scene, TARGET, &["wal/gap"]);
    }
}

/// What was killed before anything was mended leaves nothing that is in the way.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_look_and_a_freeze_that_were_killed_are_taken_back() {
    let (scene, data, broken) = gap("early");
    let set = essence(&scene.get(TARGET));
    for (args, place) in [
        (&["wal", TARGET, "--inspect"][..], "step-1-sent"),
        (&["wal", TARGET, "--inspect"], "step-2-sent"),
        (&["wal", TARGET, "--inspect"], "step-3-did"),
        (&["freeze", TARGET, "--yes"], "step-1-sent"),
        (&["freeze", TARGET, "--yes"], "step-2-sent"),
    ] {
        dies(&scene, args, place);
        scene.elsewhere(&["undo", TARGET, "--yes"]).expect(0);
        nothing_is_left(&scene);
        assert_eq!(essence(&scene.get(TARGET)), set, "{args:?} at {place}");
        assert_eq!(files(&data), broken, "{args:?} at {place}");
        until("its set has made it again", 30, || {
            let gone = scene.field("pod/prom-0", ".metadata.deletionTimestamp");
            gone.is_empty() && !scene.field("pod/prom-0", ".metadata.uid").is_empty()
        });
        until_told(&scene, TARGET, &["wal/gap"]);
    }
    // And finished: it is held then, and let go as ever.
    dies(&scene, &["freeze", TARGET, "--yes"], "step-1-sent");
    scene.elsewhere(&["resume", TARGET, "--yes"]).expect(0);
    assert!(scene.field("pod/prom-0", ".metadata.finalizers").contains("prom-fix"));
    scene.elsewhere(&["undo", TARGET, "--yes"]).expect(0);
    nothing_is_left(&scene);
    until_told(&scene, TARGET, &["wal/gap"]);
}

/// Of another owner, with samples that tell what was lost: taken back and finished by turns, at two
/// places, and with `PROM_FIX_MATRIX=1` at all.
fn killed_under(kind: Kind, image: &str, two: [&'static str; 2]) {
    let all = match kind {
        Kind::Deployment => PLACES_OF_DEPLOYMENT.to_vec(),
        // The second is finished, for it runs by then.
        Kind::Set | Kind::Resource | Kind::Release => {
            [&PLACES[..1], &LET_GO[..1], &PLACES[1..]].concat()
        }
    };
    let places = if matrix() { all } else { two.to_vec() };
    let scene = Scene::new("under");
    let (server, before) = with_gap(&scene, kind, image);
    let target = server.install.target();
    let (whole, broken) = (essence(&scene.get(target)), files(&server.data));
    let is_back = |place: &str| {
        assert_eq!(files(&server.data), broken, "after {place}");
        assert_eq!(essence(&scene.get(target)), whole, "after {place}: replicas, paused and all");
        nothing_is_left(&scene);
        until_told(&scene, target, &["wal/gap"]);
    };
    for (turn, place) in places.into_iter().enumerate() {
        killed(&scene, target, place);
        if turn % 2 == 0 {
            scene.elsewhere(&["undo", target, "--yes"]).expect(0);
        } else {
            scene.elsewhere(&[&["resume", target, "--yes"], &WAITS[..]].concat()).expect(0);
            is_served(&server, &before);
            assert_eq!(essence(&scene.get(target))["spec"], whole["spec"], "after {place}");
            nothing_is_left(&scene);
            scene.elsewhere(&["undo", target, "--yes", "--force"]).expect(0);
        }
        is_back(place);
        eprintln!("{kind:?}: after {place}");
    }
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_salvage_of_a_deployment_that_was_killed_has_its_replicas_again() {
    killed_under(Kind::Deployment, "v2.53.3", ["step-1-sent", "step-5-did"]);
}

/// The chart's is a set.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_salvage_of_a_release_that_was_killed_is_as_helm_left_it() {
    killed_under(Kind::Release, "v2.53.3", ["step-1-sent", "step-7-sent"]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_salvage_of_a_resource_that_was_killed_leaves_it_to_its_operator() {
    killed_under(Kind::Resource, "v2.42.0", ["step-2-sent", "step-6-did"]);
}

/// A damaged file is written anew. Its next start would delete what is behind the damage, so it was
/// frozen: the old files come back under a pod that is held still, and is let go by who froze it. Steps
/// of a set: wait, agent, helper, wait, helper gone, agent gone, let go, wait; of a Deployment, which has
/// no pod, the same without the first.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_salvage_of_a_frozen_one_that_was_killed_leaves_it_frozen() {
    for (kind, image) in [(Kind::Set, "v3.16.0"), (Kind::Deployment, "v2.53.3")] {
        let scene = Scene::new("frozen");
        serve(&scene, "load", LOAD);
        let (server, before) = Server::with_log(&scene, Install::new(kind, image, ROOMY));
        let target = server.install.target();
        server.damage(Damage::Flip);
        until_told(&scene, target, &["other/repair-unfinished"]);
        let (whole, broken) = (essence(&scene.get(target)), files(&server.data));
        for place in some(&["step-2-sent", "step-3-sent", "step-4-did", "step-5-did"], 1, 2) {
            killed(&scene, target, place);
            let said = scene.elsewhere(&["undo", target, "--yes"]).expect(0);
            // Before there is a helper, there is nothing to bring back.
            let brings_back = (kind, place) != (Kind::Set, "step-2-sent");
            let stays = said.stderr.contains("and stays so");
            assert_eq!(stays, brings_back, "after {place}: {}", said.stderr);
            no_helper_is_left(&scene);
            // A start would have come in this time.
            std::thread::sleep(std::time::Duration::from_secs(5));
            assert_eq!(files(&server.data), broken, "after {place}");
            assert_eq!(essence(&scene.get(target)), whole, "after {place}");
            eprintln!("{kind:?}: after {place}");
        }
        killed(&scene, target, "step-4-sent");
        scene.elsewhere(&[&["resume", target, "--yes"], &WAITS[..]].concat()).expect(0);
        server.until_taken(now());
        served_again(&server, Damage::Flip, &before);
        nothing_is_left(&scene);
    }
}
