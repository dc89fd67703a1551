//! Carrying a plan out: rehearse, show, ask, execute, prove, show.

use std::cell::Cell;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::examine::Examined;
use super::{Ask, Done, Run, answer, conclusion, print};
use crate::classes::Given;
use crate::effects::{
    self, Approved, Cluster, Consent, Consents, Error, Identity, Journal, Patience,
};
use crate::exit::Exit;
use crate::model::plan::{Blocked, BlockedReason, Plan};
use crate::model::report::{Context, Rehearsal, Report, State};
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
    let told = Cell::new(false);
    let tell = || {
        if !told.replace(true) {
            run.screen.say(shown.trim_end());
        }
    };
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
    let ask = Ask { class: None, target: &target, word: None, given: &given, proving: false };
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
pub(super) fn approve(run: &Run<'_>, plan: Plan, before: &dyn Fn()) -> Result<Approved, Blocked> {
    let change = &run.typed.change;
    let consent = match (&change.confirm, change.yes) {
        (Some(digest), _) => Consent::Confirm(digest.clone()),
        (None, true) => Consent::Yes,
        (None, false) => Consent::Ask,
    };
    let beforehand = change.inspect.is_some();
    let consents = Consents { consent, allow_downtime: change.allow_downtime, beforehand };
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
    conclusion::of(run, ask, journal, ended).await
}
