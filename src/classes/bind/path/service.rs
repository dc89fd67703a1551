//! What stands in front of the pod: the name, the Service behind it, who answers behind that.

use serde_json::Value;

use super::super::check::names::{Dns, dns};
use super::super::check::policies::{self, POLICY, names};
use super::super::check::services::{self, NO_ENDPOINT, SELECTOR};
use super::super::check::{PORT, ingress};
use super::super::client;
use super::{Case, Who, broken};
use crate::model::PathStep;
use crate::model::object::{Kind, ObjectExt};
use crate::subject::network::Ruling;

const NAME: &str = "name";
const SERVICE: &str = "service";
const ENDPOINTS: &str = "endpoints";

/// A name of the cluster, and who resolves it.
pub(super) fn name(case: &Case<'_>) -> PathStep {
    let Some(service) = case.service else {
        let none = "no Service selects its pods: no name leads to it".to_owned();
        return PathStep::not_known(NAME, case.missing(Kind::Service).unwrap_or(none));
    };
    let address = match service.text("/spec/clusterIP") {
        "None" => "its pods (headless)",
        "" => "an address that is not read",
        address => address,
    };
    let says = format!("{}.{}.svc is {address}", service.name(), service.namespace());
    if let Who::Client(of) = case.from {
        let workload = case.seen.object(of).known().map(client::pod);
        if let Some(why) = workload.as_ref().and_then(asks_elsewhere) {
            return PathStep::not_known(NAME, format!("{says}; {why}"));
        }
        let scene = policies::scene(case.subject, case.seen, of).ok();
        if let Some(Ruling::Denied(by)) = scene.as_ref().map(policies::Scene::to_dns) {
            let says = format!("{says}; {} keeps it from the cluster's DNS", names(&by));
            return match dns(case.seen) {
                Dns::Answers | Dns::Silent => PathStep::broken(NAME, Some(POLICY), says),
                Dns::NotKnown(_) => {
                    PathStep::not_known(NAME, format!("{says}, if that is in kube-system"))
                }
            };
        }
    }
    match dns(case.seen) {
        Dns::Answers => PathStep::ok(NAME, format!("{says}; the cluster's DNS answers")),
        Dns::Silent => {
            let says = format!("{says}; svc/kube-dns -n kube-system has no ready endpoint");
            PathStep::broken(NAME, Some(NO_ENDPOINT), says)
        }
        Dns::NotKnown(why) => {
            PathStep::not_known(NAME, format!("{says}; whether DNS answers: {why}"))
        }
    }
}

/// A pod whose names are resolved by its node, which mostly knows none of the cluster's.
fn asks_elsewhere(pod: &Value) -> Option<&'static str> {
    match (pod.text("/spec/dnsPolicy"), pod.is_true("/spec/hostNetwork")) {
        ("Default", _) => Some("the client's dnsPolicy is Default: it asks its node's DNS"),
        ("None", _) => Some("the client's dnsPolicy is None: it asks a DNS of its own"),
        ("" | "ClusterFirst", true) => Some(
            "the client is on its node's network without dnsPolicy ClusterFirstWithHostNet: it \
             asks its node's DNS",
        ),
        _ => None,
    }
}

pub(super) fn service(case: &Case<'_>) -> PathStep {
    for code in [SELECTOR, PORT] {
        if let Some(finding) = case.fault_of_service(code) {
            return broken(SERVICE, finding);
        }
    }
    let Some(service) = case.service else {
        let none = "none selects its pods: it is reached by a pod's address alone".to_owned();
        return PathStep::not_known(SERVICE, case.missing(Kind::Service).unwrap_or(none));
    };
    let short = format!("svc/{}", service.name());
    if !services::selects(service, case.pod) {
        return PathStep::not_known(SERVICE, format!("{short} does not select this pod"));
    }
    if service.text("/spec/clusterIP") == "None" {
        let says = format!("{short} selects it; headless: the pod's own port is asked");
        return PathStep::ok(SERVICE, says);
    }
    let own = i64::from(case.subject.flags.port());
    let ports = service.list("/spec/ports");
    let leads = |port: &&Value| services::target_number(port, case.pod) == Some(own);
    match (ports.iter().find(leads), ports.first()) {
        (Some(port), _) => {
            let port = services::shown(port, case.pod);
            PathStep::ok(SERVICE, format!("{short} selects it, port {port}"))
        }
        // A proxy in the pod, perhaps.
        (None, Some(port)) => {
            let port = services::shown(port, case.pod);
            let says = format!("{short} selects it, port {port}: what answers there is not read");
            PathStep::not_known(SERVICE, says)
        }
        (None, None) => PathStep::not_known(SERVICE, format!("{short} has no ports")),
    }
}

pub(super) fn endpoints(case: &Case<'_>) -> PathStep {
    if let Some(finding) = case.fault_of_service(NO_ENDPOINT) {
        return broken(ENDPOINTS, finding);
    }
    let Some(service) = case.service else {
        return PathStep::not_known(ENDPOINTS, "without a Service there are none");
    };
    let Some(all) = services::endpoints(case.seen, service) else {
        let why = case.missing(Kind::EndpointSlice).unwrap_or_else(|| "not read".into());
        return PathStep::not_known(ENDPOINTS, why);
    };
    let ready = all.iter().filter(|endpoint| services::is_ready(endpoint)).count();
    let says = format!("{ready} of {} ready", all.len());
    if ready == 0 { PathStep::not_known(ENDPOINTS, says) } else { PathStep::ok(ENDPOINTS, says) }
}

/// The rule that leads to the Service, whether it has an address, and what it does to the path.
pub(super) fn ingress(case: &Case<'_>, rule: &ingress::Rule<'_>) -> PathStep {
    const NAME: &str = "ingress";
    if let Some(finding) = case.fault(PORT, &rule.object()) {
        return broken(NAME, finding);
    }
    let says = rule.shown();
    if rule.ingress.list("/status/loadBalancer/ingress").is_empty() {
        let says = format!("{says}; no controller has given it an address");
        return PathStep::not_known(NAME, says);
    }
    let prefix = case.subject.flags.prefix();
    let below = rule.path.trim_end_matches('/');
    let kept = prefix.trim_end_matches('/');
    if below.starts_with(kept) && (kept == below || kept.is_empty() && below.is_empty()) {
        return PathStep::ok(NAME, says);
    }
    let says =
        format!("{says}; Prometheus answers below {prefix}: 404, unless the path is rewritten");
    PathStep::not_known(NAME, says)
}
