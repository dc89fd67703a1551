//! Probes without an answer: too slow, or not reached; and where nothing tells which, so it is said.

use serde_json::json;

use super::fixture::{World, healthy};
use super::states::READY;
use crate::model::{Fact, Kind, Need, Next, Seen};

const UP: &str = "2026-11-22T17:50:00Z";
const LATE: &str = "Readiness probe failed: Get \"http://10.0.0.1:9090/-/ready\": context deadline \
                    exceeded (Client.Timeout exceeded while awaiting headers)";
/// As kubelets of 2018 say it.
const UNCONNECTED: &str = "Readiness probe failed: Get http://10.0.0.1:9090/-/ready: net/http: \
                           request canceled while waiting for connection (Client.Timeout exceeded \
                           while awaiting headers)";
const BEFORE: &str = "2026-11-22T17:49:00Z";
const AFTER: &str = "2026-11-22T17:51:00Z";

/// Its condition Ready turned false at a time.
fn unanswered(changed: &str, event: &str) -> World {
    let at = "/status/conditions/0/lastTransitionTime";
    let world = healthy().running(UP, READY).set(at, json!(changed));
    world.set("/status/podIP", json!("10.0.0.1")).pod_event("Unhealthy", event)
}

fn silent() -> Fact {
    Fact::Unreadable("timed out".into())
}

fn answered() -> Fact {
    Fact::Known(Seen::Http { status: 200, body: "Ready.".into() })
}

fn asked(mut world: World, outside: Option<Fact>, inside: Option<Fact>) -> World {
    let needs = [
        (Need::http(world.pod(), 9090, "/-/ready"), outside),
        (Need::forward(world.pod(), 9090, "/-/ready"), inside),
    ];
    let known = needs.into_iter().filter_map(|(need, fact)| Some((need, fact?)));
    known.fold(world, |world, (need, fact)| world.fact(need, fact))
}

#[test]
fn slow_and_not_reached_are_told_apart_where_something_tells() {
    let (slow, lost, open) = ("overloaded", "what keeps n1", "whether pod/p-0 is too slow");
    let refused = || Fact::Unreadable("forbidden: pods/portforward".into());
    let rows = [
        // The kubelet was answered in this run.
        (slow, AFTER, LATE, None, None),
        (slow, AFTER, LATE, Some(silent()), None),
        (slow, AFTER, LATE, Some(silent()), Some(silent())),
        (slow, AFTER, LATE, Some(answered()), Some(answered())),
        (lost, AFTER, LATE, Some(silent()), Some(answered())),
        // It never was.
        (open, BEFORE, LATE, None, None),
        (open, BEFORE, LATE, Some(silent()), None),
        (open, BEFORE, LATE, Some(silent()), Some(refused())),
        (slow, BEFORE, LATE, Some(silent()), Some(silent())),
        (lost, BEFORE, LATE, Some(silent()), Some(answered())),
        // It answers, to who waits longer.
        (open, BEFORE, LATE, Some(answered()), None),
        (open, BEFORE, LATE, Some(answered()), Some(answered())),
        (open, BEFORE, LATE, None, Some(answered())),
        // There was not even a connection.
        (open, AFTER, UNCONNECTED, None, None),
        (lost, AFTER, UNCONNECTED, Some(silent()), Some(answered())),
        (lost, BEFORE, UNCONNECTED, Some(answered()), Some(answered())),
    ];
    for (wanted, changed, event, outside, inside) in rows {
        let shown = format!("{wanted}: {changed} {event} {outside:?} {inside:?}");
        let (root, found, unknown) = asked(unanswered(changed, event), outside, inside).diagnose();
        if wanted == slow {
            assert_eq!((root, unknown.len()), (Some("other/overloaded"), 0), "{shown}");
            continue;
        }
        assert!(root.is_none() && found.is_empty(), "{shown}: {found:?}");
        assert!(unknown[0].vital && unknown[0].need.starts_with(wanted), "{shown}: {unknown:?}");
    }
}

/// The Service in front is empty for the same reason, and no finding says which that is.
#[test]
fn where_its_node_does_not_reach_it_the_next_step_is_on_that_node() {
    let service = json!({"metadata": {"name": "front", "namespace": "mon"},
        "spec": {"selector": {"app": "p"}, "ports": [{"port": 80, "targetPort": "web"}]}});
    let slice = json!({"metadata": {"name": "front", "namespace": "mon",
            "labels": {"kubernetes.io/service-name": "front"}},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": false}}]});
    let world = asked(unanswered(BEFORE, LATE), Some(silent()), Some(answered()));
    let world = world.list(Kind::Service, vec![service]).list(Kind::EndpointSlice, vec![slice]);
    assert_eq!(world.diagnose().0, Some("bind/no-ready-endpoint"));
    let Next::Blocked(blocked) = world.next() else { panic!("no plan") };
    assert_eq!(blocked.why, "pod/p-0 answers on its loopback, and n1 does not reach it");
    let look = "on n1: curl -m 3 http://10.0.0.1:9090/-/ready; then its routes, its firewall and its \
                network plugin";
    assert_eq!(blocked.ways[0], look);
}
