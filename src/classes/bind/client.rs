//! The workload that cannot reach Prometheus, as `--client` names it.

use serde_json::{Value, json};

use crate::model::object::{Kind, ObjectExt, ObjectRef};

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

/// The labels by which all pods of a workload, and no others, are known.
pub fn labels(workload: &Value) -> Option<Value> {
    let at = match workload.text("/kind") {
        "Pod" => "/metadata/labels",
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
