//! An address that nobody reaches: the same port on every address of the pod.

use serde_json::{Value, json};

use super::super::check::address::{FLAG, port_of};
use super::Case;
use crate::model::object::ObjectExt;
use crate::model::patch::Change;
use crate::model::{Blocked, Plan};
use crate::subject::rollout::Wanted;
use crate::subject::template;

pub(super) fn plan(case: &Case<'_>) -> Result<Plan, Blocked> {
    if case.root.says.contains("another process has the port") {
        return Err(
            case.blocked("another process has the port, and which of them is to move is yours")
        );
    }
    if case.root.says.contains("a right that its user lacks") {
        return Err(case.blocked("another port is needed, for its probes and Services too"));
    }
    if case.subject.root.kind.is_operator_resource() {
        return of_resource(case);
    }
    if case.subject.flags.every(FLAG).next().is_none() {
        return Err(case.blocked(
            "its address stands in none of its arguments: a script or a file of the container \
             gives it",
        ));
    }
    let spec = case.subject.pod_spec();
    let index = template::container(case.subject, spec)
        .ok_or_else(|| case.blocked("its container is not in the template"))?;
    let container = spec.pointer(&format!("/containers/{index}")).unwrap_or(&Value::Null);
    // Without a host it is every address, of both families: 0.0.0.0 would be one.
    let address = format!(":{}", port(case, container));
    let changes = template::set_flag(container, index, FLAG, &address)
        .ok_or_else(|| case.blocked("its arguments are not in its template"))?;
    let title = format!("listen on every address of the pod: --{FLAG}={address}");
    let wanted = template::wanted(case.subject, changes, &title)?;
    case.draft(title, wanted)
}

/// The port that it is told already, else the one that is declared, else Prometheus' own.
fn port(case: &Case<'_>, container: &Value) -> u16 {
    let told = case.subject.flags.every(FLAG).find_map(port_of);
    let declared = container.list("/ports").first().and_then(|p| p.number("/containerPort"));
    told.or_else(|| declared.and_then(|port| port.try_into().ok())).unwrap_or(9090)
}

/// An operator gives no address of its own unless it is told to (prometheus-operator
/// `pkg/prometheus/promcfg.go`), and its probes and Service know port 9090 only.
fn of_resource(case: &Case<'_>) -> Result<Plan, Blocked> {
    let root = &case.subject.root_object;
    let title = "listen on every address of the pod, port 9090".to_owned();
    if root.is_true("/spec/listenLocal") {
        let changes = vec![Change::set("/spec/listenLocal", false)];
        let why = format!("{title}: listenLocal keeps it on the loopback");
        let wanted = Wanted { changes, shows: shows(case), why, ..Wanted::default() };
        return case.draft(title, wanted);
    }
    let extra = root.list("/spec/additionalArgs");
    let Some(at) = extra.iter().position(|a| a.text("/name") == FLAG) else {
        return Err(case.blocked("its address stands in a container of the resource"));
    };
    let left: Vec<&Value> =
        extra.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, one)| one).collect();
    // The whole list at once: what is left of it tells whether it was done.
    let changes = vec![match left.is_empty() {
        true => Change::unset("/spec/additionalArgs"),
        false => Change::set("/spec/additionalArgs", json!(left)),
    }];
    let why = format!("{title}: without its own argument");
    let rendered = shows(case).map(|(at, value)| Change::set(at, value)).into_iter().collect();
    let wanted = Wanted { changes, rendered, why, ..Wanted::default() };
    case.draft(title, wanted)
}

/// The arguments as the operator will render them: without the address.
fn shows(case: &Case<'_>) -> Option<(String, Value)> {
    let spec = case.subject.workloads.first()?.pointer(template::SPEC)?;
    let index = template::container(case.subject, spec)?;
    let at = format!("/containers/{index}/args");
    let given = format!("--{FLAG}=");
    let is_address = |word: &Value| word.as_str().is_some_and(|word| word.starts_with(&given));
    let left: Vec<&Value> = spec.list(&at).iter().filter(|word| !is_address(word)).collect();
    (left.len() < spec.list(&at).len()).then(|| (format!("{}{at}", template::SPEC), json!(left)))
}
