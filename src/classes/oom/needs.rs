//! What this class must see: how the killed run ended, and who can tell the size of the head.

use serde_json::Value;

use super::{kill, room};
use crate::model::log::runs;
use crate::model::object::ObjectExt;
use crate::model::{Finding, Kind, Need, Severity, Snapshot};
use crate::subject::{Subject, errand, pod, repair};

pub fn first(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let mut out = vec![Need::list(Kind::Event, subject.namespace())];
    let kills = kill::all(subject);
    let killed: Vec<&Value> = kills.iter().filter(|k| k.of_prometheus).map(|k| k.pod).collect();
    // Logs are read of few pods: where one of those was killed, others tell nothing new.
    let read = runs::chosen(&subject.pods, &subject.container, seen.clock);
    let of_read: Vec<&Value> =
        read.into_iter().filter(|p| killed.iter().any(|k| k.uid() == p.uid())).collect();
    let of = if of_read.is_empty() { killed.into_iter().take(1).collect() } else { of_read };
    for pod in of {
        out.extend(runs::logs(seen, pod, &subject.container));
    }
    if !kills.is_empty() {
        // Which nodes there are decides what is asked next, so it is asked now.
        out.push(room::nodes(subject));
    }
    if let Some(pod) = witness(subject)
        && !subject.agent
    {
        out.push(Need::http(pod, subject.flags.port(), &stats_path(subject)));
        if !kills.is_empty() {
            out.push(Need::http(
                pod,
                subject.flags.port(),
                &subject.flags.below_prefix("/metrics"),
            ));
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
    subject.flags.below_prefix("/api/v1/status/tsdb?limit=10")
}

/// Whether the new size fits somewhere, and whether the owner would act.
pub fn to_fix(
    subject: &Subject,
    seen: &Snapshot,
    found: &[Finding],
    given: Option<&str>,
) -> Vec<Need> {
    let ours = |f: &&Finding| f.code.class() == "oom" && f.severity == Severity::Error;
    if !found.iter().any(|f| ours(&f)) {
        return Vec::new();
    }
    let namespace = subject.namespace();
    let mut out = vec![
        room::nodes(subject),
        Need::list(Kind::ResourceQuota, namespace),
        Need::list(Kind::LimitRange, namespace),
        Need::list(Kind::VerticalPodAutoscaler, namespace),
    ];
    out.extend(repair::needs(subject, seen));
    out.extend(room::needs(subject, seen, given));
    // A helper may be sent to the node of the pod that the plan is about.
    let root = found.iter().filter(ours).find(|f| f.because.is_none());
    if let Some(root) = root.filter(|_| seen.inside.consented) {
        let pod = subject.pods.iter().find(|p| p.name() == root.object.name);
        out.extend(pod.into_iter().flat_map(errand::needs));
    }
    out
}
