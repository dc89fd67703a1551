//! What a server that serves has counted of its own log, where the lines that would tell are gone: its
//! log cannot be read, or does not reach back to its start. The counters are those of 2.42, 2.53 and
//! 3.16 alike (`tsdb/head.go`, `tsdb/db.go`, `tsdb/wlog/wlog.go`); but 3.16 counts a checkpoint that fails
//! on a damaged segment as a corruption, too, with nothing cut.

use serde_json::Value;

use super::files::REPAIRS_WBL;
use super::notes::{FAILING, REPAIRED};
use crate::model::log::{self, Runs};
use crate::model::{Finding, Need, Severity, Snapshot, exposition};
use crate::subject::{Subject, pod};

/// Where they are read; none where its log tells all of it, or nobody has looked for that yet.
pub fn need(subject: &Subject, pod: &Value, runs: &Runs) -> Option<Need> {
    let looked = runs.now.is_some() || runs.now_unread.is_some();
    let whole = runs.now.as_deref().is_some_and(log::reaches_back);
    // An agent has no head, and writes no checkpoint of it.
    if subject.agent || !runs.ready || !looked || whole {
        return None;
    }
    let path = subject.flags.below_prefix("/metrics");
    Some(Need::http(pod, subject.flags.port(), &path))
}

/// Whether they were asked for.
pub fn is_asked(subject: &Subject, seen: &Snapshot, pod: &Value, runs: &Runs) -> bool {
    need(subject, pod, runs).is_some_and(|need| seen.facts.contains_key(&need))
}

/// What was counted; none where it was not asked for, or did not answer.
pub fn told(subject: &Subject, seen: &Snapshot, pod: &Value, runs: &Runs) -> Option<Vec<Finding>> {
    let Need::Http { path, .. } = need(subject, pod, runs)? else { return None };
    let Ok((200, body)) = seen.http(pod, subject.flags.port(), &path)? else { return None };
    let count = |name: &str| exposition::whole(body, &format!("prometheus_tsdb_{name}"));
    // Without these it is no answer of a Prometheus, and says nothing good.
    let (tried, failed) =
        count("checkpoint_creations_total").zip(count("checkpoint_creations_failed_total"))?;
    let cut = count("wal_corruptions_total")?;
    let about = |code, severity, says: &str| {
        Finding::new(code, &pod::reference(pod), severity, says)
            .with("/metrics", "counted since its start; its log does not tell of it any more")
    };
    let mut out = Vec::new();
    if cut > failed {
        let says = "met damage in its WAL, or in the log of late samples, at its start, and cut it \
                    there; what came after it is gone, unless it was only the torn end of a write";
        let mut finding = about(REPAIRED, Severity::Warn, says);
        if subject.version.is_some_and(|version| version < REPAIRS_WBL) {
            let why = "it is not told; for damage in that of late samples this release deletes \
                       segments of the WAL at every start";
            finding = finding.with("which of both", why);
        }
        out.push(finding.with("wal_corruptions_total", cut.to_string()));
    }
    let others: Vec<(&str, i64)> = [
        "checkpoint_deletions_failed_total",
        "wal_truncations_failed_total",
        "head_truncations_failed_total",
        "wal_writes_failed_total",
    ]
    .into_iter()
    .filter_map(|name| Some((name, count(name).filter(|count| *count > 0)?)))
    .collect();
    if failed == 0 && others.is_empty() {
        return Some(out);
    }
    let mut finding = if failed > 0 && failed >= tried {
        let says = "could write no WAL checkpoint since its start: the log grows until the volume is \
                    full; do not restart it before it is known why";
        about(FAILING, Severity::Error, says).forbidding_restart()
    } else {
        let says = "failed to maintain its write-ahead log now and then since its start; whether it \
                    still does is not told";
        about(FAILING, Severity::Warn, says)
    };
    if failed > 0 {
        finding = finding.with("checkpoint_creations_failed_total", format!("{failed} of {tried}"));
    }
    for (name, count) in others {
        finding = finding.with(name, count.to_string());
    }
    out.push(finding);
    Some(out)
}
