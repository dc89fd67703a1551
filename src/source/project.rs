//! What is kept of a listed object. A listing is of many objects, and most of each is of no use to
//! any check; what stands alone ([`Need::Object`](crate::model::Need::Object)) is kept whole.

use serde_json::{Map, Value};

use super::objects;
use super::sieve::{self, At};
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
    /// What is kept of an item, with its kind, without which items come.
    pub fn read(self, kind: Kind, item: &[u8]) -> serde_json::Result<Value> {
        let mut object = match (self, kind) {
            (Keep::Checked, Kind::Pod) => sieve::read(item, of_pod)?,
            _ if is_light(kind) => sieve::read(item, readable)?,
            _ => serde_json::from_slice(item)?,
        };
        objects::name_kind(&mut object, kind);
        match (self, kind) {
            (Keep::Checked, Kind::Pod) => containers(&mut object),
            _ => lighten(&mut object, kind),
        }
        Ok(object)
    }

    /// What is kept of a node, and which of its labels.
    pub fn node(self, labels: &[String], item: &[u8]) -> serde_json::Result<Value> {
        if self == Keep::Readable {
            return self.read(Kind::Node, item);
        }
        let mut node = sieve::read(item, of_node)?;
        objects::name_kind(&mut node, Kind::Node);
        conditions(&mut node);
        if let Some(metadata) = fields(&mut node, "metadata")
            && let Some(own) = metadata.get_mut("labels").and_then(Value::as_object_mut)
        {
            own.retain(|key, _| labels.contains(key));
            if own.is_empty() {
                metadata.remove("labels");
            }
        }
        Ok(node)
    }
}

/// Kinds of which nobody reads who owns which field: they are not patched by field. Workloads and
/// custom resources are, and the forecast reads it.
fn is_light(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Pod
            | Kind::Event
            | Kind::ReplicaSet
            | Kind::ControllerRevision
            | Kind::Node
            | Kind::PersistentVolumeClaim
            | Kind::Service
    )
}

fn readable(at: At<'_>) -> bool {
    (at.depth, at.within, at.key) != (1, "metadata", "managedFields")
}

/// Drops what is heavy and never read.
pub fn lighten(object: &mut Value, kind: Kind) {
    if is_light(kind)
        && let Some(metadata) = fields(object, "metadata")
    {
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
fn of_node(at: At<'_>) -> bool {
    match (at.depth, at.within) {
        (1, "metadata") => matches!(at.key, "name" | "uid" | "labels" | "deletionTimestamp"),
        (1, "spec") => matches!(at.key, "unschedulable" | "taints"),
        (1, "status") => matches!(at.key, "allocatable" | "conditions"),
        (2, "allocatable") => at.key == "memory",
        (2, "conditions") => matches!(at.key, "type" | "status" | "reason" | "message"),
        _ => true,
    }
}

/// Of a pod: not what the scheduler and the runtime alone read.
fn of_pod(at: At<'_>) -> bool {
    match (at.depth, at.within) {
        (1, "metadata") => at.key != "managedFields",
        // Tolerations a helper beside it has, too.
        (1, "spec") => !matches!(at.key, "affinity" | "topologySpreadConstraints"),
        (2, "containerStatuses" | "initContainerStatuses") => !matches!(
            at.key,
            "containerID" | "imageID" | "allocatedResources" | "volumeMounts" | "user"
        ),
        _ => true,
    }
}

/// Of a pod of others: what it asks for, and where.
pub fn asking_pod(item: &[u8]) -> serde_json::Result<Value> {
    sieve::read(item, |at| match (at.depth, at.within) {
        (0, _) => matches!(at.key, "metadata" | "spec" | "status"),
        (1, "metadata") => matches!(at.key, "name" | "namespace" | "uid"),
        (1, "spec") => {
            matches!(at.key, "nodeName" | "containers" | "initContainers" | "resources")
        }
        (1, "status") => at.key == "phase",
        (2, "containers" | "initContainers") => matches!(at.key, "name" | "resources"),
        _ => true,
    })
}

/// A kubelet that reports is what is taken for granted: of a thousand nodes that is a megabyte.
fn conditions(node: &mut Value) {
    let silent = |c: &Value| c.text("/type") == "Ready" && c.text("/status") != "True";
    let Some(status) = fields(node, "status") else { return };
    if let Some(Value::Array(all)) = status.get_mut("conditions") {
        all.retain(silent);
        if all.is_empty() {
            status.remove("conditions");
        }
    }
}

/// What others set in the environment is most of a pod.
fn containers(pod: &mut Value) {
    if let Some(spec) = fields(pod, "spec") {
        for key in ["containers", "initContainers"] {
            each(spec, key, environment);
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

    fn read(keep: Keep, kind: Kind, item: &Value) -> Value {
        keep.read(kind, item.to_string().as_bytes()).expect("json")
    }

    #[test]
    fn a_node_is_its_room_and_whether_it_is_silent() {
        let ready = |status| json!({"type": "Ready", "status": status, "lastHeartbeatTime": "x"});
        let node = |status| {
            json!({"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": "n", "uid": "u", "labels": {"a": "b", "e": "f"}, "managedFields": [{}],
                    "annotations": {"c": "d"}},
                "spec": {"podCIDR": "10.0.0.0/24", "unschedulable": true},
                "status": {"allocatable": {"memory": "1Gi", "cpu": "1"}, "images": [{}],
                    "capacity": {"memory": "2Gi"},
                    "conditions": [ready(status), {"type": "DiskPressure", "status": "False"}]}})
        };
        let kept = |conditions: &[Value]| {
            let mut kept = json!({"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": "n", "uid": "u", "labels": {"a": "b"}},
                "spec": {"unschedulable": true}, "status": {"allocatable": {"memory": "1Gi"}}});
            if !conditions.is_empty() {
                kept["status"]["conditions"] = json!(conditions);
            }
            kept
        };
        let silent = [json!({"type": "Ready", "status": "Unknown"})];
        let read = |keep: Keep, node: Value| {
            keep.node(&["a".into()], node.to_string().as_bytes()).expect("json")
        };
        assert_eq!(read(Keep::Checked, node("True")), kept(&[]));
        assert_eq!(read(Keep::Checked, node("Unknown")), kept(&silent));
        let readable = read(Keep::Readable, node("True"));
        assert_eq!(readable.label("e"), Some("f"));
        assert!(readable.pointer("/status/capacity").is_some());
        assert!(readable.pointer("/status/images").is_none());
    }

    #[test]
    fn a_pod_keeps_the_variables_that_its_arguments_name() {
        let given = json!({"metadata": {"name": "p", "managedFields": [{}]},
            "spec": {"tolerations": [{}], "affinity": {},
                "containers": [{"args": ["--web.listen-address=$(IP):$(PORT)"],
                "env": [{"name": "IP"}, {"name": "PORT"}, {"name": "P"}]}, {"env": [{"name": "IP"}]}]},
            "status": {"containerStatuses": [{"name": "c", "imageID": "sha256:0"}]}});
        let expected = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"tolerations": [{}],
                "containers": [{"args": ["--web.listen-address=$(IP):$(PORT)"],
                "env": [{"name": "IP"}, {"name": "PORT"}]}, {"env": []}]},
            "status": {"containerStatuses": [{"name": "c"}]}});
        assert_eq!(read(Keep::Checked, Kind::Pod, &given), expected);
    }
}
