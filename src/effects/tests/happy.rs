//! Everything goes well: carried out, undone, done again.

use serde_json::{Value, json};

use super::*;
use crate::model::object::ObjectExt;
use crate::model::patch::{Change, guarded};
use crate::model::plan::{Action, Step, Undo};
use crate::model::receipt::{self, State, StepState};
use plans::MEMORY;

/// What an undo must bring back: the whole object but what only counts up.
fn essence(mut object: Value) -> Value {
    for counter in ["generation", "resourceVersion"] {
        object["metadata"][counter] = json!(null);
    }
    object["status"] = json!(null);
    object
}

#[test]
fn a_plan_is_carried_out_in_order_and_leaves_a_closed_receipt() {
    run(async {
        let world = World::new();
        let mut watcher = Recorder::default();
        let (journal, ended) = carry_out(&world, plans::memory(), &mut watcher).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        assert_eq!(
            watcher.said,
            [
                "1/4 patch sts/prom",
                "patched sts/prom",
                "2/4 delete pod/prom-0",
                "deleted pod/prom-0",
                "3/4 wait pod/prom-0",
                "pod/prom-0: ready, waiting for samples of 1 target",
                "pod/prom-0 is ready and ingests",
                "4/4 patch sts/prom",
                "patched sts/prom",
            ]
        );
        assert_eq!(world.object(&set()).text(MEMORY), "2Gi");
        assert!(world.object(&set()).pointer("/spec/updateStrategy").is_none());
        let receipt = journal.receipt();
        assert_eq!(receipt.state, State::Applied);
        assert!(receipt.steps.iter().all(|step| step.state == StepState::Did));
        let stored = receipts(&world.cluster(), Some("mon")).await.expect("listed");
        assert_eq!(stored, std::slice::from_ref(receipt));
        let [map] = world.maps().try_into().expect("one receipt");
        assert_eq!(map.label("prom-fix.github.io/state"), Some("applied"));
    });
}

#[test]
fn each_write_is_named_in_the_receipt_before_it_is_sent() {
    run(async {
        let world = World::new();
        carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        let writes = &world.state().writes;
        for (place, write) in writes.iter().enumerate() {
            if !write.contains("/configmaps") {
                assert!(
                    writes[place - 1].starts_with("PUT"),
                    "{write} after {}",
                    writes[place - 1]
                );
            }
        }
    });
}

#[test]
fn undo_brings_back_values_and_owners() {
    run(async {
        let world = World::new();
        let (journal, _) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        let ended = take_back(&world, journal.receipt()).await;
        assert!(matches!(ended, Ok(Ended::Done)), "{ended:?}");
        assert_eq!(essence(world.object(&set())), essence(plans::workload()));
        let [receipt] =
            receipts(&world.cluster(), None).await.expect("listed").try_into().expect("one");
        assert_eq!(receipt.state, State::Undone);
        assert_eq!(receipt.undone.iter().map(|e| e.step).collect::<Vec<_>>(), [Some(4), Some(1)]);
        let again = take_back(&world, &receipt).await;
        assert!(matches!(again, Ok(Ended::Done)), "{again:?}");
    });
}

#[test]
fn the_same_plan_again_keeps_the_earlier_receipt_as_history() {
    run(async {
        let world = World::new();
        let (journal, _) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        take_back(&world, journal.receipt()).await.expect("nothing changed since");
        // The same objects once more, as after a restore.
        world.put(&set(), plans::workload());
        let pod_now = json!({"metadata": {"name": "prom-0", "uid": "pod-uid"}});
        world.put(&pod(), pod_now);
        let (_, ended) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        let states: Vec<State> = receipts(&world.cluster(), None)
            .await
            .expect("listed")
            .into_iter()
            .map(|receipt| receipt.state)
            .collect();
        assert_eq!(states.len(), 2);
        assert!(states.contains(&State::Applied) && states.contains(&State::Undone));
    });
}

#[test]
fn a_pod_of_the_revision_taken_back_is_deleted_when_it_is_not_ready() {
    run(async {
        let world = World::new();
        let (journal, _) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        let mut stuck = world.object(&pod());
        stuck["metadata"]["labels"] = json!({"controller-revision-hash": "new"});
        stuck["metadata"]["ownerReferences"] = json!([{"controller": true, "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "prom"}]);
        stuck["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        let uid = stuck.uid().to_owned();
        world.put(&pod(), stuck);
        take_back(&world, journal.receipt()).await.expect("nothing changed since");
        assert_ne!(world.object(&pod()).uid(), uid);
    });
}

#[test]
fn a_created_object_is_deleted_by_its_uid() {
    run(async {
        let world = World::new();
        let policy = ObjectRef::new(Kind::NetworkPolicy, "mon", "prom-fix-allow");
        let body = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "prom-fix-allow", "namespace": "mon"},
            "spec": {
                "podSelector": {"matchLabels": {"app": "p"}}, "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 9090}]}],
            },
        });
        let mut plan = plans::memory();
        let action = Action::Create { object: policy.clone(), body };
        plan.steps = vec![Step { why: "let it in".into(), action, undo: Undo::Delete }];
        let (journal, ended) = carry_out(&world, plan, &mut Recorder::default()).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        assert_eq!(journal.receipt().steps[0].uid.as_deref(), Some(world.object(&policy).uid()));
        take_back(&world, journal.receipt()).await.expect("nothing changed since");
        assert_eq!(world.object(&policy), Value::Null);
    });
}

#[test]
fn a_held_pod_is_let_go() {
    run(async {
        let world = World::new();
        let held = guarded(
            &world.object(&pod()),
            &[Change::set("/metadata/finalizers", json!([receipt::HOLD]))],
            0,
        );
        let hold = Action::Patch { object: pod(), patch: held.ops };
        let stop = Action::Delete { object: pod(), uid: "pod-uid".into(), grace: None };
        let mut plan = plans::memory();
        plan.steps = vec![
            Step { why: "hold its name".into(), action: hold, undo: Undo::Patch(held.undo) },
            Step { why: "stop it".into(), action: stop, undo: Undo::Words("it starts".into()) },
        ];
        let (journal, ended) = carry_out(&world, plan, &mut Recorder::default()).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        assert!(world.object(&pod()).pointer("/metadata/deletionTimestamp").is_some());
        take_back(&world, journal.receipt()).await.expect("nothing changed since");
        let (uid, finalizers) = ("/metadata/uid", "/metadata/finalizers");
        assert_ne!(world.object(&pod()).text(uid), "pod-uid");
        assert_eq!(world.object(&pod()).pointer(finalizers), None);
    });
}
