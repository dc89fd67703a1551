//! A pod without a node, without its volumes, or whose node fell silent.

use jiff::Timestamp;

use super::super::needs::silent_node;
use super::Case;
use crate::model::fact::Got;
use crate::model::log::events;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Severity};
use crate::subject::pod::{self, Doing};

pub fn check(case: &Case<'_>) -> Option<Finding> {
    if case.runs.ready {
        return None;
    }
    unschedulable(case)
        .or_else(|| node_lost(case))
        .or_else(|| volume_stuck(case))
        .or_else(|| evicted_for_disk(case))
}

fn unschedulable(case: &Case<'_>) -> Option<Finding> {
    let condition = pod::condition(case.pod, "PodScheduled")?;
    if condition.text("/status") != "False" || !case.pod.text("/spec/nodeName").is_empty() {
        return None;
    }
    let message = condition.text("/message");
    let claim = message.contains("unbound immediate PersistentVolumeClaims")
        || (message.contains("persistentvolumeclaim ") && message.contains("not found"));
    let (code, says) = if claim {
        (Code("other/volume-stuck"), "waits for a claim that has no volume".to_owned())
    } else {
        let lacks = ["memory", "cpu", "ephemeral-storage"]
            .into_iter()
            .filter(|what| message.contains(&format!("Insufficient {what}")))
            .collect::<Vec<_>>();
        let says = match lacks.as_slice() {
            [] => "fits no node".to_owned(),
            some => format!("fits no node: not enough {}", some.join(" and ")),
        };
        (Code("other/unschedulable"), says)
    };
    let text: String = message.chars().take(300).collect();
    Some(case.stops(code, says).with("PodScheduled", text))
}

fn node_lost(case: &Case<'_>) -> Option<Finding> {
    let code = Code("other/node-lost");
    let says = "is on a node that no longer reports";
    if case.pod.text("/status/reason") == "NodeLost" {
        return Some(case.stops(code, says).with("status.reason", "NodeLost"));
    }
    let node = silent_node(case.pod)?;
    if let Got::Absent = case.seen.object(&node) {
        return Some(case.stops(code, says).with("node", format!("{} does not exist", node.name)));
    }
    if let Some(found) = case.seen.object(&node).known()
        && let Some(ready) = pod::condition(found, "Ready")
        && ready.text("/status") != "True"
    {
        let text = format!("{}: {}", node.name, ready.text("/message"));
        return Some(case.stops(code, says).with("node, Ready condition", text));
    }
    let notes = events::of(case.seen, case.object, case.pod.uid());
    let note = notes.into_iter().find(|n| n.reason == "NodeNotReady")?;
    // A node that came back has been read as ready above.
    let known = case.seen.object(&node).known().is_some();
    (!known).then(|| case.stops(code, says).with("event", note.quote()))
}

fn volume_stuck(case: &Case<'_>) -> Option<Finding> {
    let containers = pod::containers(case.pod);
    let waits = containers.iter().any(|c| match &c.doing {
        Doing::Waiting { reason, .. } => {
            reason == "ContainerCreating" || reason == "PodInitializing"
        }
        Doing::Unreported => true,
        Doing::Running { .. } | Doing::Ended(_) => false,
    });
    if !waits {
        return None;
    }
    let notes = events::of(case.seen, case.object, case.pod.uid());
    let own = |n: &&events::Note| n.reason == "FailedMount" || n.reason == "FailedAttachVolume";
    // The message that names the cause, before the one that only says that time ran out.
    let stuck: Vec<_> = notes.iter().filter(own).collect();
    let timeout = |n: &&&events::Note| n.message.starts_with("Unable to attach or mount");
    let note = stuck.iter().find(|n| !timeout(n)).or_else(|| stuck.first())?;
    if is_mounted(case, &containers, &notes, stuck.first().and_then(|n| n.at)) {
        return None;
    }
    let says = if note.message.contains("Multi-Attach") {
        "waits for a volume that another node still holds"
    } else {
        "waits for a volume that cannot be mounted"
    };
    Some(case.stops(Code("other/volume-stuck"), says).with("event", note.quote()))
}

/// Whether the volumes are there by now: their sandbox, and so any container, and any image that is
/// pulled for one, come after them (kubernetes pkg/kubelet/kubelet.go, SyncPod). What ended may have
/// done so before its node was started again.
fn is_mounted(
    case: &Case<'_>,
    containers: &[pod::ContainerState],
    notes: &[events::Note],
    failed: Option<Timestamp>,
) -> bool {
    let runs = containers.iter().any(|c| matches!(c.doing, Doing::Running { .. }));
    let sandbox = pod::condition(case.pod, "PodReadyToStartContainers");
    let later = |n: &events::Note| {
        matches!(&*n.reason, "Pulling" | "Pulled" | "Created" | "Started")
            && n.at.zip(failed).is_some_and(|(at, failed)| at >= failed)
    };
    runs || sandbox.is_some_and(|c| c.text("/status") == "True") || notes.iter().any(later)
}

/// Evicted for the node's disk. For memory it is no business of this class.
fn evicted_for_disk(case: &Case<'_>) -> Option<Finding> {
    let message = case.pod.text("/status/message");
    let disk =
        ["ephemeral-storage", "ephemeral local storage", "emptyDir", "DiskPressure", "inodes"];
    let own =
        case.pod.text("/status/reason") == "Evicted" && disk.iter().any(|d| message.contains(d));
    own.then(|| {
        let says = "was evicted: local storage of the node ran out";
        let text: String = message.chars().take(300).collect();
        let finding = case.stops(Code("disk/full"), says).with("status.message", text);
        // An evicted pod stays listed after its replacement serves.
        let serving = case.subject.serving().count() as u64;
        if serving < u64::from(case.subject.wanted) {
            return finding;
        }
        Finding { severity: Severity::Warn, stops: Vec::new(), ..finding }
    })
}
