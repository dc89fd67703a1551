//! Ingresses that lead to a Service of this Prometheus: whether they name a port that it has.

use serde_json::Value;

use super::{PORT, services};
use crate::model::object::ObjectExt;
use crate::model::{Finding, Kind, ObjectRef, Severity, Snapshot};
use crate::subject::Subject;

/// One rule that sends to a Service of this Prometheus.
pub struct Rule<'a> {
    pub ingress: &'a Value,
    pub host: &'a str,
    pub path: &'a str,
    pub service: &'a Value,
    port: &'a Value,
}

pub fn rules<'a>(subject: &'a Subject, seen: &'a Snapshot) -> Vec<Rule<'a>> {
    let own = subject.namespace();
    let mut out = Vec::new();
    for ingress in seen.items(Kind::Ingress, own) {
        let single = ingress.pointer("/spec/defaultBackend").map(|backend| ("", "/", backend));
        let of_rules = ingress.list("/spec/rules").iter().flat_map(|rule| {
            let paths = rule.list("/http/paths").iter();
            paths.filter_map(|p| Some((rule.text("/host"), p.text("/path"), p.get("backend")?)))
        });
        for (host, path, backend) in of_rules.chain(single) {
            let name = backend.text("/service/name");
            let service = services::in_front(subject, seen).find(|s| s.name() == name);
            let port = backend.pointer("/service/port");
            out.extend(service.zip(port).map(|(service, port)| Rule {
                ingress,
                host,
                path,
                service,
                port,
            }));
        }
    }
    out
}

impl Rule<'_> {
    pub fn object(&self) -> ObjectRef {
        ObjectRef::new(Kind::Ingress, self.ingress.namespace(), self.ingress.name())
    }

    /// `prom.example.com/graph -> svc/prom port web`.
    pub fn shown(&self) -> String {
        let port = match self.port.number("/number") {
            Some(number) => number.to_string(),
            None => self.port.text("/name").to_owned(),
        };
        let host = if self.host.is_empty() { "*" } else { self.host };
        format!("{host}{} -> svc/{} port {port}", self.path, self.service.name())
    }

    fn leads(&self) -> bool {
        let (number, name) = (self.port.number("/number"), self.port.text("/name"));
        self.service.list("/spec/ports").iter().any(|port| match number {
            Some(_) => port.number("/port") == number,
            None => port.text("/name") == name,
        })
    }
}

pub fn check(subject: &Subject, seen: &Snapshot) -> Vec<Finding> {
    let wrong = rules(subject, seen).into_iter().filter(|rule| !rule.leads());
    let says = "sends to a port that the Service of Prometheus does not have";
    let finding = |rule: Rule<'_>| {
        Finding::new(PORT, &rule.object(), Severity::Error, says).with("rule", rule.shown())
    };
    let mut out: Vec<Finding> = wrong.map(finding).collect();
    out.dedup();
    out
}
