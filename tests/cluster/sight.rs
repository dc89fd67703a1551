//! What this program sees with few rights: with the documented role it diagnoses; with one right
//! less it says which fact it could not read, and does not guess.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::install::{Install, Kind};
use super::life::{first, text, until_told};
use super::scene::{Scene, kubectl_in, run};

pub fn here() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster"))
}

/// The Role and ClusterRole that the README gives, word for word.
fn documented() -> &'static str {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```yaml\n").expect("the README has the Role");
    rest.split_once("```").expect("the block ends").0
}

/// A kubeconfig of a new user with those documented rights that `keeps` leaves: asked for each
/// resource of each rule.
pub fn reader(scene: &Scene, keeps: &dyn Fn(&str) -> bool) -> String {
    let name = scene.user();
    let config = run(Command::new(here().join("user")).arg(&name), "").expect(0);
    let args = ["create", "--dry-run=client", "-o", "json", "-f", "-"];
    let said = super::scene::kubectl_in(&args, documented()).expect(0).stdout;
    for role in serde_json::Deserializer::from_str(&said).into_iter::<Value>() {
        grant(scene, &name, role.expect("kubectl writes JSON"), keeps);
    }
    config.stdout.trim().to_owned()
}

fn grant(scene: &Scene, user: &str, mut role: Value, keeps: &dyn Fn(&str) -> bool) {
    let kind = text(&role, "/kind");
    // A cluster role is no namespace's own: each scene has one, by the name of its user.
    role["metadata"] = json!({"name": user});
    let rules = role.pointer_mut("/rules").and_then(Value::as_array_mut).expect("rules");
    for rule in rules.iter_mut() {
        let resources = rule.pointer_mut("/resources").and_then(Value::as_array_mut);
        resources.expect("resources").retain(|r| keeps(r.as_str().unwrap_or("")));
    }
    rules.retain(|r| r.pointer("/resources/0").is_some());
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": format!("{kind}Binding"),
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [role, binding]}).to_string();
    kubectl_in(&["-n", &scene.ns, "apply", "-f", "-"], &list).expect(0);
}

/// A set that dies before its first line.
fn broken(name: &str) -> Scene {
    let scene = Scene::new(name);
    Install { scrapes: false, ..Install::new(Kind::Set, "v3.16.0", "16Mi") }.apply(&scene);
    until_told(&scene, "sts/prom", &["oom/limit-below-need"]);
    scene
}

fn diagnose(scene: &Scene, config: &str) -> (i32, Value) {
    let args = ["diagnose", "sts/prom", "-o", "json"];
    let said = scene.plugin_with(&args, &[("KUBECONFIG", config)]);
    (said.code, said.json())
}

/// What could not be read, as one text; without any report, what was said instead.
fn unread(report: &Value) -> String {
    let Some(unknown) = report.pointer("/reports/0/unknown").and_then(Value::as_array) else {
        return report.get("message").map(Value::to_string).unwrap_or_default();
    };
    // What a look inside would tell more is no right that is missing.
    let lacks = |one: &&Value| !one["get"].as_str().unwrap_or("").ends_with("--inspect");
    Value::Array(unknown.iter().filter(lacks).cloned().collect()).to_string()
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn the_documented_role_is_enough() {
    let scene = broken("role");
    let alice = reader(&scene, &|_| true);
    let (code, report) = diagnose(&scene, &alice);
    assert_eq!(code, 2, "{report:#}");
    assert_eq!(first(&report, "/rootCause"), "oom/limit-below-need");
    assert_eq!(unread(&report), "[]", "nothing it needs is missing from the role");
    let said = scene.plugin_with(&["diagnose", "sts/prom"], &[("KUBECONFIG", &alice)]).expect(2);
    let text = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("You may not: delete pods"), "{}", said.stdout);
    let args = ["oom", "sts/prom", "--apply", "--yes", "-o", "json"];
    let said = scene.plugin_with(&args, &[("KUBECONFIG", &alice)]).expect(3);
    assert_eq!(first(&said.json(), "/blocked/reason"), "forbidden");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_right_less_is_named() {
    let scene = broken("less");
    // Each with what the report must name; the cause is known without these.
    let cases = [
        ("nodes", "nodes"),
        ("pods/log", "log"),
        ("resourcequotas", "quota"),
        ("limitranges", "limitranges"),
        ("events", "events"),
    ];
    for (missing, named) in cases {
        let (code, report) = diagnose(&scene, &reader(&scene, &|r| r != missing));
        assert_eq!(code, 2, "without {missing}: {report:#}");
        assert_eq!(first(&report, "/rootCause"), "oom/limit-below-need", "without {missing}");
        assert!(unread(&report).contains(named), "without {missing}: {report:#}");
    }
}

/// Of a broken Prometheus and of a healthy one: what cannot be seen is said, not guessed.
fn blind(scene: &Scene) {
    for missing in ["pods", "statefulsets"] {
        let (code, report) = diagnose(scene, &reader(scene, &|r| r != missing));
        assert_eq!(code, 4, "without {missing}: {report:#}");
        assert!(unread(&report).contains(missing), "without {missing}: {report:#}");
    }
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn without_its_pods_it_does_not_guess() {
    blind(&broken("blind"));
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn receipts_of_the_namespace_are_shown_where_no_others_may_be_read() {
    let scene = Scene::new("ledger");
    let user = scene.user();
    let config = run(Command::new(here().join("user")).arg(&user), "").expect(0).stdout;
    let asked = |args: &[&str]| scene.plugin_with(args, &[("KUBECONFIG", config.trim())]);
    let said = asked(&["receipts"]).expect(4);
    assert!(said.stdout.is_empty() && said.stderr.contains("not read"), "{said:#?}");
    asked(&["receipts", "-A"]).expect(4);
    let role = ["create", "role", "ledger", "--verb=list", "--resource=configmaps"];
    scene.kubectl(&role).expect(0);
    scene.kubectl(&["create", "rolebinding", "ledger", "--role=ledger", "--user", &user]).expect(0);
    let said = asked(&["receipts"]).expect(0);
    assert!(said.stderr.is_empty(), "{said:#?}");
    let said = asked(&["receipts", "-A"]).expect(0);
    assert!(said.stderr.contains(&format!("other than {} not read", scene.ns)), "{said:#?}");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_healthy_one_is_not_called_healthy_unseen() {
    let scene = Scene::new("unseen");
    let install = Install { scrapes: false, ..Install::new(Kind::Set, "v3.16.0", "200Mi") };
    install.apply(&scene);
    scene.until_ready("prom-0", 60);
    let said = scene.plugin(&["diagnose", "sts/prom"]).expect(0);
    assert!(said.stdout.starts_with("HEALTHY"), "{}", said.stdout);
    blind(&scene);
}
