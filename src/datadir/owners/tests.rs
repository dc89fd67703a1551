use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const READ: Lack = Lack::Read;
const WRITE: Lack = Lack::Write;
const TRAVERSE: Lack = Lack::Traverse;

/// (owner, group, mode, is a folder, what 65534:65534 with group 2000 lacks)
const CASES: &[(u32, u32, u32, bool, &[Lack])] = &[
    (65534, 65534, 0o644, false, &[]),
    (65534, 65534, 0o755, true, &[]),
    (65534, 65534, 0o444, false, &[WRITE]),
    (65534, 65534, 0o600, true, &[TRAVERSE]),
    // The owner's bits count for the owner, though the group's would allow more.
    (65534, 65534, 0o066, false, &[READ, WRITE]),
    (0, 0, 0o644, false, &[WRITE]),
    (0, 0, 0o755, true, &[WRITE]),
    (0, 0, 0o600, false, &[READ, WRITE]),
    (0, 0, 0o700, true, &[READ, WRITE, TRAVERSE]),
    (0, 65534, 0o664, false, &[]),
    // As kubelet leaves it with fsGroup.
    (0, 2000, 0o2775, true, &[]),
    (0, 2000, 0o640, false, &[WRITE]),
    // Who is in the group is not one of the others.
    (0, 2000, 0o606, false, &[READ, WRITE]),
    (0, 3000, 0o666, false, &[]),
];

#[test]
fn the_three_bits_that_are_a_users_own_decide() {
    let user = User { uid: 65534, gid: 65534, groups: vec![2000] };
    for (uid, gid, mode, is_folder, wanted) in CASES {
        let owned = Owned { uid: *uid, gid: *gid, mode: Bits(*mode) };
        assert_eq!(lacks(&user, owned, *is_folder), *wanted, "{uid}:{gid} {mode:04o}");
    }
    let root = User { uid: 0, gid: 0, groups: Vec::new() };
    let nobody = Owned { uid: 65534, gid: 65534, mode: Bits(0) };
    assert_eq!(lacks(&root, nobody, true), []);
}

#[test]
fn all_is_counted_and_no_link_is_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["wal", "wal/checkpoint.00000003", "lost+found", "prom-fix-1", "prom-fix-1/old"] {
        fs::create_dir(at(name)).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    for (name, mode) in [("wal/00000001", 0o644), ("wal/00000002", 0o400), ("lock", 0o644)] {
        fs::write(at(name), "x").unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink(outside.path(), at("away")).unwrap();
    symlink(outside.path().join("secret"), at("wal/00000004")).unwrap();

    let me = fs::metadata(folder.path()).unwrap();
    let (uid, gid) =
        (std::os::unix::fs::MetadataExt::uid(&me), std::os::unix::fs::MetadataExt::gid(&me));
    // Somebody else, who is in no group of ours.
    let other = User { uid: uid + 1, gid: gid + 1, groups: Vec::new() };
    let found = read(folder.path(), Some(&other)).unwrap();
    let told = |groups: &[Group]| -> Vec<(u32, u64)> {
        groups.iter().map(|group| (group.owned.mode.0, group.count)).collect()
    };
    assert_eq!(told(&found.folders), [(0o755, 2), (0o700, 1)]);
    assert_eq!(told(&found.files), [(0o644, 2), (0o400, 1)]);
    assert_eq!((found.others, found.unread.count), (2, 0));
    assert_eq!(found.left_out, ["lost+found", "prom-fix-1"].map(PathBuf::from));
    // A link, too, and by name what only a Prometheus makes there is none.
    assert_eq!(found.strangers.first, [PathBuf::from("away")]);
    let lacking: Vec<(&str, &[Lack])> =
        found.offenders.first.iter().map(|o| (o.path.to_str().unwrap(), &*o.lacks)).collect();
    let wanted: [(&str, &[Lack]); 6] = [
        ("", &[READ, WRITE, TRAVERSE]),
        ("lock", &[WRITE]),
        ("wal", &[WRITE]),
        ("wal/00000001", &[WRITE]),
        ("wal/00000002", &[READ, WRITE]),
        ("wal/checkpoint.00000003", &[WRITE]),
    ];
    assert_eq!(lacking, wanted);
}

#[test]
fn many_offenders_are_counted_and_ten_listed() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..25 {
        fs::write(folder.path().join(n.to_string()), "").unwrap();
    }
    let nobody = User { uid: u32::MAX - 1, gid: u32::MAX - 1, groups: Vec::new() };
    let found = read(folder.path(), Some(&nobody)).unwrap();
    assert_eq!((found.offenders.count, found.offenders.first.len()), (26, FIRST));
    assert_eq!((found.strangers.count, found.strangers.first.len()), (25, FIRST));
}

#[test]
fn what_is_too_deep_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut deep = folder.path().to_owned();
    (0..DEEPEST + 3).for_each(|_| deep.push("d"));
    fs::create_dir_all(&deep).unwrap();
    let found = read(folder.path(), None).unwrap();
    assert_eq!((found.unread.count, &*found.unread.first[0].why), (1, "too deep"));
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(&folder.path().join("gone"), None).unwrap_err();
    assert!(error.to_string().contains("gone: No such file"), "{error}");
}
