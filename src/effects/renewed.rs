//! A pod is deleted so that one of its set's new template comes in its place. Its set has to have seen
//! that template before; and a pod of the old one that came meanwhile, because somebody else deleted
//! the one that was meant, has to go as well.

use std::time::Duration;

use serde_json::Value;

use super::cluster::{Cluster, Removal};
use super::error::Error;
use super::look::is_new;
use super::serves;
use crate::model::object::{Kind, ObjectExt, ObjectRef};

/// Looks at a controller that is slow; afterwards it is left to itself.
const LOOKS: usize = 60;
const PAUSE: Duration = Duration::from_millis(500);

/// What a deletion is held to.
pub(super) struct Deletion<'a> {
    pub object: &'a ObjectRef,
    pub uid: &'a str,
    pub grace: Option<u32>,
    /// Consent to stopping what serves alone.
    pub downtime: bool,
}

impl Deletion<'_> {
    /// Deletes a pod for the sake of a template that the plan has changed.
    pub(super) async fn renews(&self, cluster: &Cluster) -> Result<(), Error> {
        let set = set_of(cluster, self.object).await?;
        if let Some(set) = &set {
            let mut looks = 0;
            while !has_seen(cluster, set).await? && looks < LOOKS {
                looks += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
        let removal = cluster.delete_within(self.object, self.uid, self.grace).await?;
        let (Removal::Gone, Some(set)) = (removal, set) else { return Ok(()) };
        let Some(live) = cluster.get(&set).await? else { return Ok(()) };
        let other = cluster.get(self.object).await?.filter(|pod| {
            pod.pointer("/metadata/deletionTimestamp").is_none() && !is_new(&live, pod)
        });
        let Some(other) = other else { return Ok(()) };
        if !self.downtime {
            serves::spared(cluster, self.object, other.uid()).await?;
        }
        cluster.delete_within(self.object, other.uid(), self.grace).await.map(drop)
    }
}

async fn set_of(cluster: &Cluster, object: &ObjectRef) -> Result<Option<ObjectRef>, Error> {
    let pod = cluster.get(object).await?.filter(|_| object.kind == Kind::Pod);
    let owner = pod.as_ref().and_then(Value::controller);
    let owner = owner.filter(|owner| owner.kind == Kind::StatefulSet.name());
    Ok(owner.map(|owner| ObjectRef::new(Kind::StatefulSet, &object.namespace, &owner.name)))
}

/// Whether its controller has seen the set as it is now: a pod that it makes is of this template.
async fn has_seen(cluster: &Cluster, set: &ObjectRef) -> Result<bool, Error> {
    let live = cluster.get(set).await?;
    Ok(live.is_none_or(|live| {
        live.number("/status/observedGeneration") >= live.number("/metadata/generation")
    }))
}
