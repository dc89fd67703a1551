//! What to do about it: none of these is healed by a patch of Prometheus that could be called
//! safe; the steps are said.

mod full;

use super::docs::DOCS;
use crate::model::{Blocked, BlockedReason, Finding, Kind, Need, Next, Severity, Snapshot};
use crate::subject::Subject;

fn root(found: &[Finding]) -> Option<&Finding> {
    let own =
        |f: &&Finding| matches!(f.code.class(), "other" | "disk") && f.severity == Severity::Error;
    found.iter().filter(own).find(|f| f.because.is_none())
}

pub fn needs(subject: &Subject, seen: &Snapshot, found: &[Finding]) -> Vec<Need> {
    match root(found) {
        Some(root) if root.code == full::CODE => full::needs(subject, seen, found),
        Some(_) | None => Vec::new(),
    }
}

pub fn next(subject: &Subject, seen: &Snapshot, found: &[Finding]) -> Next {
    let Some(root) = root(found) else { return Next::Done };
    if root.code == full::CODE {
        return full::next(subject, seen, found, root);
    }
    Next::Blocked(Blocked {
        reason: BlockedReason::NoSafePlan,
        why: not_healed(root),
        ways: scale_up(root).into_iter().chain(by_hand(root)).collect(),
    })
}

fn not_healed(root: &Finding) -> String {
    format!("{} is not healed by a change of Prometheus", root.code)
}

/// What `explain` calls the plan is what a person does here.
fn by_hand(root: &Finding) -> Option<String> {
    DOCS.iter().find(|doc| doc.code == root.code).map(|doc| doc.plan.to_owned())
}

/// The line that starts what somebody scaled down; whether it should be is theirs to say.
fn scale_up(root: &Finding) -> Option<String> {
    let object = &root.object;
    let scales = matches!(object.kind, Kind::StatefulSet | Kind::Deployment);
    (root.code.0 == "other/scaled-to-zero" && scales)
        .then(|| format!("kubectl scale {} --replicas=1 -n {}", object.short(), object.namespace))
}
