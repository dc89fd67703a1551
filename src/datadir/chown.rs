//! Gives the files of a data directory to another user, so that it can be taken back.
//!
//! ```text
//! prom-fix-<time>/chown.json   what each file and folder was, before the first is changed
//! ```
//! A file is known again by its inode, and changed by a handle on it: no link is followed, and a
//! folder that is swapped for another under way leads nowhere. Of each it can be told by looking at
//! it whether it was changed, so a run that was killed anywhere goes on, or back.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, Done, Failed};
use super::journal::Journal as Salvage;
use super::json;
use super::layout;
use super::lock::{self, Lock, NotTaken};
use super::owners::{Seen, walk};
use super::salvage::{self, NotDone};
pub use super::user::Change;

mod put;
#[cfg(test)]
mod tests;

use put::{flush, put};

const MANIFEST: &str = "chown.json";
const VERSION: u32 = 1;
/// A manifest of more bytes was not written by us.
const MOST: u64 = 256 << 20;

/// What one file or folder was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Was {
    /// Below the directory; nothing for itself.
    path: String,
    inode: u64,
    folder: bool,
    #[serde(flatten)]
    owned: Whose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Whose {
    uid: u32,
    gid: u32,
    mode: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Phase {
    Changing,
    Done,
    Restoring,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    version: u32,
    phase: Phase,
    lock_created: bool,
    change: Change,
    /// What is in a folder before the folder.
    was: Vec<Was>,
}

struct Journal {
    folder: String,
    manifest: Manifest,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The folder that holds what was; of a restore, that held it.
    pub aside: Option<String>,
    pub paths: Vec<String>,
    /// Of the manifest, and no longer there: Prometheus removed or replaced them.
    pub gone: Vec<String>,
}

impl Whose {
    fn of(stat: &Stat) -> Whose {
        Whose { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 }
    }
}

impl Change {
    fn of(&self, was: &Was) -> Whose {
        let bits = if was.folder { 7 } else { 6 };
        let owner = if self.owner_bits { bits << 6 } else { 0 };
        let group = if self.group_bits { bits << 3 } else { 0 };
        Whose { uid: self.uid, gid: self.gid, mode: was.owned.mode | owner | group }
    }
}

/// What would be changed; nothing is.
pub fn plan(root: &Path, change: Change) -> Result<Report, NotDone> {
    let was = look(root, change, false)?;
    let paths = was.into_iter().map(|was| was.path).collect();
    Ok(Report { paths, ..Report::default() })
}

/// Changes all that is not yet as it is to be.
pub fn chown(root: &Path, change: Change) -> Result<Report, NotDone> {
    let Some((disk, mut journal, _lock)) = begin(root, change, usize::MAX)? else {
        return Ok(Report::default());
    };
    journal.go_on(&disk).map_err(NotDone::Unfinished)
}

/// Changes the first, looks whether it was changed, and puts it back.
pub fn prove(root: &Path, change: Change) -> Result<Report, NotDone> {
    let Some((disk, journal, lock)) = begin(root, change, 1)? else {
        return Ok(Report::default());
    };
    journal.go_back(&disk, lock).map_err(NotDone::Unfinished)
}

/// Writes down what the first `most` are, and changes the first of them: what refuses that refuses
/// all of it.
fn begin(
    root: &Path,
    change: Change,
    most: usize,
) -> Result<Option<(Disk, Journal, Lock)>, NotDone> {
    let lock = take(root)?;
    let disk = Disk::open(root)?;
    refuse_if_unfinished(&disk, root)?;
    let mut was = look(root, change, lock.created())?;
    was.truncate(most);
    if was.is_empty() {
        return Ok(None);
    }
    let folder = salvage::free_name(&disk)?;
    let lock_created = lock.created();
    let manifest = Manifest { version: VERSION, phase: Phase::Changing, lock_created, change, was };
    let journal = Journal { folder, manifest };
    let began = disk
        .make_folder(&journal.folder, disk.owner("")?)
        .and_then(|()| journal.write(&disk))
        .and_then(|()| match journal.manifest.was.first() {
            Some(first) => put(&disk, first, change.of(first)).map(drop),
            None => Ok(()),
        });
    if let Err(failed) = began {
        let _ = journal.remove(&disk);
        return Err(NotDone::Refused(why(&failed)));
    }
    Ok(Some((disk, journal, lock)))
}

/// Whether the last thing that was done here, or the one that is not finished, is a change of owner.
pub fn is_last(root: &Path) -> Result<bool, NotDone> {
    let disk = Disk::open(root)?;
    if journals(&disk, root)?.iter().any(|journal| journal.manifest.phase != Phase::Done) {
        return Ok(true);
    }
    let salvages = salvage::journals(&disk, root)?;
    if salvages.iter().any(Salvage::unfinished) {
        return Ok(false);
    }
    let last = journals(&disk, root)?.pop().map(|journal| journal.folder);
    Ok(last.is_some() && last > salvages.into_iter().map(|journal| journal.folder).max())
}

/// Goes on from wherever the last run was killed.
pub fn resume(root: &Path) -> Result<Report, NotDone> {
    let Some((disk, mut journal, lock)) = last(root, false)? else {
        return Ok(Report::default());
    };
    let gone_on = match journal.manifest.phase {
        Phase::Changing | Phase::Done => journal.go_on(&disk),
        Phase::Restoring => journal.go_back(&disk, lock),
    };
    gone_on.map_err(NotDone::Unfinished)
}

/// Puts back what the last change of owner changed.
pub fn restore(root: &Path) -> Result<Report, NotDone> {
    let Some((disk, journal, lock)) = last(root, true)? else {
        return Err(NotDone::Refused(format!("{}: no owner was changed here", root.display())));
    };
    journal.go_back(&disk, lock).map_err(NotDone::Unfinished)
}

/// The change that is not finished; else the last one, where also one that is will do.
fn last(root: &Path, also_done: bool) -> Result<Option<(Disk, Journal, Lock)>, NotDone> {
    let mut lock = take(root)?;
    let disk = Disk::open(root)?;
    let mut all = journals(&disk, root)?;
    let unfinished = all.iter().position(|journal| journal.manifest.phase != Phase::Done);
    let journal = match unfinished {
        Some(at) => Some(all.swap_remove(at)),
        None => all.pop().filter(|_| also_done),
    };
    let Some(journal) = journal else { return Ok(None) };
    if journal.manifest.lock_created {
        lock.adopt();
    }
    Ok(Some((disk, journal, lock)))
}

fn take(root: &Path) -> Result<Lock, NotDone> {
    Lock::take(root).map_err(|not_taken: NotTaken| NotDone::Refused(not_taken.to_string()))
}

/// Of a salvage or a change of owner.
pub(super) fn refuse_if_unfinished(disk: &Disk, root: &Path) -> Result<(), NotDone> {
    let salvages = salvage::journals(disk, root)?;
    let unfinished = salvages.iter().any(Salvage::unfinished)
        || journals(disk, root)?.iter().any(|j| j.manifest.phase != Phase::Done);
    if unfinished { Err(NotDone::Begun) } else { Ok(()) }
}

/// All that is not as it is to be, what is in a folder before the folder. Refused where not all can
/// be seen, and where a file has a name outside: it is not the directory's alone.
fn look(root: &Path, change: Change, lock_is_ours: bool) -> Result<Vec<Was>, NotDone> {
    let mut all = Vec::new();
    let mut names: BTreeMap<u64, (u64, u64, String)> = BTreeMap::new();
    let mut refused: Option<String> = None;
    walk(root, &mut |path, seen| {
        let shown = root.join(path).display().to_string();
        let mut refuse = |why: String| refused = refused.take().or(Some(why));
        let stat = match seen {
            Seen::LeftOut => return,
            Seen::Unread(error) => return refuse(format!("{shown}: {error}")),
            Seen::Entry(stat) => stat,
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !(kind.is_file() || kind.is_dir()) || lock_is_ours && path == Path::new(lock::NAME) {
            return;
        }
        let Some(text) = path.to_str() else {
            return refuse(format!("{shown}: not the name of anything that Prometheus writes"));
        };
        if kind.is_file() && stat.st_nlink > 1 {
            names.entry(stat.st_ino).or_insert((wide(stat.st_nlink), 0, shown)).1 += 1;
        }
        let (inode, folder) = (stat.st_ino, kind.is_dir());
        let was = Was { path: text.to_owned(), inode, folder, owned: Whose::of(stat) };
        if change.of(&was) != was.owned {
            all.push(was);
        }
    })
    .map_err(|error| Failed { path: root.to_owned(), error })?;
    let elsewhere = names.into_values().find(|(all, here, _)| all > here);
    if let Some((all, here, shown)) = elsewhere {
        let why = format!(
            "{shown}: has {all} names, {here} of them in the directory: \
            to change it would change it elsewhere"
        );
        return Err(NotDone::Refused(why));
    }
    if let Some(why) = refused {
        return Err(NotDone::Refused(why));
    }
    all.reverse();
    Ok(all)
}

/// Links are counted in 32 bits on one machine, in 64 on another.
fn wide(count: impl Into<u64>) -> u64 {
    count.into()
}

fn why(failed: &Failed) -> String {
    let refusals = [Errno::PERM, Errno::ACCESS, Errno::OVERFLOW, Errno::INVAL];
    let raw = failed.error.raw_os_error();
    if !refusals.iter().any(|errno| Some(errno.raw_os_error()) == raw) {
        return failed.to_string();
    }
    let me = rustix::process::geteuid().as_raw();
    format!(
        "{failed}: uid {me} may not give files away here. Only root may, with CAP_CHOWN, and not \
         where a share makes root somebody else (root_squash)"
    )
}

impl Journal {
    fn write(&self, disk: &Disk) -> Done<()> {
        let path = format!("{}/{MANIFEST}", self.folder);
        let temporary = format!("{path}.tmp");
        disk.remove_file(&temporary)?;
        disk.create(&temporary, disk.owner(&self.folder)?.of_file(), |out| {
            json::write(&mut *out, &self.manifest)?;
            out.write_all(b"\n")
        })?;
        disk.supersede(&temporary, &path)
    }

    fn remove(&self, disk: &Disk) -> Done<()> {
        let path = format!("{}/{MANIFEST}", self.folder);
        disk.remove_file(&format!("{path}.tmp"))?;
        disk.remove_file(&path)?;
        disk.remove_folder(&self.folder)
    }

    /// Each in turn: which are as told now, and which are gone.
    fn all(&self, disk: &Disk, to: impl Fn(&Was) -> Whose) -> Done<Report> {
        let mut report = Report { aside: Some(self.folder.clone()), ..Report::default() };
        for was in &self.manifest.was {
            let put = put(disk, was, to(was))?;
            (if put { &mut report.paths } else { &mut report.gone }).push(was.path.clone());
        }
        flush(disk)?;
        Ok(report)
    }

    fn go_on(&mut self, disk: &Disk) -> Done<Report> {
        let change = self.manifest.change;
        let report = self.all(disk, |was| change.of(was))?;
        self.manifest.phase = Phase::Done;
        self.write(disk)?;
        Ok(report)
    }

    fn go_back(mut self, disk: &Disk, mut lock: Lock) -> Done<Report> {
        self.manifest.phase = Phase::Restoring;
        self.write(disk)?;
        let report = self.all(disk, |was| was.owned)?;
        lock.remove_file();
        self.remove(disk)?;
        Ok(report)
    }
}

/// Every change of owner that can be taken back, the oldest first.
fn journals(disk: &Disk, root: &Path) -> Done<Vec<Journal>> {
    let named = |error| Failed { path: root.to_owned(), error };
    let mut all = Vec::new();
    for path in layout::read(root).map_err(named)?.aside {
        let folder = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = format!("{folder}/{MANIFEST}");
        if !disk.exists(&path)? {
            continue;
        }
        let mut bytes = Vec::new();
        let read = disk.reader(&path)?.take(MOST).read_to_end(&mut bytes);
        let manifest = read.and_then(|_| Ok(serde_json::from_slice::<Manifest>(&bytes)?));
        match manifest {
            Ok(manifest) if manifest.version == VERSION => all.push(Journal { folder, manifest }),
            Ok(_) => {
                let error = io::Error::other("of a newer prom-fix");
                return Err(Failed { path: disk.named(&path), error });
            }
            Err(error) => return Err(Failed { path: disk.named(&path), error }),
        }
    }
    Ok(all)
}
