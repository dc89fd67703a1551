//! Which containers were killed for memory, at which limit, how long ago.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::model::Snapshot;
use crate::model::object::ObjectExt;
use crate::model::quantity::parse_bytes;
use crate::subject::Subject;
use crate::subject::pod::{self, ContainerState, Ended};

/// A kill this old on a pod that is Ready is worth a warning, no more.
const STALE: SignedDuration = SignedDuration::from_mins(60);

/// One container that the kernel killed for memory.
#[derive(Clone, Debug)]
pub struct Kill<'a> {
    pub pod: &'a Value,
    pub state: ContainerState,
    pub ended: Ended,
    /// The limit that was in force, where there was one.
    pub limit: Option<Limit>,
    pub of_prometheus: bool,
}

/// A memory limit as it stands on a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub bytes: u64,
    pub text: String,
    /// Set for the pod as a whole (pod-level resources, beta in Kubernetes 1.34).
    pub of_pod: bool,
}

/// All kills of the subject's pods, of Prometheus first.
pub fn all(subject: &Subject) -> Vec<Kill<'_>> {
    let mut kills: Vec<Kill<'_>> = counted(subject)
        .flat_map(|pod| {
            pod::containers(pod).into_iter().filter_map(|state| {
                let ended = state.latest_end()?.clone();
                (ended.reason == "OOMKilled").then(|| Kill {
                    pod,
                    limit: limit(pod, &state.name),
                    of_prometheus: state.name == subject.container,
                    ended,
                    state,
                })
            })
        })
        .collect();
    kills.sort_by_key(|k| !k.of_prometheus);
    kills
}

impl Kill<'_> {
    /// Whether the kill still matters: it is recent, or the container has not run since.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let recent = self.ended.finished.is_none_or(|at| now.duration_since(at) < STALE);
        recent || !matches!(self.state.doing, pod::Doing::Running { .. })
    }
}

/// Pods of the subject that count. What has ended for good beside enough that serve was left
/// lying by a ReplicaSet, and is nobody's trouble.
fn counted(subject: &Subject) -> impl Iterator<Item = &Value> {
    let enough = subject.serving().count() >= usize::try_from(subject.wanted).unwrap_or(0);
    subject
        .pods
        .iter()
        .filter(move |p| !(enough && matches!(p.text("/status/phase"), "Failed" | "Succeeded")))
}

/// The memory limit that binds a container of a pod: the smaller of its own and its pod's.
pub fn limit(pod: &Value, container: &str) -> Option<Limit> {
    let own = ["/spec/containers", "/spec/initContainers"]
        .iter()
        .flat_map(|list| pod.list(list))
        .find(|c| c.text("/name") == container)
        .and_then(|c| read(c, "/resources/limits/memory", false));
    let whole = read(pod, "/spec/resources/limits/memory", true);
    match (own, whole) {
        (Some(a), Some(b)) => Some(if b.bytes < a.bytes { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn read(object: &Value, pointer: &str, of_pod: bool) -> Option<Limit> {
    let text = quantity_text(object.pointer(pointer)?)?;
    Some(Limit { bytes: parse_bytes(&text)?, text, of_pod })
}

/// A quantity is text, but a custom resource may hold a bare number.
pub fn quantity_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A pod that the kubelet evicted for memory: its own message.
pub fn evicted<'a>(subject: &'a Subject, seen: &'a Snapshot) -> Vec<(&'a Value, String)> {
    let mut out: Vec<(&Value, String)> = counted(subject)
        .filter(|p| p.text("/status/reason") == "Evicted" && of_memory(p.text("/status/message")))
        .map(|p| (p, p.text("/status/message").to_owned()))
        .collect();
    for pod in counted(subject) {
        let event = seen.items(crate::model::Kind::Event, subject.namespace()).find(|e| {
            e.text("/reason") == "Evicted"
                && e.text("/involvedObject/uid") == pod.uid()
                && of_memory(e.text("/message"))
        });
        if let Some(event) = event
            && !out.iter().any(|(p, _)| p.name() == pod.name())
        {
            out.push((pod, event.text("/message").to_owned()));
        }
    }
    out
}

/// The kubelet's text: `The node was low on resource: memory. Threshold quantity: …`
/// (kubernetes `pkg/kubelet/eviction/helpers.go`, v1.34).
fn of_memory(message: &str) -> bool {
    message.contains("low on resource: memory") || message.contains("low on resource: [Memory")
}
