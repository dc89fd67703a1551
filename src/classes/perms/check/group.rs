//! Why fsGroup did not make the data directory writable: unset, without effect on this kind of
//! volume, or set to what does not help.

use super::super::honours::{Honours, honours};
use super::{Case, OWNER};
use crate::model::log::Place;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Unknown};
use crate::subject::identity;

const UNSET: Code = Code("perms/fsgroup-unset");
const MISMATCH: Code = Code("perms/fsgroup-mismatch");
const IGNORED: Code = Code("perms/fsgroup-ignored");

pub fn judge(case: &Case<'_>, place: Place<'_>) -> (Finding, Option<Unknown>) {
    let group = case.pod.number("/spec/securityContext/fsGroup");
    let (kind, unknown) = match honours(case.seen, case.pod, place) {
        Honours::No(kind) => {
            let says = "may not write its data directory, and fsGroup has no effect on this volume";
            return (told(case, IGNORED, says, group).with("volume", kind), None);
        }
        Honours::Yes(kind) => (Some(kind), None),
        Honours::Presumed(unknown) => (None, Some(unknown)),
    };
    let policy = case.pod.text("/spec/securityContext/fsGroupChangePolicy");
    let sub_path = place.mount.map_or("", |m| m.text("/subPath"));
    let (code, says) = match group {
        None => (UNSET, "may not write its data directory, and no fsGroup is set"),
        Some(_) if policy == "OnRootMismatch" || !sub_path.is_empty() => (
            OWNER,
            "may not write its data directory: fsGroup fits the root of the volume, and what is \
             below keeps its owner",
        ),
        Some(_) => (MISMATCH, "may not write its data directory although fsGroup is set"),
    };
    let mut finding = told(case, code, says, group);
    if let Some(kind) = kind {
        finding = finding.with("volume", kind);
    }
    for (field, value) in [("fsGroupChangePolicy", policy), ("subPath", sub_path)] {
        if !value.is_empty() {
            finding = finding.with(field, value);
        }
    }
    (finding, unknown)
}

/// The finding with who the process is.
fn told(case: &Case<'_>, code: Code, says: &str, group: Option<i64>) -> Finding {
    let number = |n: Option<i64>| n.map_or("unset".to_owned(), |n| n.to_string());
    let user = identity::set(&case.pod["spec"], &case.subject.container, "runAsUser");
    case.finding(code, says)
        .with("spec.securityContext.fsGroup", number(group))
        .with("runAsUser", user.map_or("unset: the image's own".to_owned(), |u| u.to_string()))
}
