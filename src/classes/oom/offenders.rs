//! Who fills the head: its largest metrics, labels and label pairs, from its own statistics, or of a
//! server that is down from what was counted in its log. Never from a `topk` query, which touches
//! every series on a server that is short of memory already.

use serde_json::Value;

use super::docs::CARDINALITY;
use super::inventory::{self, Counted};
use super::needs;
use crate::model::Snapshot;
use crate::model::finding::{Finding, Severity};
use crate::model::object::ObjectExt;
use crate::model::plan::Snippet;
use crate::model::quantity::show_count;
use crate::subject::commit::scrape::{self, Dominant, Named};
use crate::subject::{Subject, pod};

/// A head smaller than this cannot be anyone's problem.
const SMALL: i64 = 20_000;
/// A metric that holds this share of all series dominates.
const METRIC_PERCENT: i64 = 25;
/// A job may well hold half of a small installation; a larger share is worth a word.
const JOB_PERCENT: i64 = 60;
/// A label with this many values is an identifier, not a dimension.
const VALUES: i64 = 20_000;
/// The agent keeps so many bytes of a name; a longer one is not known whole.
const LONGEST: usize = 512;

/// What a head consists of, the largest first.
struct Heaviest<'a> {
    pod: &'a Value,
    total: i64,
    metrics: Vec<Named>,
    jobs: Vec<Named>,
    labels: Vec<Named>,
    /// `job=api`.
    pairs: Vec<Named>,
    /// Counted in a log, not by the server.
    logged: bool,
}

/// One warning at most, with everything that stands out as evidence.
pub fn warnings(subject: &Subject, seen: &Snapshot) -> Option<Finding> {
    let head = heaviest(subject, seen)?;
    let dominant = dominant(&head)?;
    let total = head.total;
    let Dominant { metric, label, job } = &dominant;
    let holds = |name: &str, n: i64| {
        format!("{name} holds {} % of {} series", n * 100 / total, count(total))
    };
    let says = match (metric, label, job) {
        (Some((name, n)), _, _) => holds(name, *n),
        (None, Some((name, n)), _) => format!("label {name} has {} values", count(*n)),
        (None, None, Some((name, n))) => holds(&format!("job={name}"), *n),
        (None, None, None) => return None,
    };
    let mut finding = Finding::new(CARDINALITY, &pod::reference(head.pod), Severity::Warn, says);
    let jobs = if head.logged { head.jobs.as_slice() } else { &[] };
    for (field, list) in [
        ("metrics", head.metrics.as_slice()),
        ("jobs", jobs),
        ("labels", &head.labels),
        ("pairs", &head.pairs),
    ] {
        let most: Vec<String> =
            list.iter().take(3).map(|(name, n)| format!("{name} {}", count(*n))).collect();
        if !most.is_empty() {
            finding = finding.with(field, most.join(", "));
        }
    }
    let lines = match head.logged {
        true => scrape::snippet(&dominant, subject.is_operated()).text.trim_end().to_owned(),
        false => scrape::in_one(&dominant),
    };
    Some(finding.with("to stop it", lines))
}

/// What to commit against it, where it was counted in a log: the server that loads this log will
/// scrape the same again.
pub fn to_commit(subject: &Subject, seen: &Snapshot) -> Option<Snippet> {
    let head = heaviest(subject, seen).filter(|head| head.logged)?;
    Some(scrape::snippet(&dominant(&head)?, subject.is_operated()))
}

fn dominant(head: &Heaviest<'_>) -> Option<Dominant> {
    let Heaviest { total, metrics, jobs, labels, .. } = head;
    if *total < SMALL {
        return None;
    }
    let share = |list: &[Named], percent: i64| {
        let (name, n) = list.iter().max_by_key(|(_, n)| *n)?;
        (n * 100 / total >= percent && is_whole(name)).then(|| (name.clone(), *n))
    };
    // Without one of these a target's series are no longer its own.
    let may_go = |name: &str| !matches!(name, "__name__" | "job" | "instance");
    let label = labels.iter().max_by_key(|(_, n)| *n);
    let label = label.filter(|(name, n)| *n >= VALUES && may_go(name) && is_whole(name));
    let found = Dominant {
        metric: share(metrics, METRIC_PERCENT),
        label: label.cloned(),
        job: share(jobs, JOB_PERCENT),
    };
    (found != Dominant::default()).then_some(found)
}

/// A name that was cut, or held bytes that are no text, would be matched by no line.
fn is_whole(name: &str) -> bool {
    name.len() < LONGEST && !name.contains(char::REPLACEMENT_CHARACTER)
}

fn heaviest<'a>(subject: &'a Subject, seen: &'a Snapshot) -> Option<Heaviest<'a>> {
    of_server(subject, seen).or_else(|| of_log(subject, seen))
}

/// `/api/v1/status/tsdb` of one that serves.
fn of_server<'a>(subject: &'a Subject, seen: &'a Snapshot) -> Option<Heaviest<'a>> {
    let pod = needs::witness(subject)?;
    let answer = seen.http(pod, subject.flags.port(), &needs::stats_path(subject))?.ok()?;
    let body: Value = serde_json::from_str(answer.1).ok()?;
    let data = body.get("data")?;
    let named = |list: &str| -> Vec<Named> {
        let one = |entry: &Value| Some((entry.text("/name").to_owned(), entry.number("/value")?));
        data.list(list).iter().filter_map(one).collect()
    };
    let pairs = named("/seriesCountByLabelValuePair");
    let job = |(name, n): &Named| Some((name.strip_prefix("job=")?.to_owned(), *n));
    Some(Heaviest {
        pod,
        total: data.number("/headStats/numSeries")?,
        metrics: named("/seriesCountByMetricName"),
        jobs: pairs.iter().filter_map(job).collect(),
        labels: named("/labelValueCountByLabelName"),
        pairs,
        logged: false,
    })
}

/// What the agent counted.
fn of_log<'a>(subject: &'a Subject, seen: &'a Snapshot) -> Option<Heaviest<'a>> {
    let Counted { pod, series, report } = inventory::counted(subject, seen)?;
    let ranks = |list: &str, whole: bool| -> Vec<Named> {
        let one = |rank: &Value| {
            let (name, value) = (rank.text("/name"), rank.text("/value"));
            let shown = if whole { format!("{name}={value}") } else { value.to_owned() };
            Some((shown, rank.number("/series")?))
        };
        report.list(list).iter().filter_map(one).collect()
    };
    let label = |row: &Value| Some((row.text("/name").to_owned(), row.number("/values")?));
    Some(Heaviest {
        pod,
        total: series.try_into().ok()?,
        metrics: ranks("/metrics", false),
        jobs: ranks("/jobs", false),
        labels: report.list("/labels").iter().filter_map(label).collect(),
        pairs: ranks("/pairs", true),
        logged: true,
    })
}

fn count(n: i64) -> String {
    show_count(n.try_into().unwrap_or(0))
}
