//! Before a pod is stopped: what the plan foresaw was true when it was made, minutes ago. A pod
//! that serves is stopped only while another of its workload serves.

use serde_json::Value;

use super::again::patiently;
use super::cluster::Cluster;
use super::error::Error;
use super::send::moved;
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::plan::{Impact, Plan};

/// Whether the pod can be spared: it does not serve, or another of the same controller does.
pub(super) async fn spared(cluster: &Cluster, object: &ObjectRef, uid: &str) -> Result<(), Error> {
    if object.kind != Kind::Pod {
        return Ok(());
    }
    if patiently(|| can_be_spared(cluster, object, Some(uid))).await? {
        return Ok(());
    }
    Err(moved(
        object,
        "it serves, and no other pod of its workload does; it was not deleted. When another one is \
         Ready, go on with resume; or accept the outage with --allow-downtime"
            .into(),
    ))
}

/// Before a plan begins: what it takes for down is down, or can be spared. One that was down when the
/// plan was shown may serve by the time it is agreed to.
pub(super) async fn as_foreseen(cluster: &Cluster, plan: &Plan) -> Result<(), Error> {
    let Impact { restarts, serving, stops_serving, .. } = &plan.impact;
    if *stops_serving || plan.undoes.is_some() {
        return Ok(());
    }
    for name in restarts.iter().filter(|name| !serving.contains(name)) {
        let object = ObjectRef::new(Kind::Pod, &plan.target.namespace, name);
        if !patiently(|| can_be_spared(cluster, &object, None)).await? {
            let why = "it was down when this was planned, and is the only one that serves now: look \
                       again, or accept the outage with --allow-downtime";
            return Err(moved(&object, why.into()));
        }
    }
    Ok(())
}

async fn can_be_spared(
    cluster: &Cluster,
    object: &ObjectRef,
    uid: Option<&str>,
) -> Result<bool, Error> {
    let this = |pod: &Value| uid.is_none_or(|uid| pod.uid() == uid);
    let Some(pod) = cluster.get(object).await?.filter(|pod| this(pod) && serves(pod)) else {
        return Ok(true);
    };
    let owner = pod.controller().map(|owner| owner.uid).unwrap_or_default();
    let pods = cluster.list(Kind::Pod, Some(&object.namespace), "").await?;
    Ok(pods.iter().any(|other| {
        other.uid() != pod.uid()
            && serves(other)
            && other.controller().is_some_and(|o| o.uid == owner)
    }))
}

/// Ready, and not on its way out.
fn serves(pod: &Value) -> bool {
    let conditions = pod.list("/status/conditions");
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && conditions.iter().any(|c| c.text("/type") == "Ready" && c.text("/status") == "True")
}
