//! A full disk: what is asked, what is said, and in which order.

use serde_json::{Value, json};

use super::fixture::{World, gap_survey, healthy};
use crate::model::plan::Tells;
use crate::model::{Blocked, Kind, Next, ObjectRef};

const FULL: &str = r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: open /prometheus/wal/00000500: no space left on device""#;
const BLOCK: &str = "01M827CT0DKCN5KG2K87TH0H4J";

fn claim(class: &str) -> Value {
    json!({
        "metadata": {"name": "data-p-0", "namespace": "mon"},
        "spec": {"storageClassName": class, "resources": {"requests": {"storage": "10Gi"}}},
        "status": {"capacity": {"storage": "10Gi"}},
    })
}

fn full(claim: Value, grows: bool) -> World {
    let class = json!({"metadata": {"name": "fast"}, "allowVolumeExpansion": grows});
    let world = healthy().crashed(1, "Error", FULL);
    let world = world.object(Kind::PersistentVolumeClaim, "data-p-0", claim);
    world.of_cluster(Kind::StorageClass, "fast", class)
}

fn looked_into(mut world: World, free: u64) -> World {
    let entry = |path: &str, mib: u64, first: i64| json!({"path": path, "bytes": mib << 20, "files": 3, "first": first, "last": first * 2});
    let told = json!({
        "capacity": 10_u64 << 30, "used": (10_u64 << 30) - free, "free": free,
        "inodes": 655_360, "freeInodes": 655_000, "unread": 0,
        "entries": [
            entry(BLOCK, 3 << 10, 3_600_000), entry(&format!("{BLOCK}.tmp-for-creation"), 40, 0),
            entry("prom-fix-20261125T081500Z", 1 << 10, 0), entry("wal", 3 << 10, 0),
        ],
    });
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data-p-0");
    world.seen.inside.spaces.insert(claim, told);
    world
}

fn blocked(world: &World) -> Blocked {
    match world.next() {
        Next::Blocked(blocked) => blocked,
        other => panic!("{other:?}"),
    }
}

const GROW: &str = r#"kubectl patch pvc/data-p-0 -n mon --type=merge -p '{"spec":{"resources":{"requests":{"storage":"20Gi"}}}}'"#;

#[test]
fn its_volume_is_looked_into_and_what_is_known_is_said_without() {
    let Next::Look(look) = full(claim("fast"), true).next() else { panic!("no look") };
    assert_eq!((look.tells, look.claim.name.as_str()), (Tells::Space, "data-p-0"));
    assert_eq!(look.ways.first().map(String::as_str), Some(GROW));
    let mut refused = full(claim("fast"), true);
    refused.seen.inside.refused.insert(look.claim, "you may not create pods".into());
    let told = blocked(&refused);
    assert!(told.why.ends_with("no look inside: you may not create pods"), "{told:?}");
    assert_eq!(told.ways.first().map(String::as_str), Some(GROW));
}

#[test]
fn what_takes_the_room_is_told_and_what_loses_least_goes_first() {
    let world = looked_into(full(claim("fast"), true), 0);
    let (_, findings, _) = world.diagnose();
    let told: Vec<String> =
        findings[0].evidence.iter().map(|e| format!("{}: {}", e.field, e.value)).collect();
    for line in [
        "volume: 10Gi of 10Gi used, 0Ki free",
        "files: 655000 of 655360 inodes free",
        "it holds: wal 3Gi, blocks 3Gi, leftovers 40Mi, set aside 1Gi",
        "beside it: 2.9Gi are not of this data directory",
    ] {
        assert!(told.iter().any(|told| told == line), "{line}\n{told:#?}");
    }
    let ways = blocked(&world).ways;
    let tail: Vec<&str> = ways.iter().skip(2).map(String::as_str).collect();
    assert_eq!(
        tail,
        [
            "kubectl prom-fix freeze pod/p-0 -n mon",
            &format!(
                "1. {BLOCK}.tmp-for-creation, 40Mi: costs nothing: a start that has room removes it"
            ),
            "2. prom-fix-20261125T081500Z, 1Gi: costs the way back from that change, undo",
            &format!("3. {BLOCK}, 3Gi: costs 1970-01-01 01:00Z to 1970-01-01 02:00Z"),
            "never wal, wbl or chunks_head: the newest samples are nowhere else",
            "so that it does not fill again: --storage.tsdb.retention.size=8192MB, a fifth left free; \
             it is not set, and only time bounds the blocks",
        ]
    );
    let bounded = world.flag("storage.tsdb.retention.size", "20GB");
    let last = blocked(&bounded).ways.pop().expect("ways");
    assert!(last.ends_with("it is 20GB, more than this volume of 10Gi can hold"), "{last}");
    let roomy = blocked(&looked_into(full(claim("fast"), true), 2 << 30));
    assert_eq!(roomy.why, "there is room by now: its next start may succeed");
}

#[test]
fn a_claim_grows_only_where_it_can() {
    let first = |world: &World| blocked(world).ways.first().cloned().unwrap_or_default();
    let told = first(&looked_into(full(claim("fast"), false), 0));
    assert!(told.contains("StorageClass fast does not allow it"), "{told}");
    let told = first(&looked_into(full(claim(""), true), 0));
    assert!(told.ends_with("cannot grow: it is of no StorageClass"), "{told}");
    let told = first(&looked_into(full(claim("slow"), true), 0));
    assert!(told.starts_with("whether pvc/data-p-0 may grow could not be read"), "{told}");
    let mut growing = claim("fast");
    growing["status"] = json!({
        "capacity": {"storage": "5Gi"}, "conditions": [{"type": "FileSystemResizePending"}],
    });
    let told = first(&looked_into(full(growing, true), 0));
    assert!(
        told.starts_with(
            "pvc/data-p-0 asks for 10Gi already and has 5Gi (FileSystemResizePending)"
        ),
        "{told}"
    );
}

/// Without its leading command to grow: what else has to be said, and to whom.
fn lasts(change: impl FnOnce(&mut World)) -> String {
    let mut world = looked_into(full(claim("fast"), true), 0);
    change(&mut world);
    let ways = blocked(&world).ways;
    assert_eq!(ways.first().map(String::as_str), Some(GROW));
    ways.iter()
        .skip(1)
        .take_while(|way| !way.starts_with("or make room"))
        .cloned()
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn what_asks_for_the_old_size_is_told_the_new_one() {
    let template = json!([{"metadata": {"name": "data"}}]);
    let set = |kept: &str| {
        lasts(|world| {
            let spec = &mut world.subject.root_object["spec"];
            spec["volumeClaimTemplates"] = template.clone();
            spec["persistentVolumeClaimRetentionPolicy"] = json!({"whenDeleted": kept});
        })
    };
    assert!(set("Retain").ends_with("kubectl delete sts/p -n mon --cascade=orphan"));
    let kept = set("Delete");
    assert!(kept.ends_with("do not delete it, its claims would go with it"), "{kept}");
    let resource = lasts(|world| {
        world.subject.root = ObjectRef::new(Kind::Prometheus, "mon", "k8s");
        let requests = json!({"requests": {"storage": "10Gi"}});
        world.subject.root_object = json!({
            "apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
            "spec": {"storage": {"volumeClaimTemplate": {"spec": {"resources": requests}}}},
        });
    });
    let lines: Vec<&str> = resource.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            r#"kubectl patch prometheus/k8s -n mon --type=merge -p '{"spec":{"paused":true,"storage":{"volumeClaimTemplate":{"spec":{"resources":{"requests":{"storage":"20Gi"}}}}}}}'"#,
            "kubectl delete sts/p -n mon --cascade=orphan",
            r#"kubectl patch prometheus/k8s -n mon --type=merge -p '{"spec":{"paused":false}}'"#,
        ]
    );
}

#[test]
fn of_an_eviction_the_claim_is_not_to_blame() {
    let evicted = full(claim("fast"), true)
        .set("/status/reason", json!("Evicted"))
        .set("/status/message", json!("The node was low on resource: ephemeral-storage."));
    let told = blocked(&evicted);
    assert!(!told.ways.iter().any(|way| way.contains("pvc/")), "{told:?}");
}

const GAP: &str = r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: get segment range: segments are not sequential""#;

/// A log with a gap, whose survey tells of the room on its volume.
pub(super) fn gap(free: u64) -> World {
    let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "p", "uid": "set",
        "controller": true});
    let world = healthy().crashed(1, "Error", GAP);
    let world = world.set("/spec/securityContext/runAsUser", json!(65534));
    let mut world = world.set("/metadata/ownerReferences", json!([owner]));
    let mut survey = gap_survey();
    (survey["free"], survey["needed"]) = (json!(free), json!(130 << 20));
    let claim_ref = ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data-p-0");
    world.seen.inside.surveys.insert(claim_ref, survey);
    let world = world.object(Kind::PersistentVolumeClaim, "data-p-0", claim("fast"));
    let class = json!({"metadata": {"name": "fast"}, "allowVolumeExpansion": true});
    world.of_cluster(Kind::StorageClass, "fast", class)
}

#[test]
fn a_salvage_without_room_is_not_planned_and_what_may_go_is_told_in_order() {
    let roomy = gap(130 << 20);
    assert!(matches!(roomy.next(), Next::Fix(_)), "{:?}", roomy.next());
    let Next::Look(look) = gap(129 << 20).next() else {
        panic!("what takes the room is not asked")
    };
    assert_eq!(look.tells, Tells::Space);
    let told = blocked(&looked_into(gap(129 << 20), 129 << 20));
    assert_eq!(
        told.why,
        "pvc/data-p-0 has no room for a salvage: up to 130Mi are needed beside the damaged files, and \
         129Mi are free"
    );
    let order = [GROW, "until 1Mi more are free", "1. 01M", "2. prom-fix-", "3. 01M", "never wal"];
    let places: Vec<usize> = order
        .iter()
        .map(|name| told.ways.iter().position(|way| way.contains(name)).expect("it is named"))
        .collect();
    assert!(places.is_sorted(), "{:#?}", told.ways);
    // A start before it is mended may delete what can be read.
    assert!(!told.ways.iter().any(|way| way.contains("undo the freeze")), "{:#?}", told.ways);
    let last = "once there is room:  kubectl prom-fix wal pod/p-0 -n mon --inspect";
    assert_eq!(told.ways.last().map(String::as_str), Some(last));
}

#[test]
fn one_that_is_held_is_not_frozen_again_to_make_room() {
    let held = json!(["prom-fix.github.io/hold"]);
    let held = gap(129 << 20).set("/metadata/finalizers", held);
    let held = held.set("/metadata/deletionTimestamp", json!("2026-11-22T17:50:00Z"));
    let told = blocked(&looked_into(held, 129 << 20));
    assert!(!told.ways.iter().any(|way| way.contains("freeze")), "{:#?}", told.ways);
    assert!(
        told.ways.iter().any(|way| way.starts_with("or make room: mount its claim")),
        "{told:?}"
    );
}
