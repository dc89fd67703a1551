//! Who it ran as before, out of the revisions that its workload keeps.

use serde_json::{Value, json};

use super::fixture::{World, healthy};
use super::states::DENIED;
use crate::model::{Fact, Kind, Need, Next, Seen};

const BUSYBOX: &str = "prom/prometheus:v3.10.0";
const DISTROLESS: &str = "prom/prometheus:v3.16.0-distroless";

fn spec(image: &str, security: &Value) -> Value {
    json!({"securityContext": security, "containers": [{"name": "prometheus", "image": image}]})
}

/// A revision of a set, as its controller keeps it.
fn kept(number: i64, owner: &str, spec: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": {"name": format!("p-{number}"), "namespace": "mon",
            "ownerReferences": [{"controller": true, "kind": "StatefulSet", "name": "p", "uid": owner}]},
        "revision": number, "data": {"spec": {"template": {"$patch": "replace", "spec": spec}}}})
}

/// On a volume that is given to nobody, as the user of the newer image, made by the last revision.
fn moved(kind: Kind, revisions: Vec<Value>) -> World {
    let controller = match kind {
        Kind::ReplicaSet => {
            json!({"controller": true, "kind": "ReplicaSet", "name": "p-3", "uid": "r"})
        }
        _ => json!({"controller": true, "kind": "StatefulSet", "name": "p", "uid": "set"}),
    };
    healthy()
        .crashed(1, "Error", DENIED)
        .set("/metadata/ownerReferences", json!([controller]))
        .set("/metadata/labels/controller-revision-hash", json!("p-3"))
        .set("/spec/securityContext", json!({}))
        .set("/spec/containers/0/image", json!(DISTROLESS))
        .object(Kind::PersistentVolumeClaim, "data-p-0", json!({"spec": {"volumeName": "v"}}))
        .of_cluster(Kind::PersistentVolume, "v", json!({"spec": {"nfs": {"path": "/d"}}}))
        .list(kind, revisions)
}

fn before(world: &World) -> Option<String> {
    let (_, findings, _) = world.diagnose();
    let mut told = findings.into_iter().flat_map(|finding| finding.evidence);
    told.find(|evidence| evidence.field == "ran before as").map(|evidence| evidence.value)
}

fn of_set(revisions: Vec<Value>) -> Option<String> {
    before(&moved(Kind::ControllerRevision, revisions))
}

#[test]
fn the_last_revision_that_ran_as_somebody_else_is_named() {
    let now = kept(3, "set", &spec(DISTROLESS, &json!({})));
    let busybox = kept(2, "set", &spec(BUSYBOX, &json!({})));
    let nobody = "65534:65534, no fsGroup (revision 2, image prom/prometheus:v3.10.0)";
    assert_eq!(of_set(vec![now.clone(), busybox.clone()]).as_deref(), Some(nobody));
    // The one before ran as the same; the past is further back.
    let same = kept(2, "set", &spec(DISTROLESS, &json!({"runAsUser": 65532})));
    let chart = json!({"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 2000});
    let older = kept(1, "set", &spec(BUSYBOX, &chart));
    let told = "1000:2000, groups 2000 (revision 1, image prom/prometheus:v3.10.0)";
    assert_eq!(of_set(vec![older.clone(), same.clone(), now.clone()]).as_deref(), Some(told));
    // Another label of SELinux alone.
    let label = json!({"seLinuxOptions": {"level": "s0:c1,c2"}});
    let labelled = kept(2, "set", &spec(DISTROLESS, &label));
    let told = of_set(vec![now.clone(), labelled]).expect("another label");
    assert!(
        told.starts_with(r#"65532:65532, no fsGroup, seLinuxOptions {"level":"s0:c1,c2"}"#),
        "{told}"
    );
}

#[test]
fn nothing_is_told_of_others_of_later_ones_or_of_what_is_not_known() {
    let now = kept(3, "set", &spec(DISTROLESS, &json!({})));
    let busybox = spec(BUSYBOX, &json!({}));
    for other in [
        kept(2, "another set", &busybox),
        kept(4, "set", &busybox),
        kept(2, "set", &spec(DISTROLESS, &json!({"runAsUser": 65532}))),
        kept(2, "set", &spec("example.org/ours:v1", &json!({}))),
    ] {
        assert_eq!(of_set(vec![now.clone(), other.clone()]), None, "{other}");
    }
    assert_eq!(of_set(vec![kept(2, "set", &busybox)]), None, "which made the pod is not known");
    let gone = moved(Kind::ControllerRevision, vec![]).set("/metadata/ownerReferences", json!([]));
    assert_eq!(before(&gone), None, "a pod of nobody");
    assert!(
        !gone.needs().iter().any(
            |need| matches!(need, Need::List { kind, .. } if *kind == Kind::ControllerRevision)
        )
    );
}

#[test]
fn a_user_that_is_given_when_a_pod_is_made_is_not_told_by_templates() {
    let now = kept(3, "set", &spec(DISTROLESS, &json!({})));
    let busybox = kept(2, "set", &spec(BUSYBOX, &json!({})));
    let given = moved(Kind::ControllerRevision, vec![now, busybox])
        .set("/spec/securityContext", json!({"runAsUser": 1_000_680_000}));
    assert_eq!(before(&given), None);
}

#[test]
fn of_a_deployment_the_sets_of_pods_are_read() {
    let set = |name: &str, revision: &str, spec: &Value| {
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": name, "namespace": "mon",
                "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [{"controller": true, "kind": "Deployment", "name": "p", "uid": "d"}]},
            "spec": {"template": {"spec": spec}}})
    };
    let all = vec![
        set("p-3", "10", &spec(DISTROLESS, &json!({}))),
        set("p-1", "9", &spec(BUSYBOX, &json!({"fsGroup": 65534}))),
        set("p-2", "2", &spec(BUSYBOX, &json!({"runAsUser": 0}))),
    ];
    let told = before(&moved(Kind::ReplicaSet, all));
    let of = "65534:65534, groups 65534 (revision 9, image prom/prometheus:v3.10.0)";
    assert_eq!(told.as_deref(), Some(of), "by number, not by text");
}

#[test]
fn a_way_without_a_look_leads_back_to_it_and_never_to_root() {
    let ways = |user: i64| {
        let older = kept(2, "set", &spec(BUSYBOX, &json!({"runAsUser": user})));
        let world = moved(
            Kind::ControllerRevision,
            vec![kept(3, "set", &spec(DISTROLESS, &json!({}))), older],
        );
        match world.next() {
            Next::Look(look) => look.ways.join("\n"),
            other => panic!("no look: {other:?}"),
        }
    };
    assert!(ways(1000).contains("runAsUser 1000 brings it back"), "{}", ways(1000));
    assert_eq!(ways(0), "");
    assert_eq!(ways(65532), "", "it runs as that");
}

#[test]
fn what_could_not_be_read_is_said_where_it_matters() {
    let refused = |world: World| {
        let need = Need::list(Kind::ControllerRevision, "mon");
        let (_, _, unknown) = world.fact(need, Fact::Unreadable("forbidden".into())).diagnose();
        unknown.into_iter().filter(|one| one.need == "who it ran as before").count()
    };
    assert_eq!(refused(moved(Kind::ControllerRevision, vec![])), 1);
    let given = moved(Kind::ControllerRevision, vec![]).of_cluster(
        Kind::PersistentVolume,
        "v",
        json!({"spec": {"local": {"path": "/d"}}}),
    );
    assert_eq!(refused(given), 0, "the kubelet gives the volume to whoever runs");
    let seen = Need::list(Kind::ControllerRevision, "mon");
    let world = moved(Kind::ControllerRevision, vec![]).fact(seen, Fact::Known(Seen::List(vec![])));
    assert!(world.needs().contains(&Need::list(Kind::ControllerRevision, "mon")));
}
