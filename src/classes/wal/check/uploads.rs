//! What of the data is in a Thanos bucket too, and what only this volume has: from the sidecar's own
//! note where a look inside read it; else from the pod alone, with what that leaves open.

use serde_json::Value;

use crate::model::Finding;
use crate::model::quantity::show_time;
use crate::subject::thanos::{self, Sidecar};
use crate::walfile::uploads::{Uploaded, Uploads};

/// The finding of a pod nobody has looked into yet.
pub fn inferred(finding: Finding, pod: &Value) -> Finding {
    let Some(Sidecar { container, bucket, note: _ }) = thanos::sidecar(pod) else { return finding };
    let says = match bucket {
        Some(flag) => format!(
            "container {container} is given a bucket (--{flag}), and is taken to upload blocks, never \
             what is only in the log; which it has uploaded is not known without --inspect"
        ),
        None => format!("container {container} is given no bucket, and uploads nothing"),
    };
    finding.with("Thanos sidecar", says)
}

/// What only the volume has, one clause; none where nothing uploads from it.
pub fn only_here(uploads: Option<&Uploads>, pod: &Value) -> Option<String> {
    let sidecar = thanos::sidecar(pod);
    let Some(Uploads { unread, listed: _, newest, here: _, here_count, head }) = uploads else {
        let Sidecar { container, bucket, note } = sidecar?;
        let flag = bucket?;
        let note = note.as_deref().unwrap_or("thanos.shipper.json");
        return Some(format!(
            "what Thanos uploaded is not known: container {container} has --{flag}, and no note of \
             it was read ({note}); the log at least is only on this volume"
        ));
    };
    let log = match head {
        Some(span) => format!("the log from {} to {}", show_time(span.first), show_time(span.last)),
        None => "what is in the log and in no block".to_owned(),
    };
    if unread.is_some() {
        let only = format!("only on this volume is {log}, at least");
        return Some(format!("what Thanos uploaded is not known (its note is damaged); {only}"));
    }
    let blocks = match here_count {
        0 => String::new(),
        1 => ", and 1 block that is not noted".to_owned(),
        more => format!(", and {more} blocks that are not noted"),
    };
    let noted = match newest {
        None => "Thanos noted no block as uploaded".to_owned(),
        Some(Uploaded { ulid: _, ends: Some(ends), made: _ }) => {
            format!("Thanos noted blocks up to {} as uploaded", show_time(*ends))
        }
        Some(Uploaded { ulid: _, ends: None, made }) => format!(
            "the newest block that Thanos noted as uploaded was made {}, and is not here any more",
            show_time(*made)
        ),
    };
    Some(format!("{noted}; only on this volume is {log}{blocks}"))
}
