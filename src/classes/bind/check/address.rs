//! The address that the arguments give.

use serde_json::Value;

use super::{ADDRESS, LOOPBACK};
use crate::model::log::Runs;
use crate::model::object::ObjectExt;
use crate::model::{Finding, Severity};
use crate::subject::{Subject, pod};

const FLAG: &str = "web.listen-address";

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
            .with("--web.listen-address", *address);
        return Some(stopping(finding, runs));
    }
    if !all.iter().all(|a| is_loopback(a)) || has_proxy(subject, pod) {
        return None;
    }
    let asked = subject.root_object.is_true("/spec/listenLocal");
    let weight = if runs.ready && asked { Severity::Warn } else { Severity::Error };
    let says = "listens on the pod's loopback only: no probe, Service or scrape can reach it";
    let finding = Finding::new(LOOPBACK, &pod::reference(pod), weight, says);
    let finding = finding.with("--web.listen-address", all.join(" "));
    let finding = if asked {
        finding.with("set by", "spec.listenLocal of the custom resource")
    } else {
        finding
    };
    Some(stopping(finding, runs))
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

fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host == "localhost" || host.starts_with("127.") || host == "[::1]"
}

/// Another container of the pod that passes requests on. The reloader also speaks to localhost,
/// and serves nobody.
fn has_proxy(subject: &Subject, pod: &Value) -> bool {
    let others =
        pod.list("/spec/containers").iter().filter(|c| c.text("/name") != subject.container);
    others.into_iter().any(|container| {
        let what = format!("{} {}", container.text("/name"), container.text("/image"));
        // It asks localhost for more than a reload (`--runtimeinfo-url`, prometheus-operator 0.85).
        if what.contains("reload") {
            return false;
        }
        let known = ["proxy", "nginx", "envoy", "oauth", "traefik", "thanos", "haproxy"];
        let words = container.list("/command").iter().chain(container.list("/args"));
        let upstream = words.filter_map(Value::as_str).any(|word| {
            ["--upstream", "localhost:", "127.0.0.1:"].iter().any(|part| word.contains(part))
        });
        upstream || known.iter().any(|name| what.contains(name))
    })
}
