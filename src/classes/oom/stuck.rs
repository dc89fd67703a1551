//! Somebody has raised the limit already, and the pod still runs with the old one: its set waits
//! for it to become Ready before it replaces it, which it never will. No patch, only a restart.

use super::Asked;
use super::fix::{Case, assemble};
use super::kill::quantity_text;
use super::preflight;
use super::size::Chosen;
use crate::model::object::ObjectExt;
use crate::model::plan::{Blocked, Plan};
use crate::model::quantity::parse_bytes;
use crate::subject::repair::{self, Draft};
use crate::subject::rollout::Wanted;

/// The restart, where the template has a larger limit than the pod was killed at.
pub fn plan(case: &Case<'_>, asked: &Asked<'_>) -> Result<Option<Plan>, Blocked> {
    let killed = case.kill.and_then(|k| k.limit.as_ref()).map(|l| l.bytes);
    let (Some(killed), Some(set), None) = (killed, &case.landing.old_limit, asked.memory) else {
        return Ok(None);
    };
    if parse_bytes(set).is_none_or(|set| set <= killed) {
        return Ok(None);
    }
    let template = case.subject.workloads.first();
    let rendered = template
        .and_then(|w| w.pointer(&format!("{}/limits/memory", case.landing.rendered)))
        .and_then(quantity_text);
    if rendered.as_deref().and_then(parse_bytes).is_none_or(|bytes| bytes <= killed) {
        return Err(Blocked::no_safe_plan(
            format!(
                "{} says {set} already, and its operator has not rendered it",
                case.subject.root.short()
            ),
            &["see why: kubectl describe it, and the operator's log"],
        ));
    }
    if let Some(kill) = case.kill {
        repair::follows_template(case.subject, kill.pod.name())?;
    }
    let chosen = Chosen { limit: set.clone(), request: None, given: false };
    let doubts = preflight::check(case.subject, case.seen, case.container, &chosen)?;
    let why = format!("its limit is {set} already, and it still runs with the old one");
    let title = format!("restart the pod: {why}");
    let wanted = Wanted { why, ..Wanted::default() };
    assemble(case, Draft { title, wanted, doubts, ..Draft::default() }).map(Some)
}
