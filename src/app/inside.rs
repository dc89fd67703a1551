//! `--inspect`: a look inside volumes where a class asks for one, and the same questions again with
//! what was seen.

use anyhow::Result;

use super::change::{cluster, identity, patience};
use super::examine::{Examined, examine};
use super::{Ask, Run};
use crate::effects::{self, Consents, NO_IMAGE};
use crate::model::plan::{Action, Blocked, BlockedReason, Look, Plan, Step, Tells};
use crate::model::report::{Rehearsal, Report};
use crate::model::{Kind, Snapshot};
use crate::render;

/// What is left where a helper has no image.
const IMAGE_WAY: &str =
    "the same with  --helper-image REF  : any image that its node has, or may pull";

/// A class may ask for one claim after another, those of all replicas.
const ROUNDS: usize = 20;

/// Why nothing is planned, and the command that looks.
pub fn asked_for(run: &Run<'_>, report: &Report, look: &Look) -> Blocked {
    let object = &report.target.object;
    // A recording cannot be looked into: there the command is for the cluster.
    let flags = run.context.flags.iter().filter(|_| !run.context.bundle);
    let flags: String = flags.map(|flag| format!(" {flag}")).collect();
    let command = format!(
        "kubectl prom-fix {} {} -n {}{flags} --inspect",
        report.command,
        object.short(),
        object.namespace
    );
    let mut ways = vec![
        command,
        format!(
            "it makes one pod that mounts {} read-only, and removes it again",
            look.claim.short()
        ),
    ];
    ways.extend(look.ways.iter().cloned());
    Blocked { reason: BlockedReason::NeedsInspect, why: look.why.clone(), ways }
}

/// The same plan comes again only with the image that its helpers run in.
pub fn pin_image(plan: &mut Plan, seen: &Snapshot) {
    let makes = |step: &Step| matches!(&step.action, Action::Create { object, .. } if object.kind == Kind::Pod);
    if let Some(image) = seen.inside.image.as_ref().filter(|_| plan.steps.iter().any(makes)) {
        plan.inputs.extend(["--helper-image".into(), image.clone()]);
    }
}

/// Looks wherever it is asked for; what could not be looked at is noted as such.
pub async fn inspect(
    run: &Run<'_>,
    ask: &Ask<'_>,
    mut all: Vec<Examined>,
) -> Result<Vec<Examined>> {
    for _ in 0..ROUNDS {
        let looks: Vec<(Look, Vec<String>)> =
            all.iter().filter_map(|e| Some((e.look.clone()?, e.report.lacks.clone()))).collect();
        if looks.is_empty() {
            break;
        }
        for (look, lacks) in looks {
            one(run, look, &lacks).await?;
        }
        all = examine(run, ask).await?;
    }
    for report in all.iter_mut().map(|one| &mut one.report) {
        if let Some(blocked) = report.blocked.as_mut().filter(|b| b.why.contains(NO_IMAGE)) {
            blocked.ways.insert(0, IMAGE_WAY.into());
        }
    }
    Ok(all)
}

async fn one(run: &Run<'_>, look: Look, lacks: &[String]) -> Result<()> {
    let (claim, tells) = (look.claim.clone(), look.tells);
    let refused = |why: String| {
        run.inside.borrow_mut().refused.insert(claim.clone(), why);
    };
    if run.inside.borrow().agents.is_empty() {
        refused(
            "this build carries no agent: take a release archive or krew, or name the folder of \
             krew/agent in PROM_FIX_AGENT_DIR"
                .into(),
        );
        return Ok(());
    }
    if let Some(why) = look.cannot {
        refused(why);
        return Ok(());
    }
    if !lacks.is_empty() {
        refused(format!("you may not {}", lacks.join(", ")));
        return Ok(());
    }
    let rehearsal = vec![Rehearsal::NotRun; look.plan.steps.len()];
    let shown = render::plan(&look.plan, &rehearsal, &run.screen.style());
    run.screen.say(shown.trim_end());
    let change = &run.typed.change;
    if let Some(envelope) = look.envelope.filter(|_| change.apply && change.yes) {
        run.screen.say(envelope);
    }
    // `--inspect` is the consent to this, and to no more than this.
    let approved = match effects::approve(look.plan, &Consents::GIVEN, "", &mut |_| None) {
        Ok(approved) => approved,
        Err(blocked) => {
            refused(blocked.why);
            return Ok(());
        }
    };
    // From here on Ctrl-C means: stop, and take the helper away.
    run.begin();
    let cluster = cluster(run)?;
    let mut watcher = run.screen.watcher();
    let who = identity(run);
    let said = effects::look_inside(&cluster, &approved, &who, &mut watcher, &patience(run)).await;
    match said {
        Ok(report) => {
            let mut inside = run.inside.borrow_mut();
            match tells {
                Tells::Owners => inside.owners.insert(claim, report),
                Tells::Survey => inside.surveys.insert(claim, report),
                Tells::Inventory => inside.inventories.insert(claim, report),
                Tells::Space => inside.spaces.insert(claim, report),
                Tells::Reach => inside.reached.insert(claim, report),
            };
        }
        Err(error) => {
            let why = render::clean(&error.whole());
            run.screen.say(&format!("no look inside {}: {why}", claim.short()));
            refused(why);
        }
    }
    Ok(())
}
