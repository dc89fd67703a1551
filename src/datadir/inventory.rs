//! Who fills the head: the series of the newest checkpoint and of the segments after it, as a start
//! would load them. Nothing is written, and it does not matter whether Prometheus runs.
//!
//! Two threads read files, one tells which series are new, one counts their labels. Files are handed
//! on in order whatever thread is ahead, so that the same log gives the same bytes.

mod queue;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use serde::Serialize;

use self::queue::{Give, Take, queue};
use super::layout::{self, Layout, Numbered};
use super::survey::Progress;
use crate::walfile::inventory::hours::{Hour, Hours};
use crate::walfile::inventory::identity::{Identity, Told};
use crate::walfile::inventory::pairs::{Pairs, Values};
use crate::walfile::inventory::ranking::Ranks;
use crate::walfile::inventory::{self, Batch};
use crate::walfile::segment::Pages;

const READERS: usize = 2;
/// Batches that wait for the next thread: what is held of a log beside the counts.
const WAITING: usize = 6;

/// What fills a head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    pub root: PathBuf,
    /// The checkpoint that was read.
    pub checkpoint: Option<u64>,
    pub segments: u64,
    /// Of the files that were read.
    pub bytes: u64,
    /// Places where the log is not what was written. What can be read on both sides is counted.
    pub faults: u64,
    /// One of them is the end of the newest segment: a write that was under way when its server ended,
    /// behind which nothing is lost.
    pub torn_end: bool,
    /// Distinct ones: what a start loads.
    pub series: u64,
    /// Entries of Series records. More than `series` where one was named twice.
    pub records: u64,
    #[serde(flatten)]
    pub ranks: Ranks,
    /// The labels with the most values.
    pub labels: Vec<Values>,
    pub churn: Churn,
    pub bound: Bound,
}

/// When series were created, by the records of the segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Churn {
    /// In the checkpoint: created before the segments that are left.
    pub earlier: u64,
    /// The last ones, in order.
    pub hours: Vec<Hour>,
    /// No samples stand behind them.
    pub unknown: u64,
}

/// What the bound on memory cost: all 0 where every number is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bound {
    /// Series that were counted without a look whether they had been met before.
    pub series_not_told_apart: u64,
    /// Labels of series that were counted by a sketch.
    pub pairs_by_sketch: u64,
    /// Label names that were too many to be told.
    pub other_labels: u64,
    /// Labels that their series has beyond the first few thousand: they tell series apart, and are
    /// counted nowhere else.
    pub labels_beyond: u64,
}

/// Counts the series of a data directory. An error where it cannot be listed, or a file of its log
/// cannot be opened: what was not seen must not pass for absent.
pub fn read(root: &Path, most: usize, tell: &mut dyn FnMut(Progress)) -> io::Result<Inventory> {
    let layout = layout::read(root)?;
    if !layout.wal.exists {
        let says = format!(
            "{}: no such directory: {} is not what --storage.tsdb.path names",
            layout.wal.path.display(),
            root.display()
        );
        return Err(io::Error::new(io::ErrorKind::NotFound, says));
    }
    let (checkpoint, from_checkpoint, paths) = files(&layout);
    let mut counted = count(&paths, tell)?;
    let newest = counted.files.iter().skip(from_checkpoint).rfind(|file| file.size > 0);
    let torn_end = newest.is_some_and(|file| file.torn_end);
    let mut hours = Hours::default();
    let (mut bytes, mut faults, mut records, mut earlier) = (0, 0, 0, 0);
    let mut labels_beyond = 0;
    for (at, file) in counted.files.drain(..).enumerate() {
        bytes += file.size;
        faults += file.faults;
        records += file.series;
        labels_beyond += file.labels_beyond;
        if at < from_checkpoint {
            earlier += file.series;
        } else {
            hours.add(&file.hours);
        }
    }
    let (_, pairs_by_sketch) = counted.pairs.exact_and_beyond();
    Ok(Inventory {
        root: root.to_owned(),
        checkpoint,
        segments: (paths.len() - from_checkpoint) as u64,
        bytes,
        faults,
        torn_end,
        series: counted.identity.len(),
        records,
        ranks: counted.pairs.ranks(most),
        labels: counted.pairs.values(most),
        churn: Churn { earlier, hours: hours.last(most), unknown: hours.unknown },
        bound: Bound {
            series_not_told_apart: counted.identity.beyond,
            pairs_by_sketch,
            other_labels: counted.pairs.other_labels(),
            labels_beyond,
        },
    })
}

/// What a start reads: the newest checkpoint, then the segments after it. Also its number, and how
/// many of the files are its own.
fn files(layout: &Layout) -> (Option<u64>, usize, Vec<&Numbered>) {
    let checkpoint = layout.checkpoints.last();
    let number = checkpoint.and_then(|log| log.number);
    let mut paths: Vec<&Numbered> = checkpoint.iter().flat_map(|log| &log.files).collect();
    let own = paths.len();
    paths.extend(layout.wal.files.iter().filter(|file| Some(file.number) > number));
    (number, own, paths)
}

struct Counted {
    files: Vec<inventory::File>,
    identity: Identity,
    pairs: Pairs,
}

/// A file, and where its series go; taken by the thread that reads it.
type Job<'a> = (&'a Path, Give<Batch>);

fn count(files: &[&Numbered], tell: &mut dyn FnMut(Progress)) -> io::Result<Counted> {
    let all_bytes = files.iter().map(|file| file.size).sum();
    let (began, read) = (Instant::now(), AtomicU64::new(0));
    let (jobs, batches): (Vec<Job<'_>>, Vec<Take<Batch>>) = files
        .iter()
        .map(|file| {
            let (give, take) = queue(WAITING);
            ((file.path.as_path(), give), take)
        })
        .unzip();
    let jobs = Mutex::new(jobs.into_iter().enumerate());
    let emptied = Mutex::new(Vec::new());
    let (give, told) = queue::<Told>(WAITING);
    thread::scope(|scope| {
        let readers: Vec<_> =
            (0..READERS).map(|_| scope.spawn(|| work(&jobs, &emptied, &read))).collect();
        let identity = scope.spawn(move || {
            let mut identity = Identity::default();
            for batch in batches.into_iter().flatten() {
                if !give.give(identity.tell(batch)) {
                    break;
                }
            }
            identity
        });
        let mut pairs = Pairs::default();
        for told in told {
            pairs.count(&told);
            let done_bytes = read.load(Ordering::Relaxed);
            tell(Progress { done_bytes, all_bytes, since: began.elapsed() });
            emptied.lock().map_err(|_| died())?.push(told.emptied());
        }
        let mut files = Vec::new();
        for reader in readers {
            files.extend(reader.join().map_err(|_| died())??);
        }
        files.sort_by_key(|(at, _)| *at);
        let files = files.into_iter().map(|(_, file)| file).collect();
        Ok(Counted { files, identity: identity.join().map_err(|_| died())?, pairs })
    })
}

fn died() -> io::Error {
    io::Error::other("a thread that counts died")
}

/// Reads files for as long as there are any; `emptied` are batches that were counted.
fn work<'a>(
    jobs: &Mutex<impl Iterator<Item = (usize, Job<'a>)>>,
    emptied: &Mutex<Vec<Batch>>,
    read: &AtomicU64,
) -> io::Result<Vec<(usize, inventory::File)>> {
    let mut done = Vec::new();
    loop {
        let job = jobs.lock().map_err(|_| died())?.next();
        let Some((at, (path, give))) = job else { return Ok(done) };
        let file = File::open(path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        let found = inventory::read(Pages::new(file, None), |batch| {
            // Whoever does not take it has ended, and says why.
            give.give(batch);
            emptied.lock().ok().and_then(|mut emptied| emptied.pop()).unwrap_or_default()
        });
        read.fetch_add(found.size, Ordering::Relaxed);
        done.push((at, found));
    }
}
