//! What to do about it: none of these is healed by a patch of Prometheus that could be called
//! safe; the steps are said.

use super::docs::DOCS;
use crate::model::{Blocked, BlockedReason, Finding, Kind, Next, Severity};

pub fn next(found: &[Finding]) -> Next {
    let own =
        |f: &&Finding| matches!(f.code.class(), "other" | "disk") && f.severity == Severity::Error;
    let Some(root) = found.iter().filter(own).find(|f| f.because.is_none()) else {
        return Next::Done;
    };
    // What `explain` calls the plan is what a person does here.
    let plan = DOCS.iter().find(|doc| doc.code == root.code).map(|doc| doc.plan.to_owned());
    Next::Blocked(Blocked {
        reason: BlockedReason::NoSafePlan,
        why: format!("{} is not healed by a change of Prometheus", root.code),
        ways: scale_up(root).into_iter().chain(plan).collect(),
    })
}

/// The line that starts what somebody scaled down; whether it should be is theirs to say.
fn scale_up(root: &Finding) -> Option<String> {
    let object = &root.object;
    let scales = matches!(object.kind, Kind::StatefulSet | Kind::Deployment);
    (root.code.0 == "other/scaled-to-zero" && scales)
        .then(|| format!("kubectl scale {} --replicas=1 -n {}", object.short(), object.namespace))
}
