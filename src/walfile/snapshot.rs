//! Records of a snapshot of the head, as far as they say up to where it reaches.

use std::io::Read;

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
    /// Reads a file of it, past every fault.
    pub fn read<R: Read>(&mut self, input: R) {
        let mut frames = Frames::new(input);
        let mut decompressor = Decompressor::default();
        while let Some(item) = frames.advance() {
            let Item::Record(frame) = item else { continue };
            let bytes = decompressor.decode(frame.compression, frame.bytes).unwrap_or_default();
            if let Some((1, rest)) = bytes.split_first() {
                let _ = self.series(Cursor::new(rest));
            }
        }
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
