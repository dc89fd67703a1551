//! Where a security context is set so that it lasts: on the object that owns it.

use serde_json::Value;

use crate::model::object::Kind;
use crate::model::patch::Change;
use crate::model::plan::Blocked;
use crate::subject::rollout::Wanted;
use crate::subject::{Subject, repair, template};

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
        _ => Ok(format!("{}/securityContext", template::SPEC)),
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
        rendered: under(&format!("{}/securityContext", template::SPEC)),
        why: why.to_owned(),
        ..Wanted::default()
    })
}
