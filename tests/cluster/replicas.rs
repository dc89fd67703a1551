//! Two replicas, the first broken: whatever the plan does, one of them serves.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::install::{Install, Kind, SERIES, serve};
use super::life::{carry_out, first, text, until_told};
use super::objects::FRONT;
use super::scene::{Scene, essence, until};
use super::sight::reader;

/// 30 000 series live at this limit and 70 000 do not (all three versions); by the count of the
/// sibling that serves, the plan comes to some 212Mi, at which 70 000 live.
const TIGHT: &str = "104Mi";

/// Ordinal 0 scrapes more than fits, ordinal 1 serves, and a client asks five times a second.
pub fn half_broken(scene: &Scene, kind: Kind, image: &str) -> Install {
    serve(scene, "load", SERIES);
    let more = if kind == Kind::Resource { "prometheus-prom-0-more" } else { "more" };
    serve(scene, more, 40_000);
    let install = Install { replicas: 2, uneven: true, ..Install::new(kind, image, TIGHT) };
    install.apply(scene);
    let label = install.selector().replace('=', ": ");
    let url = "http://front:9090/-/ready";
    scene.apply(&FRONT.replace("@LABEL@", &label).replace("@URL@", url));
    let healthy = if kind == Kind::Resource { "prometheus-prom-1" } else { "prom-1" };
    scene.until_ready(healthy, 90);
    until_told(scene, install.target(), &["oom/limit-below-need", "oom/replay"]);
    scene.until_ready(healthy, 10);
    install
}

/// A plan is carried out while the client looks on; no request of it may fail once the broken
/// replica is deleted. Until then that one is Ready now and then, and takes requests with it when
/// it is killed again, whatever the plan does; and kube-proxy may send it some for a second more (its
/// `minSyncPeriod`).
pub fn never_away(scene: &Scene, carry_out: impl FnOnce() -> Value) -> Value {
    let report = carry_out();
    let receipts = scene.plugin(&["receipts", "-o", "json"]).expect(0).json();
    let deleted = steps(&report).iter().position(|s| s.starts_with("delete ")).expect("a delete");
    let from = text(&receipts, &format!("/0/steps/{deleted}/ended"));
    let from: Timestamp = from.parse().unwrap_or_else(|e| panic!("{e}: {receipts:#}"));
    let from = (from + SignedDuration::from_secs(1)).to_string();
    let log = scene.kubectl(&["logs", "client"]).expect(0).stdout;
    let meanwhile: Vec<&str> = log.lines().filter(|l| *l > from.as_str()).collect();
    assert!(meanwhile.len() > 100, "the client asked: {}", meanwhile.len());
    let failed: Vec<&&str> = meanwhile.iter().filter(|l| !l.contains(" 200 ")).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), meanwhile.len());
    report
}

/// Each step as `verb kind/name`.
pub fn steps(report: &Value) -> Vec<String> {
    let steps = report.pointer("/reports/0/plan/steps").and_then(Value::as_array).expect("a plan");
    let line = |s: &Value| {
        let (verb, kind) = (text(s, "/action"), text(s, "/object/kind"));
        format!("{verb} {kind}/{}", text(s, "/object/name"))
    };
    steps.iter().map(line).collect()
}

pub fn uids(scene: &Scene, install: &Install) -> Vec<String> {
    let pods = install.pods(scene);
    pods.iter().map(|p| scene.field(&format!("pod/{p}"), ".metadata.uid")).collect()
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_set_serves_throughout() {
    let scene = Scene::new("two");
    half_broken(&scene, Kind::Set, "v2.53.3");
    let before = essence(&scene.get("sts/prom"));
    let report = never_away(&scene, || carry_out(&scene, "sts/prom", &[]));
    let wanted = [
        "patch StatefulSet/prom",
        "delete Pod/prom-0",
        "wait Pod/prom-0",
        "delete Pod/prom-1",
        "wait Pod/prom-1",
        "patch StatefulSet/prom",
    ];
    assert_eq!(steps(&report), wanted);
    let now = scene.get("sts/prom");
    assert_eq!(text(&now, "/spec/updateStrategy/type"), "RollingUpdate");
    assert_eq!(first(&report, "/plan/impact/outage"), "none: one replica serves throughout");
    scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0);
    assert_eq!(essence(&scene.get("sts/prom")), before);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_resource_serves_throughout_and_its_set_is_patched_in_the_paused_window_only() {
    let scene = Scene::new("window");
    let install = half_broken(&scene, Kind::Resource, "v3.16.0");
    let before = essence(&scene.get("prometheus/prom"));
    let report = never_away(&scene, || carry_out(&scene, "prometheus/prom", &[]));
    let acts: Vec<String> = steps(&report).into_iter().filter(|s| !s.starts_with("wait")).collect();
    let wanted = [
        "patch Prometheus/prom",
        "patch StatefulSet/prometheus-prom",
        "delete Pod/prometheus-prom-0",
        "delete Pod/prometheus-prom-1",
        "patch Prometheus/prom",
    ];
    assert_eq!(acts, wanted);
    let all = report.pointer("/reports/0/plan/steps").and_then(Value::as_array).expect("a plan");
    let of_pause = |step: &&Value| {
        let ops = step.pointer("/patch").and_then(Value::as_array);
        let writes = |o: &Value| text(o, "/op") != "test" && text(o, "/path") == "/spec/paused";
        ops.is_some_and(|ops| ops.iter().any(writes))
    };
    assert_eq!(all.iter().filter(of_pause).count(), 2, "the first pauses, the last lets it back");
    // The operator renders what is there already: nothing restarts once more.
    let pods = uids(&scene, &install);
    std::thread::sleep(std::time::Duration::from_secs(10));
    assert_eq!(uids(&scene, &install), pods);
    assert_eq!(scene.get("prometheus/prom").pointer("/spec/paused"), None);
    scene.plugin(&["undo", "prometheus/prom", "--yes"]).expect(0);
    assert_eq!(essence(&scene.get("prometheus/prom")), before);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn with_nobody_serving_no_plan_touches_what_the_operator_renders() {
    let scene = Scene::new("none");
    let install =
        Install { replicas: 2, scrapes: false, ..Install::new(Kind::Resource, "v3.16.0", "16Mi") };
    install.apply(&scene);
    let report = until_told(&scene, "prometheus/prom", &["oom/limit-below-need"]);
    let patches: Vec<String> =
        steps(&report).into_iter().filter(|s| s.starts_with("patch ")).collect();
    assert_eq!(patches, ["patch Prometheus/prom"]);
    carry_out(&scene, "prometheus/prom", &[]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_plan_made_with_rights_to_read_is_carried_out_by_another() {
    let scene = Scene::new("handover");
    let install = Install { scrapes: false, ..Install::new(Kind::Set, "v3.16.0", "16Mi") };
    install.apply(&scene);
    let alice = reader(&scene, &|_| true);
    let mut plan = String::new();
    until("alice has a plan", 60, || {
        let said = scene.plugin_with(&["oom", "sts/prom", "-o", "plan"], &[("KUBECONFIG", &alice)]);
        plan = said.stdout;
        said.code == 2 && !plan.is_empty()
    });
    let file = std::env::temp_dir().join(format!("{}.plan", scene.ns));
    std::fs::write(&file, &plan).expect("the folder for temporary files");
    let path = file.display().to_string();
    let said = scene.plugin_with(&["apply", "-f", &path, "--yes"], &[("KUBECONFIG", &alice)]);
    assert_ne!(said.code, 0, "alice may only read\n{}", said.stderr);
    assert_eq!(text(&scene.get("sts/prom"), install.memory()), "16Mi");

    let mut args = vec!["apply", "-f", path.as_str(), "--yes", "--settle", "4s", "--timeout", "2m"];
    scene.plugin(&args).expect(0);
    assert_eq!(text(&scene.get("sts/prom"), install.memory()), "32Mi");
    // Once carried out it does not fit a second time.
    args.extend(["-o", "json"]);
    scene.plugin(&args).expect(3);
    let _ = std::fs::remove_file(file);
}
