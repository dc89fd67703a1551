//! Whether an operator would act.

use super::*;
use crate::subject::Version;
use crate::subject::operator::{Operator, look, needs as operator_needs, reconciled};

fn operator(args: &[&str]) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "prometheus-operator", "namespace": "ops", "uid": "o",
            "labels": {"app.kubernetes.io/name": "prometheus-operator", "app.kubernetes.io/component": "controller"}},
        "spec": {"template": {"spec": {"containers": [{"name": "prometheus-operator",
            "image": "quay.io/prometheus-operator/prometheus-operator:v0.85.0", "args": args}]}}},
        "status": {"readyReplicas": 1}})
}

/// The operator of `op`, after `change` of the world.
fn seen(deployment: Option<Value>, change: impl FnOnce(&mut World)) -> Operator {
    let mut world = world(&[OP]);
    world.items.extend(deployment);
    change(&mut world);
    let (mut seen, _) = world.read(&all(), Some("op"));
    let subject = find(&all(), Some("op"), &seen).expect("found").remove(0);
    for most in [1, 2] {
        let needs = operator_needs(&subject, &seen);
        assert!(needs.len() <= most, "{needs:?}");
        for need in needs {
            let fact = world.answer(&need);
            seen.facts.insert(need, fact);
        }
    }
    look(&subject, &seen)
}

fn set(world: &mut World, pointer: &str, key: &str, value: Value) {
    let resource = world.items.iter_mut().find(|i| i.text("/kind") == "Prometheus");
    let at = resource.and_then(|r| r.pointer_mut(pointer)).expect("a map");
    at[key] = value;
}

fn why(operator: &Operator) -> &str {
    match operator {
        Operator::Idle { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_running_operator_acts() {
    let version = Some(Version::new(0, 85, 0));
    assert_eq!(seen(Some(operator(&[])), |_| {}), Operator::Acts { version });
    let watching = operator(&["--namespaces=a,op"]);
    assert_eq!(seen(Some(watching), |_| {}), Operator::Acts { version });
}

#[test]
fn the_stacks_own_labels_are_found() {
    for labels in [
        json!({"app": "kube-prometheus-stack-operator"}),
        json!({"app.kubernetes.io/component": "prometheus-operator"}),
    ] {
        let mut deployment = operator(&[]);
        deployment["metadata"]["labels"] = labels;
        assert!(matches!(seen(Some(deployment), |_| {}), Operator::Acts { .. }));
    }
}

#[test]
fn every_reason_to_stay_idle_is_told() {
    let mut down = operator(&[]);
    down["status"] = json!({});
    assert!(why(&seen(Some(down), |_| {})).contains("no ready replica"));
    assert!(why(&seen(Some(operator(&["--namespaces=a,b"])), |_| {})).contains("does not watch"));
    assert!(
        why(&seen(Some(operator(&["--deny-namespaces=op"])), |_| {}))
            .contains("leave namespace op alone")
    );
    assert!(
        why(&seen(Some(operator(&["--prometheus-instance-selector=a=b"])), |_| {}))
            .contains("takes only")
    );
    let other = seen(Some(operator(&["--controller-id=x"])), |world| {
        set(world, "/metadata/annotations", "operator.prometheus.io/controller-id", json!("y"));
    });
    assert_eq!(why(&other), "its controller-id is x, the resource asks for y");
    let paused = seen(Some(operator(&[])), |world| set(world, "/spec", "paused", json!(true)));
    assert_eq!(why(&paused), "spec.paused is true");
}

#[test]
fn none_at_all_is_idle_unless_its_traces_are_fresh() {
    assert!(matches!(seen(None, |_| {}), Operator::Unreadable { .. }));
    let stale = seen(None, |world| set(world, "/metadata", "generation", json!(3)));
    assert_eq!(why(&stale), "no operator runs");
}

#[test]
fn traces_count_where_deployments_may_not_be_listed() {
    let forbid = |world: &mut World| world.forbidden = vec!["deployments"];
    assert_eq!(seen(None, forbid), Operator::Acts { version: None });
    let stale = seen(None, |world| {
        forbid(world);
        set(world, "/metadata", "generation", json!(3));
    });
    assert_eq!(stale, Operator::Unreadable { why: "deployments: forbidden".into() });
}

#[test]
fn the_last_sync_is_read_from_the_status() {
    let subject = world(&[OP]).only("op");
    assert_eq!(reconciled(&subject.root_object), Some((true, String::new())));
    let failed = json!({"status": {"conditions": [{"type": "Reconciled", "status": "False", "reason": "R", "message": "m"}]}});
    assert_eq!(reconciled(&failed), Some((false, "R: m".into())));
    assert_eq!(reconciled(&json!({})), None);
}
