//! A probe that ends each replay before it can finish: how long it allows, and how long the replay
//! takes.

use serde_json::Value;

use super::pod_name;
use crate::model::log::kill::By;
use crate::model::log::pace::{self, Pace};
use crate::model::log::{Kill, Line, Runs, kill};
use crate::model::object::ObjectExt;
use crate::model::probe::Probe;
use crate::model::{Code, Finding, Severity, Snapshot};
use crate::subject::{Subject, pod};

pub const CODE: Code = Code("wal/probe-kills-replay");

/// A run that a probe ended in its replay.
pub struct Killed {
    pub kill: Kill,
    /// `startupProbe` or `livenessProbe`.
    pub name: &'static str,
    /// As the pod has it; a template may say another by now.
    pub probe: Option<Probe>,
    pub pace: Option<Pace>,
    /// From its start to its end, and the replay was not done.
    pub ran_seconds: Option<i64>,
}

impl Killed {
    /// How long a start takes, where that can be told: never less than it ran in vain.
    pub fn needs_seconds(&self) -> Option<i64> {
        self.pace.map(|pace| pace.whole_seconds.max(self.ran_seconds.unwrap_or(0)))
    }

    fn needs(&self) -> String {
        let Some((pace, seconds)) = self.pace.zip(self.needs_seconds()) else {
            return match self.ran_seconds {
                Some(ran) => {
                    format!("more than {ran} s; how much more, no loaded segment tells")
                }
                None => "how long, no loaded segment tells".to_owned(),
            };
        };
        let Pace { loaded, all, spent_seconds, .. } = pace;
        format!("about {seconds} s: it had {loaded} of {all} segments after {spent_seconds} s")
    }
}

pub fn look(subject: &Subject, seen: &Snapshot, pod: &Value, runs: &Runs) -> Option<Killed> {
    let kill = kill::of(seen, pod, &subject.container, runs)?;
    let name = match kill.by {
        By::LivenessProbe => "livenessProbe",
        By::StartupProbe => "startupProbe",
        By::GracePeriod | By::Nobody => return None,
    };
    if !kill.in_replay {
        return None;
    }
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let probe = container(subject, pod).and_then(|own| own.get(name));
    let end = runs.end.as_ref();
    let ran = end.and_then(|end| Some(end.finished?.as_second() - end.started?.as_second()));
    Some(Killed {
        kill,
        name,
        probe: probe.map(|probe| Probe::of(probe, spec)),
        pace: runs.dead.as_deref().and_then(pace::of),
        ran_seconds: ran.filter(|seconds| *seconds > 0),
    })
}

fn container<'a>(subject: &Subject, pod: &'a Value) -> Option<&'a Value> {
    pod.list("/spec/containers").iter().find(|c| c.text("/name") == subject.container)
}

/// The finding.
pub fn of(subject: &Subject, seen: &Snapshot, pod: &Value, runs: &Runs) -> Option<Finding> {
    let killed = look(subject, seen, pod, runs)?;
    // A pod that is ready has made it, this time.
    let weight = if runs.ready { Severity::Warn } else { Severity::Error };
    let says = format!("is killed by its {} before the WAL is replayed", killed.name);
    let mut finding = Finding::new(CODE, &pod::reference(pod), weight, says);
    let needs = killed.needs();
    if let Some(probe) = killed.probe {
        let Probe { tries, period_seconds, grace_seconds, .. } = probe;
        let allows = probe.allows_seconds();
        let each = match tries {
            1 => "one try".to_owned(),
            more => format!("{more} tries, one every {period_seconds} s"),
        };
        finding = finding.with("it allows", format!("{allows} s: {each}"));
        finding = finding
            .with("", format!("then {grace_seconds} s to stop, which does not interrupt a replay"));
    }
    finding = finding.with("it takes", needs).with("killed", killed.kill.shown);
    let cpu = container(subject, pod).map_or("", |own| own.text("/resources/limits/cpu"));
    if !cpu.is_empty() {
        finding =
            finding.with("CPU limit", format!("{cpu}; a replay uses as many cores as it may"));
    }
    if let Some(line) = runs.dead.as_deref().and_then(<[Line]>::last) {
        finding = finding.with("log, last line", line.quote());
    }
    finding = runs.tell_end(finding, seen.clock);
    Some(if runs.ready { finding } else { finding.stopping(pod_name(pod)) })
}
