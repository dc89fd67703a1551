//! A log that cannot be replayed: looked at from a helper pod, beside the pod that cannot start.

use super::install::{Install, Kind, ROOMY};
use super::life::{first, text, until_told};
use super::scene::{Scene, essence, until};

/// A segment in the middle of the log is gone.
pub fn with_gap(scene: &Scene) {
    let install = Install { scrapes: false, ..Install::new(Kind::Set, "v3.16.0", ROOMY) };
    install.apply(scene);
    // Each start begins a segment.
    for _ in 0..3 {
        scene.until_ready("prom-0", 60);
        scene.kubectl(&["delete", "pod", "prom-0"]).expect(0);
    }
    scene.until_ready("prom-0", 60);
    Install { replicas: 0, ..install.clone() }.apply(scene);
    install.until_no_pods(scene);
    std::fs::remove_file(scene.folder("data-prom-0").join("wal/00000001"))
        .expect("a segment in the middle");
    install.apply(scene);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_gap_is_looked_at_and_what_can_be_kept_is_said() {
    let scene = Scene::new("gap");
    with_gap(&scene);
    let asks = until_told(&scene, "sts/prom", &["wal/gap"]);
    assert_eq!(text(&asks, "/reports/0/blocked/reason"), "needs-inspect", "{asks:#}");
    let report = scene.plugin(&["wal", "sts/prom", "--inspect", "-o", "json"]).expect(2).json();
    let evidence = report.pointer("/reports/0/findings/0/evidence").expect("evidence").to_string();
    assert!(evidence.contains("wal goes from segment 0 to 2"), "{evidence}");
    assert!(evidence.contains("kept by a salvage"), "{evidence}");
    let rows = report.pointer("/reports/0/directories/0/map/rows").expect("a map");
    let rows = rows.as_array().expect("rows").iter();
    let rows: Vec<String> =
        rows.map(|row| format!("{}-{} {}", row["first"], row["last"], row["state"])).collect();
    assert_eq!(rows[1], "1-1 \"missing\"", "{rows:?}");
    assert!(first(&report, "/plan/title").starts_with("mend the log of pod/prom-0"));
    until("nothing of it is left", 20, || {
        let managed = "app.kubernetes.io/managed-by=prom-fix";
        scene.kubectl(&["get", "pods", "-l", managed, "-o", "name"]).stdout.is_empty()
    });
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn what_is_frozen_does_not_start_until_it_is_let_go() {
    let scene = Scene::new("freeze");
    with_gap(&scene);
    until_told(&scene, "sts/prom", &["wal/gap"]);
    let before = essence(&scene.get("sts/prom"));
    let uid = || scene.field("pod/prom-0", ".metadata.uid");
    let first = uid();
    scene.plugin(&["freeze", "sts/prom", "--yes"]).expect(0);
    assert_eq!(scene.field("pod/prom-0", ".status.phase"), "Failed");
    std::thread::sleep(std::time::Duration::from_secs(15));
    assert_eq!(uid(), first, "its set made no other");
    assert_eq!(essence(&scene.get("sts/prom")), before, "the set is as it was");
    assert!(scene.plugin(&["receipts"]).expect(0).stdout.contains("held"));
    scene.plugin(&["freeze", "sts/prom", "--yes"]).expect(3);
    scene.plugin(&["undo", "--yes"]).expect(0);
    until("its set makes it again", 30, || uid() != first && !uid().is_empty());
    until_told(&scene, "sts/prom", &["wal/gap"]);
}
