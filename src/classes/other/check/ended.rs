//! How the last run ended, where no other class has a name for it.

use super::Case;
use crate::model::log::kill::{self, By};
use crate::model::log::runs::restarts;
use crate::model::log::{Kill, Line, Sign};
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Kind, Severity, Unknown, Verdict};

const CRASH: Code = Code("other/crash");

pub fn check(case: &Case<'_>, verdict: &mut Verdict) {
    // Memory has its own class: nothing is said here of such an end.
    let evicted = case.pod.text("/status/reason") == "Evicted";
    if evicted || case.runs.out_of_memory() {
        return;
    }
    if let Some((sign, line)) = case.runs.ended_by() {
        verdict.findings.extend(last_words(case, &sign, line));
        return;
    }
    let kill = kill::of(case.seen, case.pod, &case.subject.container, case.runs);
    if let Some(kill) = kill {
        let told = killed(case, &kill);
        if told.is_some() || kill.in_replay {
            verdict.findings.extend(told);
            unread(case, verdict);
            verdict.unknown.extend(events_unread(case, &kill));
            return;
        }
    }
    if unread(case, verdict) || untold(case, verdict) {
        return;
    }
    let finding = no_words(case);
    if finding.is_some() && ended_now(case) {
        let why = "it ended a moment ago, and what it wrote last may not be there yet: look again";
        verdict.unknown.push(log_unknown(case, why, case.runs.running));
        return;
    }
    verdict.findings.extend(finding);
}

/// The runtime may still write down what the container said when its end is told: under load a log was
/// read without its last line a second after it.
const IS_WRITTEN_WITHIN_SECONDS: i64 = 3;

fn ended_now(case: &Case<'_>) -> bool {
    let at = case.runs.end.as_ref().and_then(|end| end.finished);
    // Of a clock that is behind the node's nothing is known.
    let age = at.map(|at| case.seen.clock.as_second() - at.as_second());
    age.is_some_and(|age| (0..IS_WRITTEN_WITHIN_SECONDS).contains(&age))
}

fn last_words(case: &Case<'_>, sign: &Sign, line: &Line) -> Option<Finding> {
    let (code, says) = match sign {
        Sign::Config => (Code("other/config-error"), "refuses its configuration or its arguments"),
        Sign::AddressSpace => (
            Code("other/address-space"),
            "cannot map memory: its address space or its number of maps is used up, not its limit",
        ),
        Sign::Unknown => (CRASH, "ends with an error that no class knows"),
        _ => return None,
    };
    let weight = case.runs.weight(sign, case.seen.clock);
    let finding = Finding::new(code, case.object, weight, says);
    Some(case.runs.tell(finding, line, case.seen.clock))
}

fn killed(case: &Case<'_>, kill: &Kill) -> Option<Finding> {
    // A pod that came back and stands is told of once it happens again.
    let again = case.runs.restarts > 1 && case.runs.ended_recently(case.seen.clock);
    if case.runs.ready && !case.runs.ended_recently(case.seen.clock) {
        return None;
    }
    let (code, says) = match kill.by {
        // In replay, the probe and the replay are one cause, which has its own name.
        By::LivenessProbe | By::StartupProbe if kill.in_replay => return None,
        By::LivenessProbe => (Code("other/killed-by-probe"), "is killed by its liveness probe"),
        By::StartupProbe => (Code("other/killed-by-probe"), "is killed by its startup probe"),
        By::GracePeriod => (
            Code("other/killed-by-grace-period"),
            "was asked to stop and killed when the grace period was over; not for memory",
        ),
        By::Nobody => (
            Code("other/killed-by-grace-period"),
            "was killed from outside (137), and the kubelet does not name memory as the reason",
        ),
    };
    let weight = if case.runs.ready && !again { Severity::Warn } else { Severity::Error };
    let mut finding =
        Finding::new(code, case.object, weight, says).with("killed", kill.shown.clone());
    if let Some(line) = case.runs.dead.as_deref().and_then(<[Line]>::last) {
        finding = finding.with("log, last line", line.quote());
    }
    finding = case.runs.tell_end(finding, case.seen.clock);
    if case.runs.ready {
        return Some(finding);
    }
    // A probe that kills mostly asks for what is not there: whoever says so explains this.
    Some(finding.stopping(case.name()).because_down(case.name()))
}

/// Without the log of the run that ended its cause would be a guess. True where that is so.
fn unread(case: &Case<'_>, verdict: &mut Verdict) -> bool {
    let runs = case.runs;
    let down = !runs.ready && runs.end.as_ref().is_some_and(|end| end.code != 0);
    let Some(why) = runs.dead_unread.as_ref().filter(|_| down) else { return false };
    verdict.unknown.push(log_unknown(case, why, runs.running));
    true
}

/// A restart is counted, and how the run before it ended is not told: seen once, a fifth of a second
/// after a restart. True where that is so.
fn untold(case: &Case<'_>, verdict: &mut Verdict) -> bool {
    let runs = case.runs;
    if runs.ready || runs.restarts == 0 || runs.end.is_some() {
        return false;
    }
    let (name, namespace) = (case.name(), case.pod.namespace());
    verdict.unknown.push(Unknown {
        need: format!("how the last run of pod/{name} ended"),
        why: format!("the kubelet counts {}, and tells no end", restarts(runs.restarts)),
        get: format!("kubectl describe pod {name} -n {namespace}"),
        vital: true,
    });
    true
}

/// Who killed it may stand in the events only.
fn events_unread(case: &Case<'_>, kill: &Kill) -> Option<Unknown> {
    let namespace = case.pod.namespace();
    let why = case.seen.list(Kind::Event, namespace).unreadable()?;
    matches!(kill.by, By::Nobody | By::GracePeriod).then(|| Unknown {
        need: format!("events of pod/{}: who killed it", case.name()),
        why: why.into(),
        get: format!("the verb list on events in {namespace}"),
        vital: false,
    })
}

/// The log that is missing, and how to get it.
pub fn log_unknown(case: &Case<'_>, why: &str, previous: bool) -> Unknown {
    let (name, container) = (case.name(), &case.subject.container);
    let flag = if previous { " --previous" } else { "" };
    let forbidden = why.contains("orbidden");
    Unknown {
        need: format!("log of pod/{name} (container {container}{flag})"),
        why: why.into(),
        get: if forbidden {
            "the verb get on pods/log".into()
        } else {
            format!("kubectl logs {name} -c {container}{flag} -n {}", case.pod.namespace())
        },
        vital: true,
    }
}

/// An end without last words and without a killer: said plainly.
fn no_words(case: &Case<'_>) -> Option<Finding> {
    let end = case.runs.end.as_ref()?;
    // A running container that ended once, cleanly, may just be starting.
    let looping = !case.runs.running || case.runs.restarts > 1;
    // No log was asked for of the third pod and those after it: what ends the first ends them.
    let known = case.runs.dead.as_deref()?;
    if case.runs.ready || !looping {
        return None;
    }
    let says = format!("ends with exit code {}, and its log does not say why", end.code);
    let finding = case.stops(CRASH, says);
    let finding = match known.last() {
        Some(line) => finding.with("log, last line", line.quote()),
        None => finding,
    };
    // Whoever found a cause in what it said before explains this.
    Some(case.runs.tell_end(finding, case.seen.clock).because_down(case.name()))
}
