//! What was done: receipts, and finishing or taking back one of them.

use anyhow::{Result, bail};

use super::answer::{self, Answer};
use super::change::{self, in_namespace};
use super::{Ask, Done, Run, back, conclusion};
use crate::classes::Given;
use crate::cli::Output;
use crate::effects::{self, Cluster, Ended};
use crate::exit::Exit;
use crate::model::plan::{Blocked, BlockedReason, FREEZE};
use crate::model::receipt::{Freed, Receipt, State};
use crate::render;
use crate::subject::discover::Target;
use crate::subject::hold;

/// Receipts of the namespace (with `-A` of all), newest first, with those that are on this
/// machine alone; and whether any of the cluster's could be read.
pub(super) async fn all(run: &Run<'_>, cluster: &Cluster) -> Result<(Vec<Receipt>, bool)> {
    let scope = (!run.typed.kube.all_namespaces).then_some(run.namespace.as_str());
    let out = match effects::receipts(cluster, scope).await {
        Ok(receipts) => Some(receipts),
        Err(effects::Error::Forbidden { .. }) => readable(run, cluster, scope).await?,
        Err(error) => return Err(error.into()),
    };
    let read = out.is_some();
    let mut out = out.unwrap_or_default();
    for own in effects::local_receipts() {
        let here = own.server == run.context.server
            && scope.is_none_or(|ns| own.plan.target.namespace == ns);
        if here && !out.iter().any(|r| r.digest == own.digest && r.began == own.began) {
            out.push(own);
        }
    }
    out.sort_by(|a, b| b.began.cmp(&a.began));
    let freed: Vec<(String, Freed)> = out.iter().filter_map(Receipt::frees).collect();
    for receipt in &mut out {
        receipt.held = held(cluster, receipt).await;
        let own = |(of, freed): &&(String, Freed)| {
            *of == receipt.digest && freed.at > receipt.began && receipt.salvage().is_some()
        };
        receipt.freed = freed.iter().find(own).map(|(_, freed)| freed.clone());
    }
    Ok((out, read))
}

/// Of a freeze that stands, whether what it held is held now: others may have let it go.
async fn held(cluster: &Cluster, receipt: &Receipt) -> Option<bool> {
    let plan = &receipt.plan;
    if receipt.state != State::Applied || plan.class != FREEZE {
        return None;
    }
    let live = cluster.get(hold::held_by(plan)?).await.ok()?;
    Some(live.is_some_and(|live| hold::holds(plan, &live)))
}

/// What is left where the listing that was asked for is forbidden: of all namespaces, the one at
/// hand; of that one, nothing. Each is told.
async fn readable(
    run: &Run<'_>,
    cluster: &Cluster,
    scope: Option<&str>,
) -> Result<Option<Vec<Receipt>>> {
    let own = "you may not list configmaps there; besides, this machine's own are shown";
    if scope.is_some() {
        run.screen.say(&format!("receipts of namespace {} not read: {own}", run.namespace));
        return Ok(None);
    }
    match effects::receipts(cluster, Some(&run.namespace)).await {
        Ok(receipts) => {
            run.screen.say(&format!(
                "receipts of namespaces other than {} not read: {own}",
                run.namespace
            ));
            Ok(Some(receipts))
        }
        Err(effects::Error::Forbidden { .. }) => {
            run.screen.say(&format!("receipts of all namespaces not read: {own}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The receipts, or one as a timeline.
pub async fn receipts(run: &Run<'_>, id: Option<&str>) -> Result<Done> {
    let cluster = change::cluster(run)?;
    let (list, read) = all(run, &cluster).await?;
    let now = run.world.clock();
    let chosen: Vec<&Receipt> = match id {
        None => list.iter().collect(),
        Some(id) => {
            let found: Vec<&Receipt> = list.iter().filter(|r| names(r, id)).collect();
            if found.is_empty() {
                bail!("no receipt {id:?} in {:?}; -A looks in all namespaces", run.namespace);
            }
            found
        }
    };
    let stdout = match (run.typed.read.output, id, chosen.as_slice()) {
        (Output::Json, ..) => serde_json::to_string_pretty(&chosen)? + "\n",
        (Output::Yaml, ..) => render::yaml(&serde_json::to_value(&chosen)?),
        (_, Some(_), [one, ..]) => render::receipt(one, now),
        _ if list.is_empty() && !read => String::new(),
        _ => render::receipts(&list, now),
    };
    // None that could be seen is not none.
    let exit = if read || !list.is_empty() { Exit::Healthy } else { Exit::Unknown };
    Ok(Done { exit, stdout })
}

/// By digest (or its beginning), by target, or by `prom-fix-DIGEST`.
fn names(receipt: &Receipt, id: &str) -> bool {
    let bare = id.strip_prefix("prom-fix-").unwrap_or(id);
    let target = &receipt.plan.target;
    (bare.len() >= 4 && receipt.digest.starts_with(bare))
        || target.short() == id
        || target.name == id
}

/// The one receipt meant: named, or the only one in a state that fits.
pub(super) fn choose(
    list: Vec<Receipt>,
    which: Option<&str>,
    fits: &dyn Fn(&Receipt) -> bool,
    verb: &str,
) -> Result<Receipt> {
    let mut found: Vec<Receipt> =
        list.into_iter().filter(|r| which.is_none_or(|id| names(r, id)) && fits(r)).collect();
    match (found.len(), which) {
        (0, Some(id)) => bail!("nothing to {verb} for {id:?}; see  kubectl prom-fix receipts"),
        (0, None) => {
            bail!("nothing to {verb} in this namespace; see  kubectl prom-fix receipts -A")
        }
        (1, _) => Ok(found.remove(0)),
        // The newest of one target takes back what is on top.
        (_, Some(_))
            if found
                .iter()
                .all(|r| found.first().is_some_and(|f| f.plan.target == r.plan.target)) =>
        {
            Ok(found.remove(0))
        }
        _ => {
            let names: Vec<String> = found
                .iter()
                .map(|r| format!("{} ({}, {})", r.digest, r.plan.target.short(), r.began))
                .collect();
            bail!("several to {verb}; name one: {}", names.join("; "))
        }
    }
}

pub async fn resume(run: &Run<'_>, which: Option<&str>) -> Result<Done> {
    let cluster = change::cluster(run)?;
    let (list, _) = all(run, &cluster).await?;
    let receipt = choose(list, which, &|r| r.state == State::Open, "resume")?;
    if !consent(run, &receipt, "finish")? {
        return Ok(declined(run, &receipt));
    }
    run.begin();
    let mut watcher = run.screen.watcher();
    let (journal, ended) =
        effects::resume(&cluster, &receipt, &mut watcher, &change::patience(run)).await?;
    let plan = &receipt.plan;
    let target = Target::of(&plan.target);
    let given = Given::new();
    let scoped = in_namespace(run, &plan.target.namespace);
    let ask = Ask { class: None, target: &target, word: None, given: &given, proving: false };
    conclusion::of(&scoped, &ask, journal, ended).await
}

pub async fn undo(run: &Run<'_>, which: Option<&str>) -> Result<Done> {
    let cluster = change::cluster(run)?;
    let (list, _) = all(run, &cluster).await?;
    // Killed between the files and the rest: those are back already.
    let taken_back: Vec<(String, String)> = list
        .iter()
        .filter(|r| r.state == State::Applied && r.put_back())
        .filter_map(|r| Some((r.plan.undoes.clone()?, r.began.clone())))
        .collect();
    // What took something back is no change of its own.
    let stands = |r: &Receipt| {
        r.state == State::Open
            || r.state == State::Applied && r.plan.undoes.is_none() && r.plan.frees.is_none()
    };
    let receipt = choose(list, which, &stands, "undo")?;
    let files_are_back =
        taken_back.iter().any(|(of, at)| *of == receipt.digest && *at > receipt.began);
    if let Some(freed) = receipt.freed.as_ref().filter(|freed| freed.whole) {
        return Ok(answer::blocked(run, &receipt.plan, &[], &no_way_back(freed)));
    }
    if !receipt.to_restore().is_empty() && !files_are_back {
        return back::undo(run, receipt).await;
    }
    if !consent(run, &receipt, "put back")? {
        return Ok(declined(run, &receipt));
    }
    run.begin();
    values(run, &cluster, &receipt).await
}

/// A plan that mends files leaves nothing else behind that could be taken back.
fn no_way_back(freed: &Freed) -> Blocked {
    let why = format!(
        "its old files were freed, by {} at {}: the mended log stays, and nothing else of it is left \
         to be taken back",
        freed.by, freed.at
    );
    Blocked::no_safe_plan(why, &[])
}

/// Puts back what is the API server's.
pub(super) async fn values(run: &Run<'_>, cluster: &Cluster, receipt: &Receipt) -> Result<Done> {
    let mut watcher = run.screen.watcher();
    let force = run.typed.change.force;
    let ended = effects::undo(cluster, receipt, &mut watcher, &change::patience(run), force).await;
    effects::Watcher::done(&mut watcher, 0, "");
    let namespace = &receipt.plan.target.namespace;
    match ended {
        Ok(Ended::Done) => {
            let now = match &receipt.plan.frees {
                Some(_) => "its helper is gone; what it had freed by then stays so".to_owned(),
                None => {
                    format!("values and field ownership are as they were before {}", receipt.began)
                }
            };
            let stdout = format!(
                "UNDONE  {} -n {namespace}   {}\n        {now}\n",
                receipt.plan.target.short(),
                receipt.plan.title
            );
            Ok(told(run, receipt, Exit::Healthy, "undone".into(), stdout))
        }
        Ok(Ended::Detached | Ended::Stopped { .. }) => {
            let says =
                format!("stopped; again:  kubectl prom-fix undo {} -n {namespace}", receipt.digest);
            run.screen.say(&says);
            Ok(told(run, receipt, Exit::Unfinished, says, String::new()))
        }
        Ok(Ended::TimedOut { step, says }) => unfinished(run, receipt, step, &says),
        Ok(Ended::Failed { step, error } | Ended::Refused { step, error }) => {
            unfinished(run, receipt, step, &error.whole())
        }
        Ok(Ended::Stale { step, why }) => unfinished(run, receipt, step, &why),
        Err(blocked) => Ok(answer::blocked(run, &receipt.plan, &[], &blocked)),
    }
}

fn unfinished(run: &Run<'_>, receipt: &Receipt, step: usize, why: &str) -> Result<Done> {
    let says = format!("undo of step {step} did not end: {why}");
    run.screen.fail(&render::clean(&says));
    run.screen.say(&format!(
        "  again:  kubectl prom-fix undo {} -n {}",
        receipt.digest, receipt.plan.target.namespace
    ));
    Ok(told(run, receipt, Exit::Unfinished, says, String::new()))
}

/// The end of an undo: `text` for people, the same as a report for scripts.
fn told(run: &Run<'_>, receipt: &Receipt, exit: Exit, message: String, text: String) -> Done {
    let plan = &receipt.plan;
    Answer { plan, rehearsal: &[], exit, message, blocked: None }.done(run, text)
}

/// Shows what would be finished or put back, and asks.
pub(super) fn consent(run: &Run<'_>, receipt: &Receipt, verb: &str) -> Result<bool> {
    let change = &run.typed.change;
    run.screen.say(render::receipt(receipt, run.world.clock()).trim_end());
    if let Some(digest) = &change.confirm {
        if *digest != receipt.digest {
            bail!("--confirm {digest} is not the receipt {}; nothing was changed", receipt.digest);
        }
        return Ok(true);
    }
    if change.yes {
        return Ok(true);
    }
    let question = format!(
        "{verb} {} on {} -n {} (context {})? (y/N) ",
        receipt.digest,
        receipt.plan.target.short(),
        receipt.plan.target.namespace,
        run.context.name
    );
    match run.screen.ask(&question) {
        Some(line) => Ok(matches!(line.to_ascii_lowercase().as_str(), "y" | "yes")),
        None => bail!("no terminal to ask on: add --yes, or --confirm {}", receipt.digest),
    }
}

pub(super) fn declined(run: &Run<'_>, receipt: &Receipt) -> Done {
    let reason = BlockedReason::Declined;
    let blocked = Blocked { reason, why: "the answer was not yes".into(), ways: Vec::new() };
    answer::blocked(run, &receipt.plan, &[], &blocked)
}
