//! What is kept of a listed object. A listing is of many objects, and most of each is of no use to
//! any check; what stands alone ([`Need::Object`](crate::model::Need::Object)) is kept whole.

use serde_json::{Map, Value};

use super::objects;
use crate::model::object::{Kind, ObjectExt};

/// How much of a listed object is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All that may tell a reader something: for recordings.
    Readable,
    /// Only what checks may read.
    Checked,
}

impl Keep {
    /// What is kept, with its kind, without which items come.
    pub fn of(self, kind: Kind, mut object: Value) -> Value {
        objects::name_kind(&mut object, kind);
        match (self, kind) {
            (Keep::Checked, Kind::Node) => node(&mut object),
            (Keep::Checked, Kind::Pod) => {
                lighten(&mut object, kind);
                pod(&mut object);
                object
            }
            _ => {
                lighten(&mut object, kind);
                object
            }
        }
    }
}

/// Drops what is heavy and never read: field ownership of kinds that are not patched by field.
/// Workloads and custom resources keep it, for the forecast reads it.
fn lighten(object: &mut Value, kind: Kind) {
    let light = matches!(
        kind,
        Kind::Pod
            | Kind::Event
            | Kind::ReplicaSet
            | Kind::Node
            | Kind::PersistentVolumeClaim
            | Kind::Service
    );
    if light && let Some(metadata) = fields(object, "metadata") {
        metadata.remove("managedFields");
        if kind == Kind::Node {
            metadata.remove("annotations");
        }
    }
    // Most of a node is the list of images that it holds.
    if kind == Kind::Node
        && let Some(status) = fields(object, "status")
    {
        status.remove("images");
    }
}

/// Of a definition only its metadata: its schema is a megabyte.
pub fn definition(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, _| matches!(name.as_str(), "apiVersion" | "kind" | "metadata"));
    }
}

fn fields<'a>(object: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    object.get_mut(key)?.as_object_mut()
}

/// Of a node: whether it takes pods, which, how many, and whether its kubelet reports.
fn node(object: &mut Value) -> Value {
    const KEPT: [&str; 10] = [
        "/apiVersion",
        "/kind",
        "/metadata/name",
        "/metadata/uid",
        "/metadata/labels",
        "/metadata/deletionTimestamp",
        "/spec/unschedulable",
        "/spec/taints",
        "/status/allocatable",
        "/status/conditions",
    ];
    let mut out = Map::new();
    for at in KEPT {
        let Some(value) = object.pointer_mut(at).map(Value::take) else { continue };
        let value = match at {
            "/status/conditions" => {
                let all = value.list("").iter();
                all.filter(|c| c.text("/type") == "Ready").cloned().collect()
            }
            _ => value,
        };
        match at.trim_start_matches('/').split_once('/') {
            None => out.insert(at.trim_start_matches('/').into(), value),
            Some((part, key)) => {
                let part = out.entry(part).or_insert_with(|| Value::Object(Map::new()));
                part.as_object_mut().and_then(|part| part.insert(key.into(), value))
            }
        };
    }
    Value::Object(out)
}

/// Of a pod goes what the scheduler and the runtime alone read, and what others set in the
/// environment: that is most of it.
fn pod(object: &mut Value) {
    if let Some(spec) = fields(object, "spec") {
        for key in ["tolerations", "affinity", "topologySpreadConstraints"] {
            spec.remove(key);
        }
        for key in ["containers", "initContainers"] {
            each(spec, key, environment);
        }
    }
    if let Some(status) = fields(object, "status") {
        for key in ["containerStatuses", "initContainerStatuses"] {
            each(status, key, |status| {
                for key in ["containerID", "imageID", "allocatedResources", "volumeMounts", "user"]
                {
                    status.remove(key);
                }
            });
        }
    }
}

fn each(of: &mut Map<String, Value>, key: &str, change: fn(&mut Map<String, Value>)) {
    let all = of.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten();
    all.filter_map(Value::as_object_mut).for_each(change);
}

/// A variable is read only where an argument names it: `$(POD_IP)`.
fn environment(container: &mut Map<String, Value>) {
    let words = ["command", "args"].into_iter().filter_map(|key| container.get(key)?.as_array());
    let named: String =
        words.flatten().filter_map(Value::as_str).filter(|w| w.contains("$(")).collect();
    if let Some(Value::Array(all)) = container.get_mut("env") {
        all.retain(|variable| named.contains(&format!("$({})", variable.text("/name"))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_is_its_room_and_its_readiness() {
        let given = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "n", "uid": "u", "labels": {"a": "b"}, "annotations": {"c": "d"},
                "managedFields": [{}]},
            "spec": {"podCIDR": "10.0.0.0/24", "unschedulable": true},
            "status": {"allocatable": {"memory": "1Gi"}, "capacity": {"memory": "2Gi"},
                "conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure"}],
                "images": [{}]}});
        let expected = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "n", "uid": "u", "labels": {"a": "b"}},
            "spec": {"unschedulable": true},
            "status": {"allocatable": {"memory": "1Gi"},
                "conditions": [{"type": "Ready", "status": "True"}]}});
        assert_eq!(Keep::Checked.of(Kind::Node, given.clone()), expected);
        let readable = Keep::Readable.of(Kind::Node, given);
        assert!(readable.pointer("/status/capacity").is_some());
        assert!(readable.pointer("/status/images").is_none());
    }

    #[test]
    fn a_pod_keeps_the_variables_that_its_arguments_name() {
        let given = json!({"metadata": {"name": "p", "managedFields": [{}]},
            "spec": {"tolerations": [{}], "containers": [{"args": ["--web.listen-address=$(IP):$(PORT)"],
                "env": [{"name": "IP"}, {"name": "PORT"}, {"name": "P"}]}, {"env": [{"name": "IP"}]}]},
            "status": {"containerStatuses": [{"name": "c", "imageID": "sha256:0"}]}});
        let expected = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"args": ["--web.listen-address=$(IP):$(PORT)"],
                "env": [{"name": "IP"}, {"name": "PORT"}]}, {"env": []}]},
            "status": {"containerStatuses": [{"name": "c"}]}});
        assert_eq!(Keep::Checked.of(Kind::Pod, given), expected);
    }
}
