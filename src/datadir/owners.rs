//! Whose the files of a data directory are, and what a user could not do with them. No file is
//! opened, no link followed, and what is mounted below the directory is not entered. By owner, group
//! and mode alone: access control lists and what the kernel's security modules say are not read.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde::{Serialize, Serializer};

use super::layout::{ASIDE, is_known};
pub use super::user::User;

#[cfg(test)]
mod tests;

/// What is listed of a kind; of more only the number.
pub const FIRST: usize = 10;
/// A data directory is four deep. Each level holds a folder open.
const DEEPEST: usize = 64;
/// Of a file system's own check; Prometheus passes over it.
const LOST_AND_FOUND: &str = "lost+found";

/// Permission bits, told as a person writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bits(pub u32);

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:04o}", self.0))
    }
}

/// Whose something is, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Owned {
    pub uid: u32,
    pub gid: u32,
    pub mode: Bits,
}

impl Owned {
    #[must_use]
    pub fn of(stat: &Stat) -> Owned {
        Owned { uid: stat.st_uid, gid: stat.st_gid, mode: Bits(stat.st_mode & 0o7777) }
    }
}

/// How many are owned so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    #[serde(flatten)]
    pub owned: Owned,
    pub count: u64,
}

/// What a user cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Lack {
    Read,
    Write,
    /// Of a folder: reach what is in it.
    Traverse,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offender {
    pub path: PathBuf,
    #[serde(flatten)]
    pub owned: Owned,
    pub lacks: Vec<Lack>,
}

/// What could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    pub path: PathBuf,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed<T> {
    pub count: u64,
    /// As many as are listed.
    pub first: Vec<T>,
}

impl<T> Default for Listed<T> {
    fn default() -> Listed<T> {
        Listed { count: 0, first: Vec::new() }
    }
}

impl<T> Listed<T> {
    fn push(&mut self, one: T) {
        self.count += 1;
        if self.first.len() < FIRST {
            self.first.push(one);
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Owners {
    pub root: PathBuf,
    /// Most common first.
    pub folders: Vec<Group>,
    pub files: Vec<Group>,
    /// Links, sockets and the like: Prometheus makes none.
    pub others: u64,
    /// Left out: `lost+found`, what was set aside, what is mounted below.
    pub left_out: Vec<PathBuf>,
    /// Right in the directory, by name: what no Prometheus puts there.
    pub strangers: Listed<PathBuf>,
    pub user: Option<User>,
    /// What the user could not do. Files are to be read and written, folders traversed too.
    pub offenders: Listed<Offender>,
    pub unread: Listed<Unread>,
}

/// Counts owners; judges them where a user is given.
pub fn read(root: &Path, user: Option<&User>) -> io::Result<Owners> {
    let mut folders: BTreeMap<Owned, u64> = BTreeMap::new();
    let mut files: BTreeMap<Owned, u64> = BTreeMap::new();
    let mut found = Owners { root: root.to_owned(), user: user.cloned(), ..Owners::default() };
    walk(root, &mut |path, seen| {
        let stat = match seen {
            Seen::Entry(stat) => {
                if is_stranger(path) {
                    found.strangers.push(path.to_owned());
                }
                stat
            }
            Seen::LeftOut => return found.left_out.push(path.to_owned()),
            Seen::Unread(why) => {
                let why = why.to_string();
                return found.unread.push(Unread { path: path.to_owned(), why });
            }
        };
        let owned = Owned::of(stat);
        let is_folder = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => true,
            FileType::RegularFile => false,
            _ => {
                found.others += 1;
                return;
            }
        };
        *(if is_folder { &mut folders } else { &mut files }).entry(owned).or_default() += 1;
        if let Some(user) = user {
            let lacks = lacks(user, owned, is_folder);
            if !lacks.is_empty() {
                found.offenders.push(Offender { path: path.to_owned(), owned, lacks });
            }
        }
    })?;
    let groups = |counts: BTreeMap<Owned, u64>| {
        let mut groups: Vec<Group> =
            counts.into_iter().map(|(owned, count)| Group { owned, count }).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    };
    found.folders = groups(folders);
    found.files = groups(files);
    Ok(found)
}

/// What a user cannot do, by the three bits that are his: the kernel looks at no others.
#[must_use]
pub fn lacks(user: &User, owned: Owned, is_folder: bool) -> Vec<Lack> {
    if user.uid == 0 {
        return Vec::new();
    }
    let Bits(mode) = owned.mode;
    let bits = if owned.uid == user.uid {
        mode >> 6
    } else if owned.gid == user.gid || user.groups.contains(&owned.gid) {
        mode >> 3
    } else {
        mode
    };
    let needs = [(Lack::Read, 4, true), (Lack::Write, 2, true), (Lack::Traverse, 1, is_folder)];
    let lack = |(lack, bit, needed): (Lack, u32, bool)| (needed && bits & bit == 0).then_some(lack);
    needs.into_iter().filter_map(lack).collect()
}

/// What a walk comes by.
pub(super) enum Seen<'a> {
    Entry(&'a Stat),
    LeftOut,
    Unread(&'a io::Error),
}

/// Tells the directory itself, by no path, then everything in it by its path: a folder before what is
/// in it, names in order. An error only where that cannot be opened.
pub(super) fn walk(root: &Path, see: &mut dyn FnMut(&Path, Seen<'_>)) -> io::Result<()> {
    let named = |error: Errno| {
        let error = io::Error::from(error);
        io::Error::new(error.kind(), format!("{}: {error}", root.display()))
    };
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let folder = fs::open(root, flags, Mode::empty()).map_err(named)?;
    let stat = fs::fstat(&folder).map_err(named)?;
    see(Path::new(""), Seen::Entry(&stat));
    Walk { device: stat.st_dev, see }.folder(&folder, Path::new(""), 0);
    Ok(())
}

struct Walk<'a> {
    device: u64,
    see: &'a mut dyn FnMut(&Path, Seen<'_>),
}

impl Walk<'_> {
    fn folder(&mut self, folder: &OwnedFd, path: &Path, depth: usize) {
        let names = match names(folder) {
            Ok(names) => names,
            Err(error) => return (self.see)(path, Seen::Unread(&error)),
        };
        for name in names {
            let path = path.join(OsStr::from_bytes(name.as_bytes()));
            let own = depth == 0 && is_left_out(&path);
            match fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if own || stat.st_dev != self.device => (self.see)(&path, Seen::LeftOut),
                Ok(stat) => self.entry(folder, &name, &path, &stat, depth),
                // Gone since it was listed.
                Err(Errno::NOENT) => {}
                Err(error) => (self.see)(&path, Seen::Unread(&error.into())),
            }
        }
    }

    fn entry(&mut self, folder: &OwnedFd, name: &CString, path: &Path, stat: &Stat, depth: usize) {
        (self.see)(path, Seen::Entry(stat));
        if FileType::from_raw_mode(stat.st_mode).is_dir() {
            let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match fs::openat(folder, name, flags, Mode::empty()) {
                Ok(inside) if depth < DEEPEST => self.folder(&inside, path, depth + 1),
                Ok(_) => (self.see)(path, Seen::Unread(&io::Error::other("too deep"))),
                Err(error) => (self.see)(path, Seen::Unread(&error.into())),
            }
        }
    }
}

fn names(folder: impl AsFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        if name.as_bytes() != b"." && name.as_bytes() != b".." {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether it lies right in the directory, and Prometheus makes nothing of this name.
fn is_stranger(path: &Path) -> bool {
    let mut parts = path.iter();
    let (name, deeper) = (parts.next(), parts.next());
    deeper.is_none() && name.is_some_and(|name| !is_known(&name.to_string_lossy()))
}

/// What is not Prometheus' in its directory.
fn is_left_out(path: &Path) -> bool {
    let name = path.as_os_str().as_bytes();
    name == LOST_AND_FOUND.as_bytes() || name.starts_with(ASIDE.as_bytes())
}
