//! The way out of a client: the policy more that lets it ask this Prometheus, and names where nothing
//! else does.

use serde_json::{Value, json};

use super::client::{asked_by, job, running, told};
use super::fixture::{World, put};
use crate::model::plan::Action;
use crate::model::{Kind, Next};

/// The client's pods are closed but for these ways out.
fn kept_in(egress: Value) -> World {
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": "mon"},
        "spec": {"podSelector": {"matchLabels": {"app": "grafana"}}, "policyTypes": ["Egress"],
            "egress": egress}});
    let mut world = asked_by(1, running()).list(Kind::NetworkPolicy, vec![policy]);
    let labels = json!({"app": "p"});
    put(&mut world.subject.workloads[0], "/spec/selector/matchLabels", labels);
    world
}

/// The one policy that is made, its name and its rules.
fn made(world: &World) -> (String, Vec<Value>) {
    let found = told(world).findings;
    let next = job(world, |job| job.next(&world.seen, &found));
    let Next::Fix(plan) = next else { panic!("{next:#?}") };
    let [step] = plan.steps.as_slice() else { panic!("{plan:#?}") };
    let Action::Create { object, body } = &step.action else { panic!("{step:#?}") };
    let rules = body.pointer("/spec/egress").and_then(Value::as_array);
    (object.name.clone(), rules.cloned().expect("rules"))
}

#[test]
fn a_client_that_may_ask_for_names_is_given_no_rule_for_that() {
    let server = json!({"to": [{"podSelector": {"matchLabels": {"app": "p"}}}],
        "ports": [{"port": 9090, "protocol": "TCP"}]});
    let dns = json!({
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]});
    let port =
        |port: u16, protocol: &str| json!([{"ports": [{"port": port, "protocol": protocol}]}]);
    let rows = [
        (port(53, "UDP"), vec![server.clone()]),
        (json!([]), vec![server.clone(), dns.clone()]),
        (port(443, "TCP"), vec![server, dns]),
    ];
    for (egress, rules) in rows {
        let made = made(&kept_in(egress.clone()));
        assert_eq!(made, ("prom-fix-allow-mon-grafana-to-p-out".into(), rules), "{egress}");
    }
}
