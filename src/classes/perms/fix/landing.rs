//! Where a security context or a mount is set so that it lasts: on the object that owns it.

use serde_json::Value;

use crate::model::object::{Kind, ObjectExt};
use crate::model::patch::Change;
use crate::model::plan::Blocked;
use crate::subject::rollout::Wanted;
use crate::subject::{Subject, repair};

pub(super) const TEMPLATE: &str = "/spec/template/spec";

/// The pods' security context: its pointer on the root. On a workload rendered from it, it is that of
/// the template (prometheus-operator `pkg/prometheus/server/statefulset.go`).
fn security(subject: &Subject) -> Result<String, Blocked> {
    match subject.root.kind {
        Kind::MonitoringStack => Err(repair::elsewhere(
            subject,
            "its resource has no place for a security context",
            &["give the volume to the user that its operator sets"],
        )),
        kind if kind.is_operator_resource() => Ok("/spec/securityContext".into()),
        _ => Ok(format!("{TEMPLATE}/securityContext")),
    }
}

/// Values of the pods' security context, set at the owner.
pub(super) fn in_security_context(
    subject: &Subject,
    values: &[(&str, Value)],
    why: &str,
) -> Result<Wanted, Blocked> {
    let at = security(subject)?;
    let under = |at: &str| {
        let set =
            |(name, value): &(&str, Value)| Change::set(format!("{at}/{name}"), value.clone());
        values.iter().map(set).collect()
    };
    Ok(Wanted {
        changes: under(&at),
        rendered: under(&format!("{TEMPLATE}/securityContext")),
        why: why.to_owned(),
        suspects: Vec::new(),
    })
}

/// Changes of a template that nobody renders; an operator's resource has no place of its own for
/// them.
pub(super) fn in_template(
    subject: &Subject,
    changes: Vec<Change>,
    why: &str,
) -> Result<Wanted, Blocked> {
    if subject.is_operated() {
        return Err(repair::elsewhere(
            subject,
            "its operator renders this, and the resource has no field of its own for it",
            &["look for it in spec.containers, spec.volumes and spec.volumeMounts of the resource"],
        ));
    }
    Ok(Wanted { rendered: changes.clone(), changes, why: why.to_owned(), suspects: Vec::new() })
}

/// The index of the Prometheus container in a pod's spec.
pub(super) fn container(subject: &Subject, spec: &Value) -> Option<usize> {
    spec.list("/containers").iter().position(|c| c.text("/name") == subject.container)
}
