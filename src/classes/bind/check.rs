//! What the facts mean for reaching Prometheus.

pub(super) mod absent;
pub(super) mod address;
pub(super) mod asked;
pub(super) mod discovery;
pub(super) mod foreign;
pub(super) mod ingress;
pub(super) mod knock;
pub(super) mod names;
mod nowhere;
pub(super) mod policies;
pub(super) mod probes;
pub(super) mod services;
pub(super) mod sources;
pub(super) mod speech;
pub(super) mod stand_in;
mod variables;

use serde_json::Value;

use crate::model::log::{Listen, Runs, Sign, runs};
use crate::model::{Code, Finding, ObjectRef, Snapshot, Verdict};
use crate::subject::{Subject, pod};

pub(super) const ADDRESS: Code = Code("bind/address-unusable");
pub(super) const LOOPBACK: Code = Code("bind/loopback");
pub(super) const PORT: Code = Code("bind/port-mismatch");
pub(super) const SCHEME_OR_PATH: Code = Code("bind/scheme-or-path");

pub fn check(subject: &Subject, seen: &Snapshot, client: Option<&ObjectRef>) -> Verdict {
    let mut verdict = Verdict::default();
    for pod in &subject.pods {
        let runs = runs::of(seen, pod, &subject.container);
        let last_words = last_words(seen, pod, &runs);
        if last_words.is_none() {
            let address = address::check(subject, pod, &runs)
                .or_else(|| address::loopback(subject, seen, pod, &runs));
            let probes = probes::check(subject, seen, pod, &runs);
            if address.is_none() && probes.is_none() {
                verdict.unknown.extend(knock::open(subject, seen, pod, &runs));
            }
            verdict.findings.extend(address.into_iter().chain(probes));
        }
        verdict.findings.extend(last_words);
    }
    let services = services::check(subject, seen);
    verdict.findings.extend(services.findings);
    verdict.unknown.extend(services.unknown);
    verdict.findings.extend(names::check(seen));
    verdict.findings.extend(ingress::check(subject, seen));
    let discovery = discovery::check(subject, seen);
    verdict.findings.extend(discovery.findings);
    verdict.unknown.extend(discovery.unknown);
    if let Some(client) = client {
        let policies = policies::check(subject, seen, client);
        verdict.findings.extend(policies.findings);
        let asked = asked::check(subject, seen, client);
        if asked.is_empty() {
            verdict.findings.extend(nowhere::check(subject, seen, client));
        }
        verdict.findings.extend(asked);
        verdict.unknown.extend(policies.unknown);
        verdict.unknown.extend(sources::unread(seen, client, &read_secrets(subject, client)));
    }
    verdict
}

/// The command that reads the Secrets too.
fn read_secrets(subject: &Subject, client: &ObjectRef) -> String {
    format!(
        "kubectl prom-fix bind {} -n {} --client {}/{} --read-secrets",
        subject.root.short(),
        subject.namespace(),
        client.namespace,
        client.short(),
    )
}

/// A run that ended because it could not listen.
fn last_words(seen: &Snapshot, pod: &Value, runs: &Runs) -> Option<Finding> {
    let (sign, line) = runs.ended_by()?;
    let (code, says) = match &sign {
        Sign::Listen(Listen::InUse) => (
            ADDRESS,
            "cannot listen: another process has the port (on the host network, the node's)",
        ),
        Sign::Listen(Listen::NotOurs) => {
            (ADDRESS, "cannot listen: its pod does not have the address it is told")
        }
        Sign::Listen(Listen::Privileged) => {
            (ADDRESS, "cannot listen: a port below 1024 needs a right that its user lacks")
        }
        Sign::Listen(Listen::Malformed) => {
            (ADDRESS, "cannot listen: the address it is told is malformed")
        }
        Sign::WebConfig => (SCHEME_OR_PATH, "refuses its web configuration (TLS, authentication)"),
        _ => return None,
    };
    let weight = runs.weight(&sign, seen.clock);
    let finding = Finding::new(code, &pod::reference(pod), weight, says);
    Some(runs.tell(finding, line, seen.clock))
}
