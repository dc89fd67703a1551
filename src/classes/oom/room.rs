//! Is there a node with room for the new request, beside what others have asked for there?

use serde_json::Value;

use super::preflight::{bytes, no_room, unread};
use crate::model::finding::Unknown;
use crate::model::object::{Kind, ObjectExt};
use crate::model::plan::Blocked;
use crate::model::quantity::show_bytes;
use crate::model::{Got, Need, Snapshot};
use crate::subject::Subject;

/// A cluster of so few nodes is looked at whole; of a larger one only where the pods are now.
const FEW: usize = 3;

const WAYS: &[&str] = &[
    "add a node that is large enough, or free one",
    "drop the series that fill the head:  kubectl prom-fix explain oom/cardinality",
    "--memory LIMIT,REQUEST  with a smaller request",
];

/// Nodes whose pods must be counted.
pub fn needs(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let Got::Known(nodes) = seen.list(Kind::Node, "") else { return Vec::new() };
    looked_at(subject, nodes)
        .into_iter()
        .map(|node| Need::PodsOn { node: node.name().to_owned() })
        .collect()
}

fn usable<'a>(subject: &Subject, nodes: &'a [Value]) -> Vec<&'a Value> {
    let selector = subject.pod_spec().pointer("/nodeSelector");
    nodes.iter().filter(|n| !n.is_true("/spec/unschedulable") && selected(n, selector)).collect()
}

fn selected(node: &Value, selector: Option<&Value>) -> bool {
    let Some(wanted) = selector.and_then(Value::as_object) else { return true };
    wanted.iter().all(|(key, value)| node.label(key) == value.as_str())
}

fn looked_at<'a>(subject: &Subject, nodes: &'a [Value]) -> Vec<&'a Value> {
    let usable = usable(subject, nodes);
    if usable.len() <= FEW {
        return usable;
    }
    let mine: Vec<&str> = subject.pods.iter().map(|p| p.text("/spec/nodeName")).collect();
    usable.into_iter().filter(|n| mine.contains(&n.name())).take(FEW).collect()
}

/// Blocked where no usable node could hold the pod even when empty, or where all usable nodes were
/// counted and none has room; a doubt where that could not be told.
pub fn check(
    subject: &Subject,
    seen: &Snapshot,
    needed: u64,
    unknown: &mut Vec<Unknown>,
) -> Result<(), Blocked> {
    let says = format!("room for {} on a node", show_bytes(needed));
    let nodes = match seen.list(Kind::Node, "") {
        Got::Known(nodes) => nodes,
        Got::Unreadable(why) => {
            unknown.push(unread("nodes", why, says));
            return Ok(());
        }
        Got::Absent | Got::NotAsked => return Ok(()),
    };
    let usable = usable(subject, nodes);
    let whole = |node: &&Value| bytes(node, "/status/allocatable/memory");
    let Some(largest) = usable.iter().max_by_key(|n| whole(n)) else {
        return Err(no_room("no schedulable node matches the pod's nodeSelector".into(), WAYS));
    };
    if whole(largest).is_some_and(|most| most < needed) {
        return Err(no_room(
            format!(
                "the pod would ask for {}, and the largest node it may use, {}, has {} in all",
                show_bytes(needed),
                largest.name(),
                show_bytes(whole(largest).unwrap_or(0))
            ),
            WAYS,
        ));
    }
    let counted = looked_at(subject, nodes);
    let best = match most_free(subject, seen, &counted) {
        Ok(best) => best,
        Err(why) => {
            unknown.push(unread("pods of all namespaces", why, says));
            return Ok(());
        }
    };
    match best {
        Some((free, _)) if free >= needed => Ok(()),
        Some((free, name)) if counted.len() == usable.len() => Err(no_room(
            format!(
                "the pod would ask for {}, and the most that a node has left is {} on {name}",
                show_bytes(needed),
                show_bytes(free)
            ),
            WAYS,
        )),
        Some((free, name)) => {
            let why = format!("{name} has {} left; other nodes were not counted", show_bytes(free));
            unknown.push(Unknown {
                need: says,
                why,
                get: "kubectl describe nodes".into(),
                vital: false,
            });
            Ok(())
        }
        None => Ok(()),
    }
}

/// The most that one of the nodes has left, and which; why that could not be counted.
fn most_free<'a>(
    subject: &Subject,
    seen: &'a Snapshot,
    nodes: &[&'a Value],
) -> Result<Option<(u64, &'a str)>, &'a str> {
    let mut best = None;
    for node in nodes {
        let pods = match seen.pods_on(node.name()) {
            Got::Known(pods) => pods,
            Got::Unreadable(why) => return Err(why),
            Got::Absent | Got::NotAsked => return Err("not read"),
        };
        let used: u64 = pods.iter().filter(|p| !is_ours(subject, p)).map(asks).sum();
        let whole = bytes(node, "/status/allocatable/memory").unwrap_or(0);
        best = best.max(Some((whole.saturating_sub(used), node.name())));
    }
    Ok(best)
}

/// A pod that the plan replaces gives back what it asked for.
fn is_ours(subject: &Subject, pod: &Value) -> bool {
    subject.pods.iter().any(|p| p.uid() == pod.uid())
}

/// What a pod asks for: its own figure where it has one, else its containers' sum, or its largest
/// init container (the scheduler's rule).
fn asks(pod: &Value) -> u64 {
    if matches!(pod.text("/status/phase"), "Succeeded" | "Failed") {
        return 0;
    }
    if let Some(whole) = bytes(pod, "/spec/resources/requests/memory") {
        return whole;
    }
    let of =
        |list: &str| pod.list(list).iter().filter_map(|c| bytes(c, "/resources/requests/memory"));
    let sum: u64 = of("/spec/containers").sum();
    sum.max(of("/spec/initContainers").max().unwrap_or(0))
}
