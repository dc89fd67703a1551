//! A data directory that another process has: who that may be, and what can be done.

use serde_json::{Value, json};

use super::fixture::{World, healthy, put};
use crate::model::plan::{Action, Plan};
use crate::model::{Kind, Need, Next, ObjectRef};

const LOCKED: &str = r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: lock DB directory: resource temporarily unavailable""#;

/// A pod on the claim of the first one, Ready, of a workload that was not read.
fn foreign(name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = healthy().pod().clone();
    put(&mut pod, "/metadata/name", json!(name));
    put(&mut pod, "/metadata/uid", json!(name));
    let owner = json!([{"controller": true, "apiVersion": "apps/v1", "kind": "StatefulSet",
        "name": "other", "uid": "other"}]);
    put(&mut pod, "/metadata/ownerReferences", owner);
    change(&mut pod);
    pod
}

fn locked() -> World {
    healthy().crashed(1, "Error", LOCKED)
}

/// What the finding says of the claim.
fn mounted(world: &World) -> Vec<String> {
    let (root, findings, _) = world.diagnose();
    assert_eq!(root, Some("wal/locked"));
    let own = findings[0].evidence.iter();
    own.filter(|e| e.field == "mounted by").map(|e| e.value.clone()).collect()
}

#[test]
fn a_pod_of_another_workload_is_named_with_what_it_does() {
    let others = [
        foreign("other-0", |_| {}),
        foreign("other-1", |p| {
            put(p, "/spec/volumes/0/persistentVolumeClaim/claimName", json!("x"));
        }),
        foreign("other-2", |p| put(p, "/status/phase", json!("Succeeded"))),
        foreign("other-3", |p| {
            put(p, "/metadata/deletionTimestamp", json!("2026-11-22T17:50:00Z"));
        }),
        foreign("other-4", |p| {
            put(p, "/spec/containers/0/volumeMounts/0/subPath", json!("grafana"));
        }),
    ];
    let world = locked().list(Kind::Pod, others.to_vec());
    assert_eq!(
        mounted(&world),
        [
            "pod/other-0 of sts/other: is Ready, on node n1",
            "pod/other-3 of sts/other: is being deleted, and was to be gone 600 s ago, on node n1",
            "pod/other-4 of sts/other: is Ready, on node n1",
        ]
    );
}

#[test]
fn another_directory_of_the_claim_is_nobodys_rival() {
    let own = "/spec/containers/0/volumeMounts/0/subPath";
    let world = locked().set(own, json!("prometheus-db"));
    let grafana = foreign("other-0", |p| put(p, own, json!("grafana")));
    let whole = foreign("other-1", |_| {});
    let world = world.list(Kind::Pod, vec![grafana, whole]);
    assert_eq!(mounted(&world), ["pod/other-1 of sts/other: is Ready, on node n1"]);
}

#[test]
fn that_nobody_is_seen_and_that_nobody_could_be_seen_are_two_things() {
    let alone = locked().list(Kind::Pod, Vec::new());
    assert_eq!(mounted(&alone), ["no other pod of this namespace that runs"]);
    assert_eq!(mounted(&locked()), ["pods of other workloads are not known: not read"]);
}

/// A Deployment whose new pod waits for the old one, which serves.
fn rolled(change: impl FnOnce(&mut Value)) -> World {
    let of = |hash: &str| {
        json!([{"controller": true, "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "name": format!("p-{hash}"), "uid": hash}])
    };
    let mut old = healthy().pod().clone();
    put(&mut old, "/metadata/name", json!("p-a-1"));
    put(&mut old, "/metadata/uid", json!("old"));
    put(&mut old, "/metadata/labels/pod-template-hash", json!("a"));
    put(&mut old, "/metadata/creationTimestamp", json!("2026-11-22T10:00:00Z"));
    put(&mut old, "/metadata/ownerReferences", of("a"));
    let mut world = locked();
    put(world.pod(), "/metadata/labels/pod-template-hash", json!("b"));
    put(world.pod(), "/metadata/creationTimestamp", json!("2026-11-22T17:00:00Z"));
    put(world.pod(), "/metadata/ownerReferences", of("b"));
    let mut deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "p", "namespace": "mon", "uid": "dep", "generation": 3},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"spec": world.pod()["spec"].clone()},
        },
    });
    change(&mut deployment);
    world.subject.root = ObjectRef::new(Kind::Deployment, "mon", "p");
    world.subject.root_object = deployment.clone();
    world.subject.workloads = vec![deployment];
    world.subject.pods.push(old);
    let pods = world.subject.pods.clone();
    world.list(Kind::Pod, pods)
}

fn plan(world: &World) -> Plan {
    match world.next() {
        Next::Fix(plan) => plan,
        other => panic!("{other:?}"),
    }
}

/// Why there is no plan, and the ways on.
fn blocked(world: &World) -> (String, String) {
    match world.next() {
        Next::Blocked(blocked) => (blocked.why, blocked.ways.join("\n")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_old_pod_of_a_deployment_is_stopped_before_the_new_one_starts() {
    let plan = plan(&rolled(|_| {}));
    let Action::Patch { object, patch } = &plan.steps[0].action else { panic!("{plan:#?}") };
    assert_eq!(object.short(), "deploy/p");
    let changes: Vec<Value> = patch
        .iter()
        .filter(|op| !op.is_guard())
        .map(|op| serde_json::to_value(op).expect("JSON"))
        .collect();
    let whole = json!({"op": "replace", "path": "/spec/strategy", "value": {"type": "Recreate"}});
    assert_eq!(changes, [whole]);
    let did: Vec<String> = plan
        .steps
        .iter()
        .map(|s| format!("{} {}", s.action.verb(), s.action.object().short()))
        .collect();
    assert_eq!(did, ["patch deploy/p", "wait pod/p-a-1", "delete pod/p-0", "wait deploy/p"]);
    assert_eq!(plan.impact.restarts, ["p-a-1", "p-0"]);
    assert!(plan.impact.stops_serving);
    assert!(plan.impact.outage.starts_with("p-a-1 serves now"), "{}", plan.impact.outage);
    assert!(plan.undo.contains("it restarts nothing"), "{}", plan.undo);
    assert!(plan.commit[0].text.contains("rollingUpdate: null"), "{}", plan.commit[0].text);
}

/// A copy of the files is made by a pod that cannot have the lock.
#[test]
fn who_only_reads_is_told_and_is_in_nobodys_way() {
    let mut world = rolled(|_| {});
    let mut pods = world.subject.pods.clone();
    pods.push(foreign("other-0", |p| {
        put(p, "/spec/containers/0/volumeMounts/0/readOnly", json!(true));
    }));
    world = world.list(Kind::Pod, pods);
    let reads = "pod/other-0 of sts/other: is Ready, on node n1, and only reads";
    assert!(mounted(&world).contains(&reads.to_owned()));
    plan(&world);
}

#[test]
fn revisions_say_which_template_is_the_newer_one() {
    let set = |revision: &str| {
        let note = json!({"deployment.kubernetes.io/revision": revision});
        json!({"metadata": {"annotations": note}})
    };
    // Made later, and yet of the template that was rolled back.
    let back = rolled(|_| {});
    let back = back.object(Kind::ReplicaSet, "p-b", set("3"));
    let back = back.object(Kind::ReplicaSet, "p-a", set("4"));
    let Next::Wait(says) = back.next() else { panic!("{:?}", back.next()) };
    assert!(says.starts_with("pod/p-0 is of an older template than pod/p-a-1"), "{says}");
    let on = rolled(|_| {}).object(Kind::ReplicaSet, "p-b", set("10"));
    plan(&on.object(Kind::ReplicaSet, "p-a", set("9")));
}

#[test]
fn what_a_deployment_would_not_carry_out_is_not_planned() {
    let (why, ways) = blocked(&rolled(|d| put(d, "/spec/paused", json!(true))));
    assert!(why.starts_with("deploy/p is paused"), "{why}");
    assert_eq!(ways, "kubectl rollout resume deploy/p -n mon");
    let mut two = rolled(|d| put(d, "/spec/replicas", json!(2)));
    two.subject.wanted = 2;
    let (why, _) = blocked(&two);
    assert!(why.starts_with("several pods of deploy/p write one directory"), "{why}");
    let (why, _) = blocked(&rolled(|d| put(d, "/spec/strategy", json!({"type": "Recreate"}))));
    assert!(
        why.contains("controller has not ended pod/p-a-1 of deploy/p, which is Ready"),
        "{why}"
    );
}

#[test]
fn a_pod_that_stops_is_waited_for_and_one_that_does_not_is_told() {
    let deleted = |at: &str| {
        let mut world = rolled(|_| {});
        put(&mut world.subject.pods[1], "/metadata/deletionTimestamp", json!(at));
        let pods = world.subject.pods.clone();
        world.list(Kind::Pod, pods)
    };
    let Next::Wait(says) = deleted("2026-11-22T18:00:25Z").next() else { panic!("no wait") };
    assert_eq!(
        says,
        "pod/p-a-1 of deploy/p has the directory until it has stopped, in 25 s at the latest"
    );
    let late = deleted("2026-11-22T17:50:00Z");
    let (why, ways) = blocked(&late);
    assert!(why.contains("pod/p-a-1 of deploy/p, which is being deleted"), "{why}");
    assert!(ways.contains("do not delete it with --force"), "{ways}");
    assert!(ways.contains("never delete the file `lock`"), "{ways}");
    let needs = late.needs_to_fix();
    assert!(needs.contains(&Need::object(Kind::Node, "", "n1")), "{needs:?}");
    // Of a node that does not report nothing is waited for, however much time is left.
    let node = json!({"metadata": {"name": "n1"},
        "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}});
    let mut silent = deleted("2026-11-22T18:00:25Z").of_cluster(Kind::Node, "n1", node);
    // Its own code where it is of the same Prometheus; a lock's where it is another's.
    put(&mut silent.subject.pods[1], "/metadata/uid", json!("gone"));
    silent.subject.pods.truncate(1);
    let (why, _) = blocked(&silent);
    assert!(why.contains("on node n1, which does not report"), "{why}");
}

#[test]
fn two_that_share_a_claim_are_both_named() {
    let pods = vec![foreign("other-0", |_| {})];
    let (why, ways) = blocked(&locked().list(Kind::Pod, pods));
    assert_eq!(
        why,
        "sts/p is not alone on claim data-p-0: it is mounted by pod/other-0 of sts/other, which \
         is Ready, on node n1"
    );
    assert!(ways.contains("a claim of its own"), "{ways}");
    // One that does not run has no lock.
    let waits = |p: &mut Value| {
        put(p, "/status/conditions/0/status", json!("False"));
        let state = json!({"waiting": {"reason": "ContainerCreating"}});
        put(p, "/status/containerStatuses/0/state", state);
    };
    let (why, ways) = blocked(&locked().list(Kind::Pod, vec![foreign("other-0", waits)]));
    assert_eq!(
        why,
        "no pod of mon that runs writes on claim data-p-0: who had it is gone by now, or is not \
         to be seen"
    );
    assert!(ways.contains("\nkubectl delete pod/p-0 -n mon\n"), "{ways}");
}
