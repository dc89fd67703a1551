//! Frees what a salvage set aside, or a restore by force: what a manifest says, and nothing else. It
//! takes no lock, for nothing that Prometheus reads or writes is touched, and it may serve meanwhile.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::disk::{Disk, Done, Failed};
use super::journal::{Change, Journal, Phase};
use super::salvage::{self, NotDone};
use super::terms;

/// What lies in a folder of ours.
#[derive(Debug)]
pub struct Found {
    /// It begins with the name of the folder.
    pub path: String,
    pub bytes: u64,
    /// As it was set aside; else it is of somebody else, or was changed, and stays.
    pub ours: bool,
}

/// Tells what there is; what is to be freed is gone afterwards.
pub fn cleanup(root: &Path, terms: &terms::Cleanup) -> Result<Vec<Found>, NotDone> {
    let disk = Disk::open(root)?;
    let mut all = salvage::asides(&disk, root)?;
    // A folder without a manifest was begun to be made, or is all but gone.
    if all.iter().any(|journal| journal.unfinished() && !journal.manifest.steps.is_empty()) {
        return Err(NotDone::Begun);
    }
    let of = terms.of.as_deref().unwrap_or_default();
    all.retain(|Journal { folder, manifest }| {
        of.is_empty() || manifest.report.agreed == of || of.split('+').any(|name| name == folder)
    });
    let mut found = Vec::new();
    for journal in &all {
        look(&disk, journal, &mut found)?;
    }
    if terms.free {
        free(&disk, &mut all, &found).map_err(NotDone::Unfinished)?;
    }
    Ok(found)
}

/// What of a folder is the manifest's.
fn look(disk: &Disk, journal: &Journal, found: &mut Vec<Found>) -> Result<(), NotDone> {
    let Journal { folder, manifest } = journal;
    let (old, folders) = (format!("{folder}/old/"), journal.old_folders());
    let mut there = BTreeMap::new();
    disk.walk(folder, &mut there)?;
    let mut missing = manifest.untouched.keys().filter(|path| journal.is_ours(path)).count();
    for step in &manifest.steps {
        missing += usize::from(matches!(step.change, Change::Replace | Change::SetAside));
    }
    for (path, bytes) in there {
        if path.starts_with(&journal.file()) {
            continue;
        }
        let was = path.strip_prefix(&old).unwrap_or_default();
        let step = manifest.steps.iter().find(|step| step.path == was);
        let known = match step {
            Some(step) => match step.old {
                Some(old) => disk.sum(&path)? == old,
                None => true,
            },
            None => journal.is_ours(was) && journal.was_inside(disk, was, &path, bytes)?,
        };
        missing = missing.saturating_sub(usize::from(known));
        let ours = known || folders.contains(&path);
        found.push(Found { path, bytes, ours });
    }
    // One that was begun has deleted some.
    if missing > 0 && manifest.phase == Phase::Done {
        let folder = disk.named(folder);
        let why = format!("{}: not as the salvage left it", folder.display());
        return Err(NotDone::Refused(why));
    }
    Ok(())
}

/// What is in a folder before the folder, and a manifest after all it tells of.
fn free(disk: &Disk, all: &mut [Journal], found: &[Found]) -> Done<()> {
    for journal in &mut *all {
        if journal.manifest.phase == Phase::Done {
            journal.enter(disk, Phase::Freeing)?;
        }
    }
    for Found { path, .. } in found.iter().rev().filter(|one| one.ours) {
        remove(disk, path)?;
    }
    for journal in all {
        disk.remove_file(&format!("{}.tmp", journal.file()))?;
        disk.remove_file(&journal.file())?;
        remove(disk, &journal.folder)?;
    }
    Ok(())
}

/// Removes a file, or a folder unless something is left in it.
fn remove(disk: &Disk, path: &str) -> Done<()> {
    if !disk.is_folder(path)? {
        return disk.remove_file(path);
    }
    match disk.remove_folder(path) {
        Err(Failed { error, .. }) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        done => done,
    }
}
