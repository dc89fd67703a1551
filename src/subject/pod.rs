//! Reading a pod's status: readiness, container states, how the last one ended. The kubelet's own
//! words are kept; nothing is concluded from them here.

use jiff::Timestamp;
use serde_json::Value;

use crate::model::object::ObjectExt;
use crate::model::{Kind, ObjectRef};

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub exit_code: i64,
    /// `OOMKilled`, `Error`, `Completed`, `ContainerCannotRun`, …
    pub reason: String,
    pub message: String,
    pub signal: Option<i64>,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
}

/// What one container of a pod is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    Running {
        since: Option<Timestamp>,
    },
    /// `CrashLoopBackOff`, `ImagePullBackOff`, `CreateContainerConfigError`, `ContainerCreating`, …
    Waiting {
        reason: String,
        message: String,
    },
    Ended(Ended),
    /// The kubelet has not reported it.
    Unreported,
}

/// One container's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerState {
    pub name: String,
    pub ready: bool,
    pub restarts: u32,
    pub image: String,
    pub doing: Doing,
    /// How it ended last, before what it is doing now.
    pub last: Option<Ended>,
}

impl ContainerState {
    /// The most recent end: the present state where that is one, else the last.
    pub fn latest_end(&self) -> Option<&Ended> {
        match &self.doing {
            Doing::Ended(ended) => Some(ended),
            Doing::Running { .. } | Doing::Waiting { .. } | Doing::Unreported => self.last.as_ref(),
        }
    }
}

pub fn reference(pod: &Value) -> ObjectRef {
    ObjectRef::new(Kind::Pod, pod.namespace(), pod.name())
}

/// The kubelet's condition `Ready`, unless the pod is being deleted.
pub fn is_ready(pod: &Value) -> bool {
    !is_terminating(pod) && condition(pod, "Ready").is_some_and(|c| c.text("/status") == "True")
}

pub fn is_terminating(pod: &Value) -> bool {
    pod.pointer("/metadata/deletionTimestamp").is_some()
}

/// A condition by its type.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object.list("/status/conditions").iter().find(|c| c.text("/type") == kind)
}

/// All containers of the pod's spec with their states, init containers first.
pub fn containers(pod: &Value) -> Vec<ContainerState> {
    let groups = [
        ("/spec/initContainers", "/status/initContainerStatuses"),
        ("/spec/containers", "/status/containerStatuses"),
    ];
    let mut out = Vec::new();
    for (spec, status) in groups {
        for container in pod.list(spec) {
            let name = container.text("/name");
            let found = pod.list(status).iter().find(|s| s.text("/name") == name);
            out.push(match found {
                Some(status) => state_of(status),
                None => ContainerState {
                    name: name.into(),
                    ready: false,
                    restarts: 0,
                    image: container.text("/image").into(),
                    doing: Doing::Unreported,
                    last: None,
                },
            });
        }
    }
    out
}

/// The state of one container.
pub fn container(pod: &Value, name: &str) -> Option<ContainerState> {
    containers(pod).into_iter().find(|c| c.name == name)
}

fn state_of(status: &Value) -> ContainerState {
    let doing = if let Some(running) = status.pointer("/state/running") {
        Doing::Running { since: time(running, "/startedAt") }
    } else if let Some(waiting) = status.pointer("/state/waiting") {
        Doing::Waiting {
            reason: waiting.text("/reason").into(),
            message: waiting.text("/message").into(),
        }
    } else if let Some(ended) = status.pointer("/state/terminated") {
        Doing::Ended(ended_of(ended))
    } else {
        Doing::Unreported
    };
    ContainerState {
        name: status.text("/name").into(),
        ready: status.is_true("/ready"),
        restarts: status.number("/restartCount").and_then(|n| n.try_into().ok()).unwrap_or(0),
        image: status.text("/image").into(),
        doing,
        last: status.pointer("/lastState/terminated").map(ended_of),
    }
}

fn ended_of(ended: &Value) -> Ended {
    Ended {
        exit_code: ended.number("/exitCode").unwrap_or(-1),
        reason: ended.text("/reason").into(),
        message: ended.text("/message").into(),
        signal: ended.number("/signal"),
        started: time(ended, "/startedAt"),
        finished: time(ended, "/finishedAt"),
    }
}

/// A time field.
pub fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    object.text(pointer).parse().ok()
}
