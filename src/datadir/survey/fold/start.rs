//! What Prometheus does with a directory at its next start, and what it has in the end.

use serde::{Deserialize, Serialize};

use super::{LogName, Problem, name};
use crate::datadir::survey::{Contents, FileFault, Lock, SegmentFile};
use crate::walfile::block::BlockFault;
use crate::walfile::count::Kept;
use crate::walfile::head_chunks::ChunkFault;

/// What Prometheus does when it is started on this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "does")]
pub enum NextStart {
    /// It starts, and deletes nothing of the log.
    #[default]
    Starts,
    /// It starts, after it cut this file where its first fault is and deleted all segments after it.
    Repairs { log: LogName, number: u64, offset: u64, deletes: Vec<u64> },
    /// It takes the fault of the checkpoint for one of the segment that has the number of the
    /// checkpoint's file: deletes all segments above it, and exits where there is none of that
    /// number. Each start makes a segment: the start of this number, counted from 1, comes up.
    DestroysLog { checkpoint: u64, deletes: Vec<u64>, comes_up_at: u64 },
    /// It exits, and leaves the files of the log as they are.
    Fails { why: Refusal },
}

/// A snapshot of the head that the start deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedSnapshot {
    pub name: String,
    /// It can be read, and is for a segment behind those that the log and its checkpoint stand for:
    /// what it holds may be nowhere else.
    pub ahead: bool,
}

impl Refusal {
    /// Whether it comes before the head looks at snapshots, which it does before it reads the log
    /// (tsdb/db.go `open`).
    fn is_early(&self) -> bool {
        match self {
            Refusal::Locked { .. } | Refusal::HeadChunks { .. } | Refusal::Block { .. } => true,
            Refusal::NotSequential { log } => !matches!(log, LogName::Checkpoint(_)),
            Refusal::Closed { log, .. } | Refusal::OddName { log, .. } => {
                *log == LogName::ChunksHead
            }
            Refusal::SegmentMissing { .. } | Refusal::NotAFolder { .. } => false,
        }
    }
}

/// The start makes a segment before it looks, and where one snapshot is for a later one deletes all.
pub(super) fn deleted_snapshots(contents: &Contents, next: &NextStart) -> Vec<DeletedSnapshot> {
    let last = contents.segments.iter().map(|file| file.number).max();
    let made = last.map_or(0, |last| last.saturating_add(1));
    let gets_there = !matches!(next, NextStart::Fails { why } if why.is_early());
    if !gets_there || contents.snapshots.iter().all(|snapshot| snapshot.segment <= made) {
        return Vec::new();
    }
    let checkpoint = contents.checkpoints.last().map(|checkpoint| checkpoint.number);
    let deleted = contents.snapshots.iter().map(|snapshot| {
        let segment = snapshot.segment;
        let ahead = snapshot.is_whole() && segment > made && Some(segment) > checkpoint;
        DeletedSnapshot { name: name(&snapshot.path), ahead }
    });
    deleted.collect()
}

/// Why it exits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "because")]
pub enum Refusal {
    Locked {
        pid: Option<u32>,
    },
    /// "segments are not sequential"
    NotSequential {
        log: LogName,
    },
    /// "open WAL segment: N … no such file or directory"
    SegmentMissing {
        number: u64,
    },
    /// "cannot handle error: open …": not a fault of the log, but of its owner or its disk.
    Closed {
        log: LogName,
        number: u64,
        why: String,
    },
    /// The same, for its name is not of eight digits.
    OddName {
        log: LogName,
        number: u64,
    },
    /// "checkpoint … is not a directory"
    NotAFolder {
        name: String,
    },
    /// "invalid magic number", "invalid argument" of an empty file, and their like.
    HeadChunks {
        number: u64,
        fault: ChunkFault,
    },
    /// The same, of a block.
    Block {
        ulid: String,
        file: String,
        fault: BlockFault,
    },
}

/// The first file that Prometheus cannot read to its end, in the order in which it reads. What is
/// being written while it runs is none.
fn first_bad<'a>(
    mut files: impl Iterator<Item = &'a SegmentFile>,
    log: LogName,
    problems: &[Problem],
) -> Option<&'a SegmentFile> {
    files.find(|file| {
        let stops = file.closed.is_some() || file.found.stops.is_some();
        let told = |problem: &Problem| match problem {
            Problem::Damaged { log: of, number, .. } | Problem::Closed { log: of, number, .. } => {
                *of == log && *number == file.number
            }
            Problem::Gap { .. }
            | Problem::Duplicate { .. }
            | Problem::OddName { .. }
            | Problem::NotAFolder { .. }
            | Problem::NumbersRestart { .. }
            | Problem::RefsLost { .. }
            | Problem::CheckpointLost { .. }
            | Problem::RepairUnfinished { .. }
            | Problem::GapAfterCheckpoint { .. }
            | Problem::HeadChunks { .. }
            | Problem::Snapshot { .. }
            | Problem::Block { .. } => false,
        };
        stops && problems.iter().any(told)
    })
}

pub(super) fn next_start(
    contents: &Contents,
    read: &[&SegmentFile],
    problems: &[Problem],
) -> NextStart {
    let fails = |why: Refusal| NextStart::Fails { why };
    if let Lock::Held { pid } = contents.lock {
        return fails(Refusal::Locked { pid });
    }
    let last = contents.checkpoints.last();
    let old = last.map(|checkpoint| LogName::Checkpoint(checkpoint.number));
    if let Some(why) = refused(contents, old, problems) {
        return fails(why);
    }
    if let Some(checkpoint) = last
        && let log = LogName::Checkpoint(checkpoint.number)
        && let Some(bad) = first_bad(checkpoint.files.iter(), log, problems)
    {
        if let Some(why) = bad.closed.clone().filter(|_| bad.found.stops.is_none()) {
            return fails(Refusal::Closed { log, number: bad.number, why });
        }
        return NextStart::DestroysLog {
            checkpoint: checkpoint.number,
            deletes: numbers(contents).filter(|number| *number > bad.number).collect(),
            comes_up_at: match numbers(contents).take_while(|left| *left <= bad.number).last() {
                Some(left) => 1 + (bad.number - left),
                None => 2 + bad.number,
            },
        };
    }
    let due = last.map_or(0, |checkpoint| checkpoint.number + 1);
    if read.first().is_some_and(|file| file.number > due) {
        return fails(Refusal::SegmentMissing { number: due });
    }
    for (log, files) in
        [(LogName::Wal, read.to_vec()), (LogName::Wbl, contents.wbl.iter().collect())]
    {
        let bad = first_bad(files.iter().copied(), log, problems);
        let odd = first_odd(log, &files, problems);
        if let Some(number) = odd.filter(|odd| bad.is_none_or(|bad| bad.number >= *odd)) {
            return fails(Refusal::OddName { log, number });
        }
        let Some(bad) = bad else { continue };
        if let Some(why) = bad.closed.clone().filter(|_| bad.found.stops.is_none()) {
            return fails(Refusal::Closed { log, number: bad.number, why });
        }
        let later = files.iter().map(|file| file.number).filter(|number| *number > bad.number);
        return NextStart::Repairs {
            log,
            number: bad.number,
            offset: bad.found.stops.unwrap_or_default(),
            deletes: later.collect(),
        };
    }
    NextStart::Starts
}

/// What it does not take before it reads any file of a log.
fn refused(contents: &Contents, old: Option<LogName>, problems: &[Problem]) -> Option<Refusal> {
    let sequence = |log: LogName| {
        let is_of = |problem: &Problem| match problem {
            Problem::Gap { log: of, .. } | Problem::Duplicate { log: of, .. } => *of == log,
            _ => false,
        };
        problems.iter().any(is_of).then_some(Refusal::NotSequential { log })
    };
    sequence(LogName::Wal)
        .or_else(|| sequence(LogName::Wbl))
        .or_else(|| head_chunks(problems))
        .or_else(|| sequence(LogName::ChunksHead))
        .or_else(|| block(contents))
        .or_else(|| not_a_folder(problems))
        .or_else(|| old.and_then(sequence))
}

fn numbers(contents: &Contents) -> impl Iterator<Item = u64> {
    contents.segments.iter().map(|file| file.number)
}

/// The first of those that are read whose name is another than the one that is opened.
fn first_odd(log: LogName, read: &[&SegmentFile], problems: &[Problem]) -> Option<u64> {
    let first = read.first()?.number;
    problems.iter().find_map(|problem| match problem {
        Problem::OddName { log: of, number, .. } if *of == log && *number >= first => Some(*number),
        _ => None,
    })
}

fn not_a_folder(problems: &[Problem]) -> Option<Refusal> {
    problems.iter().find_map(|problem| match problem {
        Problem::NotAFolder { name } => Some(Refusal::NotAFolder { name: name.clone() }),
        _ => None,
    })
}

fn head_chunks(problems: &[Problem]) -> Option<Refusal> {
    problems.iter().find_map(|problem| match problem {
        Problem::HeadChunks { number, fault, .. }
            if fault.is_of_header() || *fault == ChunkFault::Io =>
        {
            Some(Refusal::HeadChunks { number: *number, fault: *fault })
        }
        _ => None,
    })
}

fn block(contents: &Contents) -> Option<Refusal> {
    let bad = contents.blocks.iter().find(|block| block.stops())?;
    let FileFault { file, fault } = bad.faults.first()?;
    Some(Refusal::Block { ulid: bad.ulid.clone(), file: file.clone(), fault: *fault })
}

/// What Prometheus has in the end of what the logs hold: nothing where no start ends well.
pub(super) fn kept_by_prometheus(
    next: &NextStart,
    checkpoint: &[SegmentFile],
    read: &[&SegmentFile],
    wbl: &[SegmentFile],
) -> Kept {
    let mut kept = Kept::default();
    let mut add = |files: &mut dyn Iterator<Item = &SegmentFile>| {
        for file in files {
            kept.add(&file.found.kept.prometheus);
            if file.found.stops.is_some() {
                return;
            }
        }
    };
    match next {
        NextStart::Fails { .. } => {}
        NextStart::DestroysLog { .. } => {
            add(&mut checkpoint.iter());
        }
        NextStart::Starts | NextStart::Repairs { .. } => {
            add(&mut checkpoint.iter());
            add(&mut read.iter().copied());
            add(&mut wbl.iter());
        }
    }
    kept
}
