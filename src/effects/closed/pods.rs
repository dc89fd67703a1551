//! The one pod that a plan creates: it runs our agent, which the plan brings along, on one claim, and
//! has no more rights than that. A receipt may have been written by somebody who may write ConfigMaps
//! and no more; through it nobody gets a pod of their own made by somebody who may.

use serde_json::Value;

use crate::model::folder::may_be_own;
use crate::model::image::is_reference;
use crate::model::inside::{AGENT, REFERENCE, labels, no_mesh};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::plan::{Action, Plan};

const SPEC: [&str; 11] = [
    "restartPolicy",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "activeDeadlineSeconds",
    "terminationGracePeriodSeconds",
    "affinity",
    "tolerations",
    "imagePullSecrets",
    "securityContext",
    "containers",
    "volumes",
];
const METADATA: [&str; 4] = ["name", "namespace", "labels", "annotations"];
const CONTAINER: [&str; 7] =
    ["name", "image", "imagePullPolicy", "command", "resources", "securityContext", "volumeMounts"];
const POD_SECURITY: [&str; 6] = [
    "runAsNonRoot",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "seccompProfile",
    "seLinuxOptions",
];
const OWN_SECURITY: [&str; 3] =
    ["allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"];
const COMMANDS: [&str; 8] =
    ["survey", "inventory", "owners", "space", "chown", "salvage", "restore", "cleanup"];
/// To change an owner, and to reach what lies in folders of others.
const RIGHTS: [&str; 2] = ["CHOWN", "DAC_OVERRIDE"];

/// Says what of it is not a helper's.
pub(super) fn check(
    plan: &Plan,
    index: usize,
    object: &ObjectRef,
    body: &Value,
) -> Result<(), &'static str> {
    let (container, words) = container(body, &SPEC)?;
    // By labels a Service could lead to it, and by both a webhook put something into it.
    let metadata = only(body.get("metadata"), &METADATA);
    let fits = body.pointer("/metadata/annotations") == Some(&no_mesh())
        && body.pointer("/metadata/labels") == Some(&labels());
    if metadata.is_none() || !fits {
        return Err("is marked as no helper is");
    }
    if !words.get(1).is_some_and(|word| COMMANDS.contains(word)) {
        return Err("does not run our agent");
    }
    rights(body, container, &words)?;
    let mounts = mounts(container);
    let carrier =
        carrier(body, &words).filter(|_| mounts == [("data", "/data"), ("agent", "/agent")]);
    let carrier =
        carrier.ok_or("mounts something else than one volume for its work and our agent")?;
    let carrier = ObjectRef::new(Kind::ConfigMap, &object.namespace, carrier);
    if brings_agent(plan, index, &carrier) { Ok(()) } else { Err("runs what is not our agent") }
}

/// The one container of a helper with these fields in its spec, and the words of its command, of which
/// the first is our agent.
pub(super) fn container<'a>(
    body: &'a Value,
    fields: &[&str],
) -> Result<(&'a Value, Vec<&'a str>), &'static str> {
    only(body.get("spec"), fields).ok_or("has a field that no helper has")?;
    let [container] = body.list("/spec/containers") else {
        return Err("has not one container");
    };
    only(Some(container), &CONTAINER).ok_or("has a container that is no helper's")?;
    only(body.pointer("/spec/securityContext"), &POD_SECURITY).ok_or("has other rights")?;
    only(container.get("securityContext"), &OWN_SECURITY).ok_or("has other rights")?;
    if body.pointer("/spec/automountServiceAccountToken") != Some(&Value::Bool(false)) {
        return Err("has a service account's token");
    }
    let words: Vec<&str> =
        container.list("/command").iter().map(|word| word.as_str().unwrap_or("")).collect();
    if words.first().and_then(|word| word.strip_prefix("/agent/")) != Some(AGENT) {
        return Err("does not run our agent");
    }
    if !is_reference(container.text("/image")) {
        return Err("names no image");
    }
    if container.text("/imagePullPolicy") != "IfNotPresent" {
        return Err("pulls an image that is there");
    }
    Ok((container, words))
}

/// Name and place of what a container mounts.
pub(super) fn mounts(container: &Value) -> Vec<(&str, &str)> {
    let all = container.list("/volumeMounts").iter();
    all.map(|mount| (mount.text("/name"), mount.text("/mountPath"))).collect()
}

/// Nothing but the fields of a list.
pub(super) fn only(value: Option<&Value>, keys: &[&str]) -> Option<()> {
    let map = value.and_then(Value::as_object)?;
    map.keys().all(|key| keys.contains(&key.as_str())).then_some(())
}

/// Root is who changes owners, with the rights that this takes, and nobody else.
pub(super) fn rights(body: &Value, container: &Value, words: &[&str]) -> Result<(), &'static str> {
    let owners = match words {
        [_, "chown", ..] => true,
        [_, "restore", _, "--of", of, ..] => *of == "chown",
        _ => false,
    };
    let user = body.pointer("/spec/securityContext/runAsUser");
    let named = user.and_then(Value::as_i64).ok_or("does not say who it runs as")?;
    let added = container.list("/securityContext/capabilities/add");
    let within = added.iter().all(|right| right.as_str().is_some_and(|r| RIGHTS.contains(&r)));
    if (named == 0 || !added.is_empty()) && !(owners && within) {
        return Err("runs as root, and changes no owner");
    }
    if container.list("/securityContext/capabilities/drop") != ["ALL"]
        || container.is_true("/securityContext/allowPrivilegeEscalation")
    {
        return Err("has rights that no helper has");
    }
    Ok(())
}

/// Whether a helper's volume is one claim, or a folder of a node to see whose its files are, or to
/// give them away. Whether the target has that folder is asked when the pod is made.
fn is_data(volume: &Value, words: &[&str], mount: &Value) -> bool {
    let Some(folder) = volume.get("hostPath") else {
        return only(Some(volume), &["name", "persistentVolumeClaim"]).is_some()
            && volume.get("persistentVolumeClaim").is_some();
    };
    let kinds = ["", "Directory", "DirectoryOrCreate"];
    let about_owners = match words {
        [_, "owners", ..] => mount.is_true("/readOnly"),
        [_, "chown", ..] => true,
        [_, "restore", _, "--of", of, ..] => *of == "chown",
        _ => false,
    };
    only(Some(volume), &["name", "hostPath"]).is_some()
        && only(Some(folder), &["path", "type"]).is_some()
        && kinds.contains(&folder.text("/type"))
        && may_be_own(folder.text("/path"))
        && about_owners
}

/// The ConfigMap that a helper has its agent from.
fn carrier<'a>(body: &'a Value, words: &[&str]) -> Option<&'a str> {
    let [data, agent] = body.list("/spec/volumes") else { return None };
    only(Some(agent), &["name", "configMap"])?;
    let mount = body.pointer("/spec/containers/0/volumeMounts/0").unwrap_or(&Value::Null);
    let fits = data.text("/name") == "data" && is_data(data, words, mount);
    let name = agent.text("/configMap/name");
    (fits && agent.text("/name") == "agent" && !name.is_empty()).then_some(name)
}

/// Whether the plan itself makes that ConfigMap, with one of our agents in it and nothing else, so
/// that nobody changes it between.
pub(super) fn brings_agent(plan: &Plan, index: usize, carrier: &ObjectRef) -> bool {
    plan.steps.iter().take(index).any(|step| match &step.action {
        Action::Create { object, body } => object == carrier && is_agent(body),
        _ => false,
    })
}

/// One of our agents and nothing else, that nobody can change.
pub(super) fn is_agent(body: &Value) -> bool {
    let held = body.get("binaryData").and_then(Value::as_object);
    let named = held.and_then(|held| held.get(AGENT)).and_then(Value::as_str);
    body.get("data").is_none()
        && body.is_true("/immutable")
        && held.is_some_and(|held| held.len() == 1)
        && named.is_some_and(|named| named.starts_with(REFERENCE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::tests::plans;
    use crate::model::plan::{Step, Undo};
    use serde_json::json;

    fn pod() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "helper", "namespace": "mon", "labels": labels(),
                "annotations": no_mesh()},
            "spec": {
                "automountServiceAccountToken": false,
                "securityContext": {"runAsUser": 65534},
                "containers": [{
                    "name": "agent",
                    "image": "quay.io/prometheus/prometheus:v3.16.0",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/agent/prom-fix-agent", "salvage", "/data", "--json"],
                    "securityContext": {
                        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [
                        {"name": "data", "mountPath": "/data"},
                        {"name": "agent", "mountPath": "/agent"},
                    ],
                }],
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": "c"}},
                    {"name": "agent", "configMap": {"name": "a"}},
                ],
            },
        })
    }

    fn map() -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
            "metadata": {"name": "a", "namespace": "mon"}, "binaryData": {AGENT: "sha256:00"}})
    }

    fn said(pod: Value, map: Value) -> String {
        said_in("mon", pod, map)
    }

    /// Of a helper in one namespace, with its agent in another.
    fn said_in(space: &str, pod: Value, map: Value) -> String {
        let mut plan = plans::memory();
        let create = |kind, name: &str, body| Step {
            why: String::new(),
            action: Action::Create { object: ObjectRef::new(kind, "mon", name), body },
            undo: Undo::Delete,
        };
        plan.steps =
            vec![create(Kind::ConfigMap, "a", map), create(Kind::Pod, "helper", pod.clone())];
        let object = ObjectRef::new(Kind::Pod, space, "helper");
        check(&plan, 1, &object, &pod).err().unwrap_or("fits").to_owned()
    }

    /// With one value otherwise.
    fn with(pointer: &str, value: Value) -> String {
        let mut pod = pod();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let place = pod.pointer_mut(parent).expect("it is there");
        match place {
            Value::Array(items) => items.push(value),
            other => other[key] = value,
        }
        said(pod, map())
    }

    #[test]
    fn a_helper_fits_and_any_other_pod_does_not() {
        assert_eq!(said(pod(), map()), "fits");
        let of = "/spec/containers/0";
        for (pointer, value) in [
            ("/spec/hostNetwork", json!(true)),
            ("/metadata/labels/app", json!("prom")),
            ("/metadata/annotations/sidecar.istio.io~1proxyImage", json!("x")),
            ("/metadata/finalizers", json!(["x"])),
            ("/spec/serviceAccount", json!("other")),
            ("/spec/serviceAccountName", json!("other")),
            ("/spec/initContainers", json!([{"name": "x"}])),
            ("/spec/automountServiceAccountToken", json!(true)),
            ("/spec/securityContext/sysctls", json!([])),
            ("/spec/containers/-", json!({"name": "x"})),
            ("/spec/volumes/-", json!({"name": "s", "secret": {"secretName": "x"}})),
            (&format!("{of}/image"), json!("a b")),
            (&format!("{of}/image"), json!("")),
            (&format!("{of}/imagePullPolicy"), json!("Always")),
            (&format!("{of}/envFrom"), json!([{"secretRef": {"name": "x"}}])),
            (&format!("{of}/command"), json!(["/bin/sh", "-c", "x"])),
            (&format!("{of}/command"), json!(["/agent/prom-fix-agent", "other"])),
            (&format!("{of}/securityContext/privileged"), json!(true)),
            (&format!("{of}/securityContext/allowPrivilegeEscalation"), json!(true)),
            (&format!("{of}/securityContext/capabilities"), json!({"drop": []})),
            ("/spec/volumes/0/hostPath", json!({"path": "/"})),
            ("/spec/volumes/1/configMap", json!({"name": "of-somebody-else"})),
        ] {
            assert_ne!(with(pointer, value.clone()), "fits", "{pointer}: {value}");
        }
    }

    #[test]
    fn root_changes_owners_and_does_nothing_else() {
        let root = |words: &[&str], add: &str| {
            let mut pod = pod();
            pod["spec"]["securityContext"]["runAsUser"] = json!(0);
            let container = &mut pod["spec"]["containers"][0];
            container["command"] = json!(words);
            container["securityContext"]["capabilities"]["add"] = json!([add]);
            said(pod, map())
        };
        let agent = "/agent/prom-fix-agent";
        assert_eq!(root(&[agent, "chown", "/data"], "CHOWN"), "fits");
        assert_eq!(root(&[agent, "restore", "/data", "--of", "chown"], "CHOWN"), "fits");
        assert_ne!(root(&[agent, "restore", "/data", "--of", "x:1"], "CHOWN"), "fits");
        assert_ne!(root(&[agent, "salvage", "/data"], "CHOWN"), "fits");
        assert_ne!(root(&[agent, "chown", "/data"], "SYS_ADMIN"), "fits");
    }

    #[test]
    fn a_folder_of_a_node_is_looked_at_or_given_away_and_no_more() {
        let with = |words: &[&str], folder: Value, read_only: bool| {
            let mut pod = pod();
            pod["spec"]["volumes"][0] = json!({"name": "data", "hostPath": folder});
            let container = &mut pod["spec"]["containers"][0];
            container["command"] = json!([&["/agent/prom-fix-agent"], words].concat());
            container["volumeMounts"][0]["readOnly"] = json!(read_only);
            said(pod, map())
        };
        let own = || json!({"path": "/srv/prometheus", "type": "DirectoryOrCreate"});
        assert_eq!(with(&["owners", "/data"], own(), true), "fits");
        assert_eq!(with(&["chown", "/data"], own(), false), "fits");
        assert_eq!(with(&["restore", "/data", "--of", "chown"], own(), false), "fits");
        for (words, folder, read_only) in [
            (["owners", "/data"], own(), false),
            (["salvage", "/data"], own(), false),
            (["survey", "/data"], own(), true),
            (["chown", "/data"], json!({"path": "/etc/kubernetes"}), false),
            (["chown", "/data"], json!({"path": "/"}), false),
            (["chown", "/data"], json!({"path": "/srv/x", "type": "Socket"}), false),
        ] {
            assert_ne!(with(&words, folder.clone(), read_only), "fits", "{words:?} {folder}");
        }
    }

    #[test]
    fn what_it_runs_is_what_the_plan_brings_and_nobody_changes() {
        let mut open = map();
        open["immutable"] = json!(false);
        let mut other = map();
        other["binaryData"][AGENT] = json!("c2NyaXB0");
        let mut more = map();
        more["binaryData"]["x"] = json!("");
        for map in [open, other, more] {
            assert_eq!(said(pod(), map.clone()), "runs what is not our agent", "{map}");
        }
        assert_eq!(said_in("apps", pod(), map()), "runs what is not our agent");
    }
}
