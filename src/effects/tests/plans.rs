//! A plan as the oom class makes it for a plain StatefulSet.

use serde_json::{Value, json};

use super::{pod, set};
use crate::model::patch::{Change, Patch, guarded};
use crate::model::plan::{Action, Impact, Plan, Step, Undo, Until};

pub(crate) const MEMORY: &str = "/spec/template/spec/containers/0/resources/limits/memory";

/// The set as served before anything.
pub(crate) fn workload() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {
            "name": "prom", "namespace": "mon", "uid": "set-uid", "generation": 1,
            "resourceVersion": "1",
            "managedFields": [
                {"manager": "helm", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1":
                    {"f:spec": {"f:replicas": {}, "f:template": {}}}},
                {"manager": "kcm", "operation": "Update", "apiVersion": "apps/v1",
                    "subresource": "status", "fieldsV1": {"f:status": {"f:replicas": {}}}},
            ],
        },
        "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"name": "prometheus", "resources": {"limits": {"memory": "1Gi"}}},
        ]}}},
        "status": {"observedGeneration": 1, "updateRevision": "old", "replicas": 1,
            "updatedReplicas": 1, "readyReplicas": 1},
    })
}

fn patch(made: Patch, why: &str) -> Step {
    let Patch { ops, undo, .. } = made;
    Step {
        why: why.into(),
        action: Action::Patch { object: set(), patch: ops },
        undo: Undo::Patch(undo),
    }
}

/// Raises the limit, restarts the broken pod, and puts the strategy back as it was.
pub(crate) fn memory() -> Plan {
    let strategy = "/spec/updateStrategy";
    let held = json!({"type": "OnDelete"});
    let first =
        guarded(&workload(), &[Change::set(MEMORY, "2048Mi"), Change::set(strategy, held)], 0);
    let last = guarded(&first.after, &[Change::unset(strategy)], 1);
    let words = || Undo::Words("it restarts once more".into());
    let until = Until::Ingests { not_uid: "pod-uid".into(), port: 9090, prefix: "/".into() };
    Plan {
        title: "raise the memory limit from 1Gi to 2Gi".into(),
        class: "oom".into(),
        cluster: "cluster-uid".into(),
        target: set(),
        target_uid: "set-uid".into(),
        steps: vec![
            patch(first, "more memory"),
            Step {
                why: "the broken one".into(),
                action: Action::Delete { object: pod(), uid: "pod-uid".into(), grace: None },
                undo: words(),
            },
            Step {
                why: "until it ingests".into(),
                action: Action::Wait { object: pod(), until },
                undo: words(),
            },
            patch(last, "as it was"),
        ],
        impact: Impact {
            restarts: vec!["prom-0".into()],
            serving: vec!["prom-0".into()],
            ..Impact::default()
        },
        forecast: Vec::new(),
        commit: Vec::new(),
        inputs: Vec::new(),
        undo: "yes".into(),
        takes: "about 1 min".into(),
        doubts: Vec::new(),
        undoes: None,
        frees: None,
    }
}
