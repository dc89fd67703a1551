use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// Who runs the tests may change modes; only root may give files away.
fn me() -> (u32, u32) {
    let here = tempfile::tempdir().unwrap();
    let stat = fs::metadata(here.path()).unwrap();
    (stat.uid(), stat.gid())
}

fn bits() -> Change {
    let (uid, gid) = me();
    Change { uid, gid, owner_bits: true, group_bits: true }
}

/// With folders and files that not everyone can use.
fn made() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["wal", "wal/checkpoint.00000001", "chunks_head", "lost+found"] {
        fs::create_dir(at(name)).unwrap();
    }
    for (name, mode) in [
        ("wal/00000002", 0o400),
        ("wal/00000003", 0o600),
        ("wal/checkpoint.00000001/00000000", 0o644),
        ("chunks_head/000001", 0o666),
        ("lock", 0o640),
        ("lost+found/inode", 0o600),
    ] {
        fs::write(at(name), name).unwrap();
        fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    }
    symlink("/etc/passwd", at("wal/00000004")).unwrap();
    fs::set_permissions(at("wal"), Permissions::from_mode(0o750)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    folder
}

/// Everything there is, with owner, mode and bytes.
fn seen(root: &Path) -> Vec<(PathBuf, u32, u32, u32)> {
    let mut open = vec![root.to_owned()];
    let mut all = Vec::new();
    while let Some(path) = open.pop() {
        let stat = fs::symlink_metadata(&path).unwrap();
        if stat.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        all.push((path, stat.uid(), stat.gid(), stat.mode() & 0o7777));
    }
    all.sort();
    all
}

fn mode(folder: &TempDir, name: &str) -> u32 {
    fs::symlink_metadata(folder.path().join(name)).unwrap().mode() & 0o7777
}

#[test]
fn only_what_is_asked_for_is_changed_and_all_of_it_comes_back() {
    let folder = made();
    let before = seen(folder.path());
    let would = plan(folder.path(), bits()).unwrap();
    assert_eq!(seen(folder.path()), before, "a plan changes nothing");

    let done = chown(folder.path(), bits()).unwrap();
    assert_eq!(done.paths, would.paths);
    assert_eq!(done.paths.last().map(String::as_str), Some(""), "a folder after what is in it");
    let modes = ["", "wal", "wal/00000002", "wal/00000003", "chunks_head/000001", "lock"];
    let modes = modes.map(|name| mode(&folder, name));
    assert_eq!(modes, [0o770, 0o770, 0o660, 0o660, 0o666, 0o660]);
    assert_eq!(mode(&folder, "lost+found/inode"), 0o600);
    assert_eq!(chown(folder.path(), bits()).unwrap(), Report::default(), "nothing is left to do");

    assert!(is_last(folder.path()).unwrap());
    let restored = restore(folder.path()).unwrap();
    assert_eq!((restored.paths, restored.gone), (done.paths, vec![]));
    assert_eq!(seen(folder.path()), before);
    assert!(!is_last(folder.path()).unwrap());
    assert!(matches!(restore(folder.path()), Err(NotDone::Refused(_))), "once");
}

/// A manifest whose run was killed, with the first `done` of its entries changed.
fn killed(folder: &TempDir, done: usize, phase: Phase) {
    let report = chown(folder.path(), bits()).unwrap();
    let disk = Disk::open(folder.path()).unwrap();
    let mut journal = journals(&disk, folder.path()).unwrap().pop().unwrap();
    assert_eq!(journal.manifest.was.len(), report.paths.len());
    for was in &journal.manifest.was[done..] {
        assert!(put(&disk, was, was.owned).unwrap());
    }
    journal.manifest.phase = phase;
    journal.write(&disk).unwrap();
}

#[test]
fn whatever_was_done_when_it_was_killed_it_goes_on_or_back() {
    let finished = made();
    let count = chown(finished.path(), bits()).unwrap().paths.len();
    let wanted = |folder: &TempDir| -> Vec<u32> {
        let all = seen(folder.path()).into_iter();
        all.filter(|(path, ..)| !path.display().to_string().contains("prom-fix-"))
            .map(|(_, _, _, mode)| mode)
            .collect()
    };
    for done in 0..=count {
        let folder = made();
        let before = seen(folder.path());
        killed(&folder, done, Phase::Changing);
        let refused = chown(folder.path(), bits()).unwrap_err();
        assert!(matches!(&refused, NotDone::Begun), "{refused:?}");
        assert!(is_last(folder.path()).unwrap());
        assert_eq!(resume(folder.path()).unwrap().paths.len(), count);
        assert_eq!(wanted(&folder), wanted(&finished), "{done}");
        assert_eq!(resume(folder.path()).unwrap(), Report::default());
        restore(folder.path()).unwrap();
        assert_eq!(seen(folder.path()), before);

        killed(&folder, done, Phase::Changing);
        restore(folder.path()).unwrap();
        assert_eq!(seen(folder.path()), before, "{done}");
        killed(&folder, done, Phase::Restoring);
        resume(folder.path()).unwrap();
        assert_eq!(seen(folder.path()), before, "{done}");
    }
}

#[test]
fn what_has_another_inode_since_is_left_alone() {
    let folder = made();
    chown(folder.path(), bits()).unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::remove_file(at("wal/00000002")).unwrap();
    fs::write(at("wal/new"), "").unwrap();
    fs::set_permissions(at("wal/new"), Permissions::from_mode(0o604)).unwrap();
    fs::rename(at("wal/new"), at("wal/00000003")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("000001"), "").unwrap();
    let secret = fs::metadata(outside.path()).unwrap().mode();
    fs::remove_file(at("chunks_head/000001")).unwrap();
    fs::remove_dir(at("chunks_head")).unwrap();
    symlink(outside.path(), at("chunks_head")).unwrap();
    let restored = restore(folder.path()).unwrap();
    assert_eq!(restored.gone, ["wal/00000003", "wal/00000002", "chunks_head"]);
    assert_eq!(mode(&folder, "wal/00000003"), 0o604);
    assert_eq!(fs::metadata(outside.path()).unwrap().mode(), secret);
}

#[test]
fn it_refuses_what_is_not_the_directorys_alone() {
    let folder = made();
    let outside = tempfile::tempdir_in(folder.path().parent().unwrap()).unwrap();
    let name = folder.path().join("wal/00000003");
    // Within the directory it may have two names, as blocks have that are being uploaded.
    fs::hard_link(&name, folder.path().join("wal/again")).unwrap();
    plan(folder.path(), bits()).unwrap();
    fs::hard_link(&name, outside.path().join("shadow")).unwrap();
    let refused = chown(folder.path(), bits()).unwrap_err();
    assert!(matches!(&refused, NotDone::Refused(why) if why.contains("3 names, 2")), "{refused:?}");
}

#[test]
fn it_refuses_while_a_prometheus_holds_the_lock() {
    let folder = made();
    let held = Lock::take(folder.path()).unwrap();
    let before = seen(folder.path());
    for refused in [chown(folder.path(), bits()), resume(folder.path()), restore(folder.path())] {
        assert!(matches!(refused, Err(NotDone::Refused(_))));
    }
    assert_eq!(seen(folder.path()), before);
    drop(held);
}

#[test]
fn files_are_given_away_by_root_and_by_nobody_else() {
    let folder = made();
    let before = seen(folder.path());
    let (uid, gid) = me();
    let change = Change { uid: uid + 1, gid: gid + 1, owner_bits: false, group_bits: false };
    let done = chown(folder.path(), change);
    if rustix::process::geteuid().is_root() {
        let paths = done.unwrap().paths;
        for (path, uid, gid, _) in seen(folder.path()) {
            let path = path.strip_prefix(folder.path()).unwrap();
            let given = paths.iter().any(|given| Path::new(given) == path);
            assert_eq!((uid, gid) == (change.uid, change.gid), given, "{}", path.display());
        }
        assert_eq!(paths.len(), 9);
        restore(folder.path()).unwrap();
    } else {
        let refused = done.unwrap_err();
        assert!(matches!(&refused, NotDone::Refused(why) if why.contains("CAP_CHOWN")));
    }
    assert_eq!(seen(folder.path()), before);
}
