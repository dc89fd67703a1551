//! What a salvage leaves, and what it says.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::directory::{self as d, everything, folder, json, run};

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
fn a_folder_that_is_no_data_directory_is_not_called_healthy() {
    let folder = folder();
    for words in [&["salvage"][..], &["salvage", "--dry-run"]] {
        let told = run(words, folder.path(), 1);
        assert!(told.contains("holds no wal/"), "{told}");
    }
    assert_eq!(everything(folder.path()), d::Everything::new());
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
        "wal/00000008 {guard:115} refs-lost",
        "wal/checkpoint.00000001 set-aside not-a-folder",
        "wal/checkpoint.00000002/00000000 rewrite corrupt",
        "wal/5 set-aside duplicate",
        "wal/00000007 {copy:wal/00000007.repair} repair-unfinished",
        "wal/00000007.repair set-aside repair-unfinished",
        "wal/00000002 set-aside behind-checkpoint",
        "wal/00000004 empty missing",
        "wal/00000003 rewrite corrupt",
        "wal/00000006 rewrite corrupt",
        "wbl/00000002 {rename:wbl/2} odd-name",
        "wbl/00000001 empty missing",
        "wbl/00000000 rewrite corrupt",
        "chunks_head/000003 set-aside after-fault",
        "chunks_head/000002 {shorten:476} corrupt",
        "chunk_snapshot.000005.0009999999 set-aside snapshot-useless",
        "01M827CT0DKCN5KG2K87TH0H4K set-aside block-unusable",
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

/// Fragments of two records that were joined may name any number.
#[test]
fn a_ref_that_no_series_can_have_does_not_hinder_the_guard() {
    let folder = folder();
    let root = folder.path();
    d::healthy(root);
    d::flip(root, "wal/00000006", 3000);
    d::put(
        root,
        "wal/00000007",
        &d::log(&[d::samples(200..201, 1), d::samples(1 << 40..(1 << 40) + 2, 1)]),
    );
    let report = json(&run(&["salvage", "--json"], root, 0));
    let expected = ["wal/00000008 {guard:201} refs-lost", "wal/00000006 rewrite corrupt"];
    assert_eq!(steps(&report), expected);
}

/// Prometheus reads on behind the offset that a snapshot names; nothing may have moved there.
#[test]
fn a_snapshot_stays_unless_what_it_points_into_was_moved() {
    for (offset, stays) in [(1_000_000, true), (100, false)] {
        let folder = folder();
        let root = folder.path();
        d::healthy(root);
        d::flip(root, "wal/00000006", 3000);
        let name = format!("chunk_snapshot.000006.{offset:010}");
        d::put(root, &format!("{name}/00000000"), &d::log(&[vec![9; 20]]));
        let report = json(&run(&["salvage", "--json"], root, 0));
        let expected = ["wal/00000006 rewrite corrupt".to_owned()]
            .into_iter()
            .chain((!stays).then(|| format!("{name} set-aside snapshot-useless")));
        assert_eq!(steps(&report), expected.collect::<Vec<String>>());
        assert_eq!(root.join(&name).exists(), stays);
    }
}

#[test]
fn its_words_fit_a_terminal_and_many_empty_files_are_one_line() {
    let folder = folder();
    let root = folder.path();
    d::damaged(root);
    for name in ["checkpoint.00000002/00000000", "00000002"] {
        fs::remove_file(root.join("wal").join(name)).expect("it was there");
    }
    fs::remove_dir(root.join("wal/checkpoint.00000002")).expect("empty");
    let told = run(&["salvage"], root, 0);
    assert!(told.lines().all(|line| line.len() <= 80), "{told}");
    let expected = [
        "18 files were changed:",
        "  wal/00000008",
        "    one Series record, ref 115 (no lost ref is given again)",
        "  wal/checkpoint.00000001",
        "    set aside (a checkpoint is a folder)",
        "  wal/5",
        "    set aside (another file has this number)",
        "  wal/00000007",
        "    the records of wal/00000007.repair (left by an unfinished repair)",
        "  wal/00000007.repair",
        "    set aside (left by an unfinished repair)",
        "  wal/00000000 to wal/00000002",
        "    empty (missing)",
        "  wal/00000004",
        "    empty (missing)",
    ];
    let lines: Vec<&str> = told.lines().take(expected.len()).collect();
    assert_eq!(lines, expected, "{told}");
}

/// The aftermath of a start on a damaged checkpoint: what cannot be kept is said.
#[test]
fn samples_that_a_salvage_gives_up_are_told_before() {
    let folder = folder();
    let root = folder.path();
    d::healthy(root);
    fs::rename(root.join("wal/checkpoint.00000002"), root.join("wal/checkpoint.00000009"))
        .expect("renamed");
    for number in 4..7 {
        fs::remove_file(root.join(format!("wal/{number:08}"))).expect("it was there");
    }
    let told = run(&["survey"], root, 2);
    for words in [
        "ends at segment 3, and the checkpoint stands for all up to 9",
        "costs  the head at each restart, and 4 730 samples, which no start",
        "starts: of the log nothing is deleted\n but neither the segments are read",
        "deletes snapshots of the head, for the log ends before one of them (2.43",
        "and mend it:",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(told.lines().all(|line| line.len() <= 80 || line.contains('/')), "{told}");
    let planned = run(&["salvage", "--dry-run"], root, 2);
    let aside =
        "  wal/00000003\n    set aside, 2365 samples in it (the checkpoint stands for it: no";
    assert!(planned.contains(aside), "{planned}");
    let report = json(&run(&["salvage", "--json"], root, 0));
    let expected = [
        "wal/00000002 set-aside behind-checkpoint",
        "wal/00000003 set-aside behind-checkpoint",
        "wal/00000010 empty numbers-restart",
    ];
    assert_eq!(steps(&report), expected);
    // A block that every start passes over is left.
    assert!(!run(&["survey"], root, 2).contains("ends at segment"));
}

/// Of what takes no room as much is made as the manifest can say within what is promised.
#[test]
fn a_gap_of_a_thousand_numbers_takes_less_than_a_mebibyte() {
    let bytes = |root: &Path| -> usize {
        everything(root).into_values().filter_map(|(.., bytes)| bytes).map(|b| b.len()).sum()
    };
    for (last, exit) in [(1005, 0), (1006, 3)] {
        let folder = folder();
        let root = folder.path();
        d::healthy(root);
        // By an odd name, and whole: it is renamed.
        fs::rename(root.join("wal/00000006"), root.join(format!("wal/{last}"))).expect("renamed");
        fs::remove_file(root.join("wal/00000005")).expect("it was there");
        let (before, all) = (bytes(root), everything(root));
        let told = run(&["salvage"], root, exit);
        if exit == 3 {
            assert!(told.contains("numbers 5 to 1005 are missing"), "{told}");
            assert_eq!(everything(root), all);
            continue;
        }
        // While it is written anew there are two.
        let manifest = bytes(root) - before;
        assert!(manifest > 300_000 && 2 * manifest < 1 << 20, "{manifest}");
        run(&["restore"], root, 0);
        assert_eq!(everything(root), all);
    }
}

#[test]
fn what_prometheus_wrote_since_is_not_overwritten() {
    let folder = folder();
    let root = folder.path();
    d::damaged(root);
    run(&["salvage"], root, 0);
    for (name, bytes) in [("wal/00000009", b"new".as_slice()), ("chunks_head/000003", b"new")] {
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

/// Whatever of the old files is another, in a folder too, by one byte, more, fewer, or one file.
#[test]
fn what_is_no_longer_as_it_was_set_aside_does_not_come_back() {
    let block = "01M827CT0DKCN5KG2K87TH0H4K";
    let snapshot = "chunk_snapshot.000005.0009999999";
    for (name, spoil) in [
        ("wal/00000003".to_owned(), flip as fn(&Path)),
        ("wal/00000002".to_owned(), flip),
        ("chunks_head/000003".to_owned(), flip),
        ("wal/checkpoint.00000001".to_owned(), flip),
        (format!("{block}/chunks/000001"), flip),
        (format!("{block}/meta.json"), flip),
        (format!("{snapshot}/00000000"), flip),
        (format!("{block}/index"), |path| fs::remove_file(path).expect("removed")),
        (format!("{block}/other"), |path| fs::write(path, b"").expect("written")),
        ("wal/5".to_owned(), |path| fs::write(path, b"longer than it was").expect("written")),
    ] {
        let folder = folder();
        let root = folder.path();
        d::damaged(root);
        let before = everything(root);
        run(&["salvage"], root, 0);
        let aside = everything(root).into_keys().find(|path| path.ends_with("manifest.json"));
        let aside = aside.expect("it is there").parent().expect("a folder").join("old").join(&name);
        let whole = fs::read(root.join(&aside)).ok();
        spoil(&root.join(&aside));
        let after = everything(root);
        for words in [&["restore"][..], &["restore", "--force"]] {
            let refused = run(words, root, 3);
            // Of what was added the folder.
            let named = if whole.is_some() || name.ends_with("index") {
                &*aside
            } else {
                aside.parent().expect("a folder")
            };
            let says = refused.contains(&format!("{}: not as", named.display()));
            assert!(says && refused.contains("put a whole copy there"), "{name}: {refused}");
            assert_eq!(everything(root), after, "{name}");
        }
        match whole {
            Some(bytes) => fs::write(root.join(&aside), bytes).expect("written"),
            None => fs::remove_file(root.join(&aside)).expect("removed"),
        }
        run(&["restore"], root, 0);
        assert_eq!(everything(root), before, "{name}");
    }
}

/// One bit.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("its bytes");
    bytes[2] ^= 1;
    fs::write(path, bytes).expect("written");
}

/// What a manifest says is not believed where it leads out of the directory.
#[test]
fn a_manifest_leads_nowhere_else() {
    for path in ["../outside/kept", "/etc/hostname", "wal/../../outside/kept"] {
        let folder = folder();
        let (root, outside) = (folder.path().join("data"), folder.path().join("outside"));
        d::put(&outside, "kept", b"kept");
        d::damaged(&root);
        run(&["salvage"], &root, 0);
        let all = everything(&root);
        let (name, (.., bytes)) =
            all.iter().find(|(path, _)| path.ends_with("manifest.json")).expect("it is there");
        let text = String::from_utf8(bytes.clone().expect("bytes")).expect("JSON");
        let text = text.replace("\"path\": \"wal/00000004\"", &format!("\"path\": \"{path}\""));
        fs::write(root.join(name), text).expect("written");
        let before = everything(folder.path());
        let output = d::agent("", &["restore"], &root);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(1 | 3)), "{path}: {told}");
        assert_eq!(everything(folder.path()), before, "{path}: {told}");
    }
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

/// A file system of its own, of so many KiB; only root can have one.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(kib: u32) -> Option<Small> {
        let folder = folder();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "none"]).arg(folder.path());
        mount.stderr(Stdio::null()).status().is_ok_and(|s| s.success()).then_some(Small(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_volume_without_room_is_refused_with_numbers_and_not_touched() {
    // Whether this is root's machine: elsewhere the cases of `faults` stand for it.
    let Some(small) = Small::mount(4096) else { return };
    let root = small.0.path().join("data");
    fs::create_dir(&root).expect("a folder");
    d::damaged(&root);
    fs::create_dir(root.join("01M827CT0DKCN5KG2K87TH0H4Z.tmp-for-creation")).expect("a folder");
    let used: u64 =
        everything(&root).values().filter_map(|w| w.3.as_ref()).map(|b| b.len() as u64).sum();
    let filler = small.0.path().join("filler");
    // Room for the damaged files, and not for what goes with them; then for nothing; then for all.
    for (left, exit) in [(900 << 10, 3), (0, 3), (2 << 20, 0)] {
        let _ = fs::remove_file(&filler);
        let fill = (4_u64 << 20).saturating_sub(used + left + (200 << 10));
        let _ = fs::write(&filler, vec![1; usize::try_from(fill).expect("small")]);
        if left == 0 {
            let mut more = fs::OpenOptions::new().append(true).open(&filler).expect("the filler");
            while std::io::Write::write_all(&mut more, &[1; 4096]).is_ok() {}
        }
        let before = everything(&root);
        let told = run(&["salvage"], &root, exit);
        if exit == 3 {
            assert!(told.contains("nothing was changed"), "{told}");
            assert!(told.contains("bytes are needed") || told.contains("No space left"), "{told}");
            let names = told.contains("may go: ") && told.contains("4Z.tmp-for-creation");
            assert!(names || left == 0, "{told}");
            assert_eq!(everything(&root), before);
        }
    }
    run(&["restore"], &root, 0);
}
