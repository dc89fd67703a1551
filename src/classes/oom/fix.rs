//! The plan that heals a kill for memory.

use super::budget::{self, Raise};
use super::check;
use super::docs::{NODE, QUERY, REPLAY, SIDECAR};
use super::kill::{self, Kill};
use super::landing::{self, Landing};
use super::preflight;
use super::size::{self, Chosen};
use crate::model::finding::{Finding, Severity};
use crate::model::object::ObjectExt;
use crate::model::plan::{Action, Blocked, BlockedReason, Next, Plan};
use crate::model::quantity::{parse_bytes, write_bytes};
use crate::model::{Code, Got, Kind, ObjectRef, Snapshot};
use crate::subject::operator::{self, Operator};
use crate::subject::rollout::{self, Wanted};
use crate::subject::{Subject, Version, commit, manager};

/// prometheus-operator 0.88.0 gave its resources `spec.updateStrategy`.
const KNOWS_STRATEGY: Version = Version::new(0, 88, 0);

pub fn next(subject: &Subject, seen: &Snapshot, found: &[Finding], given: Option<&str>) -> Next {
    let ours = |f: &&Finding| {
        f.code.class() == "oom" && f.severity == Severity::Error && f.because.is_none()
    };
    let Some(root) = found.iter().find(ours) else { return Next::Done };
    match plan(subject, seen, root.code, given) {
        Ok(plan) => Next::Fix(plan),
        Err(blocked) => Next::Blocked(blocked),
    }
}

fn blocked(why: impl Into<String>, ways: &[&str]) -> Blocked {
    Blocked {
        reason: BlockedReason::NoSafePlan,
        why: why.into(),
        ways: ways.iter().map(|w| (*w).to_owned()).collect(),
    }
}

fn plan(
    subject: &Subject,
    seen: &Snapshot,
    code: Code,
    given: Option<&str>,
) -> Result<Plan, Blocked> {
    if code == QUERY && given.is_none() {
        return Err(blocked(
            "a query took the memory: a larger limit is eaten by the next one",
            &[
                "lower --query.max-samples (operator: spec.query.maxSamples)",
                "mend the query that the finding names",
                "oom --memory LIMIT  makes a plan all the same",
            ],
        ));
    }
    let kills = kill::all(subject);
    let kill = kills.iter().find(|k| k.of_prometheus != (code == SIDECAR));
    let container = kill.map_or(subject.container.as_str(), |k| k.state.name.as_str());
    let killed_limit = kill.and_then(|k| k.limit.as_ref());
    let whole_pod = killed_limit.is_some_and(|l| l.of_pod);
    let landing = landing::find(subject, container, whole_pod)?;
    if let Some(plan) = stuck(subject, seen, kill, &landing, given)? {
        return Ok(plan);
    }
    let chosen = choose(subject, seen, code, kill, &landing, given)?;
    let doubts = preflight::check(subject, seen, container, &chosen)?;
    let knows_strategy = operator_acts(subject, seen)?;
    let sets_limit = code != NODE || given.is_some_and(|g| g.contains(','));
    let old = killed_limit.map_or("unset".to_owned(), |l| l.text.clone());
    let title = title(code, container, &old, &chosen, sets_limit);
    let mut wanted = landing.wanted(subject, &chosen, sets_limit, &title);
    if let Some(raise) = kill.filter(|_| code == REPLAY).and_then(|k| raise(subject, seen, k)) {
        wanted.changes.extend(Raise::changes(&raise.on_root));
        wanted.rendered.extend(Raise::changes(&raise.rendered));
        wanted.why = format!("{}; {}", wanted.why, raise.why);
    }
    let memory = match &chosen.request {
        Some(request) if sets_limit => format!("{},{request}", chosen.limit),
        _ => chosen.limit.clone(),
    };
    let inputs = vec!["--memory".to_owned(), memory];
    let mut plan = assemble(subject, seen, &wanted, knows_strategy)?;
    (plan.title, plan.inputs, plan.doubts) = (title, inputs, doubts);
    Ok(plan)
}

fn raise(subject: &Subject, seen: &Snapshot, kill: &Kill<'_>) -> Option<Raise> {
    let lines = check::lines_of(seen, kill);
    budget::check(subject, kill, budget::estimate(&lines)?)
}

/// Somebody has raised the limit already, and the pod still runs with the old one: its set waits
/// for it to become Ready before it replaces it, which it never will. No patch, only a restart.
fn stuck(
    subject: &Subject,
    seen: &Snapshot,
    kill: Option<&Kill<'_>>,
    landing: &Landing,
    given: Option<&str>,
) -> Result<Option<Plan>, Blocked> {
    let killed = kill.and_then(|k| k.limit.as_ref()).map(|l| l.bytes);
    let (Some(killed), Some(set), None) = (killed, landing.old_limit.as_ref(), given) else {
        return Ok(None);
    };
    if parse_bytes(set).is_none_or(|set| set <= killed) {
        return Ok(None);
    }
    let title =
        format!("restart the pod: its limit is {set} already, and it still runs with the old");
    let wanted = Wanted { changes: Vec::new(), rendered: Vec::new(), why: title.clone() };
    let mut plan = assemble(subject, seen, &wanted, false)?;
    plan.title = title;
    Ok(Some(plan))
}

fn title(code: Code, container: &str, old: &str, chosen: &Chosen, sets_limit: bool) -> String {
    let of = if code == SIDECAR { format!(" of {container}") } else { String::new() };
    if sets_limit {
        format!("raise the memory limit{of} from {old} to {}", chosen.limit)
    } else {
        let request = chosen.request.as_ref().unwrap_or(&chosen.limit);
        format!("ask for {request} of memory{of}, so that a node has it")
    }
}

/// A sidecar's need is not the head's: twice what it was killed at.
fn choose(
    subject: &Subject,
    seen: &Snapshot,
    code: Code,
    kill: Option<&Kill<'_>>,
    landing: &Landing,
    given: Option<&str>,
) -> Result<Chosen, Blocked> {
    let limit = kill.and_then(|k| k.limit.as_ref()).map(|l| l.bytes);
    let estimate = if code == SIDECAR { None } else { size::estimate(subject, seen, limit) };
    if code == SIDECAR && given.is_none() {
        let old = limit.ok_or_else(|| {
            blocked("the sidecar has no limit of its own: the node was out of memory", &[])
        })?;
        let doubled = write_bytes(old * 2);
        return Ok(Chosen { limit: doubled, request: None, given: false });
    }
    let chosen = size::choose(
        estimate.as_ref(),
        given,
        landing.old_limit.as_deref(),
        landing.old_request.as_deref(),
    )
    .map_err(|why| blocked(why, &["oom --memory 4Gi  sets a size by hand"]))?;
    match limit.filter(|old| parse_bytes(&chosen.limit).is_some_and(|new| new <= *old)) {
        Some(old) if code != NODE => Err(blocked(
            format!(
                "{} is not above the {} at which it was killed",
                chosen.limit,
                write_bytes(old)
            ),
            &["--memory with a larger size"],
        )),
        _ => Ok(chosen),
    }
}

/// Whether the operator, where there is one, would act on the patch; and whether its resources
/// have an update strategy.
fn operator_acts(subject: &Subject, seen: &Snapshot) -> Result<bool, Blocked> {
    match operator::look(subject, seen) {
        Operator::None => Ok(false),
        Operator::Acts { version } => Ok(version.is_some_and(|v| v >= KNOWS_STRATEGY)),
        Operator::Idle { why } => Err(blocked(
            format!("a patch of {} would do nothing: {why}", subject.root.short()),
            &["bring the operator back first"],
        )),
        Operator::Unreadable { .. } => Ok(false),
    }
}

/// Everything of the plan that follows from what is wanted.
fn assemble(
    subject: &Subject,
    seen: &Snapshot,
    wanted: &Wanted,
    knows_strategy: bool,
) -> Result<Plan, Blocked> {
    if subject.root_object.is_null() {
        return Err(blocked(
            format!(
                "{} could not be read, so no guarded patch of it can be made",
                subject.root.short()
            ),
            &["record a bundle that holds it, or ask for the verb get on it"],
        ));
    }
    let rollout = rollout::plan(subject, wanted, knows_strategy)?;
    let pointers: Vec<String> = wanted.changes.iter().map(|c| c.pointer.clone()).collect();
    let cluster = match seen.object(&ObjectRef::new(Kind::Namespace, "", "kube-system")) {
        Got::Known(namespace) => namespace.uid().to_owned(),
        Got::Absent | Got::Unreadable(_) | Got::NotAsked => String::new(),
    };
    let waits = rollout.steps.iter().filter(|s| matches!(s.action, Action::Wait { .. })).count();
    Ok(Plan {
        title: String::new(),
        class: "oom".into(),
        cluster,
        target: subject.root.clone(),
        target_uid: subject.root_uid().to_owned(),
        forecast: manager::forecast(subject, &subject.root_object, &pointers),
        commit: commit::snippets(subject, &subject.root_object, &wanted.changes),
        inputs: Vec::new(),
        undo: rollout.undo,
        takes: format!("about {} min", (waits * 3).max(1)),
        impact: rollout.impact,
        steps: rollout.steps,
        doubts: Vec::new(),
    })
}
