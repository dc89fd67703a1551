//! What came of a plan that was carried out: how its steps ended, and the proof.

use anyhow::Result;

use super::answer::Answer;
use super::change::cluster;
use super::proof::{self, Proof};
use super::{Ask, Done, Run, answer, asks, back, cleanup, examine, freeze, print};
use crate::classes;
use crate::datadir::terms::NEEDS_ROOM;
use crate::effects::{self, Ended, Error, Journal};
use crate::exit::Exit;
use crate::model::plan::{Action, Blocked, BlockedReason, FREEZE, Plan};
use crate::model::receipt::{Receipt, State as ReceiptState, StepState};
use crate::model::report::{Intake, Outcome, Rehearsal, Report, StepOutcome};
use crate::render;

/// From the end of the steps to the last report.
pub async fn of(run: &Run<'_>, ask: &Ask<'_>, journal: Journal, ended: Ended) -> Result<Done> {
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
            return last_report(run, ask, &journal, Exit::Unfinished).await;
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
            return last_report(run, ask, &journal, Exit::Error).await;
        }
        run.screen.say(&format!("  finish it:    kubectl prom-fix resume {digest} -n {namespace}"));
        run.screen.say(&format!("  put it back:  kubectl prom-fix undo {digest} -n {namespace}"));
        return last_report(run, ask, &journal, exit).await;
    }
    let plan = &journal.receipt().plan;
    if plan.undoes.is_some() {
        return back::finish(run, &journal).await;
    }
    if plan.frees.is_some() {
        return Ok(cleanup::freed(run, &journal));
    }
    if plan.class == FREEZE {
        return Ok(freeze::held(run, journal.receipt()));
    }
    prove(run, ask, journal).await
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

/// From the last step to the proof.
async fn prove(run: &Run<'_>, ask: &Ask<'_>, mut journal: Journal) -> Result<Done> {
    let cluster = cluster(run)?;
    if run.typed.change.no_wait {
        run.screen.say("applied, not proved: --no-wait was given");
        return last_report(run, ask, &journal, Exit::Unproved).await;
    }
    let mut watcher = run.screen.watcher();
    let proof = proof::prove(run, ask, &mut watcher).await;
    effects::Watcher::done(&mut watcher, 0, "");
    match proof {
        Ok(Proof::Proved(now, _)) if cut_again(&journal, &now.report) => {
            run.screen.say(
                "not proved: it serves, and has cut its log at this start; see what it says above",
            );
            with_outcome(run, now.report, &journal, None, Exit::Unproved)
        }
        Ok(Proof::Proved(now, intake)) => {
            match proof::promised(run, journal.receipt(), &now.subject).await {
                Ok(held) => held.iter().for_each(|says| run.screen.say(&render::clean(says))),
                Err(why) => {
                    run.screen.say(&format!("not proved: {}", render::clean(&why)));
                    return with_outcome(run, now.report, &journal, None, Exit::Unproved);
                }
            }
            if let Err(error) = journal.prove(&cluster, true).await {
                run.screen.say(&format!("the receipt does not say so: {}", error.whole()));
            }
            with_outcome(run, now.report, &journal, Some(intake), Exit::Healthy)
        }
        Ok(Proof::Late(now)) => {
            if let Some(code) = now.report.root
                && asks::class_name(code) != journal.receipt().plan.class
            {
                run.screen.say(&format!("what was changed stands; another fault is left: {code}"));
            }
            with_outcome(run, now.report, &journal, None, Exit::Unproved)
        }
        Ok(Proof::Detached(now)) => with_outcome(run, now.report, &journal, None, Exit::Unproved),
        Err(error) => {
            run.screen
                .say(&format!("applied, not proved: {}", render::clean(&format!("{error:#}"))));
            last_report(run, ask, &journal, Exit::Unproved).await
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
async fn last_report(run: &Run<'_>, ask: &Ask<'_>, journal: &Journal, exit: Exit) -> Result<Done> {
    for wait in [0, 2, 5] {
        tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
        if let Ok(now) = examine::again(run, ask).await {
            return with_outcome(run, now.report, journal, None, exit);
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
    proved: Option<Intake>,
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
    report.outcome = Some(Outcome {
        steps,
        proved: proved.is_some(),
        intake: proved,
        receipt: receipt.digest.clone(),
    });
    report.plan = Some(receipt.plan.clone());
    report.rehearsal = vec![Rehearsal::NotRun; receipt.plan.steps.len()];
    report.blocked = None;
    print::reports(run, exit, &[report])
}
