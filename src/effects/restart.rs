//! After an undo: has the controller taken the old values, and does a pod that the plan restarted
//! stand in the way of going back? A StatefulSet with OrderedReady waits for ever for a pod of
//! the revision that was taken back to become ready.

use serde_json::Value;

use super::cluster::Cluster;
use super::error::Error;
use super::execute::Watcher;
use super::journal::may_have_happened;
use super::look::is_observed;
use super::wait::pause;
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::plan::Action;
use crate::model::receipt::Receipt;

/// Looks, a second apart, after which the controllers are left to themselves. An operator renders
/// a change within one or two.
const LOOKS: usize = 20;
/// The same for pods that have to end first: prometheus-operator gives them 600 s.
const MOST_LOOKS: usize = 660;

/// Waits until every pod of a Deployment is of its template as it is now, whether it serves or not; for
/// as long as a pod may take to end.
pub(super) async fn followed(
    cluster: &Cluster,
    object: &ObjectRef,
    watcher: &mut dyn Watcher,
) -> Result<(), Error> {
    for _ in 0..MOST_LOOKS {
        let Some(live) = cluster.get(object).await? else { return Ok(()) };
        let count = |pointer: &str| live.number(pointer).unwrap_or(0);
        let updated = count("/status/updatedReplicas");
        let wanted = live.number("/spec/replicas").unwrap_or(1);
        if is_observed(&live) && updated >= wanted && count("/status/replicas") == updated {
            return Ok(());
        }
        watcher.wait(&format!("{}: its pods have not followed yet", object.short()), None);
        if pause(watcher).await {
            break;
        }
    }
    Err(Error::Hopeless(format!(
        "{}: its pods have not followed its template; the strategy stays Recreate until they have",
        object.short()
    )))
}

/// Where a pod stands.
enum Pod {
    /// Nothing to do, or done.
    Settled,
    /// The controller has not come to it yet.
    Pending(String),
}

pub(super) async fn settle(
    cluster: &Cluster,
    receipt: &Receipt,
    watcher: &mut dyn Watcher,
) -> Result<(), Error> {
    let mut steps =
        receipt.plan.steps.iter().zip(&receipt.steps).filter(|(_, p)| may_have_happened(p));
    let rendered = steps.clone().any(|(step, _)| {
        let kind = step.action.object().kind;
        let direct = [Kind::StatefulSet, Kind::Deployment, Kind::DaemonSet, Kind::Pod];
        matches!(step.action, Action::Patch { .. }) && !direct.contains(&kind)
    });
    let mut pods: Vec<(&ObjectRef, &str)> = Vec::new();
    for (step, _) in steps.by_ref() {
        if let Action::Delete { object, uid, .. } = &step.action
            && object.kind == Kind::Pod
            && !pods.iter().any(|(pod, _)| *pod == object)
        {
            pods.push((object, uid));
        }
    }
    for _ in 0..LOOKS {
        let mut pending = None;
        let mut left = Vec::new();
        for (pod, old) in pods {
            match one(cluster, pod, old, rendered).await? {
                Pod::Settled => {}
                Pod::Pending(says) => {
                    pending = Some(says);
                    left.push((pod, old));
                }
            }
        }
        pods = left;
        let Some(says) = pending else { return Ok(()) };
        watcher.wait(&says, None);
        if pause(watcher).await {
            return Ok(());
        }
    }
    Ok(())
}

async fn one(
    cluster: &Cluster,
    object: &ObjectRef,
    old: &str,
    rendered: bool,
) -> Result<Pod, Error> {
    let live = cluster.get(object).await?;
    let Some(pod) = live.filter(|pod| pod.uid() != old && !is_ready(pod)) else {
        return Ok(Pod::Settled);
    };
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return Ok(Pod::Settled);
    }
    let Some(owner) = pod.controller().filter(|o| o.kind == Kind::StatefulSet.name()) else {
        return Ok(Pod::Settled);
    };
    let set = ObjectRef::new(Kind::StatefulSet, &object.namespace, &owner.name);
    let Some(live) = cluster.get(&set).await? else { return Ok(Pod::Settled) };
    let pending = Pod::Pending(format!("{}: not seen by its controller yet", set.short()));
    if !is_observed(&live) {
        return Ok(pending);
    }
    let wanted = live.text("/status/updateRevision");
    if pod.label("controller-revision-hash") == Some(wanted) {
        // The operator may not have rendered the old values yet.
        return Ok(if rendered { pending } else { Pod::Settled });
    }
    cluster.delete(object, pod.uid(), false).await?;
    Ok(Pod::Settled)
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.list("/status/conditions");
    conditions.iter().any(|c| c.text("/type") == "Ready" && c.text("/status") == "True")
}
