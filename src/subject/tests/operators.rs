//! Whether an operator would act.

use super::*;
use crate::subject::Version;
use crate::subject::operator::{
    Operator, knows_strategy, look, needs as operator_needs, reconciled, strategy_need,
};

pub(super) fn operator(args: &[&str]) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "prometheus-operator", "namespace": "ops", "uid": "o",
            "labels": {"app.kubernetes.io/name": "prometheus-operator", "app.kubernetes.io/component": "controller"}},
        "spec": {"template": {"spec": {"containers": [{"name": "prometheus-operator",
            "image": "quay.io/prometheus-operator/prometheus-operator:v0.85.0", "args": args}]}}},
        "status": {"readyReplicas": 1}})
}

/// The operator of `op`, after `change` of the world.
fn seen(deployment: Option<Value>, change: impl FnOnce(&mut World)) -> Operator {
    let (_, subject, seen) = read(deployment, change);
    look(&subject, &seen)
}

pub(super) fn read(
    deployment: Option<Value>,
    change: impl FnOnce(&mut World),
) -> (World, Subject, Snapshot) {
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
    (world, subject, seen)
}

pub(super) fn set(world: &mut World, pointer: &str, key: &str, value: Value) {
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

/// Whether the definition is asked for, and whether a rollout may rely on `spec.updateStrategy`,
/// where the operator's image has this tag and the definition came with this release.
fn strategy(tag: &str, definition: Option<&str>, forbidden: Vec<&'static str>) -> (bool, bool) {
    let mut deployment = operator(&[]);
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] =
        json!(format!("quay.io/prometheus-operator/prometheus-operator:{tag}"));
    let (world, mut subject, mut seen) = read(Some(deployment), |world| {
        world.items.push(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "prometheuses.monitoring.coreos.com", "annotations":
                definition.map(|release| json!({"operator.prometheus.io/version": release}))},
        }));
        world.forbidden = forbidden;
    });
    assert_eq!(strategy_need(&subject, &seen), None, "a lone pod is restarted in any order");
    subject.pods.push(subject.pods[0].clone());
    let need =
        Need::object(Kind::CustomResourceDefinition, "", "prometheuses.monitoring.coreos.com");
    let asked = strategy_need(&subject, &seen);
    assert!(asked.as_ref().is_none_or(|asked| *asked == need), "{asked:?}");
    // A bundle may hold it though nobody asks.
    let fact = world.answer(&need);
    seen.facts.insert(need, fact);
    (asked.is_some(), knows_strategy(&subject, &seen))
}

#[test]
fn the_strategy_counts_where_both_the_definition_and_the_operator_know_it() {
    let none = Vec::new;
    let known = (true, true);
    assert_eq!(strategy("v0.88.0", Some("0.88.0"), none()), known);
    assert_eq!(strategy("v0.92.0", Some("0.90.1"), none()), known);
    // Helm upgrades the operator and leaves the definitions.
    assert_eq!(strategy("v0.92.0", Some("0.87.1"), none()), (true, false));
    assert_eq!(strategy("v0.92.0", None, none()), (true, false));
    let crds = vec!["customresourcedefinitions"];
    assert_eq!(strategy("v0.92.0", Some("0.92.0"), crds), (true, false));
    // Definitions applied first, or the operator taken back.
    for tag in ["v0.87.1", "v4.19", "latest", "v0.85.0@sha256:0"] {
        assert_eq!(strategy(tag, Some("0.92.0"), none()), (false, false), "{tag}");
    }
}
