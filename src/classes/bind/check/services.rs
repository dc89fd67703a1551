//! Services in front of the pods: what they select, which port they lead to, whether anything
//! behind them is ready. Judged only where they were read.

use serde_json::Value;

use super::PORT;
use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Kind, ObjectRef, Severity, Snapshot, Unknown, Verdict};
use crate::subject::{Subject, pod, selector};

pub const SELECTOR: Code = Code("bind/service-selector");
pub const NO_ENDPOINT: Code = Code("bind/no-ready-endpoint");

pub fn check(subject: &Subject, seen: &Snapshot) -> Verdict {
    let mut verdict = Verdict::default();
    let namespace = subject.namespace();
    for kind in [Kind::Service, Kind::EndpointSlice] {
        if let Got::Unreadable(why) = seen.list(kind, namespace) {
            verdict.unknown.push(Unknown {
                need: format!("{} in {namespace}", kind.plural()),
                why: why.into(),
                get: format!("the verb list on {}", kind.plural()),
                vital: false,
            });
        }
    }
    if subject.pods.is_empty() {
        return verdict;
    }
    for service in seen.items(Kind::Service, namespace) {
        let object = ObjectRef::new(Kind::Service, namespace, service.name());
        let behind: Vec<&Value> = subject.pods.iter().filter(|p| selects(service, p)).collect();
        let finding = if behind.is_empty() {
            stray(subject, seen, service, &object)
        } else {
            ports(subject, service, &object, &behind)
                .or_else(|| no_endpoint(seen, service, &object, &behind))
        };
        verdict.findings.extend(finding);
    }
    verdict
}

/// Services that select any of its pods.
pub fn in_front<'a>(
    subject: &'a Subject,
    seen: &'a Snapshot,
) -> impl Iterator<Item = &'a Value> + 'a {
    let all = seen.items(Kind::Service, subject.namespace());
    all.filter(|service| subject.pods.iter().any(|pod| selects(service, pod)))
}

pub fn selects(service: &Value, pod: &Value) -> bool {
    selector::holds(service.pointer("/spec/selector"), pod.pointer("/metadata/labels"))
}

/// A Service that by its name belongs to this Prometheus and selects nothing at all.
fn stray(
    subject: &Subject,
    seen: &Snapshot,
    service: &Value,
    object: &ObjectRef,
) -> Option<Finding> {
    let name = service.name();
    let meant = name == subject.root.name
        || subject
            .workloads
            .iter()
            .any(|w| w.name() == name || w.text("/spec/serviceName") == name);
    let selector = service.pointer("/spec/selector").and_then(Value::as_object)?;
    let endpoints = endpoints(seen, service)?;
    if !meant || selector.is_empty() || !endpoints.is_empty() {
        return None;
    }
    let shown: Vec<String> =
        selector.iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or(""))).collect();
    let says = "bears its name and selects none of its pods";
    let finding = Finding::new(SELECTOR, object, Severity::Error, says);
    Some(finding.with("spec.selector", shown.join(",")))
}

/// The ports of a Service that lead to no port of the pods, where none leads to Prometheus: of several
/// only that of its own number, for another may be of a container that is not there.
pub fn dead<'a>(
    subject: &Subject,
    service: &'a Value,
    behind: &[&Value],
) -> Vec<(usize, &'a Value)> {
    let all = service.list("/spec/ports");
    let own = i64::from(subject.flags.port());
    let reaches = |port: &Value| behind.iter().any(|pod| target_number(port, pod) == Some(own));
    if all.iter().any(reaches) {
        return Vec::new();
    }
    let is_meant = |port: &Value| all.len() == 1 || port.number("/port") == Some(own);
    let leads = |port: &Value| behind.iter().any(|pod| leads(subject, port, pod));
    all.iter().enumerate().filter(|(_, port)| is_meant(port) && !leads(port)).collect()
}

/// A Service that does not lead to Prometheus.
fn ports(
    subject: &Subject,
    service: &Value,
    object: &ObjectRef,
    behind: &[&Value],
) -> Option<Finding> {
    if dead(subject, service, behind).is_empty() {
        return None;
    }
    let all = service.list("/spec/ports");
    let shown = |port: &Value| {
        let target = target(port);
        let target = target.as_str().map_or(target.to_string(), str::to_owned);
        format!("{} -> {target}", port.number("/port").unwrap_or(0))
    };
    let says = "leads to no port on which its pods listen";
    let finding = Finding::new(PORT, object, Severity::Error, says);
    let finding = finding.with("spec.ports", all.iter().map(shown).collect::<Vec<_>>().join(", "));
    Some(finding.with("Prometheus listens on", subject.flags.port().to_string()))
}

/// Without a target port it is the port itself.
fn target(port: &Value) -> Value {
    port.get("targetPort").or_else(|| port.get("port")).cloned().unwrap_or(Value::Null)
}

/// The number that a port of a Service comes to in a pod; a name is looked up among its containers'.
pub fn target_number(port: &Value, pod: &Value) -> Option<i64> {
    let target = target(port);
    let Some(name) = target.as_str() else { return target.as_i64() };
    let mut ports = pod.list("/spec/containers").iter().flat_map(|c| c.list("/ports"));
    ports.find(|p| p.text("/name") == name)?.number("/containerPort")
}

/// `9090 -> web (9090)`, `80 -> 9090`.
pub fn shown(port: &Value, pod: &Value) -> String {
    let from = port.number("/port").unwrap_or(0);
    let number = target_number(port, pod).map_or_else(|| "none".to_owned(), |n| n.to_string());
    match target(port).as_str() {
        Some(name) => format!("{from} -> {name} ({number})"),
        None => format!("{from} -> {number}"),
    }
}

fn leads(subject: &Subject, port: &Value, pod: &Value) -> bool {
    let target = target(port);
    let declared = || pod.list("/spec/containers").iter().flat_map(|c| c.list("/ports"));
    match target.as_str() {
        Some(name) => declared().any(|p| p.text("/name") == name),
        None => {
            let number = target.as_i64();
            number == Some(i64::from(subject.flags.port()))
                || declared().any(|p| p.number("/containerPort") == number)
        }
    }
}

/// The endpoints of a Service over all its slices; `None` where slices were not read.
pub fn endpoints<'a>(seen: &'a Snapshot, service: &'a Value) -> Option<Vec<&'a Value>> {
    seen.list(Kind::EndpointSlice, service.namespace()).known()?;
    let own = seen
        .items(Kind::EndpointSlice, service.namespace())
        .filter(|slice| slice.label("kubernetes.io/service-name") == Some(service.name()));
    Some(own.flat_map(|slice| slice.list("/endpoints")).collect())
}

/// An unset `ready` means ready (kubernetes discovery/v1 EndpointConditions).
pub fn is_ready(endpoint: &Value) -> bool {
    endpoint.pointer("/conditions/ready").is_none_or(|r| r.as_bool() != Some(false))
}

fn no_endpoint(
    seen: &Snapshot,
    service: &Value,
    object: &ObjectRef,
    behind: &[&Value],
) -> Option<Finding> {
    let endpoints = endpoints(seen, service)?;
    if endpoints.iter().any(|endpoint| is_ready(endpoint)) {
        return None;
    }
    let says = "has no ready endpoint: who asks it is refused";
    let finding = Finding::new(NO_ENDPOINT, object, Severity::Error, says)
        .with("endpoints", format!("{} in all, 0 ready", endpoints.len()));
    let down = behind.iter().find(|p| !pod::is_ready(p));
    Some(match down {
        Some(pod) => finding.because_down(pod.name()),
        None => finding,
    })
}
