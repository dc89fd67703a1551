//! A server that serves, and whose service discovery does not reach the API server.

use serde_json::{Value, json};

use super::fixture::{World, healthy};
use crate::model::{Fact, Kind, Need, Seen, Severity};

/// Of 2.53.3, ten seconds before it is looked at.
const TIMED_OUT: &str = "ts=2026-11-22T17:59:50.077Z caller=klog.go:116 level=error \
    component=k8s_client_runtime func=ErrorDepth msg=\"k8s.io/client-go@v0.29.3/tools/cache/\
    reflector.go:229: Failed to watch *v1.Pod: failed to list *v1.Pod: Get \
    \\\"https://10.96.0.1:443/api/v1/pods?limit=500&resourceVersion=0\\\": dial tcp 10.96.0.1:443: \
    i/o timeout\"";
const COUNTED: &str = "prometheus_sd_kubernetes_http_request_total{status_code=\"<error>\"} 31\n";

fn serving(log: &str) -> World {
    healthy().log(false, log)
}

fn policies(world: World, egress: &[Value]) -> World {
    let one = |rule: &Value| {
        json!({"metadata": {"name": "out", "namespace": "mon"},
               "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": rule}})
    };
    world.list(Kind::NetworkPolicy, egress.iter().map(one).collect())
}

fn at_6443(world: World) -> World {
    let need = Need::List {
        kind: Kind::EndpointSlice,
        namespace: Some("default".into()),
        labels: "kubernetes.io/service-name=kubernetes".into(),
    };
    let slice = json!({"metadata": {"name": "kubernetes", "namespace": "default"},
        "endpoints": [{"addresses": ["192.168.0.2"]}], "ports": [{"name": "https", "port": 6443}]});
    world.fact(need, Fact::Known(Seen::List(vec![slice])))
}

fn to(block: &str, port: u16) -> Value {
    json!([{"to": [{"ipBlock": {"cidr": block}}], "ports": [{"port": port}]}])
}

/// The warnings, and what is not known, by its reason.
fn told(world: World) -> (Vec<&'static str>, Vec<String>) {
    let (root, found, unknown) = world.diagnose();
    assert_eq!(root, None);
    assert!(found.iter().all(|one| one.severity == Severity::Warn), "{found:?}");
    let why = unknown.into_iter().filter(|one| one.need.contains("service discovery"));
    (found.iter().map(|one| one.code.0).collect(), why.map(|one| one.why).collect())
}

#[test]
fn the_policies_are_told_that_let_it_out_to_no_api_server() {
    let dns =
        json!([{"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}]);
    let kept = |rules: &[Value]| told(at_6443(policies(serving(TIMED_OUT), rules)));
    let by_policy = (vec!["bind/network-policy"], Vec::new());
    assert_eq!(kept(&[json!([])]), by_policy);
    assert_eq!(kept(&[json!([]), dns]), by_policy);
    assert_eq!(kept(&[to("192.168.0.0/24", 9100)]), by_policy);
    // Let out to its address or to its Service's alone: which of them a plugin looks at, differs.
    for rule in [to("192.168.0.2/32", 6443), to("10.96.0.1/32", 443)] {
        let (found, why) = kept(&[rule]);
        assert!(found.is_empty() && why[0].contains("which of them counts"), "{why:?}");
    }
    // To all: something else is in the way.
    for rules in [&[json!([{}])][..], &[]] {
        let (found, why) = kept(rules);
        assert!(found.is_empty() && why[0].starts_with("no NetworkPolicy of its"), "{why:?}");
        assert!(why[0].contains("i/o timeout"), "{why:?}");
    }
}

#[test]
fn what_is_not_read_blames_no_policy() {
    let (found, why) = told(policies(serving(TIMED_OUT), &[json!([])]));
    assert!(found.is_empty() && why[0].starts_with("the addresses of the API server"), "{why:?}");
    let need = Need::list(Kind::NetworkPolicy, "mon");
    let forbidden = Fact::Unreadable("forbidden".into());
    let (found, why) = told(at_6443(serving(TIMED_OUT)).fact(need, forbidden));
    assert!(found.is_empty() && why[0].starts_with("networkpolicies: forbidden"), "{why:?}");
}

#[test]
fn what_is_over_is_not_told() {
    let over = TIMED_OUT.replace("T17:59", "T17:39");
    let quiet = (Vec::new(), Vec::new());
    assert_eq!(told(at_6443(policies(serving(&over), &[json!([])]))), quiet);
    // A target that gives no answer is no API server.
    let scrape = "ts=2026-11-22T17:59:50.077Z caller=scrape.go:1 level=warn msg=\"Append failed: dial \
                  tcp 10.0.0.9:443: i/o timeout\"";
    assert_eq!(told(at_6443(policies(serving(scrape), &[json!([])]))), quiet);
}

/// 3.16 says nothing of it.
#[test]
fn what_was_counted_tells_where_the_log_does_not() {
    let counted = |text: &str, rules: &[Value]| {
        let mut world = at_6443(policies(serving(""), rules));
        let need = Need::http(world.pod(), 9090, "/metrics");
        told(world.fact(need, Fact::Known(Seen::Http { status: 200, body: text.into() }))).0
    };
    let closed = || [json!([])];
    assert_eq!(counted(COUNTED, &closed()), ["bind/network-policy"]);
    let once = format!("{COUNTED}{}", COUNTED.replace("<error>", "200"));
    let refused = format!("{COUNTED}{}", COUNTED.replace("<error>", "403"));
    assert!(counted(&refused, &closed()).is_empty(), "a refusal is an answer");
    let none = COUNTED.replace(" 31", " 0");
    for (text, rules) in [(&*once, closed()), (&*none, closed()), (COUNTED, [json!([{}])])] {
        assert!(counted(text, &rules).is_empty(), "{text}");
    }
}
