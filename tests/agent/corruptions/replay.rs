//! What `survey` says that Prometheus keeps of the logs, against what its first start shows of them:
//! without blocks and chunks_head, which hold much of it once more. Sample by sample: for that the
//! places where it is said to stop have to be right, not sums alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use prom_fix::datadir::survey::fold::{LogName, NextStart};
use prom_fix::datadir::survey::{self, SegmentFile, Survey};
use prom_fix::walfile::compression::Decompressor;
use prom_fix::walfile::frame::{Frames, Item};
use prom_fix::walfile::record::{self, Entry};
use prom_fix::walfile::segment::Depth;

use super::dir;
use super::map::Map;
use super::server::{Release, Server};

/// Series and time of samples.
type Samples = BTreeSet<(String, i64)>;

#[derive(Debug)]
pub struct Foretold {
    /// Samples, as `survey` counts them.
    pub told: u64,
    /// Of them, those that the first start that comes up can show. Not so those that
    /// - stand in the log and in the wbl: they are shown once;
    /// - are earlier than the end of the first block: 3.16 leaves them out also where that is gone (as it
    ///   was seen; where its source does so is not known);
    /// - are of a series that is not named before them, or were deleted;
    /// - are of a type that the release does not know;
    /// - are in the wbl, where the log is repaired: what went wrong with that ends the loading, which
    ///   comes to the wbl last (tsdb/head.go, `Init`); only the start after that reads it.
    pub due: usize,
    /// What a start showed: nothing where it ends at each try.
    pub shown: usize,
    pub wrong: Vec<String>,
}

/// `whole`: what the release shows of the same directory before it was damaged.
pub fn compare(release: &Release, data: &Path, whole: &Map, bare: &Path, tries: usize) -> Foretold {
    let survey = survey::read(data, Depth::Full, &mut |_| {}).expect("a directory");
    let told = survey.judged.kept.prometheus.samples;
    let mut foretold = Foretold { told, due: 0, shown: 0, wrong: Vec::new() };
    let read = replayed(&survey);
    if read.samples != told {
        foretold.wrong.push(format!("{told} samples are told, and {} read", read.samples));
    }
    let first_block = blocks(data).iter().filter_map(|block| ends(block)).min();
    let is_whole = |(series, time): &(String, i64)| {
        Some(*time) >= first_block
            && whole.get(series).is_some_and(|samples| samples.contains_key(time))
    };
    let due: Samples = read.seen.into_iter().filter(is_whole).collect();
    dir::copy(data, bare);
    if !matches!(survey.judged.next_start, NextStart::Fails { .. }) {
        // Out of the way, in a folder that no release looks into.
        let aside = bare.join("aside");
        fs::create_dir(&aside).expect("made");
        for folder in blocks(bare).into_iter().chain([bare.join("chunks_head")]) {
            if folder.exists() {
                fs::rename(&folder, aside.join(folder.file_name().expect("a name")))
                    .expect("moved");
            }
        }
    }
    let mut shown = Samples::new();
    if let Some(server) = (0..tries).find_map(|_| Server::start(release, bare).ok()) {
        for (series, samples) in server.map() {
            shown.extend(samples.into_keys().map(|time| (series.clone(), time)).filter(is_whole));
        }
        server.stop();
    }
    for (what, more, less) in
        [("told, and not shown", &due, &shown), ("shown, and not told", &shown, &due)]
    {
        let mut odd = more.difference(less);
        if let Some(first) = odd.next() {
            let count = odd.count() + 1;
            foretold.wrong.push(format!("{count} samples are {what}, as {first:?}"));
        }
    }
    (foretold.due, foretold.shown) = (due.len(), shown.len());
    foretold
}

fn blocks(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data).expect("a folder");
    let folders = entries.map(|entry| entry.expect("an entry").path());
    folders.filter(|folder| folder.join("meta.json").exists()).collect()
}

/// In milliseconds.
fn ends(block: &Path) -> Option<i64> {
    let meta = fs::read(block.join("meta.json")).ok()?;
    serde_json::from_slice::<serde_json::Value>(&meta).ok()?.get("maxTime")?.as_i64()
}

/// The head, as the records of a log make it.
#[derive(Default)]
struct Replay {
    /// Read, whatever became of them.
    samples: u64,
    series: BTreeMap<u64, String>,
    last: BTreeMap<String, i64>,
    seen: Samples,
}

impl Replay {
    /// Up to the first place where a file cannot be read on.
    fn log<'a>(&mut self, files: impl Iterator<Item = &'a SegmentFile>, late: bool) {
        for file in files {
            self.file(file, late);
            if file.found.stops.is_some() {
                return;
            }
        }
    }

    fn file(&mut self, file: &SegmentFile, late: bool) {
        let Ok(input) = File::open(&file.path) else { return };
        let mut frames = Frames::as_prometheus(input);
        let mut decompressor = Decompressor::default();
        while let Some(Item::Record(frame)) = frames.advance() {
            if file.found.stops.is_some_and(|stops| frame.offset >= stops) {
                return;
            }
            let record = decompressor.decode(frame.compression, frame.bytes).expect("a record");
            record::read(record, |entry| self.entry(entry, late)).expect("entries");
        }
    }

    /// A sample is taken where it is later than what its series has, or is of the out-of-order log.
    fn entry(&mut self, entry: Entry<'_>, late: bool) {
        match entry {
            Entry::Series { reference, labels } => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let labels: BTreeMap<String, String> =
                    labels.iter().map(|(name, value)| (text(name), text(value))).collect();
                self.series.insert(reference, format!("{labels:?}"));
            }
            Entry::Sample { reference, time } => {
                self.samples += 1;
                let Some(series) = self.series.get(&reference) else { return };
                let last = self.last.entry(series.clone()).or_insert(i64::MIN);
                if late || time > *last {
                    *last = time.max(*last);
                    self.seen.insert((series.clone(), time));
                }
            }
            _ => {}
        }
    }
}

fn replayed(told: &Survey) -> Replay {
    let Survey { contents, judged, .. } = told;
    let mut replay = Replay::default();
    if matches!(judged.next_start, NextStart::Fails { .. }) {
        return replay;
    }
    let last = contents.checkpoints.last();
    replay.log(last.iter().flat_map(|checkpoint| &checkpoint.files), false);
    if !matches!(judged.next_start, NextStart::DestroysLog { .. }) {
        let behind = last.map(|checkpoint| checkpoint.number);
        let read = contents.segments.iter().filter(|file| Some(file.number) > behind);
        replay.log(read, false);
        let shown = replay.seen.clone();
        replay.log(contents.wbl.iter(), true);
        if matches!(judged.next_start, NextStart::Repairs { log: LogName::Wal, .. }) {
            replay.seen = shown;
        }
    }
    replay
}
