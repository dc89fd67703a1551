//! What can be kept of a log: its records that hold, and of those that a fault cuts off the entries
//! before it. Fragments before the fault are proven each by its own checksum, and entries are
//! decoded from the first on: what comes later changes nothing of them.

use std::borrow::Cow;
use std::io::{self, Read};

use super::compression::{self, Compression, Decompressor};
use super::count::Entries;
use super::frame::{Frame, Frames, Item};
use super::record::{self, RecordType, Undecodable};

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
        // A block of zstd is all there, or says nothing.
        if self.whole || compression == Compression::Zstd {
            return Some(Cow::Borrowed(bytes));
        }
        compression::cut(compression, bytes, self.bytes.len())
    }
}

/// Gives all of a log that can be kept, in its order. An error where the file cannot be read to its
/// end: a failing disk is no fault of the log, and what was not read must not pass for lost.
pub fn each<R: Read>(
    input: R,
    give: &mut dyn FnMut(&Content<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut frames = Frames::new(input);
    let mut decompressor = Decompressor::default();
    while let Some(item) = frames.advance() {
        let cut_off = match item {
            Item::Fault(fault) => {
                fault.lets_go_on()?;
                continue;
            }
            Item::Beginning(frame) => Some(frame),
            Item::Record(frame) => {
                if let Some((bytes, entries)) = known(&frame, &mut decompressor) {
                    give(&Content { frame, bytes, entries, whole: true })?;
                    continue;
                }
                let frame = with_true_flags(&frame, &mut decompressor).unwrap_or(frame);
                if let Some((bytes, entries)) = held(&frame, &mut decompressor) {
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

/// So many records, and a checksum of what they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub records: u64,
    crc32c: u32,
}

/// Of the first records of a log that are whole, at the most so many: logs with the same sum begin
/// alike, however they are compressed.
pub fn sum<R: Read>(input: R, most: u64) -> io::Result<Sum> {
    let mut sum = Sum::default();
    each(input, &mut |content| {
        if content.whole && sum.records < most {
            sum.records += 1;
            let length = content.bytes.len().to_le_bytes();
            sum.crc32c = crc32c::crc32c_append(sum.crc32c, &length);
            sum.crc32c = crc32c::crc32c_append(sum.crc32c, content.bytes);
        }
        Ok(())
    })?;
    Ok(sum)
}

/// The record, if it can be decompressed and decoded.
fn held<'a>(frame: &Frame<'a>, by: &'a mut Decompressor) -> Option<(&'a [u8], Entries)> {
    let bytes = by.decode(frame.compression, frame.bytes)?;
    Some((bytes, counted(bytes).ok()?))
}

/// The same, if it is of a type that is known.
fn known<'a>(frame: &Frame<'a>, by: &'a mut Decompressor) -> Option<(&'a [u8], Entries)> {
    let is_known = |bytes: &[u8]| RecordType::of(bytes.first().copied()) != RecordType::Unknown;
    held(frame, by).filter(|(bytes, _)| is_known(bytes))
}

/// A record that is not compressed as its flags say: they stand in the one byte of a fragment that no
/// checksum covers. The blocks of the others are told by their own lengths; a record that is not
/// compressed only where its bytes are one fragment's, and so all that its checksum covers.
#[must_use]
pub fn with_true_flags<'a>(frame: &Frame<'a>, by: &mut Decompressor) -> Option<Frame<'a>> {
    let is_one = frame.sure == frame.bytes.len();
    let others = [Compression::Snappy, Compression::Zstd, Compression::None].into_iter();
    others
        .filter(|how| *how != frame.compression && (is_one || *how != Compression::None))
        .map(|compression| Frame { compression, ..*frame })
        .find(|frame| !frame.doubtful && known(frame, by).is_some_and(|(_, e)| e.total() > 0))
}

fn counted(record: &[u8]) -> Result<Entries, Undecodable> {
    let mut entries = Entries::default();
    record::read(record, |entry| entries.count(entry)).map(|()| entries)
}

/// The entries of a record that is cut off, decompressed; `None` where it has none before its end.
pub fn beginning<'a>(frame: &Frame<'a>, decompressor: &'a mut Decompressor) -> Option<&'a [u8]> {
    let bytes = match frame.compression {
        // All, where that is all of it.
        Compression::Zstd => decompressor.decode(frame.compression, frame.bytes)?,
        how => decompressor.decode_beginning(how, frame.bytes)?,
    };
    let mut entries = 0;
    let whole = match record::read(bytes, |_| entries += 1) {
        Ok(()) => bytes.len(),
        Err(Undecodable { whole }) => whole,
    };
    let cuts = frame.compression == Compression::Zstd && whole < bytes.len();
    bytes.get(..whole).filter(|_| entries > 0 && !cuts)
}
