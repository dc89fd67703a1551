//! Who fills the head, from the Series records of a log alone: nothing else is decompressed.
//!
//! Memory is bounded whatever the log holds. Up to [`identity::MOST`] series and [`pairs::MOST`]
//! distinct label pairs everything is counted exactly; beyond, what came first goes on to be exact,
//! and what comes later is told with its error. What is remembered of a series or a pair is 48 bits
//! or 49 of a hash: two are taken for one once in 16 logs that reach the bound, and once in thousands
//! of those a tenth of its size.

pub mod head;
pub mod hours;
pub mod identity;
pub mod memory;
pub mod pairs;
pub mod ranking;
mod sketch;
#[cfg(test)]
mod tests;

use std::io::Read;

use super::bytes::Cursor;
use super::compression::{Compression, Decompressor};
use super::contents;
use super::frame::{Frame, Frames, Item};
use super::hash;
use super::record::{self, RecordType};
use hours::Hours;

/// Series are handed on once this many bytes of them have come together.
const BATCH: usize = 256 << 10;

/// A name and its value.
type Label<'a> = (&'a [u8], &'a [u8]);

/// Labels that a series has at the most, as a rule.
const LABELS: usize = 32;

/// Series, and what tells them and their labels apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What Series records hold, one behind the other.
    bytes: Vec<u8>,
    series: Vec<Hashed>,
    /// Of each series in turn.
    pairs: Vec<Pair>,
    /// By series, whether it was not met before; once that is told.
    new: Vec<bool>,
}

/// A series by its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hashed {
    hash: u64,
    /// How many of the batch's pairs are its own.
    labels: usize,
}

/// A label and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair {
    hash: u64,
    /// Where it stands in the batch's bytes.
    at: u32,
}

impl Batch {
    /// A label and its value, by their own text.
    fn label(&self, pair: Pair) -> Option<Label<'_>> {
        let mut from = Cursor::new(self.bytes.get(usize::try_from(pair.at).ok()?..)?);
        Some((from.text()?, from.text()?))
    }

    /// Its room, for others: to ask for it anew costs more than to fill it.
    #[must_use]
    pub fn emptied(mut self) -> Batch {
        self.bytes.clear();
        self.series.clear();
        self.pairs.clear();
        self.new.clear();
        self
    }

    /// How many series a Series record names. `None`, and nothing is added, where it cannot be decoded
    /// to its end.
    fn add(&mut self, record: &[u8]) -> Option<u64> {
        let (series, pairs) = (self.series.len(), self.pairs.len());
        if self.hash(record).is_none() {
            self.series.truncate(series);
            self.pairs.truncate(pairs);
            return None;
        }
        self.bytes.extend_from_slice(record::entries(record).rest());
        Some((self.series.len() - series) as u64)
    }

    fn hash(&mut self, record: &[u8]) -> Option<()> {
        // At each place among the labels, the last one with its hash.
        let mut last: Vec<(Label<'_>, u64)> = Vec::with_capacity(LABELS);
        let mut from = record::entries(record);
        let end = self.bytes.len() + from.len();
        while !from.is_empty() {
            let (_, count) = record::series(&mut from)?;
            let before = self.pairs.len();
            let mut all = 0;
            for place in 0..count {
                let at = u32::try_from(end - from.len()).ok()?;
                let label = (from.text()?, from.text()?);
                let place = usize::try_from(place).ok()?;
                // Series of one target follow each other, and have most labels in common.
                let hash = match last.get(place) {
                    Some((same, hash))
                        if hash::same(same.0, label.0) && hash::same(same.1, label.1) =>
                    {
                        *hash
                    }
                    _ => hash::pair(label.0, label.1),
                };
                match last.get_mut(place) {
                    Some(last) => *last = (label, hash),
                    None => last.push((label, hash)),
                }
                all = hash::join(all, hash);
                self.pairs.push(Pair { hash, at });
            }
            self.series.push(Hashed { hash: all, labels: self.pairs.len() - before });
        }
        Some(())
    }
}

/// What one file held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Bytes.
    pub size: u64,
    /// Series records, and the series in them.
    pub records: u64,
    pub series: u64,
    pub faults: u64,
    /// When series were created, by the samples behind their record.
    pub hours: Hours,
}

/// A file under way.
#[derive(Default)]
struct Reading {
    found: File,
    batch: Batch,
    /// Series whose time is not known yet: a commit writes them before their samples.
    waiting: u64,
}

impl Reading {
    /// `None` where the record does not hold.
    fn record(&mut self, frame: &Frame<'_>, decompressor: &mut Decompressor) -> Option<()> {
        let (kind, time) = look(frame, decompressor)?;
        if self.waiting > 0
            && let Some(time) = time
        {
            self.found.hours.count(time, std::mem::take(&mut self.waiting));
        }
        if kind == RecordType::Series {
            self.series(decompressor.decode(frame.compression, frame.bytes)?)?;
        }
        Some(())
    }

    fn series(&mut self, record: &[u8]) -> Option<()> {
        let count = self.batch.add(record)?;
        self.found.records += 1;
        self.found.series += count;
        self.waiting += count;
        Some(())
    }

    /// What is left of a record that is cut off.
    fn beginning(&mut self, frame: &Frame<'_>, decompressor: &mut Decompressor) {
        let bytes = contents::beginning(frame, decompressor);
        let kind = |bytes: &&[u8]| RecordType::of(bytes.first().copied());
        if let Some(bytes) = bytes.filter(|bytes| kind(bytes) == RecordType::Series) {
            self.series(bytes);
        }
    }
}

/// Reads a file to its end and hands on the series in it, each time for an empty batch.
pub fn read<R: Read>(input: R, mut give: impl FnMut(Batch) -> Batch) -> File {
    let mut frames = Frames::new(input);
    let mut decompressor = Decompressor::default();
    let mut reading = Reading::default();
    while let Some(item) = frames.advance() {
        let cut_off = match item {
            Item::Fault(_) => {
                reading.found.faults += 1;
                continue;
            }
            Item::Beginning(frame) => Some(frame),
            Item::Record(frame) if reading.record(&frame, &mut decompressor).is_some() => None,
            Item::Record(frame) => {
                reading.found.faults += u64::from(!frame.doubtful);
                frame.beginning()
            }
        };
        if let Some(frame) = cut_off {
            reading.beginning(&frame, &mut decompressor);
        }
        if reading.batch.bytes.len() >= BATCH {
            reading.batch = give(std::mem::take(&mut reading.batch));
        }
    }
    let Reading { mut found, batch, waiting } = reading;
    found.hours.unknown += waiting;
    if !batch.bytes.is_empty() {
        let _ = give(batch);
    }
    found.size = frames.size().unwrap_or_default();
    found
}

/// The type of a record, and of samples the time of the first; `None` where it cannot be
/// decompressed.
fn look(frame: &Frame<'_>, decompressor: &mut Decompressor) -> Option<(RecordType, Option<i64>)> {
    let mut start = [0; head::MOST];
    let start = match frame.compression {
        Compression::None => frame.bytes,
        Compression::Snappy => head::unsnap(frame.bytes, &mut start)?,
        // The first byte stands at no place that is known without decompressing what is around it.
        Compression::Zstd => decompressor.decode(Compression::Zstd, frame.bytes)?,
    };
    let kind = RecordType::of(start.first().copied());
    Some((kind, head::time(kind, start)))
}
