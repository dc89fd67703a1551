//! What came of asking a Prometheus whether it is ready: at the pod's address, through the API
//! server, and on its loopback, through a port-forward.

use serde_json::Value;

use super::Subject;
use crate::model::Snapshot;
use crate::model::object::ObjectExt;

/// What came of one knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door<'a> {
    Answers(u16, &'a str),
    /// Nothing listens there.
    Refused(&'a str),
    /// No answer in time: mostly something drops the packets.
    Silent,
    /// It could not be tried.
    Unread(&'a str),
    NotAsked,
}

pub fn path(subject: &Subject) -> String {
    subject.flags.below_prefix("/-/ready")
}

pub fn at_address<'a>(subject: &Subject, seen: &'a Snapshot, pod: &Value) -> Door<'a> {
    door(seen.http(pod, subject.flags.port(), &path(subject)))
}

pub fn at_loopback<'a>(subject: &Subject, seen: &'a Snapshot, pod: &Value) -> Door<'a> {
    door(seen.forward(pod, subject.flags.port(), &path(subject)))
}

/// Its loopback answers, and its address does not: something keeps its node from it.
pub fn is_kept_away(subject: &Subject, seen: &Snapshot, pod: &Value) -> bool {
    at_address(subject, seen, pod) == Door::Silent
        && matches!(at_loopback(subject, seen, pod), Door::Answers(..))
}

/// Where its node is looked at that does not reach it.
pub fn by_hand(subject: &Subject, pod: &Value) -> String {
    let (node, address) = (pod.text("/spec/nodeName"), pod.text("/status/podIP"));
    let url = format!("http://{address}:{}{}", subject.flags.port(), path(subject));
    format!("on {node}: curl -m 3 {url}; then its routes, its firewall and its network plugin")
}

fn door<'a>(answer: Option<Result<(u16, &'a str), &'a str>>) -> Door<'a> {
    match answer {
        None => Door::NotAsked,
        Some(Ok((status, body))) => Door::Answers(status, body),
        // Of these words alone it was the API server that refused.
        Some(Err(why)) if why.contains("connection refused") && why != "connection refused" => {
            Door::Refused(why)
        }
        Some(Err(why)) if why.contains("timed out") || why.contains("i/o timeout") => Door::Silent,
        Some(Err(why)) => Door::Unread(why),
    }
}
