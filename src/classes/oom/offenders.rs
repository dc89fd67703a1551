//! Who fills the head: its largest metrics, labels and label pairs, from its own statistics. Never
//! from a `topk` query, which touches every series on a server that is short of memory already.

use serde_json::Value;

use super::docs::CARDINALITY;
use super::needs;
use crate::model::Snapshot;
use crate::model::finding::{Finding, Severity};
use crate::model::object::ObjectExt;
use crate::model::quantity::show_count;
use crate::subject::{Subject, pod};

/// A head smaller than this cannot be anyone's problem.
const SMALL: i64 = 20_000;
/// A metric that holds this share of all series dominates.
const METRIC_PERCENT: i64 = 25;
/// A job may well hold half of a small installation; a larger share is worth a word.
const JOB_PERCENT: i64 = 60;
/// A label with this many values is an identifier, not a dimension.
const VALUES: i64 = 20_000;

/// One warning at most, with everything that stands out as evidence.
pub fn warnings(subject: &Subject, seen: &Snapshot) -> Option<Finding> {
    let pod = needs::witness(subject)?;
    let answer = seen.http(pod, subject.flags.port(), &needs::stats_path(subject))?.ok()?;
    let body: Value = serde_json::from_str(answer.1).ok()?;
    let data = body.get("data")?;
    let total = data.number("/headStats/numSeries").filter(|n| *n >= SMALL)?;
    let metric =
        top(data, "/seriesCountByMetricName").filter(|(_, n)| n * 100 / total >= METRIC_PERCENT);
    let job = data
        .list("/seriesCountByLabelValuePair")
        .iter()
        .filter_map(pair)
        .find(|(name, _)| name.starts_with("job="))
        .filter(|(_, n)| n * 100 / total >= JOB_PERCENT);
    let label = top(data, "/labelValueCountByLabelName").filter(|(_, n)| *n >= VALUES);
    let says = match (&metric, &label, &job) {
        (Some((name, n)), _, _) => {
            format!("{name} holds {} % of {} series", n * 100 / total, count(total))
        }
        (None, Some((name, n)), _) => format!("label {name} has {} values", count(*n)),
        (None, None, Some((name, n))) => {
            format!("{name} holds {} % of {} series", n * 100 / total, count(total))
        }
        (None, None, None) => return None,
    };
    let mut finding = Finding::new(CARDINALITY, &pod::reference(pod), Severity::Warn, says);
    for (field, list) in [
        ("metrics", "/seriesCountByMetricName"),
        ("labels", "/labelValueCountByLabelName"),
        ("pairs", "/seriesCountByLabelValuePair"),
    ] {
        let most: Vec<String> = data
            .list(list)
            .iter()
            .filter_map(pair)
            .take(3)
            .map(|(name, n)| format!("{name} {}", count(n)))
            .collect();
        if !most.is_empty() {
            finding = finding.with(field, most.join(", "));
        }
    }
    Some(finding.with("to stop it", advice(metric.as_ref(), label.as_ref(), job.as_ref())))
}

/// The ready line of a scrape configuration.
fn advice(
    metric: Option<&(String, i64)>,
    label: Option<&(String, i64)>,
    job: Option<&(String, i64)>,
) -> String {
    if let Some((name, _)) = metric {
        return format!(
            "metric_relabel_configs: [{{source_labels: [__name__], regex: {name}, action: drop}}]"
        );
    }
    if let Some((name, _)) = label.filter(|(name, _)| name != "__name__") {
        return format!("metric_relabel_configs: [{{regex: {name}, action: labeldrop}}]");
    }
    let (name, count) = job.map_or(("the job", 0), |(name, n)| (name.as_str(), *n));
    format!("sample_limit: {} in the scrape config of {name}", (count / 2).max(10_000))
}

fn top(data: &Value, list: &str) -> Option<(String, i64)> {
    data.list(list).iter().filter_map(pair).max_by_key(|(_, n)| *n)
}

fn pair(entry: &Value) -> Option<(String, i64)> {
    Some((entry.text("/name").to_owned(), entry.number("/value")?))
}

fn count(n: i64) -> String {
    show_count(n.try_into().unwrap_or(0))
}
