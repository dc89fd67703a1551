//! Whether the addresses at which a client asks lead here. One that names a Service in front of this
//! Prometheus is judged; any other may be meant for somebody else.

use serde_json::Value;

use super::services::selects;
use super::sources::{Asked, asked};
use crate::model::address::Address;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Kind, ObjectRef, Severity, Snapshot};
use crate::subject::Subject;

pub const ADDRESS: Code = Code("bind/client-address");
/// Addresses of the client that name a Service of this Prometheus and do not lead there.
pub fn check(subject: &Subject, seen: &Snapshot, of: &ObjectRef) -> Vec<Finding> {
    let own = subject.namespace();
    let in_front: Vec<&Value> = seen
        .items(Kind::Service, own)
        .filter(|service| subject.pods.iter().any(|pod| selects(service, pod)))
        .collect();
    let mut out = Vec::new();
    for Asked { place, address: url, is_source: _ } in asked(seen, of) {
        let mut parts = url.host.split('.');
        let name = parts.next().unwrap_or("");
        let Some(service) = in_front.iter().find(|s| s.name() == name) else { continue };
        // A name alone is looked up in the client's own namespace; one of another namespace, or of
        // the world, is somebody else's.
        let namespace = match (parts.next(), parts.next()) {
            (None, _) if of.namespace == own => own,
            (None, _) if has_own(seen, of, name) => continue,
            (None, _) => of.namespace.as_str(),
            (Some(space), None | Some("svc")) if space == own => own,
            (Some(_), _) => continue,
        };
        let Some(says) = wrong(subject, service, &url, namespace) else { continue };
        let finding = Finding::new(ADDRESS, of, Severity::Error, says);
        let right = right(subject, service, &url);
        out.push(finding.with(&place, url.text()).with("it should be", right));
    }
    out.dedup();
    out
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
