//! A Service that leads nowhere: its selector, or the port that it sends to.

use serde_json::{Value, json};

use super::Case;
use crate::classes::bind::check::services;
use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::patch::Change;
use crate::model::{Blocked, Plan};
use crate::subject::repair;

pub(super) fn plan(case: &Case<'_>) -> Result<Plan, Blocked> {
    let service = service(case)?;
    let (title, changes) = match case.root.code.0 {
        "bind/service-selector" => selector(case)?,
        "bind/port-mismatch" => port(case, service)?,
        _ => return Err(case.blocked("what to change of it is not known")),
    };
    repair::plan_of(case.subject, case.seen, service, "bind", &title, &changes)
}

fn service<'a>(case: &Case<'a>) -> Result<&'a Value, Blocked> {
    let Got::Known(all) = case.seen.list(case.root.object.kind, case.subject.namespace()) else {
        return Err(case.blocked("it could not be read"));
    };
    let found = all.iter().find(|s| s.name() == case.root.object.name);
    found.ok_or_else(|| case.blocked("it could not be read"))
}

/// The labels by which the workload knows its own pods.
fn selector(case: &Case<'_>) -> Result<(String, Vec<Change>), Blocked> {
    let [workload] = case.subject.workloads.as_slice() else {
        return Err(case.blocked("which of its workloads the Service is for is not known"));
    };
    let labels = workload.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let Some(labels) = labels.filter(|labels| !labels.is_empty()) else {
        return Err(case.blocked("its workload selects its pods by no label"));
    };
    let shown: Vec<String> =
        labels.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or(""))).collect();
    let title = format!("select the pods of {}: {}", workload.name(), shown.join(","));
    Ok((title, vec![Change::set("/spec/selector", json!(labels))]))
}

/// The name of the port on which Prometheus listens, where the pods give it one; else its number.
fn port(case: &Case<'_>, service: &Value) -> Result<(String, Vec<Change>), Blocked> {
    let behind: Vec<&Value> =
        case.subject.pods.iter().filter(|pod| services::selects(service, pod)).collect();
    let dead = services::dead(case.subject, service, &behind);
    let [(place, _)] = dead.as_slice() else {
        return Err(case.blocked("it has several ports, and which is for Prometheus is not known"));
    };
    let number = case.subject.flags.port();
    let spec = case.subject.pod_spec();
    let ports = spec.list("/containers").iter().flat_map(|c| c.list("/ports"));
    let name = ports
        .filter(|p| p.number("/containerPort") == Some(number.into()))
        .map(|p| p.text("/name"))
        .find(|name| !name.is_empty());
    let target = name.map_or(json!(number), |name| json!(name));
    let title = format!("send to port {number}, where Prometheus listens");
    Ok((title, vec![Change::set(format!("/spec/ports/{place}/targetPort"), target)]))
}
