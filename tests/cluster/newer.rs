//! An operator that knows `spec.updateStrategy` (0.88 and newer): the rollout goes through its own
//! resource, and nothing that it renders is patched. `tests/run` switches the operator first.

use serde_json::Value;

use super::audit::Mark;
use super::install::{Install, Kind};
use super::life::{carry_out, first, live, text, until_told};
use super::replicas::{half_broken, never_away, steps, uids};
use super::scene::{Scene, essence, kubectl};
use super::sight::reader;

/// A namespace, once it is certain that the operator was switched.
fn scene(name: &str) -> Scene {
    let versions = include_str!("versions.env");
    let wanted = versions.lines().find_map(|l| l.strip_prefix("OPERATOR_NEW=")).expect("a version");
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    let operator = ["get", "deploy", "prometheus-operator", "-n", "prometheus-operator"];
    let image = kubectl(&[&operator[..], &["-o", path]].concat()).expect(0).stdout;
    assert!(image.ends_with(&format!(":v{wanted}")), "{image}: tests/cluster/operator new");
    Scene::new(name)
}

/// The strategy is back, and the template is what the operator would render anyway.
fn nothing_restarts_once_more(scene: &Scene, install: &Install) {
    let pods = uids(scene, install);
    std::thread::sleep(std::time::Duration::from_secs(10));
    assert_eq!(uids(scene, install), pods);
}

/// What each patch of a plan writes, as `path` or `path = value` for strategies.
fn writes(report: &Value) -> Vec<String> {
    let steps = report.pointer("/reports/0/plan/steps").and_then(Value::as_array).expect("a plan");
    let ops = steps.iter().filter_map(|s| s.pointer("/patch").and_then(Value::as_array)).flatten();
    ops.filter(|op| text(op, "/op") != "test")
        .map(|op| format!("{} {} {}", text(op, "/op"), text(op, "/path"), text(op, "/value/type")))
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[test]
#[ignore = "needs the cluster with the newer operator: tests/run"]
fn a_resource_serves_throughout_by_its_own_strategy() {
    let scene = scene("strategy");
    let install = half_broken(&scene, Kind::Resource, "v3.16.0");
    let before = essence(&scene.get("prometheus/prom"));
    let mark = Mark::now();
    let report = never_away(&scene, || carry_out(&scene, "prometheus/prom", &[]));
    let acts: Vec<String> = steps(&report).into_iter().filter(|s| !s.starts_with("wait")).collect();
    let wanted = [
        "patch Prometheus/prom",
        "patch Prometheus/prom",
        "delete Pod/prometheus-prom-0",
        "delete Pod/prometheus-prom-1",
        "patch Prometheus/prom",
    ];
    assert_eq!(acts, wanted);
    let wanted = [
        "add /spec/updateStrategy OnDelete",
        "replace /spec/resources/limits/memory",
        "remove /spec/updateStrategy",
    ];
    assert_eq!(writes(&report), wanted);
    let asked: Vec<String> = mark.rungs(&scene.ns).into_values().flatten().collect();
    let of_set = |line: &&String| line.starts_with("patch ") && line.contains("/statefulsets/");
    assert_eq!(asked.iter().find(of_set), None, "what the operator renders is left to it");
    assert_eq!(first(&report, "/plan/impact/outage"), "none: one replica serves throughout");
    nothing_restarts_once_more(&scene, &install);
    let set = scene.get("sts/prometheus-prom");
    assert_eq!(text(&set, "/spec/updateStrategy/type"), "RollingUpdate");
    scene.plugin(&["undo", "prometheus/prom", "--yes"]).expect(0);
    assert_eq!(essence(&scene.get("prometheus/prom")), before);
}

#[test]
#[ignore = "needs the cluster with the newer operator: tests/run"]
fn one_replica_is_repaired_and_undone() {
    let scene = scene("newer");
    let install = Install { scrapes: false, ..Install::new(Kind::Resource, "v3.16.0", "16Mi") };
    install.apply(&scene);
    live(&scene, &install, &["oom/limit-below-need"]);
}

/// A resource that restarts only what is deleted is left so, before and after.
#[test]
#[ignore = "needs the cluster with the newer operator: tests/run"]
fn on_delete_stays_on_delete() {
    let scene = scene("ondelete");
    let install = Install { scrapes: false, ..Install::new(Kind::Resource, "v3.16.0", "16Mi") };
    let manifest = install.manifest().replace(
        "  scrapeInterval: 3s\n",
        "  scrapeInterval: 3s\n  updateStrategy: {type: OnDelete}\n",
    );
    scene.apply(&manifest);
    until_told(&scene, "prometheus/prom", &["oom/limit-below-need"]);
    let report = carry_out(&scene, "prometheus/prom", &["--allow-downtime"]);
    assert_eq!(writes(&report), ["replace /spec/resources/limits/memory"]);
    let now = scene.get("prometheus/prom");
    assert_eq!(text(&now, "/spec/updateStrategy/type"), "OnDelete");
    assert_eq!(text(&now, install.memory()), "32Mi");
}

/// Where it is not known that the definition has the field (Helm upgrades operators and leaves
/// definitions as they are) the older way is taken; the newer operator honours it as well.
#[test]
#[ignore = "needs the cluster with the newer operator: tests/run"]
fn where_the_definition_cannot_be_read_the_resource_is_paused() {
    let scene = scene("unread");
    let install = half_broken(&scene, Kind::Resource, "v2.53.3");
    let before = essence(&scene.get("prometheus/prom"));
    let alice = reader(&scene, &|resource| resource != "customresourcedefinitions");
    let args = ["oom", "prometheus/prom", "-o", "plan"];
    let plan = scene.plugin_with(&args, &[("KUBECONFIG", &alice)]).expect(2).stdout;
    let file = tempfile::NamedTempFile::new().expect("the folder for temporary files");
    std::fs::write(file.path(), plan).expect("it is ours");
    let path = file.path().display().to_string();
    let args = ["apply", "-f", &path, "--yes", "--settle", "8s", "--timeout", "4m", "-o", "json"];
    let report = never_away(&scene, || scene.plugin(&args).expect(0).json());
    let wanted = [
        "add /spec/paused",
        "replace /spec/template/spec/containers/0/resources/limits/memory",
        "replace /spec/updateStrategy OnDelete",
        "replace /spec/resources/limits/memory",
        "remove /spec/paused",
    ];
    assert_eq!(writes(&report), wanted);
    nothing_restarts_once_more(&scene, &install);
    scene.plugin(&["undo", "prometheus/prom", "--yes"]).expect(0);
    assert_eq!(essence(&scene.get("prometheus/prom")), before);
}
