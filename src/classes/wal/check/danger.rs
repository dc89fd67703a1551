//! Where the next start of a pod deletes what can still be read: what, when, and how to keep it
//! from starting.

use serde_json::Value;

use super::damage::{self, Loss, Told};
use super::files;
use crate::model::Snapshot;
use crate::model::finding::Danger;
use crate::model::log::{Runs, replay};
use crate::subject::{Subject, hold, pod};

/// When the start comes; the order is that of haste.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// It replays, and has not come to the damage.
    UnderWay,
    /// In so many seconds; 0: any moment.
    In(i64),
    Later,
    /// It runs and goes on until somebody restarts it.
    Restart,
}

/// The danger that a pod is in.
pub fn of(subject: &Subject, seen: &Snapshot, pod: &Value, runs: &Runs) -> Option<(When, Danger)> {
    // A pod on its way out cannot be held any more, or is held.
    if pod::is_terminating(pod) {
        return None;
    }
    let told = |lines: Option<&[_]>| lines.map_or(Told::Nothing, damage::told);
    let (loss, when) = match told(runs.now.as_deref()) {
        Told::Left(loss) => (loss, When::Restart),
        // It repairs at this moment, or has.
        Told::Met(_) | Told::Settled => return None,
        Told::Nothing if past_replay(runs) => return None,
        Told::Nothing => {
            let by_log = match told(runs.dead.as_deref()) {
                Told::Met(loss) | Told::Left(loss) => Some(loss),
                Told::Settled | Told::Nothing => None,
            };
            // What was seen in the files is of now, and more exact than what was logged of them.
            let loss = files::told(subject, seen, pod).or(by_log)?;
            (loss, when(subject, seen, pod, runs))
        }
    };
    let hold = hold::of(subject, seen, pod);
    let cannot = hold.as_ref().err().map_or(String::new(), |blocked| {
        let way = blocked.ways.first().map_or(String::new(), |way| format!(": {way}"));
        format!("; {}{way}", blocked.why)
    });
    let says = format!("{} {}{cannot}", start(when), takes(loss));
    let pod = pod::reference(pod);
    Some((when, Danger { pod, says, serves: runs.ready, can_hold: hold.is_ok() }))
}

/// One danger for the report: the most urgent, with the others named.
pub fn first(mut all: Vec<(When, Danger)>) -> Option<Danger> {
    all.sort_by_key(|(when, _)| *when);
    let mut all = all.into_iter().map(|(_, danger)| danger);
    let mut first = all.next()?;
    for other in all {
        first.says.push_str(&format!("; {} is in the same danger", other.pod.short()));
    }
    Some(first)
}

fn past_replay(runs: &Runs) -> bool {
    let now = runs.now.as_deref().map(replay).unwrap_or_default();
    runs.ready || now.done || now.ready
}

/// When a container that ended is started again. The kubelet counts from its end, 10 s doubled
/// with each restart up to 300 s, and says the span (kubernetes pkg/kubelet/kubelet.go
/// `backOffPeriod`, `MaxContainerBackOff`; pkg/kubelet/kuberuntime/kuberuntime_manager.go
/// `doBackOff`). A node may be set to other numbers, so what it says is asked first.
fn when(subject: &Subject, seen: &Snapshot, pod: &Value, runs: &Runs) -> When {
    use pod::Doing;
    const FIRST: i64 = 10;
    const MOST: i64 = 300;
    if runs.running {
        return When::UnderWay;
    }
    match pod::container(pod, &subject.container).map(|container| container.doing) {
        Some(Doing::Running { .. }) => When::UnderWay,
        Some(Doing::Ended(_)) => When::In(0),
        Some(Doing::Waiting { reason, message }) if reason == "CrashLoopBackOff" => {
            let Some(finished) = runs.end.as_ref().and_then(|end| end.finished) else {
                return When::Later;
            };
            let doubled = || match u32::try_from(runs.restarts - 1) {
                Ok(times) => (FIRST << times.min(5)).min(MOST),
                Err(_) => 0,
            };
            let span = said(&message).unwrap_or_else(doubled);
            // Of a clock that is behind the node's: no longer than the whole of it.
            When::In((finished.as_second() + span - seen.clock.as_second()).clamp(0, span.max(0)))
        }
        Some(Doing::Waiting { .. } | Doing::Unreported) | None => When::Later,
    }
}

/// The seconds of `back-off 2m40s restarting failed container=…`.
fn said(message: &str) -> Option<i64> {
    let (span, _) = message.strip_prefix("back-off ")?.split_once(" restarting failed")?;
    let (minutes, rest) = span.split_once('m').unwrap_or(("0", span));
    let seconds = rest.strip_suffix('s')?.parse::<i64>().ok()?;
    minutes.parse::<i64>().ok()?.checked_mul(60)?.checked_add(seconds)
}

fn start(when: When) -> String {
    match when {
        When::UnderWay => "its start, which is under way,".into(),
        When::In(0) => "its next start (due now)".into(),
        When::In(seconds @ 1..60) => format!("its next start (in about {seconds}s)"),
        When::In(seconds) => {
            format!("its next start (in about {}m{:02}s)", seconds / 60, seconds % 60)
        }
        When::Later => "its next start".into(),
        When::Restart => "a restart".into(),
    }
}

fn takes(loss: Loss) -> String {
    let of = |checkpoint: Option<u64>| checkpoint.map_or(String::new(), |n| format!(" {n}"));
    match loss {
        Loss::After { at, last: Some(last) } if last == at => {
            format!("deletes the rest of WAL segment {at} after the damage")
        }
        Loss::After { at, last: Some(last) } if last == at + 1 => {
            format!("deletes WAL segment {last} and the rest of {at}")
        }
        Loss::After { at, last: Some(last) } => {
            format!("deletes WAL segments {}-{last} and the rest of {at}", at + 1)
        }
        Loss::After { at, last: None } => {
            format!("deletes every WAL segment after {at}, and the rest of {at}")
        }
        Loss::AllSegments { checkpoint } => {
            format!("deletes the WAL segments after the damaged checkpoint{}", of(checkpoint))
        }
        Loss::Checkpoint { checkpoint } => format!(
            "comes up without most of WAL checkpoint{}, which can still be read (the segments \
             after it are deleted already)",
            of(checkpoint)
        ),
        Loss::Wbl { at } => format!(
            "deletes what can still be read of the out-of-order log (wbl) behind the damage in {at}"
        ),
        Loss::Faults(1) => {
            "may cut the log at the fault that an inventory met in it, and delete what \
                            comes after it; wal --inspect tells what that is"
                .into()
        }
        Loss::Faults(faults) => format!(
            "may cut the log at the first of {faults} faults that an inventory met in it, and delete \
             what comes after it; wal --inspect tells what that is"
        ),
        Loss::Snapshot => "deletes a snapshot of the head (chunk_snapshot) that may hold what the \
                           log does not: it is for a segment behind the last"
            .into(),
        Loss::ByWbl { at } => format!(
            "deletes every WAL segment after {at}, though it is the out-of-order log (wbl) that \
             is damaged"
        ),
    }
}
