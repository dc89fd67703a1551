//! The proof of a recovery: the same checks again, for as long as asked, and a head that takes
//! samples. Never by counting samples through queries: that is what kills a server short of memory.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::examine::{self, Examined};
use super::{Ask, Run, asks};
use crate::effects::Watcher;
use crate::model::log::walreplay;
use crate::model::receipt::Receipt;
use crate::model::report::{Intake, State};
use crate::model::{Fact, Need, Seen, Snapshot};
use crate::source;
use crate::subject::{Subject, promised};

/// How a proof ended.
pub enum Proof {
    /// Healthy throughout, and every head grew where that can be told.
    Proved(Examined, Intake),
    /// Not in time; the last look.
    Late(Examined),
    /// Ctrl-C.
    Detached(Examined),
}

/// What the servers of a salvage hold of what it promised, in words; else why that is not proved.
pub async fn promised(
    run: &Run<'_>,
    receipt: &Receipt,
    subject: &Subject,
) -> Result<Vec<String>, String> {
    let promises = promised::of(receipt);
    let needs = promised::needs(subject, &promises);
    let mut seen = Snapshot::new(run.world.clock());
    source::gather(&run.world, &mut seen, &mut |_| needs.clone()).await;
    promises.iter().map(|promise| promised::held(subject, &seen, promise)).collect()
}

/// All pods serve, and a fault of another class than was repaired is left: that does not get well by
/// waiting. So long is waited for what comes a little later, as the endpoints of a Service do.
const LEFT: Duration = Duration::from_secs(60);
/// Between two looks.
const EVERY: Duration = Duration::from_secs(3);

/// Looks again until it has been healthy for `settle`, or `timeout` has gone by without a change. Only
/// the last look is a whole one: what it tells is reported.
pub async fn prove(run: &Run<'_>, ask: &Ask<'_>, watcher: &mut dyn Watcher) -> Result<Proof> {
    let change = &run.typed.change;
    let brief = Ask { proving: true, ..*ask };
    let mut healthy_since: Option<Instant> = None;
    let mut changed = Instant::now();
    let mut last = String::new();
    // What was told of its heads while it is well, from which on they are to grow.
    let mut heads: Option<Told> = None;
    let mut left_since: Option<Instant> = None;
    let mut whole_is_left = false;
    loop {
        let now = examine::again(run, &brief).await?;
        let mut says = describe(&now);
        if says != last {
            changed = Instant::now();
            last.clone_from(&says);
        }
        let healthy = now.report.state == State::Healthy;
        let mut left = is_left(&now, ask);
        whole_is_left &= healthy;
        if !(left || whole_is_left) {
            left_since = None;
        }
        if healthy {
            let since = *healthy_since.get_or_insert_with(Instant::now);
            let told = told(run, &now.subject).await;
            let from = heads.map_or(told, |from| from.until(told));
            heads = Some(from);
            if let Some(intake) = intake(from, told)
                && since.elapsed() >= change.settle
            {
                let whole = examine::again(run, ask).await?;
                if whole.report.state == State::Healthy {
                    return Ok(Proof::Proved(whole, intake));
                }
                // Not well by what the looks before had left out.
                (healthy_since, heads) = (None, None);
                says = describe(&whole);
                whole_is_left = is_left(&whole, ask);
                left = left || whole_is_left;
            }
        } else {
            (healthy_since, heads) = (None, None);
        }
        if left && left_since.get_or_insert_with(Instant::now).elapsed() >= LEFT {
            return Ok(Proof::Late(whole(run, ask, now).await));
        }
        let settle = change.settle.as_secs_f64().max(0.1);
        let stood = healthy_since.map(|s| s.elapsed().as_secs_f64() / settle);
        let stood = stood.or_else(|| replay(&now).and_then(walreplay::fraction));
        watcher.wait(&format!("proving: {says}"), stood);
        if watcher.stop_requested() {
            return Ok(Proof::Detached(whole(run, ask, now).await));
        }
        if changed.elapsed() > change.timeout + change.settle {
            return Ok(Proof::Late(whole(run, ask, now).await));
        }
        tokio::time::sleep(EVERY.min(change.settle.max(Duration::from_millis(500)))).await;
    }
}

/// Whether all pods serve, and what is wrong is not of the class that was repaired.
fn is_left(now: &Examined, ask: &Ask<'_>) -> bool {
    let target = &now.report.target;
    let of_another = |root| ask.class.is_some_and(|class| class != asks::class_name(root));
    target.serving >= target.wanted && now.report.root.is_some_and(of_another)
}

/// A whole look, where one can be had.
async fn whole(run: &Run<'_>, ask: &Ask<'_>, brief: Examined) -> Examined {
    examine::again(run, ask).await.unwrap_or(brief)
}

fn describe(now: &Examined) -> String {
    let target = &now.report.target;
    let root = now.report.root.map(|r| format!(", {r}")).unwrap_or_default();
    let mut says = format!(
        "{} {}, {} of {} serving{root}",
        target.object.short(),
        now.report.state.word(),
        target.serving,
        target.wanted
    );
    // A position that moves is progress, however long a replay takes.
    match (replay(now), &now.report.waits) {
        (Some(at), _) => says.push_str(&format!(", {at}")),
        (None, Some(waits)) => says.push_str(&format!(", {waits}")),
        (None, None) => {}
    }
    says
}

/// `segment 12 of 40 (7 %)`, where a replay goes on and says how far it is.
fn replay(now: &Examined) -> Option<&str> {
    let mut evidence = now.report.findings.iter().flat_map(|finding| &finding.evidence);
    evidence.find(|e| e.field == "progress").map(|e| e.value.as_str())
}

/// What serving pods tell of samples appended to their heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Samples(u64),
    /// Any of them has no target.
    NothingToScrape,
    /// Any of them does not tell: TLS, a login, no right to the proxy.
    Nothing,
}

impl Told {
    /// From where on to count, with what is told now: a process that began anew counts anew.
    fn until(self, now: Told) -> Told {
        match (self, now) {
            (Told::Samples(from), Told::Samples(now)) => Told::Samples(from.min(now)),
            // One look that failed: who has told can tell.
            (Told::Samples(_) | Told::NothingToScrape, Told::Nothing) => self,
            (_, now) => now,
        }
    }
}

/// Heads that take samples: more than at the first look. Where that cannot be told Ready has to do.
fn intake(from: Told, now: Told) -> Option<Intake> {
    match (from, now) {
        (Told::Samples(from), Told::Samples(now)) => {
            now.checked_sub(from).filter(|more| *more > 0).map(Intake::Took)
        }
        (Told::NothingToScrape | Told::Nothing, Told::Samples(_)) => None,
        (_, Told::NothingToScrape) => Some(Intake::NothingToScrape),
        (Told::Samples(_) | Told::NothingToScrape, Told::Nothing) => None,
        (Told::Nothing, Told::Nothing) => Some(Intake::NotTold),
    }
}

async fn told(run: &Run<'_>, subject: &Subject) -> Told {
    let path = subject.flags.below_prefix("/metrics");
    let needs: Vec<Need> =
        subject.serving().map(|p| Need::http(p, subject.flags.port(), &path)).collect();
    let mut seen = Snapshot::new(run.world.clock());
    source::gather(&run.world, &mut seen, &mut |_| needs.clone()).await;
    let of = |fact: &Fact| match fact {
        Fact::Known(Seen::Http { status: 200, body }) => of_metrics(body),
        _ => Told::Nothing,
    };
    let all = seen.facts.values().map(of);
    all.fold(Told::Samples(0), |sum, one| match (sum, one) {
        (Told::Samples(sum), Told::Samples(one)) => Told::Samples(sum.saturating_add(one)),
        (Told::Samples(_), other) | (other, _) => other,
    })
}

fn of_metrics(body: &str) -> Told {
    if sum(body, "prometheus_build_info").is_none() {
        return Told::Nothing;
    }
    let samples = sum(body, "prometheus_tsdb_head_samples_appended_total")
        .or_else(|| sum(body, "prometheus_agent_samples_appended_total"));
    match (sum(body, "prometheus_target_scrape_pool_targets"), samples.unwrap_or(0)) {
        // There is none without a job, either; and no release before 2.21 counts its targets.
        (Some(0), _) | (None, 0) => Told::NothingToScrape,
        // The counter has no series before its first sample (seen with v2.53.3).
        (_, samples) => Told::Samples(samples),
    }
}

/// The sum over a metric's series in the text format, in whole numbers.
fn sum(text: &str, name: &str) -> Option<u64> {
    let mut total = None;
    for line in text.lines() {
        let Some(rest) = line.strip_prefix(name) else { continue };
        if !rest.starts_with([' ', '{']) {
            continue;
        }
        let value: f64 = rest.rsplit(' ').next()?.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
        let value = value as u64;
        total = Some(total.unwrap_or(0) + value);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_counted_while_it_is_well() {
        let (some, more) = (Told::Samples(5), Told::Samples(9));
        assert_eq!(intake(some, some), None);
        assert_eq!(intake(some, more), Some(Intake::Took(4)));
        // Begun anew: from there on.
        assert_eq!(more.until(some), some);
        assert_eq!(some.until(more), some);
        assert_eq!(intake(Told::Nothing.until(some), some), None);
        assert_eq!(some.until(Told::Nothing), some, "one look that failed");
        assert_eq!(intake(some, Told::Nothing), None);
        assert_eq!(intake(Told::Nothing, Told::Nothing), Some(Intake::NotTold));
        assert_eq!(intake(some, Told::NothingToScrape), Some(Intake::NothingToScrape));

        let build = "prometheus_build_info{version=\"2.53.3\"} 1\n";
        let young = format!("{build}prometheus_target_scrape_pool_targets{{scrape_job=\"a\"}} 1\n");
        assert_eq!(of_metrics(&young), Told::Samples(0), "its first sample is to come");
        assert_eq!(of_metrics(build), Told::NothingToScrape);
        let old = format!("{build}prometheus_tsdb_head_samples_appended_total 7\n");
        assert_eq!(of_metrics(&old), Told::Samples(7), "2.20 does not count its targets");
        assert_eq!(of_metrics("up 1\n"), Told::Nothing);
    }
}
