//! A pod that runs and is not ready, though nothing ended it: starved, or not understood.

use super::Case;
use super::ended::log_unknown;
use super::slow;
use crate::model::log::events::Note;
use crate::model::log::{events, kill, replay, walreplay};
use crate::model::object::ObjectExt;
use crate::model::{Severity, Unknown, Verdict};
use crate::subject::pod;

/// A start takes this long without anything being wrong.
const STARTS_WITHIN_SECONDS: i64 = 120;
/// One that says that it is ready is asked for the first time, and answers, within this.
const IS_ASKED_WITHIN_SECONDS: i64 = 30;

pub fn check(case: &Case<'_>, verdict: &mut Verdict) {
    let runs = case.runs;
    if runs.ready || !runs.running || pod::is_terminating(case.pod) {
        return;
    }
    if let Some(why) = &runs.now_unread {
        verdict.unknown.push(log_unknown(case, why, false));
        return;
    }
    let Some(now) = runs.now.as_deref() else { return };
    let replay = replay(now);
    let begin = replay.ready_at.max(runs.since);
    let age = begin.map_or(0, |begin| case.seen.clock.as_second() - begin.as_second());
    let within = if replay.ready { IS_ASKED_WITHIN_SECONDS } else { STARTS_WITHIN_SECONDS };
    if replay.in_progress() || replays(case) || named(case) || age < within {
        return;
    }
    // Another container is not: whatever is said of this one is not why.
    if pod::container(case.pod, &case.subject.container).is_some_and(|own| own.ready) {
        return;
    }
    // What an earlier run did not answer, or this one before it was ready, is not told of it.
    let of_run = |n: &&Note| n.at.zip(begin).is_none_or(|(at, begin)| at >= begin);
    let notes = events::of(case.seen, case.object, case.pod.uid());
    let notes: Vec<Note> =
        notes.into_iter().filter(|n| n.may_be_of(&case.subject.container)).collect();
    let unhealthy: Vec<_> =
        notes.iter().filter(|n| n.reason == "Unhealthy").filter(of_run).collect();
    if let Some(note) = unhealthy.iter().find(|note| note.is_silence())
        && replay.ready
    {
        match slow::check(case, note) {
            Ok(finding) => verdict.findings.push(finding),
            Err(unknown) => verdict.unknown.push(unknown),
        }
    } else if unhealthy.is_empty() && age >= STARTS_WITHIN_SECONDS {
        let name = case.name();
        verdict.unknown.push(Unknown {
            need: format!("why pod/{name} runs and is not ready"),
            why: "neither its log nor its events of the last hour say it".into(),
            get: format!("kubectl describe pod {name} -n {}", case.object.namespace),
            vital: true,
        });
    }
}

/// Whether the end of its last run has a name already, by whatever class.
fn named(case: &Case<'_>) -> bool {
    let runs = case.runs;
    runs.out_of_memory()
        || runs
            .ended_by()
            .is_some_and(|(sign, _)| runs.weight(&sign, case.seen.clock) == Severity::Error)
        || kill::of(case.seen, case.pod, &case.subject.container, runs).is_some()
}

/// Whether its own answer says that a replay goes on, where the log was cut.
fn replays(case: &Case<'_>) -> bool {
    let flags = &case.subject.flags;
    let answer = case.seen.http(case.pod, flags.port(), &walreplay::path(&flags.prefix()));
    let body = answer.and_then(Result::ok).filter(|(status, _)| *status == 200);
    body.and_then(|(_, body)| walreplay::read(body)).is_some_and(|at| at.under_way())
}
