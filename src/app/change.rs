//! Carrying a plan out: rehearse, show, ask, execute, prove, show.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::answer::Answer;
use super::examine::{self, Examined};
use super::proof::{self, Proof};
use super::{Ask, Done, Run, answer, back, freeze, print};
use crate::classes::{self, Given};
use crate::datadir::terms::NEEDS_ROOM;
use crate::effects::{
    self, Approved, Cluster, Consent, Consents, Ended, Error, Identity, Journal, Patience,
};
use crate::exit::Exit;
use crate::model::plan::{Action, Blocked, BlockedReason, FREEZE, Plan};
use crate::model::receipt::{Receipt, State as ReceiptState, StepState};
use crate::model::report::{Context, Outcome, Rehearsal, Report, State, StepOutcome};
use crate::render;
use crate::subject::discover::Target;

/// The hands of a run that has a cluster.
pub fn cluster(run: &Run<'_>) -> Result<Cluster> {
    let client = run.client.clone().context("this needs a cluster")?;
    Ok(Cluster::new(client))
}

/// Each write of the report's plan, rehearsed by the server.
pub async fn rehearse(run: &Run<'_>, report: &mut Report) {
    let (Some(plan), Ok(cluster)) = (&report.plan, cluster(run)) else { return };
    report.rehearsal = effects::rehearse(&cluster, plan).await;
}

/// `--apply` on one Prometheus that was looked at.
pub async fn apply(run: &Run<'_>, ask: &Ask<'_>, examined: Examined) -> Result<Done> {
    let mut report = examined.report;
    if let Some(open) = report.unfinished.clone() {
        return refuse(run, report, open.busy());
    }
    let Some(plan) = report.plan.clone() else {
        let exit = match (report.state, &report.blocked) {
            (_, Some(_)) => Exit::Blocked,
            (State::Healthy, None) => Exit::Healthy,
            (State::Unknown, None) => Exit::Unknown,
            (State::Broken | State::Recovering, None) => Exit::Found,
        };
        return print::reports(run, exit, &[report]);
    };
    if !report.lacks.is_empty() {
        let why = report.lacks.join(", ");
        let ways = vec!["give the plan to someone who may:  -o plan, then  apply -f".to_owned()];
        return refuse(run, report, Blocked { reason: BlockedReason::Forbidden, why, ways });
    }
    rehearse(run, &mut report).await;
    if let Some(blocked) = rejected(&report.rehearsal) {
        return refuse(run, report, blocked);
    }
    let context = Context { applying: true, ..run.context.clone() };
    let shown = render::text(&report, &context, &run.screen.style());
    let tell = || run.screen.say(shown.trim_end());
    let approved = match approve(run, plan, &tell) {
        Ok(approved) => approved,
        Err(blocked) => return refuse(run, report, blocked),
    };
    // What nobody had to be asked about is shown all the same before it is done.
    if run.typed.change.yes || run.typed.change.confirm.is_some() {
        tell();
    }
    carry_out(run, ask, approved, Some(report)).await
}

/// `apply -f PLAN`: guards checked, nothing planned again.
pub async fn from_file(run: &Run<'_>, path: &Path) -> Result<Done> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).context("cannot read the plan from stdin")?
    } else {
        std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the plan {}", path.display()))?
    };
    let plan = render::read_plan(&text).with_context(|| format!("{}", path.display()))?;
    if plan.cluster.is_empty() {
        bail!("this plan does not say for which cluster it is; make it again on the cluster");
    }
    let target = Target::of(&plan.target);
    let (given, scoped) = (Given::new(), in_namespace(run, &plan.target.namespace));
    let ask = Ask { class: None, target: &target, word: None, given: &given };
    let cluster = cluster(&scoped)?;
    if let Err(error) = fits_here(&cluster, &plan).await {
        let why = error.whole();
        let reason = BlockedReason::NoSafePlan;
        let blocked = Blocked { reason, why, ways: Vec::new() };
        return Ok(answer::blocked(&scoped, &plan, &[], &blocked));
    }
    let rehearsal = effects::rehearse(&cluster, &plan).await;
    scoped.screen.say(render::plan(&plan, &rehearsal, &scoped.screen.style()).trim_end());
    if let Some(blocked) = rejected(&rehearsal) {
        return Ok(answer::blocked(&scoped, &plan, &rehearsal, &blocked));
    }
    match approve(&scoped, plan.clone(), &|| ()) {
        Ok(approved) => carry_out(&scoped, &ask, approved, None).await,
        Err(blocked) => Ok(answer::blocked(&scoped, &plan, &rehearsal, &blocked)),
    }
}

/// Nothing of a plan from a file is sent, not even to be rehearsed, before this.
async fn fits_here(cluster: &Cluster, plan: &Plan) -> Result<(), Error> {
    effects::closed::check(plan)?;
    effects::right_cluster(cluster, plan).await
}

/// The same run, looking in another namespace.
pub fn in_namespace<'a>(run: &Run<'a>, namespace: &str) -> Run<'a> {
    Run {
        typed: run.typed,
        world: std::rc::Rc::clone(&run.world),
        client: run.client.clone(),
        context: run.context.clone(),
        namespace: namespace.to_owned(),
        everywhere: false,
        screen: run.screen,
        inside: std::rc::Rc::clone(&run.inside),
        outage: run.outage.clone(),
    }
}

/// `before` is done before a question is put, and only then.
fn approve(run: &Run<'_>, plan: Plan, before: &dyn Fn()) -> Result<Approved, Blocked> {
    let change = &run.typed.change;
    let consent = match (&change.confirm, change.yes) {
        (Some(digest), _) => Consent::Confirm(digest.clone()),
        (None, true) => Consent::Yes,
        (None, false) => Consent::Ask,
    };
    let consents = Consents { consent, allow_downtime: change.allow_downtime };
    let question = render::question(&plan, &run.context);
    effects::approve(plan, &consents, &question, &mut |question| {
        if run.screen.asks() {
            before();
        }
        run.screen.ask(question)
    })
}

/// The first thing the server would not accept.
fn rejected(rehearsal: &[Rehearsal]) -> Option<Blocked> {
    rehearsal.iter().find_map(|one| match one {
        Rehearsal::Rejected(why) => Some(Blocked {
            reason: if why.starts_with("stale") {
                BlockedReason::Stale
            } else {
                BlockedReason::NoSafePlan
            },
            why: format!("the server would refuse it: {why}"),
            ways: vec!["look again: the same command without --apply".into()],
        }),
        Rehearsal::NotRun
        | Rehearsal::Accepted
        | Rehearsal::AcceptedAsYou
        | Rehearsal::CannotBeRehearsed(_) => None,
    })
}

/// Nothing was done: the report with the reason, exit 3.
fn refuse(run: &Run<'_>, mut report: Report, blocked: Blocked) -> Result<Done> {
    report.blocked = Some(blocked);
    print::reports(run, Exit::Blocked, &[report])
}

/// Who does this, as the receipt names them.
pub fn identity(run: &Run<'_>) -> Identity {
    Identity {
        who: run.context.user.clone(),
        context: run.context.name.clone(),
        server: run.context.server.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

pub fn patience(run: &Run<'_>) -> Patience {
    let change = &run.typed.change;
    Patience { timeout: change.timeout, settle: change.settle, downtime: change.allow_downtime }
}

async fn carry_out(
    run: &Run<'_>,
    ask: &Ask<'_>,
    approved: Approved,
    report: Option<Report>,
) -> Result<Done> {
    // From here on Ctrl-C means: stop at the next safe place. Before, it ends the program.
    run.begin();
    // What was seen inside is no longer so once the plan is carried out.
    run.inside.borrow_mut().forget();
    let cluster = cluster(run)?;
    let mut journal = match Journal::begin(&cluster, &approved, &identity(run)).await {
        Ok(journal) => journal,
        Err(Error::Busy { receipt }) => {
            let blocked = receipt.busy();
            return match report {
                Some(report) => refuse(run, report, blocked),
                None => Ok(answer::blocked(run, &approved, &[], &blocked)),
            };
        }
        Err(error) => return Err(error.into()),
    };
    if journal.local_only() {
        run.screen.say(
            "ConfigMaps may not be created here: the receipt is on this machine only, and nobody \
             else is told that this plan is being carried out",
        );
    }
    let mut watcher = run.screen.watcher();
    let ended = effects::execute(&cluster, &mut journal, &mut watcher, &patience(run)).await;
    conclude(run, ask, journal, ended).await
}

/// A helper saw other files than were agreed to.
fn stays_held(run: &Run<'_>, receipt: &Receipt, error: &Error) {
    let Receipt { plan, digest, .. } = receipt;
    let (class, target, namespace) = (&plan.class, plan.target.short(), &plan.target.namespace);
    let why = error.whole();
    run.screen.say(&render::clean(&format!("nothing was written: {why}")));
    if why.contains(NEEDS_ROOM) {
        run.screen.say(
            "make room on its volume: a larger claim, or without what may go, or without its oldest \
             block; never without wal, wbl or chunks_head:",
        );
        run.screen.say("  kubectl prom-fix explain disk/full");
    }
    run.screen.say("it stays held, and does not start. Look again, or let it start as it is:");
    run.screen.say(&format!("  kubectl prom-fix {class} {target} -n {namespace} --inspect"));
    run.screen.say(&format!("  kubectl prom-fix undo {digest} -n {namespace}"));
}

/// A helper saw that its work cannot be done here; nothing of the plan is left.
fn not_possible(run: &Run<'_>, plan: &Plan, error: &Error) -> Done {
    let class = classes::ALL.iter().find(|class| class.name() == plan.class);
    let ways = class.map_or(&[][..], |class| class.refused());
    let mut blocked = Blocked::no_safe_plan(error.whole(), ways);
    blocked.ways.push("look again: the same command without --apply".into());
    answer::blocked(run, plan, &[], &blocked)
}

/// From the end of the steps to the last report.
pub async fn conclude(
    run: &Run<'_>,
    ask: &Ask<'_>,
    journal: Journal,
    ended: Ended,
) -> Result<Done> {
    let digest = journal.receipt().digest.clone();
    let namespace = journal.receipt().plan.target.namespace.clone();
    let halted = match ended {
        Ended::Done => None,
        Ended::Stale { step, why } => {
            let why = format!("step {step} no longer fits: {why}");
            let ways = vec!["look again: the same command without --apply".to_owned()];
            let blocked = Blocked { reason: BlockedReason::Stale, why, ways };
            return Ok(answer::blocked(run, &journal.receipt().plan, &[], &blocked));
        }
        Ended::Refused { error, .. } if journal.receipt().state == ReceiptState::Undone => {
            return Ok(not_possible(run, &journal.receipt().plan, &error));
        }
        Ended::Refused { error, .. } => {
            stays_held(run, journal.receipt(), &error);
            return last_report(run, ask, &journal, false, Exit::Unfinished).await;
        }
        Ended::Stopped { step } => Some((Exit::Unfinished, format!("stopped before step {step}"))),
        Ended::Detached => {
            Some((let_go(&journal), "detached; what was changed is in place".to_owned()))
        }
        Ended::TimedOut { step, says } => {
            Some((Exit::Unfinished, format!("step {step} made no progress: {says}")))
        }
        Ended::Failed { step, error } => {
            Some((Exit::Unfinished, format!("step {step} failed: {}", error.whole())))
        }
    };
    if let Some((exit, why)) = halted {
        run.screen.say(&render::clean(&why));
        // What is in place, and so the number, is what the receipt says.
        if journal.receipt().state != ReceiptState::Open {
            run.screen.say("nothing was changed");
            return last_report(run, ask, &journal, false, Exit::Error).await;
        }
        run.screen.say(&format!("  finish it:    kubectl prom-fix resume {digest} -n {namespace}"));
        run.screen.say(&format!("  put it back:  kubectl prom-fix undo {digest} -n {namespace}"));
        return last_report(run, ask, &journal, false, exit).await;
    }
    let plan = &journal.receipt().plan;
    if plan.undoes.is_some() {
        return back::finish(run, &journal).await;
    }
    if plan.class == FREEZE {
        return Ok(freeze::held(run, journal.receipt()));
    }
    prove(run, ask, journal).await
}

/// From the last step to the proof.
async fn prove(run: &Run<'_>, ask: &Ask<'_>, mut journal: Journal) -> Result<Done> {
    let cluster = cluster(run)?;
    if run.typed.change.no_wait {
        run.screen.say("applied, not proved: --no-wait was given");
        return last_report(run, ask, &journal, false, Exit::Unproved).await;
    }
    let mut watcher = run.screen.watcher();
    let proof = proof::prove(run, ask, &mut watcher).await;
    effects::Watcher::done(&mut watcher, 0, "");
    match proof {
        Ok(Proof::Proved(now)) if cut_again(&journal, &now.report) => {
            run.screen.say(
                "not proved: it serves, and has cut its log at this start; see what it says above",
            );
            with_outcome(run, now.report, &journal, false, Exit::Unproved)
        }
        Ok(Proof::Proved(now)) => {
            match proof::promised(run, journal.receipt(), &now.subject).await {
                Ok(held) => held.iter().for_each(|says| run.screen.say(&render::clean(says))),
                Err(why) => {
                    run.screen.say(&format!("not proved: {}", render::clean(&why)));
                    return with_outcome(run, now.report, &journal, false, Exit::Unproved);
                }
            }
            if let Err(error) = journal.prove(&cluster, true).await {
                run.screen.say(&format!("the receipt does not say so: {}", error.whole()));
            }
            with_outcome(run, now.report, &journal, true, Exit::Healthy)
        }
        Ok(Proof::Late(now) | Proof::Detached(now)) => {
            with_outcome(run, now.report, &journal, false, Exit::Unproved)
        }
        Err(error) => {
            run.screen
                .say(&format!("applied, not proved: {}", render::clean(&format!("{error:#}"))));
            last_report(run, ask, &journal, false, Exit::Unproved).await
        }
    }
}

/// A log that was mended is no proof of that where Prometheus met damage in it all the same.
fn cut_again(journal: &Journal, report: &Report) -> bool {
    let mended =
        !journal.receipt().to_restore().is_empty() && journal.receipt().plan.class == "wal";
    mended && report.findings.iter().any(|finding| finding.code.0 == "wal/repaired-with-loss")
}

/// Somebody stopped waiting: with steps left the plan is not finished, else only not proved.
fn let_go(journal: &Journal) -> Exit {
    let Receipt { plan, steps, .. } = journal.receipt();
    let left = plan.steps.iter().zip(steps).any(|(step, done)| {
        done.state == StepState::NotTried && !matches!(step.action, Action::Wait { .. })
    });
    if left { Exit::Unfinished } else { Exit::Unproved }
}

/// The state afterwards. The change is in place, so a look that fails costs the report and never
/// the number.
async fn last_report(
    run: &Run<'_>,
    ask: &Ask<'_>,
    journal: &Journal,
    proved: bool,
    exit: Exit,
) -> Result<Done> {
    for wait in [0, 2, 5] {
        tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
        if let Ok(now) = examine::again(run, ask).await {
            return with_outcome(run, now.report, journal, proved, exit);
        }
    }
    let receipt = journal.receipt();
    let message = format!("receipt {}; how it is now could not be read", receipt.digest);
    let answer = Answer { plan: &receipt.plan, rehearsal: &[], exit, message, blocked: None };
    Ok(answer.done(run, render::receipt(receipt, run.world.clock())))
}

fn with_outcome(
    run: &Run<'_>,
    mut report: Report,
    journal: &Journal,
    proved: bool,
    exit: Exit,
) -> Result<Done> {
    let receipt = journal.receipt();
    let steps = receipt
        .steps
        .iter()
        .map(|step| StepOutcome {
            state: match step.state {
                StepState::Did => "did",
                StepState::Failed | StepState::Began => "failed",
                StepState::NotTried => "not-tried",
            },
            error: step.error.clone(),
        })
        .collect();
    report.outcome = Some(Outcome { steps, proved, receipt: receipt.digest.clone() });
    report.plan = Some(receipt.plan.clone());
    report.rehearsal = vec![Rehearsal::NotRun; receipt.plan.steps.len()];
    report.blocked = None;
    print::reports(run, exit, &[report])
}
