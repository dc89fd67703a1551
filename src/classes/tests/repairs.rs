//! What follows from a cause, where a real cluster cannot be made to show it.

use serde_json::json;

use super::fixture::{World, healthy};
use crate::model::{Kind, Next};

const DENIED: &str = r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: lock DB directory: open /prometheus/lock: permission denied""#;

fn said(world: &World) -> String {
    match world.next() {
        Next::Blocked(blocked) => format!("{}; {}", blocked.why, blocked.ways.join("; ")),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_range_of_openshift_is_not_left() {
    let denied = || healthy().set("/spec/securityContext", json!({})).crashed(1, "Error", DENIED);
    assert!(matches!(denied().next(), Next::Fix(_)), "{}", said(&denied()));
    let range = json!({"openshift.io/sa.scc.supplemental-groups": "1000650000/10000"});
    let namespace = json!({"metadata": {"name": "mon", "annotations": range}});
    let copied = denied().of_cluster(Kind::Namespace, "mon", namespace.clone());
    assert!(matches!(copied.next(), Next::Fix(_)), "nobody admits by it: {}", said(&copied));
    let of_openshift = denied()
        .set("/metadata/annotations", json!({"openshift.io/scc": "restricted-v2"}))
        .of_cluster(Kind::Namespace, "mon", namespace);
    assert!(
        said(&of_openshift).contains("takes groups of 1000650000/10000 only"),
        "{}",
        said(&of_openshift)
    );
}

#[test]
fn a_directory_of_the_node_is_named_with_what_to_do_there() {
    let volume = json!([{"name": "data", "hostPath": {"path": "/srv/p"}}]);
    let context = json!({"fsGroup": 65534, "runAsUser": 1000, "runAsGroup": 2000});
    let world = healthy().set("/spec/volumes", volume).set("/spec/securityContext", context);
    let Next::Look(look) = world.crashed(1, "Error", DENIED).next() else { panic!("no look") };
    let said = look.ways.join("; ");
    assert!(said.contains("on n1, if nothing else uses it: chown -R 1000:2000 /srv/p"), "{said}");
}
