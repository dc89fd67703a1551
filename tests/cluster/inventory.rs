//! A server that dies in its replay: the series in its log are counted beside it, the limit is what
//! they need, and the lines that are printed against them keep them out.

use std::process::Command;

use serde_json::Value;

use super::api;
use super::audit::Mark;
use super::install::{Install, Kind, SERIES};
use super::life::{first, text, until_told};
use super::oom::fails_replaying;
use super::scene::{Scene, run, until};

const IMAGE: &str = "v3.16.0";
const MANAGED: &str = "app.kubernetes.io/managed-by=prom-fix";

/// What is said of a finding under one label, a line each.
fn evidence(report: &Value, code: &str, field: &str) -> Vec<String> {
    let findings = report.pointer("/reports/0/findings").and_then(Value::as_array);
    let of = findings.into_iter().flatten().filter(|f| text(f, "/code") == code);
    let all = of.filter_map(|f| f.get("evidence")?.as_array()).flatten();
    all.filter(|e| text(e, "/field") == field).map(|e| text(e, "/value")).collect()
}

/// The configuration that scrapes the load, with these lines in its job.
fn configuration(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "global: {{scrape_interval: 3s}}\nscrape_configs:\n- job_name: load\n  static_configs: \
         [{{targets: [\"load:8080\"]}}]\n{lines}"
    )
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn the_series_in_the_log_of_a_server_that_is_down_are_counted_and_kept_out() {
    let scene = Scene::new("count");
    let install = fails_replaying(&scene, Install::new(Kind::Set, IMAGE, "200Mi"));
    let guess = until_told(&scene, "sts/prom", &["oom/replay"]);
    let hints = guess.pointer("/reports/0/unknown").expect("unknowns").to_string();
    assert!(hints.contains("kubectl prom-fix oom sts/prom --inspect"), "{hints}");
    let report = looks(&scene);
    let lines = evidence(&report, "oom/cardinality", "to stop it").join("\n");
    is_accepted(&configuration(&lines));
    // The lines to commit say so of the whole job.
    let commit = scene.plugin(&["oom", "sts/prom", "--inspect", "-o", "commit"]).expect(2).stdout;
    let of_job = commit.lines().skip_while(|line| !line.starts_with("sample_limit: "));
    let of_job: String = of_job.map(|line| format!("{line}\n")).collect();
    assert!(of_job.contains("\nmetric_relabel_configs:\n"), "{commit}");
    carried_out(&scene, &install);
    kept_out(&scene, &of_job);
}

/// By Prometheus' own program.
#[track_caller]
fn is_accepted(configuration: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, configuration).expect("written");
    let check = ["check", "config", file.to_str().expect("a plain path")];
    run(Command::new("promtool").args(check), "").expect(0);
}

/// Counted by a helper of which nothing stays but the receipt, and planned by that.
#[track_caller]
fn looks(scene: &Scene) -> Value {
    let mark = Mark::now();
    let report = scene.plugin(&["oom", "sts/prom", "--inspect", "-o", "json"]).expect(2).json();
    mark.only_our_own(&scene.ns);
    let helpers = scene.kubectl(&["get", "pods", "-l", MANAGED, "-o", "name"]).expect(0);
    assert_eq!(helpers.stdout, "");

    let counted = evidence(&report, "oom/replay", "").join("\n");
    assert!(counted.contains("series in its WAL, counted by the agent"), "{report:#}");
    let number: String = counted.split(" series").next().expect("a number").replace(' ', "");
    let number: u32 = number.parse().expect("a count");
    assert!((SERIES..SERIES + 1000).contains(&number), "{counted}");
    let dominates = report.pointer("/reports/0/findings").expect("findings").to_string();
    assert!(dominates.contains("synthetic holds 99 % of "), "{dominates}");
    let most = |field: &str| evidence(&report, "oom/cardinality", field).join("\n");
    assert!(most("jobs").starts_with("load 30 "), "{}", most("jobs"));
    assert!(most("labels").starts_with("series 30 000"), "{}", most("labels"));
    // 30 000 series x 3.45 kB x 1.5 + 64 MiB, rounded up.
    assert_eq!(
        first(&report, "/plan/title"),
        "raise the memory limit from 44Mi to 256Mi",
        "{report:#}"
    );
    report
}

#[track_caller]
fn carried_out(scene: &Scene, install: &Install) {
    let words = ["oom", "sts/prom", "--inspect", "--apply", "--yes", "--settle", "8s"];
    let more = ["--timeout", "2m", "--allow-downtime", "-o", "json"];
    let report = scene.plugin(&[&words[..], &more[..]].concat()).expect(0).json();
    assert_eq!(first(&report, "/verdict"), "healthy", "{report:#}");
    assert_eq!(report.pointer("/reports/0/outcome/proved"), Some(&Value::Bool(true)));
    assert_eq!(text(&scene.get("sts/prom"), install.memory()), "256Mi");
}

/// What was printed, in the job of its configuration, on a new head.
#[track_caller]
fn kept_out(scene: &Scene, lines: &str) {
    let configuration = configuration(lines);
    is_accepted(&configuration);
    let indented: String = configuration.lines().map(|l| format!("    {l}\n")).collect();
    scene.apply(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: lines}}\ndata:\n  prometheus.yml: |\n\
         {indented}"
    ));
    let volumes = r#"[
        {"op": "replace", "path": "/spec/template/spec/volumes/0/configMap/name", "value": "lines"},
        {"op": "replace", "path": "/spec/template/spec/containers/0/args/1",
         "value": "--storage.tsdb.path=/prometheus/new"}
    ]"#;
    scene.kubectl(&["patch", "sts/prom", "--type=json", "-p", volumes]).expect(0);
    let path = |tail: &str| format!("/api/v1/namespaces/{}/pods/prom-0:9090/proxy{tail}", scene.ns);
    let ask = |tail: &str| api::get(&path(tail)).unwrap_or_default();
    until("the load is scraped with the lines", 60, || {
        let targets = ask("/api/v1/targets");
        let config = ask("/api/v1/status/config");
        ["regex: synthetic", "sample_limit: "].iter().all(|line| config.contains(line))
            && targets.contains(r#""health":"up""#)
    });
    let stats: Value = serde_json::from_str(&ask("/api/v1/status/tsdb")).expect("JSON");
    let of_head = stats.pointer("/data/headStats/numSeries").and_then(Value::as_u64);
    assert!(of_head.is_some_and(|series| (1..1000).contains(&series)), "{stats:#}");
    let names = stats.pointer("/data/seriesCountByMetricName").expect("names").to_string();
    assert!(names.contains("\"up\"") && !names.contains("synthetic"), "{names}");
}
