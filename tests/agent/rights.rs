//! The rights of the helper that gives files away are the least that do: with them it does all, without
//! any one of them nothing.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::directory::{everything, folder, put};

const BOTH: &str = "-all,+chown,+dac_override";

/// As root, with these capabilities alone.
fn with(rights: &str, words: &[&str], dir: &Path) -> Option<i32> {
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--inh-caps=-all", &format!("--bounding-set={rights}")]);
    setpriv.arg(env!("CARGO_BIN_EXE_prom-fix-agent")).args(words).arg(dir);
    setpriv.output().expect("setpriv is there").status.code()
}

#[test]
fn files_are_given_away_and_back_with_two_rights_and_not_with_one() {
    let folder = folder();
    let root = folder.path();
    if std::fs::metadata(root).expect("it is there").uid() != 0 {
        eprintln!("skipped: only root may give files away");
        return;
    }
    // Nobody but its owner may look into it.
    put(root, "wal/00000000", b"");
    for (path, mode) in [("wal/00000000", 0o600), ("wal", 0o2700), ("", 0o700)] {
        let path = root.join(path);
        chown(&path, Some(1000), Some(2000)).expect("root may");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("root may");
    }
    let before = everything(root);
    let gives = ["chown", "--uid", "65534", "--gid", "65534"];
    for rights in ["-all", "-all,+chown", "-all,+dac_override"] {
        assert_ne!(with(rights, &gives, root), Some(0), "{rights}");
        assert_eq!(everything(root), before, "{rights}");
    }
    assert_eq!(with(BOTH, &gives, root), Some(0));
    let given = |path: &str| {
        let of = std::fs::metadata(root.join(path)).expect("it is there");
        (of.uid(), of.gid(), of.mode() & 0o7777)
    };
    assert_eq!(given("wal"), (65534, 65534, 0o2700));
    assert_eq!(given("wal/00000000"), (65534, 65534, 0o600));
    assert_eq!(with(BOTH, &["restore"], root), Some(0));
    assert_eq!(everything(root), before);
}
