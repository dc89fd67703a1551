//! A data directory that the spec makes read-only.

use super::Case;
use crate::model::object::ObjectExt;
use crate::model::patch::Change;
use crate::model::{Blocked, Plan};
use crate::subject::repair::Draft;
use crate::subject::template;

pub(super) fn plan(case: &Case<'_>) -> Result<Plan, Blocked> {
    let pod = case.pod().ok_or_else(|| case.blocked("the pod that was refused is gone"))?;
    let place = case.place(pod);
    let by = place.read_only_by();
    let name = place.mount.map_or("", |mount| mount.text("/name"));
    let spec = case.template();
    let index = template::container(case.subject, spec);
    let mount = index.and_then(|index| {
        let mounts = format!("/containers/{index}/volumeMounts");
        let at = spec.list(&mounts).iter().position(|m| {
            m.text("/name") == name
                && place.mount.is_some_and(|p| p.text("/mountPath") == m.text("/mountPath"))
        })?;
        Some(format!("{mounts}/{at}"))
    });
    let volume = spec.list("/volumes").iter().position(|v| v.text("/name") == name);
    let at = match by {
        Some("volumeMounts.readOnly") => mount.map(|at| format!("{at}/readOnly")),
        Some("volumes.readOnly") => {
            ["persistentVolumeClaim", "nfs", "csi"].iter().find_map(|kind| {
                let at = format!("/volumes/{}/{kind}/readOnly", volume?);
                spec.is_true(&at).then_some(at)
            })
        }
        _ => None,
    };
    let Some(at) = at else {
        return Err(case.blocked(match by {
            Some("securityContext.readOnlyRootFilesystem") => {
                "no volume is mounted at its data directory, and its own layer is read-only"
            }
            _ => "what makes it read-only is not in its template",
        }));
    };
    if !spec.is_true(&at) {
        return Err(
            case.blocked("its template mounts it to be written already: the pod is from before")
        );
    }
    let title = "mount the data directory to be written".to_owned();
    let change = Change::unset(format!("{}{at}", template::SPEC));
    let wanted = template::wanted(case.subject, vec![change], &title)?;
    case.draft(title, wanted, Draft::default())
}
