//! The workload that cannot reach Prometheus, as `--client` names it.

use serde_json::{Value, json};

use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::{Fact, Need, Seen, Snapshot};
use crate::subject::pod::is_terminating;
use crate::subject::selector::selects;

/// Kinds that have pods.
const KINDS: [Kind; 5] =
    [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::ReplicaSet, Kind::Pod];

/// Reads `[NS/]KIND/NAME`, or `KIND/NAME.NS`; without a namespace it is `own`.
pub fn parse(text: &str, own: &str) -> Result<ObjectRef, String> {
    let wrong =
        || format!("{text:?} is no workload such as deploy/grafana or monitoring/deploy/grafana");
    let parts: Vec<&str> = text.split('/').collect();
    let (namespace, kind, name) = match parts.as_slice() {
        [namespace, kind, name] => (*namespace, *kind, *name),
        [kind, name] => match name.split_once('.') {
            Some((name, namespace)) if *kind != "pod" => (namespace, *kind, name),
            _ => (own, *kind, *name),
        },
        _ => return Err(wrong()),
    };
    let is =
        |k: &Kind| [k.short(), k.plural()].contains(&kind) || k.name().eq_ignore_ascii_case(kind);
    let kind = KINDS.into_iter().find(is).ok_or_else(wrong)?;
    let is_name = |part: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        !part.is_empty() && part.len() <= 253 && part.chars().all(inner)
    };
    if is_name(name) && is_name(namespace) {
        Ok(ObjectRef::new(kind, namespace, name))
    } else {
        Err(wrong())
    }
}

/// The namespaces of both ends.
pub fn spaces<'a>(server: &'a str, client: &'a ObjectRef) -> Vec<&'a str> {
    let mut spaces = vec![server, client.namespace.as_str()];
    spaces.dedup();
    spaces
}

/// A pod of a workload, as far as policies look at it; a pod itself.
pub fn pod(workload: &Value) -> Value {
    if workload.text("/kind") == "Pod" {
        return workload.clone();
    }
    let template = workload.pointer("/spec/template").unwrap_or(&Value::Null);
    json!({
        "metadata": {
            "name": workload.name(), "namespace": workload.namespace(),
            "labels": template.pointer("/metadata/labels").cloned().unwrap_or(json!({})),
        },
        "spec": template.get("spec").cloned().unwrap_or(json!({})),
    })
}

/// The question for the pods of a workload that is none itself.
pub fn pods_need(workload: &Value) -> Option<Need> {
    let selector = workload.pointer("/spec/selector").filter(|_| !is_pod(workload))?;
    let labels = written(selector);
    let namespace = Some(workload.namespace().to_owned());
    (!labels.is_empty()).then_some(Need::List { kind: Kind::Pod, namespace, labels })
}

fn is_pod(workload: &Value) -> bool {
    workload.text("/kind") == "Pod"
}

/// A label selector as `-l` takes it.
fn written(selector: &Value) -> String {
    let equal = selector.get("matchLabels").and_then(Value::as_object);
    let equal = equal.into_iter().flatten();
    let mut terms: Vec<String> =
        equal.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
    for one in selector.list("/matchExpressions") {
        let key = one.text("/key");
        let values: Vec<&str> = one.list("/values").iter().filter_map(Value::as_str).collect();
        let values = values.join(",");
        terms.extend(match one.text("/operator") {
            "In" => Some(format!("{key} in ({values})")),
            "NotIn" => Some(format!("{key} notin ({values})")),
            "Exists" => Some(key.to_owned()),
            "DoesNotExist" => Some(format!("!{key}")),
            _ => None,
        });
    }
    terms.join(",")
}

/// The pods of a workload that are there and stay, as far as they were read.
pub fn pods<'a>(seen: &'a Snapshot, workload: &'a Value) -> Result<Vec<&'a Value>, &'a str> {
    if is_pod(workload) {
        return Ok(vec![workload]);
    }
    let Some(need) = pods_need(workload) else { return Err("it has no selector") };
    let selector = workload.pointer("/spec/selector").unwrap_or(&Value::Null);
    let stays = |pod: &&Value| {
        let done = matches!(pod.text("/status/phase"), "Succeeded" | "Failed");
        !done && !is_terminating(pod) && selects(selector, pod)
    };
    match seen.facts.get(&need) {
        Some(Fact::Known(Seen::List(all))) => Ok(all.iter().filter(stays).collect()),
        Some(Fact::Unreadable(why)) => Err(why),
        Some(Fact::Known(_) | Fact::Absent) | None => Err("not read"),
    }
}

/// The labels by which all pods of a workload, and no others, are known.
pub fn labels(workload: &Value) -> Option<Value> {
    let at = match workload.text("/kind") {
        "Pod" | "" => "/metadata/labels",
        _ => "/spec/selector/matchLabels",
    };
    // What a controller adds ends with the next rollout.
    const MADE: [&str; 2] = ["pod-template-hash", "controller-revision-hash"];
    let mut labels = workload.pointer(at)?.as_object()?.clone();
    labels.retain(|key, _| !MADE.contains(&key.as_str()));
    (!labels.is_empty()).then_some(Value::Object(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_asked_as_it_stands() {
        let selector = json!({"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["d", "e"]},
            {"key": "f", "operator": "NotIn", "values": ["g"]},
            {"key": "h", "operator": "Exists"}, {"key": "i", "operator": "DoesNotExist"}]});
        assert_eq!(written(&selector), "a=b,c in (d,e),f notin (g),h,!i");
    }

    #[test]
    fn a_client_is_named_in_three_ways() {
        let grafana = |namespace| ObjectRef::new(Kind::Deployment, namespace, "grafana");
        assert_eq!(parse("deploy/grafana", "mon"), Ok(grafana("mon")));
        assert_eq!(parse("apps/deployment/grafana", "mon"), Ok(grafana("apps")));
        assert_eq!(parse("deploy/grafana.apps", "mon"), Ok(grafana("apps")));
        for wrong in ["grafana", "svc/grafana", "deploy/", "a/b/c/d", "deploy/../x"] {
            assert!(parse(wrong, "mon").is_err(), "{wrong}");
        }
    }
}
