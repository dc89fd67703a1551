//! A pod that is deleted for a new template.

use serde_json::json;

use super::*;
use crate::model::object::ObjectExt;

/// As its set made it, of one of its templates; of the first no pod becomes Ready.
fn of_revision(uid: &str, revision: &str) -> serde_json::Value {
    let ready = if revision == "r1" { "False" } else { "True" };
    json!({
        "metadata": {"name": "prom-0", "namespace": "mon", "uid": uid,
            "labels": {"controller-revision-hash": revision},
            "ownerReferences": [{"controller": true, "apiVersion": "apps/v1",
                "kind": "StatefulSet", "name": "prom", "uid": "set-uid"}]},
        "spec": {"containers": [{"name": "prometheus"}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    })
}

/// Who was at the pod in between, and whether the one that came then is there at the end.
fn stays(came: serde_json::Value) -> bool {
    let uid = came.uid().to_owned();
    run(async {
        let world = World::new();
        world.put(&pod(), of_revision("pod-uid", "r1"));
        let mut came = Some(came);
        world.state().meanwhile = Some(Box::new(move |request, objects| {
            if request.starts_with("PATCH")
                && let Some(came) = came.take()
            {
                objects.insert(pod().path(), came);
                objects.get_mut(&set().path()).expect("a set")["status"]["updateRevision"] =
                    json!("r2");
            }
        }));
        let (_, ended) = carry_out(&world, plans::memory(), &mut Recorder::default()).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        world.object(&pod()).uid() == uid
    })
}

#[test]
fn a_pod_of_the_old_template_that_came_meanwhile_is_deleted_too() {
    assert!(!stays(of_revision("by-drain", "r1")));
    assert!(stays(of_revision("by-its-set", "r2")), "that one is what was wanted");
}
