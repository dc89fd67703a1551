//! The plan that gives a replay the time it needs: the probe that kills it waits longer, or is held
//! off by one that does.

use serde_json::Value;

use super::super::check::killed::{self, Killed};
use super::ways;
use crate::classes::BUDGET;
use crate::model::log::events::{self, Note};
use crate::model::log::kill::By;
use crate::model::log::runs;
use crate::model::object::ObjectExt;
use crate::model::probe::Probe;
use crate::model::{Blocked, Finding, Need, ObjectRef, Plan, Snapshot};
use crate::subject::repair::{self, Draft};
use crate::subject::rollout::Wanted;
use crate::subject::{Subject, operator, pod, startup, template};

/// Segments differ in size, and the next start has to load one more.
const MARGIN: i64 = 2;

/// What is asked for where nothing tells how long a replay takes: as long as prometheus-operator
/// gives it by default.
const GUESS_SECONDS: i64 = 900;

/// What the plan needs to see beside what its class does.
pub(super) fn needs(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let mut out = repair::needs(subject, seen);
    out.extend(operator::definition_need(subject));
    out
}

pub(super) fn plan(
    subject: &Subject,
    seen: &Snapshot,
    root: &Finding,
    asked: Option<i64>,
) -> Result<Plan, Blocked> {
    let blocked = |why: String| {
        let ways = ways::of(root.code.0).iter().map(|way| (*way).to_owned()).collect();
        Blocked { ways, ..Blocked::no_safe_plan(why, &[]) }
    };
    repair::has_template(
        subject,
        "the probes",
        "its probes are not yours to set; more CPU makes a replay quicker: prometheusK8s.resources (user \
         workload: prometheus.resources) in the ConfigMap cluster-monitoring-config",
        "ask the vendor: its probes are not yours to set",
    )?;
    let pod = subject.pods.iter().find(|p| p.name() == root.object.name);
    let pod = pod.ok_or_else(|| blocked("the pod is gone".into()))?;
    let run = runs::of(seen, pod, &subject.container);
    let killed = killed::look(subject, seen, pod, &run)
        .ok_or_else(|| blocked("what killed it is not told any more".into()))?;
    if let Some(answer) = answered_otherwise(seen, pod, &killed) {
        return Err(blocked(format!(
            "more time does not change what its probe is answered: {answer}"
        )));
    }
    let acts = repair::acts(subject, seen)?;
    let mut draft =
        Draft { class: "wal", doubts: acts.doubt.into_iter().collect(), ..Draft::default() };
    if let Some(why) = newer_template(subject, pod, &killed).filter(|_| asked.is_none()) {
        repair::follows_template(subject, pod.name())?;
        draft.title = format!("restart the pod: {why}");
        draft.wanted = Wanted { why, ..Wanted::default() };
        return repair::plan(subject, seen, draft);
    }
    let allows = killed.probe.map_or(0, |probe| probe.allows_seconds());
    let Budget { seconds, why } = Budget::of(&killed, allows, asked);
    if seconds <= allows {
        return Err(blocked(format!("{seconds} s are not more than the {allows} s it has now")));
    }
    draft.title = format!("let it start for {}: {why}", length(seconds));
    draft.wanted = wanted(subject, seen, killed.kill.by, seconds)
        .ok_or_else(|| blocked("its owner has no place for the times of a startup probe".into()))?;
    draft.inputs = vec![BUDGET.flag(), seconds.to_string()];
    let mut plan = repair::plan(subject, seen, draft)?;
    plan.takes = takes(&plan, &killed);
    Ok(plan)
}

fn wanted(subject: &Subject, seen: &Snapshot, by: By, seconds: i64) -> Option<Wanted> {
    let more = startup::more(subject, seen, by, seconds)?;
    let held_off = match by {
        By::LivenessProbe => "; its liveness probe stays, and is asked after that",
        By::StartupProbe | By::GracePeriod | By::Nobody => "",
    };
    Some(Wanted {
        changes: more.changes,
        rendered: more.rendered,
        shows: more.shows,
        why: format!("its startup probe waits {} for the replay{held_off}", length(seconds)),
        ..Wanted::default()
    })
}

/// A replay for each pod that restarts.
fn takes(plan: &Plan, killed: &Killed) -> String {
    let pods = i64::try_from(plan.impact.restarts.len().max(1)).unwrap_or(1);
    match killed.needs_seconds() {
        Some(seconds) => format!("about {} min, most of it replay", (seconds * pods) / 60 + pods),
        None => "as long as the replay".into(),
    }
}

/// The time that is asked for.
struct Budget {
    seconds: i64,
    why: String,
}

impl Budget {
    /// What a replay takes, with a margin, at least twice what it has now, in whole minutes. Never
    /// less than two: a period is up to a minute, and the first try may come at once.
    fn of(killed: &Killed, allows: i64, asked: Option<i64>) -> Budget {
        let whole = |seconds: i64| seconds.saturating_add(59) / 60 * 60;
        let doubled = allows.saturating_mul(2);
        if let Some(seconds) = asked {
            return Budget { seconds, why: "as asked for".into() };
        }
        match killed.needs_seconds() {
            Some(takes) => Budget {
                seconds: whole(takes.saturating_mul(MARGIN).max(doubled).max(120)),
                why: format!("its replay takes about {}", length(takes)),
            },
            None => {
                let ran = killed.ran_seconds.unwrap_or(0).saturating_mul(2);
                Budget {
                    seconds: whole(doubled.max(ran).max(GUESS_SECONDS)),
                    why: "a guess, for nothing tells how long its replay takes".into(),
                }
            }
        }
    }
}

fn length(seconds: i64) -> String {
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", (seconds + 59) / 60) }
}

/// A template that gives the replay its time already: its set waits for this pod to become Ready
/// before it replaces it, which it never will.
fn newer_template(subject: &Subject, pod: &Value, killed: &Killed) -> Option<String> {
    let is_set = pod.controller().is_some_and(|owner| owner.kind == "StatefulSet");
    let spec = subject.workloads.first().filter(|_| is_set)?.pointer(template::SPEC)?;
    let index = template::container(subject, spec)?;
    let probe = Probe::of(spec.pointer(&format!("/containers/{index}/startupProbe"))?, spec);
    let has = killed.probe.filter(|_| killed.name == "startupProbe")?.allows_seconds();
    let given = probe.allows_seconds();
    let enough = killed.needs_seconds().is_none_or(|takes| given >= takes.saturating_mul(MARGIN));
    (given > has && enough).then(|| {
        format!("its template lets it start for {} already, and it is from before", length(given))
    })
}

/// What a probe was answered, where that is not what a replay answers: 503, or nothing.
fn answered_otherwise(seen: &Snapshot, pod: &Value, killed: &Killed) -> Option<String> {
    let object: ObjectRef = pod::reference(pod);
    let words = match killed.kill.by {
        By::StartupProbe => "Startup probe failed",
        By::LivenessProbe => "Liveness probe failed",
        By::GracePeriod | By::Nobody => return None,
    };
    let notes = events::of(seen, &object, pod.uid());
    let answer = |note: &&Note| {
        note.message.starts_with(words) && note.message.contains("with statuscode: ")
    };
    let last = notes.iter().find(answer)?;
    (!last.message.contains("statuscode: 503")).then(|| last.quote())
}
