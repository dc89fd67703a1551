//! What Prometheus wrote after a salvage goes aside, so that the old files can come back. Only what is
//! new: where it has grown or removed what was there before, the old files are no longer its past.

use super::super::disk::Disk;
use super::super::journal::Journal;
use super::super::salvage::{self, NotDone};
use super::{is_ours, now};

/// Moves every new file of the logs to a folder of its own, `prom-fix-<time>/later/…`.
pub fn set_aside(disk: &Disk, journal: &Journal) -> Result<(), NotDone> {
    let now = now(disk)?;
    let known = &journal.manifest.untouched;
    let grown = now.iter().find(|(path, size)| known.get(*path).is_some_and(|was| was != *size));
    let gone = known.keys().find(|path| !now.contains_key(*path));
    if let Some(path) = grown.map(|(path, _)| path).or(gone) {
        return Err(NotDone::Refused(format!(
            "{}: gone, or another, since the salvage: the old files are not the past of what is \
             there now. They stay in {}",
            disk.named(path).display(),
            journal.folder
        )));
    }
    let new = |path: &String| !known.contains_key(path) && !is_ours(journal, path);
    let mut moved: Vec<String> = Vec::new();
    for path in now.into_keys().filter(new) {
        // What lies in a folder goes with it.
        if !moved.iter().any(|folder| path.starts_with(&format!("{folder}/"))) {
            moved.push(path);
        }
    }
    if moved.is_empty() {
        return Ok(());
    }
    let folder = salvage::free_name(disk)? + "/later/";
    let owner = disk.owner(&journal.folder)?;
    // The last first: should it end in the middle, no gap is left.
    for path in moved.iter().rev() {
        let aside = folder.clone() + path;
        for (at, _) in aside.match_indices('/') {
            disk.make_folder(aside.get(..at).unwrap_or_default(), owner)?;
        }
        disk.rename(path, &aside).map_err(NotDone::Unfinished)?;
    }
    Ok(())
}
