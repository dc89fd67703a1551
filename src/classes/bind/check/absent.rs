//! A client that does not run: whatever lets it through, nothing asks.

use serde_json::Value;

use super::super::client;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, ObjectRef, Severity, Snapshot};

pub const DOWN: Code = Code("bind/client-down");

pub fn check(seen: &Snapshot, of: &ObjectRef) -> Option<Finding> {
    let workload = seen.object(of).known()?;
    let pods = client::pods(seen, workload).ok()?;
    let runs = |pod: &&Value| pod.text("/status/phase") == "Running";
    if pods.iter().any(runs) {
        return None;
    }
    let finding = |says: &str| Finding::new(DOWN, of, Severity::Error, says);
    let Some(first) = pods.first() else {
        return Some(match workload.number("/spec/replicas") {
            Some(0) => finding("is scaled to 0: nothing asks").with("spec.replicas", "0"),
            Some(_) | None => finding("has no pods: nothing asks"),
        });
    };
    let state = waits(first).unwrap_or_else(|| first.text("/status/phase"));
    let says = "has no pod that runs: nothing asks";
    Some(finding(says).with(&format!("pod/{}", first.name()), state))
}

/// What its containers wait for.
fn waits(pod: &Value) -> Option<&str> {
    let all = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let mut all = all.iter().flat_map(|at| pod.list(at));
    all.find_map(|status| Some(status.text("/state/waiting/reason")).filter(|why| !why.is_empty()))
}
