//! How to keep a pod from starting, by hand: its name is held by a finalizer while it is deleted,
//! so that its StatefulSet makes no other. Nothing else of the set changes.

use serde_json::{Value, json};

use super::danger::When;
use crate::model::log::place;
use crate::model::object::ObjectExt;
use crate::subject::{Subject, pod};

const HOLD: &str = "prom-fix.github.io/hold";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    pub stop: Vec<Vec<String>>,
    pub thaw: Vec<Vec<String>>,
    /// What must be said where no command is safe; follows what the start deletes.
    pub warns: &'static str,
}

pub fn of(subject: &Subject, pod: &Value, when: When) -> Hold {
    if dies_with_pod(subject, pod) {
        return Hold {
            warns: "; deleting the pod deletes its whole volume, so copy it from the node",
            ..Hold::default()
        };
    }
    let owner = pod.controller();
    match owner.as_ref().map(|owner| owner.kind.as_str()) {
        Some("StatefulSet") => by_name(pod, when),
        Some("ReplicaSet") => by_scale(subject, owner.as_ref().map_or("", |owner| &owner.name)),
        Some(_) | None => Hold::default(),
    }
}

/// Whether the data is gone with the pod.
fn dies_with_pod(subject: &Subject, pod: &Value) -> bool {
    let dir = subject.flags.data_dir(subject.agent);
    let place = place(pod, &subject.container, &dir);
    let own = ["/emptyDir", "/ephemeral"];
    place.volume.is_none_or(|volume| own.iter().any(|kind| volume.pointer(kind).is_some()))
}

fn by_name(pod: &Value, when: When) -> Hold {
    let object = pod::reference(pod).short();
    let same = json!({"op": "test", "path": "/metadata/uid", "value": pod.uid()});
    let there = pod.list("/metadata/finalizers").len();
    let add = if there == 0 {
        // Absence is tested too: `add` would replace what came in between.
        vec![
            json!({"op": "test", "path": "/metadata/finalizers", "value": null}),
            json!({"op": "add", "path": "/metadata/finalizers", "value": [HOLD]}),
        ]
    } else {
        vec![json!({"op": "add", "path": "/metadata/finalizers/-", "value": HOLD})]
    };
    let at = format!("/metadata/finalizers/{there}");
    let remove =
        vec![json!({"op": "test", "path": at, "value": HOLD}), json!({"op": "remove", "path": at})];
    let patch = |ops: Vec<Value>| {
        let ops = Value::Array([vec![same.clone()], ops].concat()).to_string();
        words(&["patch", &object, "--type=json", "-p", &ops])
    };
    let mut delete = words(&["delete", &object, "--wait=false"]);
    // A replay does not heed SIGTERM: within the pod's own grace it would come to the damage.
    if when == When::UnderWay {
        delete.push("--grace-period=1".into());
    }
    Hold { stop: vec![patch(add), delete], thaw: vec![patch(remove)], warns: "" }
}

/// A Deployment replaces a held pod, whatever its name, so it is scaled.
fn by_scale(subject: &Subject, replica_set: &str) -> Hold {
    let own = |w: &&Value| {
        let rest = replica_set.strip_prefix(w.name());
        w.text("/kind") == "Deployment" && rest.is_some_and(|rest| rest.starts_with('-'))
    };
    let Some(workload) = subject.workloads.iter().filter(own).max_by_key(|w| w.name().len()) else {
        return Hold::default();
    };
    let object = format!("deploy/{}", workload.name());
    let scale = |count: i64| words(&["scale", &object, &format!("--replicas={count}")]);
    let count = workload.number("/spec/replicas").unwrap_or(1);
    Hold { stop: vec![scale(0)], thaw: vec![scale(count)], warns: "" }
}

fn words(of: &[&str]) -> Vec<String> {
    ["kubectl"].iter().chain(of).map(|word| (*word).to_owned()).collect()
}
