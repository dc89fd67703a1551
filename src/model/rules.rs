//! What a person may do, out of one list of rules. A list may be incomplete (an authorizer that
//! answers single questions only): then what it does not allow is open, not forbidden.

use serde_json::Value;

use super::fact::{Fact, Need, Seen, Snapshot};
use super::object::{Kind, ObjectExt};

/// Whether a verb is allowed, as far as was read: by the review of just that, else by the
/// namespace's rules, which may also allow it for `name` alone. `None` where that is open.
pub fn may(seen: &Snapshot, need: &Need, name: &str) -> Option<bool> {
    if let Some(Fact::Known(Seen::May(allowed))) = seen.facts.get(need) {
        return Some(*allowed);
    }
    let Need::May { verb, kind, subresource, namespace } = need else { return None };
    let rules = Need::Rules { namespace: namespace.clone() };
    let Some(Fact::Known(Seen::Rules(status))) = seen.facts.get(&rules) else { return None };
    allows(status, verb, *kind, subresource, name)
}

/// What the rules of a namespace say of a verb on an object there.
pub fn allows(
    status: &Value,
    verb: &str,
    kind: Kind,
    subresource: &str,
    name: &str,
) -> Option<bool> {
    // The review is of a namespace: that it is silent on what belongs to none proves nothing.
    let complete = !status.is_true("/incomplete") && kind.namespaced();
    let hit = status.list("/resourceRules").iter().any(|rule| {
        has(rule, "/verbs", verb)
            && has(rule, "/apiGroups", kind.group())
            && resource(rule, kind.plural(), subresource)
            && named(rule, verb, name)
    });
    if hit { Some(true) } else { complete.then_some(false) }
}

fn has(rule: &Value, list: &str, wanted: &str) -> bool {
    rule.list(list).iter().any(|v| v.as_str().is_some_and(|v| v == "*" || v == wanted))
}

/// A rule for named objects; what is created has no name yet when it is judged.
fn named(rule: &Value, verb: &str, name: &str) -> bool {
    let names = rule.list("/resourceNames");
    names.is_empty() || (verb != "create" && names.iter().any(|n| n.as_str() == Some(name)))
}

/// `pods`, `pods/log`, `*`, `*/log` (kubernetes pkg/apis/rbac/v1/evaluation_helpers.go).
fn resource(rule: &Value, plural: &str, subresource: &str) -> bool {
    let (whole, any) = match subresource {
        "" => (plural.to_owned(), plural.to_owned()),
        _ => (format!("{plural}/{subresource}"), format!("*/{subresource}")),
    };
    has(rule, "/resources", &whole) || has(rule, "/resources", &any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    fn allows(status: &Value, verb: &str, kind: Kind, subresource: &str) -> Option<bool> {
        super::allows(status, verb, kind, subresource, "")
    }

    fn rules(rows: Value, incomplete: bool) -> Value {
        json!({"resourceRules": rows, "nonResourceRules": [], "incomplete": incomplete})
    }

    #[test]
    fn verbs_groups_resources_and_wildcards() {
        let row = |verbs: Value, groups: Value, resources: Value| {
            rules(json!([{"verbs": verbs, "apiGroups": groups, "resources": resources}]), false)
        };
        let exact = row(json!(["patch"]), json!(["apps"]), json!(["statefulsets"]));
        assert_eq!(allows(&exact, "patch", Kind::StatefulSet, ""), Some(true));
        assert_eq!(allows(&exact, "delete", Kind::StatefulSet, ""), Some(false));
        assert_eq!(allows(&exact, "patch", Kind::Deployment, ""), Some(false));
        assert_eq!(allows(&exact, "patch", Kind::StatefulSet, "scale"), Some(false));
        let all = row(json!(["*"]), json!(["*"]), json!(["*"]));
        assert_eq!(allows(&all, "delete", Kind::Pod, ""), Some(true));
        assert_eq!(allows(&all, "create", Kind::Pod, "exec"), Some(true));
        let below = row(json!(["get"]), json!([""]), json!(["*/log"]));
        assert_eq!(allows(&below, "get", Kind::Pod, "log"), Some(true));
        assert_eq!(allows(&below, "get", Kind::Pod, ""), Some(false));
        let other_group = row(json!(["patch"]), json!([""]), json!(["statefulsets"]));
        assert_eq!(allows(&other_group, "patch", Kind::StatefulSet, ""), Some(false));
    }

    #[test]
    fn what_an_incomplete_list_lacks_is_open() {
        let nothing = rules(json!([]), true);
        assert_eq!(allows(&nothing, "patch", Kind::Pod, ""), None);
        let complete = rules(json!([]), false);
        assert_eq!(allows(&complete, "patch", Kind::Pod, ""), Some(false));
        assert_eq!(allows(&complete, "get", Kind::Node, ""), None);
        let named = rules(
            json!([{"verbs": ["*"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]}]),
            false,
        );
        assert_eq!(super::allows(&named, "delete", Kind::Pod, "", "b"), Some(false));
        assert_eq!(super::allows(&named, "delete", Kind::Pod, "", "a"), Some(true));
        assert_eq!(super::allows(&named, "create", Kind::Pod, "", "a"), Some(false));
    }

    #[test]
    fn the_single_answer_wins() {
        let mut seen = Snapshot::new(Timestamp::UNIX_EPOCH);
        let need =
            Need::May { verb: "patch", kind: Kind::Pod, subresource: "", namespace: "m".into() };
        assert_eq!(may(&seen, &need, ""), None);
        let of = Need::Rules { namespace: "m".into() };
        seen.facts.insert(of, Fact::Known(Seen::Rules(rules(json!([]), false))));
        assert_eq!(may(&seen, &need, ""), Some(false));
        seen.facts.insert(need.clone(), Fact::Known(Seen::May(true)));
        assert_eq!(may(&seen, &need, ""), Some(true));
    }
}
