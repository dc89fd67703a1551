//! Closed to a client: by the policies that kube-prometheus ships, and by one of another namespace.

use std::process::Command;

use serde_json::Value;

use super::bind::{CLIENT, CLOSED, SERVICE, install, is_answered, let_through};
use super::enforcer::Enforcer;
use super::install::Kind;
use super::life::first;
use super::scene::{Scene, run, until};

/// As kube-prometheus has it, for the labels of these pods: every other Prometheus, its adapter and a
/// Grafana are let in, each of its own namespace.
const SHIPPED: &str = r#"
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec:
  podSelector: {matchLabels: {app: prom}}
  policyTypes: [Egress, Ingress]
  egress: [{}]
  ingress:
  - from: [{podSelector: {matchLabels: {app.kubernetes.io/name: prometheus}}}]
    ports: [{port: 9090, protocol: TCP}, {port: 8080, protocol: TCP}]
  - from: [{podSelector: {matchLabels: {app.kubernetes.io/name: prometheus-adapter}}}]
    ports: [{port: 9090, protocol: TCP}]
  - from: [{podSelector: {matchLabels: {app: grafana}}}]
    ports: [{port: 9090, protocol: TCP}]
"#;

/// It has the labels that are let in, and is elsewhere.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_grafana_of_another_namespace_is_let_in_beside_the_policy_of_kube_prometheus() {
    let scene = Scene::new("shipped");
    let other = Scene::new("dashboards");
    let_through(&scene, &other, SHIPPED, &[""]);
}

/// A plan changes its own namespace alone; the line that is printed is for who may write in the other.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn the_line_for_a_namespace_that_lets_nobody_out_lets_its_client_out() {
    let scene = Scene::new("reached");
    let other = Scene::new("shut");
    install(Kind::Deployment, "v3.16.0").apply(&scene);
    scene.apply(SERVICE);
    let url = format!("http://front.{}.svc.cluster.local:9090/-/ready", scene.ns);
    other.apply(&CLIENT.replace("@URL@", &url));
    let _enforcer = Enforcer::new(&[&scene.ns, &other.ns]);
    until("it serves, and the client is answered", 90, || is_answered(&other) == Some(true));
    other.apply(&CLOSED.replace("@TYPES@", "Egress"));
    until("the client is kept in", 60, || is_answered(&other) == Some(false));

    let client = format!("{}/deploy/grafana", other.ns);
    let ask = ["bind", "deploy/prom", "--client", &client, "-o", "json"];
    let report = scene.plugin(&ask).expect(2).json();
    assert_eq!(first(&report, "/rootCause"), "bind/network-policy", "{report:#}");
    let why = first(&report, "/blocked/why");
    assert!(
        why.contains(&format!("a policy of namespace {} does not let it out", other.ns)),
        "{why}"
    );
    let ways = report.pointer("/reports/0/blocked/ways").and_then(Value::as_array).expect("ways");
    let line = ways.iter().filter_map(Value::as_str).find(|way| way.starts_with("kubectl create"));
    run(Command::new("bash").args(["-c", line.expect("a line")]), "").expect(0);
    until("the client is answered again", 60, || is_answered(&other) == Some(true));
    scene.plugin(&ask).expect(0);
    // What the line made is one policy beside that of before: without it all is as it was.
    let made = other.kubectl(&["get", "networkpolicies", "-o", "name"]).expect(0).stdout;
    let made: Vec<&str> = made.lines().filter(|one| !one.ends_with("/closed")).collect();
    let [made] = made.as_slice() else { panic!("one policy: {made:?}") };
    other.kubectl(&["delete", made]).expect(0);
    until("the client is kept in again", 60, || is_answered(&other) == Some(false));
    scene.plugin(&ask).expect(2);
}
