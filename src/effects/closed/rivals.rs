//! What a plan may write of the objects of autoscalers and GitOps: that they pause, and nothing else.

use serde_json::Value;

use crate::model::object::{Kind, ObjectRef};
use crate::model::patch::Op;

/// Where each of them is paused; none for all other kinds.
fn pauses(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::HorizontalPodAutoscaler => &["/spec/minReplicas"],
        // All annotations where there were none.
        Kind::ScaledObject => {
            &["/metadata/annotations", "/metadata/annotations/autoscaling.keda.sh~1paused"]
        }
        // All of the policy where nothing else was said in it.
        Kind::Application => &["/spec/syncPolicy", "/spec/syncPolicy/automated"],
        Kind::HelmRelease => &["/spec/suspend"],
        _ => &[],
    }
}

/// Those that may be in another namespace than what they write.
pub(super) fn is_elsewhere(kind: Kind) -> bool {
    matches!(kind, Kind::Application | Kind::HelmRelease)
}

/// Whether a value that is written as a whole has nothing in it but what pauses.
fn holds_a_pause(path: &str, value: &Value) -> bool {
    let only = |key: &str| match path {
        "/metadata/annotations" => key == "autoscaling.keda.sh/paused",
        "/spec/syncPolicy" => key == "automated",
        _ => true,
    };
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value.is_null();
    match value.as_object() {
        Some(all) => all.iter().all(|(key, value)| only(key) || is_empty(value)),
        None => true,
    }
}

pub(super) fn check(object: &ObjectRef, op: &Op) -> Result<(), String> {
    let places = pauses(object.kind);
    let only_pauses = places.contains(&op.path())
        && match op {
            Op::Add { path, value } | Op::Replace { path, value } => holds_a_pause(path, value),
            Op::Test { .. } | Op::Remove { .. } => true,
        };
    if places.is_empty() || op.is_guard() || only_pauses {
        return Ok(());
    }
    Err(format!("it writes {:?} of {}", op.path(), object.short()))
}
