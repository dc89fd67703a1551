//! The files of one directory, by paths relative to it: all that this room writes goes through
//! here, one system call at a time, and each can be told to fail.
//!
//! No link is followed and no path leads out of the directory: every folder on the way is opened by
//! its own name. Files are synced before they are named, folders after a name in them changed.

mod read;

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, AtFlags, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::Errno;

/// Of what a test build makes fail: called before each system call that writes, with its name.
#[cfg(feature = "faults")]
pub static BEFORE: std::sync::OnceLock<fn(&str) -> io::Result<()>> = std::sync::OnceLock::new();

#[cfg(feature = "faults")]
pub(super) fn before(call: &str) -> io::Result<()> {
    BEFORE.get().map_or(Ok(()), |hook| hook(call))
}

#[cfg(not(feature = "faults"))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail where tests make it")]
pub(super) fn before(_: &str) -> io::Result<()> {
    Ok(())
}

const FOLDER: OFlags =
    OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open data directory.
#[derive(Debug)]
pub struct Disk {
    pub(super) root: OwnedFd,
    path: PathBuf,
}

/// What went wrong, and with what.
#[derive(Debug)]
pub struct Failed {
    pub path: PathBuf,
    pub error: io::Error,
}

impl fmt::Display for Failed {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.path.display(), self.error)
    }
}

pub type Done<T> = Result<T, Failed>;

/// Size and CRC-32C: by these a file is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sum {
    pub size: u64,
    pub crc32c: u32,
}

/// Whose a file is, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Owner {
    fn of(stat: &Stat) -> Owner {
        Owner { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 }
    }

    /// The same for a file in such a folder, as Prometheus makes them.
    #[must_use]
    pub fn of_file(self) -> Owner {
        Owner { mode: self.mode & 0o644, ..self }
    }

    fn ids(self) -> (Option<Uid>, Option<Gid>) {
        (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
    }
}

impl Disk {
    pub fn open(root: &Path) -> Done<Disk> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        match fs::open(root, flags, Mode::empty()) {
            Ok(folder) => Ok(Disk { root: folder, path: root.to_owned() }),
            Err(error) => Err(Failed { path: root.to_owned(), error: error.into() }),
        }
    }

    /// As a person names it.
    #[must_use]
    pub fn named(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    pub(super) fn failed(&self, path: &str, error: impl Into<io::Error>) -> Failed {
        Failed { path: self.named(path), error: error.into() }
    }

    /// The folder that holds `path`, and the name in it.
    pub(super) fn parent<'a>(&self, path: &'a str) -> io::Result<(OwnedFd, &'a OsStr)> {
        let mut names: Vec<&OsStr> = Vec::new();
        for part in Path::new(path).components() {
            match part {
                Component::Normal(name) => names.push(name),
                Component::Prefix(_)
                | Component::RootDir
                | Component::CurDir
                | Component::ParentDir => {
                    return Err(io::Error::other("not a path below the directory"));
                }
            }
        }
        let name = names.pop().ok_or_else(|| io::Error::other("not a path"))?;
        let mut folder = fs::openat(&self.root, c".", FOLDER, Mode::empty())?;
        for name in names {
            folder = fs::openat(&folder, name, FOLDER, Mode::empty())?;
        }
        Ok((folder, name))
    }

    fn sync(&self, folder: impl AsFd) -> io::Result<()> {
        before("fsync")?;
        match fs::fsync(folder) {
            // Some file systems do not sync folders.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a folder; it may be there already.
    pub fn make_folder(&self, path: &str, owner: Owner) -> Done<()> {
        let make = || -> io::Result<()> {
            let (parent, name) = self.parent(path)?;
            before("mkdir")?;
            match fs::mkdirat(&parent, name, Mode::from_raw_mode(owner.mode)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let folder = fs::openat(&parent, name, FOLDER, Mode::empty())?;
            hand_over(&folder, owner)?;
            self.sync(&parent)
        };
        make().map_err(|error| self.failed(path, error))
    }

    /// Sees to it that the names in a folder outlast a loss of power.
    pub fn sync_folder(&self, path: &str) -> Done<()> {
        let sync = || -> io::Result<()> {
            let (parent, name) = self.parent(path)?;
            self.sync(fs::openat(parent, name, FOLDER, Mode::empty())?)
        };
        sync().map_err(|error| self.failed(path, error))
    }

    /// Writes a file that is not there yet, whole and synced; its name in the folder is not yet.
    pub fn create(
        &self,
        path: &str,
        owner: Owner,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Done<Sum> {
        let create = || -> io::Result<Sum> {
            let (folder, name) = self.parent(path)?;
            before("open")?;
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = fs::openat(&folder, name, flags, Mode::from_raw_mode(0o600))?;
            hand_over(&file, owner)?;
            let out = Faulty { file: File::from(file) };
            let mut out = Summing {
                out: BufWriter::with_capacity(1 << 20, out),
                sum: Sum { size: 0, crc32c: 0 },
            };
            write(&mut out)?;
            let sum = out.sum;
            let file = out.out.into_inner().map_err(io::IntoInnerError::into_error)?.file;
            before("fsync")?;
            file.sync_all()?;
            Ok(sum)
        };
        create().map_err(|error| self.failed(path, error))
    }

    /// Puts each in the place of the other, in one instant. False where this file system, or this
    /// kernel, cannot.
    pub fn exchange(&self, one: &str, other: &str) -> Done<bool> {
        let exchange = || -> io::Result<bool> {
            let (from, from_name) = self.parent(one)?;
            let (to, to_name) = self.parent(other)?;
            before("exchange")?;
            match fs::renameat_with(&from, from_name, &to, to_name, RenameFlags::EXCHANGE) {
                Ok(()) => {}
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            self.sync(&from)?;
            self.sync(&to)?;
            Ok(true)
        };
        match exchange() {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(false),
            done => done.map_err(|error| self.failed(other, error)),
        }
    }

    /// Gives a file or folder a name that nothing has.
    pub fn rename(&self, from: &str, to: &str) -> Done<()> {
        let rename = || -> io::Result<()> {
            let (folder, name) = self.parent(from)?;
            let (to_folder, to_name) = self.parent(to)?;
            before("rename")?;
            match fs::renameat_with(&folder, name, &to_folder, to_name, RenameFlags::NOREPLACE) {
                Ok(()) => {}
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    // Nobody else writes while the lock is held.
                    match fs::statat(&to_folder, to_name, AtFlags::SYMLINK_NOFOLLOW) {
                        Err(Errno::NOENT) => {}
                        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
                        Err(error) => return Err(error.into()),
                    }
                    fs::renameat(&folder, name, &to_folder, to_name)?;
                }
                Err(error) => return Err(error.into()),
            }
            // The new name first: should the machine stop between, it is there twice, not lost.
            self.sync(&to_folder)?;
            self.sync(&folder)
        };
        rename().map_err(|error| self.failed(to, error))
    }

    /// Gives a file the name of another, which is gone then: for what we wrote ourselves.
    pub fn supersede(&self, from: &str, to: &str) -> Done<()> {
        let rename = || -> io::Result<()> {
            let (folder, name) = self.parent(from)?;
            let (to_folder, to_name) = self.parent(to)?;
            before("rename")?;
            fs::renameat(&folder, name, &to_folder, to_name)?;
            self.sync(&folder)
        };
        rename().map_err(|error| self.failed(to, error))
    }

    pub fn remove_file(&self, path: &str) -> Done<()> {
        self.remove(path, AtFlags::empty())
    }

    /// Removes an empty folder.
    pub fn remove_folder(&self, path: &str) -> Done<()> {
        self.remove(path, AtFlags::REMOVEDIR)
    }

    /// What is not there is not missed.
    fn remove(&self, path: &str, how: AtFlags) -> Done<()> {
        let remove = || -> io::Result<()> {
            let (folder, name) = self.parent(path)?;
            before("unlink")?;
            match fs::unlinkat(&folder, name, how) {
                Ok(()) | Err(Errno::NOENT) => self.sync(&folder),
                Err(error) => Err(error.into()),
            }
        };
        match remove() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(|error| self.failed(path, error)),
        }
    }
}

/// Gives a new file or folder its mode and owner: in this order, for the mode of a file of somebody else
/// takes one right more (capabilities(7), `CAP_FOWNER`). Who is not root cannot give files to another;
/// that is no error where those who could read the old one can read the new one.
fn hand_over(made: &OwnedFd, owner: Owner) -> io::Result<()> {
    before("chmod")?;
    fs::fchmod(made, Mode::from_raw_mode(owner.mode))?;
    let now = Owner::of(&fs::fstat(made)?);
    if (now.uid, now.gid) != (owner.uid, owner.gid) {
        let (uid, gid) = owner.ids();
        before("chown")?;
        match fs::fchown(made, uid, gid) {
            Ok(()) => {}
            Err(Errno::PERM) => {
                let in_group = fs::fchown(made, None, gid).is_ok() && owner.mode & 0o040 != 0;
                if !in_group && owner.mode & 0o004 == 0 {
                    let why = format!("cannot be given to uid {}: run as root", owner.uid);
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Makes the lock's file: none where somebody else just made it.
pub(super) fn make_lock(
    folder: &OwnedFd,
    name: &str,
    flags: OFlags,
) -> io::Result<Option<OwnedFd>> {
    before("open")?;
    let made = flags | OFlags::CREATE | OFlags::EXCL;
    let file = match fs::openat(folder, name, made, Mode::from_raw_mode(0o666)) {
        Ok(file) => file,
        Err(Errno::EXIST) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // To the owner of the WAL, else of the directory: were we killed, a file of root's would keep a
    // Prometheus that is not root from starting. Who is not root is Prometheus, or cannot help it.
    let owner = fs::statat(folder, "wal", AtFlags::SYMLINK_NOFOLLOW).or_else(|_| fs::fstat(folder));
    if let Ok(owner) = owner {
        let (uid, gid) = Owner::of(&owner).ids();
        before("chown")?;
        let _ = fs::fchown(&file, uid, gid);
    }
    Ok(Some(file))
}

pub(super) fn remove_lock(folder: &OwnedFd, name: &str) {
    if before("unlink").is_ok() {
        let _ = fs::unlinkat(folder, name, AtFlags::empty());
    }
}

/// Sums what it passes on.
struct Summing<W> {
    out: W,
    sum: Sum,
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        let written = bytes.get(..count).unwrap_or_default();
        self.sum.size += count as u64;
        self.sum.crc32c = crc32c::crc32c_append(self.sum.crc32c, written);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file that may be told to fail in the middle of a write.
struct Faulty {
    file: File,
}

impl Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        before("write")?;
        let half = if cfg!(feature = "faults") { bytes.len().div_ceil(2) } else { bytes.len() };
        self.file.write(bytes.get(..half).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
