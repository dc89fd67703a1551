//! What to do about it: none of these is healed by a patch of Prometheus that could be called
//! safe; the steps are said.

use super::docs::DOCS;
use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::quantity::{parse_bytes, write_bytes};
use crate::model::{
    Blocked, BlockedReason, Finding, Kind, Need, Next, ObjectRef, Severity, Snapshot,
};
use crate::subject::Subject;
use crate::subject::volume::{Store, store};

fn root(found: &[Finding]) -> Option<&Finding> {
    let own =
        |f: &&Finding| matches!(f.code.class(), "other" | "disk") && f.severity == Severity::Error;
    found.iter().filter(own).find(|f| f.because.is_none())
}

/// Of a full disk: how large its claim is, and whether it may grow.
pub fn needs(subject: &Subject, seen: &Snapshot, found: &[Finding]) -> Vec<Need> {
    let Some(claim) = root(found).and_then(|root| full_claim(subject, root)) else {
        return Vec::new();
    };
    let class = seen.object(&claim).known().map(|c| c.text("/spec/storageClassName").to_owned());
    let class = class.filter(|name| !name.is_empty());
    let mut out = vec![Need::Object(claim)];
    out.extend(class.map(|name| Need::object(Kind::StorageClass, "", &name)));
    out
}

/// The claim that is full.
fn full_claim(subject: &Subject, root: &Finding) -> Option<ObjectRef> {
    if root.code.0 != "disk/full" {
        return None;
    }
    let pod = subject.pods.iter().find(|p| p.name() == root.object.name)?;
    match store(subject, pod) {
        Store::Claim { claim, .. } => {
            Some(ObjectRef::new(Kind::PersistentVolumeClaim, pod.namespace(), &claim))
        }
        Store::EmptyDir { .. } | Store::HostPath { .. } | Store::Other { .. } | Store::None => None,
    }
}

/// The line that grows a full claim to twice its size, where it may.
fn grow(subject: &Subject, seen: &Snapshot, root: &Finding) -> Vec<String> {
    let Some(claim) = full_claim(subject, root) else { return Vec::new() };
    let Some(found) = seen.object(&claim).known() else { return Vec::new() };
    let asked = found.text("/spec/resources/requests/storage");
    let Some(bytes) = parse_bytes(asked) else { return Vec::new() };
    let class = found.text("/spec/storageClassName");
    match seen.object(&ObjectRef::new(Kind::StorageClass, "", class)) {
        Got::Known(of) if of.is_true("/allowVolumeExpansion") => {
            let size = write_bytes(bytes.saturating_mul(2));
            let patch =
                format!(r#"{{"spec":{{"resources":{{"requests":{{"storage":"{size}"}}}}}}}}"#);
            let line = format!(
                "kubectl patch {} -n {} --type=merge -p '{patch}'",
                claim.short(),
                claim.namespace
            );
            let owner = format!(
                "{} asks for {asked} itself: set it there too, or the next replica starts as small",
                subject.root.short()
            );
            let templated = subject.is_operated() || subject.root.kind == Kind::StatefulSet;
            std::iter::once(line).chain(templated.then_some(owner)).collect()
        }
        Got::Known(_) => vec![format!(
            "{} of {asked} cannot grow: StorageClass {class} does not allow it",
            claim.short()
        )],
        Got::Absent | Got::Unreadable(_) | Got::NotAsked => {
            vec![format!("{} is of {asked}; whether it may grow could not be read", claim.short())]
        }
    }
}

pub fn next(subject: &Subject, seen: &Snapshot, found: &[Finding]) -> Next {
    let Some(root) = root(found) else { return Next::Done };
    // What `explain` calls the plan is what a person does here.
    let plan = DOCS.iter().find(|doc| doc.code == root.code).map(|doc| doc.plan.to_owned());
    Next::Blocked(Blocked {
        reason: BlockedReason::NoSafePlan,
        why: format!("{} is not healed by a change of Prometheus", root.code),
        ways: scale_up(root).into_iter().chain(grow(subject, seen, root)).chain(plan).collect(),
    })
}

/// The line that starts what somebody scaled down; whether it should be is theirs to say.
fn scale_up(root: &Finding) -> Option<String> {
    let object = &root.object;
    let scales = matches!(object.kind, Kind::StatefulSet | Kind::Deployment);
    (root.code.0 == "other/scaled-to-zero" && scales)
        .then(|| format!("kubectl scale {} --replicas=1 -n {}", object.short(), object.namespace))
}
