//! The address on which it listens: as the arguments give it, as its log says it, as it answers.

use serde_json::Value;

use super::knock::{self, Door};
use super::{ADDRESS, LOOPBACK};
use crate::model::log::{Line, Runs, events};
use crate::model::object::ObjectExt;
use crate::model::{Finding, Severity, Snapshot};
use crate::subject::{Subject, pod};

pub const FLAG: &str = "web.listen-address";

/// By what it is known to listen on the loopback: labels of the evidence.
pub const GIVEN: &str = "--web.listen-address";
pub const HEARD: &str = "its log";
pub const FORWARDED: &str = "port-forward";

pub fn check(subject: &Subject, pod: &Value, runs: &Runs) -> Option<Finding> {
    let all: Vec<&str> = subject.flags.every(FLAG).collect();
    // What comes from a variable is not known here.
    if all.is_empty() || all.iter().any(|a| a.contains("$(")) {
        return None;
    }
    // A server that is up has shown that its address is well formed.
    let malformed = all.iter().find(|a| port_of(a).is_none()).filter(|_| !runs.reached_replay());
    if let Some(address) = malformed {
        let says = "is told to listen on a malformed address; it must be HOST:PORT or :PORT";
        let finding = Finding::new(ADDRESS, &pod::reference(pod), Severity::Error, says)
            .with(GIVEN, *address);
        return Some(stopping(finding, runs));
    }
    None
}

/// It listens on the loopback only: by its arguments, by its own log, or since it answers there and
/// not at the pod's address, wherever it is told that.
pub fn loopback(subject: &Subject, seen: &Snapshot, pod: &Value, runs: &Runs) -> Option<Finding> {
    let (outside, inside) =
        (knock::at_address(subject, seen, pod), knock::at_loopback(subject, seen, pod));
    // Whoever answers at the address passes it on.
    if has_proxy(subject, pod) || matches!(outside, Door::Answers(..)) {
        return None;
    }
    let told: Vec<&str> = subject.flags.every(FLAG).collect();
    let told = Some(told).filter(|all| !all.is_empty() && all.iter().all(|a| is_loopback(a)));
    let heard =
        Some(heard(runs)).filter(|all| !all.is_empty() && all.iter().all(|a| is_loopback(a)));
    let seen_so = match (outside, inside) {
        (Door::Refused(why), Door::Answers(status, _)) if knock::is_up(runs, seen) => {
            Some((why, status))
        }
        _ => None,
    };
    if told.is_none() && heard.is_none() && seen_so.is_none() {
        return None;
    }
    let asked = subject.root_object.is_true("/spec/listenLocal");
    let beside = thanos(subject, pod);
    let meant = runs.ready && (asked || beside.is_some());
    let weight = if meant { Severity::Warn } else { Severity::Error };
    // A probe that is run inside of it reaches it well.
    let says = match pod::container(pod, &subject.container) {
        Some(own) if own.ready => {
            "listens on the pod's loopback only: no Service or scrape can reach it"
        }
        _ => "listens on the pod's loopback only: no probe, Service or scrape can reach it",
    };
    let mut finding = Finding::new(LOOPBACK, &pod::reference(pod), weight, says);
    if let Some(all) = &told {
        finding = finding.with(GIVEN, all.join(" "));
    }
    if let Some(all) = heard.filter(|_| told.is_none()) {
        finding = finding.with(HEARD, format!("Listening on {}", all.join(", ")));
    }
    if let Some((why, status)) = seen_so {
        finding = finding
            .with(FORWARDED, format!("its loopback answers {status}"))
            .with("pod proxy", format!("its address does not: {why}"));
    }
    if asked {
        finding = finding.with("set by", "spec.listenLocal of the custom resource");
    }
    if let Some((name, note)) = probed_beside(subject, seen, pod) {
        finding =
            finding.with(&format!("container {name}"), format!("not ready: {}", note.quote()));
    }
    if let Some(name) = beside {
        let says = "asks it there, and passes on its Store API alone, not what Prometheus serves";
        finding = finding.with(&format!("container {name}"), says);
    }
    Some(stopping(finding, runs))
}

/// A container beside a Prometheus that is ready itself which is refused, too: the config-reloader of
/// prometheus-operator 0.70 to 0.74 listens on the loopback with it, and is probed at the address.
fn probed_beside<'a>(
    subject: &Subject,
    seen: &Snapshot,
    pod: &'a Value,
) -> Option<(&'a str, events::Note)> {
    let statuses = pod.list("/status/containerStatuses");
    let of = |status: &Value| status.text("/name") == subject.container;
    statuses.iter().find(|status| of(status) && status.is_true("/ready"))?;
    let beside = statuses.iter().filter(|status| !of(status) && !status.is_true("/ready"));
    let notes = events::of(seen, &pod::reference(pod), pod.uid());
    let refused = |status: &'a Value| {
        let name = status.text("/name");
        let own = |note: &&events::Note| {
            note.reason == "Unhealthy"
                && note.message.contains("connection refused")
                && note.place.ends_with(&format!("{{{name}}}"))
        };
        notes.iter().find(own).map(|note| (name, note.clone()))
    };
    beside.filter_map(refused).next()
}

/// A sidecar of Thanos, which serves samples by gRPC and no page or API of Prometheus
/// (thanos `cmd/thanos/sidecar.go`).
fn thanos<'a>(subject: &Subject, pod: &'a Value) -> Option<&'a str> {
    let mut all = pod.list("/spec/containers").iter();
    let own = |c: &&Value| c.text("/name") != subject.container && is_thanos(c);
    all.find(own).map(|c| c.text("/name"))
}

fn is_thanos(container: &Value) -> bool {
    let words = container.list("/command").iter().chain(container.list("/args"));
    let mut words = words.filter_map(Value::as_str);
    let image = container.text("/image").rsplit('/').next().unwrap_or("");
    image.starts_with("thanos") && words.any(|word| word == "sidecar")
}

/// The addresses that the present run said it listens on.
pub fn heard(runs: &Runs) -> Vec<&str> {
    let own = |line: &&Line| line.msg() == "Listening on";
    runs.now.iter().flatten().filter(own).filter_map(|line| line.field("address")).collect()
}

fn stopping(finding: Finding, runs: &Runs) -> Finding {
    let name = finding.object.name.clone();
    if runs.ready { finding } else { finding.stopping(&name) }
}

/// The port of `HOST:PORT`; Go's `net.SplitHostPort` takes an IPv6 host in brackets only.
pub fn port_of(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    (bracketed || !host.contains(':')).then(|| port.parse().ok()).flatten()
}

pub fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host == "localhost" || host.starts_with("127.") || host == "[::1]"
}

/// Another container of the pod that passes requests on. The reloader also speaks to localhost,
/// and serves nobody; a sidecar of Thanos serves something else.
pub fn has_proxy(subject: &Subject, pod: &Value) -> bool {
    let others =
        pod.list("/spec/containers").iter().filter(|c| c.text("/name") != subject.container);
    others.into_iter().any(|container| {
        let what = format!("{} {}", container.text("/name"), container.text("/image"));
        // It asks localhost for more than a reload (`--runtimeinfo-url`, prometheus-operator 0.85).
        if what.contains("reload") || is_thanos(container) {
            return false;
        }
        let known = ["proxy", "nginx", "envoy", "oauth", "traefik", "haproxy"];
        let words = container.list("/command").iter().chain(container.list("/args"));
        let upstream = words.filter_map(Value::as_str).any(|word| {
            ["--upstream", "localhost:", "127.0.0.1:"].iter().any(|part| word.contains(part))
        });
        upstream || known.iter().any(|name| what.contains(name))
    })
}
