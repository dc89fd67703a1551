//! `bind --client --inspect`: a pod in the client's stead, for what no object tells.

use serde_json::{Value, json};

use super::client::{asked_by, job, says_reached, told};
use super::fixture::World;
use crate::classes::bind::Bind;
use crate::classes::{Class, Given};
use crate::model::object::ObjectExt;
use crate::model::plan::{Action, Look, Tells};
use crate::model::{Fact, Finding, Kind, Need, Next, ObjectRef, Passage, Seen, Severity, Unknown};

fn grafana() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "spec": {"nodeName": "n2", "serviceAccountName": "viewer", "containers": [],
            "tolerations": [{"key": "of-the-client"}]},
        "metadata": {"name": "grafana-a", "namespace": "mon", "labels": {
            "app": "grafana", "pod-template-hash": "abc", "app.kubernetes.io/managed-by": "Helm"}},
        "status": {"phase": "Running", "podIP": "10.0.0.9"}})
}

fn world() -> World {
    let mut world = asked_by(1, vec![grafana()]).of_cluster(
        Kind::Namespace,
        "mon",
        json!({"metadata": {"name": "mon", "uid": "space"}}),
    );
    world.seen.inside.consented = true;
    world.seen.inside.agents.insert("amd64".into(), "00".into());
    world.set("/status/conditions/0/lastTransitionTime", json!("2026-11-22T10:00:00Z"))
}

/// Whether its address answers others.
fn answers(world: World, fact: Fact) -> World {
    let need = Need::http(&world.subject.pods[0], 9090, "/-/ready");
    world.fact(need, fact)
}

fn yes() -> Fact {
    Fact::Known(Seen::Http { status: 200, body: String::new() })
}

/// The pods of the client.
fn pods(world: World, pods: Vec<Value>) -> World {
    let labels = "app=grafana".into();
    let need = Need::List { kind: Kind::Pod, namespace: Some("mon".into()), labels };
    world.fact(need, Fact::Known(Seen::List(pods)))
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    object.pointer_mut(parent).expect("it is there")[key] = value;
    object
}

/// A rule of Cilium that selects Prometheus.
fn of_cilium(world: World) -> World {
    of_cilium_with(world, &json!({}))
}

fn of_cilium_with(world: World, ingress: &Value) -> World {
    let rule = json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "closed", "namespace": "mon"},
        "spec": {"endpointSelector": {"matchLabels": {"app": "p"}}, "ingress": [ingress]}});
    world.list(Kind::CiliumNetworkPolicy, vec![rule])
}

/// 2026-11-22T17:50:00Z, ten minutes ago.
const SINCE: i64 = 1_795_369_800;

/// What came of it.
fn tried(mut world: World, tries: &[i64]) -> World {
    let pod = ObjectRef::new(Kind::Pod, "mon", "p-0");
    world
        .seen
        .inside
        .reached
        .insert(pod, json!({"at": "10.0.0.1:9090", "since": SINCE, "tries": tries}));
    world
}

fn look(world: &World) -> Option<Look> {
    job(world, |job| job.look(&world.seen))
}

/// The pod that a look makes.
fn sent(look: &Look) -> &Value {
    let made = look.plan.steps.iter().find_map(|step| match &step.action {
        Action::Create { object, body } if object.kind == Kind::Pod => Some(body),
        _ => None,
    });
    made.expect("a pod")
}

const REFUSED: i64 = 111;
const SILENT: i64 = 110;

#[test]
fn it_bears_the_labels_of_the_client_and_is_nobodys_pod() {
    let look = look(&world()).expect("a look");
    assert_eq!((look.tells, look.cannot.as_deref()), (Tells::Reach, None));
    let pod = sent(&look);
    assert_eq!(pod.label("app"), Some("grafana"));
    assert_eq!(pod.label("app.kubernetes.io/managed-by"), Some("Helm"), "a rule may go by it");
    assert_eq!(pod.label("pod-template-hash"), None, "no ReplicaSet's");
    assert_eq!(pod.text("/metadata/ownerReferences/0/kind"), "Deployment");
    assert!(pod.is_true("/metadata/ownerReferences/0/controller"), "so that none adopts it");
    assert_eq!(pod.list("/spec/readinessGates").len(), 1, "no Service leads to it");
    assert_eq!(pod.text("/spec/serviceAccountName"), "viewer");
    assert_eq!(pod.pointer("/spec/automountServiceAccountToken"), Some(&json!(false)));
    assert_eq!(pod.list("/spec/containers/0/command")[1..], ["reach", "10.0.0.1:9090"]);
    assert_eq!(pod.pointer("/spec/securityContext/runAsNonRoot"), Some(&json!(true)));
}

/// A budget counts pods by the `scale` of who owns them: of a Deployment, not of a namespace.
#[test]
fn a_pod_alone_is_stood_in_for_where_no_budget_counts_it() {
    let world = world().object(Kind::Pod, "grafana-a", grafana());
    let given = Given::from([("client".to_owned(), "mon/pod/grafana-a".to_owned())]);
    let look = |world: &World| Bind.job(&world.subject, &given).look(&world.seen).expect("a look");
    let cannot = look(&world).cannot.expect("none was read");
    assert!(cannot.starts_with("a budget of mon might count it"), "{cannot}");
    let world = world.list(Kind::PodDisruptionBudget, vec![]);
    let own = look(&world);
    assert_eq!(own.cannot, None);
    assert_eq!(sent(&own).text("/metadata/ownerReferences/0/uid"), "space");
    let budget = |app: &str| {
        json!({"metadata": {"name": "most", "namespace": "mon"},
            "spec": {"selector": {"matchLabels": {"app": app}}}})
    };
    let world = world.list(Kind::PodDisruptionBudget, vec![budget("other")]);
    assert_eq!(look(&world).cannot, None);
    let world = world.list(Kind::PodDisruptionBudget, vec![budget("grafana")]);
    assert!(look(&world).cannot.is_some_and(|why| why.starts_with("pdb/most would count it")));
    let of_deployment = self::world().list(Kind::PodDisruptionBudget, vec![budget("grafana")]);
    assert_eq!(self::look(&of_deployment).expect("a look").cannot, None);
}

#[test]
fn it_asks_from_the_clients_node_where_that_has_the_image() {
    let with = |images: Value| {
        let node = json!({"metadata": {"name": "n2"}, "status": {"images": images,
            "nodeInfo": {"architecture": "amd64"}}});
        world().of_cluster(Kind::Node, "n2", node)
    };
    let has = with(json!([{"names": ["x"]}, {"names": ["docker.io/prom/prometheus:v3.5.3"]}]));
    let pod = look(&has).expect("a look");
    assert_eq!(sent(&pod).text("/spec/nodeName"), "n2");
    assert_eq!(sent(&pod).list("/spec/tolerations").len(), 1);
    for other in [with(json!([{"names": ["x"]}])), world()] {
        let pod = look(&other).expect("a look");
        assert_eq!(sent(&pod).text("/spec/nodeName"), "n1");
        assert_eq!(sent(&pod).list("/spec/tolerations").len(), 0, "of the pod of that node");
    }
}

#[test]
fn none_is_sent_where_it_would_tell_nothing_or_was_not_allowed() {
    assert!(look(&world()).is_some());
    let mut other = world();
    other.seen.inside.consented = false;
    assert_eq!(look(&other), None, "not allowed");
    let closed = json!({"metadata": {"name": "closed", "namespace": "mon"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}});
    assert_eq!(look(&world().list(Kind::NetworkPolicy, vec![closed])), None, "the objects tell");
    assert_eq!(look(&world().not_ready()), None, "nobody reaches it");
    assert_eq!(look(&tried(world(), &[0; 6])), None, "one was sent");
    let mut refused = world();
    refused.seen.inside.refused.insert(ObjectRef::new(Kind::Pod, "mon", "p-0"), "quota".into());
    assert_eq!(look(&refused), None);
    let verdict = told(&refused);
    assert!(verdict.unknown.iter().any(|u| u.why.contains("quota") && !u.vital), "{verdict:#?}");
    assert_eq!(look(&pods(world(), vec![])), None, "the client does not run");
    let refused = Fact::Unreadable("dial tcp 10.0.0.1:9090: connect: connection refused".into());
    assert_eq!(look(&answers(world(), refused)), None, "nothing listens there");
    let on_node = pods(world(), vec![with(grafana(), "/spec/hostNetwork", json!(true))]);
    assert_eq!(look(&on_node), None, "a pod of the pods' network is not like one of the node's");
}

#[test]
fn a_service_that_leads_to_pods_that_are_not_ready_keeps_it_from_being_made() {
    let service = |name: &str, app: &str, not_ready: bool| {
        json!({"metadata": {"name": name, "namespace": "mon"},
            "spec": {"selector": {"app": app}, "publishNotReadyAddresses": not_ready}})
    };
    let with = |services| look(&world().list(Kind::Service, services)).expect("a look").cannot;
    assert_eq!(with(vec![service("a", "grafana", false), service("b", "p", true)]), None);
    let why = with(vec![service("c", "grafana", true)]).expect("a reason");
    assert!(why.starts_with("svc/c leads to pods that are not ready"), "{why}");
    let forbidden = Fact::Unreadable("forbidden".into());
    let look = look(&world().fact(Need::list(Kind::Service, "mon"), forbidden)).expect("a look");
    assert!(look.cannot.is_some_and(|why| why.ends_with("services: forbidden")));
}

#[test]
fn none_is_made_whose_answer_may_not_be_read() {
    let namespace = "mon".to_owned();
    let log = Need::May { verb: "get", kind: Kind::Pod, subresource: "log", namespace };
    let cannot = look(&world().fact(log, Fact::Known(Seen::May(false)))).expect("a look").cannot;
    assert_eq!(cannot.as_deref(), Some("you may not read its answer: get pods/log in mon"));
}

#[test]
fn in_a_mesh_that_takes_connections_itself_none_is_made() {
    let space = json!({"metadata": {"name": "mon", "labels":
        {"istio.io/dataplane-mode": "ambient"}}});
    let ambient = world().of_cluster(Kind::Namespace, "mon", space);
    let cannot = look(&ambient).expect("a look").cannot.expect("a reason");
    assert!(cannot.starts_with("mon is in a mesh"), "{cannot}");
}

#[test]
fn one_stands_for_all_pods_of_the_client_or_none_does() {
    let other = || with(grafana(), "/metadata/labels/access", json!("prom"));
    let new = || with(grafana(), "/metadata/labels/pod-template-hash", json!("def"));
    assert!(look(&pods(world(), vec![grafana(), new()])).is_some(), "of another rollout");
    let account = with(grafana(), "/spec/serviceAccountName", json!("other"));
    for pods in [vec![grafana(), other()], vec![grafana(), account]] {
        let world = self::pods(of_cilium(world()), pods);
        assert_eq!(look(&world), None);
        let verdict = told(&world);
        let why = |u: &Unknown| u.why.ends_with("name one, --client pod/NAME");
        assert!(verdict.unknown.iter().any(why), "{verdict:#?}");
    }
}

#[test]
fn let_through_it_settles_what_a_plugin_would_say_and_not_what_a_mesh_would() {
    let verdict = told(&tried(of_cilium(world()), &[SILENT, 0, 0, 0, 0, 0, 0]));
    assert!(verdict.unknown.is_empty(), "{verdict:#?}");
    let [finding] = verdict.findings.as_slice() else { panic!("{verdict:#?}") };
    assert_eq!(finding.severity, Severity::Info);
    assert_eq!(
        finding.says,
        "takes connections from a pod with the labels of deploy/grafana -n mon"
    );
    let rule = json!({"apiVersion": "policy.linkerd.io/v1beta1", "kind": "Server",
        "metadata": {"name": "mesh", "namespace": "mon"}, "spec": {"podSelector": {}, "port": 9090}});
    let mesh = world().set("/spec/initContainers", json!([{"name": "linkerd-proxy"}]));
    let both = of_cilium(mesh).list(Kind::LinkerdServer, vec![rule]);
    let verdict = told(&tried(both, &[0; 6]));
    let needs: Vec<&str> = verdict.unknown.iter().map(|u| u.need.as_str()).collect();
    assert!(needs.iter().any(|need| need.contains("/mesh")), "{needs:?}");
    assert!(!needs.iter().any(|need| need.contains("closed")), "{needs:?}");
    assert!(!says_reached(&verdict));
}

#[test]
fn a_connection_says_nothing_of_rules_that_read_requests() {
    for more in [
        json!({"toPorts": [{"rules": {"http": [{"method": "GET"}]}}]}),
        json!({"toPorts": [{"serverNames": ["prom"]}]}),
        json!({"fromEndpoints": [{"matchLabels": {"apps.kubernetes.io/pod-index": "0"}}]}),
    ] {
        let verdict = told(&tried(of_cilium_with(world(), &more), &[0; 6]));
        assert!(verdict.unknown.iter().any(|u| u.vital && u.need.contains("closed")), "{more}");
        assert!(verdict.findings.is_empty(), "{verdict:#?}");
    }
}

#[test]
fn whoever_did_not_allow_it_is_told_the_command() {
    let mut world = of_cilium(world());
    world.seen.inside.consented = false;
    let unknown = told(&world).unknown;
    let get = "kubectl prom-fix bind sts/p -n mon --client mon/deploy/grafana --inspect";
    assert!(unknown.iter().any(|u| u.vital && u.get == get), "{unknown:#?}");
}

fn kept(world: &World) -> (Finding, Vec<String>) {
    let found = told(world).findings;
    let [finding] = found.as_slice() else { panic!("{found:#?}") };
    let Next::Blocked(blocked) = job(world, |job| job.next(&world.seen, &found)) else {
        panic!("no policy of ours is known to help")
    };
    assert!(blocked.why.starts_with("no NetworkPolicy keeps it away"), "{}", blocked.why);
    (finding.clone(), blocked.ways)
}

#[test]
fn kept_away_it_is_told_and_what_to_change_is_not_ours() {
    // A plugin may keep the API server away, too; the kubelet of its node it does not.
    let world = tried(of_cilium(world()), &[SILENT; 15]);
    let (finding, ways) = kept(&world);
    assert_eq!((finding.code.0, finding.severity), ("bind/network-policy", Severity::Error));
    assert!(finding.says.starts_with("is not reached by a pod with the labels of"), "{finding:?}");
    let of =
        |field: &str| finding.evidence.iter().find(|e| e.field == field).map(|e| e.value.as_str());
    assert_eq!(of("a pod in its stead"), Some("no answer in time"));
    let node = "n1, for n2, where the client is, does not have the image";
    assert_eq!(of("asked from node"), Some(node));
    assert!(ways[0].contains("ciliumnetworkpolicy/closed"), "{ways:?}");
    let paths = job(&world, |job| job.paths(&world.seen, std::slice::from_ref(&finding)));
    let step = paths[0].steps.iter().find(|step| step.name == "policies").expect("a step");
    assert_eq!(step.passage, Passage::Broken, "{step:?}");
    let late = [0, 0, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED];
    let (_, ways) = kept(&answers(tried(self::world(), &late), yes()));
    assert!(ways[0].starts_with("ask who runs the network plugin"), "{ways:?}");
}

/// A wrong "kept away" sends a person to the wrong place.
#[test]
fn what_may_be_the_servers_own_doing_is_not_known() {
    let down = |world: World| answers(tried(world, &[REFUSED; 15]), yes());
    let since = "/status/conditions/0/lastTransitionTime";
    let unread = Fact::Unreadable("forbidden".into());
    let exec = json!({"exec": {"command": ["true"]}});
    let probed = |probe| world().set("/spec/containers/0/readinessProbe", probe);
    let by_label =
        json!({"fromEndpoints": [{"matchLabels": {"apps.kubernetes.io/pod-index": "0"}}]});
    let by_address = json!({"metadata": {"name": "block", "namespace": "mon"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.9/32"}}]}]}});
    let mut moved = down(world());
    moved.pod()["status"]["podIP"] = json!("10.0.0.2");
    for (name, world) in [
        ("now and now not", answers(tried(world(), &[0, SILENT, 0, SILENT, 0, 0]), yes())),
        ("ended early", answers(tried(world(), &[SILENT, SILENT]), yes())),
        ("ready since", down(world()).set(since, json!("2026-11-22T17:50:05Z"))),
        ("another pod by now", moved),
        ("others are not seen to be answered", answers(tried(probed(exec), &[SILENT; 15]), unread)),
        ("a rule by a label of its controller", down(of_cilium_with(world(), &by_label))),
        ("a policy by addresses", down(world().list(Kind::NetworkPolicy, vec![by_address]))),
    ] {
        let verdict = told(&world);
        assert!(verdict.findings.is_empty(), "{name}: {verdict:#?}");
        assert!(verdict.unknown.iter().any(|unknown| unknown.vital), "{name}: {verdict:#?}");
        let paths = job(&world, |job| job.paths(&world.seen, &[]));
        let step = paths[0].steps.iter().find(|step| step.name == "policies").expect("a step");
        assert_eq!(step.passage, Passage::NotKnown, "{name}: {step:?}");
    }
}
