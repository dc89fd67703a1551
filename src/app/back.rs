//! `undo` of what a helper did to files: a plan of its own holds the pod, puts the files back and
//! lets the pod go; then the rest of the receipt is undone as any other.

use anyhow::{Context as _, Result};

use super::change::{self, in_namespace};
use super::{Ask, Done, Run, answer, examine, ledger};
use crate::classes::Given;
use crate::datadir::terms::NOT_LAST;
use crate::effects::{self, Consents, Ended, Error, Journal};
use crate::exit::Exit;
use crate::model::receipt::Receipt;
use crate::model::report::Rehearsal;
use crate::model::{Blocked, Kind, Need, Plan, Snapshot};
use crate::render;
use crate::source;
use crate::subject::back;
use crate::subject::discover::Target;
use crate::subject::rivals;

pub async fn undo(run: &Run<'_>, receipt: Receipt) -> Result<Done> {
    let plan = match plan(run, &receipt).await? {
        Ok(plan) => plan,
        Err(blocked) => return Ok(answer::blocked(run, &receipt.plan, &[], &blocked)),
    };
    let rehearsal = vec![Rehearsal::NotRun; plan.steps.len()];
    run.screen.say(render::plan(&plan, &rehearsal, &run.screen.style()).trim_end());
    if !ledger::consent(run, &receipt, "put back")? {
        return Ok(ledger::declined(run, &receipt));
    }
    let approved = match effects::approve(plan, &Consents::GIVEN, "", &mut |_| None) {
        Ok(approved) => approved,
        Err(blocked) => return Ok(answer::blocked(run, &receipt.plan, &[], &blocked)),
    };
    run.begin();
    let cluster = change::cluster(run)?;
    let mut journal = match Journal::begin(&cluster, &approved, &change::identity(run)).await {
        Ok(journal) => journal,
        Err(Error::Busy { receipt: other }) => {
            let blocked = other.busy();
            return Ok(answer::blocked(run, &approved, &[], &blocked));
        }
        Err(error) => return Err(error.into()),
    };
    if let Err(error) = effects::announce(&cluster, &receipt).await {
        return Ok(halted(run, &journal, &error.whole()));
    }
    let mut watcher = run.screen.watcher();
    let ended =
        effects::execute(&cluster, &mut journal, &mut watcher, &change::patience(run)).await;
    effects::Watcher::done(&mut watcher, 0, "");
    match ended {
        Ended::Done if is_gone(&receipt, journal.receipt()) => {
            let why = "its old files are not on the volume any more, and nothing was put back";
            let ways = ["who put them back, or freed them:  kubectl prom-fix receipts"];
            Ok(answer::blocked(run, &approved, &[], &Blocked::no_safe_plan(why, &ways)))
        }
        Ended::Done => finish(run, &journal).await,
        Ended::Refused { error, .. } => {
            // Nothing was changed in the files, so it goes on from where it was.
            let patience = change::patience(run);
            let let_go =
                effects::undo(&cluster, journal.receipt(), &mut watcher, &patience, false).await;
            let Ok(Ended::Done) = let_go else {
                return Ok(halted(run, &journal, &error.whole()));
            };
            let why = format!("{}; no file was changed, and it is as it was", error.whole());
            let ways = ways(run, &why);
            let blocked = Blocked::no_safe_plan(why, ways);
            Ok(answer::blocked(run, &approved, &[], &blocked))
        }
        Ended::Stale { why, .. } | Ended::TimedOut { says: why, .. } => {
            Ok(halted(run, &journal, &why))
        }
        Ended::Failed { error, .. } => Ok(halted(run, &journal, &error.whole())),
        Ended::Stopped { .. } | Ended::Detached => Ok(halted(run, &journal, "stopped")),
    }
}

/// By force it was tried already, or is no way.
fn ways(run: &Run<'_>, why: &str) -> &'static [&'static str] {
    if why.contains(NOT_LAST) {
        return &["undo what was done to the files after it first:  kubectl prom-fix receipts"];
    }
    if run.typed.change.force { &[] } else { &["--force"] }
}

/// Files were changed, and none was put back.
fn is_gone(receipt: &Receipt, back: &Receipt) -> bool {
    let changed = receipt.outcomes().any(|said| matches!(said, "salvaged" | "changed"));
    changed && !back.put_back()
}

/// The plan that takes back the work of the receipt's helpers.
async fn plan(run: &Run<'_>, receipt: &Receipt) -> Result<Result<Plan, Blocked>> {
    let of = &receipt.plan.target;
    let scoped = in_namespace(run, &of.namespace);
    let target = Target::of(of);
    let given = Given::new();
    let ask = Ask { class: None, target: &target, word: None, given: &given, proving: false };
    let one = examine::again(&scoped, &ask).await?;
    let mut seen = Snapshot::clone(&one.seen);
    let mut needs = back::needs(receipt);
    needs.extend(rivals::needs(&one.subject));
    needs.push(Need::object(Kind::Namespace, "", "kube-system"));
    source::gather(&run.world, &mut seen, &mut |_| needs.clone()).await;
    Ok(back::plan(&one.subject, &seen, receipt, run.typed.change.force))
}

/// The files are back: so is the rest, then.
pub async fn finish(run: &Run<'_>, journal: &Journal) -> Result<Done> {
    let plan = &journal.receipt().plan;
    let digest = plan.undoes.clone().unwrap_or_default();
    let cluster = change::cluster(run)?;
    let namespace = &plan.target.namespace;
    let all = match effects::receipts(&cluster, Some(namespace)).await {
        Ok(all) => all,
        Err(Error::Forbidden { .. }) => Vec::new(),
        Err(error) => {
            let says = format!("the files are back; the rest is not: {}", error.whole());
            let way = format!("  again:  kubectl prom-fix undo {digest} -n {namespace}");
            return Ok(told(run, journal, says, &way));
        }
    };
    let local = effects::local_receipts();
    let mut both = all.into_iter().chain(local);
    let of = both.find(|r| r.digest == digest).context("the receipt that is undone is gone")?;
    ledger::values(run, &cluster, &of).await
}

fn halted(run: &Run<'_>, journal: &Journal, why: &str) -> Done {
    let receipt = journal.receipt();
    let (digest, namespace) = (&receipt.digest, &receipt.plan.target.namespace);
    let way = format!("  go on:  kubectl prom-fix resume {digest} -n {namespace}");
    told(run, journal, format!("not put back: {why}"), &way)
}

/// An undo that did not end, and the command with which it goes on.
fn told(run: &Run<'_>, journal: &Journal, says: String, way: &str) -> Done {
    run.screen.fail(&render::clean(&says));
    run.screen.say(way);
    answer::Answer {
        plan: &journal.receipt().plan,
        rehearsal: &[],
        exit: Exit::Unfinished,
        message: says,
        blocked: None,
    }
    .done(run, String::new())
}
