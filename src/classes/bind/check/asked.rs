//! Whether the addresses at which a client asks lead here. One that names a Service in front of this
//! Prometheus is judged; any other may be meant for somebody else.

use serde_json::Value;

use super::services::{in_front, target_number};
use super::sources::{Asked, asked};
use super::speech::{self, Speech};
use crate::model::address::Address;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Kind, ObjectRef, Severity, Snapshot};
use crate::subject::Subject;

pub const ADDRESS: Code = Code("bind/client-address");
/// Of the evidence, what it should be.
pub const RIGHT: &str = "it should be";

/// An address of the client that names a Service of this Prometheus.
pub struct Judged<'a> {
    /// Where it stands.
    pub place: String,
    pub url: Address,
    pub service: &'a Value,
    /// Why it does not lead there, and what would.
    pub wrong: Option<(String, String)>,
}

pub fn judged<'a>(subject: &'a Subject, seen: &'a Snapshot, of: &ObjectRef) -> Vec<Judged<'a>> {
    let own = subject.namespace();
    let mut out = Vec::new();
    for Asked { place, address: url, is_source: _ } in asked(seen, of) {
        let mut parts = url.host.split('.');
        let name = parts.next().unwrap_or("");
        let Some(service) = in_front(subject, seen).find(|s| s.name() == name) else { continue };
        // A name alone is looked up in the client's own namespace; one of another namespace, or of
        // the world, is somebody else's.
        let namespace = match (parts.next(), parts.next()) {
            (None, _) if of.namespace == own => own,
            (None, _) if has_own(seen, of, name) => continue,
            (None, _) => of.namespace.as_str(),
            (Some(space), None | Some("svc")) if space == own => own,
            (Some(_), _) => continue,
        };
        let spoken = spoken(subject, seen, service);
        let wrong = wrong(subject, service, &url, namespace).or_else(|| scheme(spoken, &url));
        let mut meant = url.clone();
        meant.scheme = of_spoken(spoken, &url);
        let wrong = wrong.map(|says| (says, right(subject, service, &meant)));
        out.push(Judged { place, url, service, wrong });
    }
    out
}

/// Addresses of the client that name a Service of this Prometheus and do not lead there.
pub fn check(subject: &Subject, seen: &Snapshot, of: &ObjectRef) -> Vec<Finding> {
    let finding = |one: Judged<'_>| {
        let (says, right) = one.wrong?;
        let finding = Finding::new(ADDRESS, of, Severity::Error, says);
        Some(finding.with(&one.place, one.url.text()).with(RIGHT, right))
    };
    let mut out: Vec<Finding> = judged(subject, seen, of).into_iter().filter_map(finding).collect();
    out.dedup();
    out
}

fn scheme(spoken: Option<Speech>, url: &Address) -> Option<String> {
    match (url.scheme.as_str(), spoken) {
        ("https", Some(Speech::Plain(_))) => {
            Some("asks with TLS, and it speaks plain HTTP".to_owned())
        }
        ("http", Some(Speech::Tls(_))) => Some("asks in plain HTTP, and it speaks TLS".to_owned()),
        _ => None,
    }
}

fn of_spoken(spoken: Option<Speech>, url: &Address) -> String {
    match spoken {
        Some(Speech::Plain(_)) => "http".to_owned(),
        Some(Speech::Tls(_)) => "https".to_owned(),
        Some(Speech::NotKnown(_)) | None => url.scheme.clone(),
    }
}

/// What is spoken behind a Service, where all of it leads to Prometheus itself and to no proxy.
fn spoken(subject: &Subject, seen: &Snapshot, service: &Value) -> Option<Speech> {
    let pod = subject.pods.first()?;
    let own = Some(i64::from(subject.flags.port()));
    let headless = service.text("/spec/clusterIP") == "None";
    let mut ports = service.list("/spec/ports").iter();
    let leads = ports.all(|port| target_number(port, pod) == own) || headless;
    leads.then(|| speech::of(subject, seen, pod))
}

/// Whether the client's namespace has a Service of this name, as far as is known.
fn has_own(seen: &Snapshot, of: &ObjectRef, name: &str) -> bool {
    let known = seen.list(Kind::Service, &of.namespace).known().is_some();
    !known || seen.items(Kind::Service, &of.namespace).any(|service| service.name() == name)
}

fn wrong(subject: &Subject, service: &Value, url: &Address, namespace: &str) -> Option<String> {
    if namespace != subject.namespace() {
        return Some(format!(
            "asks for {} in namespace {namespace}, and it is in {}",
            service.name(),
            subject.namespace()
        ));
    }
    let ports = service.list("/spec/ports");
    // The name of a headless Service leads to the pods themselves, whatever its ports.
    let headless = service.text("/spec/clusterIP") == "None";
    let port = i64::from(url.port);
    let is_right = match headless {
        true => url.port == subject.flags.port() || is_declared(subject, port),
        false => ports.iter().any(|p| p.number("/port") == Some(port)),
    };
    if !is_right {
        return Some(format!("asks port {port} of {}, which it does not have", service.name()));
    }
    let prefix = subject.flags.prefix();
    let prefix = prefix.trim_end_matches('/');
    let rest = url.path.strip_prefix(prefix);
    let below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (!prefix.is_empty() && !below)
        .then(|| format!("asks outside of the route prefix {prefix}: it is answered with 404"))
}

/// A port of any container of the pods.
fn is_declared(subject: &Subject, port: i64) -> bool {
    let pods = subject.pods.iter().flat_map(|p| p.list("/spec/containers"));
    pods.flat_map(|c| c.list("/ports")).any(|p| p.number("/containerPort") == Some(port))
}

pub fn right(subject: &Subject, service: &Value, url: &Address) -> String {
    let scheme = &url.scheme;
    let port = match service.text("/spec/clusterIP") {
        "None" => i64::from(subject.flags.port()),
        _ => service.list("/spec/ports").first().and_then(|p| p.number("/port")).unwrap_or(9090),
    };
    let prefix = subject.flags.prefix();
    let prefix = prefix.trim_end_matches('/');
    format!("{scheme}://{}.{}.svc:{port}{prefix}", service.name(), subject.namespace())
}
