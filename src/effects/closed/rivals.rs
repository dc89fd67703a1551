//! What a plan may write of the objects of autoscalers and GitOps: that they pause, and nothing else.

use serde_json::Value;

use crate::model::object::{Kind, ObjectRef};
use crate::model::patch::Op;

const ANNOTATIONS: &str = "/metadata/annotations";
const PAUSED: &str = "/metadata/annotations/autoscaling.keda.sh~1paused";
const PAUSED_AT: &str = "/metadata/annotations/autoscaling.keda.sh~1paused-replicas";
const POLICY: &str = "/spec/syncPolicy";

/// Where each of them is paused; none for all other kinds.
fn pauses(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::HorizontalPodAutoscaler => &["/spec/minReplicas"],
        // All annotations where there were none.
        Kind::ScaledObject => &[ANNOTATIONS, PAUSED, PAUSED_AT],
        // All of the policy where nothing else was said in it.
        Kind::Application => &[POLICY, "/spec/syncPolicy/automated"],
        Kind::HelmRelease => &["/spec/suspend"],
        _ => &[],
    }
}

/// Those that may be in another namespace than what they write.
pub(super) fn is_elsewhere(kind: Kind) -> bool {
    matches!(kind, Kind::Application | Kind::HelmRelease)
}

/// Whether all that a value holds is what pauses.
fn holds_a_pause(path: &str, value: &Value) -> bool {
    let name = if path == POLICY { "automated" } else { "autoscaling.keda.sh/paused" };
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value.is_null();
    value.as_object().is_some_and(|all| {
        all.contains_key(name) && all.iter().all(|(key, value)| key == name || is_empty(value))
    })
}

/// Whether an operation of a patch pauses, or lets go on. What is written as a whole has nothing else in
/// it, what is taken away as a whole was seen to have had nothing else, and KEDA is given a number only
/// where it goes on.
fn is_pause(patch: &[Op], op: &Op) -> bool {
    let seen = |path: &str| {
        let holds = |op: &Op| matches!(op, Op::Test { path: at, value } if at == path && holds_a_pause(at, value));
        patch.iter().any(holds)
    };
    match (op.path(), op) {
        (ANNOTATIONS | POLICY, Op::Add { path, value }) => holds_a_pause(path, value),
        (ANNOTATIONS | POLICY, Op::Remove { path }) => seen(path),
        (ANNOTATIONS | POLICY, _) => false,
        (PAUSED_AT, Op::Add { .. }) => patch.contains(&Op::Remove { path: PAUSED.into() }),
        (PAUSED_AT, op) => matches!(op, Op::Remove { .. }),
        _ => true,
    }
}

pub(super) fn check(object: &ObjectRef, patch: &[Op], op: &Op) -> Result<(), String> {
    let places = pauses(object.kind);
    let only_pauses = places.contains(&op.path()) && is_pause(patch, op);
    if places.is_empty() || op.is_guard() || only_pauses {
        return Ok(());
    }
    Err(format!("it writes {:?} of {}", op.path(), object.short()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(kind: Kind, patch: &[Op]) -> bool {
        let object = ObjectRef::new(kind, "gitops", "a");
        patch.iter().all(|op| check(&object, patch, op).is_ok())
    }

    fn test(path: &str, value: Value) -> Op {
        Op::Test { path: path.into(), value }
    }

    fn add(path: &str, value: Value) -> Op {
        Op::Add { path: path.into(), value }
    }

    fn remove(path: &str) -> Op {
        Op::Remove { path: path.into() }
    }

    #[test]
    fn a_policy_goes_and_comes_as_a_whole_only_where_it_says_nothing_else() {
        let policy = |patch: &[Op]| fits(Kind::Application, patch);
        let alone = json!({"automated": {"selfHeal": true}, "syncOptions": [], "retry": null});
        let more = json!({"automated": {}, "syncOptions": ["Prune=false"]});
        assert!(policy(&[test(POLICY, alone.clone()), remove(POLICY)]));
        assert!(policy(&[test(POLICY, Value::Null), add(POLICY, alone.clone())]));
        assert!(policy(&[remove("/spec/syncPolicy/automated")]));
        assert!(!policy(&[remove(POLICY)]), "what it holds was not seen");
        assert!(!policy(&[test(POLICY, more.clone()), remove(POLICY)]));
        for value in [more, json!({}), json!({"syncOptions": ["Replace=true"]}), Value::Null] {
            assert!(!policy(&[add(POLICY, value)]));
        }
        let replaced = Op::Replace { path: POLICY.into(), value: alone.clone() };
        assert!(!policy(&[test(POLICY, alone), replaced]));
        assert!(!policy(&[add("/spec/source/repoURL", json!("x"))]));
    }

    #[test]
    fn keda_is_given_a_number_only_where_it_goes_on() {
        let keda = |patch: &[Op]| fits(Kind::ScaledObject, patch);
        let paused = json!({"autoscaling.keda.sh/paused": "true"});
        assert!(keda(&[add(ANNOTATIONS, paused.clone())]));
        assert!(keda(&[test(ANNOTATIONS, paused), remove(ANNOTATIONS)]));
        assert!(keda(&[add(PAUSED, json!("true")), remove(PAUSED_AT)]));
        assert!(keda(&[add(PAUSED_AT, json!("1")), remove(PAUSED)]));
        assert!(!keda(&[add(PAUSED_AT, json!("0"))]));
        assert!(!keda(&[remove(ANNOTATIONS)]));
        for value in [json!({"a": "b"}), json!({}), json!("x")] {
            assert!(!keda(&[add(ANNOTATIONS, value)]));
        }
    }
}
