//! The plan that mends a log: the one broken pod is held, a helper writes damaged files anew from
//! what can be read and keeps the old ones, and the pod is let go.

use serde_json::Value;

use super::envelope;
use crate::classes::wal::check::surveyed::{self, count};
use crate::classes::wal::check::uploads;
use crate::model::Snapshot;
use crate::model::object::ObjectExt;
use crate::model::plan::{Blocked, Plan};
use crate::subject::errand::{self, Errand, Volume};
use crate::subject::hold::{self, Hold};
use crate::subject::{Subject, identity, pod, repair, sharers};

pub(super) fn plan(
    subject: &Subject,
    seen: &Snapshot,
    volume: &Volume<'_>,
    hold: &Hold<'_>,
    survey: &Value,
) -> Result<Plan, Blocked> {
    let pod = volume.pod;
    let short = match pod.name() {
        "" => subject.root.short(),
        _ => pod::reference(pod).short(),
    };
    if survey.list("/judged/problems").is_empty() {
        let namespace = pod.namespace();
        return Err(Blocked::no_safe_plan(
            format!("a survey of {} finds no fault in its files", volume.claim.short()),
            &[&if hold::is_held(pod) || pod.name().is_empty() {
                format!("let it start:  kubectl prom-fix undo -n {namespace}")
            } else {
                format!("look again:  kubectl prom-fix {short} -n {namespace}")
            }],
        ));
    }
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let who = match identity::of(spec, &subject.container) {
        Some(who) if who.user != 0 => who,
        Some(_) => return Err(by_hand("it runs as root, and no helper of ours does")),
        None => return Err(by_hand("which user its image runs as is not known: say runAsUser")),
    };
    // One that serves writes on until it is stopped: of it only the faults are agreed to.
    let agreed = survey.text("/agreement");
    let faults = agreed.split(':').next().unwrap_or("");
    let writes = pod::is_ready(pod).then(|| format!("{faults}:0"));
    let agreement = writes.as_deref().unwrap_or(agreed);
    if agreed.is_empty() {
        return Err(by_hand("the agent's survey is of another version"));
    }
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let errand = Errand {
        volume,
        name: "salvage",
        command: "salvage",
        arguments: words(&["--expect", agreement, "--go-on"]),
        run_as: who,
        writes: true,
        back: Some(words(&["restore", "--of", agreement])),
        why: format!("write what is damaged on {} anew; keep the old files", volume.claim.short()),
    };
    let lockless = alone_without_lock(subject, seen, volume)?;
    let mut steps = hold.down();
    steps.extend(errand::steps(seen, &errand));
    steps.extend(hold.up());
    let title = match survey.number("/orphans/samples") {
        // How many of them anybody will see stands with the data.
        Some(1..) => format!("mend the log of {short}, and keep what can be read"),
        _ => {
            let kept = count(survey, "/judged/kept/fragment/samples");
            format!("mend the log of {short}, and keep {kept} samples")
        }
    };
    let mut plan = repair::beside(subject, seen, "wal", &title, steps);
    plan.impact = hold.impact();
    plan.impact.data = data(survey, pod, lockless.as_deref());
    plan.impact.beyond = envelope::beyond(survey);
    plan.inputs = [vec!["--inspect".into()], hold.inputs()].concat();
    plan.doubts.extend(hold.doubts());
    plan.takes = "a few minutes, and its replay".into();
    plan.undo = "yes; it holds the pod again and puts the old files back".into();
    Ok(plan)
}

/// What becomes of the data.
fn data(survey: &Value, pod: &Value, lockless: Option<&str>) -> String {
    let kept = |policy: &str| count(survey, &format!("/judged/kept/{policy}/samples"));
    let nameless = surveyed::nameless(survey).map(|says| format!("; of these {says}"));
    let mut says = format!(
        "{} samples of its log are kept ({} by Prometheus' own start){}; the old files stay on the \
         volume, in prom-fix-<time>/",
        kept("fragment"),
        kept("prometheus"),
        nameless.unwrap_or_default()
    );
    let blocks = surveyed::given_up(survey);
    if let Some(first) = blocks.first() {
        let more = match blocks.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        says.push_str(&format!("; moved aside, and not served: {first}{more}"));
    }
    if let Some(only) = uploads::only_here(surveyed::uploads(survey).as_ref(), pod) {
        says.push_str(&format!("; {only}"));
    }
    if let Some(flag) = lockless {
        let only = "it takes no lock, and only the hold keeps it from the files meanwhile";
        says.push_str(&format!("; with {flag} {only}"));
    }
    says
}

/// Prometheus' own word for it, of a server and of an agent.
pub(super) const LOCKLESS: [&str; 2] = ["storage.tsdb.no-lockfile", "storage.agent.no-lockfile"];

/// Where it takes no lock, the helper's own tells nobody: then no other pod may have the claim.
fn alone_without_lock(
    subject: &Subject,
    seen: &Snapshot,
    volume: &Volume<'_>,
) -> Result<Option<String>, Blocked> {
    let flag = LOCKLESS.into_iter().find(|flag| subject.flags.is_on(flag) == Some(true));
    let Some(flag) = flag.map(|flag| format!("--{flag}")) else { return Ok(None) };
    let claim = volume.claim.short();
    let refuse = |why: &str, way: &str| {
        Err(Blocked::no_safe_plan(format!("with {flag} no lock keeps {why}"), &[way]))
    };
    let Some(sharers) = sharers::of(subject, seen, volume.pod) else { return Ok(Some(flag)) };
    if let Some(unread) = sharers.unread {
        let why = format!("others from {claim}, and who mounts it is not known (pods: {unread})");
        return refuse(&why, "ask for the verb list on pods in its namespace");
    }
    match sharers.all.iter().find(|sharer| sharer.writes) {
        Some(other) => {
            let other = pod::reference(other.pod).short();
            let why = format!("{other} from {claim}, which it mounts to write");
            refuse(&why, &format!("stop {other} first, or start Prometheus without the flag"))
        }
        None => Ok(Some(flag)),
    }
}

fn by_hand(why: &str) -> Blocked {
    Blocked::no_safe_plan(
        why,
        &["freeze it, and mend a copy of the volume:  kubectl prom-fix wal --data DIR --apply"],
    )
}
