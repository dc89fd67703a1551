//! Records of a snapshot of the head, as far as they say up to where it reaches.

use std::io::{self, Read};

use super::bytes::Cursor;
use super::compression::Decompressor;
use super::frame::{Frames, Item};

/// How far its series reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The highest ref.
    pub highest: u64,
    /// When the newest sample is of that it holds, in milliseconds.
    pub newest: Option<i64>,
}

impl Reach {
    /// Reads a file of it, past every fault; an error where the disk ends it.
    pub fn read<R: Read>(&mut self, input: R) -> io::Result<()> {
        let mut frames = Frames::new(input);
        let mut decompressor = Decompressor::default();
        while let Some(item) = frames.advance() {
            let frame = match item {
                Item::Fault(fault) => {
                    fault.lets_go_on()?;
                    continue;
                }
                Item::Beginning(_) => continue,
                Item::Record(frame) => frame,
            };
            let bytes = decompressor.decode(frame.compression, frame.bytes).unwrap_or_default();
            if let Some((1, rest)) = bytes.split_first() {
                let _ = self.series(Cursor::new(rest));
            }
        }
        Ok(())
    }

    /// Ref, labels, eight bytes of no use, and whether a chunk follows, with its first and last time
    /// (tsdb/head_wal.go, `encodeToSnapshotRecord`).
    fn series(&mut self, mut from: Cursor<'_>) -> Option<()> {
        self.highest = self.highest.max(from.be64()?);
        for _ in 0..from.uvarint()? {
            from.text()?;
            from.text()?;
        }
        from.be64()?;
        if from.uvarint()? == 1 {
            from.be64()?;
            self.newest = self.newest.max(Some(from.be64()?.cast_signed()));
        }
        Some(())
    }
}
