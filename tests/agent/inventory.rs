//! `inventory` against what Prometheus says of its own head once it has loaded the same directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::corruptions::history;
use super::corruptions::server::{self, Release, Server};
use super::corruptions::write::{Request, Value::Float};

type Counts = BTreeMap<String, u64>;

fn counts(list: &Value, name: impl Fn(&Value) -> String, value: &str) -> Counts {
    let rows = list.as_array().expect("a list").iter();
    rows.map(|row| (name(row), row[value].as_u64().expect("a number"))).collect()
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().expect("a text").to_owned()
}

fn inventory(data: &Path) -> Value {
    let mut agent = Command::new(env!("CARGO_BIN_EXE_prom-fix-agent"));
    let output = agent.arg("inventory").arg(data).args(["--json", "--top=1000"]).output();
    let output = output.expect("the agent starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// 700 series of seven metrics and three jobs, twice scraped.
fn scraped(release: &Release, data: &Path) {
    let server = Server::start(release, data).expect("an own directory");
    for step in 0..2 {
        let mut request = Request::default();
        for n in 0..700_i32 {
            let [metric, job, pod] = [n % 7, n % 3, n].map(|n| n.to_string());
            let metric = format!("metric_{metric}_total");
            let labels = [("__name__", &*metric), ("job", &job), ("pod", &pod), ("zone", "a")];
            let labels = &labels[..4 - usize::from(n % 2 == 0)];
            request.add(labels, history::START + step * history::STEP, &Float(f64::from(n)));
        }
        server.write(&request);
    }
    server.stop();
}

#[test]
#[ignore = "starts Prometheus: tests/run"]
fn it_counts_what_prometheus_loads() {
    let folder = tempfile::tempdir().expect("a folder");
    for release in server::releases() {
        let data = folder.path().join(&release.version);
        scraped(&release, &data);
        let ours = inventory(&data);
        let server = Server::start(&release, &data).expect("it was stopped in order");
        // Releases before 2.45 know no limit, and tell ten.
        let (status, body) = server.get("/api/v1/status/tsdb?limit=1000").expect("an answer");
        assert_eq!(status, 200);
        let told: Value = serde_json::from_slice(&body).expect("JSON");
        let told = &told["data"];
        assert_eq!(ours["series"], told["headStats"]["numSeries"]);
        let name = |row: &Value| text(row, "name");
        let pair = |row: &Value| format!("{}={}", text(row, "name"), text(row, "value"));
        let value = |row: &Value| text(row, "value");
        for (list, ours) in [
            ("seriesCountByMetricName", counts(&ours["metrics"], value, "series")),
            ("labelValueCountByLabelName", counts(&ours["labels"], name, "values")),
            ("seriesCountByLabelValuePair", counts(&ours["pairs"], pair, "series")),
        ] {
            let theirs = counts(&told[list], name, "value");
            assert!(theirs.len() >= 4, "{list}: {theirs:?}");
            assert!(theirs.len() == ours.len() || theirs.len() == 10, "{list}: {theirs:?}");
            for (name, count) in theirs {
                assert_eq!(ours.get(&name), Some(&count), "{list} {name} {}", release.version);
            }
        }
        server.stop();
    }
}

/// A log also names series whose samples have gone into a block. A start makes them all, and drops
/// them once the log is read: so the status page no longer counts them.
#[test]
#[ignore = "starts Prometheus: tests/run"]
fn series_that_are_gone_are_counted_for_a_start_makes_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let release = server::releases().pop().expect("a release");
    let data = folder.path().join("data");
    history::make(&release, &data);
    let ours = inventory(&data);
    assert!(ours["checkpoint"].is_u64(), "{ours}");
    let server = Server::start(&release, &data).expect("it was stopped in order");
    let (_, body) = server.get("/metrics").expect("an answer");
    let metrics = String::from_utf8(body).expect("text");
    let made = "prometheus_tsdb_head_series_created_total ";
    let made = metrics.lines().find_map(|line| line.strip_prefix(made)).expect("the metric");
    assert_eq!(ours["series"].to_string(), made);
    server.stop();
    churn(&ours["churn"]);
}

/// All hours whose segments are left are as they were made; of the first a part may be in the
/// checkpoint.
fn churn(told: &Value) {
    let hours = told["hours"].as_array().expect("a list");
    let at = |hour: &Value| {
        let since = hour["from"].as_i64().expect("milliseconds") - history::START;
        usize::try_from(since / 3_600_000).expect("not before it began")
    };
    let [first, rest @ ..] = hours.as_slice() else { panic!("{told}") };
    assert!(rest.len() >= 2 && at(&hours[hours.len() - 1]) == 4, "{told}");
    let series = |hour: &Value| hour["series"].as_u64().expect("a number");
    assert!(series(first) <= history::CREATED[at(first)], "{told}");
    for hour in rest {
        assert_eq!(series(hour), history::CREATED[at(hour)], "{told}");
    }
    assert_eq!(told["unknown"], 0);
    assert!(told["earlier"].as_u64() > Some(0), "{told}");
}
