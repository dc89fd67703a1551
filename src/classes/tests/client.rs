//! `bind --client`: who asks, and what stands between.

use serde_json::{Value, json};

use super::fixture::{World, healthy};
use crate::classes::bind::Bind;
use crate::classes::{Class, Given};
use crate::model::{Fact, Kind, Need, Next, ObjectRef, Seen, Unknown, Verdict};

/// A client in the same namespace, no policies, and every API of others absent.
pub fn asked_by(replicas: i64, pods: Vec<Value>) -> World {
    let grafana = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "grafana", "namespace": "mon"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "grafana"}},
            "template": {"metadata": {"labels": {"app": "grafana"}}, "spec": {"containers": []}}}});
    let mut world = healthy()
        .object(Kind::Deployment, "grafana", grafana)
        .of_cluster(Kind::Namespace, "mon", json!({"metadata": {"name": "mon"}}))
        .list(Kind::NetworkPolicy, vec![])
        .list(Kind::Service, vec![])
        .list(Kind::EndpointSlice, vec![]);
    for need in job(&world, |job| job.needs(&world.seen)) {
        let fact = match &need {
            Need::List { kind: Kind::Pod, .. } => Fact::Known(Seen::List(pods.clone())),
            Need::List { .. } if !world.seen.asked(&need) => Fact::Absent,
            _ => continue,
        };
        world.seen.facts.insert(need, fact);
    }
    world
}

fn job<T>(world: &World, act: impl FnOnce(&dyn crate::classes::Job) -> T) -> T {
    let given = Given::from([("client".to_owned(), "mon/deploy/grafana".to_owned())]);
    act(Bind.job(&world.subject, &given).as_ref())
}

pub fn told(world: &World) -> Verdict {
    job(world, |job| job.check(&world.seen))
}

fn pod(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": []},
        "metadata": {"name": name, "namespace": "mon", "labels": labels},
        "status": {"phase": "Running", "podIP": "10.0.0.9"}})
}

pub fn running() -> Vec<Value> {
    vec![pod("grafana-a", json!({"app": "grafana"}))]
}

fn says_reached(verdict: &Verdict) -> bool {
    verdict.findings.iter().any(|finding| finding.says.contains("is reached by"))
}

fn with(mut world: World, need: Need, fact: Fact) -> World {
    world.seen.facts.insert(need, fact);
    world
}

#[test]
fn without_any_rule_it_is_reached() {
    let verdict = told(&asked_by(1, running()));
    assert!(says_reached(&verdict) && verdict.unknown.is_empty(), "{verdict:#?}");
}

#[test]
fn a_rule_of_the_cluster_that_selects_an_end_is_not_judged_and_nothing_is_called_reached() {
    let need = || Need::list_all(Kind::CiliumClusterwideNetworkPolicy);
    let rule = |app: &str, direction: &str| {
        json!({"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy",
            "metadata": {"name": "closed"},
            "spec": {"endpointSelector": {"matchLabels": {"app": app}}, (direction): [{}]}})
    };
    let world = |rule| with(asked_by(1, running()), need(), Fact::Known(Seen::List(vec![rule])));
    for (app, direction) in [("p", "ingress"), ("grafana", "egress")] {
        let verdict = told(&world(rule(app, direction)));
        assert!(!says_reached(&verdict));
        let [one] = verdict.unknown.as_slice() else { panic!("{verdict:#?}") };
        assert!(one.vital && one.need.contains("ciliumclusterwidenetworkpolicy/closed"), "{one:?}");
    }
    for (app, direction) in [("p", "egress"), ("grafana", "ingress"), ("other", "ingress")] {
        assert!(says_reached(&told(&world(rule(app, direction)))), "{app} {direction}");
    }
    // Many are one line and the first of them.
    let many = Fact::Known(Seen::List(vec![rule("p", "ingress"); 9]));
    let verdict = told(&with(asked_by(1, running()), need(), many));
    assert_eq!(verdict.unknown.len(), 6, "{verdict:#?}");
}

#[test]
fn rules_that_may_not_be_read_are_one_line() {
    let mut world = asked_by(1, running());
    for (need, fact) in &mut world.seen.facts {
        if matches!((need, &fact), (Need::List { .. }, Fact::Absent)) {
            *fact = Fact::Unreadable("forbidden".into());
        }
    }
    let verdict = told(&world);
    assert!(!says_reached(&verdict));
    let [Unknown { why, get, vital: false, .. }] = verdict.unknown.as_slice() else {
        panic!("{verdict:#?}")
    };
    assert_eq!(why, "forbidden");
    for kind in
        ["adminnetworkpolicies.policy.networking.k8s.io", "peerauthentications.security.istio.io"]
    {
        assert!(get.contains(kind), "{get}");
    }
}

#[test]
fn a_client_without_pods_reaches_nothing() {
    let verdict = told(&asked_by(0, vec![]));
    assert!(!says_reached(&verdict));
    let [Unknown { why, vital: true, .. }] = verdict.unknown.as_slice() else {
        panic!("{verdict:#?}")
    };
    assert!(why.contains("scaled to 0"), "{why}");
}

#[test]
fn pods_of_a_client_that_differ_in_labels_are_judged_one_by_one() {
    let pods = || {
        vec![
            pod("grafana-a", json!({"app": "grafana", "tier": "ui"})),
            pod("grafana-b", json!({"app": "grafana"})),
        ]
    };
    let policy = |spec: Value| {
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "n", "namespace": "mon"}, "spec": spec});
        asked_by(2, pods()).list(Kind::NetworkPolicy, vec![policy])
    };
    let ui = json!({"matchLabels": {"tier": "ui"}});
    let inwards = policy(json!({"podSelector": {"matchLabels": {"app": "p"}},
        "ingress": [{"from": [{"podSelector": ui}]}]}));
    let verdict = told(&inwards);
    let [finding] = verdict.findings.as_slice() else { panic!("{verdict:#?}") };
    assert_eq!(finding.says, "does not let 1 of 2 pods of deploy/grafana -n mon into pod/p-0");
    assert!(finding.evidence.iter().any(|e| e.field == "labels of pod/grafana-b"));
    // A policy for the way out of all would close the one that is open.
    let outwards = policy(json!({"podSelector": ui, "policyTypes": ["Egress"]}));
    let verdict = told(&outwards);
    assert!(verdict.findings[0].says.contains("does not let 1 of 2 pods"), "{verdict:#?}");
    let next = job(&outwards, |job| job.next(&outwards.seen, &verdict.findings));
    let Next::Blocked(blocked) = next else { panic!("{next:#?}") };
    assert!(blocked.why.contains("only some of the client's pods"), "{}", blocked.why);
}

#[test]
fn one_of_two_servers_that_is_closed_is_named_and_no_policy_closes_the_other() {
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "n", "namespace": "mon"},
        "spec": {"podSelector": {"matchLabels": {"old": "1"}}, "policyTypes": ["Ingress"]}});
    let mut world = asked_by(1, running()).list(Kind::NetworkPolicy, vec![policy]).replica("p-1");
    world.subject.pods[1]["metadata"]["labels"]["old"] = json!("1");
    let verdict = told(&world);
    let [finding] = verdict.findings.as_slice() else { panic!("{verdict:#?}") };
    assert_eq!(finding.says, "does not let deploy/grafana -n mon into pod/p-1");
    let next = job(&world, |job| job.next(&world.seen, &verdict.findings));
    let Next::Blocked(blocked) = next else { panic!("{next:#?}") };
    assert!(blocked.why.contains("would close the others"), "{}", blocked.why);
    assert_eq!(finding.object, ObjectRef::new(Kind::NetworkPolicy, "mon", "n"));
}
