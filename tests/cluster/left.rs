//! What stays on a cluster once all is done or taken back: receipts, and nothing else.

use serde_json::Value;

use super::life::text;
use super::scene::{Scene, until};

#[track_caller]
pub fn nothing_is_left(scene: &Scene) {
    no_helper_is_left(scene);
    let pods = scene.kubectl(&["get", "pods", "-o", "json"]).expect(0).json();
    let held = |pod: &Value| text(pod, "/metadata/finalizers/0").contains("prom-fix");
    let all = pods["items"].as_array().expect("a list");
    assert!(!all.iter().any(held), "nothing is held");
}

#[track_caller]
pub fn no_helper_is_left(scene: &Scene) {
    let managed = "app.kubernetes.io/managed-by=prom-fix";
    until("no helper is left", 20, || {
        scene.kubectl(&["get", "pods", "-l", managed, "-o", "name"]).stdout.is_empty()
    });
    let maps = scene.kubectl(&["get", "cm", "-l", managed, "-o", "name"]).stdout;
    assert!(maps.lines().all(|name| !name.contains("agent")), "{maps}");
}
