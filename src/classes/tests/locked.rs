//! A data directory that another process has: who that may be, and what can be done.

use serde_json::{Value, json};

use super::fixture::{World, healthy, put};
use crate::model::Kind;

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
