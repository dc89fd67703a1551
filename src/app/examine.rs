//! From questions to reports.

use std::rc::Rc;

use anyhow::{Result, bail};
use jiff::Timestamp;

use super::missing::not_found;
use super::{Ask, Run, asks, inside, verdict};
use crate::classes;
use crate::cli;
use crate::model::finding::{Danger, Finding, Severity, Unknown, Verdict};
use crate::model::log::runs::age;
use crate::model::plan::{Blocked, BlockedReason, Look, Next, Step, Undo};
use crate::model::receipt::{Receipt, State as ReceiptState};
use crate::model::report::{PodLine, Rehearsal, Report, State, Target as TargetLine};
use crate::model::{Code, Fact, ObjectRef, Seen, Snapshot, fold};
use crate::source;
use crate::subject::discover;
use crate::subject::{Subject, manager, pod};

/// One report, and what it was made from.
pub struct Examined {
    pub report: Report,
    pub subject: Subject,
    pub seen: Rc<Snapshot>,
    /// What a class asks to be looked at inside, where the person allowed that.
    pub look: Option<Look>,
}

/// Looks at everything the target names. At least one, or an error that says what there is.
pub async fn examine(run: &Run<'_>, ask: &Ask<'_>) -> Result<Vec<Examined>> {
    let scope = scope(run);
    let mut seen = Snapshot::new(run.world.clock());
    seen.inside = run.inside.borrow().clone();
    seen.may_pause = run.typed.change.pause_gitops;
    let rounds =
        source::gather(&run.world, &mut seen, &mut |seen| asks::of(ask, scope.as_deref(), seen))
            .await;
    if let Some(error) = run.world.transport_failure() {
        return Err(error.into());
    }
    tell(run, &seen, rounds);
    seen.clock = run.world.clock();
    let subjects = match discover::find(ask.target, scope.as_deref(), &seen) {
        Ok(subjects) => subjects,
        Err(why) => return Err(not_found(run, ask, why).await),
    };
    let seen = Rc::new(seen);
    Ok(subjects.into_iter().map(|subject| look(run, ask, &seen, subject)).collect())
}

/// What was read, for `-v`.
fn tell(run: &Run<'_>, seen: &Snapshot, rounds: usize) {
    let requests = run.world.requests();
    let facts = seen.facts.len();
    run.screen.detail(1, &format!("read {facts} facts in {rounds} rounds, {requests} requests"));
    for (need, fact) in &seen.facts {
        let state = match fact {
            Fact::Known(_) => "known",
            Fact::Absent => "absent",
            Fact::Unreadable(why) => why,
        };
        run.screen.detail(2, &format!("  {}: {state}", source::key::of(need)));
    }
}

fn scope(run: &Run<'_>) -> Option<String> {
    (!run.everywhere).then(|| run.namespace.clone())
}

/// All classes' findings of one Prometheus, joined to a root.
pub fn joined(subject: &Subject, ask: &Ask<'_>, seen: &Snapshot) -> (Verdict, Option<Code>) {
    let mut all = Verdict::default();
    for class in classes::ALL {
        let Verdict { findings, unknown, danger } = class.job(subject, ask.given).check(seen);
        all.findings.extend(findings);
        all.unknown.extend(unknown);
        all.danger = all.danger.or(danger);
    }
    let root = fold::join(&mut all.findings, &classes::stage);
    (all, root)
}

/// What cannot be judged without knowing who asks: healthy is said without it, and says so.
fn unjudged(subject: &Subject, ask: &Ask<'_>) -> Option<Unknown> {
    let get = format!(
        "kubectl prom-fix bind {} -n {} --client KIND/NAME",
        subject.root.short(),
        subject.namespace()
    );
    ask.given.is_empty().then(|| Unknown {
        need: "network policies".into(),
        why: "bind --client says of one client whether they let it through".into(),
        get,
        vital: false,
    })
}

/// A pod that was made no longer ago may not have told anything yet.
const NEW_POD: i64 = 60;

/// Pods that do not serve, where no fact that was read says why and none that was not would.
fn unexplained(subject: &Subject, unknown: &[Unknown], clock: Timestamp) -> Vec<Unknown> {
    let serving = u32::try_from(subject.serving().count()).unwrap_or(u32::MAX);
    if serving >= subject.wanted || unknown.iter().any(|u| u.vital) {
        return Vec::new();
    }
    let why = |object: ObjectRef, why: String| Unknown {
        need: format!("why {} does not serve", object.short()),
        why,
        get: format!("kubectl describe {}", object.short()),
        vital: true,
    };
    let silent = |made: Option<Timestamp>| match made {
        Some(made) if (0..NEW_POD).contains(&(clock.as_second() - made.as_second())) => {
            format!("it was made {} and tells nothing yet: ask again in a minute", age(made, clock))
        }
        Some(_) | None => "nothing that was read says it".into(),
    };
    let down = subject.pods.iter().filter(|p| !pod::is_ready(p));
    let mut out: Vec<Unknown> = down
        .map(|p| why(pod::reference(p), silent(pod::time(p, "/metadata/creationTimestamp"))))
        .collect();
    if out.is_empty() {
        out.push(why(subject.root.clone(), silent(None)));
    }
    out
}

fn look(run: &Run<'_>, ask: &Ask<'_>, seen: &Rc<Snapshot>, subject: Subject) -> Examined {
    let (verdict, root) = joined(&subject, ask, seen);
    let Verdict { findings, mut unknown, danger } = verdict;
    unknown.extend(verdict::unseen(seen, subject.namespace()));
    unknown.extend(verdict::unseen_root(seen, &subject));
    if root.is_none() && verdict::waiting(&findings).is_none() {
        unknown.extend(unexplained(&subject, &unknown, seen.clock));
    }
    let state = verdict::state(&subject, &findings, &unknown, root);
    if state == State::Healthy {
        unknown.extend(unjudged(&subject, ask));
    }
    let asked = ask.class;
    let other_class = root.filter(|r| asked.is_some_and(|class| class != asks::class_name(*r)));
    let next = match root.or_else(|| verdict::waiting(&findings)).and_then(asks::class_of) {
        Some(class) if other_class.is_none() => {
            let job = class.job(&subject, ask.given);
            unknown.extend(asks::cut_off(job.as_ref(), seen, &findings));
            held_back(job.next(seen, &findings), danger.as_ref(), &findings)
        }
        Some(_) => Next::Done,
        None => asks::unfounded(ask, &subject, seen),
    };
    let pathfinder = asks::asked_class(ask).or_else(|| root.and_then(asks::class_of));
    let paths = pathfinder.map(|class| class.job(&subject, ask.given).paths(seen, &findings));
    let all = classes::ALL.iter().map(|class| class.job(&subject, ask.given));
    let directories = all.flat_map(|job| job.directories(seen)).collect();
    let mut report = Report {
        command: ask.command().into(),
        target: target_line(&subject),
        at: seen.clock,
        state,
        root: root.or_else(|| verdict::waiting(&findings)),
        danger,
        pods: pod_lines(&subject, &findings),
        findings: suppressed(findings, &run.typed.read.suppress),
        unknown: Vec::new(),
        paths: paths.unwrap_or_default(),
        directories,
        plan: None,
        rehearsal: Vec::new(),
        lacks: Vec::new(),
        blocked: None,
        waits: None,
        unfinished: unfinished(seen, &subject),
        outcome: None,
        next: Vec::new(),
        asked_class: other_class.and(asked).map(str::to_owned),
    };
    let look = told(run, seen, next, &mut report, &mut unknown);
    unknown.sort();
    unknown.dedup();
    report.unknown = unknown;
    report.next = next_command(run, &report);
    Examined { report, subject, seen: Rc::clone(seen), look }
}

/// What follows, as the report says it; a look inside that is allowed.
fn told(
    run: &Run<'_>,
    seen: &Snapshot,
    next: Next,
    report: &mut Report,
    unknown: &mut Vec<Unknown>,
) -> Option<Look> {
    match next {
        Next::Done => {}
        Next::Wait(what) => report.waits = Some(what),
        Next::Blocked(blocked) => report.blocked = Some(blocked),
        Next::Look(look) if run.typed.change.inspect.is_none() => {
            report.blocked = Some(inside::asked_for(run, report, &look));
        }
        Next::Look(look) => {
            report.lacks = asks::lacks(&look.plan, seen);
            return Some(look);
        }
        Next::Fix(mut plan) => {
            inside::pin_image(&mut plan, seen);
            report.lacks = asks::lacks(&plan, seen);
            unknown.extend(asks::doubts(&plan, seen));
            report.rehearsal = vec![Rehearsal::NotRun; plan.steps.len()];
            unknown.extend(plan.doubts.clone());
            report.plan = Some(plan);
        }
    }
    None
}

/// No plan restarts a pod whose next start destroys data.
fn held_back(next: Next, danger: Option<&Danger>, findings: &[Finding]) -> Next {
    let Next::Fix(plan) = &next else { return next };
    // But the one that mends it before it starts.
    let mends = |step: &Step| matches!(step.undo, Undo::Restore(_));
    if plan.class == "wal" && plan.steps.iter().any(mends) {
        return next;
    }
    let forbidden = findings.iter().filter(|f| f.forbids_restart).map(|f| &f.object);
    let mut all = danger.map(|d| &d.pod).into_iter().chain(forbidden);
    let Some(pod) = all.find(|pod| plan.impact.restarts.contains(&pod.name)) else { return next };
    let short = pod.short();
    Next::Blocked(Blocked {
        reason: BlockedReason::NoSafePlan,
        why: format!(
            "restarting {short} would delete its WAL from the damage on: salvage it first"
        ),
        ways: vec![format!("kubectl prom-fix wal {short} -n {}", pod.namespace)],
    })
}

/// Findings left out at the user's wish: by code, or by code and object.
fn suppressed(findings: Vec<Finding>, rules: &[String]) -> Vec<Finding> {
    let hit = |finding: &Finding| {
        rules.iter().any(|rule| match rule.split_once('=') {
            Some((code, object)) => {
                finding.code.0 == code
                    && (finding.object.name == object || finding.object.short() == object)
            }
            None => finding.code.0 == rule,
        })
    };
    findings.into_iter().filter(|f| !hit(f)).collect()
}

fn target_line(subject: &Subject) -> TargetLine {
    let serving = subject.serving().count();
    TargetLine {
        object: subject.root.clone(),
        uid: subject.root_uid().to_owned(),
        version: subject.version.map(|v| v.to_string()).unwrap_or_default(),
        serving: u32::try_from(serving).unwrap_or(u32::MAX),
        wanted: subject.wanted,
        owner: subject.owner.clone(),
        owner_namespace: subject.namespace().to_owned(),
        install: subject.install.word().to_owned(),
        managers: subject.managers.iter().map(manager::Manager::word).collect(),
    }
}

fn pod_lines(subject: &Subject, findings: &[Finding]) -> Vec<PodLine> {
    use crate::model::object::ObjectExt;
    subject
        .pods
        .iter()
        .map(|p| PodLine {
            name: p.name().to_owned(),
            uid: p.uid().to_owned(),
            ready: pod::is_ready(p),
            revision: p
                .label("controller-revision-hash")
                .or_else(|| p.label("pod-template-hash"))
                .unwrap_or("")
                .to_owned(),
            root_cause: fold::root_of_pod(findings, p.name()),
        })
        .collect()
}

/// An open receipt for this target.
fn unfinished(seen: &Snapshot, subject: &Subject) -> Option<Receipt> {
    let needs = [asks::receipts(Some(subject.namespace())), asks::receipts(None)];
    let found = needs.iter().find_map(|need| match seen.facts.get(need) {
        Some(Fact::Known(Seen::List(items))) => Some(items),
        _ => None,
    })?;
    let mut receipts = found.iter().filter_map(Receipt::of_map);
    receipts.find(|r| r.state == ReceiptState::Open && r.plan.target == subject.root)
}

/// The command to type next where it is not the plan's own.
fn next_command(run: &Run<'_>, report: &Report) -> Vec<String> {
    let words = |class: &str| {
        let object = &report.target.object;
        let mut out: Vec<String> =
            ["kubectl", "prom-fix", class].iter().map(|w| (*w).to_owned()).collect();
        out.push(object.short());
        out.extend(["-n".to_owned(), object.namespace.clone()]);
        out.extend(run.context.flags.clone());
        out
    };
    if report.unfinished.is_some() {
        return words("resume");
    }
    match (&report.asked_class, report.root) {
        (Some(_), Some(root)) => {
            words(super::command_of(asks::class_name(root)).unwrap_or("diagnose"))
        }
        _ if report.waits.is_some() => words("wait"),
        _ => Vec::new(),
    }
}

/// Looks at exactly one Prometheus again.
pub async fn again(run: &Run<'_>, ask: &Ask<'_>) -> Result<Examined> {
    let mut all = examine(run, ask).await?;
    if all.len() != 1 {
        let names: Vec<String> = all.iter().map(|one| one.subject.root.short()).collect();
        bail!("name one of {}", names.join(", "));
    }
    Ok(all.remove(0))
}

/// Whether a finding makes the run fail.
pub fn weighs(finding: &Finding, from: cli::FailOn) -> bool {
    match finding.severity {
        Severity::Error => true,
        Severity::Warn => from == cli::FailOn::Warn,
        Severity::Info => false,
    }
}

/// A vital fact that could not be had.
pub fn is_vital(unknown: &Unknown) -> bool {
    unknown.vital
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::model::plan::{Impact, Plan};

    fn restarts(pods: &[&str]) -> Next {
        let text = r#"{"title": "t", "class": "oom", "cluster": "", "targetUid": "",
            "target": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "p"}, "steps": [],
            "impact": {"restarts": [], "outage": "", "data": ""}, "forecast": [], "commit": [],
            "inputs": [], "undo": "", "takes": ""}"#;
        let mut plan: Plan = serde_json::from_str(text).expect("a plan");
        let restarts = pods.iter().map(|p| (*p).to_owned()).collect();
        plan.impact = Impact { restarts, ..Impact::default() };
        Next::Fix(plan)
    }

    #[test]
    fn no_plan_restarts_what_would_lose_its_log() {
        let pod = ObjectRef::new(Kind::Pod, "mon", "p-1");
        let danger =
            Danger { pod: pod.clone(), says: String::new(), serves: false, can_hold: false };
        let finding = Finding::new(Code("wal/checkpoint-failing"), &pod, Severity::Error, "x");
        let forbidding = [finding.clone().forbidding_restart()];
        let blocked = |next| matches!(next, Next::Blocked(b) if b.why.contains("pod/p-1"));
        assert!(blocked(held_back(restarts(&["p-0", "p-1"]), Some(&danger), &[])));
        assert!(blocked(held_back(restarts(&["p-1"]), None, &forbidding)));
        assert!(!blocked(held_back(restarts(&["p-0"]), Some(&danger), &forbidding)));
        assert!(!blocked(held_back(restarts(&["p-1"]), None, &[finding])));
    }
}
