//! Who killed a run that has no last words: a probe of the kubelet, the end of a grace period.
//! Never memory: that the kubelet names itself.

use jiff::Timestamp;
use serde_json::Value;

use super::events::{self, Note};
use super::runs::{End, Runs};
use super::{replay, stop_signal};
use crate::model::object::ObjectExt;
use crate::model::probe::Probe;
use crate::model::{Kind, ObjectRef, Snapshot};

/// SIGKILL as an exit code.
const KILLED: i64 = 137;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    pub by: By,
    /// It had begun to replay the WAL and was not yet ready.
    pub in_replay: bool,
    /// What shows it: the event, or the arithmetic.
    pub shown: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    LivenessProbe,
    StartupProbe,
    /// Asked to stop and not gone when the grace period was over.
    GracePeriod,
    /// SIGKILL, and nothing says by whom.
    Nobody,
}

/// Who killed the last run, or is about to kill the present one.
pub fn of(seen: &Snapshot, pod: &Value, container: &str, runs: &Runs) -> Option<Kill> {
    let evicted = pod.text("/status/reason") == "Evicted";
    if evicted || runs.out_of_memory() || runs.ended_by().is_some() {
        return None;
    }
    let end = runs.end.as_ref()?;
    let dead = runs.dead.as_deref().unwrap_or(&[]);
    let seen_of_replay = replay(dead);
    let in_replay = seen_of_replay.started && !seen_of_replay.ready;
    let kill = |by, shown| Some(Kill { by, in_replay, shown });

    let object = ObjectRef::new(Kind::Pod, pod.namespace(), pod.name());
    let notes = events::of(seen, &object, pod.uid());
    if let Some((by, note)) = notes.iter().find_map(|note| probe(note, container, end.started)) {
        return kill(by, note.quote());
    }
    let asked = stop_signal(dead);
    if (end.code == KILLED || (asked && end.code == 0))
        && in_replay
        && let Some((by, shown)) = by_time(pod, container, end)
    {
        return kill(by, shown);
    }
    match (end.code, asked) {
        (KILLED, true) => kill(By::GracePeriod, "exit code 137 after a signal to stop".into()),
        (KILLED, false) => {
            kill(By::Nobody, format!("exit code 137, reason {}, no last words", end.reason))
        }
        _ => None,
    }
}

/// The kubelet's note that a probe ends a container, of the last run or a later one
/// (kubernetes `pkg/kubelet/kuberuntime/kuberuntime_manager.go`).
fn probe<'n>(note: &'n Note, container: &str, since: Option<Timestamp>) -> Option<(By, &'n Note)> {
    let of_run = match (note.at, since) {
        (Some(at), Some(since)) => at >= since,
        (None, _) | (_, None) => true,
    };
    let words = note.message.to_ascii_lowercase();
    let own = words.contains(&format!("container {container} failed "))
        || words.contains(&format!("container \"{container}\" failed "));
    if !(own && of_run && words.contains("will be restarted")) {
        return None;
    }
    if words.contains("failed liveness probe") {
        Some((By::LivenessProbe, note))
    } else if words.contains("failed startup probe") {
        Some((By::StartupProbe, note))
    } else {
        None
    }
}

/// Where the events are gone: whether the run lasted just as long as a probe lets it.
fn by_time(pod: &Value, container: &str, end: &End) -> Option<(By, String)> {
    let lasted = end.finished?.as_second() - end.started?.as_second();
    let own = pod.list("/spec/containers").iter().find(|c| c.text("/name") == container)?;
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let rows = [(By::StartupProbe, "startupProbe"), (By::LivenessProbe, "livenessProbe")];
    rows.into_iter().find_map(|(by, name)| {
        let probe = Probe::of(own.get(name)?, spec);
        let (allows, grace) = (probe.allows_seconds(), probe.grace_seconds);
        let period = probe.period_seconds;
        // The first try may come up to a period late, and stopping takes up to the grace period.
        let fits = lasted >= allows - period && lasted <= allows + period + grace + 10;
        fits.then(|| {
            (by, format!("it ran {lasted} s; {name} allows {allows} s, then {grace} s to stop"))
        })
    })
}
