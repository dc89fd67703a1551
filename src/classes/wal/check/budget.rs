//! A replay that a probe is about to end for the first time: what is left of it against the time that
//! the probe still gives it.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::killed::{self, CODE};
use super::progress::{self, UnderWay};
use crate::model::log::remaining;
use crate::model::log::{Line, Runs};
use crate::model::object::ObjectExt;
use crate::model::probe::Probe;
use crate::model::{Finding, Severity, Snapshot};
use crate::subject::{Subject, pod};

/// The warning. Only by the times in its own log: what came before the first segment is not the pace
/// of those to come.
pub fn of(
    subject: &Subject,
    seen: &Snapshot,
    pod: &Value,
    runs: &Runs,
    answer: Option<&str>,
) -> Option<Finding> {
    // After a kill that is the news, and has its plan.
    if killed::look(subject, seen, pod, runs).is_some() {
        return None;
    }
    let UnderWay { at, .. } = progress::under_way(pod, runs, answer)?;
    let lines: &[Line] = runs.now.as_deref()?;
    let left_ms = remaining::of(lines, &at?, seen.clock)?.left_ms;
    let (name, probe) = waits(subject, pod)?;
    let dies = runs.since? + SignedDuration::from_secs(probe.allows_seconds());
    let given_ms = i64::try_from(dies.duration_since(seen.clock).as_millis()).ok()?;
    if left_ms <= given_ms {
        return None;
    }
    let says = match given_ms > 0 {
        true => format!(
            "will at this rate be killed by its {name} {}, before its WAL is replayed",
            clock(dies)
        ),
        // A replay does not end for a SIGTERM.
        false => {
            let kill = dies + SignedDuration::from_secs(probe.grace_seconds);
            let kill = if kill > seen.clock { clock(kill) } else { "now".to_owned() };
            format!(
                "has used up the time of its {name}, and is killed {kill}, before its WAL is replayed"
            )
        }
    };
    let allows = probe.allows_seconds();
    let given = if given_ms > 0 { progress::about(given_ms) } else { "nothing".to_owned() };
    let name = pod.name();
    Some(
        Finding::new(CODE, &pod::reference(pod), Severity::Warn, says)
            .with("it allows", format!("{allows} s from its start, of which is left: {given}"))
            .with("it needs", format!("{} more", progress::about(left_ms)))
            .with(
                "what helps",
                format!(
                    "more time, which is set at its owner and restarts it: once it was killed, kubectl \
                     prom-fix wal pod/{name} -n {} has the plan",
                    subject.namespace()
                ),
            ),
    )
}

/// The probe that a replay fails: one that asks whether it is ready. `/-/healthy` is answered well all
/// the while (prometheus `web/web.go`), and a startup probe holds the liveness probe off until it has
/// passed.
fn waits(subject: &Subject, pod: &Value) -> Option<(&'static str, Probe)> {
    let own = pod.list("/spec/containers").iter().find(|c| c.text("/name") == subject.container)?;
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let asks_ready = |probe: &Value| {
        let command = probe.list("/exec/command").iter().filter_map(Value::as_str);
        let mut asked = command.chain([probe.text("/httpGet/path")]);
        asked.any(|asked| asked.contains("/-/ready"))
    };
    ["startupProbe", "livenessProbe"].into_iter().find_map(|name| {
        let probe = own.get(name).filter(|probe| asks_ready(probe))?;
        Some((name, Probe::of(probe, spec)))
    })
}

fn clock(at: Timestamp) -> String {
    format!("at about {}", at.strftime("%H:%M:%SZ"))
}
