//! Data sources of a Grafana that lead nowhere: to a Service that is not there, or to its own pod.
//! Only where none of its addresses names this Prometheus, and only where both is known for sure.

use serde_json::Value;

use super::asked::{ADDRESS, right};
use super::services::selects;
use super::sources::{Asked, asked, is_of_the_cluster, spec, target};
use crate::model::address::Address;
use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::{Finding, Kind, ObjectRef, Severity, Snapshot};
use crate::subject::Subject;

pub fn check(subject: &Subject, seen: &Snapshot, of: &ObjectRef) -> Vec<Finding> {
    let own = subject.namespace();
    let mut in_front: Vec<&Value> = seen
        .items(Kind::Service, own)
        .filter(|service| subject.pods.iter().any(|pod| selects(service, pod)))
        .collect();
    // One with an address of its own first: who asks it is led to the pods that are ready.
    in_front.sort_by_key(|service| service.text("/spec/clusterIP") == "None");
    let all = asked(seen, of);
    let leads_here = |one: &Asked| {
        let target = target(&one.address.host, of);
        let named = |(name, space)| space == own && in_front.iter().any(|s| s.name() == name);
        target.is_some_and(named)
    };
    if all.iter().any(leads_here) {
        return Vec::new();
    }
    let sources = all.iter().filter(|one| one.is_source);
    let finding = |one: &Asked| {
        let says = nowhere(subject, seen, of, &one.address)?;
        let finding = Finding::new(ADDRESS, of, Severity::Error, says);
        let finding = finding.with(&one.place, one.address.text());
        Some(match in_front.first() {
            Some(service) => finding.with("it should be", right(subject, service, &one.address)),
            None => finding,
        })
    };
    let mut out: Vec<Finding> = sources.clone().filter_map(finding).collect();
    out.dedup();
    if out.is_empty() {
        out.extend(others(of, &sources.collect::<Vec<_>>()));
    }
    out
}

/// Named of the addresses at the most.
const SHOWN: usize = 3;

/// Sources that may be well, and are not known to lead here: by the name of an Ingress they may.
fn others(of: &ObjectRef, sources: &[&Asked]) -> Option<Finding> {
    let says = "has data sources, and none names a Service of this Prometheus";
    let finding = Finding::new(ADDRESS, of, Severity::Warn, says);
    let finding = sources
        .iter()
        .take(SHOWN)
        .fold(finding, |finding, one| finding.with(&one.place, one.address.text()));
    (!sources.is_empty()).then_some(finding)
}

fn nowhere(
    subject: &Subject,
    seen: &Snapshot,
    of: &ObjectRef,
    address: &Address,
) -> Option<String> {
    if is_loopback(&address.host) {
        let client = seen.object(of).known()?;
        return is_grafana_alone(client)
            .then(|| "asks its own pod, in which no Prometheus runs".to_owned());
    }
    if !is_resolved_as_usual(seen.object(of).known()?) {
        return None;
    }
    let (name, space) = target(&address.host, of)?;
    // `prom.example` may be a name of the world.
    let near = space == subject.namespace() || space == of.namespace;
    let service = ObjectRef::new(Kind::Service, space, name);
    let gone = matches!(seen.object(&service), Got::Absent);
    (gone && (near || is_of_the_cluster(&address.host)))
        .then(|| format!("asks for {name} in namespace {space}, and there is no such Service"))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.starts_with("127.") || host == "[::1]"
}

/// By the cluster's DNS alone.
fn is_resolved_as_usual(client: &Value) -> bool {
    let spec = spec(client);
    let usual = matches!(spec.text("/dnsPolicy"), "" | "ClusterFirst" | "ClusterFirstWithHostNet");
    usual
        && spec.list("/hostAliases").is_empty()
        && spec.list("/dnsConfig/searches").is_empty()
        && spec.list("/dnsConfig/nameservers").is_empty()
}

/// No container that could pass the request on.
fn is_grafana_alone(client: &Value) -> bool {
    let spec = spec(client);
    let all = spec.list("/containers").iter().chain(spec.list("/initContainers"));
    let known = |c: &Value| ["grafana", "k8s-sidecar"].iter().any(|w| c.text("/image").contains(w));
    !spec.is_true("/hostNetwork") && all.into_iter().all(known)
}
