//! A replay that goes on: no fault, and the reason why the pod is not ready.

use serde_json::Value;

use crate::model::log::remaining::{self, Remaining};
use crate::model::log::walreplay::{self, At};
use crate::model::log::{Runs, replay};
use crate::model::{Code, Finding, Severity, Snapshot};
use crate::subject::pod;

/// A replay that goes on.
pub struct UnderWay {
    pub at: Option<At>,
    /// Of a log that does not reach back to its beginning it is not known where it began.
    from_its_beginning: bool,
}

/// Where the pod runs, is not ready, and replays.
pub fn under_way(pod: &Value, runs: &Runs, answer: Option<&str>) -> Option<UnderWay> {
    if runs.ready || !runs.running || pod::is_terminating(pod) {
        return None;
    }
    let logged = runs.now.as_deref().map(replay).unwrap_or_default();
    if logged.done || logged.ready {
        return None;
    }
    let asked = answer.and_then(walreplay::read);
    let under_way = asked.is_some_and(|at| at.under_way());
    if !(logged.started || under_way) {
        return None;
    }
    let from_log = logged.segment.zip(logged.max_segment);
    let asked = asked.filter(|at| at.last > 0);
    // Where it began decides how much of it is done, and nothing of what is left.
    let began = asked.map(|at| at.first).or(logged.first);
    let at = asked
        .or_else(|| from_log.map(|(now, last)| At { first: began.unwrap_or_default(), now, last }));
    Some(UnderWay { at, from_its_beginning: began.is_some() })
}

/// The remark.
pub fn of(pod: &Value, runs: &Runs, seen: &Snapshot, answer: Option<&str>) -> Option<Finding> {
    let UnderWay { at, from_its_beginning } = under_way(pod, runs, answer)?;
    let says = "replays its write-ahead log";
    let code = Code("wal/replaying");
    let mut finding = Finding::new(code, &pod::reference(pod), Severity::Info, says);
    if let Some(at) = &at {
        let done = at.permille().filter(|_| from_its_beginning);
        finding = finding.with("progress", walreplay::told(at.now, at.last, done));
        finding = match left(at, runs, seen) {
            Some(left) => finding.with("left", left),
            None => finding,
        };
    }
    let last = runs.now.as_deref().and_then(<[_]>::last);
    Some(match last {
        Some(line) => finding.with("log, last line", line.quote()),
        None => finding,
    })
}

/// The time that is left, and what that rests on.
fn left(at: &At, runs: &Runs, seen: &Snapshot) -> Option<String> {
    let sizes = "of those to come the newest counts half, and the one that this start made nothing";
    let logged = runs.now.as_deref();
    if let Some(by_log) = logged.and_then(|log| remaining::of(log, at, seen.clock)) {
        let Remaining { left_ms, pace_ms, loaded, slower } = by_log;
        let pace = tenths(pace_ms);
        let of = match loaded {
            1 => "the one".to_owned(),
            more => format!("the {more}"),
        };
        let slower = if slower { "; the one that it reads now takes longer" } else { "" };
        let about = about(left_ms);
        return Some(format!("{about}: {pace} s a segment, as {of} in its log; {sizes}{slower}"));
    }
    // All of the log is loaded: it reads the out-of-order log, whose files are of other sizes.
    let seen_in_log = logged.map(replay).unwrap_or_default();
    if seen_in_log.segment.is_some() && seen_in_log.segment == seen_in_log.max_segment {
        return None;
    }
    let left_ms = remaining::since_start(at, runs.since?, seen.clock)?;
    let about = about(left_ms);
    Some(format!(
        "{about}: by the time since its start, with all that it did before it came to segments; {sizes}"
    ))
}

pub fn about(millis: i64) -> String {
    match (millis + 999) / 1000 {
        0 => "a moment".to_owned(),
        seconds @ ..120 => format!("about {seconds} s"),
        seconds => format!("about {} min", (seconds + 59) / 60),
    }
}

/// Milliseconds as seconds.
fn tenths(millis: i64) -> String {
    let tenths = (millis + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}
