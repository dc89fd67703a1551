//! The plan that heals a kill for memory.

use serde_json::Value;

use super::budget;
use super::docs::{LIMIT, NODE, QUERY, REPLAY, SIDECAR};
use super::inventory::{self, Better};
use super::kill::{self, Kill};
use super::landing::{self, Landing};
use super::size::{self, Chosen};
use super::{Asked, check, offenders, preflight, stuck};
use crate::classes::BUDGET;
use crate::model::finding::{Finding, Severity, Unknown};
use crate::model::log::kill::By;
use crate::model::log::pace;
use crate::model::object::ObjectExt;
use crate::model::plan::{Blocked, Next, Plan};
use crate::model::quantity::{parse_bytes, round_up, show_bytes, write_bytes};
use crate::model::{Code, Snapshot};
use crate::subject::repair::{self, Acts, Draft};
use crate::subject::rollout::Wanted;
use crate::subject::startup::{self, More};
use crate::subject::{Subject, errand, pod};

pub fn next(subject: &Subject, seen: &Snapshot, found: &[Finding], asked: &Asked<'_>) -> Next {
    let ours = |f: &&Finding| {
        f.code.class() == "oom" && f.severity == Severity::Error && f.because.is_none()
    };
    let Some(root) = found.iter().find(ours) else { return Next::Done };
    follows(subject, seen, root, asked).unwrap_or_else(Next::Blocked)
}

/// What a plan is made for.
pub(super) struct Case<'a> {
    pub subject: &'a Subject,
    pub seen: &'a Snapshot,
    pub code: Code,
    pub kill: Option<&'a Kill<'a>>,
    pub container: &'a str,
    pub landing: Landing,
    pub acts: Acts,
}

fn follows(
    subject: &Subject,
    seen: &Snapshot,
    root: &Finding,
    asked: &Asked<'_>,
) -> Result<Next, Blocked> {
    let code = root.code;
    if code == QUERY && asked.memory.is_none() {
        return Err(Blocked::no_safe_plan(
            "a query took the memory: a larger limit is eaten by the next one",
            &[
                "lower --query.max-samples (operator: spec.query.maxSamples)",
                "mend the query that the finding names",
                "oom --memory LIMIT  makes a plan all the same",
            ],
        ));
    }
    let kills = kill::all(subject);
    let kill = kills.iter().find(|k| {
        k.pod.name() == root.object.name
            && k.of_prometheus != (code == SIDECAR)
            && k.is_fresh(seen.clock)
    });
    let container = kill.map_or(subject.container.as_str(), |k| k.state.name.as_str());
    let whole_pod = kill.and_then(|k| k.limit.as_ref()).is_some_and(|l| l.of_pod);
    let landing = landing::find(subject, container, whole_pod)?;
    let acts = repair::acts(subject, seen)?;
    let case = Case { subject, seen, code, kill, container, landing, acts };
    if let Some(plan) = stuck::plan(&case, asked)? {
        return Ok(Next::Fix(plan));
    }
    if let Some(blocked) = damaged(&case) {
        return Err(blocked);
    }
    match better(&case, asked) {
        Some(Better::Look(look)) => Ok(Next::Look(*look)),
        Some(Better::Unread(guessed)) => resized(&case, asked, Some(guessed)).map(Next::Fix),
        None => resized(&case, asked, None).map(Next::Fix),
    }
}

/// A start that has the memory for it comes to the faults in its log, and cuts it there.
fn damaged(case: &Case<'_>) -> Option<Blocked> {
    let Case { subject, seen, .. } = case;
    let faults = |pod: &Value| {
        let claim = errand::volume(subject, pod).ok()?.claim;
        let faults = seen.inside.log_faults(&claim).filter(|faults| *faults > 0)?;
        Some((pod::reference(pod).short(), claim.short(), faults))
    };
    let (pod, claim, faults) = subject.pods.iter().find_map(faults)?;
    let faults = if faults == 1 { "1 fault".to_owned() } else { format!("{faults} faults") };
    let namespace = subject.namespace();
    let size = size::estimate(subject, seen, None).map_or(String::new(), |size| {
        format!(" (it needs {}-{})", show_bytes(size.low), show_bytes(size.high))
    });
    Some(Blocked::no_safe_plan(
        format!(
            "the log on {claim} has {faults}: once a start has the memory to come to them, it may cut \
             the log there; mend it first"
        ),
        &[
            &format!("keep it from starting:  kubectl prom-fix freeze {pod} -n {namespace}"),
            &format!("mend it:  kubectl prom-fix wal {pod} -n {namespace} --inspect --apply"),
            &format!(
                "where the replay after that is killed for memory: set its limit at its owner by hand{size}, \
                 then  kubectl prom-fix resume -n {namespace}"
            ),
            "oom --memory LIMIT, without --inspect, makes the plan all the same",
        ],
    ))
}

/// How to learn more than that the limit was too little, where no server tells and no size is given.
fn better(case: &Case<'_>, asked: &Asked<'_>) -> Option<Better> {
    let kill = case.kill.filter(|_| matches!(case.code, LIMIT | REPLAY))?;
    let killed = kill.limit.as_ref().map(|limit| limit.bytes);
    let known = asked.memory.is_some()
        || size::estimate(case.subject, case.seen, killed).is_some_and(|size| size.measured);
    if known { None } else { inventory::better(case.subject, case.seen, kill.pod) }
}

/// A new size at the owner, and the pods on it. `guessed`: what would make it more than a guess.
fn resized(case: &Case<'_>, asked: &Asked<'_>, guessed: Option<Unknown>) -> Result<Plan, Blocked> {
    let sets_limit = case.code != NODE || asked.memory.is_some_and(|g| g.contains(','));
    let chosen = if sets_limit { limit(case, asked)? } else { request(case, asked)? };
    let doubts = preflight::fits(case.subject, case.seen, case.container, &chosen);
    let mut doubts = doubts.map_err(|blocked| or_count(case, blocked, guessed.as_ref()))?;
    preflight::autoscaler(case.subject, case.seen)?;
    doubts.extend(guessed);
    let old = case.kill.and_then(|k| k.limit.as_ref()).map_or("unset", |l| l.text.as_str());
    let title = title(case, old, &chosen, sets_limit);
    let mut wanted = case.landing.wanted(case.subject, &chosen, sets_limit, &title);
    let mut inputs = vec!["--memory".to_owned(), pin(&chosen, sets_limit)];
    if let Some((seconds, more)) = budget(case, asked) {
        inputs.extend([BUDGET.flag(), seconds.to_string()]);
        wanted.changes.extend(more.changes);
        wanted.rendered.extend(more.rendered);
        let why = format!("its startup probe waits {} min for the replay", seconds / 60);
        wanted.why = format!("{}; {why}", wanted.why);
    }
    let mut plan = assemble(case, Draft { title, wanted, inputs, doubts, ..Draft::default() })?;
    plan.commit.extend(offenders::to_commit(case.subject, case.seen));
    Ok(plan)
}

/// A guess that does not fit may be too large: the ways on, and the count before them.
fn or_count(case: &Case<'_>, mut blocked: Blocked, guessed: Option<&Unknown>) -> Blocked {
    if let Some(count) = guessed.filter(|unknown| !unknown.get.is_empty()) {
        let namespace = case.subject.namespace();
        let first = "first see whether it needs that much, for twice its limit is a guess:";
        blocked.ways.splice(0..0, [first.to_owned(), format!("{} -n {namespace}", count.get)]);
    }
    blocked
}

/// The value of `--memory` that makes this plan again.
fn pin(chosen: &Chosen, sets_limit: bool) -> String {
    match &chosen.request {
        Some(request) if sets_limit => format!("{},{request}", chosen.limit),
        Some(request) => request.clone(),
        None => chosen.limit.clone(),
    }
}

fn title(case: &Case<'_>, old: &str, chosen: &Chosen, sets_limit: bool) -> String {
    let of = if case.code == SIDECAR { format!(" of {}", case.container) } else { String::new() };
    if sets_limit {
        format!("raise the memory limit{of} from {old} to {}", chosen.limit)
    } else {
        let request = chosen.request.as_ref().unwrap_or(&chosen.limit);
        format!("ask for {request} of memory{of}, so that a node has it")
    }
}

fn limit(case: &Case<'_>, asked: &Asked<'_>) -> Result<Chosen, Blocked> {
    let killed = case.kill.and_then(|k| k.limit.as_ref()).map(|l| l.bytes);
    // A sidecar's need is not the head's: twice what it was killed at.
    if case.code == SIDECAR && asked.memory.is_none() {
        let old = killed.ok_or_else(|| {
            Blocked::no_safe_plan(
                "the sidecar has no limit of its own: the node was out of memory",
                &[],
            )
        })?;
        return Ok(Chosen {
            limit: write_bytes(old.saturating_mul(2)),
            request: None,
            given: false,
        });
    }
    let estimate = match case.code {
        SIDECAR => None,
        _ => size::estimate(case.subject, case.seen, killed),
    };
    let Landing { old_limit, old_request, .. } = &case.landing;
    let chosen =
        size::choose(estimate.as_ref(), asked.memory, old_limit.as_deref(), old_request.as_deref())
            .map_err(|why| {
                Blocked::no_safe_plan(why, &["oom --memory 4Gi  sets a size by hand"])
            })?;
    match killed.filter(|old| parse_bytes(&chosen.limit).is_some_and(|new| new <= *old)) {
        Some(old) if case.code != NODE => Err(Blocked::no_safe_plan(
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

/// A request alone: what it needs, never less than it asks for now, never above its limit.
fn request(case: &Case<'_>, asked: &Asked<'_>) -> Result<Chosen, Blocked> {
    let Landing { old_limit, old_request, .. } = &case.landing;
    let old = old_request.as_deref().and_then(parse_bytes).unwrap_or(0);
    let most = old_limit.as_deref().and_then(parse_bytes).unwrap_or(u64::MAX);
    let wanted = match asked.memory {
        Some(given) => parse_bytes(given).map(|_| given.to_owned()).ok_or_else(|| {
            Blocked::no_safe_plan(format!("--memory: {given:?} is no quantity such as 4Gi"), &[])
        })?,
        None => {
            let size = size::estimate(case.subject, case.seen, None).ok_or_else(|| {
                Blocked::no_safe_plan(
                    "its node ran out of memory, and how much it needs is not known: nothing \
                     serves that could tell",
                    &[
                        "oom --memory REQUEST  asks for a size by hand",
                        "a limit bounds it: --memory LIMIT,REQUEST",
                    ],
                )
            })?;
            round_up(size.high)
        }
    };
    let bytes = parse_bytes(&wanted).unwrap_or(0);
    if bytes <= old || old >= most {
        return Err(Blocked::no_safe_plan(
            format!("it asks for {} already, and needs no more", write_bytes(old)),
            &["give the node more memory, or the pod another node", "oom --memory LIMIT,REQUEST"],
        ));
    }
    let request = if bytes > most { write_bytes(most) } else { wanted };
    Ok(Chosen { limit: request.clone(), request: Some(request), given: asked.memory.is_some() })
}

/// The seconds that the replay after the fix needs and its probe does not have, and how it gets them.
fn budget(case: &Case<'_>, asked: &Asked<'_>) -> Option<(i64, More)> {
    let kill = case.kill.filter(|_| case.code == REPLAY)?;
    let seconds = match asked.startup_budget {
        Some(0) => return None,
        Some(given) => given,
        None => {
            let pace = pace::of(&check::lines_of(case.seen, kill))?;
            budget::missing(kill, pace.whole_seconds)?
        }
    };
    let spec = case.subject.pod_spec();
    let own = spec.list("/containers").iter().find(|c| c.text("/name") == kill.state.name)?;
    own.get("startupProbe")?;
    Some((seconds, startup::more(case.subject, case.seen, By::StartupProbe, seconds)?))
}

/// Pods that were killed a moment ago and happen to be Ready: nothing to rely on.
fn suspects(case: &Case<'_>) -> Vec<String> {
    kill::all(case.subject)
        .iter()
        .filter(|k| k.of_prometheus && pod::is_ready(k.pod) && k.is_fresh(case.seen.clock))
        .map(|k| k.pod.name().to_owned())
        .collect()
}

/// The plan of what is wanted.
pub(super) fn assemble(case: &Case<'_>, draft: Draft) -> Result<Plan, Blocked> {
    let wanted = Wanted { suspects: suspects(case), ..draft.wanted };
    let doubts = draft.doubts.into_iter().chain(case.acts.doubt.clone()).collect();
    repair::plan(case.subject, case.seen, Draft { class: "oom", wanted, doubts, ..draft })
}
