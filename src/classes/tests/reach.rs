//! Servers that run, and what stands between them and who asks.

use serde_json::json;

use super::fixture::{World, healthy};
use super::states::{READY, check};
use crate::model::{Kind, Next};

/// Each address that is given is listened on (3.0 and later).
fn repeated(world: World, addresses: [&str; 2]) -> World {
    addresses.iter().fold(world, |world, address| world.flag("web.listen-address", address))
}

/// What an operator writes it would write again.
#[test]
fn a_service_of_an_operator_is_not_patched() {
    let service = |owners: serde_json::Value| {
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "p", "namespace": "mon", "uid": "s", "ownerReferences": owners},
            "spec": {"selector": {"app": "p"}, "ports": [{"port": 80, "targetPort": 9091}]},
        });
        let slice = json!({
            "metadata": {"name": "p-x", "namespace": "mon", "labels": {"kubernetes.io/service-name": "p"}},
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}],
        });
        healthy().list(Kind::Service, vec![service]).list(Kind::EndpointSlice, vec![slice]).next()
    };
    assert!(matches!(service(json!([])), Next::Fix(_)));
    let owner = json!([{"apiVersion": "example.org/v1", "kind": "Monitor", "name": "m", "uid": "m", "controller": true}]);
    let Next::Blocked(blocked) = service(owner) else { panic!("no plan") };
    assert_eq!(blocked.why, "svc/p is written by Monitor m, which would take the patch back");
    assert_eq!(blocked.ways, ["change it there"]);
}

/// As kube-prometheus has it: one port for Prometheus, one for the config-reloader.
#[test]
fn of_two_ports_that_of_prometheus_is_judged() {
    let world = |ports: serde_json::Value| {
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "p", "namespace": "mon", "uid": "s"},
            "spec": {"selector": {"app": "p"}, "ports": ports},
        });
        let slice = json!({
            "metadata": {"name": "p-x", "namespace": "mon", "labels": {"kubernetes.io/service-name": "p"}},
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}],
        });
        let mut world =
            healthy().list(Kind::Service, vec![service]).list(Kind::EndpointSlice, vec![slice]);
        let reloader = json!({"name": "config-reloader", "image": "r",
            "ports": [{"name": "reloader-web", "containerPort": 8080}]});
        world.pod()["spec"]["containers"].as_array_mut().expect("containers").push(reloader);
        world
    };
    let port = |port: u16, target: &str| json!({"port": port, "targetPort": target});
    let reloader = port(8080, "reloader-web");
    let renamed = json!([reloader, port(9090, "gone")]);
    assert_eq!(world(renamed.clone()).diagnose().0, Some("bind/port-mismatch"));
    let Next::Fix(plan) = world(renamed).next() else { panic!("no plan") };
    let patch = serde_json::to_string(&plan.steps[0].action).expect("JSON");
    assert!(patch.contains("/spec/ports/1/targetPort"), "{patch}");
    assert_eq!(world(json!([reloader, port(9090, "web")])).diagnose().0, None);
    // Of a container that is not there: not for Prometheus.
    assert_eq!(world(json!([reloader, port(10902, "gone")])).diagnose().0, None);
}

#[test]
fn reaching_a_server_that_runs() {
    let since = "2026-11-22T17:00:00Z";
    let up = || healthy().running(since, READY);
    let service = |target: serde_json::Value, app: &str| {
        json!({"metadata": {"name": "p", "namespace": "mon"},
               "spec": {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": target}]}})
    };
    let slice = |ready: bool| {
        json!({"metadata": {"name": "p-x", "namespace": "mon", "labels": {"kubernetes.io/service-name": "p"}},
               "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}]})
    };
    let served = |service, slices: Vec<serde_json::Value>| {
        healthy().list(Kind::Service, vec![service]).list(Kind::EndpointSlice, slices)
    };
    let proxy = json!({"name": "kube-rbac-proxy", "image": "p", "args": ["--upstream=http://127.0.0.1:9090"]});
    let mut behind_proxy = healthy().flag("web.listen-address", "127.0.0.1:9090");
    behind_proxy.pod()["spec"]["containers"].as_array_mut().expect("containers").push(proxy);
    let thanos = json!({"name": "thanos-sidecar", "image": "quay.io/thanos/thanos:v0.37.0",
        "args": ["sidecar", "--prometheus.url=http://localhost:9090/"]});
    let beside_thanos = |mut world: World| {
        world = world.flag("web.listen-address", "127.0.0.1:9090");
        world.pod()["spec"]["containers"].as_array_mut().expect("containers").push(thanos.clone());
        world
    };
    // It is ready by a probe that is run inside of it, and asked by Thanos alone: as it was meant.
    assert_eq!(beside_thanos(healthy()).told(), ["warn bind/loopback"]);
    let statuscode = |code: &str| {
        up().pod_event(
            "Unhealthy",
            &format!("Readiness probe failed: HTTP probe failed with statuscode: {code}"),
        )
    };
    check(vec![
        ("bind/loopback", up().flag("web.listen-address", "127.0.0.1:9090")),
        ("bind/loopback", healthy().flag("web.listen-address", "localhost:9090")),
        ("none", behind_proxy),
        ("bind/loopback", beside_thanos(up())),
        ("bind/port-mismatch", up().flag("web.listen-address", "0.0.0.0:9095")),
        ("bind/loopback", repeated(up(), ["127.0.0.1:9090", "localhost:9091"])),
        ("bind/port-mismatch", repeated(up(), ["127.0.0.1:9090", ":9091"])),
        ("none", repeated(healthy(), [":9090", "127.0.0.1:9091"])),
        ("bind/port-mismatch", healthy().running(since, &format!("time=x level=INFO source=t.go:1 msg=\"Listening on\" component=web address=[::]:19095\n{READY}"))),
        ("bind/scheme-or-path", statuscode("401")),
        ("bind/scheme-or-path", statuscode("404")),
        ("other/overloaded", up().pod_event("Unhealthy", "Readiness probe failed: Get \"http://10.0.0.1:9090/-/ready\": context deadline exceeded")),
        ("none", served(service(json!("web"), "p"), vec![slice(true)])),
        ("none", served(service(json!(9090), "p"), vec![slice(true)])),
        ("bind/port-mismatch", served(service(json!(9091), "p"), vec![slice(true)])),
        ("bind/port-mismatch", served(service(json!("http"), "p"), vec![slice(true)])),
        ("bind/service-selector", served(service(json!("web"), "q"), vec![])),
        ("bind/no-ready-endpoint", served(service(json!("web"), "p"), vec![slice(false)])),
    ]);
    // Down for another reason: the Service only follows.
    let world = up()
        .pod_event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 401")
        .list(Kind::Service, vec![service(json!("web"), "p")])
        .list(Kind::EndpointSlice, vec![slice(false)]);
    let (root, all, _) = world.diagnose();
    assert_eq!(root, Some("bind/scheme-or-path"));
    let follows = all.iter().find(|f| f.code.0 == "bind/no-ready-endpoint").expect("a finding");
    assert_eq!(follows.because.map(|c| c.0), root);
}
