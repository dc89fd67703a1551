//! The runs of one container, the one that goes on and the one that ended before it, each with
//! its log. Knows which log of the kubelet tells of which run; concludes nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::sign::{self, Sign};
use super::{Line, lines, replay};
use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::{Finding, Need, Severity, Snapshot};

/// A crash that is older than this, on a pod that is ready, is history.
pub const RECENT_SECONDS: i64 = 3600;

/// Why a log tells nothing.
pub const EMPTY: &str = "it is empty";

/// Logs are read of so many pods at most.
pub const MOST_PODS: usize = 2;

#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// The kubelet says that the pod is ready.
    pub ready: bool,
    /// The container runs now.
    pub running: bool,
    pub since: Option<Timestamp>,
    pub restarts: i64,
    /// How the last run ended; `None` where none did.
    pub end: Option<End>,
    /// What the present run logged.
    pub now: Option<Vec<Line>>,
    /// What the run that ended logged; where its log is not at hand, the kubelet's copy of its
    /// end (`terminationMessagePolicy: FallbackToLogsOnError`).
    pub dead: Option<Vec<Line>>,
    /// Why the log of the run that ended could not be read.
    pub dead_unread: Option<String>,
    /// Why the log of the present run could not be read.
    pub now_unread: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub code: i64,
    pub reason: String,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
}

/// `1 restart`, `4 restarts`.
pub fn restarts(count: i64) -> String {
    format!("{count} restart{}", if count == 1 { "" } else { "s" })
}

/// The logs to read of the pods that are [`chosen`].
pub fn needs<'a>(
    pods: impl IntoIterator<Item = &'a Value>,
    container: &str,
    seen: &Snapshot,
) -> Vec<Need> {
    let chosen = chosen(pods, container, seen.clock);
    chosen.into_iter().flat_map(|pod| logs(seen, pod, container)).collect()
}

/// Pods that are not ready, and those that became ready again after an end within the hour: what
/// the run before said, and whether this one had to repair anything.
pub fn chosen<'a>(
    pods: impl IntoIterator<Item = &'a Value>,
    container: &str,
    clock: Timestamp,
) -> Vec<&'a Value> {
    let mut chosen: Vec<(&Value, Runs)> = pods
        .into_iter()
        .map(|pod| (pod, status(pod, container)))
        .filter(|(_, runs)| runs.running || runs.end.is_some())
        .filter(|(_, runs)| !runs.ready || runs.ended_recently(clock))
        .collect();
    chosen.sort_by_key(|(_, runs)| runs.ready);
    chosen.into_iter().take(MOST_PODS).map(|(pod, _)| pod).collect()
}

/// The logs of one container that tell of its runs. While it does not run, the current log is that
/// of the run that ended, until the next one starts, which may be while the logs are read: the
/// previous one is asked for where the current one says nothing, or was begun after that end.
pub fn logs(seen: &Snapshot, pod: &Value, container: &str) -> Vec<Need> {
    let runs = status(pod, container);
    let tells_nothing = || match seen.log(pod, container, false) {
        Got::Known(text) => text.trim().is_empty() || runs.began_later(&lines(text)).is_some(),
        Got::Absent | Got::Unreadable(_) => true,
        Got::NotAsked => false,
    };
    let mut out = vec![Need::log(pod, container, false)];
    if runs.end.is_some() && (runs.running || tells_nothing()) {
        out.push(Need::log(pod, container, true));
    }
    out
}

/// The runs of a container, with the logs that were read.
pub fn of(seen: &Snapshot, pod: &Value, container: &str) -> Runs {
    let mut runs = as_counted(seen, pod, container);
    // Its last words are in its log before the kubelet says that it has ended.
    if !runs.ready && runs.now.as_deref().is_some_and(|now| sign::ended_by(now).is_some()) {
        runs.running = false;
        runs.dead = runs.now.take();
        runs.dead_unread = None;
    }
    runs
}

/// The same, where the run that ended is the one whose end the kubelet tells.
pub fn as_counted(seen: &Snapshot, pod: &Value, container: &str) -> Runs {
    let mut runs = status(pod, container);
    let log = |previous| seen.log(pod, container, previous);
    let mut current = log(false).known().map(lines);
    // The next start came between the read of the status and that of the log.
    if let Some(began) = current.as_deref().and_then(|lines| runs.began_later(lines))
        && !runs.running
    {
        runs.running = true;
        runs.since = Some(began);
    }
    if runs.running {
        runs.now = current.take();
        runs.now_unread = log(false).unreadable().map(str::to_owned);
    }
    if runs.end.is_none() {
        return runs;
    }
    // While a container waits to be started again, its current log is that of the run that ended
    // (kubernetes pkg/kubelet/kubelet_pods.go, validateContainerLogStatus).
    let previous = log(true).known().map(lines);
    let known = current.into_iter().chain(previous).filter(|lines| !lines.is_empty());
    let known: Vec<Vec<Line>> = known.collect();
    // Whatever an earlier run said last: a kill for memory has no words.
    let words = |lines: &Vec<Line>| !runs.out_of_memory() && sign::ended_by(lines).is_some();
    let telling = known.iter().position(words).unwrap_or(0);
    runs.dead = known.into_iter().nth(telling).or_else(|| message(pod, container));
    if runs.dead.is_none() {
        let order: &[bool] = if runs.running { &[true] } else { &[false, true] };
        let why = order.iter().find_map(|previous| match log(*previous) {
            Got::Unreadable(why) => Some(why.to_owned()),
            Got::Absent => Some("the kubelet no longer has it".to_owned()),
            Got::Known(_) => Some(EMPTY.to_owned()),
            Got::NotAsked => None,
        });
        runs.dead_unread = why;
    }
    runs
}

impl Runs {
    /// What ended the last run, by its own words. An OOM kill has no last words; whatever stands
    /// in such a log did not end it.
    pub fn ended_by(&self) -> Option<(Sign, &Line)> {
        if self.out_of_memory() {
            return None;
        }
        sign::ended_by(self.dead.as_deref()?)
    }

    pub fn out_of_memory(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.reason == "OOMKilled")
    }

    /// Whether the present run came as far as the replay.
    pub fn reached_replay(&self) -> bool {
        let now = self.now.as_deref().map(replay).unwrap_or_default();
        self.ready || now.started || now.done || now.ready
    }

    pub fn ended_recently(&self, clock: Timestamp) -> bool {
        let ended = self.end.as_ref().and_then(|end| end.finished);
        ended.is_some_and(|at| clock.as_second() - at.as_second() <= RECENT_SECONDS)
    }

    /// When a log was begun, if that is after the end of the last run, which is told in whole seconds.
    fn began_later(&self, lines: &[Line]) -> Option<Timestamp> {
        let ended = self.end.as_ref().and_then(|end| end.finished)?;
        let began = lines.iter().find_map(|line| line.ts().parse::<Timestamp>().ok())?;
        (began > ended + SignedDuration::from_secs(1)).then_some(began)
    }

    /// How much an end of the last run weighs: an error while the pod is down for it, or comes up
    /// only to end again; a warning where the present run got past it.
    pub fn weight(&self, sign: &Sign, clock: Timestamp) -> Severity {
        let past = self.reached_replay() && sign.before_replay();
        let again = self.restarts > 1 && self.ended_recently(clock);
        if past || (self.ready && !again) { Severity::Warn } else { Severity::Error }
    }

    /// Adds to a finding what the line said, how the run ended and when; and that it stops the
    /// pod, where it does.
    #[must_use]
    pub fn tell(&self, finding: Finding, line: &Line, clock: Timestamp) -> Finding {
        let pod = finding.object.name.clone();
        let finding = self.tell_end(finding.with("log", line.quote()), clock);
        let stops = !self.ready && finding.severity == Severity::Error;
        if stops { finding.stopping(&pod) } else { finding }
    }

    /// Adds how the last run ended and when.
    #[must_use]
    pub fn tell_end(&self, finding: Finding, clock: Timestamp) -> Finding {
        let Some(End { code, reason, finished, .. }) = &self.end else { return finding };
        let reason = if reason.is_empty() { "no reason given" } else { reason.as_str() };
        let when = finished.map_or(String::new(), |at| format!("{at} ({}): ", age(at, clock)));
        let restarts = restarts(self.restarts);
        finding.with("last end", format!("{when}exit code {code}, {reason}, {restarts}"))
    }
}

/// `3 min ago`.
pub fn age(at: Timestamp, clock: Timestamp) -> String {
    let seconds = (clock.as_second() - at.as_second()).max(0);
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7199 => format!("{} min ago", seconds / 60),
        7200..=172_799 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

fn container_status<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let all = ["/status/containerStatuses", "/status/initContainerStatuses"];
    all.iter().flat_map(|at| pod.list(at)).find(|s| s.text("/name") == container)
}

fn status(pod: &Value, container: &str) -> Runs {
    let conditions = pod.list("/status/conditions");
    let ready = conditions.iter().find(|c| c.text("/type") == "Ready");
    let Some(status) = container_status(pod, container) else { return Runs::default() };
    let ended = ["/state/terminated", "/lastState/terminated"];
    let ended = ended.iter().find_map(|at| status.pointer(at));
    Runs {
        ready: pod.pointer("/metadata/deletionTimestamp").is_none()
            && ready.is_some_and(|c| c.text("/status") == "True"),
        running: status.pointer("/state/running").is_some(),
        since: status.text("/state/running/startedAt").parse().ok(),
        restarts: status.number("/restartCount").unwrap_or(0),
        end: ended.map(|end| End {
            code: end.number("/exitCode").unwrap_or(-1),
            reason: end.text("/reason").into(),
            started: end.text("/startedAt").parse().ok(),
            finished: end.text("/finishedAt").parse().ok(),
        }),
        ..Runs::default()
    }
}

fn message(pod: &Value, container: &str) -> Option<Vec<Line>> {
    let status = container_status(pod, container)?;
    let ended = ["/state/terminated/message", "/lastState/terminated/message"];
    let text = ended.iter().map(|at| status.text(at)).find(|text| !text.trim().is_empty())?;
    Some(lines(text))
}
