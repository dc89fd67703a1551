//! Our agent in a helper pod: the ConfigMap that brings it, and the container that runs it.

use serde_json::{Value, json};

use crate::model::inside::{AGENT, REFERENCE, labels};
use crate::model::object::ObjectRef;

/// The ConfigMap with an agent, by its sum.
pub(super) fn carried(carrier: &ObjectRef, sum: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": carrier.name, "namespace": carrier.namespace, "labels": labels()},
        "binaryData": {AGENT: format!("{REFERENCE}{sum}")},
        "immutable": true,
    })
}

/// A container that runs our agent, which it has from its ConfigMap.
pub(super) fn in_container(
    image: &str,
    words: &[String],
    room: &Value,
    capabilities: &Value,
    data: Option<Value>,
) -> Value {
    let agent = json!({"name": "agent", "mountPath": "/agent", "readOnly": true});
    let mounts: Vec<Value> = data.into_iter().chain([agent]).collect();
    json!({
        "name": "agent",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": words,
        "resources": room,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": capabilities,
        },
        "volumeMounts": mounts,
    })
}

/// The volume with our agent.
pub(super) fn volume(carrier: &str) -> Value {
    json!({"name": "agent", "configMap": {"name": carrier, "defaultMode": 0o555}})
}
