//! Makes the new files of a salvage aside, and the journal that says where they go.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use crate::walfile::head_chunks;
use crate::walfile::mend;
use crate::walfile::segment::{Order, Pages};

use super::disk::{Disk, Done, Owner, Sum};
use super::journal::{Change, Journal, LOGS, Phase, Step};
use super::plan::{Act, Planned};
use super::salvage::Prepared;

/// Makes the folder, with what is to be made in it.
pub(super) fn begin(
    disk: &Disk,
    folder: &str,
    prepared: &Prepared,
    lock_created: bool,
) -> Done<Journal> {
    let steps = prepared.report.files.iter().map(|file| step(disk, &file.planned));
    let steps = steps.collect::<Done<_>>()?;
    let mut journal = Journal::begin(folder, lock_created, steps);
    journal.manifest.report.agreed.clone_from(&prepared.report.agreed);
    let owner = owner_of_folder(disk, "wal")?;
    match disk.make_folder(folder, owner).and_then(|()| journal.write(disk)) {
        Ok(()) => Ok(journal),
        Err(failed) => {
            // Should this fail too, the folder is found, and removed, by the next run.
            let _ = journal.remove(disk);
            Err(failed)
        }
    }
}

fn step(disk: &Disk, planned: &Planned) -> Done<Step> {
    let change = match planned.act {
        Act::Rewrite | Act::Shorten(_) => Change::Replace,
        Act::Copy(_) if disk.exists(&planned.path)? => Change::Replace,
        Act::Copy(_) | Act::Empty | Act::Guard(_) => Change::Add,
        Act::EmptyFolder => Change::AddFolder,
        Act::Rename(_) => Change::Rename,
        Act::SetAside => Change::SetAside,
    };
    let from = match &planned.act {
        Act::Rename(from) => from.clone(),
        Act::Rewrite
        | Act::Copy(_)
        | Act::Shorten(_)
        | Act::Empty
        | Act::EmptyFolder
        | Act::Guard(_)
        | Act::SetAside => String::new(),
    };
    Ok(Step { path: planned.path.clone(), change, from, old: None, new: None })
}

/// Of the folder, else of the data directory.
fn owner_of_folder(disk: &Disk, folder: &str) -> Done<Owner> {
    if disk.is_folder(folder)? { disk.owner(folder) } else { disk.owner("") }
}

/// The most bytes that the manifest will have.
pub(super) fn most_of_manifest(prepared: &Prepared) -> u64 {
    let report = &prepared.report;
    let faults: usize = report.files.iter().map(|file| file.faults.len()).sum();
    let left = prepared.seen.logs().count() + prepared.seen.chunks.len();
    manifest_of(report.files.len(), faults, left, report.orphans.named.len())
}

/// Bytes of a manifest, from what each step, each of its faults, each file that is left and each ref
/// takes with a path of usual length.
pub(super) fn manifest_of(steps: usize, faults: usize, left: usize, refs: usize) -> u64 {
    (900 * (1 + steps) + 240 * faults + 80 * left + 40 * refs) as u64
}

/// Makes all new files, and the manifest by which they are swapped in.
pub(super) fn stage(disk: &Disk, prepared: &Prepared, journal: &mut Journal) -> Done<()> {
    let own = disk.owner(&journal.folder)?;
    disk.make_folder(&format!("{}/new", journal.folder), own)?;
    for (at, file) in prepared.report.files.iter().enumerate() {
        let order = prepared.seen.records_of(&file.planned).and_then(|log| log.found.order);
        let new = new_file(disk, &file.planned, order, &journal.new_path(at))?;
        let Some(step) = journal.manifest.steps.get_mut(at) else { continue };
        step.new = new;
        step.old = match step.change {
            Change::Replace => Some(disk.sum(&step.path)?),
            Change::SetAside => {
                inside(disk, &step.path, &mut journal.manifest.inside)?;
                disk.walk(&step.path, &mut journal.manifest.untouched)?;
                sum(disk, &step.path)?
            }
            Change::Rename => step.new,
            Change::Add | Change::AddFolder => None,
        };
    }
    disk.sync_folder(&format!("{}/new", journal.folder))?;
    for folder in journal.old_folders() {
        disk.make_folder(&folder, own)?;
    }
    for log in LOGS {
        disk.walk(log, &mut journal.manifest.untouched)?;
    }
    let steps = &journal.manifest.steps;
    journal.manifest.untouched.retain(|path, _| {
        let below = |step: &Step| {
            step.from == *path
                || path.strip_prefix(&step.path).is_some_and(|rest| {
                    rest.is_empty() || rest.starts_with('/') && step.change != Change::SetAside
                })
        };
        !steps.iter().any(below)
    });
    let mut report = prepared.report.clone();
    report.aside = Some(journal.folder.clone());
    let made = steps.iter().filter(|step| step.change != Change::Rename);
    report.extra_bytes = made.filter_map(|step| step.new).map(|new| new.size).sum();
    journal.manifest.report = report;
    journal.enter(disk, Phase::Swapping)
}

/// Larger files in a folder that goes aside are known by their size: the chunks of a block, in files of
/// 512 MiB, each with a checksum of its own (tsdb/chunks/chunks.go `DefaultChunkSegmentSize`). To read
/// all of a block of weeks would keep a Prometheus down for minutes that waits for this.
const MOST_SUMMED: u64 = 256 << 20;

/// The sums of what lies in a folder. What the disk cannot read is not in the way of what is moved.
fn inside(disk: &Disk, folder: &str, sums: &mut BTreeMap<String, u64>) -> Done<()> {
    let mut all = BTreeMap::new();
    disk.walk(folder, &mut all)?;
    for path in all.into_iter().filter(|(_, size)| *size <= MOST_SUMMED).map(|(path, _)| path) {
        if let Ok(Some(sum)) = sum(disk, &path) {
            sums.insert(path, sum.crc32c.into());
        }
    }
    Ok(())
}

/// What is no file, as a folder or a link, has none.
pub(super) fn sum(disk: &Disk, path: &str) -> Done<Option<Sum>> {
    if disk.is_file(path)? { disk.sum(path).map(Some) } else { Ok(None) }
}

fn new_file(disk: &Disk, planned: &Planned, order: Option<Order>, new: &str) -> Done<Option<Sum>> {
    let path = planned.path.as_str();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let like_folder = || owner_of_folder(disk, folder).map(Owner::of_file);
    let made = match &planned.act {
        Act::SetAside => return Ok(None),
        Act::Rename(from) => return disk.sum(from).map(Some),
        Act::EmptyFolder => {
            disk.make_folder(new, owner_of_folder(disk, "wal")?)?;
            return Ok(None);
        }
        Act::Empty => disk.create(new, like_folder()?, |_| Ok(())),
        Act::Guard(reference) => {
            disk.create(new, like_folder()?, |out| mend::guard(*reference, out))
        }
        Act::Rewrite => mended(disk, path, order, new),
        Act::Copy(from) => mended(disk, from, order, new),
        Act::Shorten(end) => {
            let input = disk.reader(path)?;
            disk.create(new, disk.owner(path)?, |out| shortened(input, *end, out))
        }
    };
    made.map(Some)
}

fn mended(disk: &Disk, from: &str, order: Option<Order>, new: &str) -> Done<Sum> {
    let input = Pages::new(disk.reader(from)?, order);
    disk.create(new, disk.owner(from)?, |out| mend::mend(input, out).map(|_| ()))
}

/// The chunks of a file up to an offset, under a header that holds.
fn shortened(mut input: impl Read, end: u64, out: &mut dyn Write) -> io::Result<()> {
    let header = head_chunks::HEADER;
    let size = header.len() as u64;
    io::copy(&mut (&mut input).take(size), &mut io::sink())?;
    out.write_all(&header)?;
    let rest = end.saturating_sub(size);
    if io::copy(&mut input.take(rest), out)? == rest {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
