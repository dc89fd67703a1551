//! Whether names of the cluster are resolved, as far as its DNS is where it mostly is.

use super::super::needs;
use crate::model::object::ObjectExt;
use crate::model::{Code, Fact, Finding, Kind, ObjectRef, Seen, Severity, Snapshot};

/// The cluster's DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dns<'a> {
    Answers,
    /// The Service is there, and nothing is behind it.
    Silent,
    NotKnown(&'a str),
}

pub fn dns(seen: &Snapshot) -> Dns<'_> {
    let slices = match seen.facts.get(&needs::dns()) {
        Some(Fact::Known(Seen::List(slices))) if !slices.is_empty() => slices,
        Some(Fact::Known(_) | Fact::Absent) => {
            return Dns::NotKnown("there is no kube-dns in kube-system to look at");
        }
        Some(Fact::Unreadable(why)) => return Dns::NotKnown(why),
        None => return Dns::NotKnown("not read"),
    };
    let mut endpoints = slices.iter().flat_map(|slice| slice.list("/endpoints"));
    if endpoints.any(super::services::is_ready) { Dns::Answers } else { Dns::Silent }
}

/// Prometheus itself may be well: who asks for it by name does not find it.
pub fn check(seen: &Snapshot) -> Option<Finding> {
    let object = ObjectRef::new(Kind::Service, "kube-system", "kube-dns");
    let says = "has no ready endpoint: no name of the cluster is resolved";
    let code = Code("bind/no-ready-endpoint");
    (dns(seen) == Dns::Silent).then(|| Finding::new(code, &object, Severity::Warn, says))
}
