//! Whether a workload is rolled out, and how far the replay is of a pod that it waits for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Door, Look, dies_again, not_yet, replaying, starts};
use crate::effects::cluster::Cluster;
use crate::effects::error::Error;
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::plan::Server;

/// What is remembered of a workload's pods.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// Of each pod that was seen, how often it had been started again when it was seen first.
    restarts: BTreeMap<String, i64>,
    /// How far any replay was.
    furthest: f64,
}

impl Memory {
    /// Whether a pod was started again while it was waited for.
    fn fell(&mut self, pod: &Value) -> bool {
        let statuses = pod.list("/status/containerStatuses").iter();
        let now: i64 = statuses.filter_map(|status| status.number("/restartCount")).sum();
        now > *self.restarts.entry(pod.uid().to_owned()).or_insert(now)
    }

    /// A replay that begins anew is no progress until it is further than those before it: else one that
    /// is killed each time would be waited for without end.
    fn progress(&mut self, workload: Look, replay: Look) -> Look {
        match (workload, replay) {
            (Look::NotYet { says, .. }, Look::NotYet { fraction: Some(at), .. })
                if at <= self.furthest =>
            {
                Look::NotYet { says, fraction: Some(at) }
            }
            (_, replay) => {
                if let Look::NotYet { fraction: Some(at), .. } = replay {
                    self.furthest = at;
                }
                replay
            }
        }
    }
}

pub(super) async fn look(
    cluster: &Cluster,
    object: &ObjectRef,
    server: Option<&Server>,
    live: Option<&Value>,
    memory: &mut Memory,
) -> Result<Look, Error> {
    let name = object.short();
    let Some(live) = live else { return Ok(not_yet(format!("{name}: not there"))) };
    match object.kind {
        Kind::StatefulSet | Kind::Deployment | Kind::DaemonSet => {
            let look = workload(&name, object.kind, live);
            match server.filter(|_| matches!(look, Look::NotYet { .. })) {
                Some(server) => starting(cluster, live, server, look, memory).await,
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
    let seen = is_observed(live);
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
    memory: &mut Memory,
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
    let mut here: Vec<&Value> = pods.iter().filter(|pod| !is_stopping(pod)).collect();
    here.sort_by_key(|pod| pod.name());
    for pod in &here {
        let name = format!("pod/{}", pod.name());
        if memory.fell(pod)
            && is_new(workload, pod)
            && let Some(why) = dies_again(&name, pod)
        {
            return Ok(Look::Hopeless(why));
        }
    }
    let Some(pod) = here.into_iter().find(|pod| starts(pod)) else { return Ok(look) };
    let object = ObjectRef::new(Kind::Pod, namespace, pod.name());
    let at = Door { pod: &object, port: server.port, prefix: &server.prefix };
    let replay = replaying(cluster, &at, Some(pod), look.clone()).await?;
    Ok(memory.progress(look, replay))
}

fn is_stopping(pod: &Value) -> bool {
    pod.pointer("/metadata/deletionTimestamp").is_some()
}

/// Whether its controller has seen an object as it is now.
pub(in crate::effects) fn is_observed(object: &Value) -> bool {
    object.number("/status/observedGeneration") >= object.number("/metadata/generation")
}

/// Whether a pod that does not stop is surely of the workload's newest template.
fn is_new(workload: &Value, pod: &Value) -> bool {
    if !is_observed(workload) {
        return false;
    }
    let revision = workload.text("/status/updateRevision");
    match revision {
        // Of a Deployment that takes its old pods away first they all are; of others an old one runs
        // until the new one is Ready.
        "" => workload.text("/spec/strategy/type") == "Recreate",
        _ => pod.text("/metadata/labels/controller-revision-hash") == revision,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(restarts: i64) -> Value {
        json!({"metadata": {"uid": "u", "name": "p", "labels": {"controller-revision-hash": "r2"}},
            "status": {"containerStatuses": [{"name": "prometheus", "restartCount": restarts}]}})
    }

    #[test]
    fn a_replay_that_begins_anew_is_no_progress_until_it_is_further() {
        let workload = || not_yet("sts/prom: 1/1 updated, 0/1 ready".to_owned());
        let replay = |now: u32| Look::NotYet {
            says: format!("sts/prom: replaying WAL {now}/10"),
            fraction: Some(f64::from(now) / 10.0),
        };
        let mut memory = Memory::default();
        let said = [3, 5, 1, 5, 6].map(|now| match memory.progress(workload(), replay(now)) {
            Look::NotYet { says, fraction } => (says.contains("replaying"), fraction),
            other => panic!("{other:?}"),
        });
        let told = [(true, 0.3), (true, 0.5), (false, 0.1), (false, 0.5), (true, 0.6)];
        assert_eq!(said, told.map(|(words, at)| (words, Some(at))));
        assert_eq!(memory.progress(workload(), workload()), workload());
    }

    #[test]
    fn only_a_pod_of_the_newest_template_that_falls_meanwhile_is_hopeless() {
        let mut memory = Memory::default();
        assert_eq!([3, 3, 4].map(|restarts| memory.fell(&pod(restarts))), [false, false, true]);
        let set = |seen: i64, revision: &str| {
            json!({"metadata": {"generation": 4}, "status":
                {"observedGeneration": seen, "updateRevision": revision}})
        };
        let rolls = |kind: &str| json!({"spec": {"strategy": {"type": kind}}});
        let new = |workload: Value| is_new(&workload, &pod(1));
        assert!(new(set(4, "r2")) && new(rolls("Recreate")));
        assert!(!new(set(4, "r1")) && !new(set(3, "r2")) && !new(rolls("RollingUpdate")));
    }
}
