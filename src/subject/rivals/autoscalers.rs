//! Autoscalers of a Deployment: the one of Kubernetes, and KEDA.

use serde_json::Value;

use super::{Pause, Rivals, annotation, unheard, unread};
use crate::model::object::{ObjectExt, ObjectRef};
use crate::model::patch::Change;
use crate::model::{Kind, Need, Snapshot};

/// Keeps KEDA from scaling, at whatever number of replicas there is (since 2.13; docs "Pausing
/// autoscaling").
const PAUSED: &str = "autoscaling.keda.sh/paused";
/// Brings it to that number at every look that KEDA takes at the object, its pause included, whatever
/// [`PAUSED`] says: it goes for as long (keda controllers/keda/scaledobject_controller.go,
/// `scaleTargetToPausedCount`).
const PAUSED_AT: &str = "autoscaling.keda.sh/paused-replicas";

pub(super) fn needs(workload: &Value) -> Vec<Need> {
    let namespace = workload.namespace();
    vec![
        Need::list(Kind::HorizontalPodAutoscaler, namespace),
        Need::list(Kind::ScaledObject, namespace),
    ]
}

pub(super) fn of(seen: &Snapshot, workload: &Value, rivals: &mut Rivals) {
    let namespace = workload.namespace();
    for kind in [Kind::HorizontalPodAutoscaler, Kind::ScaledObject] {
        rivals
            .doubts
            .extend(unheard(seen.list(kind, namespace)).map(|why| unread(workload, kind, why)));
    }
    let plain = seen.items(Kind::HorizontalPodAutoscaler, namespace);
    let plain = plain.filter(|hpa| scales(hpa, workload) && starts_from_none(hpa)).map(|hpa| {
        let change = Change::set("/spec/minReplicas", 1);
        pause("the autoscaler", Kind::HorizontalPodAutoscaler, hpa, vec![change])
    });
    rivals.pauses.extend(plain);
    let keda = seen.items(Kind::ScaledObject, namespace);
    let keda = keda.filter(|of| scales(of, workload) && !is_paused(of)).map(|of| {
        let number = of.annotation(PAUSED_AT).map(|_| Change::unset(annotation(PAUSED_AT)));
        let pauses = [Some(Change::set(annotation(PAUSED), "true")), number];
        pause("KEDA's", Kind::ScaledObject, of, pauses.into_iter().flatten().collect())
    });
    rivals.pauses.extend(keda);
}

fn pause(whose: &str, kind: Kind, object: &Value, changes: Vec<Change>) -> Pause {
    let reference = ObjectRef::new(kind, object.namespace(), object.name());
    let who = format!("{whose} {}", reference.short());
    Pause { who, object: object.clone(), reference, changes, guards: Vec::new() }
}

/// KEDA takes a Deployment where no kind is said.
fn scales(of: &Value, workload: &Value) -> bool {
    let target = |field: &str| of.text(&format!("/spec/scaleTargetRef/{field}"));
    target("name") == workload.name()
        && matches!(target("kind"), "Deployment" | "")
        && (target("apiVersion").is_empty() || target("apiVersion").starts_with("apps/"))
}

/// The autoscaler of Kubernetes leaves alone what has no replicas (`ScalingActive` False,
/// `ScalingDisabled`), unless none is a number it may choose itself.
fn starts_from_none(hpa: &Value) -> bool {
    hpa.number("/spec/minReplicas") == Some(0)
}

fn is_paused(of: &Value) -> bool {
    let at_its_number = of.annotation(PAUSED_AT).is_none();
    at_its_number && of.annotation(PAUSED).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
