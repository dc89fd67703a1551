//! A Deployment that a plan of ours has scaled to none and keeps there, as its receipt says.

use serde_json::{Value, json};

use super::{Subject, rivals};
use crate::model::object::{Kind, ObjectExt};
use crate::model::patch::Op;
use crate::model::plan::{Action, Step};
use crate::model::receipt::{MANAGED_BY, Receipt, State};
use crate::model::{Fact, Need, Seen, Snapshot};

const REPLICAS: &str = "/spec/replicas";

/// The replicas it had; none where nothing of ours keeps it at 0.
pub fn replicas(subject: &Subject, seen: &Snapshot) -> Option<i64> {
    let root = &subject.root_object;
    let at_none = subject.root.kind == Kind::Deployment && root.number(REPLICAS) == Some(0);
    if !at_none || !subject.pods.is_empty() {
        return None;
    }
    standing(subject, seen)
        .find_map(|receipt| receipt.plan.steps.iter().find_map(|step| scaled(step, subject)))
}

/// What lets those go on that the plan paused which scaled it to none.
pub fn paused(subject: &Subject, seen: &Snapshot) -> Vec<Step> {
    let scales = |step: &Step| scaled(step, subject).is_some();
    let plan = standing(subject, seen).map(|receipt| receipt.plan);
    let plan = plan.filter(|plan| plan.steps.iter().any(scales)).last();
    let steps = plan.map(|plan| plan.steps).unwrap_or_default();
    rivals::go_on_after(steps.iter().take_while(|step| !scales(step)), &subject.root)
}

/// Receipts of the target itself that were not taken back.
fn standing<'a>(subject: &'a Subject, seen: &'a Snapshot) -> impl Iterator<Item = Receipt> + 'a {
    receipts(seen)
        .filter(|receipt| receipt.state != State::Undone && receipt.plan.target == subject.root)
        .filter(|receipt| receipt.plan.target_uid == subject.root_object.uid())
}

/// The replicas that a step took from it.
fn scaled(step: &Step, subject: &Subject) -> Option<i64> {
    let Action::Patch { object, patch } = &step.action else { return None };
    let to_none = Op::Replace { path: REPLICAS.into(), value: json!(0) };
    if *object != subject.root || !patch.contains(&to_none) {
        return None;
    }
    patch.iter().find_map(|op| match op {
        Op::Test { path, value } if path == REPLICAS => value.as_i64(),
        _ => None,
    })
}

fn receipts(seen: &Snapshot) -> impl Iterator<Item = Receipt> + '_ {
    let ours = |need: &Need| {
        matches!(need, Need::List { kind: Kind::ConfigMap, labels, .. }
            if labels.starts_with(MANAGED_BY))
    };
    let lists = seen.facts.iter().filter_map(move |(need, fact)| match fact {
        Fact::Known(Seen::List(items)) if ours(need) => Some(items),
        _ => None,
    });
    lists.flatten().filter_map(Receipt::of_map)
}

/// The pod that its template would make: of no name, on no node.
pub fn pod(subject: &Subject) -> Option<Value> {
    let workload = subject.workloads.iter().find(|w| w.text("/kind") == "Deployment")?;
    Some(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "", "namespace": workload.namespace()},
        "spec": workload.pointer("/spec/template/spec")?,
    }))
}
