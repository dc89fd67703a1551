//! The owner and mode of one file or folder.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::super::disk::{Disk, Done, Failed, before};
use super::{Was, Whose};

/// By which an owner can be changed, but nothing be read or written; without a path, of the
/// directory.
fn handle(disk: &Disk, path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if path.is_empty() {
        return Ok(fs::openat(&disk.root, c".", flags, Mode::empty())?);
    }
    let (folder, name) = disk.parent(path)?;
    Ok(fs::openat(folder, name, flags, Mode::empty())?)
}

/// Has the file system write all that it holds in memory.
pub(super) fn flush(disk: &Disk) -> Done<()> {
    fs::syncfs(&disk.root).map_err(|error| Failed { path: disk.named(""), error: error.into() })
}

/// Makes one as it is to be; false where it is gone. Nothing is done where it is so already.
pub(super) fn put(disk: &Disk, was: &Was, to: Whose) -> Done<bool> {
    let put = || -> io::Result<bool> {
        let handle = match handle(disk, &was.path) {
            Ok(handle) => handle,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) if error.raw_os_error() == Some(Errno::NOTDIR.raw_os_error()) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let stat = fs::fstat(&handle)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if stat.st_ino != was.inode || kind.is_dir() != was.folder || kind.is_symlink() {
            return Ok(false);
        }
        let now = Whose::of(&stat);
        if (now.uid, now.gid) != (to.uid, to.gid) {
            before("chown")?;
            let (uid, gid) = (Uid::from_raw(to.uid), Gid::from_raw(to.gid));
            fs::chownat(&handle, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
        }
        // A change of owner takes bits away that let a program run as its owner.
        if Whose::of(&fs::fstat(&handle)?).mode != to.mode {
            before("chmod")?;
            chmod(disk, was, &handle, Mode::from_raw_mode(to.mode))?;
        }
        if Whose::of(&fs::fstat(&handle)?) != to {
            return Err(io::Error::other("the file system did not keep the new owner and mode"));
        }
        Ok(true)
    };
    put().map_err(|error| Failed { path: disk.named(&was.path), error })
}

/// There is no call that changes the mode of a handle; `/proc` leads from it to what it is on.
fn chmod(disk: &Disk, was: &Was, handle: &OwnedFd, mode: Mode) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd());
    match fs::chmod(path, mode) {
        Err(Errno::NOENT) => {}
        done => return Ok(done?),
    }
    // No /proc. Opened anew, and looked at whether it is the same.
    let (folder, name) = disk.parent(&was.path)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = fs::openat(folder, name, flags, Mode::empty())?;
    if fs::fstat(&open)?.st_ino != was.inode {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(fs::fchmod(&open, mode)?)
}
