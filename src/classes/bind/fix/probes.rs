//! Probes that ask where Prometheus does not answer: another port, or outside of its route prefix.

use serde_json::{Value, json};

use super::super::check::probes::{PROBES, asked_port, listens, misplaced_path};
use super::Case;
use crate::model::log::runs;
use crate::model::object::ObjectExt;
use crate::model::patch::Change;
use crate::model::{Blocked, Plan};
use crate::subject::template::{self, SPEC};

pub(super) fn plan(case: &Case<'_>) -> Result<Plan, Blocked> {
    let pod = case.pod().ok_or_else(|| case.blocked("the pod is gone"))?;
    let spec = case.subject.pod_spec();
    let index = template::container(case.subject, spec)
        .ok_or_else(|| case.blocked("its container is not in the template"))?;
    let container = spec.pointer(&format!("/containers/{index}")).unwrap_or(&Value::Null);
    let at = format!("{SPEC}/containers/{index}");
    let (title, changes) = if case.root.code.0 == "bind/port-mismatch" {
        port(case, pod, container, &at)?
    } else if misplaced_path(case.subject, container).is_some() {
        prefixed(case, container, &at)
    } else if case.root.says.contains("speaks TLS") {
        over_tls(container, &at)
    } else {
        return Err(case.blocked("what its probes are to say is not known"));
    };
    let wanted = template::wanted(case.subject, changes, &title)?;
    case.draft(title, wanted)
}

/// Where the port that is asked for is declared, and the address says another, the address is wrong:
/// with one change probes and Services are right. Else the probes are.
fn port(
    case: &Case<'_>,
    pod: &Value,
    container: &Value,
    at: &str,
) -> Result<(String, Vec<Change>), Blocked> {
    let run = runs::of(case.seen, pod, &case.subject.container);
    let listens = listens(case.subject, &run);
    let [port] = listens.as_slice() else {
        return Err(case.blocked("on which port it listens is not one"));
    };
    let wrong: Vec<(&str, u16)> = PROBES
        .iter()
        .filter_map(|name| Some((*name, asked_port(container, container.get(*name)?)?)))
        .filter(|(_, asked)| asked != port)
        .collect();
    let Some((_, asked)) = wrong.first() else {
        return Err(
            case.blocked("its template asks the right port already: the pod is from before")
        );
    };
    let declares = |number: u16| {
        container.list("/ports").iter().any(|p| p.number("/containerPort") == Some(number.into()))
    };
    let is_told = case.subject.flags.every("web.listen-address").next().is_some();
    if is_told && declares(*asked) && !declares(*port) && wrong.iter().all(|(_, a)| a == asked) {
        let index = at.rsplit('/').next().and_then(|index| index.parse().ok()).unwrap_or(0);
        let address = format!(":{asked}");
        let changes = template::set_flag(container, index, "web.listen-address", &address)
            .ok_or_else(|| case.blocked("its arguments are not in its template"))?;
        return Ok((format!("listen on port {asked}, which its probes and ports name"), changes));
    }
    let change = |(name, _): &(&str, u16)| {
        let kind = if container.pointer(&format!("/{name}/httpGet")).is_some() {
            "httpGet"
        } else {
            "tcpSocket"
        };
        Change::set(format!("{at}/{name}/{kind}/port"), json!(port))
    };
    Ok((format!("probe port {port}, where it listens"), wrong.iter().map(change).collect()))
}

fn prefixed(case: &Case<'_>, container: &Value, at: &str) -> (String, Vec<Change>) {
    let prefix = case.subject.flags.prefix();
    let prefix = prefix.trim_end_matches('/');
    let change = |name: &&str| {
        let path = container.get(*name)?.text("/httpGet/path");
        let fits = path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        let asked = path.trim_start_matches('/');
        (!path.is_empty() && !fits)
            .then(|| Change::set(format!("{at}/{name}/httpGet/path"), format!("{prefix}/{asked}")))
    };
    let changes = PROBES.iter().filter_map(change).collect();
    (format!("probe below its route prefix {prefix}"), changes)
}

fn over_tls(container: &Value, at: &str) -> (String, Vec<Change>) {
    let plain = |name: &&&str| {
        let probe = container.pointer(&format!("/{name}/httpGet"));
        probe.is_some_and(|probe| probe.text("/scheme") != "HTTPS")
    };
    let change = |name: &&str| Change::set(format!("{at}/{name}/httpGet/scheme"), "HTTPS");
    ("probe with TLS".into(), PROBES.iter().filter(plain).map(change).collect())
}
