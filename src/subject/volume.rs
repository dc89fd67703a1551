//! Where the data directory really is: mount, volume, claim.

use serde_json::Value;

use super::Subject;
use crate::model::object::ObjectExt;

/// The volume below the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// A claim by name; of a StatefulSet's template, the claim of each pod differs.
    Claim {
        volume: String,
        claim: String,
        sub_path: String,
        read_only: bool,
    },
    EmptyDir {
        volume: String,
        in_memory: bool,
    },
    HostPath {
        volume: String,
        path: String,
    },
    /// Another kind of volume, named.
    Other {
        volume: String,
        kind: String,
    },
    /// The data directory is on no volume: the container's own layer.
    None,
}

/// The store of one pod's data directory. Without the pod (`Null`) the store of the first pod that
/// the workload's template would make.
pub fn store(subject: &Subject, pod: &Value) -> Store {
    if pod.is_null() {
        return of_template(subject, subject.workloads.first().unwrap_or(&Value::Null), 0);
    }
    of_spec(subject, pod.get("spec").unwrap_or(&Value::Null), pod.name())
}

/// Names of the claims that hold data, of pods that are there and of pods that are wanted; sorted.
pub fn claims(subject: &Subject) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut note = |store: Store| {
        if let Store::Claim { claim, .. } = store {
            out.push(claim);
        }
    };
    for pod in &subject.pods {
        note(store(subject, pod));
    }
    for workload in &subject.workloads {
        let replicas = workload.number("/spec/replicas").unwrap_or(1);
        for ordinal in 0..replicas {
            note(of_template(subject, workload, ordinal));
        }
    }
    out.sort();
    out.dedup();
    out
}

/// The mount of the data directory in a pod's spec: the longest mount path above it.
pub fn mount<'a>(subject: &Subject, spec: &'a Value) -> Option<&'a Value> {
    let container =
        spec.list("/containers").iter().find(|c| c.text("/name") == subject.container)?;
    let flags = super::Flags::of(container);
    let data = flags.data_dir(subject.agent);
    let mounts = container.list("/volumeMounts").iter();
    mounts
        .filter(|mount| holds(mount.text("/mountPath"), &data))
        .max_by_key(|mount| mount.text("/mountPath").trim_end_matches('/').len())
}

/// Whether a directory is the mount's or below it.
fn holds(mount: &str, directory: &str) -> bool {
    let mount = mount.trim_end_matches('/');
    let rest = directory.strip_prefix(mount);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn of_spec(subject: &Subject, spec: &Value, pod: &str) -> Store {
    let Some(mount) = mount(subject, spec) else { return Store::None };
    let name = mount.text("/name");
    let Some(volume) = spec.list("/volumes").iter().find(|v| v.text("/name") == name) else {
        return Store::Other { volume: name.into(), kind: "not declared".into() };
    };
    let volume_name = name.to_owned();
    if let Some(claim) = volume.get("persistentVolumeClaim") {
        let read_only = claim.is_true("/readOnly");
        return claimed(mount, claim.text("/claimName").to_owned(), read_only);
    }
    if volume.get("ephemeral").is_some() {
        // k8s.io/kubernetes pkg/volume/ephemeral: the claim is named after pod and volume.
        return claimed(mount, format!("{pod}-{volume_name}"), false);
    }
    if let Some(empty) = volume.get("emptyDir") {
        let in_memory = empty.text("/medium") == "Memory";
        return Store::EmptyDir { volume: volume_name, in_memory };
    }
    if let Some(host) = volume.get("hostPath") {
        return Store::HostPath { volume: volume_name, path: host.text("/path").into() };
    }
    let kind = volume.as_object().and_then(|map| map.keys().find(|key| *key != "name"));
    Store::Other { volume: volume_name, kind: kind.cloned().unwrap_or_default() }
}

/// The folder of its volume that a mount shows; it may hold variables.
pub fn sub_path(mount: &Value) -> &str {
    match mount.text("/subPath") {
        "" => mount.text("/subPathExpr"),
        path => path,
    }
}

fn claimed(mount: &Value, claim: String, volume_read_only: bool) -> Store {
    Store::Claim {
        volume: mount.text("/name").into(),
        claim,
        sub_path: sub_path(mount).into(),
        read_only: volume_read_only || mount.is_true("/readOnly"),
    }
}

/// The store of a pod that a workload would make. A set's template names no volume: the claim is
/// `<template>-<set>-<ordinal>` (k8s.io/kubernetes pkg/controller/statefulset).
fn of_template(subject: &Subject, workload: &Value, ordinal: i64) -> Store {
    let spec = workload.pointer("/spec/template/spec").unwrap_or(&Value::Null);
    let pod = format!("{}-{ordinal}", workload.name());
    let Some(mount) = mount(subject, spec) else { return Store::None };
    let name = mount.text("/name");
    let templates = workload.list("/spec/volumeClaimTemplates");
    if templates.iter().any(|template| template.text("/metadata/name") == name) {
        return claimed(mount, format!("{name}-{pod}"), false);
    }
    of_spec(subject, spec, &pod)
}
