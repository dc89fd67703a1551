//! A replay that goes on: no fault, and the reason why the pod is not ready.

use serde_json::Value;

use crate::model::log::walreplay::{self, At};
use crate::model::log::{Runs, replay};
use crate::model::{Code, Finding, Severity, Snapshot};
use crate::subject::pod;

/// The remark, where the pod runs, is not ready, and replays.
pub fn of(pod: &Value, runs: &Runs, seen: &Snapshot, answer: Option<&str>) -> Option<Finding> {
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
    let at = asked
        .filter(|at| at.last > 0)
        .or_else(|| from_log.map(|(now, last)| At { first: 0, now, last }));
    let says = "replays its write-ahead log";
    let code = Code("wal/replaying");
    let mut finding = Finding::new(code, &pod::reference(pod), Severity::Info, says);
    if let Some(at) = &at {
        finding = finding.with("progress", format!("segment {} of {}", at.now, at.last));
        finding = match left(at, runs, seen) {
            Some(left) => finding.with("left", format!("about {left} at this rate")),
            None => finding,
        };
    }
    let last = runs.now.as_deref().and_then(<[_]>::last);
    Some(match last {
        Some(line) => finding.with("log, last line", line.quote()),
        None => finding,
    })
}

/// The time that is left if segments go on to load as fast as since the container started.
/// Segments differ in size, so this is rough, and said to be.
fn left(at: &At, runs: &Runs, seen: &Snapshot) -> Option<String> {
    let took = u64::try_from(seen.clock.as_second() - runs.since?.as_second()).ok()?;
    let done = at.now.checked_sub(at.first).filter(|done| *done > 0)?;
    let seconds = took.checked_mul(at.last.checked_sub(at.now)?)? / done;
    Some(if seconds < 120 {
        format!("{seconds} s")
    } else {
        format!("{} min", seconds.div_ceil(60))
    })
}
