//! A whole data directory, read and judged: every file with what it holds and what is wrong with it,
//! and what Prometheus will make of it at its next start. Nothing is changed. What the files say is
//! gathered here and in the modules below; what that means is one pure function of it,
//! [`fold::judge`].

pub(super) mod blocks;
mod files;
pub mod fold;
mod heads;
mod lock;
mod map;
mod pieces;
#[cfg(target_os = "linux")]
mod room;
mod uploads;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::agreement::Agreement;
use super::inventory::Inventory;
use super::layout::{self, Log, Numbered};
use super::unfinished;
use crate::walfile::fault::{Fault, FaultKind};
use crate::walfile::head_chunks::ChunkFault;
use crate::walfile::map::Map;
use crate::walfile::refs::Refs;
use crate::walfile::segment::{self, Depth, Pages, Segment};
use crate::walfile::uploads::Uploads;
pub use blocks::{BlockSurvey, FileFault};
pub use heads::{ChunkFile, SnapshotSurvey};
pub use lock::Lock;

/// A data directory: what is in it, and what that means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Survey {
    pub root: PathBuf,
    pub depth: Depth,
    #[serde(flatten)]
    pub contents: Contents,
    pub judged: fold::Judged,
    #[serde(default)]
    pub map: Map,
    /// None where no Thanos sidecar left a note.
    #[serde(default)]
    pub uploads: Option<Uploads>,
    /// Bytes on its volume; none where that does not tell, or no salvage is made (see [`super`]).
    #[serde(default)]
    pub free: Option<u64>,
    /// Bytes that a salvage needs of them at the most.
    #[serde(default)]
    pub needed: u64,
    /// Who fills the head, where that was asked for.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// What whoever sees this agrees to: for `salvage --expect`.
    pub agreement: String,
}

/// What is in it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    pub lock: Lock,
    pub segments: Vec<SegmentFile>,
    /// `00000003.repair`, by number.
    #[serde(default)]
    pub repairs: Vec<UnfinishedRepair>,
    /// By number; Prometheus reads the last only.
    pub checkpoints: Vec<Checkpoint>,
    /// Named as checkpoints, and no folders.
    #[serde(default)]
    pub odd: Vec<PathBuf>,
    pub wbl: Vec<SegmentFile>,
    pub chunks_head: Vec<ChunkFile>,
    pub snapshots: Vec<SnapshotSurvey>,
    pub blocks: Vec<BlockSurvey>,
    /// Samples that can be read, but of no series that can be: what no salvage can keep.
    pub orphans: Orphans,
    /// The highest ref that was named since the log was read: somebody may write meanwhile.
    #[serde(default)]
    pub named_since: Option<u64>,
    /// What Prometheus left half made, and takes away at its start.
    pub temporary: Vec<PathBuf>,
    /// What was set aside by a salvage.
    pub aside: Vec<PathBuf>,
}

impl Contents {
    /// What unfinished repairs left that a salvage puts in the place of segments.
    pub fn standing(&self) -> impl Iterator<Item = &SegmentFile> {
        self.repairs.iter().filter(|old| old.stands).map(|old| &old.file)
    }

    /// Whether what a start reads holds a file that cannot be read: before it can, no salvage decides
    /// anything.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        let log = self.checkpoints.last().into_iter().flat_map(|checkpoint| &checkpoint.files);
        let log = log.chain(&self.segments).chain(&self.wbl).chain(self.standing());
        let fails = |file: &SegmentFile| {
            let io = |fault: &Fault| fault.kind == FaultKind::Io;
            file.closed.is_some() || file.found.faults.iter().any(io)
        };
        log.into_iter().any(fails)
            || self.chunks_head.iter().any(|file| file.found.fault == Some(ChunkFault::Io))
            || self.snapshots.iter().any(|snapshot| {
                let mut faults = snapshot.faults.iter();
                !snapshot.closed.is_empty() || faults.any(|(_, fault)| fault.kind == FaultKind::Io)
            })
    }

    /// Whether a file is damaged in a way that Prometheus does not see.
    #[must_use]
    pub fn read_blindly(&self) -> bool {
        let old = self.checkpoints.iter().flat_map(|checkpoint| &checkpoint.files);
        old.chain(&self.segments)
            .chain(&self.wbl)
            .any(|file| !file.found.is_healthy() && file.found.stops.is_none())
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// The last segment whose place it takes.
    pub number: u64,
    pub path: PathBuf,
    pub files: Vec<SegmentFile>,
}

/// A numbered file of a log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentFile {
    pub number: u64,
    pub path: PathBuf,
    /// Why it could not be opened; then nothing of it was read. One at which Prometheus stops all the
    /// same is a folder, which it opens.
    pub closed: Option<String>,
    #[serde(flatten)]
    pub found: Segment,
}

/// What a repair by Prometheus left that was not finished; see [`super::unfinished`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnfinishedRepair {
    #[serde(flatten)]
    pub file: SegmentFile,
    /// Whether a salvage puts it in the place of the segment of its number.
    pub stands: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphans {
    pub samples: u64,
    pub series: u64,
    /// Refs, the lowest first.
    pub examples: Vec<u64>,
}

/// How far a survey is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done_bytes: u64,
    pub all_bytes: u64,
    pub since: Duration,
}

/// Reads all of a data directory. An error only where the directory cannot be listed.
pub fn read(root: &Path, depth: Depth, tell: &mut dyn FnMut(Progress)) -> io::Result<Survey> {
    let layout = layout::read(root)?;
    let mut reader = Reader::new(depth, tell);
    let logs = layout.checkpoints.iter().chain([&layout.wal, &layout.wbl, &layout.chunks_head]);
    let files = logs.flat_map(|log| log.files.iter().chain(&log.repairs));
    reader.progress.all_bytes = files.map(|file| file.size).sum();
    let mut contents = Contents {
        lock: lock::look(root, layout.lock.as_deref()),
        odd: layout.odd,
        temporary: layout.temporary,
        aside: layout.aside,
        ..Contents::default()
    };
    // In the order in which Prometheus reads: series are known from where they stand on.
    let last = layout.checkpoints.last().and_then(|checkpoint| checkpoint.number);
    for checkpoint in &layout.checkpoints {
        let read_by_prometheus = checkpoint.number == last;
        contents.checkpoints.push(Checkpoint {
            number: checkpoint.number.unwrap_or_default(),
            path: checkpoint.path.clone(),
            files: reader.log(checkpoint, &|_| read_by_prometheus),
        });
    }
    let is_read = |number: u64| last.is_none_or(|last| number > last);
    let (beside, instead) = repairs(&layout.wal);
    let mut old = reader.log(&instead, &is_read);
    contents.segments = reader.log(&layout.wal, &is_read);
    old.extend(reader.log(&beside, &|_| false));
    contents.repairs = reader.repairs(old, &contents.segments, &is_read);
    contents.wbl = reader.log(&layout.wbl, &|_| true);
    contents.blocks = blocks::all(&layout.blocks);
    let valid = blocks::newest(&contents.blocks);
    let passed = |size| reader.passed(size);
    contents.chunks_head = heads::chunks(&layout.chunks_head, valid, passed);
    contents.snapshots = layout.snapshots.iter().map(heads::snapshot).collect();
    contents.orphans = reader.orphans();
    if fold::refs::lost(&contents).is_some() {
        contents.named_since = named_since(root, &contents);
    }
    let judged = fold::judge(&contents);
    let map = map::of(&contents, &judged);
    let uploads = uploads::look(root, &contents);
    #[cfg(target_os = "linux")]
    let (free, needed) = (room::free(root), room::needed(&contents, &judged.problems));
    #[cfg(not(target_os = "linux"))]
    let (free, needed) = (None, 0);
    let mut survey = Survey {
        root: root.to_owned(),
        depth,
        free,
        needed,
        judged,
        map,
        uploads,
        inventory: None,
        agreement: String::new(),
        contents,
    };
    survey.agreement = Agreement::of(&survey).to_string();
    Ok(survey)
}

/// The highest ref that Series records name from the last segment on, as it is now.
fn named_since(root: &Path, contents: &Contents) -> Option<u64> {
    let last = contents.segments.last().map(|file| file.number);
    let files = layout::read(root).ok()?.wal.files.into_iter();
    let since = files.filter(|file| Some(file.number) >= last);
    let named = since.filter_map(|file| {
        let found = segment::survey(Pages::new(File::open(&file.path).ok()?, None), Depth::Full);
        found.counts.entries.refs.map(|refs| refs.last)
    });
    named.max()
}

/// What unfinished repairs left: beside a new segment, and without one.
fn repairs(wal: &Log) -> (Log, Log) {
    let is_beside = |old: &&Numbered| wal.files.iter().any(|new| new.number == old.number);
    let (beside, instead): (Vec<_>, Vec<_>) = wal.repairs.iter().partition(is_beside);
    let log = |files: Vec<&Numbered>| Log {
        files: files.into_iter().cloned().collect(),
        ..Log::default()
    };
    (log(beside), log(instead))
}

/// Goes through the logs, one file after the other for what they say, several at once for time.
struct Reader<'a> {
    depth: Depth,
    known: files::Known,
    /// Faults that are told one by one; of more only the number.
    room: usize,
    progress: Progress,
    began: Instant,
    tell: &'a mut dyn FnMut(Progress),
}

/// Faults told one by one in one report.
const MOST_FAULTS: usize = 10_000;

impl<'a> Reader<'a> {
    fn new(depth: Depth, tell: &'a mut dyn FnMut(Progress)) -> Reader<'a> {
        Reader {
            depth,
            known: files::Known::default(),
            room: MOST_FAULTS,
            progress: Progress { done_bytes: 0, all_bytes: 0, since: Duration::ZERO },
            began: Instant::now(),
            tell,
        }
    }

    /// All files of a log; `replayed` says of which numbers Prometheus reads.
    fn log(&mut self, log: &Log, replayed: &dyn Fn(u64) -> bool) -> Vec<SegmentFile> {
        let mut done = Vec::new();
        files::survey(&log.files, self.depth, &mut |file, read| {
            let (closed, mut found) = match read {
                Ok(found) => (None, found),
                Err(error) => (Some(error.to_string()), Segment::default()),
            };
            found.size = found.size.max(file.size);
            found.faults.truncate(self.room);
            self.room -= found.faults.len();
            if replayed(file.number) {
                self.known.read(file, &found);
            }
            // Of a log of thousands of files they would be more than the promised memory.
            (found.refs, found.sampled) = (Refs::default(), Refs::default());
            found.loose = Vec::new();
            done.push(SegmentFile { number: file.number, path: file.path.clone(), closed, found });
            self.passed(file.size);
        });
        let posing = log.posing().map(|(number, path)| {
            let closed = Some(layout::POSES.to_owned());
            // Prometheus opens a folder, cannot read in it, and cuts the log there.
            let is_folder = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
            let found = Segment { stops: is_folder.then_some(0), ..Segment::default() };
            SegmentFile { number, path: path.to_owned(), closed, found }
        });
        done.extend(posing);
        done.sort_by_key(|file| file.number);
        done
    }

    /// By number; which of them are of use is told by the segments.
    fn repairs(
        &self,
        mut old: Vec<SegmentFile>,
        segments: &[SegmentFile],
        is_read: &dyn Fn(u64) -> bool,
    ) -> Vec<UnfinishedRepair> {
        old.sort_by_key(|file| file.number);
        let told = |file: SegmentFile| {
            let new = segments.iter().find(|new| new.number == file.number);
            let goes_on = new.map(|new| {
                let (old, new) = (File::open(&file.path), File::open(&new.path));
                old.and_then(|old| unfinished::goes_on(old, new?)).unwrap_or(false)
            });
            let records = segments.iter().map(|other| (other.number, other.found.counts.records));
            let stands = is_read(file.number)
                && file.closed.is_none()
                && unfinished::stands(file.number, goes_on, records);
            UnfinishedRepair { file, stands }
        };
        old.into_iter().map(told).collect()
    }

    /// Tells that so many bytes more were read.
    fn passed(&mut self, bytes: u64) {
        self.progress.done_bytes += bytes;
        self.progress.since = self.began.elapsed();
        (self.tell)(self.progress);
    }

    fn orphans(self) -> Orphans {
        let (samples, refs) = self.known.orphans();
        Orphans { samples, series: refs.len(), examples: refs.iter().take(10).collect() }
    }
}
