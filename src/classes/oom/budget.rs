//! Will the replay after the fix end before the startup probe gives up? Two rollouts would be two
//! replays, so a budget that is too small is raised by the same patch.

use super::kill::Kill;
use crate::model::object::ObjectExt;
use crate::model::probe::Probe;

/// The estimate is a rate seen while memory ran out; it may well be half of what it will be.
const MARGIN: i64 = 2;

/// Budgets that are asked for, in seconds: coarse, so that another measurement makes the same plan.
const LADDER: &[i64] = &[900, 1800, 3600, 7200, 14_400, 28_800, 86_400];

/// The budget that a replay of `seconds` needs, where its probe has less.
pub fn missing(kill: &Kill<'_>, seconds: i64) -> Option<i64> {
    let spec = kill.pod.get("spec")?;
    let own = spec.list("/containers").iter().find(|c| c.text("/name") == kill.state.name)?;
    let budget = Probe::of(own.get("startupProbe")?, spec).allows_seconds();
    let needed = seconds.saturating_mul(MARGIN);
    if needed <= budget {
        return None;
    }
    LADDER.iter().copied().find(|step| *step >= needed).or(LADDER.last().copied())
}
