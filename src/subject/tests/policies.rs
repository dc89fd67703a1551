//! What the simulator of tests/policy.rs cannot be asked: nodes, defaults, what plugins differ in.

use serde_json::{Value, json};

use crate::subject::network::{Direction, End, Ruling, Way, rule};

fn pod(labels: &Value, host: bool) -> Value {
    json!({
        "metadata": {"name": "p", "namespace": "mon", "labels": labels},
        "spec": {"hostNetwork": host, "containers": [], "initContainers":
            [{"restartPolicy": "Always", "ports": [{"name": "web", "containerPort": 9090}]}]},
        "status": {"podIPs": [{"ip": "10.1.0.7"}, {"ip": "fd00::7"}]},
    })
}

fn ingress(spec: Value) -> Value {
    let mut spec = spec;
    spec["podSelector"] = json!({});
    json!({"metadata": {"name": "n", "namespace": "mon"}, "spec": spec})
}

fn ruled<'a>(policy: &'a Value, client: End<'_>, server: &Value, way: Direction) -> Ruling<'a> {
    let namespace = json!({"metadata": {"name": "mon"}});
    let server = End::Pod { pod: server, namespace: &namespace };
    rule(&[policy], &Way { client, server, port: 9090, protocol: "TCP" }, way)
}

#[test]
fn unset_types_are_ingress_and_egress_only_with_rules() {
    let server = pod(&json!({}), false);
    let client = End::Address("192.0.2.1".parse().unwrap());
    let policy = ingress(json!({}));
    assert_eq!(ruled(&policy, client, &server, Direction::Ingress), Ruling::Denied(vec![&policy]));
    let namespace = json!({"metadata": {"name": "mon"}});
    let from = End::Pod { pod: &server, namespace: &namespace };
    assert_eq!(ruled(&policy, from, &server, Direction::Egress), Ruling::Open);
    let policy = ingress(json!({"egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}));
    assert_eq!(ruled(&policy, from, &server, Direction::Egress), Ruling::Denied(vec![&policy]));
    assert_eq!(ruled(&policy, client, &server, Direction::Egress), Ruling::Open);
}

#[test]
fn a_pod_on_its_nodes_network_is_not_judged() {
    let (server, host) = (pod(&json!({}), false), pod(&json!({"app": "a"}), true));
    let namespace = json!({"metadata": {"name": "mon"}});
    let policy = ingress(json!({"ingress": [{"from": [{"podSelector": {}}]}]}));
    let from = |pod| End::Pod { pod, namespace: &namespace };
    assert!(matches!(ruled(&policy, from(&host), &server, Direction::Ingress), Ruling::Plugin(_)));
    assert!(matches!(ruled(&policy, from(&server), &host, Direction::Ingress), Ruling::Plugin(_)));
    assert!(matches!(
        ruled(&policy, from(&server), &server, Direction::Ingress),
        Ruling::Allowed(_)
    ));
}

#[test]
fn a_block_of_addresses_is_for_pods_what_the_plugin_makes_of_it() {
    let server = pod(&json!({}), false);
    let namespace = json!({"metadata": {"name": "mon"}});
    let client = End::Pod { pod: &server, namespace: &namespace };
    let policy = ingress(json!({"ingress": [{"from": [{"ipBlock": {"cidr": "fd00::/8"}}]}]}));
    assert!(matches!(ruled(&policy, client, &server, Direction::Ingress), Ruling::Plugin(_)));
    let node = |address: &str| End::Address(address.parse().unwrap());
    let way = Direction::Ingress;
    assert_eq!(ruled(&policy, node("fd00::9"), &server, way), Ruling::Allowed(&policy));
    assert_eq!(ruled(&policy, node("10.1.0.9"), &server, way), Ruling::Denied(vec![&policy]));
}

#[test]
fn a_port_may_be_named_by_a_sidecar_that_restarts() {
    let server = pod(&json!({}), false);
    let client = End::Address("192.0.2.1".parse().unwrap());
    let port = |name: &str| ingress(json!({"ingress": [{"ports": [{"port": name}]}]}));
    let (web, other) = (port("web"), port("other"));
    assert_eq!(ruled(&web, client, &server, Direction::Ingress), Ruling::Allowed(&web));
    assert_eq!(ruled(&other, client, &server, Direction::Ingress), Ruling::Denied(vec![&other]));
}
