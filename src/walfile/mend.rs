//! A log without its faults: every record of another that can be read, in its order, byte for byte
//! as it was compressed, and the beginning of those that a fault cuts off. What
//! [`super::segment::survey`] counts by fragment is what is kept here.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use super::compression::Compression;
use super::contents;
use super::count::Kept;
use super::record::{self, Entry};
use super::refs::Refs;
use super::writer::Writer;

/// Copies what holds. An error where the other could not be written, or not be read to its end.
pub fn mend<R: Read, W: Write>(input: R, out: W) -> io::Result<Kept> {
    let mut out = Writer::new(out);
    let mut kept = Kept::default();
    contents::each(input, &mut |content| {
        if let Some(bytes) = content.compressed() {
            out.record(content.frame.compression, &bytes)?;
            kept.record(&content.entries);
        }
        Ok(())
    })?;
    Ok(kept)
}

/// What the label `__name__` of a guard says.
pub const GUARD: &str = "prom_fix_salvage_guard";

/// A log of one Series record that no sample belongs to. Prometheus gives a new series the ref
/// after the highest that a Series record names (tsdb/head_wal.go, `lastSeriesID`), and knows the
/// chunks of the head by ref alone: where Series records are lost, new series would be given refs
/// that old chunks still carry, and show their samples as their own.
pub fn guard<W: Write>(reference: u64, out: W) -> io::Result<()> {
    let mut bytes = vec![1];
    bytes.extend(reference.to_be_bytes());
    // One label; lengths under 128 are one byte.
    bytes.push(1);
    for text in ["__name__", GUARD] {
        bytes.push(u8::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidInput)?);
        bytes.extend(text.as_bytes());
    }
    Writer::new(out).record(Compression::None, &bytes)
}

/// Refs have 40 bits where chunks name their series (tsdb/chunks/chunks.go `NewHeadChunkRef`).
pub const MOST_REF: u64 = (1 << 40) - 1;

/// Told of more than this many series only their number.
pub const MOST_NAMED: usize = 1000;

/// What lacks its Series record, and the highest ref that anything names.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    pub highest: u64,
    pub orphans: u64,
    pub orphan_refs: Refs,
    /// Samples by ref, of the first that were met.
    pub named: BTreeMap<u64, u64>,
}

impl Traces {
    /// No series was ever given a ref beyond the highest, and none will be.
    pub fn see(&mut self, reference: u64) {
        if reference < MOST_REF {
            self.highest = self.highest.max(reference);
        }
    }

    /// Reads what can be read of a log; `known` are the refs of all Series records that are kept. An
    /// error where the disk ends it: whatever stands behind names refs, too.
    pub fn read<R: Read>(&mut self, input: R, known: &Refs) -> io::Result<()> {
        contents::each(input, &mut |content| {
            let _ = record::read(content.bytes, |entry| {
                let reference = entry.reference();
                self.see(reference);
                if matches!(entry, Entry::Sample { .. }) && !known.contains(reference) {
                    self.orphan(reference);
                }
            });
            Ok(())
        })
    }

    fn orphan(&mut self, reference: u64) {
        self.orphans += 1;
        self.orphan_refs.insert(reference);
        if self.named.len() < MOST_NAMED || self.named.contains_key(&reference) {
            *self.named.entry(reference).or_default() += 1;
        }
    }
}
