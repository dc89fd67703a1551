//! What is refused: a plan whose object has moved, and bad input. Each with its number, one clear
//! line, and nothing changed.

use std::process::Command;

use serde_json::Value;

use super::audit::{Mark, Rung};
use super::install::{Install, Kind};
use super::life::{text, until_told};
use super::scene::{Said, Scene, essence, kubectl, run};
use super::sight::here;

fn broken(name: &str, kind: Kind) -> (Scene, Install) {
    let scene = Scene::new(name);
    let install = Install { scrapes: false, ..Install::new(kind, "v3.16.0", "16Mi") };
    install.apply(&scene);
    until_told(&scene, install.target(), &["oom/limit-below-need"]);
    (scene, install)
}

/// A plan in a file of this scene.
fn planned(scene: &Scene, target: &str) -> String {
    let plan = scene.plugin(&["oom", target, "-o", "plan"]).expect(2).stdout;
    let path = std::env::temp_dir().join(format!("{}.plan", scene.ns));
    std::fs::write(&path, plan).expect("the folder for temporary files");
    path.display().to_string()
}

/// Exits with 3 and leaves the object, and the cluster, alone.
#[track_caller]
fn is_stale(scene: &Scene, target: &str, plan: &str) {
    let before = essence(&scene.get(target));
    let mark = Mark::now();
    let said = scene.plugin(&["apply", "-f", plan, "--yes", "-o", "json"]).expect(3);
    assert!(said.stderr.contains("stale") || said.stderr.contains("changed"), "{}", said.stderr);
    assert_eq!(text(&said.json(), "/reports/0/blocked/reason"), "stale", "{said:#?}");
    assert!(text(&said.json(), "/message").starts_with("nothing was changed: "), "{said:#?}");
    assert_eq!(essence(&scene.get(target)), before);
    let rungs = mark.rungs(&scene.ns);
    let writes: Vec<&String> = rungs.get(&Rung::Write).into_iter().flatten().collect();
    assert!(!writes.iter().any(|w| !w.contains("/configmaps")), "{writes:#?}");
    let open = scene.plugin(&["receipts", "-o", "json"]).expect(0).json();
    let states: Vec<String> =
        open.as_array().expect("a list").iter().map(|r| text(r, "/state")).collect();
    assert!(!states.contains(&"open".to_owned()), "nothing is left to finish: {states:?}");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_plan_for_another_value_is_stale() {
    let (scene, install) = broken("stale", Kind::Set);
    let plan = planned(&scene, "sts/prom");
    install.with_limit("17Mi").apply(&scene);
    is_stale(&scene, "sts/prom", &plan);
    // The old value again is not the old object: its generation has moved.
    install.apply(&scene);
    is_stale(&scene, "sts/prom", &plan);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_plan_for_an_absent_field_is_stale_once_it_is_there() {
    let scene = Scene::new("absent");
    let install = Install { scrapes: false, ..Install::new(Kind::Resource, "v3.16.0", "16Mi") };
    // The limit comes from a container's entry; the resource itself has no `spec.paused`.
    install.apply(&scene);
    until_told(&scene, "prometheus/prom", &["oom/limit-below-need"]);
    let plan = planned(&scene, "prometheus/prom");
    let request = r#"[{"op":"add","path":"/spec/resources/requests","value":{"memory":"1Mi"}}]"#;
    scene.kubectl(&["patch", "prometheus/prom", "--type=json", "-p", request]).expect(0);
    is_stale(&scene, "prometheus/prom", &plan);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_plan_for_an_object_made_anew_is_stale() {
    let (scene, install) = broken("anew", Kind::Deployment);
    let plan = planned(&scene, "deploy/prom");
    scene.kubectl(&["delete", "deploy/prom", "--cascade=foreground"]).expect(0);
    install.apply(&scene);
    is_stale(&scene, "deploy/prom", &plan);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_second_person_with_another_plan_is_told_that_it_moved() {
    let (scene, install) = broken("confirm", Kind::Set);
    let before = essence(&scene.get("sts/prom"));
    let said = scene.plugin(&["oom", "sts/prom", "--apply", "--confirm", "000000000000"]).expect(3);
    assert!(said.stdout.contains("000000000000"), "{said:#?}");
    assert!(said.stderr.is_empty(), "a refusal is told once: {said:#?}");
    let said = scene.plugin(&["oom", "sts/prom", "--apply", "-o", "json"]).expect(3);
    let reason = text(&said.json(), "/reports/0/blocked/reason");
    assert_eq!(reason, "needs-consent", "no terminal to ask on, and none of the flags");
    assert_eq!(essence(&scene.get("sts/prom")), before);
    assert_eq!(text(&before, install.memory()), "16Mi");
    let said = scene.plugin(&["oom", "sts/prom", "--memory", "lots", "--apply", "--yes"]);
    usage(&said, "\"lots\"");
    let said = scene.plugin(&["undo", "--yes"]);
    one_line(&said, 1, "nothing to undo");
}

/// One line on stderr that says it, nothing on stdout.
#[track_caller]
fn one_line(said: &Said, code: i32, says: &str) {
    assert_eq!(said.code, code, "{said:#?}");
    assert!(said.stdout.is_empty(), "{said:#?}");
    assert!(said.stderr.contains(says), "{said:#?}");
    let lines = said.stderr.lines().filter(|l| !l.trim().is_empty()).count();
    assert_eq!(lines, 1, "one line: {said:#?}");
}

/// Bad usage: the first line says it, and what follows is how it is used.
#[track_caller]
fn usage(said: &Said, says: &str) {
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stdout.is_empty(), "{said:#?}");
    assert!(said.stderr.lines().next().is_some_and(|l| l.contains(says)), "{said:#?}");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn bad_input_is_one_line() {
    let scene = Scene::new("input");
    one_line(&scene.plugin(&["sts/nosuch"]), 1, "sts/nosuch");
    one_line(&scene.plugin(&["ooom"]), 1, "did you mean the command oom?");
    one_line(&scene.plugin(&["sts/prom", "--context", "nosuch"]), 1, "nosuch");
    one_line(&scene.plugin(&["apply", "-f", "/nosuch.plan", "--yes"]), 1, "/nosuch.plan");
    one_line(&scene.plugin(&["explain", "oom/nosuch"]), 1, "oom/nosuch");
    usage(&scene.plugin(&["secret/x"]), "is no kind that runs a Prometheus");
    usage(&scene.plugin(&["sts/prom", "--apply", "--bundle", "/tmp"]), "--bundle");
    usage(&scene.plugin(&["sts/prom", "--apply", "--dry-run=server"]), "--dry-run");
    usage(&scene.plugin(&["sts/prom", "--nosuch"]), "--nosuch");

    let with = |config: &str| scene.plugin_with(&["sts/prom"], &[("KUBECONFIG", config)]);
    one_line(&with("/nosuch/config"), 1, "/nosuch/config");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    one_line(&with(&file("not-yaml", "{")), 1, "not-yaml");
    let dead = file("dead", &config("https://127.0.0.1:1", "x"));
    one_line(&with(&dead), 1, "https://127.0.0.1:1 refused the connection");
    let said = scene.plugin_with(&["receipts"], &[("KUBECONFIG", &dead)]);
    one_line(&said, 1, "https://127.0.0.1:1 refused the connection");
    let server = kubectl(&["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"]);
    let wrong = file("wrong", &config(&server.stdout, "not-a-token"));
    one_line(&with(&wrong), 1, "401");
    // A script that asked for a report gets one.
    let args = ["sts/prom", "-o", "json"];
    let said = scene.plugin_with(&args, &[("KUBECONFIG", &wrong)]).expect(1);
    assert!(text(&said.json(), "/message").contains("401"), "{said:#?}");
    assert_eq!(said.json()["reports"], serde_json::json!([]));
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn an_expired_certificate_is_one_line() {
    let scene = Scene::new("expired");
    let user = format!("{}-late", scene.ns);
    let made = run(Command::new(here().join("user")).arg(&user).env("DAYS", "0"), "").expect(0);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let config = made.stdout.trim();
    let says = format!("the client certificate of {user} expired at 20");
    let mark = Mark::now();
    for args in [&["sts/prom"][..], &["receipts"], &["undo", "--yes"], &["sts/prom", "--apply"]] {
        one_line(&scene.plugin_with(args, &[("KUBECONFIG", config)]), 1, &says);
    }
    assert!(!mark.rungs(&scene.ns).contains_key(&Rung::Write), "nothing was changed");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_truncated_recording_is_one_line() {
    let (scene, _) = broken("bundle", Kind::Set);
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole.tar.gz").display().to_string();
    scene.plugin(&["diagnose", "sts/prom", "--record", &whole]).expect(2);
    let again = scene.plugin(&["diagnose", "sts/prom", "--bundle", &whole, "-o", "json"]).expect(2);
    assert_eq!(text(&again.json(), "/reports/0/rootCause"), "oom/limit-below-need");
    let bytes = std::fs::read(&whole).expect("just written");
    let half = folder.path().join("half.tar.gz").display().to_string();
    std::fs::write(&half, &bytes[..bytes.len() / 2]).expect("written");
    one_line(&scene.plugin(&["diagnose", "sts/prom", "--bundle", &half]), 1, "half.tar.gz");
}

/// A kubeconfig of a server and a token.
fn config(server: &str, token: &str) -> String {
    let config: Value = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": server, "insecure-skip-tls-verify": true}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    });
    config.to_string()
}
