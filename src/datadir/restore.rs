//! Goes on with a salvage that was killed, or puts back what it found.

use std::collections::BTreeMap;
use std::path::Path;

use super::disk::Disk;
use super::journal::{Journal, LOGS, Phase, State, Step};
use super::layout;
use super::lock::Lock;
use super::look::Known;
use super::salvage::{self, AtWork, NotDone, Report};
use super::terms::{self, NOT_LAST};

mod later;

/// What there was to go on with.
#[derive(Debug)]
pub enum Resumed {
    Nothing,
    Salvaged(Report),
    /// It had begun to put the old files back.
    Restored(Restored),
}

/// What was put back.
#[derive(Debug)]
pub struct Restored {
    /// The folder of the salvage, which is gone.
    pub folder: String,
    /// Paths that are as they were.
    pub paths: Vec<String>,
}

/// Goes on from wherever the last run was killed. Where nothing was changed yet, and the run is
/// `held` to something, it begins anew, and looks at that again.
pub fn resume(root: &Path, held: bool) -> Result<Resumed, NotDone> {
    let mut lock = Lock::take(root)?;
    let disk = Disk::open(root)?;
    let mut all = salvage::journals(&disk, root)?;
    let Some(mut journal) = take_unfinished(&mut all) else { return Ok(Resumed::Nothing) };
    if journal.manifest.lock_created {
        lock.adopt();
    }
    match journal.manifest.phase {
        Phase::Staging => {
            // What was made so far is made again: the same damage has the same plan.
            journal.remove(&disk)?;
            if held {
                return Ok(Resumed::Nothing);
            }
            let prepared = salvage::prepare(&disk, root)?;
            if prepared.report.files.is_empty() {
                return Ok(Resumed::Salvaged(prepared.report));
            }
            let mut at_work = AtWork { disk, root, lock };
            at_work.carry_out(prepared, journal.folder).map(Resumed::Salvaged)
        }
        Phase::Swapping => {
            check_forward(&disk, &journal)?;
            let mut at_work = AtWork { disk, root, lock };
            at_work.swap(&mut journal, &Known::default()).map(Resumed::Salvaged)
        }
        Phase::Restoring => put_back(&disk, lock, journal).map(Resumed::Restored),
        Phase::Done | Phase::Freeing | Phase::Later => Ok(Resumed::Nothing),
    }
}

/// Puts back what the last salvage changed; `None` where nothing is left of the one that is meant.
/// An older one is refused.
pub fn restore(root: &Path, terms: &terms::Restore) -> Result<Option<Restored>, NotDone> {
    let mut lock = Lock::take(root)?;
    let disk = Disk::open(root)?;
    let mut all = salvage::journals(&disk, root)?;
    if terms.of.is_some() {
        // One without a manifest, killed as it began or at its end, does not say what it is of.
        all.retain(|journal| !journal.manifest.steps.is_empty());
    }
    let last = take_unfinished(&mut all).or_else(|| all.pop());
    let meant = |journal: &Journal| {
        terms.of.as_ref().is_none_or(|of| journal.manifest.report.agreed == *of)
    };
    let Some(journal) = last.filter(meant) else {
        // It would not fit beside what was done after it; where it is gone, it was put back, or freed.
        let later = |of: &String| all.iter().any(|one| one.manifest.report.agreed == *of);
        if let Some(of) = &terms.of
            && !later(of)
        {
            return Ok(None);
        }
        if terms.of.is_some() {
            let root = root.display();
            return Err(NotDone::Refused(format!(
                "{root}: {NOT_LAST} set aside, and fit only beside those"
            )));
        }
        return Err(NotDone::Refused(format!("{}: nothing was salvaged here", root.display())));
    };
    if journal.manifest.lock_created {
        lock.adopt();
    }
    if terms.force && journal.manifest.phase == Phase::Done && changed_logs(&journal) {
        check_steps_back(&disk, &journal, true)?;
        later::set_aside(&disk, &journal)?;
    }
    put_back(&disk, lock, journal).map(Some)
}

fn take_unfinished(all: &mut Vec<Journal>) -> Option<Journal> {
    let at = all.iter().position(Journal::unfinished)?;
    Some(all.remove(at))
}

fn put_back(disk: &Disk, mut lock: Lock, mut journal: Journal) -> Result<Restored, NotDone> {
    let staging = journal.manifest.phase == Phase::Staging;
    if !staging {
        check_back(disk, &journal).map_err(|not_done| match journal.manifest.phase {
            Phase::Freeing => freed(disk, &journal),
            _ => not_done,
        })?;
    }
    let unfinished = NotDone::Unfinished;
    if !staging {
        journal.enter(disk, Phase::Restoring)?;
    }
    let mut paths = Vec::new();
    if !staging {
        disk.make_folder(&format!("{}/new", journal.folder), disk.owner(&journal.folder)?)
            .map_err(unfinished)?;
        for (at, step) in journal.manifest.steps.iter().enumerate().rev() {
            journal.back(disk, at, step).map_err(unfinished)?;
            paths.push(step.path.clone());
        }
    }
    // All is as it was; what follows is our own. Were we killed between, the next run still knows
    // from the manifest whose the lock's file is.
    lock.remove_file();
    journal.remove(disk).map_err(unfinished)?;
    Ok(Restored { folder: journal.folder, paths })
}

/// Nothing that is in the way may be something else than what we left there.
fn check_forward(disk: &Disk, journal: &Journal) -> Result<(), NotDone> {
    for (at, step) in journal.manifest.steps.iter().enumerate() {
        match journal.state(disk, at, step)? {
            State::Before | State::Exchanged | State::Between | State::After => {}
            State::Undone | State::Strange => return Err(changed(disk, &step.path)),
        }
    }
    check_untouched(disk, journal)
}

fn check_back(disk: &Disk, journal: &Journal) -> Result<(), NotDone> {
    check_steps_back(disk, journal, false)?;
    check_untouched(disk, journal)
}

/// `force`: what is new goes aside.
fn check_steps_back(disk: &Disk, journal: &Journal, force: bool) -> Result<(), NotDone> {
    let begun = journal.manifest.phase == Phase::Restoring;
    for (at, step) in journal.manifest.steps.iter().enumerate() {
        let state = journal.state(disk, at, step)?;
        match state {
            State::Before | State::Exchanged | State::Between | State::After => {}
            State::Undone if begun => {}
            State::Strange if force && later::is_renewed(disk, journal, step)? => {
                check_old(disk, journal, step, &journal.old_path(step))?;
            }
            State::Undone | State::Strange => return Err(changed(disk, &step.path)),
        }
        if let Some(path) = journal.away(at, step, state) {
            check_old(disk, journal, step, &path)?;
        }
    }
    Ok(())
}

/// What lies aside must be what comes back.
fn check_old(disk: &Disk, journal: &Journal, step: &Step, path: &str) -> Result<(), NotDone> {
    if let Some(old) = step.old {
        let whole = disk.is_file(path)? && disk.sum(path)? == old;
        return if whole { Ok(()) } else { Err(spoiled(disk, path)) };
    }
    let (mut there, mut known) = (BTreeMap::new(), 0);
    disk.walk(path, &mut there)?;
    for was in journal.manifest.untouched.keys() {
        let Some(rest) = was.strip_prefix(&step.path).filter(|rest| rest.starts_with('/')) else {
            continue;
        };
        let now = format!("{path}{rest}");
        let bytes = there.get(&now).copied();
        if bytes.is_none() || !journal.was_inside(disk, was, &now, bytes.unwrap_or_default())? {
            return Err(spoiled(disk, &now));
        }
        known += 1;
    }
    // What somebody put there.
    if there.len() > known { Err(spoiled(disk, path)) } else { Ok(()) }
}

/// Whether it changed files of a log. A block that was moved aside fits beside any.
fn changed_logs(journal: &Journal) -> bool {
    journal.manifest.steps.iter().any(|step| {
        let folder = step.path.split('/').next().unwrap_or_default();
        !layout::is_ulid(folder)
    })
}

/// Each start of Prometheus makes a segment: what was not there tells that it has written.
fn check_untouched(disk: &Disk, journal: &Journal) -> Result<(), NotDone> {
    if !changed_logs(journal) {
        return Ok(());
    }
    let now = now(disk)?;
    let known = &journal.manifest.untouched;
    let differs = |(path, size): (&String, &u64)| known.get(path) != Some(size);
    if let Some((path, _)) = now.iter().find(|entry| differs(*entry) && !journal.is_ours(entry.0)) {
        return Err(changed(disk, path));
    }
    match gone(journal, &now) {
        Some(path) => Err(changed(disk, path)),
        None => Ok(()),
    }
}

/// What was left as it was, and is not there any more.
fn gone<'a>(journal: &'a Journal, now: &BTreeMap<String, u64>) -> Option<&'a String> {
    let mut known = journal.manifest.untouched.keys();
    known.find(|path| !now.contains_key(*path) && !journal.is_ours(path))
}

/// All that lies in the logs, with its bytes.
fn now(disk: &Disk) -> Result<BTreeMap<String, u64>, NotDone> {
    let mut now = BTreeMap::new();
    LOGS.iter().try_for_each(|log| disk.walk(log, &mut now))?;
    Ok(now)
}

/// A cleanup has begun, and taken some of what would be put back.
fn freed(disk: &Disk, journal: &Journal) -> NotDone {
    let folder = disk.named(&journal.folder);
    NotDone::Refused(format!("{}: its old files were freed, or some of them", folder.display()))
}

fn spoiled(disk: &Disk, path: &str) -> NotDone {
    NotDone::Refused(format!(
        "{}: not as it was when it was set aside. Nothing was put back: put a whole copy there and \
         try again, or keep what the salvage made, which needs nothing of it",
        disk.named(path).display()
    ))
}

fn changed(disk: &Disk, path: &str) -> NotDone {
    NotDone::Refused(format!(
        "{}: not as the salvage left it; Prometheus has started since, or somebody changed it. \
         Nothing was put back; --force sets aside what it wrote",
        disk.named(path).display()
    ))
}
