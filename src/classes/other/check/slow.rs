//! Probes that time out on a Prometheus that says it is ready: it is too slow, or its own node does not
//! reach it. The kubelet (1.34) has the same words for both.

use super::Case;
use crate::model::log::events::Note;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Unknown};
use crate::subject::knock::{self, Door};

const OVERLOADED: Code = Code("other/overloaded");
/// The kubelet may write down that a run ended when the next has begun.
const WRITTEN_LATE_SECONDS: i64 = 3;

pub fn check(case: &Case<'_>, note: &Note) -> Result<Finding, Unknown> {
    let outside = knock::at_address(case.subject, case.seen, case.pod);
    let inside = knock::at_loopback(case.subject, case.seen, case.pod);
    let answers = |door: &Door<'_>| matches!(door, Door::Answers(..));
    let connected = !note.is_without_connection();
    if knock::is_kept_away(case.subject, case.seen, case.pod) {
        return Err(dropped(case, "its loopback answers, and its address does not", note));
    }
    if answers(&outside) && !connected {
        return Err(dropped(case, "its address answers the API server, and not its node", note));
    }
    if inside == Door::Silent || (connected && was_ready(case)) {
        let says = "runs, and does not answer its probes in time";
        return Ok(case.stops(OVERLOADED, says).with("event", note.quote()));
    }
    // Whoever waits longer than the kubelet may be answered by a slow one.
    let answered = match (answers(&outside), answers(&inside)) {
        (true, _) => Some("its address answers the API server, which waits longer than a probe"),
        (false, true) => Some("its loopback answers, to who waits longer than a probe"),
        (false, false) => None,
    };
    Err(either(case, answered, &inside, note))
}

/// Whether the kubelet called it ready since this run began. A condition without a time is no proof
/// that it did not.
fn was_ready(case: &Case<'_>) -> bool {
    let conditions = case.pod.list("/status/conditions");
    let ready = conditions.iter().find(|one| one.text("/type") == "Ready");
    let changed: Option<jiff::Timestamp> =
        ready.and_then(|one| one.text("/lastTransitionTime").parse().ok());
    changed.zip(case.runs.since).is_none_or(|(changed, since)| {
        changed.as_second() > since.as_second() + WRITTEN_LATE_SECONDS
    })
}

/// Something between the node and its pod.
fn dropped(case: &Case<'_>, why: &str, note: &Note) -> Unknown {
    let node = case.pod.text("/spec/nodeName");
    let port = case.subject.flags.port();
    Unknown {
        need: format!("what keeps {node} from port {port} of pod/{}", case.name()),
        why: format!("{why}; its probe: {}", answer(note)),
        get: knock::by_hand(case.subject, case.pod),
        vital: true,
    }
}

/// Only a look tells one from the other, and that not always.
fn either(case: &Case<'_>, answered: Option<&str>, inside: &Door<'_>, note: &Note) -> Unknown {
    let (name, node) = (case.name(), case.pod.text("/spec/nodeName"));
    let tried = match (answered, inside) {
        (Some(answered), _) => answered.to_owned(),
        (None, Door::Unread(why)) => format!("a port-forward to its loopback: {why}"),
        (None, Door::Refused(why)) => format!("its loopback: {why}"),
        (None, Door::Answers(..) | Door::Silent | Door::NotAsked) => {
            "whether its loopback answers, a port-forward says".to_owned()
        }
    };
    let (root, namespace) = (case.subject.root.short(), &case.object.namespace);
    let inspect = || format!("kubectl prom-fix bind {root} -n {namespace} --inspect");
    Unknown {
        need: format!("whether pod/{name} is too slow, or {node} does not reach it"),
        why: format!("no probe was answered since it started: {}; {tried}", answer(note)),
        get: answered.map_or_else(inspect, |_| knock::by_hand(case.subject, case.pod)),
        vital: true,
    }
}

/// What the probe came to, without the address that it asked.
fn answer(note: &Note) -> String {
    let quote = note.quote();
    quote.rsplit_once("\": ").map_or(quote.as_str(), |(_, answer)| answer).to_owned()
}
