//! The pod that asks in a client's stead: the one thing that a plan makes in another namespace. It has
//! labels and service account of somebody else, and so no volume, no token, an owner that is no
//! controller, and a condition that keeps it from ever being ready.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::pods::{brings_agent, container, is_agent, mounts, only, rights};
use crate::model::inside::{NEVER_READY, STAND_IN, STAND_IN_AGENT, no_mesh};
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

const METADATA: [&str; 5] = ["name", "namespace", "labels", "annotations", "ownerReferences"];
/// That adopt no pods.
const OWNERS: [&str; 2] = ["Namespace", "Deployment"];
const SECONDS: i64 = 300;

/// Whether it says that it is one.
pub(super) fn is(body: &Value) -> bool {
    body.pointer("/spec/containers/0/command/1").is_some_and(|word| word == "reach")
}

/// Says what of it is not a stand-in's.
pub(super) fn check(
    plan: &Plan,
    index: usize,
    object: &ObjectRef,
    body: &Value,
) -> Result<(), &'static str> {
    let (container, words) = container(body, &SPEC)?;
    let [_, "reach", address] = words.as_slice() else { return Err("does not run our agent") };
    address.parse::<SocketAddr>().map_err(|_| "asks at no address")?;
    rights(body, container, &words)?;
    if !is_nobodys(body) {
        return Err("could be taken for one of the client's own");
    }
    let lives = body.number("/spec/activeDeadlineSeconds").is_some_and(|most| most <= SECONDS);
    if body.text("/spec/restartPolicy") != "Never" || !lives {
        return Err("stays");
    }
    let carrier = match body.list("/spec/volumes") {
        [volume] if mounts(container) == [("agent", "/agent")] => {
            only(Some(volume), &["name", "configMap"]).map(|()| volume.text("/configMap/name"))
        }
        _ => None,
    };
    let carrier = carrier.ok_or("mounts more than our agent")?;
    let carrier = ObjectRef::new(Kind::ConfigMap, &object.namespace, carrier);
    if brings_agent(plan, index, &carrier) { Ok(()) } else { Err("runs what is not our agent") }
}

/// Whatever its labels are: no controller adopts it, no Service leads to it, no mesh puts anything into
/// it.
fn is_nobodys(body: &Value) -> bool {
    let metadata = body.get("metadata");
    let owned = matches!(body.list("/metadata/ownerReferences"),
        [owner] if OWNERS.contains(&owner.text("/kind")) && owner.is_true("/controller"));
    let gates = body.pointer("/spec/readinessGates");
    owned
        && only(metadata, &METADATA).is_some()
        && gates == Some(&json!([{"conditionType": NEVER_READY}]))
        && body.pointer("/metadata/annotations") == Some(&no_mesh())
        && body.label("sidecar.istio.io/inject") == Some("false")
        && body.label("istio.io/dataplane-mode") == Some("none")
}

/// Whether an object of another namespace is one of these, or its agent, made by the plan up to and
/// with this step.
pub(super) fn made(plan: &Plan, index: usize, object: &ObjectRef) -> bool {
    plan.steps.iter().take(index + 1).any(|step| match &step.action {
        Action::Create { object: made, body } if made == object => match made.kind {
            Kind::Pod => made.name.starts_with(STAND_IN) && is(body),
            Kind::ConfigMap => made.name.starts_with(STAND_IN_AGENT) && is_agent(body),
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
    use crate::model::plan::{Step, Undo, Until};

    fn pod() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "prom-fix-reach-p", "namespace": "apps",
                "labels": {"app": "grafana", "sidecar.istio.io/inject": "false",
                    "istio.io/dataplane-mode": "none"},
                "annotations": no_mesh(),
                "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": "apps",
                    "uid": "u", "controller": true}],
            },
            "spec": {
                "restartPolicy": "Never",
                "activeDeadlineSeconds": 300,
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
                "volumes": [{"name": "agent", "configMap": {"name": "prom-fix-agent-reach-p"}}],
            },
        })
    }

    fn step(kind: Kind, namespace: &str, name: &str, action: impl Fn(ObjectRef) -> Action) -> Step {
        let object = ObjectRef::new(kind, namespace, name);
        let action = action(object);
        let undo = match action {
            Action::Create { .. } => Undo::Delete,
            _ => Undo::Words(String::new()),
        };
        Step { why: String::new(), action, undo }
    }

    fn said(pod: &Value, more: Option<Step>) -> String {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
            "metadata": {"name": "prom-fix-agent-reach-p", "namespace": "apps"}, "binaryData": {AGENT: "sha256:00"}});
        let create = |body: &Value| {
            let body = body.clone();
            move |object| Action::Create { object, body: body.clone() }
        };
        let mut plan = plans::memory();
        plan.steps = vec![
            step(Kind::ConfigMap, "apps", "prom-fix-agent-reach-p", create(&map)),
            step(Kind::Pod, "apps", "prom-fix-reach-p", create(pod)),
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
            ("/spec/readinessGates", json!([{"conditionType": "PodScheduled"}])),
            ("/metadata/annotations", json!({"sidecar.istio.io/inject": "true"})),
            ("/metadata/annotations/sidecar.istio.io~1proxyImage", json!("x")),
            ("/metadata/labels", json!({"app": "grafana"})),
            ("/metadata/finalizers", json!(["x"])),
            ("/spec/restartPolicy", json!("Always")),
            ("/spec/activeDeadlineSeconds", json!(3600)),
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
    fn by_other_names_nothing_is_made_there_or_taken_away() {
        let agent = |name: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
                "metadata": {"name": name}, "binaryData": {AGENT: "sha256:00"}})
        };
        let made = |name: &str| {
            let body = agent(name);
            let create = |object| Action::Create { object, body: body.clone() };
            said(&pod(), Some(step(Kind::ConfigMap, "kube-system", name, create)))
        };
        assert_eq!(made("prom-fix-agent-reach-q"), "fits");
        assert!(made("coredns").contains("is not in the namespace of its target"));
    }

    #[test]
    fn no_undo_writes_what_its_step_does_not() {
        let mut plan = plans::memory();
        let wait = |object| Action::Wait { object, until: Until::Completed };
        let mut step = step(Kind::Pod, "mon", "prom-0", wait);
        let op = Op::Replace { path: "/spec/containers/0/image".into(), value: json!("x") };
        step.undo = Undo::Patch(vec![op]);
        plan.steps = vec![step];
        let said = super::super::check(&plan).expect_err("refused").to_string();
        assert!(said.contains("its undo writes pod/prom-0"), "{said}");
    }

    #[test]
    fn what_the_plan_did_not_make_there_it_does_not_touch() {
        let gone = |object| Action::Delete { object, uid: String::new(), grace: None };
        let patched = |object| Action::Patch {
            object,
            patch: vec![Op::Add { path: "/metadata/labels/a".into(), value: json!("b") }],
        };
        let with = |step| said(&pod(), Some(step));
        assert_eq!(with(step(Kind::Pod, "apps", "prom-fix-reach-p", gone)), "fits");
        for other in [
            step(Kind::Pod, "apps", "other", gone),
            step(Kind::Pod, "kube-system", "prom-fix-reach-p", gone),
            step(Kind::ConfigMap, "apps", "other", gone),
            step(Kind::Pod, "apps", "prom-fix-reach-p", patched),
        ] {
            assert!(with(other).contains("is not in the namespace of its target"));
        }
    }
}
