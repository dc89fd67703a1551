//! Mends a data directory without losing what can be read: plans, makes the new files aside, swaps
//! them in, and looks again. The old files stay below `prom-fix-<time>/`.

mod report;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::walfile::mend::Traces;
use crate::walfile::refs::Refs;
use crate::walfile::segment::{Depth, Pages};

use super::agreement::Agreement;
use super::calendar::Utc;
use super::chown;
use super::disk::{Disk, Done, Failed};
use super::journal::{Journal, LOGS, Phase};
use super::layout::{self, ASIDE};
use super::lock::{Lock, NotTaken};
use super::look::{Known, look};
use super::plan::{LogFile, Refusal, Seen, plan};
use super::restore::{self, Resumed};
use super::stage;
use super::survey::{self, Progress};
use super::terms::{self, NEEDS_ROOM};
use super::unnamed;
use report::touched;
pub use report::{MOST_FAULTS, Orphans, Report, Touched};

#[derive(Debug)]
pub enum NotDone {
    /// Nothing was changed.
    Refused(String),
    /// Nor here: an earlier salvage or change of owner is not finished.
    Begun,
    /// Nothing was changed, either.
    Failed(Failed),
    /// It began: `resume` and `restore` go on from here.
    Unfinished(Failed),
    /// All was done, and what is left is not what was promised.
    Unproved(String),
}

impl From<Failed> for NotDone {
    fn from(failed: Failed) -> NotDone {
        NotDone::Failed(failed)
    }
}

impl From<NotTaken> for NotDone {
    fn from(not_taken: NotTaken) -> NotDone {
        NotDone::Refused(not_taken.to_string())
    }
}

impl From<Refusal> for NotDone {
    fn from(refusal: Refusal) -> NotDone {
        NotDone::Refused(refusal.to_string())
    }
}

/// What a manifest and the ends of blocks may take beside the new files.
const BESIDE: u64 = 1 << 20;

/// What was seen, and what follows from it.
pub(super) struct Prepared {
    pub seen: Seen,
    pub report: Report,
}

/// What salvage would do; nothing is written, not even the lock's file.
pub fn rehearse(root: &Path) -> Result<Report, NotDone> {
    let disk = Disk::open(root)?;
    is_data(&disk, root)?;
    Lock::look(root)?;
    chown::refuse_if_unfinished(&disk, root)?;
    Ok(prepare(&disk, root)?.report)
}

/// Mends the directory; does nothing where there is nothing to mend.
pub fn salvage(
    root: &Path,
    terms: &terms::Salvage,
    tell: &mut dyn FnMut(Progress),
) -> Result<Report, NotDone> {
    let disk = Disk::open(root)?;
    is_data(&disk, root)?;
    if terms.go_on {
        if let Resumed::Salvaged(report) = restore::resume(root, true)? {
            return Ok(report);
        }
        if let Some(report) = done_as_agreed(&disk, root, terms)? {
            return Ok(report);
        }
    }
    if let Some(agreed) = &terms.expect {
        as_agreed(root, agreed, tell)?;
    }
    let lock = Lock::take(root)?;
    chown::refuse_if_unfinished(&disk, root)?;
    let mut prepared = prepare(&disk, root)?;
    prepared.report.agreed = terms.expect.clone().unwrap_or_default();
    if prepared.report.files.is_empty() {
        return Ok(prepared.report);
    }
    let folder = free_name(&disk)?;
    let mut at_work = AtWork { disk, root, lock };
    at_work.carry_out(prepared, folder)
}

/// It was done, and whoever waited for the report did not get it.
fn done_as_agreed(
    disk: &Disk,
    root: &Path,
    terms: &terms::Salvage,
) -> Result<Option<Report>, NotDone> {
    let report = journals(disk, root)?.pop().map(|journal| journal.manifest.report);
    Ok(report.filter(|report| terms.expect.as_ref() == Some(&report.agreed)))
}

/// Before the lock is taken: a survey takes a log whose lock is held for one that is written.
fn as_agreed(root: &Path, agreed: &str, tell: &mut dyn FnMut(Progress)) -> Result<(), NotDone> {
    let seen = survey::read(root, Depth::Full, tell)
        .map_err(|error| Failed { path: root.to_owned(), error })?;
    if Agreement::of(&seen).is_within(agreed) {
        return Ok(());
    }
    let now = seen.agreement;
    Err(NotDone::Refused(format!("not what was agreed to ({agreed}), but {now}: look again")))
}

/// An open directory that is ours while this lives.
pub(super) struct AtWork<'a> {
    pub disk: Disk,
    pub root: &'a Path,
    pub lock: Lock,
}

impl AtWork<'_> {
    /// From the plan to the proof.
    pub fn carry_out(&mut self, prepared: Prepared, folder: String) -> Result<Report, NotDone> {
        let disk = &self.disk;
        room(disk, self.root, need(&prepared))?;
        let mut journal = stage::begin(disk, &folder, &prepared, self.lock.created())?;
        if let Err(failed) = stage::stage(disk, &prepared, &mut journal) {
            // Nothing was swapped yet: the directory is as it was once our own folder is gone.
            return Err(match journal.remove(disk) {
                Ok(()) => NotDone::Failed(failed),
                Err(_) => NotDone::Unfinished(failed),
            });
        }
        let mut known = Known::of(&prepared.seen);
        prepared.report.files.iter().for_each(|file| known.forget(&file.planned.path));
        self.swap(&mut journal, &known)
    }

    /// Puts the new files in the place of the old, and proves that they are what was promised.
    pub fn swap(&mut self, journal: &mut Journal, known: &Known) -> Result<Report, NotDone> {
        let unfinished = NotDone::Unfinished;
        let disk = &self.disk;
        for (at, step) in journal.manifest.steps.iter().enumerate() {
            journal.forward(disk, at, step).map_err(unfinished)?;
        }
        disk.remove_folder(&format!("{}/new", journal.folder)).map_err(unfinished)?;
        let report = journal.manifest.report.clone();
        prove(disk, self.root, &report, known)?;
        // A Prometheus that starts from here on finds all in its place; while the manifest says
        // that something is left to do, the next run of ours knows whose the lock's file is.
        self.lock.remove_file();
        journal.enter(disk, Phase::Done).map_err(unfinished)?;
        Ok(report)
    }
}

fn prove(disk: &Disk, root: &Path, report: &Report, known: &Known) -> Result<(), NotDone> {
    let left = prepare_with(disk, root, known)?.report;
    if let Some(file) = left.files.first() {
        return Err(NotDone::Unproved(format!("{}: still at fault", file.planned.path)));
    }
    if left.kept != report.kept {
        let (found, said) = (left.kept, report.kept);
        return Err(NotDone::Unproved(format!(
            "{} records, {} series and {} samples are to be read, and not {}, {} and {}",
            found.records, found.series, found.samples, said.records, said.series, said.samples
        )));
    }
    Ok(())
}

pub(super) fn prepare(disk: &Disk, root: &Path) -> Result<Prepared, NotDone> {
    prepare_with(disk, root, &Known::default())
}

fn prepare_with(disk: &Disk, root: &Path, known: &Known) -> Result<Prepared, NotDone> {
    let seen = look(disk, root, known)?;
    let mut plan = plan(&seen)?;
    let mut report = Report::default();
    let read: Vec<&LogFile> = seen.logs().filter(|file| plan.read.contains(&file.path)).collect();
    for file in &read {
        report.kept.add(&file.found.kept.fragment);
    }
    // The highest ref that will be known after a start.
    let last = read.iter().filter_map(|file| file.found.counts.entries.refs).map(|r| r.last).max();
    let (chunks, wbl) = (seen.chunks.iter(), seen.wbl.files.iter());
    let unnamed =
        unnamed::highest(last, chunks.map(|file| &file.found), wbl.map(|file| &file.found));
    let at_risk = plan.series_at_risk || unnamed.is_some();
    if at_risk || !plan.steps.is_empty() {
        let traces = trace(disk, &seen, &read)?;
        if at_risk && traces.highest > last.unwrap_or(0) {
            plan.guard(&seen, traces.highest + 1);
            report.kept.records += 1;
            report.kept.series += 1;
        }
        let (samples, series) = (traces.orphans, traces.orphan_refs.len());
        report.orphans = Orphans { samples, series, named: traces.named };
    }
    // A start has its head begin where the newest block ends, whatever it loads (tsdb/db.go `reload`).
    if report.orphans.samples == 0 && seen.newest_block.is_none() && seen.snapshots.is_empty() {
        report.begins = report::begins(&read);
    }
    report.files = plan.steps.into_iter().map(|planned| touched(&seen, planned)).collect();
    report.extra_bytes = report.files.iter().map(|file| file.new).sum();
    Ok(Prepared { seen, report })
}

/// Reads once more what damage left, for the refs in it.
fn trace(disk: &Disk, seen: &Seen, read: &[&LogFile]) -> Done<Traces> {
    let mut known = Refs::default();
    read.iter().for_each(|file| known.extend(&file.found.refs));
    let mut traces = Traces::default();
    for file in read.iter().copied().chain(&seen.wbl.files) {
        let pages = Pages::new(disk.reader(&file.path)?, file.found.order);
        traces.read(pages, &known).map_err(|error| disk.failed(&file.path, error))?;
    }
    seen.snapshots.iter().for_each(|snapshot| traces.see(snapshot.reach.highest));
    seen.chunks.iter().filter_map(|file| file.found.refs).for_each(|refs| traces.see(refs.last));
    Ok(traces)
}

/// Bytes of the new files, and of what lies beside them.
pub(super) fn need(prepared: &Prepared) -> u64 {
    prepared.report.extra_bytes + beside(stage::most_of_manifest(prepared))
}

/// Bytes beside the new files, with a manifest of so many: it is written beside the one before it.
pub(super) fn beside(manifest: u64) -> u64 {
    BESIDE.max(2 * manifest + BESIDE / 2)
}

/// Refuses where the new files may not fit beside the old ones.
fn room(disk: &Disk, root: &Path, need: u64) -> Result<(), NotDone> {
    let free = disk.space()?;
    if free >= need {
        return Ok(());
    }
    Err(NotDone::Refused(format!(
        "{need} bytes {NEEDS_ROOM}, and {free} are free: free {} more on \
         this volume, or make it larger{}",
        need - free,
        leftovers(root)
    )))
}

/// What may go from a full volume without any loss, by name.
fn leftovers(root: &Path) -> String {
    let mut told = String::new();
    let Ok(layout) = layout::read(root) else { return told };
    for path in layout.temporary.iter().chain(&layout.aside) {
        told.push_str(if told.is_empty() { "; may go: " } else { ", " });
        told.push_str(&path.strip_prefix(root).unwrap_or(path).to_string_lossy());
    }
    told
}

/// Anything else would be found healthy.
fn is_data(disk: &Disk, root: &Path) -> Result<(), NotDone> {
    for log in LOGS {
        if disk.exists(log)? {
            return Ok(());
        }
    }
    // All that a log held may be in a snapshot.
    if layout::read(root).is_ok_and(|layout| !layout.snapshots.is_empty()) {
        return Ok(());
    }
    let error = io::Error::other("not a data directory: it holds no wal/");
    Err(NotDone::Failed(Failed { path: disk.named(""), error }))
}

/// The salvages of a directory, the oldest first. One that was killed before it wrote its manifest
/// has nothing to say.
pub(super) fn journals(disk: &Disk, root: &Path) -> Done<Vec<Journal>> {
    let mut all = asides(disk, root)?;
    all.retain(|journal| journal.manifest.phase != Phase::Later);
    Ok(all)
}

/// Also what was set aside when one was put back.
pub(super) fn asides(disk: &Disk, root: &Path) -> Done<Vec<Journal>> {
    let named = |error| Failed { path: root.to_owned(), error };
    let mut all = Vec::new();
    for path in layout::read(root).map_err(named)?.aside {
        let folder = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(journal) = Journal::read(disk, &folder)? {
            all.push(journal);
            continue;
        }
        let mut inside = BTreeMap::new();
        disk.walk(&folder, &mut inside)?;
        if inside.keys().all(|path| *path == format!("{folder}/manifest.json.tmp")) {
            all.push(Journal::begin(&folder, false, Vec::new()));
        }
    }
    Ok(all)
}

/// A name that nothing has, by the time: `prom-fix-20261125T081500Z`.
pub(super) fn free_name(disk: &Disk) -> Done<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut at = now;
    loop {
        let name = format!("{ASIDE}{}", stamp(at));
        if !disk.exists(&name)? {
            return Ok(name);
        }
        at += 1;
    }
}

/// Seconds since 1970 as a time in UTC.
fn stamp(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let Utc { year, month, day, hour, minute, second } = Utc::of(seconds);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}
