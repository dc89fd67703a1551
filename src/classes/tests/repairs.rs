//! What follows from a cause, where a real cluster cannot be made to show it.

use serde_json::json;

use super::fixture::{World, healthy};
use crate::model::{Kind, Next};

const DENIED: &str = r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: lock DB directory: open /prometheus/lock: permission denied""#;
const FULL: &str = r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: open /prometheus/wal/00000500: no space left on device""#;

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
        said(&of_openshift).contains("own range 1000650000/10000 only"),
        "{}",
        said(&of_openshift)
    );
}

#[test]
fn a_directory_of_the_node_is_named_with_what_to_do_there() {
    let volume = json!([{"name": "data", "hostPath": {"path": "/srv/p"}}]);
    let context = json!({"fsGroup": 65534, "runAsUser": 1000, "runAsGroup": 2000});
    let world = healthy().set("/spec/volumes", volume).set("/spec/securityContext", context);
    let said = said(&world.crashed(1, "Error", DENIED));
    assert!(said.contains("/srv/p is a directory of node n1 itself"), "{said}");
    assert!(said.contains("chown -R 1000:2000 /srv/p"), "{said}");
}

#[test]
fn a_full_claim_is_grown_where_its_class_allows_it() {
    let claim = json!({
        "metadata": {"name": "data-p-0", "namespace": "mon"},
        "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "10Gi"}}},
    });
    let full = |grows: bool| {
        let class = json!({"metadata": {"name": "fast"}, "allowVolumeExpansion": grows});
        let world = healthy().crashed(1, "Error", FULL);
        let world = world.object(Kind::PersistentVolumeClaim, "data-p-0", claim.clone());
        said(&world.of_cluster(Kind::StorageClass, "fast", class))
    };
    let line = r#"kubectl patch pvc/data-p-0 -n mon --type=merge -p '{"spec":{"resources":{"requests":{"storage":"20Gi"}}}}'"#;
    assert!(full(true).contains(line), "{}", full(true));
    assert!(full(false).contains("StorageClass fast does not allow it"), "{}", full(false));
}
