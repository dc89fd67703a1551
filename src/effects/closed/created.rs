//! What a plan creates: only our own, helpers, what they run, and policies that let one client in.

use serde_json::Value;

use crate::model::object::{Kind, ObjectExt, ObjectRef};

/// Says what of it is not ours.
pub(super) fn check(object: &ObjectRef, body: &Value) -> Result<(), String> {
    let short = object.short();
    if !matches!(object.kind, Kind::Pod | Kind::ConfigMap | Kind::NetworkPolicy) {
        return Err(format!("it creates {short}"));
    }
    let is = Kind::of(body.text("/apiVersion"), body.text("/kind"));
    let there = ["", object.namespace.as_str()].contains(&body.namespace());
    if is != Some(object.kind) || body.name() != object.name || !there {
        return Err(format!("what it creates as {short} is another object"));
    }
    // Of another name it may be there already, and somebody else's.
    if !object.name.starts_with(OWN) {
        return Err(format!("it creates {short}, which is no name of ours"));
    }
    match object.kind {
        Kind::NetworkPolicy if !lets_one_in(body) => {
            Err(format!("{short} is more than a way for one client"))
        }
        _ => Ok(()),
    }
}

/// What every object of ours is called.
pub(super) const OWN: &str = "prom-fix-";

/// Whether a policy selects pods by labels, and in one direction names ports and ends.
fn lets_one_in(policy: &Value) -> bool {
    let named = |list: &[Value]| !list.is_empty();
    let of = |direction: &str, ends: &str| {
        let rules = policy.list(&format!("/spec/{direction}"));
        let fits = |rule: &Value| named(rule.list(ends)) && named(rule.list("/ports"));
        named(rules) && rules.iter().all(fits)
    };
    let pods = policy.pointer("/spec/podSelector/matchLabels").and_then(Value::as_object);
    let types: Vec<&str> =
        policy.list("/spec/policyTypes").iter().filter_map(Value::as_str).collect();
    pods.is_some_and(|labels| !labels.is_empty())
        && match types.as_slice() {
            ["Ingress"] => of("ingress", "/from"),
            ["Egress"] => of("egress", "/to"),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_it_makes_has_a_name_of_ours_and_a_policy_lets_one_client_in() {
        let policy = |name: &str, spec: Value| {
            let body = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": name, "namespace": "mon"}, "spec": spec});
            let object = ObjectRef::new(Kind::NetworkPolicy, "mon", name);
            check(&object, &body).map_or_else(|why| why, |()| "fits".into())
        };
        let spec = |from: Value| {
            json!({"podSelector": {"matchLabels": {"app": "p"}}, "policyTypes": ["Ingress"],
                "ingress": [{"from": from, "ports": [{"port": 9090}]}]})
        };
        let one = || spec(json!([{"podSelector": {"matchLabels": {"app": "g"}}}]));
        assert_eq!(policy("prom-fix-allow-x", one()), "fits");
        assert!(policy("default-deny", one()).contains("no name of ours"));
        let all = json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]});
        let none =
            json!({"podSelector": {"matchLabels": {"app": "p"}}, "policyTypes": ["Ingress"]});
        for other in [spec(json!([])), all, none] {
            assert!(policy("prom-fix-allow-x", other).contains("more than a way for one client"));
        }
    }
}
