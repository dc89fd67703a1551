//! What a salvage set aside is told and freed: that, and nothing else that lies there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use prom_fix::datadir::lock::Lock;

use crate::directory::{self as d, Everything, everything, folder, json, run};

/// By path: its bytes, and whether it is to go.
fn told(words: &[&str], root: &Path) -> BTreeMap<String, (u64, bool)> {
    let said = json(&run(words, root, 0));
    let entries = said["entries"].as_array().expect("a list");
    let one = |entry: &serde_json::Value| {
        let path = entry["path"].as_str().expect("a path").to_owned();
        (path, (entry["bytes"].as_u64().expect("bytes"), entry["ours"] == true))
    };
    entries.iter().map(one).collect()
}

fn aside(all: &Everything) -> Vec<PathBuf> {
    let ours = |path: &&PathBuf| path.to_string_lossy().starts_with("prom-fix-");
    all.keys().filter(ours).cloned().collect()
}

fn salvaged(root: &Path) -> (String, Everything) {
    d::damaged(root);
    let before = everything(root);
    run(&["salvage", "--expect", &agreement(root)], root, 0);
    let name = aside(&everything(root))[0].to_string_lossy().into_owned();
    (name, before)
}

fn agreement(root: &Path) -> String {
    json(&run(&["survey", "--json"], root, 2))["agreement"].as_str().expect("a word").to_owned()
}

#[test]
fn all_that_was_set_aside_is_told_and_freed_while_prometheus_holds_the_lock() {
    let folder = folder();
    let root = folder.path();
    let (name, before) = salvaged(root);
    let after = everything(root);
    let _held = Lock::take(root).expect("nobody else has it");
    let all = told(&["cleanup"], root);
    let size = |path: &Path| {
        let was = before.get(path).expect("it was there before");
        was.3.as_ref().map_or(0, |bytes| bytes.len() as u64)
    };
    let mut files = 0;
    for (path, (bytes, ours)) in &all {
        assert!(ours, "{path}");
        let Ok(was) = Path::new(path).strip_prefix(format!("{name}/old")) else { continue };
        if was != Path::new("") {
            assert_eq!(*bytes, size(was), "{path}");
            files += usize::from(*bytes > 0);
        }
    }
    // Of folders that were set aside, what lies in them.
    assert!(all.contains_key(&format!("{name}/old/01M827CT0DKCN5KG2K87TH0H4K/chunks/000001")));
    assert!(files > 8, "{all:#?}");
    let mut now = everything(root);
    now.remove(Path::new("lock"));
    assert_eq!(now, after, "it was only told");

    assert_eq!(told(&["cleanup", "--of", "other:1", "--free"], root), BTreeMap::new());
    assert_eq!(told(&["cleanup", "--of", &name, "--free"], root), all);
    let mut now = everything(root);
    now.remove(Path::new("lock"));
    let kept = |path: &PathBuf| !path.to_string_lossy().starts_with(&name);
    assert_eq!(now, after.into_iter().filter(|(path, _)| kept(path)).collect());
    assert_eq!(told(&["cleanup", "--of", &name, "--free"], root), BTreeMap::new());
}

#[test]
fn what_somebody_put_there_is_said_and_stays() {
    let folder = folder();
    let root = folder.path();
    let (name, _) = salvaged(root);
    let foreign = [
        format!("{name}/notes"),
        format!("{name}/old/wal/00000099"),
        format!("{name}/old/01M827CT0DKCN5KG2K87TH0H4K/tombstones"),
        // As large as one that was set aside, and elsewhere.
        format!("{name}/new/wal/00000003"),
    ];
    for path in &foreign {
        d::put(root, path, b"of somebody else");
    }
    let copy = fs::read(root.join(&name).join("old/wal/00000003")).expect("it is aside");
    d::put(root, &foreign[3], &copy);
    let all = told(&["cleanup", "--free"], root);
    for path in &foreign {
        assert!(!all[path].1, "{path}");
    }
    let now = everything(root);
    let left: Vec<PathBuf> = aside(&now).into_iter().filter(|path| now[path].3.is_some()).collect();
    let mut wanted: Vec<PathBuf> = foreign.iter().map(PathBuf::from).collect();
    wanted.sort();
    assert_eq!(left, wanted);
    // No longer a salvage: the next one is not disturbed by it.
    run(&["restore"], root, 3);
    assert_eq!(told(&["cleanup"], root), BTreeMap::new());
}

#[test]
fn what_is_not_as_it_was_set_aside_is_not_freed() {
    for change in ["gone", "other"] {
        let folder = folder();
        let root = folder.path();
        let (name, _) = salvaged(root);
        let path = format!("{name}/old/wal/00000003");
        match change {
            "gone" => fs::remove_file(root.join(&path)).expect("it was there"),
            _ => d::flip(root, &path, 9),
        }
        let before = everything(root);
        let refused = run(&["cleanup", "--free"], root, 3);
        assert!(refused.contains(&name) && refused.contains("nothing was changed"), "{refused}");
        assert_eq!(everything(root), before);
    }
}

#[test]
fn what_a_restore_by_force_set_aside_is_freed_too() {
    let folder = folder();
    let root = folder.path();
    d::healthy(root);
    d::flip(root, "wal/00000006", 3000);
    let before = everything(root);
    let agreed = agreement(root);
    run(&["salvage", "--expect", &agreed], root, 0);
    d::put(root, "wal/00000009", &d::log(&[d::samples(100..101, 7)]));
    d::put(root, "wal/checkpoint.00000009/00000000", b"x");
    run(&["restore", "--of", &agreed, "--force"], root, 0);
    // It stands for no salvage: the same damage is mended again.
    let report = run(&["salvage", "--expect", &agreed, "--go-on", "--json"], root, 0);
    assert_eq!(json(&report)["outcome"], "salvaged");
    run(&["restore", "--of", &agreed], root, 0);
    let all = told(&["cleanup", "--of", &agreed], root);
    for path in ["wal/00000009", "wal/checkpoint.00000009/00000000"] {
        assert!(all.keys().any(|one| one.ends_with(path)), "{all:?}");
    }
    assert!(all.values().all(|(_, ours)| *ours), "{all:?}");
    assert_eq!(told(&["cleanup", "--of", &agreed, "--free"], root), all);
    assert_eq!(everything(root), before);
}

/// Killed in the middle, what is left is no past to go back to; killed before anything was deleted, it
/// is. An empty folder that a killed run left stands for nothing.
#[test]
fn what_was_freed_in_part_is_not_put_back() {
    for deleted in [true, false] {
        let folder = folder();
        let root = folder.path();
        d::healthy(root);
        d::flip(root, "wal/00000006", 3000);
        let (before, agreed) = (everything(root), agreement(root));
        run(&["salvage", "--expect", &agreed], root, 0);
        let name = aside(&everything(root))[0].clone();
        let manifest = root.join(&name).join("manifest.json");
        let text = fs::read_to_string(&manifest).expect("JSON");
        let begun = text.replace("\"phase\": \"done\"", "\"phase\": \"freeing\"");
        fs::write(&manifest, begun).expect("written");
        fs::create_dir(root.join("prom-fix-20990101T000000Z")).expect("a folder");
        if deleted {
            fs::remove_file(root.join(&name).join("old/wal/00000006")).expect("it was there");
            let refused = run(&["restore", "--of", &agreed], root, 3);
            assert!(refused.contains("were freed"), "{refused}");
            assert_eq!(told(&["cleanup", "--of", &agreed, "--free"], root).len(), 2);
            assert!(!root.join(&name).exists());
        } else {
            run(&["restore", "--of", &agreed], root, 0);
            let mut now = everything(root);
            now.remove(Path::new("prom-fix-20990101T000000Z"));
            assert_eq!(now, before);
        }
    }
}

#[test]
fn of_a_salvage_that_is_not_finished_nothing_is_freed() {
    let folder = folder();
    let root = folder.path();
    let (name, _) = salvaged(root);
    let manifest = root.join(&name).join("manifest.json");
    let text = fs::read_to_string(&manifest).expect("JSON");
    fs::write(&manifest, text.replace("\"phase\": \"done\"", "\"phase\": \"swapping\""))
        .expect("written");
    let before = everything(root);
    let refused = run(&["cleanup", "--free"], root, 3);
    assert!(refused.contains("not finished"), "{refused}");
    assert_eq!(everything(root), before);
}
