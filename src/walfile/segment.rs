//! One file of a log, judged: a segment, or one of a checkpoint, of the out-of-order log (wbl), of
//! an agent. They are all framed alike.

mod loose;
mod order;

use std::io::Read;

use serde::{Deserialize, Serialize};

use super::batch::{self, Batch};
use super::compression::{Compression, Decompressor, peek};
use super::contents;
use super::count::{Counts, Entries, Kept};
use super::fault::{Costs, Fault, FaultKind};
use super::frame::{Frame, Frames, Item, PAGE, Part};
use super::record::{self, Entry, RecordType};
use super::refs::{Refs, Rows};
pub use loose::Loose;
pub use order::{Open, Order, Pages, survey_in_order};

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// In which what can be read is read, where it is not that of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Where Prometheus' reader stops: at the first fault, unless it does not see it.
    pub stops: Option<u64>,
    /// The highest ref of any entry, told by more than Series records; none where not decoded.
    pub highest: Option<u64>,
    /// Of Series records.
    #[serde(skip)]
    pub refs: Refs,
    /// Of samples.
    #[serde(skip)]
    pub sampled: Refs,
    #[serde(skip)]
    pub loose: Vec<Loose>,
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

    /// Whether it shows by itself that its pages stand in their places: not so where a record that
    /// goes from one to the next is not compressed.
    #[must_use]
    pub fn holds_together(&self) -> bool {
        self.is_healthy() && self.loose.is_empty()
    }

    /// Adds the next part of the same file, whose size is up to its end; each holds together.
    pub fn join(&mut self, part: &Segment) {
        self.size = self.size.max(part.size);
        self.counts.add(&part.counts);
        let Policies { prometheus, page, fragment } = &part.kept;
        self.kept.prometheus.add(prometheus);
        self.kept.page.add(page);
        self.kept.fragment.add(fragment);
        self.highest = self.highest.max(part.highest);
        self.refs.extend(&part.refs);
        self.sampled.extend(&part.sampled);
    }

    /// What Prometheus' own reader, asked by [`as_prometheus`], keeps, and where it stops: it does not see
    /// every fault.
    pub fn kept_by_prometheus(&mut self, kept: Kept, stops: Option<u64>) {
        (self.kept.prometheus, self.stops) = (kept, stops);
        let lost = self.kept.fragment.without(&kept);
        for (place, costs) in self.faults.iter_mut().filter_map(|f| f.costs.as_mut()).enumerate() {
            if place == 0 || stops.is_none() {
                costs.prometheus = lost;
            }
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.fault_count += 1;
        self.stops = self.stops.or(Some(fault.offset));
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault { costs: Some(Costs::default()), ..fault });
        }
    }

    /// Counts a record, all of which is there; before `lost_page` a reader that goes on with the next
    /// page reads nothing.
    fn record(&mut self, frame: &Frame<'_>, reader: &mut Reader, lost_page: u64) {
        let fault = |kind| Fault::new(kind, frame.offset, frame.end - frame.offset);
        let read = reader.read(frame);
        if !matches!(read, Ok(kind) if kind != RecordType::Unknown)
            && let Some(kind) = reader.read_otherwise(frame)
        {
            self.fault(fault(FaultKind::Compression));
            self.take(kind, reader, false);
            return;
        }
        match read {
            Ok(kind) => {
                // A quick look does not know what a record names.
                if reader.depth == Depth::Full {
                    self.loose.extend(Loose::of(frame, kind, reader.told.sampled.all()));
                }
                if self.is_healthy() {
                    self.kept.prometheus.record(&reader.told.entries);
                }
                self.take(kind, reader, frame.offset >= lost_page);
            }
            Err(kind) => {
                if !frame.doubtful {
                    self.fault(fault(kind));
                }
                self.beginning(frame.beginning(), reader);
            }
        }
    }

    /// Counts the entries that were read last; `by_page` also by a reader that goes on with the next
    /// page.
    fn take(&mut self, kind: RecordType, reader: &mut Reader, by_page: bool) {
        let Told { entries, series, sampled, highest } = &mut reader.told;
        self.counts.record(kind, entries);
        self.kept.fragment.record(entries);
        if by_page {
            self.kept.page.record(entries);
        }
        let all_are_told = self.faults.len() as u64 == self.fault_count;
        if let Some(costs) = self.faults.last_mut().and_then(|last| last.costs.as_mut()) {
            costs.prometheus.record(entries);
            if !by_page && all_are_told {
                costs.page.record(entries);
            }
        }
        self.refs.take(series);
        self.sampled.take(sampled);
        self.highest = self.highest.max(*highest);
    }

    /// Counts what is left of a record that is cut off.
    fn beginning(&mut self, frame: Option<Frame<'_>>, reader: &mut Reader) {
        if let Some(kind) = frame.and_then(|frame| reader.read_beginning(&frame)) {
            self.take(kind, reader, false);
        }
    }

    /// What stands behind a fault stands behind those before it, too.
    fn add_up(&mut self) {
        let mut behind = Kept::default();
        for costs in self.faults.iter_mut().rev().filter_map(|fault| fault.costs.as_mut()) {
            behind.add(&costs.prometheus);
            costs.prometheus = behind;
        }
    }
}

/// Reads a file to its end, whatever is in it.
pub fn survey<R: Read>(input: R, depth: Depth) -> Segment {
    survey_part(input, Part::WHOLE, depth)
}

/// Reads a part of a file, from where the input stands.
pub fn survey_part<R: Read>(input: R, part: Part, depth: Depth) -> Segment {
    let mut frames = Frames::part(input, part);
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
            Item::Beginning(frame) => {
                found.beginning(Some(frame), &mut reader);
                continue;
            }
        };
        found.record(&frame, &mut reader, lost_page);
    }
    found.size = frames.size().unwrap_or_default();
    found.add_up();
    found
}

/// Whether a file has to be read again to know what Prometheus makes of it: its reader does not see
/// that a page was lost inside a record, stands there twice or in another's place, and passes over a
/// record that it takes for one of a type to come.
#[must_use]
pub fn is_in_doubt(found: &Segment) -> bool {
    use FaultKind as F;
    found.faults.first().is_some_and(|fault| {
        matches!(
            fault.kind,
            F::MissingFragment | F::RepeatedPage | F::MisplacedPage | F::Compression
        )
    })
}

/// Reads a file as Prometheus does, to where it stops: what it keeps, and that place. Of a record
/// that it joined of what does not belong together it may keep numbers that were never written.
pub fn as_prometheus<R: Read>(input: R, depth: Depth) -> (Kept, Option<u64>) {
    let mut frames = Frames::as_prometheus(input);
    let mut reader = Reader::new(depth);
    let mut kept = Kept::default();
    while let Some(item) = frames.advance() {
        match item {
            Item::Fault(fault) => return (kept, Some(fault.offset)),
            Item::Record(frame) if reader.read(&frame).is_err() => {
                return (kept, Some(frame.offset));
            }
            Item::Record(_) => kept.record(&reader.told.entries),
            // It stops at the fault that comes before.
            Item::Beginning(_) => {}
        }
    }
    (kept, None)
}

/// One record after the other; what the last one held.
struct Reader {
    depth: Depth,
    decompressor: Decompressor,
    told: Told,
}

/// What a record holds.
#[derive(Default)]
struct Told {
    entries: Entries,
    /// Refs of Series records and of samples.
    series: Rows,
    sampled: Rows,
    highest: Option<u64>,
}

impl Told {
    /// Keeps the room.
    fn forget(&mut self) {
        self.entries = Entries::default();
        self.highest = None;
        self.series.clear();
        self.sampled.clear();
    }

    fn hear(&mut self, entry: Entry<'_>) {
        self.entries.count(entry);
        let reference = entry.reference();
        self.highest = self.highest.max(Some(reference));
        match entry {
            Entry::Series { .. } => self.series.follow(reference),
            Entry::Sample { .. } => self.sampled.follow(reference),
            Entry::Tombstone { .. }
            | Entry::Exemplar { .. }
            | Entry::Marker { .. }
            | Entry::Metadata { .. } => {}
        }
    }
}

impl Reader {
    fn new(depth: Depth) -> Reader {
        Reader { depth, decompressor: Decompressor::default(), told: Told::default() }
    }

    fn read(&mut self, frame: &Frame<'_>) -> Result<RecordType, FaultKind> {
        let Reader { depth, decompressor, told } = self;
        told.forget();
        if *depth == Depth::Quick {
            let first = peek(frame.compression, frame.bytes);
            if first.is_some() || frame.compression == Compression::None {
                return Ok(RecordType::of(first));
            }
        }
        let bytes =
            decompressor.decode(frame.compression, frame.bytes).ok_or(FaultKind::Compression)?;
        let kind = RecordType::of(bytes.first().copied());
        if *depth == Depth::Quick {
            return Ok(kind);
        }
        if let (RecordType::Samples, Some((_, rest))) = (kind, bytes.split_first()) {
            let Batch { samples, span } =
                batch::count(rest, &mut told.sampled).ok_or(FaultKind::Decoding)?;
            told.entries = Entries { samples, span, ..Entries::default() };
            told.highest = told.sampled.highest();
            return Ok(kind);
        }
        record::read(bytes, |entry| told.hear(entry)).map_err(|_| FaultKind::Decoding)?;
        Ok(kind)
    }

    /// Reads a record that does not hold as its flags say, as it may have been compressed instead.
    fn read_otherwise(&mut self, frame: &Frame<'_>) -> Option<RecordType> {
        let Reader { depth, decompressor, told } = self;
        told.forget();
        if *depth == Depth::Quick {
            return None;
        }
        let frame = contents::with_true_flags(frame, decompressor)?;
        let bytes = decompressor.decode(frame.compression, frame.bytes)?;
        let _ = record::read(bytes, |entry| told.hear(entry));
        Some(RecordType::of(bytes.first().copied()))
    }

    /// Reads what is left of a record that is cut off; `None` where that is nothing.
    fn read_beginning(&mut self, frame: &Frame<'_>) -> Option<RecordType> {
        let Reader { depth, decompressor, told } = self;
        told.forget();
        if *depth == Depth::Quick {
            return None;
        }
        let bytes = contents::beginning(frame, decompressor)?;
        let _ = record::read(bytes, |entry| told.hear(entry));
        Some(RecordType::of(bytes.first().copied()))
    }
}

/// Counts the samples of certain refs, up to where the disk ends the file.
pub fn samples_of<R: Read>(input: R, refs: &Refs) -> u64 {
    let mut samples = 0;
    let _ = contents::each(input, &mut |content| {
        if RecordType::of(content.bytes.first().copied()).holds_samples() {
            let _ = record::read(content.bytes, |entry| {
                if let Entry::Sample { reference, .. } = entry {
                    samples += u64::from(refs.contains(reference));
                }
            });
        }
        Ok(())
    });
    samples
}
