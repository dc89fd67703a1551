//! What a salvage leaves, and what it says.

use std::fs;
use std::path::Path;

use crate::directory::{self as d, everything, folder, run};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

/// Path, act and why of each step.
fn steps(report: &serde_json::Value) -> Vec<String> {
    let step = |file: &serde_json::Value| {
        let word = |value: &serde_json::Value| value.to_string().replace('"', "");
        [&file["path"], &file["act"], &file["why"]].map(word).join(" ")
    };
    report["files"].as_array().expect("a list").iter().map(step).collect()
}

#[test]
fn a_healthy_directory_is_not_touched() {
    let folder = folder();
    d::healthy(folder.path());
    let before = everything(folder.path());
    let report = json(&run(&["salvage", "--json"], folder.path(), 0));
    assert_eq!((&report["outcome"], &report["files"]), (&"clean".into(), &serde_json::json!([])));
    assert_eq!(everything(folder.path()), before);
    run(&["resume"], folder.path(), 0);
    let refused = run(&["restore"], folder.path(), 3);
    assert!(refused.contains("nothing was salvaged here"), "{refused}");
    assert_eq!(everything(folder.path()), before);
}

#[test]
fn every_kind_of_damage_is_mended_once_and_can_be_put_back() {
    let folder = folder();
    let root = folder.path();
    d::damaged(root);
    let before = everything(root);
    let planned = json(&run(&["salvage", "--dry-run", "--json"], root, 2));
    assert_eq!(everything(root), before, "a dry run writes nothing");
    let report = json(&run(&["salvage", "--json"], root, 0));
    assert_eq!(steps(&report), steps(&planned));
    let expected = [
        "wal/00000007 {guard:115} refs-lost",
        "wal/checkpoint.00000001 set-aside not-a-folder",
        "wal/checkpoint.00000002/00000000 rewrite corrupt",
        "wal/5 set-aside duplicate",
        "wal/00000002 set-aside behind-checkpoint",
        "wal/00000004 empty missing",
        "wal/00000003 rewrite corrupt",
        "wal/00000006 rewrite corrupt",
        "wbl/00000001 empty missing",
        "wbl/00000000 rewrite corrupt",
        "chunks_head/000003 set-aside after-fault",
        "chunks_head/000002 {shorten:476} corrupt",
        "chunk_snapshot.000009.0000000100 set-aside snapshot-useless",
    ];
    assert_eq!(steps(&report), expected);
    // Those of segment 6 lost their Series record, those of segment 4 with it.
    let named = serde_json::json!({"110": 1, "111": 1, "112": 1, "113": 1, "114": 1});
    let orphans = serde_json::json!({"samples": 5, "series": 5, "named": named});
    assert_eq!(report["orphans"], orphans);
    let after = everything(root);
    for name in ["wal/00000003", "chunks_head/000002", "wbl/00000000"] {
        let (mode, uid, gid, _) = &after[Path::new(name)];
        let (old_mode, old_uid, old_gid, _) = &before[Path::new(name)];
        assert_eq!((mode, uid, gid), (old_mode, old_uid, old_gid), "{name}");
    }
    assert!(!after.contains_key(Path::new("lock")));
    let again = json(&run(&["salvage", "--json"], root, 0));
    assert_eq!(again["outcome"], "clean");
    assert_eq!(again["kept"], report["kept"]);
    assert_eq!(everything(root), after);
    run(&["restore"], root, 0);
    assert_eq!(everything(root), before);
}

#[test]
fn what_prometheus_wrote_since_is_not_overwritten() {
    let folder = folder();
    let root = folder.path();
    d::damaged(root);
    run(&["salvage"], root, 0);
    for (name, bytes) in [("wal/00000008", b"new".as_slice()), ("chunks_head/000003", b"new")] {
        fs::write(root.join(name), bytes).expect("written");
        let before = everything(root);
        let refused = run(&["restore"], root, 3);
        assert!(refused.contains(name) && refused.contains("Prometheus has started"), "{refused}");
        assert_eq!(everything(root), before);
        fs::remove_file(root.join(name)).expect("removed");
    }
    d::flip(root, "wal/00000003", 10);
    let refused = run(&["restore"], root, 3);
    assert!(refused.contains("wal/00000003"), "{refused}");
}

#[test]
fn a_link_is_not_followed() {
    for name in ["wal", "wal/00000003", "chunks_head/000002", "wal/checkpoint.00000002"] {
        let (folder, outside) = (folder(), folder());
        let root = folder.path();
        d::damaged(root);
        let moved = outside.path().join("moved");
        fs::rename(root.join(name), &moved).expect("moved");
        std::os::unix::fs::symlink(&moved, root.join(name)).expect("a link");
        let before = (everything(root), everything(outside.path()));
        let output = d::agent("", &["salvage"], root);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        if name == "wal/checkpoint.00000002" {
            // A link by the name of a checkpoint stops every start, and goes aside as it is.
            assert_eq!(output.status.code(), Some(0), "{told}");
            run(&["restore"], root, 0);
        } else {
            assert_eq!(output.status.code(), Some(1), "{name}: {told}");
            assert!(told.contains(name), "{told}");
        }
        assert_eq!((everything(root), everything(outside.path())), before, "{name}");
    }
}
