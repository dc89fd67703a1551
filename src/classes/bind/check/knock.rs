//! Two live answers: the pod proxy asks at the pod's address, a port-forward at its loopback. Where
//! the one is refused and the other answers, it listens on the loopback only, wherever that was
//! told: seen on a real cluster. That the proxy is answered says nothing of policies, which do not
//! hold between a node and its own pods.

use serde_json::Value;

use super::address;
use crate::model::log::events;
use crate::model::log::{Runs, runs};
use crate::model::object::ObjectExt;
use crate::model::{Need, Snapshot, Unknown};
pub use crate::subject::knock::{Door, at_address, at_loopback};
use crate::subject::{Subject, knock::path, pod};

/// As many pods are asked; the others are of the same template.
const MOST_PODS: usize = 3;
/// Nothing listens in the first seconds of a start, so that a refusal says nothing.
const STARTED_SECONDS: i64 = 30;

/// The requests, where the person asked for this class; of others only where the kubelet is refused
/// or gets no answer, and the arguments do not say why. The loopback is asked where the address does not answer, and only
/// where a look inside was allowed.
pub fn needs(subject: &Subject, seen: &Snapshot, asked: bool) -> Vec<Need> {
    let (port, path) = (subject.flags.port(), path(subject));
    let mut out = Vec::new();
    for pod in subject.pods.iter().filter(|pod| runs(seen, subject, pod)).take(MOST_PODS) {
        if !asked && !puzzles(subject, seen, pod) {
            continue;
        }
        out.push(Need::http(pod, port, &path));
        let outside = at_address(subject, seen, pod);
        // Of a pod that is not ready both are asked at once: rounds of questions are few.
        let asks = match outside {
            Door::NotAsked => !pod::is_ready(pod),
            Door::Answers(..) => false,
            Door::Refused(_) | Door::Silent | Door::Unread(_) => true,
        };
        if seen.inside.forwards && asks {
            out.push(Need::forward(pod, port, &path));
        }
    }
    out
}

fn runs(seen: &Snapshot, subject: &Subject, pod: &Value) -> bool {
    let runs = runs::of(seen, pod, &subject.container);
    runs.running && !pod::is_terminating(pod)
}

fn puzzles(subject: &Subject, seen: &Snapshot, pod: &Value) -> bool {
    let runs = runs::of(seen, pod, &subject.container);
    if runs.ready || !is_up(&runs, seen) || address::loopback(subject, seen, pod, &runs).is_some() {
        return false;
    }
    let notes = events::of(seen, &pod::reference(pod), pod.uid());
    let puzzling = |note: &&events::Note| {
        let refused = note.reason == "Unhealthy" && note.message.contains("connection refused");
        refused || note.is_silence()
    };
    notes
        .iter()
        .filter(puzzling)
        .any(|note| note.at.zip(runs.since).is_none_or(|(at, up)| at >= up))
}

/// Whether it runs long enough to listen.
pub fn is_up(runs: &Runs, seen: &Snapshot) -> bool {
    let age = runs.since.map(|since| seen.clock.as_second() - since.as_second());
    runs.running && age.is_some_and(|age| age >= STARTED_SECONDS)
}

/// Nothing answers at its address, and why is not known.
pub fn open(subject: &Subject, seen: &Snapshot, pod: &Value, runs: &Runs) -> Option<Unknown> {
    if !is_up(runs, seen) || address::has_proxy(subject, pod) {
        return None;
    }
    let Door::Refused(why) = at_address(subject, seen, pod) else { return None };
    let (object, port) = (pod::reference(pod), subject.flags.port());
    let need = format!("why nothing answers at port {port} of {}", object.short());
    let root = subject.root.short();
    let inspect = format!("kubectl prom-fix bind {root} -n {} --inspect", object.namespace);
    let (why, get) = match at_loopback(subject, seen, pod) {
        Door::Answers(..) => return None,
        Door::Refused(_) => (
            format!("its loopback refuses too: it listens on another port than {port}, or nowhere"),
            format!("kubectl logs {} -c {}", object.short(), subject.container),
        ),
        Door::Unread(denied) => {
            let get = if denied.starts_with("forbidden") { RIGHT.to_owned() } else { inspect };
            (format!("{why}; a port-forward to its loopback: {denied}"), get)
        }
        Door::Silent => (format!("{why}; its loopback does not answer in time"), inspect),
        Door::NotAsked => {
            (format!("{why}; a port-forward says whether its loopback answers"), inspect)
        }
    };
    Some(Unknown { need, why, get, vital: true })
}

/// Kubernetes 1.34 asks for `get`, other releases or other clients for `create`.
const RIGHT: &str = "the verbs get and create on pods/portforward";
