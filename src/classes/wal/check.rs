//! What the facts mean for the write-ahead log.

mod budget;
pub(super) mod counted;
mod damage;
mod danger;
mod files;
pub mod killed;
mod notes;
mod progress;
pub(super) mod surveyed;
pub(super) mod uploads;

use serde_json::Value;

use super::docs::{HELD, LOCKED};
use crate::model::log::{Runs, Sign, runs, walreplay};
use crate::model::receipt::HOLD;
use crate::model::{Code, Finding, Severity, Snapshot, Unknown, Verdict};
use crate::subject::sharers::{self, Sharers};
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
            verdict.findings.push(with_holders(finding, subject, seen, pod));
        }
        let counted = counted::told(subject, seen, pod, &runs);
        verdict.unknown.extend(unread(subject, seen, pod, &runs).filter(|_| counted.is_none()));
        // What the log still tells of it is told by the log.
        let told_by_log = |found: &Finding| {
            let same = |note: &Finding| {
                note.code == found.code
                    || (note.code == notes::HEALED && found.code == notes::REPAIRED)
            };
            notes.iter().any(same)
        };
        let counted = counted.unwrap_or_default().into_iter();
        verdict.findings.extend(counted.filter(|found| !told_by_log(found)));
        verdict.findings.extend(notes);
        verdict.findings.extend(killed::of(subject, seen, pod, &runs));
        let answer = replay_answer(subject, seen, pod);
        verdict.findings.extend(budget::of(subject, seen, pod, &runs, answer));
        verdict.findings.extend(progress::of(pod, &runs, seen, answer));
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

/// The log of a server that serves could not be read, or tells of its last hours alone, and it does
/// not say what it counted: it is well, as far as can be seen.
fn unread(subject: &Subject, seen: &Snapshot, pod: &Value, runs: &Runs) -> Option<Unknown> {
    let (name, container, namespace) = (pod_name(pod), &subject.container, subject.namespace());
    let (why, get) = match runs.now_unread.as_deref().filter(|_| runs.ready) {
        Some(why) => (why, format!("kubectl logs {name} -n {namespace} -c {container}")),
        None if counted::is_asked(subject, seen, pod, runs) => (
            "it does not reach back to its start, and /metrics does not tell",
            format!(
                "kubectl get --raw /api/v1/namespaces/{namespace}/pods/{name}:{}/proxy{}",
                subject.flags.port(),
                subject.flags.below_prefix("/metrics")
            ),
        ),
        None => return None,
    };
    Some(Unknown {
        need: format!("log of pod/{name}: whether it can still cut its WAL"),
        why: why.to_owned(),
        get,
        vital: false,
    })
}

/// The codes of last words that are this class's own.
fn meaning(sign: &Sign) -> Option<(Code, &'static str)> {
    Some(match sign {
        Sign::Locked => (LOCKED, "finds its data directory locked by another process"),
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
fn with_holders(mut finding: Finding, subject: &Subject, seen: &Snapshot, pod: &Value) -> Finding {
    // Once it has come past the lock, who had it is not to be seen any more.
    if finding.code != LOCKED || finding.severity != Severity::Error {
        return finding;
    }
    let Some(Sharers { claim, all, unread }) = sharers::of(subject, seen, pod) else {
        return finding.with("it is on", "no claim, which another pod could mount too");
    };
    finding = finding.with("its claim", claim);
    for other in &all {
        finding = finding.with("mounted by", format!("{}: {}", other.whose(), other.does(seen)));
    }
    match unread {
        Some(why) => {
            let says = format!("pods of other workloads are not known: {why}");
            finding.with("mounted by", says)
        }
        None if all.is_empty() => {
            finding.with("mounted by", "no other pod of this namespace that runs")
        }
        None => finding,
    }
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
