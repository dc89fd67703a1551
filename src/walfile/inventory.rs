//! Who fills the head, from the Series records of a log alone: nothing else is decompressed.
//!
//! Memory is bounded whatever the log holds. Up to [`identity::MOST`] series and [`pairs::MOST`]
//! distinct label pairs everything is counted exactly; beyond, what came first goes on to be exact,
//! and what comes later is told with its error; so are labels of one series beyond [`MOST_LABELS`].
//! What is remembered of a series or a pair is 48 bits or 49 of a hash: two are taken for one once in
//! 16 logs that reach the bound, and once in thousands of those a tenth of its size.

mod batch;
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

use super::compression::{Compression, Decompressor};
use super::contents;
use super::fault::FaultKind;
use super::frame::{Frame, Frames, Item};
use super::record::RecordType;
use batch::Added;
pub use batch::{Batch, MOST_LABELS};
use hours::Hours;

/// What one file held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Bytes.
    pub size: u64,
    /// Series records, and the series in them.
    pub records: u64,
    pub series: u64,
    pub faults: u64,
    /// The last of them is that its last record is cut off by its end.
    pub torn_end: bool,
    /// Labels of series with more than are counted each on its own.
    pub labels_beyond: u64,
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
    fn record(
        &mut self,
        frame: &Frame<'_>,
        decompressor: &mut Decompressor,
        give: &mut dyn FnMut(Batch) -> Batch,
    ) -> Option<()> {
        let (kind, time) = look(frame, decompressor)?;
        if self.waiting > 0
            && let Some(time) = time
        {
            self.found.hours.count(time, std::mem::take(&mut self.waiting));
        }
        if kind == RecordType::Series {
            self.series(decompressor.decode(frame.compression, frame.bytes)?, give)?;
        }
        Some(())
    }

    fn series(&mut self, record: &[u8], give: &mut dyn FnMut(Batch) -> Batch) -> Option<()> {
        let Added { series, labels_beyond } = self.batch.add(record, give)?;
        self.found.records += 1;
        self.found.series += series;
        self.found.labels_beyond += labels_beyond;
        self.waiting += series;
        Some(())
    }

    /// What is left of a record that is cut off.
    fn beginning(
        &mut self,
        frame: &Frame<'_>,
        decompressor: &mut Decompressor,
        give: &mut dyn FnMut(Batch) -> Batch,
    ) {
        let bytes = contents::beginning(frame, decompressor);
        let kind = |bytes: &&[u8]| RecordType::of(bytes.first().copied());
        if let Some(bytes) = bytes.filter(|bytes| kind(bytes) == RecordType::Series) {
            self.series(bytes, give);
        }
    }
}

/// Reads a file to its end and hands on the series in it, each time for an empty batch.
pub fn read<R: Read>(input: R, mut give: impl FnMut(Batch) -> Batch) -> File {
    let mut frames = Frames::new(input);
    let mut decompressor = Decompressor::default();
    let mut reading = Reading::default();
    let mut torn_to = None;
    while let Some(item) = frames.advance() {
        let cut_off = match item {
            Item::Fault(fault) => {
                reading.found.faults += 1;
                let torn = matches!(
                    fault.kind,
                    FaultKind::TornRecord | FaultKind::TornFragment | FaultKind::Checksum
                );
                torn_to = torn.then_some(fault.offset + fault.skipped);
                continue;
            }
            Item::Beginning(frame) => Some(frame),
            Item::Record(frame)
                if reading.record(&frame, &mut decompressor, &mut give).is_some() =>
            {
                None
            }
            Item::Record(frame) => {
                reading.found.faults += u64::from(!frame.doubtful);
                frame.beginning()
            }
        };
        if let Some(frame) = cut_off {
            reading.beginning(&frame, &mut decompressor, &mut give);
        }
        if reading.batch.is_full() {
            reading.batch = give(std::mem::take(&mut reading.batch));
        }
    }
    let Reading { mut found, batch, waiting } = reading;
    found.hours.unknown += waiting;
    if !batch.is_empty() {
        let _ = give(batch);
    }
    found.size = frames.size().unwrap_or_default();
    found.torn_end = torn_to.is_some_and(|end| end >= found.size);
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
