//! What can be told without a refusal: data beside the volume, blocks that cannot be read.

use serde_json::Value;

use super::{OWNER, PATH};
use crate::model::log::{Runs, place};
use crate::model::object::ObjectExt;
use crate::model::{Finding, Severity};
use crate::subject::{Subject, pod};

pub fn check(subject: &Subject, pod: &Value, runs: &Runs) -> Vec<Finding> {
    beside_volume(subject, pod).into_iter().chain(unreadable_block(pod, runs)).collect()
}

/// A claim is mounted, and the data lies elsewhere: gone with the container.
fn beside_volume(subject: &Subject, pod: &Value) -> Option<Finding> {
    let dir = subject.flags.data_dir(subject.agent);
    if place(pod, &subject.container, &dir).mount.is_some() {
        return None;
    }
    let own = pod.list("/spec/containers").iter().find(|c| c.text("/name") == subject.container)?;
    let claims = |name: &str| {
        let mut volumes = pod.list("/spec/volumes").iter();
        volumes.any(|v| v.text("/name") == name && v.get("persistentVolumeClaim").is_some())
    };
    own.list("/volumeMounts").iter().find(|m| claims(m.text("/name")))?;
    let says = "stores beside its volume: what it collects is gone with the container";
    let finding = Finding::new(PATH, &pod::reference(pod), Severity::Warn, says);
    Some(finding.with("data directory", dir).with("mounts", mounts(pod, subject)))
}

/// Prometheus leaves out a block it may not read, and becomes ready.
fn unreadable_block(pod: &Value, runs: &Runs) -> Option<Finding> {
    let said = runs.now.iter().chain(&runs.dead).flatten();
    let own = |l: &&crate::model::log::Line| {
        l.has("Failed to read meta.json for a block") && l.err().contains("permission denied")
    };
    let line = said.into_iter().find(own)?;
    let says = "leaves out a block it may not read; its history is not served";
    let finding = Finding::new(OWNER, &pod::reference(pod), Severity::Warn, says);
    Some(finding.with("log", line.quote()))
}

/// `/prometheus (volume data), /etc/config (volume config)`.
pub fn mounts(pod: &Value, subject: &Subject) -> String {
    let own = pod.list("/spec/containers").iter().find(|c| c.text("/name") == subject.container);
    let mounts = own.map_or(&[] as &[Value], |c| c.list("/volumeMounts"));
    let all: Vec<String> = mounts
        .iter()
        .map(|m| format!("{} (volume {})", m.text("/mountPath"), m.text("/name")))
        .collect();
    if all.is_empty() { "none".into() } else { all.join(", ") }
}
