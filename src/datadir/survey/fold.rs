//! What the files of a data directory mean together: what no single file shows, what Prometheus does
//! with them at its next start, and what each way to go on keeps. A pure function of values.
//!
//! Prometheus lists wal/ and wbl/ first, and ends where a number is missing or there twice; then
//! reads the last checkpoint, the segments after it, the wbl, each file on its own (tsdb/db.go `open`,
//! tsdb/head.go `Init`, tsdb/wlog/wlog.go `listSegments`). At the first fault it deletes every later
//! segment and what follows in this one (tsdb/wlog/wlog.go `Repair`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Contents, Lock, SegmentFile};
use crate::walfile::count::Kept;
use crate::walfile::fault::FaultKind;
use crate::walfile::segment::Policies;

/// What the directory means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    pub problems: Vec<Problem>,
    pub next_start: NextStart,
    /// Of all that Prometheus would read.
    pub kept: Policies,
    /// Segments whose place the last checkpoint takes: they are there, and not read.
    pub ignored: Vec<u64>,
    /// Empty segments at the end: each start makes one, so that many starts ended before their
    /// first write.
    pub crashed_starts: u64,
    /// The highest ref in all of it; none where records were not decoded.
    pub highest_ref: Option<u64>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Problem {
    /// Numbers are missing between two files.
    Gap { log: LogName, after: u64, next: u64 },
    /// A number stands twice, as `3` beside `00000003`.
    Duplicate { log: LogName, number: u64, names: Vec<String> },
    /// The segments begin above 0, and no checkpoint takes the place of those before.
    CheckpointLost { first: u64 },
    /// The segments begin later than where the checkpoint ends.
    GapAfterCheckpoint { checkpoint: u64, first: u64 },
    /// Bytes of a file are not those that were written.
    Damaged { log: LogName, number: u64, faults: u64, lost: Losses },
    /// A file could not be opened.
    Closed { log: LogName, number: u64, why: String },
}

/// What a damaged file costs by each way to go on, of what can be read in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Losses {
    /// Only what follows in the file itself.
    pub prometheus: Kept,
    pub page: Kept,
    /// Bytes that no way can read.
    pub unreadable_bytes: u64,
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

/// What Prometheus does when it is started on this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "does")]
pub enum NextStart {
    /// It starts, and deletes nothing.
    #[default]
    Starts,
    /// It starts, after it cut this file where its first fault is and deleted all segments after it.
    Repairs { log: LogName, number: u64, offset: u64, deletes: Vec<u64> },
    /// It takes the fault of the checkpoint for one of the segment with that number: deletes these
    /// segments and exits; the start after it comes up without them, or fails too.
    DestroysLog { checkpoint: u64, deletes: Vec<u64>, comes_up: bool },
    /// It exits, and leaves the files as they are.
    Fails { why: Refusal },
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
}

#[must_use]
pub fn judge(contents: &Contents) -> Judged {
    let checkpoint = contents.checkpoints.last();
    let (ignored, read): (Vec<&SegmentFile>, Vec<&SegmentFile>) = contents
        .segments
        .iter()
        .partition(|file| checkpoint.is_some_and(|checkpoint| file.number <= checkpoint.number));
    let mut problems = Vec::new();
    for checkpoint in &contents.checkpoints {
        of_log(LogName::Checkpoint(checkpoint.number), &checkpoint.files, &mut problems);
    }
    of_log(LogName::Wal, &contents.segments, &mut problems);
    of_log(LogName::Wbl, &contents.wbl, &mut problems);
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
    if writes(contents) {
        problems.retain(|problem| !is_under_way(problem, contents));
    }
    let next_start = next_start(contents, &read, &problems);
    let old = checkpoint.map(|checkpoint| checkpoint.files.as_slice()).unwrap_or_default();
    let mut kept = Policies::default();
    for file in old.iter().chain(read.iter().copied()).chain(&contents.wbl) {
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
        highest_ref: highest_ref(contents),
    }
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

/// What is wrong with the files of one folder.
fn of_log(log: LogName, files: &[SegmentFile], problems: &mut Vec<Problem>) {
    for pair in files.windows(2) {
        let [before, after] = pair else { continue };
        if before.number == after.number {
            let names = [before, after].map(|file| {
                file.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            });
            problems.push(Problem::Duplicate { log, number: before.number, names: names.into() });
        } else if before.number + 1 != after.number {
            problems.push(Problem::Gap { log, after: before.number, next: after.number });
        }
    }
    for file in files {
        let number = file.number;
        if let Some(why) = &file.closed {
            problems.push(Problem::Closed { log, number, why: why.clone() });
        } else if !file.found.is_healthy() {
            let kept = &file.found.kept;
            let lost = Losses {
                prometheus: without(kept.fragment, kept.prometheus),
                page: without(kept.fragment, kept.page),
                unreadable_bytes: file.found.faults.iter().map(|fault| fault.skipped).sum(),
            };
            problems.push(Problem::Damaged { log, number, faults: file.found.fault_count, lost });
        }
    }
}

fn without(all: Kept, part: Kept) -> Kept {
    Kept {
        records: all.records.saturating_sub(part.records),
        series: all.series.saturating_sub(part.series),
        samples: all.samples.saturating_sub(part.samples),
    }
}

/// The first file with a fault, in the order in which Prometheus reads.
fn first_bad<'a>(
    mut files: impl Iterator<Item = &'a SegmentFile>,
    log: LogName,
    problems: &[Problem],
) -> Option<&'a SegmentFile> {
    files.find(|file| {
        problems.iter().any(|problem| match problem {
            Problem::Damaged { log: of, number, .. } | Problem::Closed { log: of, number, .. } => {
                *of == log && *number == file.number
            }
            Problem::Gap { .. }
            | Problem::Duplicate { .. }
            | Problem::CheckpointLost { .. }
            | Problem::GapAfterCheckpoint { .. } => false,
        })
    })
}

fn next_start(contents: &Contents, read: &[&SegmentFile], problems: &[Problem]) -> NextStart {
    let fails = |why: Refusal| NextStart::Fails { why };
    if let Lock::Held { pid } = contents.lock {
        return fails(Refusal::Locked { pid });
    }
    let last = contents.checkpoints.last();
    let listed = |log: LogName| {
        [Some(LogName::Wal), Some(LogName::Wbl), last.map(|c| LogName::Checkpoint(c.number))]
            .contains(&Some(log))
    };
    for problem in problems {
        match problem {
            Problem::Gap { log, .. } | Problem::Duplicate { log, .. } if listed(*log) => {
                return fails(Refusal::NotSequential { log: *log });
            }
            _ => {}
        }
    }
    if let Some(checkpoint) = last
        && let log = LogName::Checkpoint(checkpoint.number)
        && let Some(bad) = first_bad(checkpoint.files.iter(), log, problems)
    {
        if let Some(why) = bad.closed.clone() {
            return fails(Refusal::Closed { log, number: bad.number, why });
        }
        let numbers = contents.segments.iter().map(|file| file.number);
        let deletes: Vec<u64> = numbers.filter(|number| *number > bad.number).collect();
        // The start after this one makes segment 0 where no segment is left.
        let comes_up = bad.number == 0 || contents.segments.iter().any(|f| f.number == bad.number);
        return NextStart::DestroysLog { checkpoint: checkpoint.number, deletes, comes_up };
    }
    let due = last.map_or(0, |checkpoint| checkpoint.number + 1);
    if read.first().is_some_and(|file| file.number > due) {
        return fails(Refusal::SegmentMissing { number: due });
    }
    for (log, files) in
        [(LogName::Wal, read.to_vec()), (LogName::Wbl, contents.wbl.iter().collect())]
    {
        let Some(bad) = first_bad(files.iter().copied(), log, problems) else { continue };
        if let Some(why) = bad.closed.clone() {
            return fails(Refusal::Closed { log, number: bad.number, why });
        }
        let later = files.iter().map(|file| file.number).filter(|number| *number > bad.number);
        return NextStart::Repairs {
            log,
            number: bad.number,
            offset: bad.found.faults.first().map_or(0, |fault| fault.offset),
            deletes: later.collect(),
        };
    }
    NextStart::Starts
}

/// What Prometheus has in the end: nothing where no start ends well.
fn kept_by_prometheus(
    next: &NextStart,
    checkpoint: &[SegmentFile],
    read: &[&SegmentFile],
    wbl: &[SegmentFile],
) -> Kept {
    let mut kept = Kept::default();
    let mut add = |files: &mut dyn Iterator<Item = &SegmentFile>| {
        for file in files {
            kept.add(&file.found.kept.prometheus);
            if !file.found.is_healthy() {
                return false;
            }
        }
        true
    };
    match next {
        NextStart::Fails { .. } => {}
        NextStart::DestroysLog { comes_up, .. } => {
            if *comes_up {
                add(&mut checkpoint.iter());
            }
        }
        NextStart::Starts | NextStart::Repairs { .. } => {
            add(&mut checkpoint.iter());
            add(&mut read.iter().copied());
            add(&mut wbl.iter());
        }
    }
    kept
}

fn highest_ref(contents: &Contents) -> Option<u64> {
    let old = contents.checkpoints.iter().flat_map(|checkpoint| &checkpoint.files);
    let files = old.chain(&contents.segments).chain(&contents.wbl);
    files.filter_map(|file| file.found.highest).max()
}
