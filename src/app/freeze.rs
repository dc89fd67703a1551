//! `freeze`: keeps one broken replica from starting before it does harm; `undo` lets it go.

use anyhow::{Result, bail};

use super::answer::Answer;
use super::examine::{self, Examined};
use super::{Ask, Done, Run, asks, change, print};
use crate::classes::Given;
use crate::cli::Output;
use crate::exit::Exit;
use crate::model::object::ObjectExt;
use crate::model::plan::FREEZE;
use crate::model::receipt::Receipt;
use crate::model::report::Rehearsal;
use crate::model::{Kind, Need, Snapshot};
use crate::source;
use crate::subject::discover::Target;
use crate::subject::{hold, rivals};

pub async fn freeze(run: &Run<'_>, target: &Target, word: Option<&str>) -> Result<Done> {
    let given = Given::new();
    let ask = Ask { class: None, target, word, given: &given, proving: false };
    let mut one = examine::again(run, &ask).await?;
    let mut seen = Snapshot::clone(&one.seen);
    let needs = rivals::needs(&one.subject);
    source::gather(&run.world, &mut seen, &mut |_| needs.clone()).await;
    let named = match target {
        Target::Named { name, .. } => one.subject.pods.iter().find(|p| p.name() == name),
        _ => None,
    };
    let danger = one.report.danger.as_ref().map(|danger| &danger.pod);
    let meant = match named {
        Some(pod) => Ok(pod),
        None => hold::candidate(&one.subject, danger, &one.report.findings),
    };
    let planned = match meant {
        Ok(pod) => hold::freeze(&one.subject, &seen, pod),
        Err(names) => bail!("which one is to be held? name one of: {}", names.join(", ")),
    };
    one.report.command = FREEZE.into();
    one.report.waits = None;
    one.report.next = Vec::new();
    match planned {
        Ok(plan) => {
            one.report.lacks = lacks(run, &one, &plan).await;
            one.report.rehearsal = vec![Rehearsal::NotRun; plan.steps.len()];
            one.report.blocked = None;
            one.report.plan = Some(plan);
        }
        Err(blocked) => {
            one.report.plan = None;
            one.report.blocked = Some(blocked);
        }
    }
    if shows_only(run) {
        let blocked = one.report.blocked.is_some();
        let exit = if blocked { Exit::Blocked } else { Exit::Found };
        return print::reports(run, exit, &[one.report]);
    }
    change::apply(run, &ask, one).await
}

/// A plan for somebody else, or for later.
fn shows_only(run: &Run<'_>) -> bool {
    let of_plan = matches!(
        run.typed.read.output,
        Output::Plan | Output::Commands | Output::Patch | Output::Commit
    );
    of_plan || run.typed.change.dry_run.is_some()
}

async fn lacks(run: &Run<'_>, one: &Examined, plan: &crate::model::Plan) -> Vec<String> {
    let mut rights = Snapshot::new(run.world.clock());
    let rules = Need::Rules { namespace: one.subject.namespace().to_owned() };
    source::gather(&run.world, &mut rights, &mut |_| vec![rules.clone()]).await;
    asks::lacks(plan, &rights)
}

/// What is said once it is held: there is nothing to prove but that.
pub fn held(run: &Run<'_>, receipt: &Receipt) -> Done {
    let plan = &receipt.plan;
    // The pod of a Deployment is gone.
    let what = match (plan.target.kind, plan.impact.restarts.first()) {
        (Kind::Deployment, _) | (_, None) => plan.target.short(),
        (_, Some(pod)) => format!("pod/{pod}"),
    };
    let namespace = &plan.target.namespace;
    let message = format!("{what} is held: it does not start until it is let go");
    let text = format!(
        "HELD    {what} -n {namespace}   nothing starts on its data\n\
         \n\
         Next, what is wrong with its data, and what can be kept:\n  \
         kubectl prom-fix wal {what} -n {namespace} --inspect\n\
         Or let it start, as it is:\n  \
         kubectl prom-fix undo {} -n {namespace}\n",
        receipt.digest
    );
    Answer { plan, rehearsal: &[], exit: Exit::Healthy, message, blocked: None }.done(run, text)
}
