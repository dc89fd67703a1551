//! Which rules of plugins, administrators and meshes have a say at an end of a connection.

use serde_json::{Value, json};

use crate::model::Kind;
use crate::subject::network::Direction;
use crate::subject::plugin::{MESH_ROOT, Side, concerns};

/// A rule of a kind in a namespace of this name; none for a kind of the cluster.
fn rule(kind: Kind, namespace: &str, spec: &Value) -> Value {
    json!({"apiVersion": kind.api_version(), "kind": kind.name(),
        "metadata": {"name": "r", "namespace": namespace}, "spec": spec})
}

fn namespace() -> Value {
    json!({"metadata": {"name": "mon", "labels": {"team": "sre"}}})
}

/// A server with both sidecars.
fn pod() -> Value {
    json!({"metadata": {"name": "p", "namespace": "mon", "labels": {"app": "prom"}},
        "spec": {"initContainers": [{"name": "linkerd-proxy"}],
            "containers": [{"name": "istio-proxy"},
                {"name": "prometheus", "ports": [{"name": "web", "containerPort": 9090}]}]}})
}

fn says(rule: &Value, pod: &Value, direction: Direction) -> bool {
    concerns(
        rule,
        &Side { pod, namespace: &namespace(), direction, port: 9090, mesh_root: MESH_ROOT },
    )
}

#[track_caller]
fn check(kind: Kind, at: &str, rows: &[(Value, bool)]) {
    for (spec, wanted) in rows {
        let said = says(&rule(kind, at, spec), &pod(), Direction::Ingress);
        assert_eq!(said, *wanted, "{kind:?} {spec}");
    }
}

#[test]
fn cilium_selects_by_labels_of_the_pod_and_of_its_namespace() {
    let labels = |all: Value| json!({"endpointSelector": {"matchLabels": all}, "ingress": []});
    let term = |operator: &str, value: &str| {
        let term = json!({"key": "app", "operator": operator, "values": [value]});
        json!({"endpointSelector": {"matchExpressions": [term]}, "ingress": []})
    };
    let rows = [
        (labels(json!({})), true),
        (labels(json!({"app": "prom"})), true),
        (labels(json!({"app": "x"})), false),
        (labels(json!({"k8s:app": "x"})), false),
        (labels(json!({"k8s:io.kubernetes.pod.namespace": "mon"})), true),
        (labels(json!({"io.kubernetes.pod.namespace": "x"})), false),
        (labels(json!({"io.cilium.k8s.namespace.labels.team": "dev"})), false),
        (labels(json!({"io.cilium.k8s.policy.serviceaccount": "x"})), true),
        (term("In", "x"), false),
        (term("NotIn", "prom"), true),
        (json!({"endpointSelector": {}, "egress": [{}]}), false),
        (json!({"endpointSelector": {}, "ingressDeny": [{}]}), true),
        (json!({"nodeSelector": {}, "ingress": []}), false),
    ];
    check(Kind::CiliumClusterwideNetworkPolicy, "", &rows);
    check(Kind::CiliumNetworkPolicy, "mon", &rows);
    check(Kind::CiliumNetworkPolicy, "other", &[(labels(json!({})), false)]);
}

#[test]
fn calico_selects_by_expressions_and_one_that_is_not_understood_may_select() {
    let of = |selector: &str| json!({"selector": selector, "types": ["Ingress"]});
    let rows = [
        (of("app == 'prom'"), true),
        (of("app == \"x\" && has(app)"), false),
        (of("app == 'x' || all()"), true),
        (of("has(tier)"), false),
        (of("app in {'x'}"), true),
        (of("projectcalico.org/namespace == 'x'"), false),
        (of("pcns.team == 'dev'"), true),
        (json!({}), true),
        (json!({"types": ["Egress"]}), false),
        (json!({"egress": [{"action": "Deny"}]}), false),
    ];
    check(Kind::CalicoNetworkPolicy, "mon", &rows);
    check(Kind::CalicoGlobalNetworkPolicy, "", &rows);
    let of_namespace = |selector: &str| json!({"namespaceSelector": selector});
    let rows = [
        (of_namespace("projectcalico.org/name == 'mon'"), true),
        (of_namespace("team == 'dev'"), false),
    ];
    check(Kind::CalicoGlobalNetworkPolicy, "", &rows);
}

#[test]
fn an_administrator_selects_namespaces_or_pods_of_them() {
    let of = |subject: Value| json!({"subject": subject, "ingress": [{"action": "Deny"}]});
    let labels = |key: &str, value: &str| json!({"matchLabels": {key: value}});
    let pods = |team: &str, app: &str| {
        let (team, app) = (labels("team", team), labels("app", app));
        of(json!({"pods": {"namespaceSelector": team, "podSelector": app}}))
    };
    let rows = [
        (of(json!({"namespaces": {}})), true),
        (of(json!({"namespaces": labels("team", "dev")})), false),
        (pods("sre", "prom"), true),
        (pods("sre", "x"), false),
        (pods("dev", "prom"), false),
        (json!({"subject": {"namespaces": {}}, "egress": [{"action": "Deny"}]}), false),
    ];
    check(Kind::AdminNetworkPolicy, "", &rows);
    check(Kind::BaselineAdminNetworkPolicy, "", &rows);
    check(Kind::ClusterNetworkPolicy, "", &rows);
}

#[test]
fn a_mesh_selects_pods_of_the_namespace_and_from_its_root_of_all() {
    let labels = |app: &str| json!({"selector": {"matchLabels": {"app": app}}});
    let rows = [(json!({}), true), (labels("prom"), true), (labels("x"), false)];
    for kind in [Kind::AuthorizationPolicy, Kind::PeerAuthentication] {
        check(kind, "mon", &rows);
        check(kind, MESH_ROOT, &rows);
        check(kind, "other", &[(json!({}), false)]);
    }
    let port = |port: Value| json!({"podSelector": {}, "port": port});
    let rows = [(port(json!("web")), true), (port(json!(9090)), true), (port(json!(80)), false)];
    check(Kind::LinkerdServer, "mon", &rows);
}

#[test]
fn a_mesh_has_no_say_over_a_pod_that_is_not_in_it_nor_on_the_way_out() {
    let mesh = [
        rule(Kind::PeerAuthentication, MESH_ROOT, &json!({})),
        rule(Kind::LinkerdServer, "mon", &json!({"podSelector": {}, "port": 9090})),
    ];
    let mut bare = pod();
    bare["spec"] = json!({"containers": [{"name": "prometheus"}]});
    for one in &mesh {
        assert!(says(one, &pod(), Direction::Ingress));
        assert!(!says(one, &pod(), Direction::Egress));
        assert!(!says(one, &bare, Direction::Ingress));
    }
    bare["metadata"]["annotations"] = json!({"ambient.istio.io/redirection": "enabled"});
    assert!(says(&mesh[0], &bare, Direction::Ingress));
}

#[test]
fn a_pod_on_its_nodes_network_is_selected_as_the_node() {
    let mut host = pod();
    host["spec"]["hostNetwork"] = json!(true);
    let node = rule(Kind::CiliumClusterwideNetworkPolicy, "", &json!({"nodeSelector": {}}));
    let all = rule(Kind::CalicoGlobalNetworkPolicy, "", &json!({"selector": "role == 'node'"}));
    let admin = rule(
        Kind::AdminNetworkPolicy,
        "",
        &json!({"subject": {"namespaces": {}}, "ingress": [{"action": "Deny"}]}),
    );
    let way = Direction::Ingress;
    assert!(says(&node, &host, way) && says(&all, &host, way) && !says(&admin, &host, way));
}
