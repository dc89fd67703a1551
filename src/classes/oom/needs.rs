//! What this class must see: how the killed run ended, and who can tell the size of the head.

use serde_json::Value;

use super::{kill, room};
use crate::model::object::ObjectExt;
use crate::model::{Finding, Kind, Need, Snapshot};
use crate::subject::{Subject, operator, pod};

/// Logs of more pods than this tell nothing new.
const PODS: usize = 2;

pub fn first(subject: &Subject, _seen: &Snapshot) -> Vec<Need> {
    let mut out = vec![Need::list(Kind::Event, subject.namespace())];
    let kills = kill::all(subject);
    for kill in kills.iter().filter(|k| k.of_prometheus).take(PODS) {
        out.push(Need::log(kill.pod, &kill.state.name, true));
        out.push(Need::log(kill.pod, &kill.state.name, false));
    }
    if !kills.is_empty() {
        // Which nodes there are decides what is asked next, so it is asked now.
        out.push(Need::list(Kind::Node, ""));
    }
    if let Some(pod) = witness(subject)
        && !subject.agent
    {
        out.push(Need::http(pod, subject.flags.port(), &stats_path(subject)));
        if !kills.is_empty() {
            out.push(Need::http(pod, subject.flags.port(), &path(subject, "/metrics")));
        }
    }
    out
}

/// The pod whose answers tell the size of the head: one that serves, first of the same set as one
/// that was killed, for shards hold different series.
pub fn witness(subject: &Subject) -> Option<&Value> {
    let owner = |p: &Value| p.controller().map(|o| o.uid);
    let killed = kill::all(subject).first().map(|k| owner(k.pod));
    let serving = || subject.pods.iter().filter(|p| pod::is_ready(p));
    serving().find(|p| killed.as_ref().is_some_and(|k| *k == owner(p))).or_else(|| serving().next())
}

/// The head's own statistics; an index look-up, no query.
pub fn stats_path(subject: &Subject) -> String {
    path(subject, "/api/v1/status/tsdb?limit=10")
}

pub fn path(subject: &Subject, tail: &str) -> String {
    format!("{}{tail}", subject.flags.prefix().trim_end_matches('/'))
}

/// Whether the new size fits somewhere, and whether the owner would act.
pub fn to_fix(subject: &Subject, seen: &Snapshot, _found: &[Finding]) -> Vec<Need> {
    let namespace = subject.namespace();
    let mut out = vec![
        Need::list(Kind::Node, ""),
        Need::list(Kind::ResourceQuota, namespace),
        Need::list(Kind::LimitRange, namespace),
        Need::list(Kind::VerticalPodAutoscaler, namespace),
    ];
    out.extend(operator::needs(subject));
    out.extend(room::needs(subject, seen));
    out
}
