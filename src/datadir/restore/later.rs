//! What Prometheus wrote after a salvage goes aside, so that the old files can come back. Only what is
//! new: where it has grown or removed what was there before, the old files are no longer its past.

use super::super::disk::Disk;
use super::super::journal::{Change, Journal, Phase, Step};
use super::super::salvage::{self, NotDone};
use super::super::stage;
use super::{gone, now};

/// Moves every new file of the logs to a folder of its own, `prom-fix-<time>/old/…`, with a manifest
/// that says of which salvage it is.
pub fn set_aside(disk: &Disk, journal: &Journal) -> Result<(), NotDone> {
    let now = now(disk)?;
    let known = &journal.manifest.untouched;
    let grown = now.iter().find(|(path, size)| known.get(*path).is_some_and(|was| was != *size));
    if let Some(path) = grown.map(|(path, _)| path).or(gone(journal, &now)) {
        return Err(NotDone::Refused(format!(
            "{}: gone, or another, since the salvage: the old files are not the past of what is \
             there now. They stay in {}",
            disk.named(path).display(),
            journal.folder
        )));
    }
    let mut renewed = Vec::new();
    for step in &journal.manifest.steps {
        if is_renewed(disk, journal, step)? {
            renewed.push(step.path.as_str());
        }
    }
    let mut later = Journal::begin(&salvage::free_name(disk)?, false, Vec::new());
    later.manifest.phase = Phase::Later;
    later.manifest.report.agreed.clone_from(&journal.manifest.report.agreed);
    for (path, size) in now {
        let is_new = renewed.iter().any(|new| path.strip_prefix(*new).is_some_and(is_below));
        if !is_new && (known.contains_key(&path) || journal.is_ours(&path)) {
            continue;
        }
        // What lies in a folder goes with it.
        if later.is_ours(&path) {
            later.manifest.untouched.insert(path, size);
            continue;
        }
        let old = stage::sum(disk, &path)?;
        let change = Change::SetAside;
        later.manifest.steps.push(Step { path, change, from: String::new(), old, new: None });
    }
    if later.manifest.steps.is_empty() {
        return Ok(());
    }
    let owner = disk.owner(&journal.folder)?;
    disk.make_folder(&later.folder, owner)?;
    later.write(disk)?;
    for folder in later.old_folders() {
        disk.make_folder(&folder, owner)?;
    }
    // The last first: should it end in the middle, no gap is left.
    for step in later.manifest.steps.iter().rev() {
        disk.rename(&step.path, &later.old_path(step)).map_err(NotDone::Unfinished)?;
    }
    Ok(())
}

/// Whether Prometheus has made something anew under the name that a step freed: its next file of
/// chunks_head has the number of the one that was damaged.
pub fn is_renewed(disk: &Disk, journal: &Journal, step: &Step) -> Result<bool, NotDone> {
    let is_free = step.change == Change::SetAside;
    Ok(is_free && disk.exists(&step.path)? && disk.exists(&journal.old_path(step))?)
}

/// Of the rest of a path: itself, or what lies in it.
fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}
