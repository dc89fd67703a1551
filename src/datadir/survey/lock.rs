//! Who holds `DIR/lock`, which Prometheus takes with flock(2) for as long as it runs
//! (tsdb/tsdbutil/dir_locker.go, tsdb/fileutil/flock_unix.go). The file itself says nothing: a
//! process that was killed leaves it behind.

use std::path::Path;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Lock {
    /// No such file: a clean stop, or a Prometheus that takes no lock.
    #[default]
    None,
    /// The file is there and nobody holds it: the last stop was not a clean one.
    Free,
    /// Another process has it; its number where the kernel tells it here.
    Held { pid: Option<u32> },
    /// Whether it is held could not be told.
    Unknown { why: String },
}

pub(super) fn look(root: &Path, path: Option<&Path>) -> Lock {
    path.map_or(Lock::None, |path| held(root, path))
}

#[cfg(not(target_os = "linux"))]
fn held(_: &Path, _: &Path) -> Lock {
    Lock::Unknown { why: "this is told on Linux only".to_owned() }
}

#[cfg(target_os = "linux")]
fn held(root: &Path, path: &Path) -> Lock {
    use std::fs::File;

    use crate::datadir::lock::{self, NotTaken};

    // Asked of the kernel's list first: to try the lock is to hold it for an instant, in which a
    // Prometheus that starts would give up.
    if let Some(pid) = File::open(path).ok().and_then(|file| holder(&file)) {
        return Lock::Held { pid: Some(pid).filter(|pid| *pid > 0) };
    }
    match lock::Lock::look(root) {
        Ok(()) => Lock::Free,
        Err(NotTaken::Held(_)) => Lock::Held { pid: None },
        Err(NotTaken::Unusable(_, error)) => Lock::Unknown { why: error.to_string() },
    }
}

/// Of the lock on this file in /proc/locks; 0 where the process is not one of this container.
#[cfg(target_os = "linux")]
fn holder(file: &std::fs::File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{major, minor};

    let metadata = file.metadata().ok()?;
    let device = metadata.dev();
    let inode = format!("{:02x}:{:02x}:{}", major(device), minor(device), metadata.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    listed(&locks, &inode)
}

/// `1: FLOCK ADVISORY WRITE 1234 fe:01:5678 0 EOF`; those that wait have an arrow before the kind.
#[cfg(any(target_os = "linux", test))]
fn listed(locks: &str, inode: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next()? == "FLOCK").then_some(())?;
        let (pid, place) = (words.nth(2)?, words.next()?);
        (place == inode).then(|| pid.parse().unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn the_holder_is_found_by_its_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 fe:01:5 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 12 fe:01:5 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 13 fe:01:6 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE -1 fe:01:7 0 EOF\n";
        let found = ["fe:01:5", "fe:01:6", "fe:01:7"].map(|inode| listed(locks, inode));
        assert_eq!(found, [Some(12), None, Some(0)]);
    }
}
