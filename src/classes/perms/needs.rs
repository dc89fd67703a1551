//! What the class must see: logs of pods that are down, events of what makes pods, and, once a
//! log says "permission denied", the claim behind the path: its volume and driver decide whether
//! fsGroup has any effect.

use serde_json::Value;

use super::check::denied;
use crate::model::log::{place, runs};
use crate::model::object::ObjectExt;
use crate::model::{Kind, Need, ObjectRef, Snapshot};
use crate::subject::{Subject, pod};

pub fn needs(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let namespace = subject.namespace();
    let mut out = runs::needs(&subject.pods, &subject.container, seen.clock);
    let missing = (subject.pods.len() as u64) < u64::from(subject.wanted);
    if missing || subject.pods.iter().any(|p| !pod::is_ready(p)) {
        out.push(Need::list(Kind::Event, namespace));
    }
    // A Deployment's pods are made, and refused, by its ReplicaSet.
    if missing && subject.workloads.iter().any(|w| w.text("/kind") == "Deployment") {
        out.push(Need::list(Kind::ReplicaSet, namespace));
    }
    // One claim is enough to tell: the replicas' claims come from one template.
    if let Some((pod, path)) =
        subject.pods.iter().find_map(|p| Some((p, denied(subject, seen, p)?)))
    {
        out.extend(of_claim(seen, pod, place(pod, &subject.container, &path).claim()));
    }
    out.sort();
    out.dedup();
    out
}

fn of_claim(seen: &Snapshot, pod: &Value, claim: Option<&str>) -> Vec<Need> {
    let Some(claim) = claim else { return Vec::new() };
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, pod.namespace(), claim);
    let mut out = vec![Need::Object(claim.clone())];
    let Some(volume) = seen.object(&claim).known().map(|c| c.text("/spec/volumeName")) else {
        return out;
    };
    if volume.is_empty() {
        return out;
    }
    let volume = ObjectRef::new(Kind::PersistentVolume, "", volume);
    out.push(Need::Object(volume.clone()));
    let driver = seen.object(&volume).known().map_or("", |v| v.text("/spec/csi/driver"));
    if !driver.is_empty() {
        out.push(Need::Object(ObjectRef::new(Kind::CsiDriver, "", driver)));
    }
    out
}
