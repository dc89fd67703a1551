//! Whether a workload is rolled out, and how far the replay is of a pod that it waits for.

use serde_json::Value;

use super::{Door, Look, not_yet, replaying, starts};
use crate::effects::cluster::Cluster;
use crate::effects::error::Error;
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::plan::Server;

pub(super) async fn look(
    cluster: &Cluster,
    object: &ObjectRef,
    server: Option<&Server>,
    live: Option<&Value>,
) -> Result<Look, Error> {
    let name = object.short();
    let Some(live) = live else { return Ok(not_yet(format!("{name}: not there"))) };
    match object.kind {
        Kind::StatefulSet | Kind::Deployment | Kind::DaemonSet => {
            let look = workload(&name, object.kind, live);
            match server.filter(|_| matches!(look, Look::NotYet { .. })) {
                Some(server) => starting(cluster, live, server, look).await,
                None => Ok(look),
            }
        }
        _ => match available(live) {
            Some(true) => Ok(Look::Met(format!("{name} is available"))),
            Some(false) => Ok(not_yet(format!("{name}: not available yet{}", because(live)))),
            None => rendered_sets(cluster, object, live).await,
        },
    }
}

/// Whether a custom resource says that it is available at its latest generation; none where it
/// has no such condition.
fn available(live: &Value) -> Option<bool> {
    let conditions = live.list("/status/conditions");
    let available = conditions.iter().find(|c| c.text("/type") == "Available")?;
    let seen =
        available.number("/observedGeneration").or(live.number("/status/observedGeneration"));
    let current = live.number("/metadata/generation");
    let up_to_date = seen.is_none() || current.is_none() || seen >= current;
    Some(up_to_date && available.text("/status") == "True")
}

/// What the operator says of it, a line at most: a change in there is progress.
fn because(live: &Value) -> String {
    let mut conditions = live.list("/status/conditions").iter();
    let message = conditions.find(|c| c.text("/type") == "Available");
    let message = message.and_then(|c| c.text("/message").lines().next()).unwrap_or_default();
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// An operator too old for conditions: its sets speak for it.
async fn rendered_sets(cluster: &Cluster, object: &ObjectRef, live: &Value) -> Result<Look, Error> {
    let sets = cluster.list(Kind::StatefulSet, Some(&object.namespace), "").await?;
    let owned = sets.iter().filter(|set| set.controller().is_some_and(|o| o.uid == live.uid()));
    let mut looks =
        owned.map(|set| workload(&format!("sts/{}", set.name()), Kind::StatefulSet, set));
    let waiting = looks.find(|look| !matches!(look, Look::Met(_)));
    Ok(waiting.unwrap_or_else(|| Look::Met(format!("{} is rolled out", object.short()))))
}

fn workload(name: &str, kind: Kind, live: &Value) -> Look {
    let count = |pointer: &str| live.number(pointer).unwrap_or(0);
    let (wanted, updated, ready) = match kind {
        Kind::DaemonSet => (
            count("/status/desiredNumberScheduled"),
            count("/status/updatedNumberScheduled"),
            count("/status/numberReady"),
        ),
        _ => (
            live.number("/spec/replicas").unwrap_or(1),
            count("/status/updatedReplicas"),
            count("/status/readyReplicas"),
        ),
    };
    // An old pod of a Deployment that still stops counts among its replicas.
    let surplus = kind == Kind::Deployment && count("/status/replicas") > wanted;
    let seen = count("/status/observedGeneration") >= count("/metadata/generation");
    if seen && !surplus && updated >= wanted && ready >= wanted {
        return Look::Met(format!("{name} is rolled out: {ready}/{wanted} ready"));
    }
    not_yet(format!("{name}: {updated}/{wanted} updated, {ready}/{wanted} ready"))
}

/// Of the pods of a workload, the first that starts: a replay changes no number of the workload, and
/// may take longer than anyone waits without news.
async fn starting(
    cluster: &Cluster,
    workload: &Value,
    server: &Server,
    look: Look,
) -> Result<Look, Error> {
    let labels = workload.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let labels: Vec<String> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    if labels.is_empty() {
        return Ok(look);
    }
    let namespace = workload.namespace();
    let pods = cluster.list(Kind::Pod, Some(namespace), &labels.join(",")).await;
    // Only news about the wait: whoever may not list pods waits as before.
    let pods = pods.unwrap_or_default();
    let here = |pod: &&Value| pod.pointer("/metadata/deletionTimestamp").is_none() && starts(pod);
    let Some(pod) = pods.iter().filter(here).min_by_key(|pod| pod.name()) else {
        return Ok(look);
    };
    let object = ObjectRef::new(Kind::Pod, namespace, pod.name());
    let at = Door { pod: &object, port: server.port, prefix: &server.prefix };
    replaying(cluster, &at, Some(pod), look).await
}
