//! Where a mesh keeps its rules for all namespaces, and what is said where that is not known.

use serde_json::{Value, json};

use super::client::{asked_by, job, running, says_reached, told};
use super::fixture::{World, put};
use crate::model::{Fact, Kind, Need, ObjectRef, Seen};

fn config() -> Need {
    Need::Object(ObjectRef::new(Kind::ConfigMap, "istio-system", "istio"))
}

/// Istio's API is there without a rule, its sidecar in the pod where that is said, and its
/// configuration is this.
fn meshed(sidecar: bool, config_map: Fact) -> World {
    let mut world = asked_by(1, running());
    if sidecar {
        put(world.pod(), "/spec/initContainers", json!([{"name": "istio-proxy"}]));
    }
    let none = || Fact::Known(Seen::List(Vec::new()));
    for kind in [Kind::AuthorizationPolicy, Kind::PeerAuthentication] {
        for space in ["mon", "istio-system"] {
            world.seen.facts.insert(Need::list(kind, space), none());
        }
    }
    assert!(job(&world, |job| job.needs(&world.seen)).contains(&config()));
    world.seen.facts.insert(config(), config_map);
    world
}

fn with_mesh(text: &str) -> Fact {
    Fact::Known(Seen::Object(json!({"metadata": {"name": "istio"}, "data": {"mesh": text}})))
}

#[test]
fn the_rules_for_all_are_looked_for_where_the_mesh_keeps_them() {
    let own = told(&meshed(true, with_mesh("accessLogFile: /dev/stdout\n")));
    assert!(says_reached(&own) && own.unknown.is_empty(), "{own:#?}");

    let mut moved = meshed(true, with_mesh("rootNamespace: mesh-config\n"));
    let rules = |kind| Need::list(kind, "mesh-config");
    let needs = job(&moved, |job| job.needs(&moved.seen));
    assert!(needs.contains(&rules(Kind::AuthorizationPolicy)), "{needs:#?}");
    let rule: Value = json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": "deny", "namespace": "mesh-config"}, "spec": {}});
    let found = Fact::Known(Seen::List(vec![rule]));
    moved.seen.facts.insert(rules(Kind::AuthorizationPolicy), found);
    moved.seen.facts.insert(rules(Kind::PeerAuthentication), Fact::Known(Seen::List(Vec::new())));
    let verdict = told(&moved);
    assert!(
        verdict.unknown.iter().any(|u| u.vital && u.need.contains("/deny lets")),
        "{verdict:#?}"
    );
    assert!(!says_reached(&verdict));
}

#[test]
fn of_a_mesh_whose_configuration_is_not_read_it_is_not_known() {
    let unread = || Fact::Unreadable("forbidden".into());
    for fact in [Fact::Absent, unread(), with_mesh("- no: map")] {
        let verdict = told(&meshed(true, fact));
        let says = |need: &str| need.contains("whether Istio keeps its rules for all");
        assert!(verdict.unknown.iter().any(|u| says(&u.need)), "{verdict:#?}");
        assert!(!says_reached(&verdict));
    }
    let beside = told(&meshed(false, unread()));
    assert!(says_reached(&beside) && beside.unknown.is_empty(), "{beside:#?}");
}
