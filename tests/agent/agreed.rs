//! A salvage that is held to what somebody saw, and taken back after Prometheus has written.

use std::fs;
use std::path::Path;

use crate::directory::{self as d, everything, folder, json, run};

fn agreement(root: &Path) -> String {
    json(&run(&["survey", "--json"], root, 2))["agreement"].as_str().expect("a word").to_owned()
}

#[test]
fn more_starts_are_no_difference_and_a_repair_is() {
    let folder = folder();
    let root = folder.path();
    d::healthy(root);
    d::flip(root, "wal/00000006", 3000);
    let agreed = agreement(root);
    // A start that ended leaves an empty segment.
    d::put(root, "wal/00000007", &[]);
    assert_eq!(agreement(root), agreed);
    // Prometheus' own repair: the rest of the segment is gone.
    let before = fs::read(root.join("wal/00000006")).expect("a segment");
    d::put(root, "wal/00000006", &before[..2000]);
    let cut = everything(root);
    let refused = run(&["salvage", "--expect", &agreed, "--go-on"], root, 3);
    assert!(refused.contains("look again"), "{refused}");
    assert_eq!(everything(root), cut, "nothing was written");
    d::put(root, "wal/00000006", &before);
    let report = json(&run(&["salvage", "--expect", &agreed, "--go-on", "--json"], root, 0));
    assert_eq!((&report["outcome"], &report["agreed"]), (&"salvaged".into(), &agreed.into()));
}

#[test]
fn done_twice_it_is_done_once_and_put_back_twice_nothing_else_is() {
    let folder = folder();
    let root = folder.path();
    d::healthy(root);
    d::flip(root, "wal/00000006", 3000);
    // A salvage before it, whose traces stay.
    run(&["salvage"], root, 0);
    d::flip(root, "wal/00000005", 3000);
    let before = everything(root);
    let agreed = agreement(root);
    let words = ["salvage", "--expect", &agreed, "--go-on", "--json"];
    let first = json(&run(&words, root, 0));
    let after = everything(root);
    let second = json(&run(&words, root, 0));
    assert_eq!((first, everything(root)), (second, after));
    let back = ["restore", "--of", &agreed, "--json"];
    assert_eq!(json(&run(&back, root, 0))["outcome"], "restored");
    assert_eq!(everything(root), before);
    assert_eq!(json(&run(&back, root, 0))["outcome"], "nothing");
    assert_eq!(json(&run(&["restore", "--of", "chown", "--json"], root, 0))["outcome"], "nothing");
    assert_eq!(everything(root), before, "the salvage before it stays");
}

/// Nobody is told that there is nothing to put back where it only is not its turn.
#[test]
fn an_older_salvage_is_put_back_after_the_later_one() {
    let folder = folder();
    let root = folder.path();
    d::healthy(root);
    d::flip(root, "wal/00000006", 3000);
    let (before, first) = (everything(root), agreement(root));
    run(&["salvage", "--expect", &first], root, 0);
    d::flip(root, "wal/00000005", 3000);
    let second = agreement(root);
    run(&["salvage", "--expect", &second], root, 0);
    let both = everything(root);
    let refused = run(&["restore", "--of", &first, "--force"], root, 3);
    assert!(refused.contains("its old files are not the last that were set aside"), "{refused}");
    assert_eq!(everything(root), both);
    run(&["restore", "--of", &second], root, 0);
    d::flip(root, "wal/00000005", 3000);
    run(&["restore", "--of", &first], root, 0);
    assert_eq!(everything(root), before);
}

#[test]
fn what_was_written_since_is_set_aside_by_force_only() {
    let folder = folder();
    let root = folder.path();
    d::healthy(root);
    d::flip(root, "wal/00000006", 3000);
    let before = everything(root);
    run(&["salvage"], root, 0);
    let last = |n: u32| format!("wal/{n:08}");
    let new: Vec<String> = (7..10).map(last).filter(|name| !root.join(name).exists()).collect();
    for name in &new {
        d::put(root, name, &d::log(&[d::samples(100..101, 7)]));
    }
    d::put(root, "wal/checkpoint.00000009/00000000", b"x");
    let written = everything(root);
    let refused = run(&["restore"], root, 3);
    assert!(refused.contains("--force"), "{refused}");
    assert_eq!(everything(root), written);
    run(&["restore", "--force"], root, 0);
    let aside = |path: &Path| path.to_string_lossy().starts_with("prom-fix-");
    let mut now = everything(root);
    let kept: Vec<String> = now
        .keys()
        .filter(|path| aside(path))
        .filter_map(|path| Some(path.to_str()?.split_once("/old/")?.1.to_owned()))
        .collect();
    for name in new.iter().map(String::as_str).chain(["wal/checkpoint.00000009/00000000"]) {
        assert!(kept.iter().any(|path| path == name), "{name} of {kept:?}");
    }
    now.retain(|path, _| !aside(path));
    assert_eq!(now, before);
}

/// At the next full hour of two Prometheus begins a file of chunks under the number that was freed.
#[test]
fn what_was_written_under_a_name_that_was_freed_is_set_aside_too() {
    let folder = folder();
    let root = folder.path();
    d::put(root, "wal/00000000", &d::log(&[d::series(1..60), d::samples(1..60, 1000)]));
    let bad = "chunks_head/000001";
    d::put(root, bad, &[7; 64]);
    let before = everything(root);
    run(&["salvage"], root, 0);
    assert!(!root.join(bad).exists());
    d::put(root, bad, &d::chunks(1..9, 1000));
    let refused = run(&["restore"], root, 3);
    assert!(refused.contains("--force"), "{refused}");
    run(&["restore", "--force"], root, 0);
    let aside = |path: &Path| path.to_string_lossy().starts_with("prom-fix-");
    let mut now = everything(root);
    let kept = now.iter().find(|(path, _)| aside(path) && path.ends_with(bad));
    assert_eq!(kept.and_then(|(_, what)| what.3.clone()), Some(d::chunks(1..9, 1000)));
    now.retain(|path, _| !aside(path));
    assert_eq!(now, before);
}

/// A checkpoint has taken the place of segments: the old files are no longer its past.
#[test]
fn what_prometheus_took_away_is_no_past_to_go_back_to() {
    let folder = folder();
    let root = folder.path();
    d::healthy(root);
    d::flip(root, "wal/00000006", 3000);
    run(&["salvage"], root, 0);
    fs::remove_file(root.join("wal/00000003")).expect("a segment");
    d::put(root, "wal/00000012", &[]);
    let written = everything(root);
    let refused = run(&["restore", "--force"], root, 3);
    assert!(refused.contains("not the past") && !refused.contains("--force"), "{refused}");
    assert_eq!(everything(root), written);
}

/// A block fits beside any log: where nothing else was changed, it comes back whatever was written since.
#[test]
fn a_block_comes_back_whatever_was_written_since() {
    let folder = folder();
    let root = folder.path();
    d::healthy(root);
    let index = "01M827CT0DKCN5KG2K87TH0H4K/index";
    d::flip(root, index, 0);
    let block = fs::read(root.join(index)).expect("an index");
    run(&["salvage"], root, 0);
    assert!(!root.join(index).exists());
    fs::remove_file(root.join("wal/00000003")).expect("a segment");
    d::put(root, "wal/00000012", &[]);
    run(&["restore"], root, 0);
    assert_eq!(fs::read(root.join(index)).expect("it is back"), block);
    assert!(root.join("wal/00000012").exists());
}
