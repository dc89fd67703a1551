//! What a salvage will do, from what was seen: values in, values out. Prometheus' rules for which
//! files of a log it reads, and which it does not start with, are here (tsdb/wlog/wlog.go
//! `listSegments`, tsdb/wlog/checkpoint.go `LastCheckpoint`, tsdb/head.go `Init`).

mod chunks;

use serde::{Deserialize, Serialize};

use crate::walfile::head_chunks::HeadChunks;
use crate::walfile::segment::Segment;
use crate::walfile::snapshot::Reach;

use super::unfinished;

mod snapshots;

/// More missing numbers than this are not made up for by empty files: these are not the files of
/// one log. Of each the manifest says some 450 bytes, and is there twice while it is written: together
/// they have to stay below the MiB that a salvage may take beside what it writes anew.
pub(super) const MOST_EMPTY: u64 = 1000;

/// A data directory as the planner needs it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub wal: Log,
    /// What repairs of the WAL left that were not finished, by number.
    pub repairs: Vec<Repair>,
    /// By number; Prometheus reads the last.
    pub checkpoints: Vec<Log>,
    pub wbl: Log,
    /// By number.
    pub chunks: Vec<Chunks>,
    pub snapshots: Vec<Snapshot>,
    /// Where the newest block ends, in milliseconds: a start passes over what is before.
    pub newest_block: Option<i64>,
    /// Blocks beside which Prometheus does not start.
    pub bad_blocks: Vec<String>,
    /// Named as a checkpoint and no folder: Prometheus does not start beside it.
    pub odd: Vec<String>,
}

impl Seen {
    /// The file whose records a planned one will hold.
    #[must_use]
    pub fn records_of(&self, planned: &Planned) -> Option<&LogFile> {
        let path = match &planned.act {
            Act::Copy(from) | Act::Rename(from) => from,
            _ => &planned.path,
        };
        self.logs().find(|file| file.path == *path)
    }

    /// The files of all logs that a start may read.
    pub fn logs(&self) -> impl Iterator<Item = &LogFile> {
        let logs = self.checkpoints.iter().chain([&self.wal, &self.wbl]);
        let repairs = self.repairs.iter().map(|repair| &repair.file);
        logs.flat_map(|log| &log.files).chain(repairs)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    pub path: String,
    pub number: Option<u64>,
    pub exists: bool,
    /// By number.
    pub files: Vec<LogFile>,
}

#[derive(Clone, Debug)]
pub struct LogFile {
    pub number: u64,
    pub path: String,
    pub found: Segment,
    /// Bytes once it is written anew; of a healthy one, its own.
    pub mended: u64,
}

/// See [`super::unfinished`].
#[derive(Clone, Debug)]
pub struct Repair {
    pub file: LogFile,
    /// Where there is a file of that number: whether this one begins with all that is in it.
    pub goes_on: Option<bool>,
}

#[derive(Clone, Debug)]
pub struct Chunks {
    pub number: u64,
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub found: HeadChunks,
}

#[derive(Clone, Debug)]
pub struct Snapshot {
    pub path: String,
    pub segment: u64,
    pub offset: u64,
    /// Whether every record of it can be read: Prometheus takes all or nothing.
    pub healthy: bool,
    pub reach: Reach,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    pub path: String,
    pub act: Act,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The same records without the faults.
    Rewrite,
    /// The records of a file with another name; what is there under this one is set aside.
    Copy(String),
    /// The same file under this name, which nothing has.
    Rename(String),
    /// The first bytes of a file of chunks, under a header that holds.
    Shorten(u64),
    Empty,
    EmptyFolder,
    /// One Series record with this ref.
    Guard(u64),
    SetAside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    Corrupt,
    /// Its number lacks among those that are there.
    Missing,
    /// Two names are one number.
    Duplicate,
    /// Prometheus looks for eight digits.
    OddName,
    /// Prometheus was ended while it cut the segment at its first fault, and left the whole of it.
    RepairUnfinished,
    /// The checkpoint stands for it, and it is damaged or belongs to another log. A start on a damaged
    /// checkpoint deletes the log, begins it anew at 0, and knows but a part of the checkpoint's series:
    /// it gives the refs of the others to new ones, in the log and in chunks_head. Whose a sample of
    /// such a segment is cannot be proved, so none is brought behind the checkpoint.
    BehindCheckpoint,
    /// New segments would get numbers that the checkpoint stands for, and never be read.
    NumbersRestart,
    /// Prometheus takes chunks up to the first fault; it makes the others anew from the log.
    AfterFault,
    NotAFolder,
    /// What it points into was written anew, or it cannot be read.
    SnapshotUseless,
    /// Prometheus does not start beside a block that it cannot open; its time range goes with it.
    BlockUnusable,
    /// Series records are lost, and their refs must not be given to others.
    RefsLost,
}

/// Why nothing may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    TooManyMissing { folder: String, from: u64, to: u64 },
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::TooManyMissing { folder, from, to: last } => write!(
                to,
                "{folder}: numbers {from} to {last} are missing, in all more than {MOST_EMPTY}: these \
                 are not the files of one log; move those away that do not belong"
            ),
        }
    }
}

/// What is to be done, in an order in which no step leaves more broken than it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Planned>,
    /// Of the WAL and its checkpoint, the files whose records a start will read.
    pub read: Vec<String>,
    /// Series records may be lost.
    pub series_at_risk: bool,
    /// The number after the last of the WAL, once all is done.
    pub next: u64,
    /// Segments are made at its end, up to that of a snapshot.
    reached: bool,
}

#[must_use]
pub fn segment(folder: &str, number: u64) -> String {
    format!("{folder}/{number:08}")
}

pub fn plan(seen: &Seen) -> Result<Plan, Refusal> {
    let mut plan = Plan::default();
    for path in &seen.odd {
        plan.push(path, Act::SetAside, Why::NotAFolder);
    }
    let checkpoint = seen.checkpoints.last();
    if let Some(checkpoint) = checkpoint {
        let files = plan.named(checkpoint);
        plan.gaps(&checkpoint.path, &files)?;
        plan.rewrite(&files);
        plan.reads(&files);
    }
    plan.wal(seen, checkpoint.and_then(|checkpoint| checkpoint.number))?;
    plan.series_at_risk = !plan.steps.is_empty();
    let files = plan.named(&seen.wbl);
    plan.gaps(&seen.wbl.path, &files)?;
    plan.rewrite(&files);
    plan.chunks(&seen.chunks);
    plan.snapshots(seen);
    for path in &seen.bad_blocks {
        plan.push(path, Act::SetAside, Why::BlockUnusable);
    }
    Ok(plan)
}

impl Plan {
    fn push(&mut self, path: &str, act: Act, why: Why) {
        self.steps.push(Planned { path: path.to_owned(), act, why });
    }

    /// The files of a log under the names that Prometheus opens, one for each number.
    fn named<'a>(&mut self, log: &'a Log) -> Vec<&'a LogFile> {
        let mut files: Vec<&LogFile> = Vec::new();
        for same in log.files.chunk_by(|a, b| a.number == b.number) {
            let name = same.first().map(|file| segment(&log.path, file.number));
            let named = same.iter().find(|file| Some(&file.path) == name.as_ref());
            let Some(kept) = named.or(same.first()) else { continue };
            for file in same {
                if file.path != kept.path {
                    self.push(&file.path, Act::SetAside, Why::Duplicate);
                }
            }
            // Those of a checkpoint are opened by the names that they have.
            if named.is_none() && log.number.is_none() {
                let name = segment(&log.path, kept.number);
                self.instead(kept, &name, false, Why::OddName);
            }
            files.push(kept);
        }
        files
    }

    /// A file under another name: itself, where it is whole and has the name for itself.
    fn instead(&mut self, file: &LogFile, name: &str, taken: bool, why: Why) {
        if file.found.is_healthy() && !taken {
            self.push(name, Act::Rename(file.path.clone()), why);
        } else {
            self.push(name, Act::Copy(file.path.clone()), why);
            self.push(&file.path, Act::SetAside, why);
        }
    }

    /// An old segment in the place of the new one.
    fn repaired<'a>(&mut self, repair: &'a Repair, folder: &str, files: &mut Vec<&'a LogFile>) {
        let Repair { file, goes_on } = repair;
        let records = files.iter().map(|file| (file.number, file.found.counts.records));
        if unfinished::stands(file.number, *goes_on, records) {
            let name = segment(folder, file.number);
            self.instead(file, &name, goes_on.is_some(), Why::RepairUnfinished);
            files.retain(|other| other.number != file.number);
            files.push(file);
            files.sort_by_key(|file| file.number);
        }
    }

    fn missing(&mut self, folder: &str, from: u64, to: u64) -> Result<(), Refusal> {
        let made = self.steps.iter().filter(|step| step.act == Act::Empty).count() as u64;
        if to.saturating_sub(from).saturating_add(made) > MOST_EMPTY {
            return Err(Refusal::TooManyMissing { folder: folder.to_owned(), from, to: to - 1 });
        }
        for number in from..to {
            self.push(&segment(folder, number), Act::Empty, Why::Missing);
        }
        Ok(())
    }

    fn gaps(&mut self, folder: &str, files: &[&LogFile]) -> Result<(), Refusal> {
        for (a, b) in files.iter().zip(files.iter().skip(1)) {
            self.missing(folder, a.number + 1, b.number)?;
        }
        Ok(())
    }

    fn reads(&mut self, files: &[&LogFile]) {
        self.read.extend(files.iter().map(|file| file.path.clone()));
    }

    fn rewrite(&mut self, files: &[&LogFile]) {
        for file in files {
            let copied = self.steps.iter().any(|step| step.act == Act::Copy(file.path.clone()));
            if !file.found.is_healthy() && !copied {
                self.push(&file.path, Act::Rewrite, Why::Corrupt);
            }
        }
    }

    /// Prometheus reads the segments after the last checkpoint's number, or from 0 on, and none may
    /// be missing.
    fn wal(&mut self, seen: &Seen, checkpoint: Option<u64>) -> Result<(), Refusal> {
        let wal = &seen.wal;
        let mut files = self.named(wal);
        let begin = checkpoint.map_or(0, |number| number + 1);
        for repair in seen.repairs.iter().filter(|repair| repair.file.number >= begin) {
            self.repaired(repair, &wal.path, &mut files);
        }
        let (low, high): (Vec<&LogFile>, Vec<&LogFile>) =
            files.iter().partition(|file| file.number < begin);
        let mut due = begin;
        let mut behind = Vec::new();
        for file in low.iter().rev() {
            if due == file.number + 1 && file.found.is_healthy() {
                due = file.number;
            } else {
                behind.push(file);
            }
        }
        for file in behind.into_iter().rev() {
            self.push(&file.path, Act::SetAside, Why::BehindCheckpoint);
        }
        let restarts = checkpoint.is_some() && high.is_empty() && due == begin;
        if restarts {
            self.push(&segment(&wal.path, begin), Act::Empty, Why::NumbersRestart);
        }
        if let Some(first) = high.first() {
            let between = high.last().map_or(0, |last| last.number.saturating_sub(first.number));
            let gaps = between.saturating_sub(high.len() as u64 - 1);
            // An empty checkpoint stands for them, however many they are.
            let many = first.number.saturating_add(gaps) > MOST_EMPTY;
            if checkpoint.is_none() && many && first.number > 0 {
                let path = format!("{}/checkpoint.{:08}", wal.path, first.number - 1);
                self.push(&path, Act::EmptyFolder, Why::Missing);
            } else {
                self.missing(&wal.path, begin, first.number)?;
            }
        }
        self.gaps(&wal.path, &high)?;
        self.rewrite(&high);
        self.reads(&high);
        let last = high.last().map(|file| file.number);
        self.next = last.map_or(begin + u64::from(restarts), |last| last + 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
