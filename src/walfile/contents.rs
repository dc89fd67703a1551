//! What can be kept of a log: its records that hold, and of those that a fault cuts off the entries
//! before it. Fragments before the fault are proven each by its own checksum, and entries are
//! decoded from the first on: what comes later changes nothing of them.

use std::borrow::Cow;
use std::io::{self, Read};

use super::compression::{self, Decompressor};
use super::count::Entries;
use super::fault::FaultKind;
use super::frame::{Frame, Frames, Item};
use super::record::{self, Undecodable};

/// A record, or its beginning.
pub struct Content<'a> {
    pub frame: Frame<'a>,
    /// Decompressed; whole entries.
    pub bytes: &'a [u8],
    pub entries: Entries,
    /// Nothing is lacking.
    pub whole: bool,
}

impl Content<'_> {
    /// The same as a log holds it, compressed as it was.
    #[must_use]
    pub fn compressed(&self) -> Option<Cow<'_, [u8]>> {
        let Frame { bytes, compression, .. } = self.frame;
        if self.whole {
            return Some(Cow::Borrowed(bytes));
        }
        compression::cut(compression, bytes, self.bytes.len())
    }
}

/// Gives all of a log that can be kept, in its order. An error where the file cannot be read to its
/// end: a failing disk is no fault of the log, and what was not read must not pass for lost.
pub fn each<R: Read>(
    input: R,
    mut give: impl FnMut(&Content<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut frames = Frames::new(input);
    let mut decompressor = Decompressor::default();
    while let Some(item) = frames.advance() {
        let cut_off = match item {
            Item::Fault(fault) if fault.kind == FaultKind::Io => {
                return Err(io::Error::other(format!("cannot be read at {}", fault.offset)));
            }
            Item::Fault(_) => continue,
            Item::Beginning(frame) => Some(frame),
            Item::Record(frame) => {
                let bytes = decompressor.decode(frame.compression, frame.bytes);
                if let Some((bytes, Ok(entries))) = bytes.map(|bytes| (bytes, counted(bytes))) {
                    give(&Content { frame, bytes, entries, whole: true })?;
                    continue;
                }
                frame.beginning()
            }
        };
        if let Some(frame) = cut_off
            && let Some(bytes) = beginning(&frame, &mut decompressor)
            && let Ok(entries) = counted(bytes)
        {
            give(&Content { frame, bytes, entries, whole: false })?;
        }
    }
    Ok(())
}

fn counted(record: &[u8]) -> Result<Entries, Undecodable> {
    let mut entries = Entries::default();
    record::read(record, |entry| entries.count(entry)).map(|()| entries)
}

/// The entries of a record that is cut off, decompressed; `None` where it has none before its end.
pub fn beginning<'a>(frame: &Frame<'a>, decompressor: &'a mut Decompressor) -> Option<&'a [u8]> {
    let bytes = decompressor.decode_beginning(frame.compression, frame.bytes)?;
    let mut entries = 0;
    let whole = match record::read(bytes, |_| entries += 1) {
        Ok(()) => bytes.len(),
        Err(Undecodable { whole }) => whole,
    };
    bytes.get(..whole).filter(|_| entries > 0)
}
