//! What a salvage has promised, as its helper reported it, and whether the server that was started on
//! it holds that. Only what is true of every start is asked for: how many series its head has is not,
//! for it forgets those whose samples are all in blocks, and gets new ones; how many it ever made is.

use jiff::Timestamp;
use serde_json::Value;

use super::volume::{Store, store};
use super::{Subject, errand, pod};
use crate::model::object::ObjectExt;
use crate::model::plan::{Action, Undo};
use crate::model::quantity::{show_count, show_time};
use crate::model::receipt::Receipt;
use crate::model::{Fact, Got, Need, Seen, Snapshot, exposition};

/// Of one claim, what a start reads of WAL and checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    claim: String,
    /// Entries of Series records.
    series: i64,
    /// Distinct series that a start makes; none where they were too many to be told apart.
    head_series: Option<i64>,
    /// The head begins at this time or before, in milliseconds; none where that was not certain.
    begins: Option<i64>,
    samples: i64,
    /// Samples without a series, which a start leaves out.
    orphans: i64,
    /// When the plan had ended. What has started since counts anew, and not what was salvaged.
    ended: Option<Timestamp>,
}

/// What the helpers of a receipt have promised.
pub fn of(receipt: &Receipt) -> Vec<Promise> {
    let steps = receipt.plan.steps.iter();
    let helpers = steps.enumerate().filter_map(|(place, step)| match (&step.action, &step.undo) {
        (Action::Create { object, body }, Undo::Restore(_)) => Some((place, object, body)),
        _ => None,
    });
    let promise = |(place, object, body): (usize, _, &Value)| {
        // Its report is kept where its end was waited for.
        let waited = receipt.plan.steps.iter().zip(&receipt.steps).skip(place);
        let mut ends = waited.filter(
            |(step, _)| matches!(&step.action, Action::Wait { object: of, .. } if of == object),
        );
        let said = ends.next()?.1.said.as_ref()?;
        (said.text("/outcome") == "salvaged").then_some(())?;
        Some(Promise {
            claim: body.text("/spec/volumes/0/persistentVolumeClaim/claimName").to_owned(),
            series: said.number("/kept/series")?,
            head_series: said.number("/headSeries"),
            begins: said.number("/begins"),
            samples: said.number("/kept/samples")?,
            orphans: said.number("/orphans/samples")?,
            ended: receipt.ended.as_deref().and_then(|at| at.parse().ok()),
        })
    };
    helpers.filter_map(promise).collect()
}

/// The pod that was started on it.
fn started<'a>(subject: &'a Subject, promise: &Promise) -> Option<&'a Value> {
    let on = |pod: &&Value| {
        matches!(store(subject, pod), Store::Claim { claim, .. } if claim == promise.claim)
            && !errand::is_helper(pod)
            && pod::is_ready(pod)
    };
    subject.pods.iter().find(on)
}

fn metrics(subject: &Subject, pod: &Value) -> Need {
    let path = subject.flags.below_prefix("/metrics");
    Need::http(pod, subject.flags.port(), &path)
}

/// What the servers say of themselves, and what they logged at this start.
pub fn needs(subject: &Subject, promises: &[Promise]) -> Vec<Need> {
    let pods = promises.iter().filter_map(|promise| started(subject, promise));
    pods.flat_map(|pod| [metrics(subject, pod), Need::log(pod, &subject.container, false)])
        .collect()
}

/// A server that was started on what was mended.
struct Server<'a> {
    subject: &'a Subject,
    seen: &'a Snapshot,
    pod: &'a Value,
    short: String,
}

/// What a server holds of the promise, in words; else why that is not proved.
pub fn held(subject: &Subject, seen: &Snapshot, promise: &Promise) -> Result<String, String> {
    let pod = started(subject, promise)
        .ok_or_else(|| format!("no pod serves from pvc/{}", promise.claim))?;
    let server = Server { subject, seen, pod, short: pod::reference(pod).short() };
    let short = &server.short;
    let cut = server.number(match subject.agent {
        true => "prometheus_agent_corruptions_total",
        false => "prometheus_tsdb_wal_corruptions_total",
    })?;
    if cut > 0 {
        return Err(format!("{short} met {cut} corruptions in its log at this start"));
    }
    if subject.agent {
        // Its log is a queue of what is to be sent, and no head is read from it.
        return Ok(format!("{short}: no corruption"));
    }
    let lost = server.unknown()?;
    let (foreseen, kept) = (count(promise.orphans), count(promise.samples));
    if lost > promise.orphans {
        return Err(format!(
            "{short} left out {} samples of unknown series, and {foreseen} were foreseen",
            count(lost)
        ));
    }
    let series = server.number("prometheus_tsdb_head_series")?;
    let from = server.number("prometheus_tsdb_head_min_time")?;
    let began = server.began()?;
    if promise.samples > promise.orphans && from >= began {
        return Err(format!(
            "{kept} samples were kept, and the head of {short} begins with this start: either all of \
             them are older than its newest block, or they were not loaded"
        ));
    }
    // The log of a later start is another one.
    let first = promise.ended.is_none_or(|ended| began <= ended.as_millisecond());
    let made = server.made(promise, promise.head_series.filter(|_| first))?;
    let reaches = server.reaches(promise.begins.filter(|_| first), from)?;
    Ok(format!(
        "{short}: its head has {} series ({made}){reaches}; no corruption, {} samples of unknown series \
         of {foreseen} foreseen",
        count(series),
        count(lost)
    ))
}

impl Server<'_> {
    fn unread(&self, what: &str, why: &str) -> String {
        format!("{what} of {}: not read, {why}", self.short)
    }

    fn metrics(&self) -> Result<&str, String> {
        match self.seen.facts.get(&metrics(self.subject, self.pod)) {
            Some(Fact::Known(Seen::Http { status: 200, body })) => Ok(body),
            Some(Fact::Known(Seen::Http { status, .. })) => {
                Err(self.unread("/metrics", &format!("status {status}")))
            }
            Some(Fact::Unreadable(why)) => Err(self.unread("/metrics", why)),
            Some(Fact::Known(_) | Fact::Absent) | None => {
                Err(self.unread("/metrics", "it is not there"))
            }
        }
    }

    fn number(&self, name: &str) -> Result<i64, String> {
        exposition::whole(self.metrics()?, name)
            .ok_or_else(|| self.unread(name, "it does not tell"))
    }

    /// Of the series that were kept, whether this start made them all.
    fn made(&self, promise: &Promise, kept: Option<i64>) -> Result<String, String> {
        let Some(kept) = kept else {
            return Ok(format!("{} Series records were kept", count(promise.series)));
        };
        let made = self.number("prometheus_tsdb_head_series_created_total")?;
        if made < kept {
            let (made, kept) = (count(made), count(kept));
            return Err(format!("{} loaded {made} series, and {kept} were kept", self.short));
        }
        Ok(format!("{} made since this start, of {} that were kept", count(made), count(kept)))
    }

    /// Where its head begins, if that tells what it loaded. One that was cut to blocks since begins later,
    /// and loses nothing.
    fn reaches(&self, begins: Option<i64>, from: i64) -> Result<String, String> {
        let Some(begins) = begins else {
            return Ok(String::new());
        };
        if self.number("prometheus_tsdb_head_truncations_total")? > 0 {
            return Ok(", and was written to blocks since this start".into());
        }
        if from > begins {
            return Err(format!(
                "the head of {} begins at {}, and samples from before {} were kept",
                self.short,
                show_time(from),
                show_time(begins)
            ));
        }
        Ok(format!(
            ", and reaches back to {} ({} was promised)",
            show_time(from),
            show_time(begins)
        ))
    }

    /// Samples that this start left out, for no record says of which series they are.
    fn unknown(&self) -> Result<i64, String> {
        if let Some(told) = unknown_refs(self.metrics()?) {
            return Ok(told);
        }
        let log = match self.seen.log(self.pod, &self.subject.container, false) {
            Got::Known(log) => log,
            Got::Unreadable(why) => return Err(self.unread("the log", why)),
            Got::Absent | Got::NotAsked => return Err(self.unread("the log", "there is none")),
        };
        match self.subject.flags.get("log.level") {
            Some("error") => Err(self.unread("warnings", "its log level hides them")),
            Some("warn") => Ok(unknown_samples(log)),
            // The end of a long log may not hold what was said at the start.
            _ if log.contains("WAL replay completed") => Ok(unknown_samples(log)),
            _ => Err(self.unread("the replay", "its log does not reach back to it")),
        }
    }

    /// When its container began, in milliseconds: by the clock of its machine, which its samples
    /// have, too.
    fn began(&self) -> Result<i64, String> {
        let status = pod::container(self.pod, &self.subject.container);
        match status.map(|container| container.doing) {
            Some(pod::Doing::Running { since: Some(since) }) => Ok(since.as_millisecond()),
            Some(_) | None => Err(self.unread("the start", "it does not run")),
        }
    }
}

/// Since 3.4, where there are any: of either type none is told as nothing at all (tsdb/head_wal.go,
/// `counterAddNonZero`). All log it.
fn unknown_refs(metrics: &str) -> Option<i64> {
    let of = |kind: &&str| {
        let name = format!("prometheus_tsdb_wal_replay_unknown_refs_total{{type=\"{kind}\"}}");
        exposition::whole(metrics, &name)
    };
    ["samples", "histograms"].iter().filter_map(of).reduce(|all, more| all + more)
}

/// `msg="Unknown series references" samples=12 histograms=0 …` of checkpoint and WAL
/// (tsdb/head_wal.go); of the wbl it says "for ooo WAL replay", and none was promised.
fn unknown_samples(log: &str) -> i64 {
    let lines = log.lines().filter(|line| {
        line.contains("Unknown series references") && !line.contains("for ooo WAL replay")
    });
    let number = |word: &str| -> Option<i64> {
        let (name, number) = word.split_once('=')?;
        matches!(name, "samples" | "histograms").then_some(number)?.parse().ok()
    };
    lines.flat_map(|line| line.split_whitespace().filter_map(number)).sum()
}

fn count(number: i64) -> String {
    show_count(u64::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_replay_left_out_is_counted() {
        let log = "level=warn msg=\"Unknown series references\" samples=12 exemplars=0\n\
                   msg=\"Unknown series references\" series=2 samples=3 histograms=5\n";
        assert_eq!(unknown_samples(log), 20);
        let late = "msg=\"Unknown series references for ooo WAL replay\" samples=4\n";
        assert_eq!(unknown_samples(late), 0);
        let line = |kind: &str, count: u8| {
            format!("prometheus_tsdb_wal_replay_unknown_refs_total{{type=\"{kind}\"}} {count}\n")
        };
        let [series, late, native] = [("series", 2), ("samples", 3), ("histograms", 5)]
            .map(|(kind, count)| line(kind, count));
        assert_eq!(unknown_refs(&format!("{series}{late}{native}")), Some(8));
        assert_eq!(unknown_refs(&format!("{series}{native}")), Some(5));
        assert_eq!(unknown_refs(&series), None);
    }
}
