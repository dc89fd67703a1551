//! The proof of a recovery: the same checks again, for as long as asked, and a head that takes
//! samples. Never by counting samples through queries: that is what kills a server short of memory.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::examine::{self, Examined};
use super::{Ask, Run};
use crate::effects::Watcher;
use crate::model::log::walreplay;
use crate::model::receipt::Receipt;
use crate::model::report::State;
use crate::model::{Need, Seen, Snapshot};
use crate::source;
use crate::subject::{Subject, promised};

/// How a proof ended.
pub enum Proof {
    /// Healthy throughout, and every head grew.
    Proved(Examined),
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
    let mut heads: Option<u64> = None;
    let mut grew = false;
    loop {
        let now = examine::again(run, &brief).await?;
        let says = describe(&now);
        if says != last {
            changed = Instant::now();
            last.clone_from(&says);
        }
        if now.report.state == State::Healthy {
            let since = *healthy_since.get_or_insert_with(Instant::now);
            let taken = samples(run, &now.subject).await;
            grew = grew || grown(heads, taken);
            heads = taken.or(heads);
            if grew && since.elapsed() >= change.settle {
                let whole = examine::again(run, ask).await?;
                if whole.report.state == State::Healthy {
                    return Ok(Proof::Proved(whole));
                }
                // Not well by what the looks before had left out.
                healthy_since = None;
                grew = false;
            }
        } else {
            healthy_since = None;
            grew = false;
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

/// A head that takes samples: more than at the look before. Where the process does not tell (TLS,
/// authentication, no right to the proxy) Ready has to do.
fn grown(before: Option<u64>, now: Option<u64>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => now > before,
        (None, Some(_)) => false,
        (_, None) => true,
    }
}

/// Samples appended by all serving pods; none where any of them does not tell, or has nothing to
/// scrape.
async fn samples(run: &Run<'_>, subject: &Subject) -> Option<u64> {
    let path = format!("{}/metrics", subject.flags.prefix().trim_end_matches('/'));
    let needs: Vec<Need> =
        subject.serving().map(|p| Need::http(p, subject.flags.port(), &path)).collect();
    let mut seen = Snapshot::new(run.world.clock());
    source::gather(&run.world, &mut seen, &mut |_| needs.clone()).await;
    let mut total: u64 = 0;
    for fact in seen.facts.values() {
        let crate::model::Fact::Known(Seen::Http { status: 200, body }) = fact else { return None };
        if sum(body, "prometheus_target_scrape_pool_targets") == Some(0) {
            return None;
        }
        total += sum(body, "prometheus_tsdb_head_samples_appended_total")
            .or_else(|| sum(body, "prometheus_agent_samples_appended_total"))?;
    }
    Some(total)
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
