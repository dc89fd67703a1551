//! A pod is deleted so that one of its set's new template comes in its place. Its set has to have seen
//! that template before; and a pod of the old one that came meanwhile, because somebody else deleted
//! the one that was meant, has to go as well.

use std::time::Duration;

use serde_json::Value;

use super::again::patiently;
use super::cluster::{Cluster, Removal};
use super::error::Error;
use super::look::is_observed;
use super::serves;
use crate::model::object::{Kind, ObjectExt, ObjectRef};

/// Looks at a controller that is slow; afterwards the pod is deleted all the same.
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
        let Some(other) = read(cluster, self.object).await? else { return Ok(()) };
        let Some(live) = read(cluster, &set).await?.filter(is_observed) else {
            return Ok(());
        };
        let wanted = live.text("/status/updateRevision");
        let is_old = other.label("controller-revision-hash").is_some_and(|of| of != wanted);
        if !is_old || wanted.is_empty() || other.pointer("/metadata/deletionTimestamp").is_some() {
            return Ok(());
        }
        if !self.downtime {
            serves::spared(cluster, self.object, other.uid()).await?;
        }
        cluster.delete_within(self.object, other.uid(), self.grace).await.map(drop)
    }
}

async fn set_of(cluster: &Cluster, object: &ObjectRef) -> Result<Option<ObjectRef>, Error> {
    let pod = read(cluster, object).await?.filter(|_| object.kind == Kind::Pod);
    let owner = pod.as_ref().and_then(Value::controller);
    let owner = owner.filter(|owner| owner.kind == Kind::StatefulSet.name());
    Ok(owner.map(|owner| ObjectRef::new(Kind::StatefulSet, &object.namespace, &owner.name)))
}

/// Whether its controller has seen the set as it is now: a pod that it makes is of this template.
async fn has_seen(cluster: &Cluster, set: &ObjectRef) -> Result<bool, Error> {
    Ok(read(cluster, set).await?.is_none_or(|live| is_observed(&live)))
}

async fn read(cluster: &Cluster, object: &ObjectRef) -> Result<Option<Value>, Error> {
    patiently(|| cluster.get(object)).await
}
