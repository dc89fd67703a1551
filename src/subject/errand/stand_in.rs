//! A pod in a client's stead: it has the client's labels and service account, by which network plugins
//! know a pod, and asks whether a Prometheus takes connections from it. Nobody else may take it for
//! one of the client's pods: it has an owner, so that no ReplicaSet adopts it and then ends one of its
//! own, and it is never ready, so that no Service leads to it.

use serde_json::{Value, json};

use super::{Who, agent, machine, room, run, security};
use crate::model::fact::Got;
use crate::model::inside::{AGENT, NEVER_READY, STAND_IN, STAND_IN_AGENT, no_mesh};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::plan::{Look, Step, Tells, Undo};
use crate::model::receipt::{MANAGED_BY, MANAGER};
use crate::model::{Need, Snapshot, rules};
use crate::subject::{Subject, identity, pod, repair, selector};

/// Labels of the client that it does not bear: what a controller gives each pod by itself, and by what a
/// token is put into a pod.
const NOT_BORNE: [&str; 6] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "azure.workload.identity/use",
];
/// By which Istio takes a pod's connections itself, without a sidecar.
const AMBIENT: &str = "istio.io/dataplane-mode";

/// Whether a rule goes by one of them.
pub fn names_unborne(rule: &Value) -> bool {
    let text = rule.to_string();
    NOT_BORNE.iter().any(|label| text.contains(label))
}

/// Who asks whom.
pub struct StandIn<'a> {
    pub client: &'a ObjectRef,
    /// One of the client's pods.
    pub pod: &'a Value,
    /// Its workload and its namespace: one of them owns it.
    pub workload: &'a Value,
    pub namespace: &'a Value,
    /// A pod of this Prometheus.
    pub server: &'a Value,
}

/// What has to be read of the client's namespace to make one, and what may be done there.
pub fn needs(namespace: &str) -> Vec<Need> {
    let may = |verb, kind| Need::May { verb, kind, subresource: "", namespace: namespace.into() };
    let mut out = vec![
        Need::list(Kind::LimitRange, namespace),
        Need::list(Kind::PodDisruptionBudget, namespace),
    ];
    for kind in [Kind::Pod, Kind::ConfigMap] {
        out.extend([may("create", kind), may("delete", kind)]);
    }
    out.push(may_read(namespace));
    out
}

/// What it was told is its log.
fn may_read(namespace: &str) -> Need {
    let namespace = namespace.to_owned();
    Need::May { verb: "get", kind: Kind::Pod, subresource: "log", namespace }
}

/// The nodes of both ends.
pub fn nodes(client: &Value, server: &Value) -> Vec<Need> {
    let nodes = [client, server].map(|pod| pod.text("/spec/nodeName"));
    let known = nodes.into_iter().filter(|node| !node.is_empty());
    known.map(|node| Need::object(Kind::Node, "", node)).collect()
}

/// As rules know a pod: by its labels, and the account it runs under.
pub fn known_by(pod: &Value) -> (Value, &str, bool) {
    (labels(pod), pod.text("/spec/serviceAccountName"), pod.is_true("/spec/hostNetwork"))
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
    let mut names = images.iter().flat_map(|one| one.list("/names")).filter_map(Value::as_str);
    let beside = if names.any(|name| plain(name) == plain(image)) { pod } else { server };
    Place { image, beside }
}

/// As a person writes it: a node names the registry that is meant where none is.
fn plain(image: &str) -> &str {
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    image.strip_prefix("library/").unwrap_or(image)
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
    let cannot = machine::lacks_agent(seen, place.beside)
        .or_else(|| taken_by_mesh(stand_in))
        .or_else(|| unheard(seen, stand_in.pod.namespace()))
        .or_else(|| led_to(seen, stand_in))
        .or_else(|| counted(seen, stand_in));
    let why = "whether a plugin lets it through only a pod with its labels is told".to_owned();
    Look { claim, plan, tells: Tells::Reach, why, ways: Vec::new(), cannot, envelope: None }
}

fn unheard(seen: &Snapshot, namespace: &str) -> Option<String> {
    let refused = rules::may(seen, &may_read(namespace), "") == Some(false);
    refused.then(|| format!("you may not read its answer: get pods/log in {namespace}"))
}

/// Where a mesh takes every connection of a pod itself, one that is taken tells nothing of the server.
fn taken_by_mesh(stand_in: &StandIn<'_>) -> Option<String> {
    let taken = |object: &&&Value| object.label(AMBIENT) == Some("ambient");
    let by = [stand_in.pod, stand_in.namespace];
    let by = by.iter().find(taken)?;
    Some(format!("{} is in a mesh that takes its connections itself ({AMBIENT})", by.name()))
}

/// The first of a kind in a namespace that is so; else why that is not known.
fn first<'a>(
    seen: &'a Snapshot,
    kind: Kind,
    namespace: &str,
    is: impl Fn(&&Value) -> bool,
) -> Result<Option<&'a Value>, &'a str> {
    match seen.list(kind, namespace) {
        Got::Known(all) => Ok(all.iter().find(is)),
        Got::Absent => Ok(None),
        Got::Unreadable(why) => Err(why),
        Got::NotAsked => Err("not read"),
    }
}

/// The Service that would lead to it all the same, or why that is not known.
fn led_to(seen: &Snapshot, stand_in: &StandIn<'_>) -> Option<String> {
    let namespace = stand_in.pod.namespace();
    let labels = labels(stand_in.pod);
    let leads = |service: &&Value| {
        service.is_true("/spec/publishNotReadyAddresses")
            && selector::holds(service.pointer("/spec/selector"), Some(&labels))
    };
    match first(seen, Kind::Service, namespace, leads) {
        Ok(found) => found.map(|service| {
            format!("svc/{} leads to pods that are not ready, and would lead to it", service.name())
        }),
        Err(why) => Some(format!("a Service of {namespace} might lead to it: services: {why}")),
    }
}

/// The budget that would allow no eviction while it is there: of its pods' controllers one has no
/// `scale` (kube-controller-manager, disruption).
fn counted(seen: &Snapshot, stand_in: &StandIn<'_>) -> Option<String> {
    if owner(stand_in).text("/kind") != "Namespace" {
        return None;
    }
    let namespace = stand_in.pod.namespace();
    let body = json!({"metadata": {"labels": labels(stand_in.pod)}});
    let counts = |budget: &&Value| {
        budget.pointer("/spec/selector").is_some_and(|s| selector::selects(s, &body))
    };
    match first(seen, Kind::PodDisruptionBudget, namespace, counts) {
        Ok(found) => found.map(|budget| {
            format!("pdb/{} would count it, and allow no eviction meanwhile", budget.name())
        }),
        Err(why) => {
            Some(format!("a budget of {namespace} might count it: poddisruptionbudgets: {why}"))
        }
    }
}

/// Who adopts no pods: of a Deployment that is itself, by which budgets count; else its namespace.
fn owner(stand_in: &StandIn<'_>) -> Value {
    let StandIn { workload, namespace, .. } = stand_in;
    let (version, kind, object) = match workload.text("/kind") {
        "Deployment" => ("apps/v1", "Deployment", workload),
        _ => ("v1", "Namespace", namespace),
    };
    json!({"apiVersion": version, "kind": kind, "name": object.name(), "uid": object.uid(),
        "controller": true})
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
    let carrier = object(Kind::ConfigMap, format!("{STAND_IN_AGENT}{pair}"));
    let helper = object(Kind::Pod, format!("{STAND_IN}{pair}"));
    let map = agent::carried(&carrier, &machine::agent(seen, place.beside));
    let room = room::resources(seen, pod.namespace(), "reach");
    let address = address(server, subject.flags.port());
    let words = [format!("/agent/{AGENT}"), "reach".into(), address];
    let container =
        agent::in_container(place.image, &words, &room, &json!({"drop": ["ALL"]}), None);
    let body = body(stand_in, &helper.name, place.beside, (&container, &carrier.name));
    let why = format!(
        "asks {} as a pod of {} would, on node {}; removed again",
        server.name(),
        client.short(),
        place.beside.text("/spec/nodeName")
    );
    run((carrier, map), (helper, body), &why, Undo::Delete)
}

/// Where it asks.
pub fn address(server: &Value, port: u16) -> String {
    match server.text("/status/podIP") {
        six if six.contains(':') => format!("[{six}]:{port}"),
        four => format!("{four}:{port}"),
    }
}

fn labels(pod: &Value) -> Value {
    let mut labels = pod.pointer("/metadata/labels").cloned().unwrap_or(json!({}));
    if let Some(labels) = labels.as_object_mut() {
        labels.retain(|key, _| !NOT_BORNE.contains(&key.as_str()));
        // Its own say of whom it is stays: a rule may go by it.
        labels.entry(MANAGED_BY).or_insert(json!(MANAGER));
        labels.insert("sidecar.istio.io/inject".into(), json!("false"));
        labels.insert(AMBIENT.into(), json!("none"));
    }
    labels
}

/// Placed without the scheduler, which would keep it from a node where the client's own pods want no
/// other of their labels.
fn body(
    stand_in: &StandIn<'_>,
    name: &str,
    node: &Value,
    (container, carrier): (&Value, &str),
) -> Value {
    let pod = stand_in.pod;
    let own = pod.get("spec").unwrap_or(&Value::Null);
    let copied = |from: &Value, field: &str| from.get(field).cloned().unwrap_or(json!([]));
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": pod.namespace(), "labels": labels(pod),
            "annotations": no_mesh(),
            "ownerReferences": [owner(stand_in)],
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
            "containers": [container],
            "volumes": [agent::volume(carrier)],
        },
    })
}
