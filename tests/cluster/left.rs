//! What stays on a cluster once all is done or taken back: receipts, and nothing else.

use serde_json::Value;

use super::api;
use super::life::text;
use super::scene::{Scene, until};

#[track_caller]
pub fn nothing_is_left(scene: &Scene) {
    no_helper_is_left(scene);
    let pods = scene.get("pod");
    let held = |pod: &Value| text(pod, "/metadata/finalizers/0").contains("prom-fix");
    let all = pods["items"].as_array().expect("a list");
    assert!(!all.iter().any(held), "nothing is held");
}

#[track_caller]
pub fn no_helper_is_left(scene: &Scene) {
    until("no helper is left", 20, || ours(scene, "pods").is_some_and(|all| all.is_empty()));
    let mut maps = Vec::new();
    until("its ConfigMaps are told", 20, || {
        ours(scene, "configmaps").map(|all| maps = all).is_some()
    });
    let odd: Vec<&Value> =
        maps.iter().filter(|map| map.pointer("/data/receipt.json").is_none()).collect();
    assert!(odd.is_empty(), "{odd:#?}");
}

/// What this program has made of a kind.
fn ours(scene: &Scene, plural: &str) -> Option<Vec<Value>> {
    let managed = "app.kubernetes.io%2Fmanaged-by%3Dprom-fix";
    let path = format!("/api/v1/namespaces/{}/{plural}?labelSelector={managed}", scene.ns);
    api::get_json(&path).ok()?["items"].as_array().cloned()
}
