//! What stops a plan: the world moved, somebody else is at work, rights are missing.

use serde_json::json;

use super::*;
use crate::model::object::ObjectExt;
use crate::model::plan::BlockedReason;
use crate::model::receipt::{State, StepState};
use plans::MEMORY;

#[test]
fn a_first_step_that_no_longer_fits_leaves_nothing_behind() {
    run(async {
        let world = World::new();
        let mut moved = plans::workload();
        *moved.pointer_mut(MEMORY).expect("set") = json!("3Gi");
        world.put(&set(), moved.clone());
        let (journal, ended) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        let Ended::Stale { step: 1, why } = ended else { panic!("{ended:?}") };
        assert_eq!(why, format!("sts/prom: {MEMORY} is 3Gi, expected 1Gi"));
        assert_eq!(world.object(&set()), moved);
        assert_eq!(journal.receipt().state, State::Undone);
        assert!(
            Journal::begin(&world.cluster(), &agreed(plans::memory()), &identity()).await.is_ok()
        );
    });
}

#[test]
fn a_later_step_that_fails_keeps_the_receipt_open() {
    run(async {
        let world = World::new();
        let mut plan = plans::memory();
        plan.steps.remove(2);
        world.state().meanwhile = Some(Box::new(|request, objects| {
            if request.starts_with("DELETE")
                && let Some(set) = objects.get_mut(&set().path())
            {
                set["spec"]["updateStrategy"] = json!({"type": "RollingUpdate"});
            }
        }));
        let (journal, ended) = carry_out(&world, plan, &mut Recorder::default()).await;
        let Ended::Failed { step: 3, error: Error::Moved { why, .. } } = ended else {
            panic!("{ended:?}")
        };
        assert!(why.starts_with("/spec/updateStrategy is "), "{why}");
        let states: Vec<StepState> = journal.receipt().steps.iter().map(|s| s.state).collect();
        assert_eq!(states, [StepState::Did, StepState::Did, StepState::Failed]);
        assert_eq!(journal.receipt().state, State::Open);
    });
}

#[test]
fn a_second_plan_for_the_target_is_told_who_is_at_work() {
    run(async {
        let world = World::new();
        let cluster = world.cluster();
        let _first =
            Journal::begin(&cluster, &agreed(plans::memory()), &identity()).await.expect("free");
        let mut other = plans::memory();
        other.steps.truncate(2);
        for plan in [plans::memory(), other] {
            let busy = Journal::begin(&cluster, &agreed(plan), &identity()).await;
            assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
        }
        assert_eq!(world.maps().len(), 1);
    });
}

#[test]
fn a_plan_of_another_cluster_is_refused() {
    run(async {
        let world = World::new();
        let mut plan = plans::memory();
        plan.cluster = "elsewhere".into();
        let refused = Journal::begin(&world.cluster(), &agreed(plan), &identity()).await;
        assert!(matches!(refused, Err(Error::OtherCluster { .. })), "{refused:?}");
        assert_eq!(world.state().writes, [""; 0]);
    });
}

#[test]
fn without_the_right_to_configmaps_the_receipt_is_on_this_machine() {
    run(async {
        let world = World::new();
        let folder = tempfile::tempdir().expect("a folder");
        world.state().keep = Some(folder.path().to_owned());
        for verb in ["GET", "POST", "PUT"] {
            world.state().forbidden.push((verb, "/configmaps", "no"));
        }
        let (journal, ended) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        assert!(journal.local_only());
        assert_eq!(local::read_all(folder.path()), [journal.receipt().clone()]);
        let undone = take_back(&world, journal.receipt()).await;
        assert!(matches!(undone, Ok(Ended::Done)), "{undone:?}");
        assert_eq!(world.object(&set())["spec"], plans::workload()["spec"]);
    });
}

#[test]
fn without_any_place_for_a_receipt_nothing_is_begun() {
    run(async {
        let world = World::new();
        world.state().forbidden.push(("POST", "/configmaps", "no"));
        let refused = Journal::begin(&world.cluster(), &agreed(plans::memory()), &identity()).await;
        assert!(matches!(refused, Err(Error::NoFolder)), "{refused:?}");
    });
}

#[test]
fn undo_does_not_take_back_what_somebody_changed_since() {
    run(async {
        let world = World::new();
        let (journal, _) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        let mut changed = world.object(&set());
        *changed.pointer_mut(MEMORY).expect("set") = json!("8Gi");
        world.put(&set(), changed.clone());
        let cluster = world.cluster();
        let mut watcher = Recorder::default();
        let blocked = undo(&cluster, journal.receipt(), &mut watcher, &PATIENCE, false).await;
        let blocked = blocked.map(drop).expect_err("changed");
        assert_eq!(blocked.reason, BlockedReason::Stale);
        assert_eq!(blocked.why, format!("sts/prom: {MEMORY} is 8Gi, expected 2048Mi"));
        assert_eq!(world.object(&set()), changed);
        let forced = undo(&cluster, journal.receipt(), &mut watcher, &PATIENCE, true).await;
        assert!(matches!(forced, Ok(Ended::Done)), "{forced:?}");
        assert_eq!(world.object(&set())["spec"], plans::workload()["spec"]);
    });
}

/// A pod of the set with a uid of its own, Ready or not.
fn replica(world: &World, name: &str, ready: &str) {
    let owner = json!([{"controller": true, "apiVersion": "apps/v1", "kind": "StatefulSet",
        "name": "prom", "uid": "set-uid"}]);
    let uid = if name == "prom-0" { "pod-uid".to_owned() } else { format!("{name}-uid") };
    let made = json!({
        "metadata": {"name": name, "namespace": "mon", "uid": uid, "ownerReferences": owner},
        "spec": {"containers": [{"name": "prometheus"}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [{"name": "prometheus", "ready": ready == "True"}]},
    });
    world.put(&ObjectRef::new(Kind::Pod, "mon", name), made);
}

#[test]
fn a_pod_that_serves_is_not_stopped_when_its_sibling_fell() {
    run(async {
        let world = World::new();
        replica(&world, "prom-0", "True");
        replica(&world, "prom-1", "False");
        let (journal, ended) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        let Ended::Failed { step: 2, error } = ended else { panic!("{ended:?}") };
        assert!(error.to_string().contains("no other pod of its workload does"), "{error}");
        assert_eq!(journal.receipt().state, State::Open);
        assert_eq!(world.object(&pod()).uid(), "pod-uid");
        replica(&world, "prom-1", "True");
        let cluster = world.cluster();
        let mut watcher = Recorder::default();
        let resumed = resume(&cluster, journal.receipt(), &mut watcher, &PATIENCE).await;
        assert!(matches!(resumed, Ok((_, Ended::Done))), "{resumed:?}");
        assert_ne!(world.object(&pod()).uid(), "pod-uid");
    });
}

/// It was down when the plan was shown: nobody agreed to stopping one that serves.
#[test]
fn a_pod_that_serves_by_now_is_not_stopped() {
    run(async {
        let world = World::new();
        replica(&world, "prom-0", "True");
        let mut plan = plans::memory();
        plan.impact.serving.clear();
        let before = world.object(&set());
        let (journal, ended) = carry_out(&world, plan.clone(), &mut Recorder::default()).await;
        let Ended::Stale { step: 1, why } = ended else { panic!("{ended:?}") };
        assert!(why.contains("is the only one that serves now"), "{why}");
        assert_eq!((journal.receipt().state, world.object(&set())), (State::Undone, before));
        assert_eq!(world.object(&pod()).uid(), "pod-uid");

        replica(&world, "prom-1", "True");
        let (_, ended) = carry_out(&world, plan, &mut Recorder::default()).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
    });
}

/// So it is where somebody goes on with a plan of an hour ago.
#[test]
fn a_pod_that_serves_when_a_plan_is_resumed_is_not_stopped() {
    run(async {
        let world = World::new();
        replica(&world, "prom-0", "False");
        let mut plan = plans::memory();
        plan.impact.serving.clear();
        let cluster = world.cluster();
        let journal = Journal::begin(&cluster, &agreed(plan), &identity()).await.expect("free");
        replica(&world, "prom-0", "True");
        let mut watcher = Recorder::default();
        let (_, ended) =
            resume(&cluster, journal.receipt(), &mut watcher, &PATIENCE).await.expect("taken up");
        let Ended::Failed { step: 1, error } = ended else { panic!("{ended:?}") };
        assert!(error.to_string().contains("is the only one that serves now"), "{error}");
        assert_eq!(world.object(&set())["metadata"]["generation"], json!(1), "nothing was sent");
    });
}

#[test]
fn whoever_accepts_the_outage_has_the_pod_stopped() {
    run(async {
        let world = World::new();
        replica(&world, "prom-0", "True");
        let cluster = world.cluster();
        let mut journal =
            Journal::begin(&cluster, &agreed(plans::memory()), &identity()).await.expect("free");
        let patience = Patience { downtime: true, ..PATIENCE };
        let ended = execute(&cluster, &mut journal, &mut Recorder::default(), &patience).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
    });
}
