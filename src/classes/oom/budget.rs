//! Will the replay after the fix end before the startup probe gives up? Two rollouts would be two
//! replays, so a budget that is too small is raised by the same patch.

use jiff::Timestamp;
use serde_json::Value;

use super::kill::Kill;
use crate::model::log::{self, Line};
use crate::model::object::ObjectExt;
use crate::model::patch::Change;
use crate::subject::Subject;

/// The estimate is a rate seen while memory ran out; it may well be half of what it will be.
const MARGIN: i64 = 2;

/// Budgets that are asked for, in seconds: coarse, so that another measurement makes the same plan.
const LADDER: &[i64] = &[900, 1800, 3600, 7200, 14_400, 28_800, 86_400];

/// The changes that give the replay its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    pub seconds: i64,
    pub on_root: Vec<(String, i64)>,
    pub rendered: Vec<(String, i64)>,
    pub why: String,
}

impl Raise {
    /// Whether it goes through the resource's own field, which older operators do not have.
    pub fn is_field(&self) -> bool {
        self.on_root.iter().any(|(pointer, _)| pointer.ends_with("/maximumStartupDurationSeconds"))
    }

    pub fn changes(list: &[(String, i64)]) -> impl Iterator<Item = Change> + '_ {
        list.iter().map(|(pointer, value)| Change::set(pointer.clone(), *value))
    }
}

/// Seconds that the whole replay takes at the rate at which it went until the kill.
pub fn estimate(lines: &[Line]) -> Option<i64> {
    let run = log::last_run(lines);
    let replay = log::replay(run);
    let (loaded, last) = (replay.segment?, replay.max_segment?);
    let at = |part: &str| -> Option<Timestamp> {
        run.iter().rfind(|l| l.has(part)).and_then(|l| l.ts().parse().ok())
    };
    let began = at("Replaying WAL")?;
    let reached = at("WAL segment loaded")?;
    let first = run.iter().find(|l| l.has("WAL segment loaded"))?;
    let first: u64 = first.field("segment")?.parse().ok()?;
    let done = i64::try_from(loaded.saturating_sub(first) + 1).ok()?;
    let all = i64::try_from(last.saturating_sub(first) + 1).ok()?;
    let spent = reached.duration_since(began).as_secs().max(1);
    Some(spent * all / done.max(1))
}

fn container<'a>(kill: &Kill<'a>) -> Option<&'a Value> {
    kill.pod.list("/spec/containers").iter().find(|c| c.text("/name") == kill.state.name)
}

/// The budget that a replay of `seconds` needs, where its probe has less.
pub fn missing(kill: &Kill<'_>, seconds: i64) -> Option<i64> {
    let probe = container(kill)?.get("startupProbe")?;
    // Defaults of the API server: 10 s, 3 failures (core/v1 Probe).
    let period = probe.number("/periodSeconds").unwrap_or(10).max(1);
    let failures = probe.number("/failureThreshold").unwrap_or(3);
    let budget = probe.number("/initialDelaySeconds").unwrap_or(0) + period * failures;
    let needed = seconds.saturating_mul(MARGIN);
    if needed <= budget {
        return None;
    }
    LADDER.iter().copied().find(|step| *step >= needed).or(LADDER.last().copied())
}

/// The changes that make the budget `seconds`.
pub fn raise(subject: &Subject, kill: &Kill<'_>, seconds: i64) -> Option<Raise> {
    let probe = container(kill)?.get("startupProbe")?;
    let period = probe.number("/periodSeconds").unwrap_or(10).max(1);
    let why = format!("its startup probe waits {} min for the replay", seconds / 60);
    let list = "/spec/template/spec/containers";
    let index = subject
        .workloads
        .first()
        .and_then(|w| w.list(list).iter().position(|c| c.text("/name") == kill.state.name));
    let rendered = index.map(|i| format!("{list}/{i}/startupProbe"));
    if subject.is_operated() {
        return Some(on_resource(subject, seconds, rendered, why));
    }
    let at = format!("{}/failureThreshold", rendered?);
    let count = (seconds + period - 1) / period;
    Some(Raise { seconds, on_root: vec![(at.clone(), count)], rendered: vec![(at, count)], why })
}

/// The operator renders `failureThreshold = ceil(N/60)` and `periodSeconds = ceil(N/threshold)`
/// (prometheus-operator `pkg/prometheus/promcfg.go`, since 0.71); an element of `spec.containers`
/// with a probe of its own beats it.
fn on_resource(subject: &Subject, seconds: i64, rendered: Option<String>, why: String) -> Raise {
    let threshold = (seconds + 59) / 60;
    let period = (seconds + threshold - 1) / threshold.max(1);
    let own = subject.root_object.list("/spec/containers").iter().position(|c| {
        c.text("/name") == subject.container
            && c.pointer("/startupProbe/failureThreshold").is_some()
    });
    if let Some(index) = own {
        let element = format!("/spec/containers/{index}/startupProbe");
        let each = subject.root_object.number(&format!("{element}/periodSeconds")).unwrap_or(15);
        let count = (seconds + each - 1) / each.max(1);
        return Raise {
            seconds,
            on_root: vec![(format!("{element}/failureThreshold"), count)],
            rendered: rendered
                .into_iter()
                .map(|at| (format!("{at}/failureThreshold"), count))
                .collect(),
            why,
        };
    }
    let rendered = rendered
        .into_iter()
        .flat_map(|at| {
            [(format!("{at}/failureThreshold"), threshold), (format!("{at}/periodSeconds"), period)]
        })
        .collect();
    let field = "/spec/maximumStartupDurationSeconds".to_owned();
    Raise { seconds, on_root: vec![(field, seconds)], rendered, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_until_the_kill_tells_how_long_all_of_it_takes() {
        let text = "\
time=2026-11-22T17:46:00Z level=INFO msg=\"Replaying WAL, this may take a while\" component=tsdb
time=2026-11-22T17:46:10Z level=INFO msg=\"WAL segment loaded\" segment=10 maxSegment=109
time=2026-11-22T17:47:40Z level=INFO msg=\"WAL segment loaded\" segment=19 maxSegment=109";
        assert_eq!(estimate(&log::lines(text)), Some(1000));
    }
}
