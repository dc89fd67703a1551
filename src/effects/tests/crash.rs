//! Stopped half way: by a kill at any point, by Ctrl-C, by an answer that got lost.

use serde_json::json;

use super::*;
use crate::model::object::ObjectExt;
use crate::model::receipt::State;

async fn left_behind(world: &World) -> Receipt {
    let found = receipts(&world.cluster(), Some("mon")).await.expect("listed");
    let [receipt] = found.try_into().expect("one receipt");
    receipt
}

/// Every fault point with a number that the plan has.
fn points(prefix: &str) -> Vec<String> {
    let named = fault::POINTS.iter().filter(|point| point.starts_with(prefix));
    let numbers = || if prefix == "undo" { vec![1, 4] } else { vec![1, 2, 3, 4] };
    named
        .flat_map(|point| match point.contains("{n}") {
            true => numbers().iter().map(|n| point.replace("{n}", &n.to_string())).collect(),
            false => vec![(*point).to_owned()],
        })
        .collect()
}

/// How often each write of the plan itself was sent.
fn sent(world: &World) -> Vec<String> {
    let writes = world.state().writes.clone();
    writes.into_iter().filter(|write| !write.contains("/configmaps")).collect()
}

#[test]
fn resume_finishes_after_a_kill_anywhere_and_sends_nothing_twice() {
    let whole = {
        let world = World::new();
        run(async { carry_out(&world, plans::memory(), &mut Recorder::default()).await });
        (sent(&world), world.object(&set())["spec"].clone())
    };
    for point in points("step").into_iter().chain(points("journal")) {
        let world = World::new();
        killed(&point, carry_out(&world, plans::memory(), &mut Recorder::default()));
        run(async {
            let receipt = left_behind(&world).await;
            assert_eq!(receipt.state, State::Open, "{point}");
            let cluster = world.cluster();
            let resumed = resume(&cluster, &receipt, &mut Recorder::default(), &PATIENCE).await;
            let (journal, ended) = resumed.expect("it is open");
            assert!(matches!(ended, Ended::Done), "{point}: {ended:?}");
            assert_eq!(journal.receipt().state, State::Applied, "{point}");
        });
        let mut writes = sent(&world);
        // A deletion by uid is harmless twice.
        writes.dedup();
        assert_eq!(writes, whole.0, "{point}");
        assert_eq!(world.object(&set())["spec"], whole.1, "{point}");
    }
}

#[test]
fn undo_works_after_a_kill_anywhere() {
    for point in points("step").into_iter().chain(points("journal")) {
        let world = World::new();
        killed(&point, carry_out(&world, plans::memory(), &mut Recorder::default()));
        run(async {
            let receipt = left_behind(&world).await;
            let undone = take_back(&world, &receipt).await;
            assert!(matches!(undone, Ok(Ended::Done)), "{point}: {undone:?}");
            back_as_it_was(&world, &point);
            assert_eq!(left_behind(&world).await.state, State::Undone, "{point}");
        });
    }
}

fn back_as_it_was(world: &World, point: &str) {
    let (now, before) = (world.object(&set()), plans::workload());
    assert_eq!(now["spec"], before["spec"], "{point}");
    let fields = "/metadata/managedFields";
    assert_eq!(now.pointer(fields), before.pointer(fields), "{point}");
}

#[test]
fn an_undo_that_is_killed_is_finished_by_the_next() {
    for point in points("undo") {
        let world = World::new();
        run(async { carry_out(&world, plans::memory(), &mut Recorder::default()).await });
        let receipt = run(left_behind(&world));
        killed(&point, take_back(&world, &receipt));
        run(async {
            let receipt = left_behind(&world).await;
            assert_eq!(receipt.state, State::Open, "{point}");
            let cluster = world.cluster();
            let mut watcher = Recorder::default();
            let (_, resumed) =
                resume(&cluster, &receipt, &mut watcher, &PATIENCE).await.expect("it is there");
            let being_undone = Error::BeingUndone { digest: receipt.digest.clone() };
            let Ended::Failed { error, .. } = resumed else { panic!("{point}: {resumed:?}") };
            assert_eq!(error.to_string(), being_undone.to_string());
            let undone = undo(&cluster, &receipt, &mut watcher, &PATIENCE, false).await;
            assert!(matches!(undone, Ok(Ended::Done)), "{point}: {undone:?}");
            back_as_it_was(&world, &point);
        });
    }
}

#[test]
fn a_lost_answer_is_looked_for_and_not_sent_again() {
    run(async {
        let world = World::new();
        world.state().lose = Some(("PATCH", "/statefulsets/"));
        let (_, ended) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        let patches = sent(&world).iter().filter(|write| write.starts_with("PATCH")).count();
        assert_eq!(patches, 2);
    });
}

#[test]
fn a_lost_answer_to_the_receipt_is_looked_for_too() {
    run(async {
        let world = World::new();
        world.state().lose = Some(("PUT", "/configmaps/"));
        let (journal, ended) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        assert_eq!(left_behind(&world).await, *journal.receipt());
    });
}

#[test]
fn ctrl_c_stops_between_steps_and_resume_goes_on() {
    run(async {
        let world = World::new();
        let mut watcher = Recorder { stop_after: Some(1), ..Recorder::default() };
        let (journal, ended) = carry_out(&world, plans::memory(), &mut watcher).await;
        assert!(matches!(ended, Ended::Stopped { step: 2 }), "{ended:?}");
        assert_eq!(journal.receipt().state, State::Open);
        let cluster = world.cluster();
        let mut watcher = Recorder::default();
        let resumed = resume(&cluster, journal.receipt(), &mut watcher, &PATIENCE).await;
        assert!(matches!(resumed, Ok((_, Ended::Done))), "{resumed:?}");
    });
}

#[test]
fn ctrl_c_before_the_first_step_leaves_nothing_to_finish() {
    run(async {
        let world = World::new();
        let mut watcher = Recorder { stop_after: Some(0), ..Recorder::default() };
        let (journal, ended) = carry_out(&world, plans::memory(), &mut watcher).await;
        assert!(matches!(ended, Ended::Stopped { step: 1 }), "{ended:?}");
        assert_eq!(journal.receipt().state, State::Undone);
        assert_eq!(world.object(&set()), plans::workload());
    });
}

#[test]
fn a_run_that_was_taken_over_stops_at_its_next_word() {
    run(async {
        let world = World::new();
        let cluster = world.cluster();
        let mut first =
            Journal::begin(&cluster, &agreed(plans::memory()), &identity()).await.expect("free");
        Journal::open(&cluster, first.receipt()).await.expect("it is there");
        let mut watcher = Recorder::default();
        let ended = execute(&cluster, &mut first, &mut watcher, &PATIENCE).await;
        let Ended::Failed { step: 1, error: Error::TakenOver { .. } } = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(world.object(&set()), plans::workload());
    });
}

#[test]
fn ctrl_c_while_waiting_lets_go_of_what_is_in_place() {
    run(async {
        let world = World::new();
        world.state().new_pod = json!({"phase": "Pending"});
        let mut watcher = Recorder { stop_waiting: true, ..Recorder::default() };
        let (journal, ended) = carry_out(&world, plans::memory(), &mut watcher).await;
        assert!(matches!(ended, Ended::Detached), "{ended:?}");
        assert_eq!(journal.receipt().state, State::Open);
        assert_eq!(world.object(&set()).text(plans::MEMORY), "2Gi");
    });
}

#[test]
fn a_later_patch_goes_on_top_of_a_change_elsewhere() {
    run(async {
        let world = World::new();
        let mut watcher = Recorder { stop_after: Some(3), ..Recorder::default() };
        let (journal, _) = carry_out(&world, plans::memory(), &mut watcher).await;
        let mut other = world.object(&set());
        other["metadata"]["generation"] = json!(9);
        other["spec"]["minReadySeconds"] = json!(5);
        world.put(&set(), other);
        let cluster = world.cluster();
        let mut watcher = Recorder::default();
        let (journal, ended) =
            resume(&cluster, journal.receipt(), &mut watcher, &PATIENCE).await.expect("open");
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        assert_eq!(world.object(&set()).pointer("/spec/updateStrategy"), None);
        let note = journal.receipt().steps[3].note.clone().expect("noted");
        assert!(note.contains("/metadata/generation is 9, expected 2"), "{note}");
    });
}
