//! What a pod in the client's stead was told (`--inspect`), and whether there is one to send: where no
//! NetworkPolicy keeps the client away, only that tells what a plugin's own rules do. Of a mesh it says
//! nothing, for it has no sidecar.

use serde_json::Value;

use super::super::client;
use super::policies::{DIRECTIONS, Scene};
use crate::model::object::ObjectExt;
use crate::model::plan::Look;
use crate::model::{Kind, Need, ObjectRef, Snapshot, Unknown};
use crate::subject::Subject;
use crate::subject::errand::stand_in::{self, StandIn};
use crate::subject::knock::{self, Door};
use crate::subject::network::Ruling;
use crate::subject::pod;

/// How it went on for so many tries at the end is what it came to.
const STEADY: usize = 3;

/// What became of it at one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Through,
    /// In the words for its error.
    Kept(&'static str),
    /// Some tries were taken and some not, to the end.
    Wavers,
}

impl Told {
    pub fn is_settled(self) -> bool {
        self != Told::Wavers
    }
}

/// None where nothing was sent there.
pub fn told(seen: &Snapshot, server: &Value) -> Option<Told> {
    let report = seen.inside.reached.get(&pod::reference(server))?;
    let tries: Vec<i64> = report.list("/tries").iter().filter_map(Value::as_i64).collect();
    let last = tries.last()?;
    let end = tries.get(tries.len().saturating_sub(STEADY)..).unwrap_or_default();
    let taken = end.iter().filter(|errno| **errno == 0).count();
    Some(match taken {
        0 => Told::Kept(word(*last)),
        all if all == end.len() => Told::Through,
        _ => Told::Wavers,
    })
}

/// Of the numbers of `errno.h` those with which a connection fails.
fn word(errno: i64) -> &'static str {
    match errno {
        1 | 13 => "not permitted",
        101 => "network unreachable",
        104 => "connection reset",
        110 => "no answer in time",
        111 => "connection refused",
        113 => "host unreachable",
        _ => "it failed",
    }
}

/// Whether every pod was asked, and its answer stayed the same: then no rule of a plugin is open.
pub fn settles(subject: &Subject, seen: &Snapshot) -> bool {
    let settled = |server: &Value| told(seen, server).is_some_and(Told::is_settled);
    !subject.pods.is_empty() && subject.pods.iter().all(settled)
}

/// Why it could not be sent, or what it was told is nothing to go by.
pub fn unknown(subject: &Subject, seen: &Snapshot, of: &ObjectRef) -> Option<Unknown> {
    let who = format!("{} -n {}", of.short(), of.namespace);
    subject.pods.iter().find_map(|server| {
        let object = pod::reference(server);
        let why = match (seen.inside.refused.get(&object), told(seen, server)) {
            (Some(why), _) => format!("no pod asked in its stead: {why}"),
            (None, Some(Told::Wavers)) => {
                "a pod in its stead was now let through, and now not".to_owned()
            }
            (None, Some(Told::Through | Told::Kept(_)) | None) => return None,
        };
        let need = format!("whether {who} is let through to {}", object.short());
        Some(Unknown { need, why, get: format!("ask from a pod of {who}"), vital: false })
    })
}

/// What has to be read to send one, where that was allowed.
pub fn needs(subject: &Subject, seen: &Snapshot, of: &ObjectRef) -> Vec<Need> {
    if !seen.inside.consented {
        return Vec::new();
    }
    let Some(client) = asker(seen, of) else { return Vec::new() };
    subject.pods.iter().flat_map(|server| stand_in::needs(client, server)).collect()
}

/// The next one to send.
pub fn look(subject: &Subject, seen: &Snapshot, of: &ObjectRef, scene: &Scene<'_>) -> Option<Look> {
    if !seen.inside.consented {
        return None;
    }
    let denied = |server: &Value| {
        let rulings = DIRECTIONS.map(|direction| scene.ruling(server, direction));
        rulings.iter().any(|ruling| matches!(ruling, Ruling::Denied(_)))
    };
    // Of one that nobody reaches, it would tell nothing of the client.
    let answers = |server: &Value| match knock::at_address(subject, seen, server) {
        Door::Answers(..) => true,
        Door::Refused(_) => false,
        Door::Silent | Door::Unread(_) | Door::NotAsked => pod::is_ready(server),
    };
    let open = |server: &&Value| {
        let object = pod::reference(server);
        told(seen, server).is_none()
            && !seen.inside.refused.contains_key(&object)
            && !server.text("/status/podIP").is_empty()
    };
    if subject.pods.iter().any(|server| denied(server) || !answers(server)) {
        return None;
    }
    let server = subject.pods.iter().find(open)?;
    Some(stand_in::look(subject, seen, &sent(seen, of, server)?))
}

fn sent<'a>(seen: &'a Snapshot, of: &'a ObjectRef, server: &'a Value) -> Option<StandIn<'a>> {
    let namespace = seen.object(&ObjectRef::new(Kind::Namespace, "", &of.namespace)).known()?;
    Some(StandIn { client: of, pod: asker(seen, of)?, namespace, server })
}

/// The node from which it asked.
pub fn node<'a>(
    subject: &Subject,
    seen: &'a Snapshot,
    of: &'a ObjectRef,
    server: &'a Value,
) -> &'a str {
    sent(seen, of, server).map_or("", |sent| stand_in::node(subject, seen, &sent))
}

/// A pod of the client that runs, and is one of the pods' network.
fn asker<'a>(seen: &'a Snapshot, of: &ObjectRef) -> Option<&'a Value> {
    let pods = client::pods(seen, seen.object(of).known()?).ok()?;
    let runs = |pod: &&Value| {
        pod.text("/status/phase") == "Running"
            && !pod.is_true("/spec/hostNetwork")
            && !pod.text("/spec/nodeName").is_empty()
    };
    pods.into_iter().find(runs)
}
