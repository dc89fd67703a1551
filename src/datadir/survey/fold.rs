//! What the files of a data directory mean together: what no single file shows, what Prometheus does
//! with them at its next start, and what each way to go on keeps. A pure function of values.
//!
//! Prometheus lists wal/ and wbl/ first, and ends where a number is missing or there twice; then
//! reads the last checkpoint, the segments after it, the wbl, each file on its own (tsdb/db.go `open`,
//! tsdb/head.go `Init`, tsdb/wlog/wlog.go `listSegments`). At the first fault it deletes every later
//! segment and what follows in this one (tsdb/wlog/wlog.go `Repair`).

pub(super) mod refs;
mod start;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use start::{DeletedSnapshot, NextStart, Refusal};
use start::{deleted_snapshots, kept_by_prometheus, next_start};

use super::{BlockSurvey, ChunkFile, Contents, FileFault, Lock, SegmentFile};
use crate::walfile::block::BlockFault;
use crate::walfile::count::Span;
use crate::walfile::fault::{Fault, FaultKind};
use crate::walfile::head_chunks::ChunkFault;
pub use crate::walfile::map::Losses;
use crate::walfile::segment::Policies;

/// What the directory means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    pub problems: Vec<Problem>,
    pub next_start: NextStart,
    /// Of all that Prometheus would read. A sample that came late stands in the log and in the wbl,
    /// and is counted in both.
    pub kept: Policies,
    /// Segments whose place the last checkpoint takes: they are there, and not read.
    pub ignored: Vec<u64>,
    /// Empty segments at the end: each start makes one, so that many starts ended before their
    /// first write.
    pub crashed_starts: u64,
    /// The highest ref in all of it; none where records were not decoded.
    pub highest_ref: Option<u64>,
    /// All snapshots of the head, where the next start gets to them and one is for a segment behind
    /// the last: from 2.43 on a start that reads snapshots deletes them (tsdb/head.go `Init`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes_snapshots: Vec<DeletedSnapshot>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Problem {
    /// Numbers are missing between two files.
    Gap { log: LogName, after: u64, next: u64 },
    /// A number stands twice, as `3` beside `00000003`.
    Duplicate { log: LogName, number: u64, names: Vec<String> },
    /// A segment whose name is not of eight digits: Prometheus opens another.
    OddName { log: LogName, number: u64, name: String },
    /// Named as a checkpoint, and no folder.
    NotAFolder { name: String },
    /// All segments, of which there may be none, have numbers that the checkpoint stands for: no start
    /// reads them, nor what is written after the last of them.
    NumbersRestart { checkpoint: u64, last: Option<u64>, samples: u64 },
    /// The segments begin above 0, and no checkpoint takes the place of those before.
    CheckpointLost { first: u64 },
    /// The segments begin later than where the checkpoint ends.
    GapAfterCheckpoint { checkpoint: u64, first: u64 },
    /// Prometheus was ended while it cut a segment at its first fault: the whole of it lies beside the
    /// log, where no start reads it.
    RepairUnfinished { number: u64, samples: u64 },
    /// Bytes of a file are not those that were written.
    Damaged { log: LogName, number: u64, faults: u64, lost: Losses },
    /// A file could not be opened.
    Closed { log: LogName, number: u64, why: String },
    /// A file of chunks_head, which Prometheus makes again from a whole log.
    HeadChunks { number: u64, fault: ChunkFault, offset: u64 },
    /// There are chunks or late samples of refs up to this one, and Series records only of lower ones, or
    /// none: the refs will be given to new series, and with them what is there of the old.
    RefsLost {
        highest: u64,
        #[serde(default)]
        named: Option<u64>,
    },
    /// A snapshot of the head, in whose stead the log is read; one without faults is empty, or stands for
    /// a segment that is behind the end of the log.
    Snapshot { name: String, faults: u64 },
    /// A file of a block.
    Block {
        ulid: String,
        file: String,
        fault: BlockFault,
        /// Beside it Prometheus does not start, and a salvage moves it aside.
        stops: bool,
        /// What its meta.json says that it holds.
        samples: u64,
        span: Option<Span>,
    },
}

impl Problem {
    /// Whether a salvage has something to do about it.
    #[must_use]
    pub fn is_mended(&self) -> bool {
        match self {
            Problem::Closed { .. } => false,
            Problem::Block { stops, fault, .. } => *stops && *fault != BlockFault::Unreadable,
            Problem::Gap { .. }
            | Problem::Duplicate { .. }
            | Problem::OddName { .. }
            | Problem::NotAFolder { .. }
            | Problem::NumbersRestart { .. }
            | Problem::CheckpointLost { .. }
            | Problem::GapAfterCheckpoint { .. }
            | Problem::RepairUnfinished { .. }
            | Problem::Damaged { .. }
            | Problem::HeadChunks { .. }
            | Problem::RefsLost { .. }
            | Problem::Snapshot { .. } => true,
        }
    }
}

/// A folder of numbered files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogName {
    Wal,
    Checkpoint(u64),
    Wbl,
    ChunksHead,
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogName::Wal => f.write_str("wal"),
            LogName::Checkpoint(number) => write!(f, "wal/checkpoint.{number:08}"),
            LogName::Wbl => f.write_str("wbl"),
            LogName::ChunksHead => f.write_str("chunks_head"),
        }
    }
}

#[must_use]
pub fn judge(contents: &Contents) -> Judged {
    let checkpoint = contents.checkpoints.last();
    let (ignored, read): (Vec<&SegmentFile>, Vec<&SegmentFile>) = contents
        .segments
        .iter()
        .partition(|file| checkpoint.is_some_and(|checkpoint| file.number <= checkpoint.number));
    let not_a_folder = |path: &PathBuf| Problem::NotAFolder { name: name(path) };
    let mut problems: Vec<Problem> = contents.odd.iter().map(not_a_folder).collect();
    if let Some(checkpoint) = checkpoint {
        of_log(LogName::Checkpoint(checkpoint.number), &checkpoint.files, &mut problems);
    }
    of_log(LogName::Wal, &contents.segments, &mut problems);
    of_log(LogName::Wbl, &contents.wbl, &mut problems);
    beside_the_log(contents, &mut problems);
    let empty = |file: &&SegmentFile| file.found.size == 0 && file.closed.is_none();
    let crashed_starts = contents.segments.iter().rev().take_while(empty).count() as u64;
    if let Some(first) = read.first().map(|file| file.number) {
        match checkpoint.map(|checkpoint| checkpoint.number) {
            None if first > 0 => problems.push(Problem::CheckpointLost { first }),
            Some(checkpoint) if first > checkpoint + 1 => {
                problems.push(Problem::GapAfterCheckpoint { checkpoint, first });
            }
            None | Some(_) => {}
        }
    }
    problems.extend(checkpoint.and_then(|last| numbers_restart(contents, last.number)));
    problems.extend(refs::lost(contents));
    for old in contents.standing() {
        let (number, samples) = (old.number, old.found.kept.fragment.samples);
        problems.push(Problem::RepairUnfinished { number, samples });
    }
    if writes(contents) {
        problems.retain(|problem| !is_under_way(problem, contents));
    }
    let next_start = next_start(contents, &read, &problems);
    let deletes_snapshots = deleted_snapshots(contents, &next_start);
    let old = checkpoint.map(|checkpoint| checkpoint.files.as_slice()).unwrap_or_default();
    let mut kept = Policies::default();
    let replaced = |file: &&SegmentFile| contents.standing().any(|old| old.number == file.number);
    let new = read.iter().copied().filter(|file| !replaced(file));
    for file in old.iter().chain(new).chain(contents.standing()).chain(&contents.wbl) {
        kept.page.add(&file.found.kept.page);
        kept.fragment.add(&file.found.kept.fragment);
    }
    kept.prometheus = kept_by_prometheus(&next_start, old, &read, &contents.wbl);
    Judged {
        problems,
        next_start,
        kept,
        ignored: ignored.iter().map(|file| file.number).collect(),
        crashed_starts,
        highest_ref: refs::highest(contents),
        deletes_snapshots,
    }
}

/// The last number of the WAL, whichever file stands for it.
fn last_segment(contents: &Contents) -> Option<u64> {
    let standing = contents.standing().map(|old| old.number);
    contents.segments.iter().map(|file| file.number).chain(standing).max()
}

/// A new segment has the number after the last one's.
fn numbers_restart(contents: &Contents, checkpoint: u64) -> Option<Problem> {
    let last = last_segment(contents);
    let samples = contents.segments.iter().map(|file| file.found.kept.fragment.samples).sum();
    last.is_none_or(|last| last < checkpoint).then_some(Problem::NumbersRestart {
        checkpoint,
        last,
        samples,
    })
}

fn writes(contents: &Contents) -> bool {
    matches!(contents.lock, Lock::Held { .. })
}

/// While a Prometheus runs, the last record of its last segment may be half written.
fn is_under_way(problem: &Problem, contents: &Contents) -> bool {
    let last = |log: &LogName| match log {
        LogName::Wal => contents.segments.last(),
        LogName::Wbl => contents.wbl.last(),
        LogName::Checkpoint(_) | LogName::ChunksHead => None,
    };
    let Problem::Damaged { log, number, faults: 1, .. } = problem else { return false };
    last(log).is_some_and(|file| {
        file.number == *number
            && file.found.faults.iter().all(|fault| {
                matches!(
                    fault.kind,
                    FaultKind::TornRecord | FaultKind::TornFragment | FaultKind::Checksum
                ) && fault.offset + fault.skipped >= file.found.size
            })
    })
}

/// Whether numbers are missing, or there twice.
fn numbers<'a>(
    log: LogName,
    files: impl Iterator<Item = (u64, &'a Path)>,
    problems: &mut Vec<Problem>,
) {
    let mut before: Option<(u64, &Path)> = None;
    for (number, path) in files {
        match before.replace((number, path)) {
            Some((same, other)) if same == number => {
                let names = vec![name(other), name(path)];
                problems.push(Problem::Duplicate { log, number, names });
            }
            Some((after, _)) if after + 1 != number => {
                problems.push(Problem::Gap { log, after, next: number });
            }
            Some(_) | None => {}
        }
    }
}

/// What is wrong with the files of one folder.
fn of_log(log: LogName, files: &[SegmentFile], problems: &mut Vec<Problem>) {
    numbers(log, files.iter().map(|file| (file.number, file.path.as_path())), problems);
    for file in files {
        let number = file.number;
        if let Some(why) = &file.closed {
            problems.push(Problem::Closed { log, number, why: why.clone() });
        }
        let name = name(&file.path);
        let is_opened = matches!(log, LogName::Wal | LogName::Wbl);
        let twice = || files.iter().filter(|other| other.number == number).count() > 1;
        if is_opened && name != format!("{number:08}") && !twice() {
            problems.push(Problem::OddName { log, number, name });
        }
        if file.closed.is_none() && !file.found.is_healthy() {
            let kept = &file.found.kept;
            // Of pages that stand in the wrong places all is read.
            let unread = |fault: &Fault| if file.found.order.is_some() { 0 } else { fault.skipped };
            let lost = Losses {
                prometheus: kept.fragment.without(&kept.prometheus),
                page: kept.fragment.without(&kept.page),
                unreadable_bytes: file.found.faults.iter().map(unread).sum(),
            };
            problems.push(Problem::Damaged { log, number, faults: file.found.fault_count, lost });
        }
    }
}

fn beside_the_log(contents: &Contents, problems: &mut Vec<Problem>) {
    let (log, files) = (LogName::ChunksHead, &contents.chunks_head);
    numbers(log, files.iter().map(|file| (file.number, file.path.as_path())), problems);
    for file in files {
        match file.found.fault {
            Some(fault) if !is_left_behind(file, contents) => {
                let (number, offset) = (file.number, file.found.offset);
                problems.push(Problem::HeadChunks { number, fault, offset });
            }
            Some(_) | None => {}
        }
    }
    let checkpoint = contents.checkpoints.iter().map(|old| old.number).max();
    let last = last_segment(contents).max(checkpoint);
    for snapshot in &contents.snapshots {
        if !snapshot.is_whole() || Some(snapshot.segment) > last {
            let faults = snapshot.all_faults();
            problems.push(Problem::Snapshot { name: name(&snapshot.path), faults });
        }
    }
    for block in &contents.blocks {
        let BlockSurvey { ulid, samples, span, unread, faults, .. } = block;
        let meta = unread.map(|fault| FileFault { file: "meta.json".to_owned(), fault });
        for FileFault { file, fault } in meta.iter().chain(faults) {
            let (ulid, file, fault) = (ulid.clone(), file.clone(), *fault);
            let (stops, samples, span) = (block.stops(), *samples, *span);
            problems.push(Problem::Block { ulid, file, fault, stops, samples, span });
        }
    }
}

/// The last file of chunks_head, made and never written: Prometheus takes it away in silence.
fn is_left_behind(file: &ChunkFile, contents: &Contents) -> bool {
    let last = contents.chunks_head.last().is_some_and(|last| last.number == file.number);
    last && file.number > 0 && file.found.fault.is_some_and(ChunkFault::is_left_behind)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
