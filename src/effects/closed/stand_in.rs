//! The pod that asks in a client's stead: the one thing that a plan makes in another namespace. It has
//! labels and service account of somebody else, and so no volume, no token, an owner that is no
//! controller, and a condition that keeps it from ever being ready.

use std::net::SocketAddr;

use serde_json::Value;

use super::pods::{brings_agent, container, is_agent, mounts, only, rights};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::plan::{Action, Plan};

const SPEC: [&str; 13] = [
    "restartPolicy",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "activeDeadlineSeconds",
    "terminationGracePeriodSeconds",
    "nodeName",
    "serviceAccountName",
    "tolerations",
    "imagePullSecrets",
    "readinessGates",
    "securityContext",
    "containers",
    "volumes",
];

/// Whether it says that it is one.
pub(super) fn is(body: &Value) -> bool {
    body.pointer("/spec/containers/0/command/1").is_some_and(|word| word == "reach")
}

/// Says what of it is not a stand-in's.
pub(super) fn check(plan: &Plan, index: usize, body: &Value) -> Result<(), &'static str> {
    let (container, words) = container(body, &SPEC)?;
    let [_, "reach", address] = words.as_slice() else { return Err("does not run our agent") };
    address.parse::<SocketAddr>().map_err(|_| "asks at no address")?;
    rights(body, container, &words)?;
    let owned = matches!(body.list("/metadata/ownerReferences"),
        [owner] if owner.text("/kind") == "Namespace" && owner.is_true("/controller"));
    if !owned || body.list("/spec/readinessGates").is_empty() {
        return Err("could be taken for one of the client's own");
    }
    let carrier = match body.list("/spec/volumes") {
        [volume] if mounts(container) == [("agent", "/agent")] => {
            only(Some(volume), &["name", "configMap"]).map(|()| volume.text("/configMap/name"))
        }
        _ => None,
    };
    let carrier = carrier.filter(|name| !name.is_empty()).ok_or("mounts more than our agent")?;
    if brings_agent(plan, index, carrier) { Ok(()) } else { Err("runs what is not our agent") }
}

/// Whether an object of another namespace is one of these, or its agent, made by the plan up to and
/// with this step.
pub(super) fn made(plan: &Plan, index: usize, object: &ObjectRef) -> bool {
    plan.steps.iter().take(index + 1).any(|step| match &step.action {
        Action::Create { object: made, body } if made == object => match made.kind {
            Kind::Pod => is(body),
            Kind::ConfigMap => is_agent(body),
            _ => false,
        },
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::effects::tests::plans;
    use crate::model::inside::AGENT;
    use crate::model::patch::Op;
    use crate::model::plan::{Step, Undo};

    fn pod() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "p", "namespace": "apps", "labels": {"app": "grafana"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": "apps",
                    "uid": "u", "controller": true}],
            },
            "spec": {
                "automountServiceAccountToken": false,
                "serviceAccountName": "grafana",
                "nodeName": "n1",
                "readinessGates": [{"conditionType": "prom-fix/never-ready"}],
                "securityContext": {"runAsUser": 65534},
                "containers": [{
                    "name": "agent",
                    "image": "quay.io/prometheus/prometheus:v3.16.0",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/agent/prom-fix-agent", "reach", "10.0.0.1:9090"],
                    "securityContext": {
                        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "agent", "mountPath": "/agent"}],
                }],
                "volumes": [{"name": "agent", "configMap": {"name": "a"}}],
            },
        })
    }

    fn step(kind: Kind, namespace: &str, name: &str, action: impl Fn(ObjectRef) -> Action) -> Step {
        let object = ObjectRef::new(kind, namespace, name);
        Step { why: String::new(), action: action(object), undo: Undo::Delete }
    }

    fn said(pod: &Value, more: Option<Step>) -> String {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
            "metadata": {"name": "a", "namespace": "apps"}, "binaryData": {AGENT: "sha256:00"}});
        let create = |body: &Value| {
            let body = body.clone();
            move |object| Action::Create { object, body: body.clone() }
        };
        let mut plan = plans::memory();
        plan.steps = vec![
            step(Kind::ConfigMap, "apps", "a", create(&map)),
            step(Kind::Pod, "apps", "p", create(pod)),
        ];
        plan.steps.extend(more);
        super::super::check(&plan).map_or_else(|error| error.to_string(), |()| "fits".into())
    }

    fn with(pointer: &str, value: Value) -> String {
        let mut pod = pod();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        match pod.pointer_mut(parent).expect("it is there") {
            Value::Array(items) => items.push(value),
            other => other[key] = value,
        }
        said(&pod, None)
    }

    #[test]
    fn in_another_namespace_a_stand_in_is_made_and_nothing_else() {
        assert_eq!(said(&pod(), None), "fits");
        let of = "/spec/containers/0";
        let claim = json!({"name": "d", "persistentVolumeClaim": {"claimName": "c"}});
        for (pointer, value) in [
            ("/metadata/ownerReferences", json!([])),
            ("/metadata/ownerReferences", json!([{"kind": "ReplicaSet", "controller": true}])),
            ("/spec/readinessGates", json!([])),
            ("/spec/automountServiceAccountToken", json!(true)),
            ("/spec/hostNetwork", json!(true)),
            ("/spec/securityContext/runAsUser", json!(0)),
            ("/spec/volumes/-", claim),
            ("/spec/volumes/0/secret", json!({"secretName": "x"})),
            ("/spec/volumes/0/configMap", json!({"name": "of-somebody-else"})),
            (&format!("{of}/command"), json!(["/agent/prom-fix-agent", "reach", "/data"])),
            (&format!("{of}/command"), json!(["/agent/prom-fix-agent", "survey", "/data"])),
            (&format!("{of}/command"), json!(["/bin/sh", "reach", "10.0.0.1:9090"])),
            (&format!("{of}/volumeMounts/-"), json!({"name": "agent", "mountPath": "/etc"})),
            (&format!("{of}/securityContext/capabilities"), json!({"drop": ["ALL"], "add": ["X"]})),
        ] {
            assert_ne!(with(pointer, value.clone()), "fits", "{pointer}: {value}");
        }
    }

    #[test]
    fn what_the_plan_did_not_make_there_it_does_not_touch() {
        let gone = |object| Action::Delete { object, uid: String::new(), grace: None };
        let patched = |object| Action::Patch {
            object,
            patch: vec![Op::Add { path: "/metadata/labels/a".into(), value: json!("b") }],
        };
        let with = |step| said(&pod(), Some(step));
        assert_eq!(with(step(Kind::Pod, "apps", "p", gone)), "fits");
        for other in [
            step(Kind::Pod, "apps", "other", gone),
            step(Kind::Pod, "kube-system", "p", gone),
            step(Kind::ConfigMap, "apps", "other", gone),
            step(Kind::Pod, "apps", "p", patched),
        ] {
            assert!(with(other).contains("is not in the namespace of its target"));
        }
    }
}
