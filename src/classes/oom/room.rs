//! Is there a node with room for the new request, beside what others have asked for there?

use serde_json::Value;

use super::preflight::{bytes, unread};
use super::{inventory, kill, size};
use crate::model::finding::Unknown;
use crate::model::object::ObjectExt;
use crate::model::plan::Blocked;
use crate::model::quantity::{parse_bytes, round_up, show_bytes};
use crate::model::{Got, Need, Snapshot};
use crate::subject::{Subject, pod};

/// A cluster of so few nodes is looked at whole; of a larger one only where the pods are now.
const FEW: usize = 3;

/// At most so many nodes are named to be left out of one question about several.
const LEFT_OUT: usize = 20;

const WAYS: &[&str] = &[
    "add a node that is large enough, or free one",
    "drop the series that fill the head:  kubectl prom-fix explain oom/cardinality",
    "--memory LIMIT,REQUEST  with a smaller request",
];

/// Of a server whose log was counted, what loses least first: it has to be loaded before anything else
/// helps, so that to drop series is no way.
const BEFORE_ALL: &str = "add a node that is large enough, or free one, if only for this start: \
                          nothing is lost";
const AFTER_ALL: [&str; 3] = [
    "--memory LIMIT,REQUEST  with a smaller request: nothing is lost while its node has the rest",
    "relabel rules keep out what is scraped later; what is in the WAL is loaded all the same",
    "last, with Prometheus stopped: move wal, wbl, chunks_head and chunk_snapshot.* aside together: \
     what is in no block yet is lost, two to three hours. Never wal alone: old samples would be \
     read as those of other series",
];

fn ways(subject: &Subject, seen: &Snapshot) -> Vec<String> {
    let Some(counted) = inventory::counted(subject, seen) else {
        return WAYS.iter().map(|way| (*way).to_owned()).collect();
    };
    let limit = round_up(inventory::at_ready(subject, &counted));
    let killed = kill::all(subject).into_iter().find(|k| k.of_prometheus);
    let killed = killed.and_then(|k| k.limit).map(|limit| limit.bytes);
    let replay = format!(
        "--memory {limit}  what the replay alone takes: nothing is lost, and it may be killed by \
         what comes on top of it"
    );
    let replay = Some(replay).filter(|_| parse_bytes(&limit) > killed);
    let rest = AFTER_ALL.iter().map(|way| (*way).to_owned());
    std::iter::once(BEFORE_ALL.to_owned()).chain(replay).chain(rest).collect()
}

fn no_room(why: impl Into<String>, ways: Vec<String>) -> Blocked {
    Blocked { ways, ..Blocked::no_safe_plan(why, &[]) }
}

/// All nodes, with the labels by which the pods choose among them.
pub fn nodes(subject: &Subject) -> Need {
    Need::Nodes { labels: chosen_by(subject) }
}

fn chosen_by(subject: &Subject) -> Vec<String> {
    let selector = subject.pod_spec().pointer("/nodeSelector").and_then(Value::as_object);
    selector.into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

/// Nodes whose pods must be counted: first those of the pods that are down, whose names are known
/// without a look at the nodes; others only where there is no room.
pub fn needs(subject: &Subject, seen: &Snapshot, given: Option<&str>) -> Vec<Need> {
    let on = |name: &str| Need::PodsOn { node: name.to_owned() };
    let down = subject.pods.iter().filter(|p| !pod::is_ready(p));
    let mut first: Vec<&str> =
        down.map(|p| p.text("/spec/nodeName")).filter(|n| !n.is_empty()).collect();
    first.sort_unstable();
    first.dedup();
    first.truncate(FEW);
    let nodes = match seen.nodes(&chosen_by(subject)) {
        Got::Known(nodes) => nodes,
        Got::NotAsked => return first.into_iter().map(on).collect(),
        Got::Absent | Got::Unreadable(_) => return Vec::new(),
    };
    let all = looked_at(subject, nodes);
    first.retain(|name| all.iter().any(|node| node.name() == *name));
    let most = most_asked(subject, seen, given);
    let has_room = |node: &&Value| {
        let free = free(subject, seen, node).known();
        free.zip(most).is_some_and(|(free, most)| free >= most)
    };
    let waits = first.iter().any(|n| seen.pods_on(n).is_none());
    if !first.is_empty() && (waits || all.iter().any(has_room)) {
        return first.into_iter().map(on).collect();
    }
    let rest: Vec<&str> =
        all.iter().map(|node| node.name()).filter(|name| !first.contains(name)).collect();
    let mut others: Vec<String> = nodes
        .iter()
        .map(ObjectExt::name)
        .filter(|n| !rest.contains(n))
        .map(str::to_owned)
        .collect();
    others.sort_unstable();
    let first = first.into_iter().map(on);
    if rest.len() > 1 && others.len() <= LEFT_OUT {
        return first.chain([Need::PodsBut { nodes: others }]).collect();
    }
    first.chain(rest.into_iter().map(on)).collect()
}

/// At most so much will the pod ask for: the whole of its new limit, beside its other containers.
fn most_asked(subject: &Subject, seen: &Snapshot, given: Option<&str>) -> Option<u64> {
    let killed = kill::all(subject).into_iter().find(|k| k.of_prometheus)?;
    let limit = killed.limit.map(|l| l.bytes);
    let given = given.map(|g| parse_bytes(g.split(',').next().unwrap_or(g).trim()));
    let computed =
        || size::estimate(subject, seen, limit).and_then(|s| parse_bytes(&round_up(s.high)));
    let own = given.unwrap_or_else(computed)?;
    let rest = asks(killed.pod);
    Some(own.saturating_add(rest))
}

/// What a node has left beside the pods of others.
fn free<'a>(subject: &Subject, seen: &'a Snapshot, node: &Value) -> Free<'a> {
    match seen.pods_on(node.name()) {
        Some(Ok(pods)) => {
            let used: u64 = pods.into_iter().filter(|p| !is_ours(subject, p)).map(asks).sum();
            let whole = bytes(node, "/status/allocatable/memory").unwrap_or(0);
            Free::Known(whole.saturating_sub(used))
        }
        Some(Err(why)) => Free::Unreadable(why),
        None => Free::NotRead,
    }
}

enum Free<'a> {
    Known(u64),
    Unreadable(&'a str),
    NotRead,
}

impl Free<'_> {
    fn known(&self) -> Option<u64> {
        match self {
            Free::Known(bytes) => Some(*bytes),
            Free::Unreadable(_) | Free::NotRead => None,
        }
    }
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
    let size = show_bytes(needed);
    let says = format!("room for {size} on a node");
    let nodes = match seen.nodes(&chosen_by(subject)) {
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
        return Err(no_room(
            "no schedulable node matches the pod's nodeSelector",
            ways(subject, seen),
        ));
    };
    if whole(largest).is_some_and(|most| most < needed) {
        return Err(no_room(
            format!(
                "the pod would ask for {size}, and the largest node it may use, {}, has {} in all",
                largest.name(),
                show_bytes(whole(largest).unwrap_or(0))
            ),
            ways(subject, seen),
        ));
    }
    let counted = looked_at(subject, nodes);
    let (best, missing) = most_free(subject, seen, &counted);
    if best.is_some_and(|(free, _)| free >= needed) {
        return Ok(());
    }
    // One of those that were not counted may have it.
    if let Some(why) = missing {
        unknown.push(unread("pods of all namespaces", why, says));
        return Ok(());
    }
    match best {
        Some((free, name)) if counted.len() == usable.len() => Err(no_room(
            format!(
                "the pod would ask for {size}, and the most that a node has left is {} on {name}",
                show_bytes(free)
            ),
            ways(subject, seen),
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

/// The counted node with the most left, and why another was not counted.
fn most_free<'a>(
    subject: &Subject,
    seen: &'a Snapshot,
    nodes: &[&'a Value],
) -> (Option<(u64, &'a str)>, Option<&'a str>) {
    let mut best: Option<(u64, &str)> = None;
    let mut missing = None;
    for node in nodes {
        match free(subject, seen, node) {
            Free::Known(free) => best = best.max(Some((free, node.name()))),
            Free::Unreadable(why) => missing = Some(why),
            Free::NotRead => missing = missing.or(Some("not read")),
        }
    }
    (best, missing)
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
