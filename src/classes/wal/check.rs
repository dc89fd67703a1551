//! What the facts mean for the write-ahead log.

mod damage;
mod danger;
pub mod killed;
mod notes;
mod progress;
mod surveyed;

use serde_json::Value;

use super::docs::HELD;
use crate::model::log::{Runs, Sign, place, runs, walreplay};
use crate::model::receipt::HOLD;
use crate::model::{Code, Finding, Severity, Snapshot, Unknown, Verdict};
use crate::subject::{Subject, frozen, hold, pod};

pub fn check(subject: &Subject, seen: &Snapshot) -> Verdict {
    let mut verdict = Verdict::default();
    let mut dangers = Vec::new();
    for pod in &subject.pods {
        if hold::is_held(pod) {
            verdict.findings.push(held(pod));
            continue;
        }
        let runs = runs::of(seen, pod, &subject.container);
        let notes = notes::of(pod, &runs);
        let repaired = notes.iter().any(|f| f.code == notes::REPAIRED);
        if let Some((sign, line)) = runs.ended_by()
            && let Some((code, says)) = meaning(&sign)
            // Once Prometheus has cut the log short and goes on, the loss is the news.
            && !(repaired && matches!(sign, Sign::Checkpoint | Sign::Segment | Sign::Wbl))
        {
            let weight = runs.weight(&sign, seen.clock);
            let finding = Finding::new(code, &pod::reference(pod), weight, says);
            let finding = runs.tell(finding, line, seen.clock);
            verdict.findings.push(with_holders(finding, subject, pod));
        }
        verdict.findings.extend(notes);
        verdict.findings.extend(killed::of(subject, seen, pod, &runs));
        verdict.findings.extend(progress::of(pod, &runs, seen, replay_answer(subject, seen, pod)));
        verdict.unknown.extend(unread(subject, pod, &runs));
        dangers.extend(danger::of(subject, seen, pod, &runs));
    }
    if frozen::replicas(subject, seen).is_some() {
        let says =
            "is held at 0 replicas by kubectl prom-fix: it does not start until it is let go";
        verdict.findings.push(Finding::new(HELD, &subject.root, Severity::Error, says));
    }
    verdict.danger = danger::first(dangers);
    verdict.findings = surveyed::told(subject, seen, verdict.findings);
    verdict
}

/// The kubelet keeps no log of it.
fn held(pod: &Value) -> Finding {
    let says = "is held by kubectl prom-fix: it does not start until it is let go";
    Finding::new(HELD, &pod::reference(pod), Severity::Error, says)
        .with("metadata.finalizers", HOLD)
        .stopping(pod_name(pod))
}

/// The log of a server that serves could not be read: it is well, as far as can be seen.
fn unread(subject: &Subject, pod: &Value, runs: &Runs) -> Option<Unknown> {
    let why = runs.now_unread.as_deref().filter(|_| runs.ready)?;
    let (name, container) = (pod_name(pod), &subject.container);
    Some(Unknown {
        need: format!("log of pod/{name}: whether it can still cut its WAL"),
        why: why.to_owned(),
        get: format!("kubectl logs {name} -n {} -c {container}", subject.namespace()),
        vital: false,
    })
}

/// The codes of last words that are this class's own.
fn meaning(sign: &Sign) -> Option<(Code, &'static str)> {
    Some(match sign {
        Sign::Locked => (Code("wal/locked"), "finds its data directory locked by another process"),
        Sign::Gap => (Code("wal/gap"), "ends at a gap in its numbered WAL segments"),
        Sign::CheckpointLost => (
            Code("wal/checkpoint-lost"),
            "has WAL segments that begin above 0 and no checkpoint before them",
        ),
        Sign::Checkpoint => (
            Code("wal/corrupt-checkpoint"),
            "has a damaged WAL checkpoint; the repair at its start deletes healthy segments",
        ),
        Sign::Segment => (Code("wal/corrupt-segment"), "has a damaged WAL segment"),
        Sign::Wbl => (Code("wal/corrupt-wbl"), "has a damaged out-of-order log (WBL)"),
        Sign::HeadChunks => (
            Code("wal/corrupt-head-chunks"),
            "cannot open its head chunks (chunks_head), which the WAL can rebuild",
        ),
        Sign::Block => (Code("wal/corrupt-block"), "cannot open a block"),
        Sign::Overlap => (Code("wal/overlapping-blocks"), "refuses blocks that overlap in time"),
        Sign::Config
        | Sign::WebConfig
        | Sign::Listen(_)
        | Sign::BadFileSystem
        | Sign::Full
        | Sign::Io
        | Sign::ReadOnly(_)
        | Sign::AddressSpace
        | Sign::Denied(_)
        | Sign::NoDirectory(_)
        | Sign::Unknown => return None,
    })
}

/// Names the other pods that mount the same claim: one of them holds the lock.
fn with_holders(mut finding: Finding, subject: &Subject, pod: &Value) -> Finding {
    if finding.code != Code("wal/locked") {
        return finding;
    }
    let dir = subject.flags.data_dir(subject.agent);
    let claim = |p| place(p, &subject.container, &dir).claim();
    let Some(own) = claim(pod) else { return finding };
    for other in subject.pods.iter().filter(|p| *p != pod && claim(p) == Some(own)) {
        let state = if pod::is_terminating(other) { "is terminating" } else { "is there" };
        let name = pod::reference(other).short();
        finding = finding.with("shares the claim", format!("{name} mounts {own} too, and {state}"));
    }
    finding
}

fn pod_name(pod: &Value) -> &str {
    crate::model::object::ObjectExt::name(pod)
}

/// The body of an answer of `/api/v1/status/walreplay`.
fn replay_answer<'a>(subject: &Subject, seen: &'a Snapshot, pod: &Value) -> Option<&'a str> {
    match seen.http(pod, subject.flags.port(), &walreplay::path(&subject.flags.prefix()))? {
        Ok((200, body)) => Some(body),
        Ok(_) | Err(_) => None,
    }
}
