//! Who it ran as before, as evidence: a flavour of the image with another user, a chart that moved.

use super::Case;
use crate::model::{Code, Finding, Unknown};
use crate::subject::former;

/// The finding with the last that ran as somebody else: whose the files are, as a rule.
pub fn told(case: &Case<'_>, finding: Finding) -> Finding {
    match former::before(case.subject, case.seen, case.pod) {
        Some(former) => finding.with("ran before as", former.says()),
        None => finding,
    }
}

/// Where the kubelet would give the files to whoever runs now, the past explains nothing.
pub fn unread(case: &Case<'_>, code: Code) -> Option<Unknown> {
    if code.0 == "perms/fsgroup-unset" {
        return None;
    }
    let (kind, why) = former::unread(case.subject, case.seen, case.pod)?;
    let (plural, namespace) = (kind.plural(), case.subject.namespace());
    Some(Unknown {
        need: "who it ran as before".into(),
        why: format!("{plural}: {why}"),
        get: format!("the verb list on {plural} in {namespace}"),
        vital: false,
    })
}
