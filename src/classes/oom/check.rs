//! What the facts mean for this class.

use super::docs::{LIMIT, NODE, QUERY, REPLAY, SIDECAR};
use super::kill::{self, Kill};
use super::{inventory, offenders, size};
use crate::model::finding::{Finding, Severity, Unknown, Verdict};
use crate::model::log::{self, Line, Runs, runs};
use crate::model::object::ObjectExt;
use crate::model::quantity::show_bytes;
use crate::model::{Code, Snapshot};
use crate::subject::{Subject, Version, pod};

pub fn check(subject: &Subject, seen: &Snapshot) -> Verdict {
    let mut verdict = Verdict::default();
    let kills = kill::all(subject);
    for kill in &kills {
        if kill.of_prometheus {
            of_prometheus(subject, seen, kill, &mut verdict);
        } else {
            verdict.findings.push(of_sidecar(seen, kill));
        }
    }
    for (pod, message) in kill::evicted(subject, seen) {
        let object = pod::reference(pod);
        let says = "evicted: its node ran out of memory";
        let severity = if pod::is_ready(pod) { Severity::Warn } else { Severity::Error };
        let finding = Finding::new(NODE, &object, severity, says).with("kubelet", message);
        let down = !pod::is_ready(pod);
        verdict.findings.push(if down { finding.stopping(pod.name()) } else { finding });
    }
    verdict.findings.extend(offenders::warnings(subject, seen));
    verdict
}

/// What the killed run was doing, from its own log.
enum Was {
    Replaying { segment: Option<u64>, of: Option<u64> },
    Serving,
    Starting,
    Unread(String),
}

fn of_prometheus(subject: &Subject, seen: &Snapshot, kill: &Kill<'_>, verdict: &mut Verdict) {
    let object = pod::reference(kill.pod);
    let runs = runs_of(seen, kill);
    let was = was(&runs);
    if let Was::Unread(why) = &was {
        verdict.unknown.push(Unknown {
            need: format!("log of the killed run of {}", object.short()),
            why: why.clone(),
            get: format!("kubectl logs {} --previous -c {}", object.short(), subject.container),
            vital: false,
        });
    }
    let queries = queries(&runs);
    let estimate = size::estimate(subject, seen, kill.limit.as_ref().map(|l| l.bytes));
    let code = code_of(kill, &was, queries.as_deref(), estimate.as_ref());
    // Of a kill by a query the head is told as counted: what was over it was not the head.
    let estimate = match code {
        QUERY => size::estimate(subject, seen, None),
        _ => estimate,
    };
    let severity = if kill.is_fresh(seen.clock) { Severity::Error } else { Severity::Warn };
    let mut finding = Finding::new(code, &object, severity, says(kill, &was, code));
    finding = finding.with("last kill", when(kill, seen));
    if let Some(estimate) = estimate.filter(|_| matches!(code, LIMIT | REPLAY | QUERY)) {
        let range = if estimate.low == estimate.high || !estimate.measured {
            String::new()
        } else {
            format!(" ({}-{})", show_bytes(estimate.low), show_bytes(estimate.high))
        };
        let need = format!("{}{range} = {}", show_bytes(estimate.middle), estimate.method);
        finding = finding.with("it needs", need);
        let logged = || inventory::says(subject, seen, kill.pod);
        let source = Some(estimate.source).filter(|s| !s.is_empty());
        if let Some(source) = source.or_else(|| logged().filter(|_| estimate.measured)) {
            finding = finding.with("", source);
        }
    }
    if let Some(queries) = queries {
        finding = finding.with("in flight", queries);
    }
    if let Some(words) = soft_limit(subject, runs.dead.as_deref().unwrap_or_default(), kill) {
        finding = finding.with("GOMEMLIMIT", words);
    }
    let down = !pod::is_ready(kill.pod);
    verdict.findings.push(if down { finding.stopping(kill.pod.name()) } else { finding });
}

fn code_of(kill: &Kill<'_>, was: &Was, queries: Option<&str>, size: Option<&size::Size>) -> Code {
    let Some(limit) = &kill.limit else { return NODE };
    match was {
        Was::Replaying { .. } => REPLAY,
        Was::Serving if queries.is_some() && fits(size, limit.bytes) => QUERY,
        Was::Serving | Was::Starting | Was::Unread(_) => LIMIT,
    }
}

/// Whether the head as counted needs less than 70 % of the limit, so that it cannot have been the
/// head that filled it.
fn fits(size: Option<&size::Size>, limit: u64) -> bool {
    size.and_then(|s| s.series).is_some_and(|series| {
        let head = (64u64 << 20) + series.saturating_mul(3000);
        head < limit / 10 * 7
    })
}

fn says(kill: &Kill<'_>, was: &Was, code: Code) -> String {
    let times = match kill.state.restarts {
        0 | 1 => "killed".to_owned(),
        n => format!("killed, {n} restarts so far"),
    };
    if code == NODE {
        return format!("{times}, without a limit of its own: the node was out of memory");
    }
    match was {
        Was::Replaying { segment: Some(at), of: Some(of) } => {
            format!("{times}, while replaying its WAL (segment {at} of {of})")
        }
        Was::Replaying { .. } => format!("{times}, while replaying its WAL"),
        Was::Serving if code == QUERY => format!("{times}, by a query: its head fits the limit"),
        Was::Serving => format!("{times}, while serving"),
        Was::Starting => format!("{times}, before it could start"),
        Was::Unread(_) => times,
    }
}

fn when(kill: &Kill<'_>, seen: &Snapshot) -> String {
    let limit = match &kill.limit {
        Some(limit) if limit.of_pod => format!(", at its pod's limit of {}", limit.text),
        Some(limit) => format!(", at its limit of {}", limit.text),
        None => ", no limit is set".into(),
    };
    match kill.ended.finished {
        Some(at) => format!("{} ({}): OOMKilled{limit}", clock(at), ago(at, seen)),
        None => format!("OOMKilled{limit}"),
    }
}

fn clock(at: jiff::Timestamp) -> String {
    at.strftime("%H:%M:%SZ").to_string()
}

fn ago(at: jiff::Timestamp, seen: &Snapshot) -> String {
    let seconds = seen.clock.duration_since(at).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7199 => format!("{} min ago", seconds / 60),
        7200..=172_799 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// The lines of the killed run; none where they could not be read.
pub fn lines_of(seen: &Snapshot, kill: &Kill<'_>) -> Vec<Line> {
    runs_of(seen, kill).dead.unwrap_or_default()
}

fn runs_of(seen: &Snapshot, kill: &Kill<'_>) -> Runs {
    runs::as_counted(seen, kill.pod, &kill.state.name)
}

/// What the killed run was doing, by its log.
fn was(runs: &Runs) -> Was {
    let Some(lines) = &runs.dead else {
        // It did not come to its first line.
        return match runs.dead_unread.as_deref() {
            Some(runs::EMPTY) => Was::Starting,
            why => Was::Unread(why.unwrap_or("not read").to_owned()),
        };
    };
    let replay = log::replay(lines);
    if replay.ready {
        Was::Serving
    } else if replay.started && !replay.done {
        Was::Replaying { segment: replay.segment, of: replay.max_segment }
    } else {
        Was::Starting
    }
}

/// Queries that were running at the kill: the next start logs them.
fn queries(runs: &Runs) -> Option<String> {
    let next = runs.now.as_ref().or(runs.dead.as_ref());
    let told = log::unfinished_queries(next.map_or(&[], Vec::as_slice));
    told.map(|text| text.chars().take(200).collect())
}

/// When the soft limit of the Go runtime changes the picture, by version.
fn soft_limit(subject: &Subject, lines: &[Line], kill: &Kill<'_>) -> Option<String> {
    if let Some(bytes) = log::gomemlimit(lines) {
        return Some(format!(
            "{} was set, which is soft: live heap and the rest went over the limit all the same",
            show_bytes(bytes)
        ));
    }
    kill.limit.as_ref()?;
    let version = subject.version?;
    let feature = subject.flags.has_feature("auto-gomemlimit");
    if version >= Version::new(3, 0, 0) && subject.flags.get("no-auto-gomemlimit").is_some() {
        Some(
            "switched off by --no-auto-gomemlimit; with it the collector works harder first".into(),
        )
    } else if version < Version::new(3, 0, 0) && version >= Version::new(2, 50, 0) && !feature {
        Some(
            "not set; --enable-feature=auto-gomemlimit makes the collector work harder first"
                .into(),
        )
    } else {
        None
    }
}

fn of_sidecar(seen: &Snapshot, kill: &Kill<'_>) -> Finding {
    let object = pod::reference(kill.pod);
    let name = &kill.state.name;
    let severity = if kill.is_fresh(seen.clock) { Severity::Error } else { Severity::Warn };
    let times = match kill.state.restarts {
        0 | 1 => String::new(),
        n => format!(", {n} restarts so far"),
    };
    let says = format!("container {name} was killed, not Prometheus{times}");
    let finding =
        Finding::new(SIDECAR, &object, severity, says).with("last kill", when(kill, seen));
    if pod::is_ready(kill.pod) { finding } else { finding.stopping(kill.pod.name()) }
}
