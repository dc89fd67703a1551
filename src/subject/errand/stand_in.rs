//! A pod in a client's stead: it has the client's labels and service account, by which network plugins
//! know a pod, and asks whether a Prometheus takes connections from it. Nobody else may take it for
//! one of the client's pods: it has an owner, so that no ReplicaSet adopts it and then ends one of its
//! own, and it is never ready, so that no Service leads to it.

use serde_json::{Value, json};

use super::{Who, machine, room, run, security};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::plan::{Look, Step, Tells, Undo};
use crate::model::receipt::{MANAGED_BY, MANAGER};
use crate::model::{Need, Snapshot, inside::AGENT, inside::REFERENCE};
use crate::subject::{Subject, identity, pod, repair, selector};

/// What its controller gives each pod beside the labels of its template; no rule goes by them.
const OF_CONTROLLERS: [&str; 5] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
];
/// A condition that nobody sets.
const NEVER_READY: &str = "prom-fix/never-ready";

/// Who asks whom.
pub struct StandIn<'a> {
    pub client: &'a ObjectRef,
    /// One of the client's pods.
    pub pod: &'a Value,
    /// Its namespace, as an object: the owner.
    pub namespace: &'a Value,
    /// A pod of this Prometheus.
    pub server: &'a Value,
}

/// What has to be read to make one.
pub fn needs(client: &Value, server: &Value) -> Vec<Need> {
    let nodes = [client, server].map(|pod| pod.text("/spec/nodeName"));
    let known = nodes.into_iter().filter(|node| !node.is_empty());
    let nodes = known.map(|node| Need::object(Kind::Node, "", node));
    nodes.chain([Need::list(Kind::LimitRange, client.namespace())]).collect()
}

/// What it is made of: the image of the server's pod, or the one that was named, and a pod of whose
/// node it is: the client's where that node has the image, else the server's, which has it.
struct Place<'a> {
    image: &'a str,
    beside: &'a Value,
}

fn place<'a>(subject: &Subject, seen: &'a Snapshot, stand_in: &StandIn<'a>) -> Place<'a> {
    let StandIn { pod, server, .. } = *stand_in;
    let own = identity::image(server.get("spec").unwrap_or(&Value::Null), &subject.container);
    let image = seen.inside.image.as_deref().unwrap_or(own);
    let node = ObjectRef::new(Kind::Node, "", pod.text("/spec/nodeName"));
    let images = seen.object(&node).known().map_or(&[][..], |node| node.list("/status/images"));
    let mut names = images.iter().flat_map(|one| one.list("/names"));
    let beside = if names.any(|name| name == image) { pod } else { server };
    Place { image, beside }
}

/// The node from which it asks.
pub fn node<'a>(subject: &Subject, seen: &'a Snapshot, stand_in: &StandIn<'a>) -> &'a str {
    place(subject, seen, stand_in).beside.text("/spec/nodeName")
}

/// The plan that makes it, has it ask, and takes it away.
pub fn look(subject: &Subject, seen: &Snapshot, stand_in: &StandIn<'_>) -> Look {
    let StandIn { client, server, .. } = stand_in;
    let place = place(subject, seen, stand_in);
    let claim = pod::reference(server);
    let who = format!("{} -n {}", client.short(), client.namespace);
    let title = format!("ask {} from a pod with the labels of {who}", claim.short());
    let steps = steps(subject, seen, stand_in, &place);
    let mut plan = repair::beside(subject, seen, "look", &title, steps);
    plan.undo = "nothing is left behind".into();
    let cannot = machine::lacks_agent(seen, place.beside).or_else(|| led_to(seen, stand_in));
    let why = "whether a plugin lets it through only a pod with its labels is told".to_owned();
    Look { claim, plan, tells: Tells::Reach, why, ways: Vec::new(), cannot }
}

/// The Service that would lead to it all the same.
fn led_to(seen: &Snapshot, stand_in: &StandIn<'_>) -> Option<String> {
    let labels = labels(stand_in.pod);
    let leads = |service: &&Value| {
        service.is_true("/spec/publishNotReadyAddresses")
            && selector::holds(service.pointer("/spec/selector"), Some(&labels))
    };
    let service = seen.items(Kind::Service, stand_in.pod.namespace()).find(leads)?;
    Some(format!("svc/{} leads to pods that are not ready, and would lead to it", service.name()))
}

fn steps(
    subject: &Subject,
    seen: &Snapshot,
    stand_in: &StandIn<'_>,
    place: &Place<'_>,
) -> Vec<Step> {
    let StandIn { client, pod, server, .. } = stand_in;
    let pair: String = format!("{}-{}", client.name, server.name()).chars().take(180).collect();
    let pair = pair.trim_end_matches(['-', '.']);
    let object = |kind, name: String| ObjectRef::new(kind, pod.namespace(), &name);
    let carrier = object(Kind::ConfigMap, format!("prom-fix-agent-reach-{pair}"));
    let helper = object(Kind::Pod, format!("prom-fix-reach-{pair}"));
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": carrier.name, "namespace": carrier.namespace, "labels": {MANAGED_BY: MANAGER},
        },
        "binaryData": {AGENT: format!("{REFERENCE}{}", machine::agent(seen, place.beside))},
        "immutable": true,
    });
    let room = room::resources(seen, pod.namespace(), "reach");
    let address = address(server, subject.flags.port());
    let mut body = body(stand_in, &helper.name, place.beside);
    if let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("containers".into(), json!([container(place.image, &address, &room)]));
        let agent = json!({"name": carrier.name, "defaultMode": 0o555});
        spec.insert("volumes".into(), json!([{"name": "agent", "configMap": agent}]));
    }
    let why = format!(
        "asks {} as a pod of {} would, on node {}; removed again",
        server.name(),
        client.short(),
        place.beside.text("/spec/nodeName")
    );
    run((carrier, map), (helper, body), &why, Undo::Delete)
}

/// As `connect` takes it.
fn address(server: &Value, port: u16) -> String {
    match server.text("/status/podIP") {
        six if six.contains(':') => format!("[{six}]:{port}"),
        four => format!("{four}:{port}"),
    }
}

fn labels(pod: &Value) -> Value {
    let mut labels = pod.pointer("/metadata/labels").cloned().unwrap_or(json!({}));
    if let Some(labels) = labels.as_object_mut() {
        labels.retain(|key, _| !OF_CONTROLLERS.contains(&key.as_str()));
        // Its own say of whom it is stays: a rule may go by it.
        labels.entry(MANAGED_BY).or_insert(json!(MANAGER));
        labels.insert("sidecar.istio.io/inject".into(), json!("false"));
    }
    labels
}

/// Placed without the scheduler, which would keep it from a node where the client's own pods want no
/// other of their labels.
fn body(stand_in: &StandIn<'_>, name: &str, node: &Value) -> Value {
    let StandIn { pod, namespace, .. } = stand_in;
    let owner = json!({"apiVersion": "v1", "kind": "Namespace", "name": namespace.name(),
        "uid": namespace.uid(), "controller": true});
    let own = pod.get("spec").unwrap_or(&Value::Null);
    let copied = |from: &Value, field: &str| from.get(field).cloned().unwrap_or(json!([]));
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": pod.namespace(), "labels": labels(pod),
            "annotations": {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"},
            "ownerReferences": [owner],
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "activeDeadlineSeconds": 300,
            "terminationGracePeriodSeconds": 5,
            "nodeName": node.text("/spec/nodeName"),
            "serviceAccountName": own.get("serviceAccountName").cloned().unwrap_or(json!("default")),
            "tolerations": copied(node.get("spec").unwrap_or(&Value::Null), "tolerations"),
            "imagePullSecrets": copied(own, "imagePullSecrets"),
            "readinessGates": [{"conditionType": NEVER_READY}],
            "securityContext": security(&Who::nobody(), None),
        },
    })
}

fn container(image: &str, address: &str, resources: &Value) -> Value {
    json!({
        "name": "agent",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [format!("/agent/{AGENT}"), "reach", address],
        "resources": resources,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "agent", "mountPath": "/agent", "readOnly": true}],
    })
}
