//! What the cluster noted about an object within the last hour: its events.

use jiff::Timestamp;
use serde_json::Value;

use crate::model::object::ObjectExt;
use crate::model::{Kind, ObjectRef, Snapshot};

/// Events live for an hour by default (kube-apiserver `--event-ttl`); older ones are no news.
const RECENT_SECONDS: i64 = 3600;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub at: Option<Timestamp>,
    pub reason: String,
    pub message: String,
    /// `spec.containers{NAME}`, where it is about one.
    pub place: String,
}

impl Note {
    /// Words of an admission that refuses a security context (Pod Security, OpenShift SCC).
    pub fn refuses_security_context(&self) -> bool {
        let words = ["violates PodSecurity", "security context constraint"];
        words.iter().any(|words| self.message.contains(words))
    }

    /// A probe that got no answer in time, or did not get through.
    pub fn is_silence(&self) -> bool {
        let late = ["context deadline exceeded", "Client.Timeout exceeded", "i/o timeout"];
        let timed_out = late.iter().any(|words| self.message.contains(words));
        self.reason == "Unhealthy" && (timed_out || self.is_without_connection())
    }

    /// No connection came about: words of older kubelets, and of a node that has no route.
    pub fn is_without_connection(&self) -> bool {
        let words = ["while waiting for connection", "no route to host"];
        words.iter().any(|words| self.message.contains(words))
    }

    /// Whether it is about this container of its pod, or says of none which.
    pub fn may_be_of(&self, container: &str) -> bool {
        let named = self.place.split_once('{').map(|(_, name)| name.trim_end_matches('}'));
        named.is_none_or(|named| named == container)
    }

    /// `FailedMount: …` on one line, its middle left out where it is long.
    pub fn quote(&self) -> String {
        let text = format!("{}: {}", self.reason, self.message);
        super::shorten(&text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// The events about an object, newest first. An event about an earlier object of the same name
/// (another uid) is left out.
pub fn of(seen: &Snapshot, object: &ObjectRef, uid: &str) -> Vec<Note> {
    let about = |event: &&Value| {
        let of = event.text("/involvedObject/uid");
        event.text("/involvedObject/kind") == object.kind.name()
            && event.text("/involvedObject/name") == object.name
            && (of.is_empty() || uid.is_empty() || of == uid)
    };
    let mut out: Vec<Note> = seen
        .items(Kind::Event, &object.namespace)
        .filter(about)
        .map(|event| Note {
            at: time(event),
            reason: event.text("/reason").into(),
            message: event.text("/message").into(),
            place: event.text("/involvedObject/fieldPath").into(),
        })
        .filter(|note| recent(note, seen.clock))
        .collect();
    out.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.message.cmp(&b.message)));
    out
}

fn recent(note: &Note, clock: Timestamp) -> bool {
    note.at.is_none_or(|at| clock.as_second() - at.as_second() <= RECENT_SECONDS)
}

/// The last time of an event: both generations of the API fill other fields.
fn time(event: &Value) -> Option<Timestamp> {
    let at =
        ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    at.iter().find_map(|at| event.text(at).parse().ok())
}
