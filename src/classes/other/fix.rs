//! What to do about it: none of these is healed by a patch of Prometheus that could be called
//! safe; the steps are said.

use super::docs::DOCS;
use crate::model::{Blocked, BlockedReason, Finding, Next, Severity};

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
        ways: plan.into_iter().collect(),
    })
}
