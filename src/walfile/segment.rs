//! One file of a log, judged: a segment, or one of a checkpoint, of the out-of-order log (wbl), of
//! an agent. They are all framed alike.

use std::io::Read;

use serde::{Deserialize, Serialize};

use super::compression::{Compression, Decompressor, peek};
use super::count::{Counts, Entries, Kept};
use super::fault::{Fault, FaultKind};
use super::frame::{Frame, Frames, Item, PAGE};
use super::record::{self, Entry, RecordType};
use super::refs::Refs;

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Frames, checksums, order and the types of records.
    Quick,
    /// Every record is decompressed and decoded.
    Full,
}

/// Faults that are told one by one; of more only the number.
const MOST_FAULTS: usize = 1000;

/// What a file holds and what is wrong with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// Bytes.
    pub size: u64,
    /// All that can be read: the fragment-by-fragment resync.
    pub counts: Counts,
    pub faults: Vec<Fault>,
    /// Also those beyond the first thousand.
    pub fault_count: u64,
    pub kept: Policies,
    #[serde(skip)]
    pub refs: Refs,
}

/// What is kept of a file by each way to go on after a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policies {
    /// Prometheus' own repair: what stands before the first fault.
    pub prometheus: Kept,
    /// Going on with the next page.
    pub page: Kept,
    /// Going on with the next fragment whose checksum holds.
    pub fragment: Kept,
}

impl Segment {
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.fault_count == 0
    }

    fn fault(&mut self, fault: Fault) {
        self.fault_count += 1;
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        }
    }
}

/// Reads a file to its end, whatever is in it.
pub fn survey<R: Read>(input: R, depth: Depth) -> Segment {
    let mut frames = Frames::new(input);
    let mut found = Segment::default();
    let mut reader = Reader::new(depth);
    // Up to here a reader that goes on with the next page reads nothing.
    let mut lost_page = 0_u64;
    while let Some(item) = frames.advance() {
        let frame = match item {
            Item::Record(frame) => frame,
            Item::Fault(fault) => {
                let last = fault.offset + fault.skipped.max(1) - 1;
                lost_page = lost_page.max((last / PAGE as u64 + 1) * PAGE as u64);
                found.fault(fault);
                continue;
            }
        };
        match reader.read(&frame) {
            Ok(kind) => {
                found.counts.record(kind, &reader.entries);
                found.kept.fragment.record(&reader.entries);
                if frame.offset >= lost_page {
                    found.kept.page.record(&reader.entries);
                }
                if found.is_healthy() {
                    found.kept.prometheus.record(&reader.entries);
                }
                reader.series.drain(..).for_each(|reference| {
                    found.refs.insert(reference);
                });
            }
            Err(kind) => {
                let page = frame.offset / PAGE as u64;
                let skipped = frame.end - frame.offset;
                found.fault(Fault { kind, offset: frame.offset, page, skipped });
            }
        }
    }
    found.size = frames.size().unwrap_or_default();
    found
}

/// One record after the other; what the last one held.
struct Reader {
    depth: Depth,
    decompressor: Decompressor,
    entries: Entries,
    series: Vec<u64>,
}

impl Reader {
    fn new(depth: Depth) -> Reader {
        Reader {
            depth,
            decompressor: Decompressor::default(),
            entries: Entries::default(),
            series: Vec::new(),
        }
    }

    fn read(&mut self, frame: &Frame<'_>) -> Result<RecordType, FaultKind> {
        let Reader { depth, decompressor, entries, series } = self;
        *entries = Entries::default();
        series.clear();
        if *depth == Depth::Quick {
            let first = peek(frame.compression, frame.bytes);
            if first.is_some() || frame.compression == Compression::None {
                return Ok(RecordType::of(first));
            }
        }
        let bytes =
            decompressor.decode(frame.compression, frame.bytes).ok_or(FaultKind::Compression)?;
        let kind = RecordType::of(bytes.first().copied());
        if *depth == Depth::Full {
            record::read(bytes, |entry| {
                entries.count(entry);
                if let Entry::Series { reference, .. } = entry {
                    series.push(reference);
                }
            })
            .map_err(|record::Undecodable| FaultKind::Decoding)?;
        }
        Ok(kind)
    }
}

/// Samples whose series no record names.
#[derive(Clone, Debug, Default)]
pub struct Orphans {
    pub samples: u64,
    pub refs: Refs,
}

/// Counts the samples of refs that are not known; for where Series records may be lost.
pub fn orphans<R: Read>(input: R, known: &Refs) -> Orphans {
    let mut frames = Frames::new(input);
    let mut decompressor = Decompressor::default();
    let mut found = Orphans::default();
    while let Some(item) = frames.advance() {
        let Item::Record(frame) = item else { continue };
        let Some(bytes) = decompressor.decode(frame.compression, frame.bytes) else { continue };
        if !RecordType::of(bytes.first().copied()).holds_samples() {
            continue;
        }
        // What comes before the fault of a record that cannot be decoded is not kept either.
        if record::read(bytes, |_| {}).is_err() {
            continue;
        }
        let _ = record::read(bytes, |entry| {
            if let Entry::Sample { reference, .. } = entry
                && !known.contains(reference)
            {
                found.samples += 1;
                found.refs.insert(reference);
            }
        });
    }
    found
}
