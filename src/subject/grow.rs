//! The line that makes a claim larger, and what has to say so too, so that it lasts. A set's
//! volumeClaimTemplates cannot be changed (kubernetes `pkg/apis/apps/validation`, v1.34), and
//! prometheus-operator deletes and makes a set anew where its resource asks for others: paused,
//! with the set deleted by itself, the pods go on (its Documentation/platform/storage.md).

use serde_json::{Value, json};

use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::quantity::{parse_bytes, write_bytes};
use crate::model::{Kind, Need, ObjectRef, Snapshot};

use super::{Install, Subject, manager};

const ASKED: &str = "/spec/resources/requests/storage";

/// How large it is, and whether it may grow.
pub fn needs(seen: &Snapshot, claim: ObjectRef) -> Vec<Need> {
    let class = seen.object(&claim).known().map(|found| found.text("/spec/storageClassName"));
    let class = class.filter(|name| !name.is_empty());
    let class = class.map(|name| Need::object(Kind::StorageClass, "", name));
    class.into_iter().chain([Need::Object(claim)]).collect()
}

/// Lines and words for a claim that has no room.
pub fn ways(subject: &Subject, seen: &Snapshot, claim: &ObjectRef) -> Vec<String> {
    let unknown =
        |why: &str| vec![format!("whether {} may grow could not be read: {why}", claim.short())];
    let found = match seen.object(claim) {
        Got::Known(found) => found,
        Got::Absent => return unknown("it is not there"),
        Got::Unreadable(why) => return unknown(why),
        Got::NotAsked => return unknown("not read"),
    };
    let asked = found.text(ASKED);
    let Some(bytes) = parse_bytes(asked) else { return unknown("it asks for no size") };
    if let Some(under_way) = under_way(claim, found, bytes) {
        return vec![under_way];
    }
    let class = found.text("/spec/storageClassName");
    let name = claim.short();
    let cannot = |why: &str| vec![format!("{name} of {asked} cannot grow: {why}")];
    if class.is_empty() {
        return cannot("it is of no StorageClass");
    }
    match seen.object(&ObjectRef::new(Kind::StorageClass, "", class)) {
        Got::Known(of) if of.is_true("/allowVolumeExpansion") => {
            let size = write_bytes(bytes.saturating_mul(2));
            let mut all = vec![merge(claim, &json!({"spec": {"resources": requests(&size)}}))];
            all.extend(lasts(subject, found, asked, &size));
            all
        }
        Got::Known(_) => {
            cannot(&format!("StorageClass {class} does not allow it (allowVolumeExpansion)"))
        }
        Got::Absent => cannot(&format!("its StorageClass {class} is not there")),
        Got::Unreadable(why) => unknown(&format!("StorageClass {class}: {why}")),
        Got::NotAsked => unknown(&format!("StorageClass {class}: not read")),
    }
}

fn requests(size: &str) -> Value {
    json!({"requests": {"storage": size}})
}

/// A line to copy.
fn merge(object: &ObjectRef, patch: &Value) -> String {
    format!("kubectl patch {} -n {} --type=merge -p '{patch}'", object.short(), object.namespace)
}

/// It asks for more than it has: a further patch would not make it quicker.
fn under_way(claim: &ObjectRef, found: &Value, asked: u64) -> Option<String> {
    let has = found.text("/status/capacity/storage");
    let fewer = parse_bytes(has).is_some_and(|bytes| bytes < asked);
    fewer.then(|| {
        let said = found.list("/status/conditions").iter().map(|c| c.text("/type"));
        let said: Vec<&str> = said.filter(|said| !said.is_empty()).collect();
        let state = if said.is_empty() { "no progress told".into() } else { said.join(", ") };
        format!(
            "{} asks for {} already and has {has} ({state}): see  kubectl describe {} -n {}",
            claim.short(),
            found.text(ASKED),
            claim.short(),
            claim.namespace
        )
    })
}

/// What asks for the old size still, and how it is told the new one.
fn lasts(subject: &Subject, claim: &Value, asked: &str, size: &str) -> Vec<String> {
    let root = subject.root.short();
    if subject.root.kind.is_operator_resource() {
        return of_resource(subject, asked, size);
    }
    let of_set = subject.root.kind == Kind::StatefulSet
        && !subject.root_object.list("/spec/volumeClaimTemplates").is_empty();
    if of_set {
        let (namespace, values) = (subject.namespace(), values(subject, &subject.root_object));
        let kept =
            subject.root_object.text("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted");
        let immutable = format!(
            "{root} asks for {asked} for each new replica still, and its volumeClaimTemplates cannot \
             be changed"
        );
        if kept == "Delete" {
            return vec![format!("{immutable}; do not delete it, its claims would go with it")];
        }
        return vec![
            format!(
                "{immutable}: delete it alone, its pods go on, and make it again with {size}{values}"
            ),
            format!("kubectl delete {root} -n {namespace} --cascade=orphan"),
        ];
    }
    let values = values(subject, claim);
    if values.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "what wrote the claim asks for {asked} still, which would be refused, since a claim does not \
         shrink: set {size} there{values}"
    )]
}

fn of_resource(subject: &Subject, asked: &str, size: &str) -> Vec<String> {
    const TEMPLATE: &str = "/spec/storage/volumeClaimTemplate/spec/resources/requests/storage";
    let (root, object) = (&subject.root, &subject.root_object);
    if object.pointer(TEMPLATE).is_none() {
        return Vec::new();
    }
    let storage = json!({"volumeClaimTemplate": {"spec": {"resources": requests(size)}}});
    let mut all = vec![
        format!(
            "{} asks for {asked} for each new replica still. Its operator would delete and make the \
             set anew; paused, and with the set deleted alone, the pods go on{}",
            root.short(),
            values(subject, object)
        ),
        merge(root, &json!({"spec": {"paused": true, "storage": storage}})),
    ];
    let sets = subject.workloads.iter().filter(|w| w.text("/kind") == "StatefulSet");
    all.extend(sets.map(|set| {
        format!("kubectl delete sts/{} -n {} --cascade=orphan", set.name(), set.namespace())
    }));
    all.push(merge(root, &json!({"spec": {"paused": false}})));
    all
}

/// Where the same has to be said for whoever writes the object.
fn values(subject: &Subject, object: &Value) -> String {
    let by: Vec<String> = manager::markers(object).iter().map(manager::Manager::says).collect();
    if by.is_empty() {
        return String::new();
    }
    let path = match subject.install {
        Install::KubePrometheusStack | Install::Rancher => {
            " (prometheus.prometheusSpec.storageSpec.volumeClaimTemplate.spec.resources.requests.storage)"
        }
        Install::HelmPrometheus => " (server.persistentVolume.size)",
        _ => "",
    };
    format!("; the same in what {} renders{path}", by.join(" and "))
}
