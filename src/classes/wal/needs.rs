//! What the class must see: logs of pods that are down and of two that serve, how far a replay
//! came, who killed it.

use super::check::counted;
use crate::model::log::runs::{self, MOST_PODS};
use crate::model::log::walreplay;
use crate::model::object::ObjectExt;
use crate::model::{Kind, Need, Snapshot};
use crate::subject::{Subject, pod};

pub fn needs(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let mut out = runs::needs(&subject.pods, &subject.container, seen);
    let down: Vec<_> = subject.pods.iter().filter(|p| !pod::is_ready(p)).collect();
    if !down.is_empty() {
        out.push(Need::list(Kind::Event, subject.namespace()));
    }
    let runs_now = |p: &&serde_json::Value| {
        let state = pod::container(p, &subject.container).map(|c| c.doing);
        matches!(state, Some(pod::Doing::Running { .. })) && !p.text("/status/podIP").is_empty()
    };
    // A server that cannot write checkpoints looks well from outside: only its log tells, and it
    // must be known before anything restarts it.
    for pod in subject.serving().filter(runs_now).take(MOST_PODS) {
        out.push(Need::log(pod, &subject.container, false));
    }
    let replays = |p: &&serde_json::Value| runs_now(p) && !killed_of_late(subject, seen, p);
    for pod in down.into_iter().filter(replays).take(MOST_PODS) {
        out.push(Need::http(pod, subject.flags.port(), &walreplay::path(&subject.flags.prefix())));
    }
    out
}

/// What servers count of their log, where that tells less.
pub fn counters(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let of = |pod| counted::need(subject, pod, &runs::of(seen, pod, &subject.container));
    subject.serving().take(MOST_PODS).filter_map(of).collect()
}

/// Killed for memory within the hour: whatever it replays now, the kill is the news, and its log
/// tells how far it is.
fn killed_of_late(subject: &Subject, seen: &Snapshot, pod: &serde_json::Value) -> bool {
    let end = pod::container(pod, &subject.container).and_then(|c| c.latest_end().cloned());
    end.is_some_and(|end| {
        let ago = |at: jiff::Timestamp| seen.clock.as_second() - at.as_second();
        end.reason == "OOMKilled" && end.finished.is_some_and(|at| ago(at) < runs::RECENT_SECONDS)
    })
}
