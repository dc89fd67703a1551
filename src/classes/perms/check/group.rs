//! Why fsGroup did not make the data directory writable: unset, without effect on this kind of
//! volume, or set to what does not help.

use super::super::honours::{Honours, honours};
use super::{Case, OWNER};
use serde_json::Value;

use crate::model::log::Place;
use crate::model::log::events::{self, Note};
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Snapshot, Unknown};
use crate::subject::{errand, identity, pod};

const UNSET: Code = Code("perms/fsgroup-unset");
const MISMATCH: Code = Code("perms/fsgroup-mismatch");
const IGNORED: Code = Code("perms/fsgroup-ignored");

/// Fields of the evidence.
pub const SUB_PATH: &str = "subPath";
const LABEL: &str = "seLinuxOptions";

/// A local volume that another pod of the node has mounted is given to nobody else: the kubelet says
/// which group it has instead (kubernetes `pkg/volume/local/local.go`, `AlreadyMountedVolume`).
pub fn already_mounted(seen: &Snapshot, pod: &Value) -> Option<String> {
    let notes = events::of(seen, &pod::reference(pod), pod.uid());
    notes.iter().find(|note| note.reason == "AlreadyMountedVolume").map(Note::quote)
}

pub(in crate::classes::perms::check) fn judge(
    case: &Case<'_>,
    place: Place<'_>,
) -> (Finding, Option<Unknown>) {
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
    let label = errand::own_label(&case.pod["spec"]).map(ToString::to_string).unwrap_or_default();
    let event = already_mounted(case.seen, case.pod).unwrap_or_default();
    let more = [
        ("fsGroupChangePolicy", policy),
        (SUB_PATH, sub_path),
        (LABEL, label.as_str()),
        ("event", event.as_str()),
    ];
    for (field, value) in more {
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
