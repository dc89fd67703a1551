//! Up, and what it answers is no answer: too late, only after a login, or at another of its addresses.

use std::process::Command;

use super::bind::{answered, client, install, lives, with_argument};
use super::install::Kind;
use super::life::{first, text, until_told};
use super::scene::{Scene, run, until};

/// The processes of a pod that bear a name, as the node knows them.
fn processes(uid: &str, name: &str) -> Vec<String> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("it is there").flatten() {
        let read =
            |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        if read("comm").trim() == name && read("cgroup").contains(uid) {
            out.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    out
}

/// Stopped, as one is that gets no share of any processor, until this is dropped.
struct Starved(Vec<String>);

impl Starved {
    fn new(scene: &Scene, pod: &str) -> Starved {
        let uid = scene.field(&format!("pod/{pod}"), ".metadata.uid");
        let found = processes(&uid, "prometheus");
        assert_eq!(found.len(), 1, "{found:?}");
        let starved = Starved(found);
        starved.send("-STOP");
        starved
    }

    fn send(&self, signal: &str) {
        run(Command::new("kill").arg(signal).args(&self.0), "").expect(0);
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        self.send("-CONT");
    }
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn one_that_is_too_slow_for_its_probes_is_called_overloaded_and_not_unreachable() {
    let scene = Scene::new("slow");
    let install = install(Kind::Set, "v3.16.0");
    install.apply(&scene);
    client(&scene, &install, "http://front:9090/-/ready");
    until("the client is answered", 60, || answered(&scene) == Some(true));
    let starved = Starved::new(&scene, "prom-0");
    until_told(&scene, "sts/prom", &["other/overloaded"]);
    let report = scene.plugin(&["bind", "sts/prom", "-o", "json"]).expect(2).json();
    assert_eq!(first(&report, "/rootCause"), "other/overloaded", "{report:#}");
    assert_eq!(first(&report, "/paths/0/broken"), "probes", "{report:#}");
    assert!(
        report.pointer("/reports/0/plan").is_some_and(serde_json::Value::is_null),
        "{report:#}"
    );
    drop(starved);
    until("all is well", 60, || scene.plugin(&["bind", "sts/prom"]).code == 0);
}

/// Of `secret`.
const LOGIN: &str = "$2b$05$PromFixTestsSalt1234.ud2Cs86HaIouKMJeFIoqIMlaShH0hZEG";

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_login_that_its_probes_do_not_have_is_told_and_left_to_a_person() {
    let scene = Scene::new("login");
    let install = install(Kind::Set, "v3.16.0");
    let last = "--storage.tsdb.path=/prometheus]";
    let with = "--storage.tsdb.path=/prometheus, --web.config.file=/etc/prometheus/web.yml]";
    let data = format!("data:\n  web.yml: '{{basic_auth_users: {{alice: {LOGIN}}}}}'\n");
    scene.apply(&install.manifest().replace(last, with).replacen("data:\n", &data, 1));
    let report = until_told(&scene, "sts/prom", &["bind/scheme-or-path"]);
    let says = text(&report, "/reports/0/findings/0/says");
    assert!(says.starts_with("asks its probes for a login"), "{report:#}");
    assert_eq!(text(&report, "/reports/0/blocked/reason"), "no-safe-plan", "{report:#}");
    let ways = report.pointer("/reports/0/blocked/ways").expect("ways").to_string();
    assert!(ways.contains("401, 403: give the probes the login"), "{ways}");
    let bind = scene.plugin(&["bind", "sts/prom", "-o", "json"]).expect(2).json();
    assert_eq!(first(&bind, "/paths/0/broken"), "probes", "{bind:#}");
    assert!(!bind.to_string().contains(LOGIN), "no secret is told");
}

/// The port that its probes and Services ask is on the loopback, and another is not.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn one_of_two_addresses_that_keeps_a_port_on_the_loopback_is_replaced() {
    let scene = Scene::new("twice");
    let install = install(Kind::Set, "v3.16.0");
    let both = r#""--web.listen-address=127.0.0.1:9090", "--web.listen-address=:9091""#;
    with_argument(&scene, &install, both);
    lives(&scene, &install, "bind/port-mismatch", "sts/prom");
}
