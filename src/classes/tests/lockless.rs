//! A Prometheus that takes no lock: no salvage while somebody else may write on its claim.

use serde_json::{Value, json};

use super::fixture::{World, healthy, put};
use super::full::gap;
use crate::model::fact::Fact;
use crate::model::{Blocked, Kind, Need, Next};

const FLAG: &str = "storage.tsdb.no-lockfile";

fn lockless() -> World {
    gap(1 << 30).flag(FLAG, "true")
}

/// Of nobody that is known, on the same claim.
fn other(read_only: bool) -> Value {
    let mut pod = healthy().pod().clone();
    put(&mut pod, "/metadata/name", json!("debug"));
    put(&mut pod, "/metadata/uid", json!("debug"));
    put(&mut pod, "/metadata/ownerReferences", json!([]));
    put(&mut pod, "/spec/containers/0/volumeMounts/0/readOnly", json!(read_only));
    pod
}

fn blocked(world: &World) -> Blocked {
    match world.next() {
        Next::Blocked(blocked) => blocked,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_else_writes_on_its_claim_has_to_be_known() {
    // Asked for once a look is allowed.
    let mut asks = lockless();
    asks.seen.inside.agents.insert("amd64".into(), "agent".into());
    assert!(asks.needs_to_fix().contains(&pods()), "before anything is planned");
    let unread = blocked(&lockless().fact(pods(), Fact::Unreadable("forbidden".into())));
    assert!(unread.why.contains("who mounts it is not known"), "{unread:?}");
    let writes = blocked(&lockless().list(Kind::Pod, vec![other(false)]));
    assert!(writes.why.contains("others") || writes.why.contains("pod/debug"), "{writes:?}");
    for all in [vec![other(true)], Vec::new()] {
        let Next::Fix(plan) = lockless().list(Kind::Pod, all).next() else { panic!("no plan") };
        let only = "it takes no lock, and only the hold keeps it from the files meanwhile";
        assert!(plan.impact.data.contains(only), "{}", plan.impact.data);
    }
    // One that takes a lock is kept away by that.
    let locks = gap(1 << 30).list(Kind::Pod, vec![other(false)]);
    assert!(matches!(locks.next(), Next::Fix(_)));
}

fn pods() -> Need {
    Need::list(Kind::Pod, "mon")
}
