//! What the class must see: logs and events of what is down, the operator of a custom resource,
//! the node of a pod whose kubelet fell silent.

use serde_json::Value;

use crate::model::log::runs;
use crate::model::object::ObjectExt;
use crate::model::{Kind, Need, ObjectRef, Snapshot};
use crate::subject::pod::{self, ContainerState, Doing};
use crate::subject::{Subject, operator};

pub fn needs(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let namespace = subject.namespace();
    let mut out = operator::needs(subject, seen);
    out.extend(runs::needs(&subject.pods, &subject.container, seen));
    let down: Vec<&Value> = subject.pods.iter().filter(|p| !pod::is_ready(p)).collect();
    let missing = (subject.pods.len() as u64) < u64::from(subject.wanted);
    if missing || !down.is_empty() {
        out.push(Need::list(Kind::Event, namespace));
    }
    if missing && subject.workloads.iter().any(|w| w.text("/kind") == "Deployment") {
        out.push(Need::list(Kind::ReplicaSet, namespace));
    }
    for pod in down.into_iter().take(runs::MOST_PODS) {
        let beside = pod::containers(pod).into_iter().find(|c| is_beside(c, &subject.container));
        if let Some(container) = beside {
            out.push(Need::log(pod, &container.name, false));
        }
        if let Some(node) = silent_node(pod) {
            out.push(Need::Object(node));
        }
    }
    out
}

/// Another container of the pod that has crashed.
pub fn is_beside(container: &ContainerState, own: &str) -> bool {
    let waits =
        matches!(&container.doing, Doing::Waiting { reason, .. } if reason == "CrashLoopBackOff");
    let failed = matches!(&container.doing, Doing::Ended(end) if end.exit_code != 0);
    container.name != own && (waits || failed)
}

/// The node of a pod whose containers were all well when it was last heard of, and which is not
/// ready nonetheless: so it looks when the control plane, not the kubelet, took the readiness.
pub fn silent_node(pod: &Value) -> Option<ObjectRef> {
    let node = pod.text("/spec/nodeName");
    let statuses = pod.list("/status/containerStatuses");
    let all_well = !statuses.is_empty() && statuses.iter().all(|s| s.is_true("/ready"));
    let lost = pod.text("/status/reason") == "NodeLost";
    let doubtful = all_well || lost || pod::is_terminating(pod);
    (doubtful && !node.is_empty()).then(|| ObjectRef::new(Kind::Node, "", node))
}
