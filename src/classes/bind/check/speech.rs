//! Whether it speaks plain HTTP or TLS: as it answered, else as its arguments and probes have it.

use serde_json::Value;

use super::knock::{self, Door};
use crate::model::Snapshot;
use crate::model::object::ObjectExt;
use crate::subject::{Subject, pod};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    Plain(&'static str),
    Tls(&'static str),
    NotKnown(&'static str),
}

/// What Go's server says to plain HTTP where it speaks TLS (net/http `server.go`).
const HTTPS: &str = "HTTP request to an HTTPS server";

pub fn of(subject: &Subject, seen: &Snapshot, pod: &Value) -> Speech {
    let doors = [knock::at_address(subject, seen, pod), knock::at_loopback(subject, seen, pod)];
    for door in doors {
        match door {
            Door::Answers(400, body) if body.contains(HTTPS) => return Speech::Tls("it says so"),
            Door::Answers(502, _) | Door::Refused(_) | Door::Silent => {}
            Door::Answers(..) => return Speech::Plain("it answered that"),
            Door::Unread(_) | Door::NotAsked => {}
        }
    }
    if subject.flags.get("web.config.file").is_none() && !subject.flags.all.is_empty() {
        return Speech::Plain("no --web.config.file is given");
    }
    let own = pod.list("/spec/containers").iter().find(|c| c.text("/name") == subject.container);
    let probe = own.and_then(|own| own.pointer("/readinessProbe/httpGet"));
    match probe.filter(|_| pod::is_ready(pod)).map(|probe| probe.text("/scheme")) {
        Some("HTTPS") => Speech::Tls("its readiness probe asks so, and is answered"),
        Some(_) => Speech::Plain("its readiness probe asks so, and is answered"),
        None => Speech::NotKnown("what --web.config.file says is not read"),
    }
}
