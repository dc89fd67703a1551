//! Servers that run, and what stands between them and who asks.

use serde_json::json;

use super::fixture::healthy;
use super::states::{READY, check};
use crate::model::Kind;

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
        ("bind/port-mismatch", up().flag("web.listen-address", "0.0.0.0:9095")),
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
