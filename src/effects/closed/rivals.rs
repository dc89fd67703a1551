//! What a plan may write of the objects of autoscalers and GitOps: that they pause, and nothing else.

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
        Kind::Application => &["/spec/syncPolicy/automated"],
        Kind::HelmRelease => &["/spec/suspend"],
        _ => &[],
    }
}

/// Those that may be in another namespace than what they write.
pub(super) fn is_elsewhere(kind: Kind) -> bool {
    matches!(kind, Kind::Application | Kind::HelmRelease)
}

pub(super) fn check(object: &ObjectRef, op: &Op) -> Result<(), String> {
    let places = pauses(object.kind);
    let only_pauses = match op {
        Op::Add { path, value } if path == "/metadata/annotations" => {
            let paused = |all: &serde_json::Map<_, _>| {
                all.keys().all(|key| key == "autoscaling.keda.sh/paused")
            };
            places.contains(&path.as_str()) && value.as_object().is_some_and(paused)
        }
        op => places.contains(&op.path()),
    };
    if places.is_empty() || op.is_guard() || only_pauses {
        return Ok(());
    }
    Err(format!("it writes {:?} of {}", op.path(), object.short()))
}
