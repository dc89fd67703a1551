//! The lock that Prometheus takes on its data directory (tsdb/tsdbutil/dir_locker.go,
//! tsdb/fileutil/flock_unix.go): `flock` on `DIR/lock`, and while it is held nobody else writes.
//! A file of that name that nobody holds means nothing; Prometheus leaves one behind when it is
//! killed, which is why one that was there before stays.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::disk;

pub const NAME: &str = "lock";

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    folder: OwnedFd,
    _file: OwnedFd,
    created: bool,
}

/// Why the directory is not ours to change.
#[derive(Debug)]
pub enum NotTaken {
    /// Somebody holds it: a Prometheus that runs, or another of us.
    Held(PathBuf),
    /// The file can be neither opened nor made.
    Unusable(PathBuf, io::Error),
}

impl fmt::Display for NotTaken {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotTaken::Held(lock) => write!(
                to,
                "{}: held by a Prometheus that runs, or by another prom-fix; stop it first",
                lock.display()
            ),
            NotTaken::Unusable(lock, error) => write!(to, "{}: {error}", lock.display()),
        }
    }
}

impl Lock {
    /// Takes it or says at once why not.
    pub fn take(root: &Path) -> Result<Lock, NotTaken> {
        let path = root.join(NAME);
        let unusable = |error: io::Error| NotTaken::Unusable(path.clone(), error);
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let folder = fs::open(root, flags, Mode::empty())
            .map_err(|error| NotTaken::Unusable(root.to_owned(), error.into()))?;
        // Who held it may have removed the file between our opening and locking it: what we hold
        // then is not what the next one will look at.
        loop {
            let (file, created) = open(&folder).map_err(unusable)?;
            match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(NotTaken::Held(path)),
                Err(error) => return Err(unusable(error.into())),
            }
            if is_named(&folder, &file).map_err(|error| unusable(error.into()))? {
                return Ok(Lock { folder, _file: file, created });
            }
        }
    }

    /// Says whether somebody holds it; makes no file.
    pub fn look(root: &Path) -> Result<(), NotTaken> {
        let path = root.join(NAME);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = match fs::open(&path, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(NotTaken::Unusable(path, error.into())),
        };
        match fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(()),
            Err(Errno::WOULDBLOCK) => Err(NotTaken::Held(path)),
            Err(error) => Err(NotTaken::Unusable(path, error.into())),
        }
    }

    /// Whether there was no such file before.
    #[must_use]
    pub fn created(&self) -> bool {
        self.created
    }

    /// Removes the file at once, if it is ours to remove; the lock stays held. What is left to do
    /// must not matter to a Prometheus that starts.
    pub fn remove_file(&mut self) {
        if std::mem::take(&mut self.created) {
            disk::remove_lock(&self.folder, NAME);
        }
    }

    /// Takes the file away at the end though it was there at the beginning: an earlier run of ours
    /// made it, and was killed.
    pub fn adopt(&mut self) {
        self.created = true;
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.created {
            disk::remove_lock(&self.folder, NAME);
        }
    }
}

fn open(folder: &OwnedFd) -> io::Result<(OwnedFd, bool)> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    loop {
        match fs::openat(folder, NAME, flags, Mode::empty()) {
            Ok(file) => return Ok((file, false)),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(file) = disk::make_lock(folder, NAME, flags)? {
            return Ok((file, true));
        }
    }
}

fn is_named(folder: &OwnedFd, file: &OwnedFd) -> Result<bool, Errno> {
    let held = fs::fstat(file)?;
    match fs::statat(folder, NAME, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) => Ok((named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn it_is_held_once_and_leaves_what_it_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let first = Lock::take(folder.path()).unwrap();
        assert!(first.created());
        let second = Lock::take(folder.path()).unwrap_err();
        assert!(matches!(second, NotTaken::Held(_)), "{second}");
        assert!(path.exists(), "the second has removed what the first holds");
        drop(first);
        assert!(!path.exists());

        File::create(&path).unwrap();
        let left_behind = Lock::take(folder.path()).unwrap();
        assert!(!left_behind.created());
        drop(left_behind);
        assert!(path.exists(), "it tells how the Prometheus before it ended");
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path().join("made"), folder.path().join(NAME)).unwrap();
        let refused = Lock::take(folder.path()).unwrap_err();
        assert!(matches!(refused, NotTaken::Unusable(..)), "{refused}");
        assert!(!outside.path().join("made").exists());
    }
}
