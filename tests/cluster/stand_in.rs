//! A pod in a client's stead: what no object tells, it is told, by a plugin whose rules only the test
//! knows; and nobody takes it for one of the client's.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::audit::Mark;
use super::bind::{CLIENT, SERVICE, install, is_answered_to, states};
use super::enforcer::Enforcer;
use super::foreign::definition;
use super::install::Kind;
use super::left::no_helper_is_left;
use super::life::first;
use super::scene::{Said, Scene, kubectl, kubectl_in, until};

const RESOURCE: &str = "ciliumnetworkpolicies.cilium.io";

/// Removes what it made of the cluster's own, also where the test failed.
struct Definition;

impl Definition {
    fn new() -> Definition {
        let made = Definition;
        let text = definition(
            "ciliumnetworkpolicies",
            "CiliumNetworkPolicy",
            "cilium.io",
            "v2",
            "Namespaced",
        );
        kubectl_in(&["apply", "-f", "-"], &text).expect(0);
        until("it is served", 30, || kubectl(&["get", RESOURCE, "-A"]).code == 0);
        made
    }
}

impl Drop for Definition {
    fn drop(&mut self) {
        kubectl(&["delete", "crd", RESOURCE, "--ignore-not-found"]);
    }
}

/// What `rule` says of Prometheus in the words of its plugin, as the enforcer takes it.
fn only_from(scene: &Scene, tier: &str) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "hidden", "namespace": scene.ns},
        "spec": {"podSelector": {"matchLabels": {"app": "prom"}}, "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"namespaceSelector": {},
                "podSelector": {"matchLabels": {"tier": tier}}}]}]}})
}

/// The pods of the client and of its neighbour: unmoved by a stand-in.
fn others(of: &Scene) -> String {
    of.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"]).expect(0).stdout
}

/// What objects tell, each time that one changes.
struct Watch(Child);

impl Watch {
    fn new(of: &Scene, what: &[&str], told: &str) -> Watch {
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["-n", &of.ns, "get"]).args(what).args(["-w", "-o", told]);
        Watch(kubectl.stdout(Stdio::piped()).spawn().expect("kubectl is there"))
    }

    /// `true 10.0.0.1;` of each address behind the client's Service.
    fn ends(of: &Scene) -> Watch {
        let each = "jsonpath={range .endpoints[*]}{.conditions.ready} {.addresses[0]};{end}{'\\n'}";
        Watch::new(of, &["endpointslices", "-l", "kubernetes.io/service-name=front"], each)
    }

    /// `NAME False` of each pod, by whether it is ready.
    fn pods(of: &Scene) -> Watch {
        let ready = "{.status.conditions[?(@.type==\"Ready\")].status}";
        Watch::new(of, &["pods"], &format!("jsonpath={{.metadata.name}} {ready}{{'\\n'}}"))
    }

    fn told(mut self) -> String {
        self.0.kill().expect("it watches");
        let mut text = String::new();
        self.0.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
        self.0.wait().expect("it has ended");
        text
    }
}

struct Case {
    scene: Scene,
    of: Scene,
}

impl Case {
    fn ask(&self, client: &str, args: &[&str]) -> Said {
        let client = format!("{}/{client}", self.of.ns);
        let mut all = vec!["bind", "deploy/prom", "--client", &client, "-o", "json"];
        all.extend(args);
        self.scene.plugin(&all)
    }

    /// One is sent: nobody's pods are moved by it, and nothing of it stays.
    #[track_caller]
    fn send(&self, client: &str, exit: i32) -> Value {
        let (before, mark) = (others(&self.of), Mark::now());
        let (ends, pods) = (Watch::ends(&self.of), Watch::pods(&self.of));
        let report = self.ask(client, &["--inspect"]).expect(exit).json();
        assert_eq!(others(&self.of), before, "nobody took it for one of the client's");
        let ends = ends.told();
        let ready: BTreeSet<&str> =
            ends.split([';', '\n']).filter(|end| end.starts_with("true ")).collect();
        assert_eq!(ready.len(), 1, "the Service led to the client alone: {ends}");
        let pods = pods.told();
        let ours: Vec<&str> =
            pods.lines().filter(|line| line.starts_with("prom-fix-reach-")).collect();
        assert!(ours.iter().any(|line| line.ends_with(" False")), "it was there: {pods}");
        assert!(!ours.iter().any(|line| line.ends_with(" True")), "and never ready: {pods}");
        mark.only_our_own(&self.of.ns);
        no_helper_is_left(&self.of);
        no_helper_is_left(&self.scene);
        report
    }
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_pod_in_the_clients_stead_tells_what_a_plugin_does_with_it() {
    let case = Case { scene: Scene::new("stead"), of: Scene::new("asker") };
    let Case { scene, of } = &case;
    install(Kind::Deployment, "v2.42.0").apply(scene);
    scene.apply(SERVICE);
    let url = format!("http://front.{}.svc.cluster.local:9090/-/ready", scene.ns);
    of.apply(&CLIENT.replace("@URL@", &url));
    of.apply(&SERVICE.replace("app: prom", "app: grafana"));
    let viewer = CLIENT.replace("@URL@", &url).replace("Deployment", "ReplicaSet");
    of.apply(&viewer.replace("grafana", "viewer"));
    let is_answered = |wanted| is_answered_to(of, "grafana") == Some(wanted);
    until("it serves, and the client is answered", 90, || is_answered(true));
    // What keeps pods from being privileged does not keep it from being made.
    let level = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", &of.ns, level]).expect(0);

    let _definition = Definition::new();
    scene.apply(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: closed}\n\
         spec: {endpointSelector: {matchLabels: {app: prom}}, ingress: [{}]}\n",
    );
    let report = case.ask("deploy/grafana", &[]).expect(4).json();
    let unknown = report.pointer("/reports/0/unknown").expect("a list").to_string();
    assert!(unknown.contains("ciliumnetworkpolicy/closed"), "{unknown}");

    let lets_in = Enforcer::with(&[&scene.ns, &of.ns], vec![only_from(scene, "ui")]);
    // Without an owner it would be one of these, and one too many.
    case.send("rs/viewer", 0);
    let report = case.send("deploy/grafana", 0);
    let says = "takes connections from a pod with the labels of deploy/grafana";
    assert!(report.to_string().contains(says), "{report:#}");
    assert!(states(&report, 0).contains("policies ok"), "{report:#}");
    drop(lets_in);

    let _keeps_out = Enforcer::with(&[&scene.ns, &of.ns], vec![only_from(scene, "none")]);
    until("the client is kept away", 60, || is_answered(false));
    let report = case.send("deploy/grafana", 2);
    assert_eq!(first(&report, "/rootCause"), "bind/network-policy", "{report:#}");
    assert_eq!(first(&report, "/paths/0/broken"), "policies", "{report:#}");
    let told = report.to_string();
    assert!(told.contains("no answer in time") && told.contains("asked from node"), "{report:#}");
    let ways = report.pointer("/reports/0/blocked/ways").expect("no plan is known to help");
    assert!(ways.to_string().contains("ciliumnetworkpolicy/closed"), "{ways:#}");
}
