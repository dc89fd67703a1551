//! What the kubelet asks, against where Prometheus answers.

use serde_json::Value;

use super::{PORT, SCHEME_OR_PATH};
use crate::model::log::Runs;
use crate::model::log::events::{self, Note};
use crate::model::object::ObjectExt;
use crate::model::{Finding, Severity, Snapshot};
use crate::subject::Subject;
use crate::subject::pod::{self, Doing};

pub const PROBES: &[&str] = &["startupProbe", "readinessProbe", "livenessProbe"];

pub fn check(subject: &Subject, seen: &Snapshot, pod: &Value, runs: &Runs) -> Option<Finding> {
    if runs.ready || pod::is_terminating(pod) {
        return None;
    }
    let own = pod.list("/spec/containers").iter().find(|c| c.text("/name") == subject.container)?;
    let listens = listens(subject, runs);
    let stop = |finding: Finding| Some(finding.stopping(pod.name()));
    if let Some((name, asked)) = PROBES.iter().find_map(|name| {
        let asked = asked_port(own, own.get(*name)?)?;
        (listens.iter().all(|port| *port != asked)).then_some((*name, asked))
    }) && !listens.is_empty()
    {
        let says = "is probed on a port where it does not listen";
        let finding = Finding::new(PORT, &pod::reference(pod), Severity::Error, says)
            .with(name, format!("port {asked}"))
            .with("listens on", listens.iter().map(u16::to_string).collect::<Vec<_>>().join(", "));
        return stop(finding);
    }
    if let Some((name, path)) = misplaced_path(subject, own) {
        let says = "is probed at a path outside of its route prefix, and answers 404 there";
        let finding = Finding::new(SCHEME_OR_PATH, &pod::reference(pod), Severity::Error, says)
            .with(name, path)
            .with("route prefix", subject.flags.prefix());
        return stop(finding);
    }
    stop(refused(seen, pod, subject)?)
}

/// The ports it listens on: what it logged, else what it was told. Of several those on the loopback
/// are no probe's.
pub fn listens(subject: &Subject, runs: &Runs) -> Vec<u16> {
    let heard = outer(super::address::heard(runs)).into_iter();
    let logged: Vec<u16> = heard.filter_map(super::address::port_of).collect();
    if !logged.is_empty() {
        return logged;
    }
    let told = outer(subject.flags.every("web.listen-address").collect());
    if told.is_empty() {
        return vec![subject.flags.port()];
    }
    // An address from a variable leaves the port open.
    let ports: Option<Vec<u16>> = told.iter().map(|a| super::address::port_of(a)).collect();
    ports.unwrap_or_default()
}

/// Those of the pod's own address, where there are any.
fn outer(addresses: Vec<&str>) -> Vec<&str> {
    let of_pod: Vec<&str> =
        addresses.iter().copied().filter(|a| !super::address::is_loopback(a)).collect();
    if of_pod.is_empty() { addresses } else { of_pod }
}

/// The port of an HTTP or TCP probe; a name is looked up among the container's ports.
pub fn asked_port(container: &Value, probe: &Value) -> Option<u16> {
    let port = ["/httpGet/port", "/tcpSocket/port"].iter().find_map(|at| probe.pointer(at))?;
    let number = match port {
        Value::String(name) if name.parse::<u16>().is_err() => {
            let ports = container.list("/ports");
            ports.iter().find(|p| p.text("/name") == name)?.number("/containerPort")?
        }
        Value::String(number) => number.parse().ok()?,
        other => other.as_i64()?,
    };
    number.try_into().ok()
}

pub fn misplaced_path(subject: &Subject, container: &Value) -> Option<(&'static str, String)> {
    let prefix = subject.flags.prefix();
    let prefix = prefix.trim_end_matches('/');
    PROBES.iter().find_map(|name| {
        let path = container.get(*name)?.text("/httpGet/path");
        let fits = path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        (!path.is_empty() && !fits).then(|| (*name, path.to_owned()))
    })
}

/// What probes were answered, as the kubelet's events tell.
fn refused(seen: &Snapshot, pod: &Value, subject: &Subject) -> Option<Finding> {
    let state = pod::container(pod, &subject.container)?;
    let since = match state.doing {
        Doing::Running { since } => since,
        Doing::Waiting { .. } | Doing::Ended(_) | Doing::Unreported => {
            state.last.and_then(|end| end.started)
        }
    };
    let of_run = |n: &&Note| n.at.zip(since).is_none_or(|(at, since)| at >= since);
    let notes = events::of(seen, &pod::reference(pod), pod.uid());
    // A readiness probe that is answered by now was not asking at the wrong place.
    let answered = |n: &Note| state.ready && n.message.starts_with("Readiness");
    let own =
        |n: &&Note| n.reason == "Unhealthy" && n.may_be_of(&subject.container) && !answered(n);
    let mut unhealthy = notes.iter().filter(own).filter(of_run);
    let (note, says) = unhealthy.find_map(|note| Some((note, meaning(&note.message)?)))?;
    let finding = Finding::new(SCHEME_OR_PATH, &pod::reference(pod), Severity::Error, says);
    Some(finding.with("event", note.quote()))
}

/// 503 is replay or shutdown, and a refused connection or a timeout has many causes: not here.
fn meaning(message: &str) -> Option<&'static str> {
    let any = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if any(&["statuscode: 401", "statuscode: 403"]) {
        Some(
            "asks its probes for a login: the web configuration covers /-/ready and /-/healthy too",
        )
    } else if any(&["statuscode: 404"]) {
        Some("answers its probes with 404: they ask outside of its route prefix")
    } else if any(&["statuscode: 400", "HTTP request to an HTTPS server"]) {
        Some("speaks TLS, and its probes ask in plain HTTP")
    } else if any(&["server gave HTTP response to HTTPS client"]) {
        Some("speaks plain HTTP, and its probes ask with TLS")
    } else if any(&["remote error: tls: ", "certificate required"]) {
        Some("asks its probes for a client certificate, which the kubelet does not have")
    } else {
        None
    }
}
