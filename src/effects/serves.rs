//! Before a pod is stopped: what the plan foresaw was true when it was made, minutes ago. A pod
//! that serves is stopped only while another of its workload serves.

use serde_json::Value;

use super::cluster::Cluster;
use super::error::Error;
use super::send::moved;
use crate::model::object::{Kind, ObjectExt, ObjectRef};

/// Whether the pod can be spared: it does not serve, or another of the same controller does.
pub(super) async fn spared(cluster: &Cluster, object: &ObjectRef, uid: &str) -> Result<(), Error> {
    if object.kind != Kind::Pod {
        return Ok(());
    }
    let Some(pod) = cluster.get(object).await?.filter(|pod| pod.uid() == uid && serves(pod)) else {
        return Ok(());
    };
    let owner = pod.controller().map(|owner| owner.uid).unwrap_or_default();
    let pods = cluster.list(Kind::Pod, Some(&object.namespace), "").await?;
    let sibling = |other: &&Value| {
        other.uid() != uid && serves(other) && other.controller().is_some_and(|o| o.uid == owner)
    };
    match pods.iter().find(sibling) {
        Some(_) => Ok(()),
        None => Err(moved(
            object,
            "it serves, and its sibling no longer does; it was not deleted. When another pod of \
             its workload is Ready, go on with resume; or accept the outage with --allow-downtime"
                .into(),
        )),
    }
}

/// Ready, and not on its way out.
fn serves(pod: &Value) -> bool {
    let conditions = pod.list("/status/conditions");
    pod.pointer("/metadata/deletionTimestamp").is_none()
        && conditions.iter().any(|c| c.text("/type") == "Ready" && c.text("/status") == "True")
}
