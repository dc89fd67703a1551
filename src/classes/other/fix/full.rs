//! A full disk: figures from a look inside, where that is allowed; then the line that grows the claim,
//! or what may be moved away, losing least.

use serde_json::Value;

use super::{by_hand, not_healed};
use crate::model::object::ObjectExt;
use crate::model::plan::Look;
use crate::model::quantity::{parse_bytes, show_bytes};
use crate::model::{Blocked, Code, Finding, Kind, Need, Next, ObjectRef, Severity, Snapshot};
use crate::subject::space::{self, Space};
use crate::subject::volume::{Store, store};
use crate::subject::{Subject, errand, grow};

pub(super) const CODE: Code = Code("disk/full");

const COMPACTION: &str = "more than 512Mi are free (each compaction asks for that much at once)";

/// The pods whose volume is full. What an eviction calls full is the node's own disk.
fn pods<'a>(subject: &'a Subject, found: &[Finding]) -> Vec<&'a Value> {
    let full = |pod: &&Value| {
        let own = |f: &&Finding| f.code == CODE && f.object.name == pod.name();
        let mut own = found.iter().filter(own);
        pod.text("/status/reason") != "Evicted" && own.any(|f| f.severity == Severity::Error)
    };
    subject.pods.iter().filter(full).collect()
}

fn claim(subject: &Subject, pod: &Value) -> Option<ObjectRef> {
    match store(subject, pod) {
        Store::Claim { claim, .. } => {
            Some(ObjectRef::new(Kind::PersistentVolumeClaim, pod.namespace(), &claim))
        }
        Store::EmptyDir { .. } | Store::HostPath { .. } | Store::Other { .. } | Store::None => None,
    }
}

/// How large its claim is, whether it may grow; the machine of a node that a helper has to run on.
pub(super) fn needs(subject: &Subject, seen: &Snapshot, found: &[Finding]) -> Vec<Need> {
    let mut out = Vec::new();
    for pod in pods(subject, found) {
        let Some(claim) = claim(subject, pod) else { continue };
        out.extend(grow::needs(seen, claim));
        if !seen.inside.agents.is_empty() {
            out.extend(errand::needs(pod));
        }
    }
    out
}

pub(super) fn next(subject: &Subject, seen: &Snapshot, found: &[Finding], root: &Finding) -> Next {
    let pods = pods(subject, found);
    let claims: Vec<ObjectRef> = pods.iter().filter_map(|pod| claim(subject, pod)).collect();
    let grow: Vec<String> =
        claims.iter().flat_map(|claim| grow::ways(subject, seen, claim)).collect();
    if let Some(look) = pods.iter().find_map(|pod| space::look(subject, seen, pod)) {
        let ways = grow.into_iter().chain(by_hand(root)).collect();
        return Next::Look(Look { ways, ..look });
    }
    let inside: Vec<(&Value, Space)> =
        pods.iter().filter_map(|pod| Some((*pod, space::of(subject, seen, pod)?))).collect();
    let Some((_, first)) = inside.first() else {
        let refused = claims.iter().find_map(|claim| seen.inside.refused.get(claim));
        let no_look = refused.map(|why| format!("; no look inside: {why}")).unwrap_or_default();
        let ways = grow.into_iter().chain(by_hand(root)).collect();
        let why = format!("{}{no_look}", not_healed(root));
        return Next::Blocked(Blocked { ways, ..Blocked::no_safe_plan(why, &[]) });
    };
    let why = if inside.iter().all(|(_, space)| space.has_room()) {
        "there is room by now: its next start may succeed".to_owned()
    } else {
        not_healed(root)
    };
    let room =
        inside.iter().flat_map(|(pod, space)| space.ways(pod, COMPACTION, "then undo the freeze"));
    let ways = grow.into_iter().chain(room).chain([bounded(subject, first)]).collect();
    Next::Blocked(Blocked { ways, ..Blocked::no_safe_plan(why, &[]) })
}

/// So that it does not fill again. Blocks are deleted only after the next one was written beside
/// them (tsdb/db.go, v3.5): some room has to stay.
fn bounded(subject: &Subject, space: &Space) -> String {
    const FLAG: &str = "storage.tsdb.retention.size";
    let capacity = show_bytes(space.capacity);
    let set = match subject.flags.get(FLAG).filter(|size| *size != "0") {
        Some(size) if bytes(size).is_some_and(|bytes| bytes > space.capacity / 10 * 9) => {
            format!("it is {size}, more than this volume of {capacity} can hold")
        }
        Some(size) => format!("it is {size}"),
        None => "it is not set, and only time bounds the blocks".to_owned(),
    };
    // Prometheus' MB is 1024 kB of 1024 bytes.
    let fits = space.capacity / 10 * 8 / (1 << 20);
    format!("so that it does not fill again: --{FLAG}={fits}MB, a fifth left free; {set}")
}

/// Prometheus writes `10GB` where Kubernetes writes `10Gi` (alecthomas/units, base 2).
fn bytes(size: &str) -> Option<u64> {
    let short = size.trim_end_matches('B').trim_end_matches('i');
    let suffix = if short.ends_with(|c: char| c.is_ascii_alphabetic()) { "i" } else { "" };
    parse_bytes(&format!("{short}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_of_prometheus_is_in_binary_units() {
        assert_eq!(bytes("10GB"), Some(10 << 30));
        assert_eq!(bytes("512MiB"), Some(512 << 20));
        assert_eq!(bytes("77B"), Some(77));
        assert_eq!(bytes("much"), None);
    }
}
