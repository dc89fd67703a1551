//! What `space` counts, and what `chown --prove` leaves.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::directory::{everything, folder, json, run};

fn put(root: &Path, name: &str, bytes: usize) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("below")).expect("a folder");
    fs::write(path, vec![1; bytes]).expect("room");
}

fn entry<'a>(told: &'a Value, path: &str) -> &'a Value {
    let all = told["entries"].as_array().expect("a list");
    all.iter().find(|one| one["path"] == path).unwrap_or_else(|| panic!("{path}: {told:#}"))
}

#[test]
fn every_name_is_counted_once_and_no_more_than_it_takes() {
    const BLOCK: &str = "01M827CT0DKCN5KG2K87TH0H4J";
    let folder = folder();
    let root = folder.path();
    put(root, "wal/00000004", 70_000);
    put(root, "wal/checkpoint.00000003/00000000", 9_000);
    put(root, "wal/checkpoint.00000004.tmp/00000000", 5_000);
    put(root, &format!("{BLOCK}/chunks/000001"), 20_000);
    let meta = r#"{"minTime": 1000, "maxTime": 2000, "version": 1}"#;
    fs::write(root.join(BLOCK).join("meta.json"), meta).expect("room");
    put(root, "01M827CT0DKCN5KG2K87TH0H4K.tmp-for-deletion/index", 30_000);
    put(root, "prom-fix-20261125T081500Z/old/wal/00000004", 40_000);
    put(root, "lost+found/x", 50_000);
    fs::File::create(root.join("queries.active")).expect("room").set_len(20_001).expect("sparse");
    let told = json(&run(&["space"], root, 0));
    let paths: Vec<&str> = told["entries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["path"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        paths,
        [
            BLOCK,
            "01M827CT0DKCN5KG2K87TH0H4K.tmp-for-deletion",
            "queries.active",
            "wal",
            "wal/checkpoint.00000003",
            "wal/checkpoint.00000004.tmp",
            "prom-fix-20261125T081500Z",
        ]
    );
    let bytes = |path: &str| entry(&told, path)["bytes"].as_u64().expect("a number");
    for (path, least) in [("wal", 70_000), ("wal/checkpoint.00000003", 9_000), (BLOCK, 20_000)] {
        assert!((least..least + 20_000).contains(&bytes(path)), "{path}: {}", bytes(path));
    }
    assert!(bytes("prom-fix-20261125T081500Z") >= 40_000, "{told:#}");
    assert_eq!(bytes("queries.active"), 0, "what was never written takes nothing");
    let block = entry(&told, BLOCK);
    assert_eq!((&block["first"], &block["last"]), (&1000.into(), &2000.into()));
    assert_eq!((&block["files"], &entry(&told, "wal")["files"]), (&2.into(), &1.into()));
    let [capacity, used, free] = ["capacity", "used", "free"].map(|name| told[name].as_u64());
    assert!(capacity >= used && capacity >= free && used > Some(0), "{told:#}");
}

/// Runs the agent as `uid`, where root runs the tests; else as whoever runs them.
fn chown_as(uid: u32, words: &[&str], dir: &Path) -> (Option<i32>, String) {
    let mut agent = Command::new(env!("CARGO_BIN_EXE_prom-fix-agent"));
    agent.arg("chown").args(words).arg(dir);
    if fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        // Where others may not look, the program is not found by them.
        let copy = dir.parent().expect("a parent").join("agent");
        fs::copy(env!("CARGO_BIN_EXE_prom-fix-agent"), &copy).expect("room");
        agent = Command::new(copy);
        agent.arg("chown").args(words).arg(dir).uid(uid).gid(uid);
    }
    let output = agent.output().expect("it starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_change_of_owner_is_proved_on_one_file_which_is_then_as_it_was() {
    let folder = folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("ours");
    let root = folder.path().join("data");
    put(&root, "wal/00000000", 10);
    put(&root, "wal/00000001", 10);
    let is = fs::metadata(&root).expect("it is there");
    for name in ["wal/00000000", "wal/00000001"] {
        fs::set_permissions(root.join(name), Permissions::from_mode(0o400)).expect("ours");
    }
    let before = everything(&root);
    let (uid, gid) = (is.uid().to_string(), is.gid().to_string());
    let words = ["chown", "--prove", "--json", "--uid", &uid, "--gid", &gid, "--bits", "owner"];
    let told = json(&run(&words, &root, 0));
    assert_eq!(
        (&told["outcome"], told["paths"].as_array().map(Vec::len)),
        (&"proved".into(), Some(1))
    );
    assert_eq!(everything(&root), before);

    // Really refused: nobody but root gives files away.
    for path in ["", "wal", "wal/00000000", "wal/00000001"] {
        let _ = chown(root.join(path), Some(65534), Some(65534));
    }
    let before = everything(&root);
    for how in ["--prove", "--json"] {
        let (code, told) = chown_as(65534, &[how, "--uid", "1", "--gid", "1"], &root);
        assert_eq!(code, Some(3), "{told}");
        assert!(told.contains("may not give files away here"), "{told}");
        assert_eq!(everything(&root), before, "nothing was changed, and nothing is left");
    }
}
