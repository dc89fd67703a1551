//! What the class must see: logs of pods that are down, events of what makes pods, and the claim
//! behind the data directory: its volume and driver decide whether fsGroup has any effect. The
//! claim is read beside the log, volume and driver once a log says "permission denied": one after
//! the other they would take more rounds than there are.

use serde_json::Value;

use super::check::denied;
use crate::model::fact::Got;
use crate::model::log::{place, runs};
use crate::model::object::ObjectExt;
use crate::model::{Kind, Need, ObjectRef, Snapshot};
use crate::subject::{Subject, former, pod};

pub fn needs(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let mut out = needs_to_prove(subject, seen);
    let refused = subject.pods.iter().find(|p| denied(subject, seen, p).is_some());
    out.extend(refused.and_then(|pod| former::needs(subject, pod)));
    out.sort();
    out.dedup();
    out
}

/// Without what only explains it: these are asked again every few seconds.
pub fn needs_to_prove(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let namespace = subject.namespace();
    let mut out = runs::needs(&subject.pods, &subject.container, seen);
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
    } else if let Some(pod) = subject.pods.iter().find(|p| may_be_denied(subject, p)) {
        let data = subject.flags.data_dir(subject.agent);
        out.extend(
            place(pod, &subject.container, &data).claim().map(|c| Need::Object(claim(pod, c))),
        );
    }
    out.sort();
    out.dedup();
    out
}

/// Down, and its last run ended with an error of its own.
fn may_be_denied(subject: &Subject, pod: &Value) -> bool {
    let ended = pod::container(pod, &subject.container).and_then(|c| c.latest_end().cloned());
    let own = ended.is_some_and(|end| end.exit_code != 0 && end.reason != "OOMKilled");
    own && !pod::is_ready(pod)
}

fn claim(pod: &Value, name: &str) -> ObjectRef {
    ObjectRef::new(Kind::PersistentVolumeClaim, pod.namespace(), name)
}

fn of_claim(seen: &Snapshot, pod: &Value, name: Option<&str>) -> Vec<Need> {
    let Some(name) = name else { return Vec::new() };
    let of = claim(pod, name);
    let mut out = vec![Need::Object(of.clone())];
    let Some(found) = seen.object(&of).known() else { return out };
    let volume = found.text("/spec/volumeName");
    if volume.is_empty() {
        return out;
    }
    let volume = ObjectRef::new(Kind::PersistentVolume, "", volume);
    out.push(Need::Object(volume.clone()));
    // Who made the volume bears the name of its driver, as a rule: that saves a round.
    let driver = match seen.object(&volume) {
        Got::Known(volume) => volume.text("/spec/csi/driver"),
        Got::NotAsked => provisioner(found),
        Got::Absent | Got::Unreadable(_) => "",
    };
    if !driver.is_empty() {
        out.push(Need::Object(ObjectRef::new(Kind::CsiDriver, "", driver)));
    }
    out
}

/// Who made the volume of a claim, where that is a CSI driver by its name: those built in are
/// `kubernetes.io/…`, and other provisioners have a path in it, too (`rancher.io/local-path`).
fn provisioner(claim: &Value) -> &str {
    let by = claim.annotation("volume.kubernetes.io/storage-provisioner").unwrap_or("");
    if by.contains('/') { "" } else { by }
}
