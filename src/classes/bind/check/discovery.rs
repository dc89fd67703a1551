//! A server that serves, and whose service discovery gets no answer from the API server: what it
//! scrapes is what it knew before, or nothing. 2.53 logs it, in the words of client-go; 3.16 does not
//! and only counts it.

use std::net::SocketAddr;

use serde_json::Value;

use super::policies::{POLICY, names};
use crate::model::fact::Got;
use crate::model::log::{Line, runs};
use crate::model::object::ObjectExt;
use crate::model::{
    Fact, Finding, Kind, Need, Seen, Severity, Snapshot, Unknown, Verdict, exposition,
};
use crate::subject::network::{Direction, End, Ruling, Way, rule, selecting};
use crate::subject::{Subject, pod};

/// A try waits for 30 s, and the next comes within a minute (client-go, `tools/cache/reflector.go`).
const TRIED_WITHIN_SECONDS: i64 = 300;

pub fn needs(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    if subject.pods.iter().all(|pod| unanswered(subject, seen, pod).is_none()) {
        return Vec::new();
    }
    vec![Need::list(Kind::NetworkPolicy, subject.namespace()), api_server()]
}

/// Where the log does not say it, what it counted; asked only where policies keep it from there.
pub fn when_asked(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let mut out = Vec::new();
    for pod in subject.serving() {
        if !is_selected(subject, seen, pod) {
            continue;
        }
        out.push(api_server());
        if denied(subject, seen, pod, None).is_ok() {
            out.push(Need::http(pod, subject.flags.port(), &metrics(subject)));
        }
    }
    out
}

fn metrics(subject: &Subject) -> String {
    subject.flags.below_prefix("/metrics")
}

/// Whether a policy is about what it sends.
fn is_selected(subject: &Subject, seen: &Snapshot, pod: &Value) -> bool {
    let all: Vec<&Value> = seen.items(Kind::NetworkPolicy, subject.namespace()).collect();
    let own = End::Pod { pod, namespace: &Value::Null };
    let way = Way { client: own, server: own, port: 443, protocol: "TCP" };
    !selecting(&all, &way, Direction::Egress).0.is_empty()
}

/// Who answers behind the Service of the API server.
fn api_server() -> Need {
    Need::List {
        kind: Kind::EndpointSlice,
        namespace: Some("default".into()),
        labels: "kubernetes.io/service-name=kubernetes".into(),
    }
}

pub fn check(subject: &Subject, seen: &Snapshot) -> Verdict {
    let mut verdict = Verdict::default();
    for pod in &subject.pods {
        let Some((line, address)) = unanswered(subject, seen, pod) else {
            verdict.findings.extend(counted(subject, seen, pod));
            continue;
        };
        match denied(subject, seen, pod, Some(address)) {
            Ok(by) => verdict.findings.push(kept(pod, &by).with("log", line.quote())),
            Err(why) => verdict.unknown.push(Unknown {
                need: "what keeps its service discovery from the API server".into(),
                why: format!("{why}; log: \"{}\"", line.quote()),
                get: format!("kubectl get networkpolicies -n {}", subject.namespace()),
                vital: false,
            }),
        }
    }
    verdict
}

fn kept(pod: &Value, by: &[&Value]) -> Finding {
    let says = "serves, and its service discovery does not reach the API server: no policy that \
                selects it lets it out to there";
    let finding = Finding::new(POLICY, &pod::reference(pod), Severity::Warn, says);
    finding.with("policies", names(by))
}

/// With the status that the API server answered, or `<error>`.
const REQUESTS: &str = "prometheus_sd_kubernetes_http_request_total{status_code=";

/// No request of its discovery was ever answered.
fn counted(subject: &Subject, seen: &Snapshot, pod: &Value) -> Option<Finding> {
    let answer = seen.http(pod, subject.flags.port(), &metrics(subject))?;
    let (200, body) = answer.ok()? else { return None };
    let failed = exposition::whole(body, &format!("{REQUESTS}\"<error>\"}}")).unwrap_or(0);
    // A refusal is an answer, too.
    let answered = body.lines().any(|line| {
        let other = line.strip_prefix(REQUESTS).filter(|rest| !rest.starts_with("\"<error>\""));
        other.is_some_and(|rest| !rest.ends_with("} 0"))
    });
    if failed == 0 || answered {
        return None;
    }
    let by = denied(subject, seen, pod, None).ok()?;
    let says =
        format!("{failed} requests to the API server failed since its start, none was answered");
    Some(kept(pod, &by).with("/metrics", says))
}

/// The newest line of a server that runs which says that the API server gave no answer, and where it
/// was asked.
fn unanswered(subject: &Subject, seen: &Snapshot, pod: &Value) -> Option<(Line, SocketAddr)> {
    let runs = runs::of(seen, pod, &subject.container);
    let recent = |line: &&Line| {
        let at: Option<jiff::Timestamp> = line.ts().parse().ok();
        at.is_some_and(|at| seen.clock.as_second() - at.as_second() <= TRIED_WITHIN_SECONDS)
    };
    let told = |line: &Line| Some((line.clone(), asked(line.msg())?));
    if !runs.ready {
        return None;
    }
    runs.now.as_deref()?.iter().rev().take_while(recent).find_map(told)
}

/// `…: Failed to watch *v1.Pod: … dial tcp 10.96.0.1:443: i/o timeout`.
fn asked(message: &str) -> Option<SocketAddr> {
    if !["Failed to watch ", "failed to list "].iter().any(|words| message.contains(words)) {
        return None;
    }
    let (_, at) = message.rsplit_once("dial tcp ")?;
    at.strip_suffix(": i/o timeout")?.parse().ok()
}

/// The policies that keep it from the API server, at its Service's address as at its own: which of
/// them a plugin looks at, differs.
fn denied<'a>(
    subject: &'a Subject,
    seen: &'a Snapshot,
    pod: &Value,
    asked: Option<SocketAddr>,
) -> Result<Vec<&'a Value>, String> {
    let namespace = subject.namespace();
    let all = match seen.list(Kind::NetworkPolicy, namespace) {
        Got::Unreadable(why) => return Err(format!("networkpolicies: {why}")),
        Got::NotAsked => return Err("networkpolicies: not read".into()),
        Got::Absent | Got::Known(_) => seen.items(Kind::NetworkPolicy, namespace),
    };
    let all: Vec<&Value> = all.collect();
    let own = servers(seen);
    if own.is_empty() {
        return Err("the addresses of the API server are not read".into());
    }
    let ruling = |address: SocketAddr| {
        let client = End::Pod { pod, namespace: &Value::Null };
        let server = End::Address(address.ip());
        let way = Way { client, server, port: address.port(), protocol: "TCP" };
        rule(&all, &way, Direction::Egress)
    };
    let mut by: Vec<&Value> = Vec::new();
    let (mut shut, mut open) = (None, None);
    for address in own.into_iter().chain(asked) {
        match ruling(address) {
            Ruling::Denied(policies) => {
                shut = Some(address);
                let new = |one: &&Value| by.iter().all(|by| !std::ptr::eq(*by, *one));
                let more: Vec<&Value> = policies.into_iter().filter(new).collect();
                by.extend(more);
            }
            Ruling::Open | Ruling::Allowed(_) => open = Some(address),
            Ruling::Plugin(why) => return Err(why.into()),
        }
    }
    match (shut, open) {
        (None, _) => Err("no NetworkPolicy of its namespace does".into()),
        (Some(_), None) => Ok(by),
        (Some(shut), Some(open)) => Err(format!(
            "{} let it out to {open} and not to {shut}: which of them counts, the network plugin knows",
            names(&by)
        )),
    }
}

fn servers(seen: &Snapshot) -> Vec<SocketAddr> {
    let mut out = Vec::new();
    let Some(Fact::Known(Seen::List(slices))) = seen.facts.get(&api_server()) else { return out };
    for slice in slices {
        let ports = slice.list("/ports").iter().filter_map(|port| port.number("/port"));
        for port in ports.filter_map(|port| u16::try_from(port).ok()) {
            let ends = slice.list("/endpoints").iter().flat_map(|end| end.list("/addresses"));
            let addresses = ends.filter_map(|at| at.as_str()?.parse().ok());
            out.extend(addresses.map(|address| SocketAddr::new(address, port)));
        }
    }
    out
}
