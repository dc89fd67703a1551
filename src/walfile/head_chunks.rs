//! Files of `chunks_head`: completed chunks of the head (tsdb/chunks/head_chunks.go).
//!
//! ```text
//! 0  magic 0130BC91, version 1, three zero bytes
//! 8  per chunk: ref 8, first and last time 8 each, encoding 1 (bit 7: out of order), length uvarint,
//!    the data (its first two bytes count the samples), CRC-32C 4 from the ref to the end of the data
//! ```
//! A file is made longer than it is: after the last chunk it may go on with zeros.

mod sequence;

use std::io::Read;

use serde::{Deserialize, Serialize};

use super::bytes::Cursor;
use super::count::{RefRange, Span};

pub use sequence::mark_out_of_sequence;
#[cfg(test)]
pub(super) use sequence::mark_with_room;

/// Of a file that holds.
pub const HEADER: [u8; 8] = [0x01, 0x30, 0xbc, 0x91, 1, 0, 0, 0];
const MAGIC: [u8; 4] = [0x01, 0x30, 0xbc, 0x91];
/// The longest head of a chunk with its checksum (tsdb/chunks/head_chunks.go
/// `MaxHeadChunkMetaSize`).
const META: usize = 34;
const SUM: usize = 4;
/// The longest length (`MaxChunkLengthFieldSize`).
const LENGTH: usize = 5;
/// Of the encoding: a chunk of samples out of order, which may overlap others.
const OUT_OF_ORDER: u8 = 0x80;
/// Bytes read at once.
const WINDOW: usize = 64 << 10;
/// Of encodings, the last: XOR, histogram, float histogram (tsdb/chunkenc/chunk.go `IsValidEncoding`).
const LAST_ENCODING: u8 = 3;

/// What Prometheus finds wrong with such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChunkFault {
    /// The disk cannot read on.
    Io,
    /// Fewer bytes than a magic number.
    Empty,
    /// Fewer bytes than a header.
    Short,
    /// Begins with four zero bytes: made, and never written.
    Unwritten,
    Magic,
    Version,
    /// Too few bytes for the head of a chunk, and not zeros.
    TornHead,
    /// The file ends inside a chunk.
    TornChunk,
    Checksum,
    /// A chunk that does not come after the one before it of the same series, in whichever file:
    /// Prometheus then takes none of them.
    OutOfSequence,
}

impl ChunkFault {
    /// Whether it is met before any chunk is read: Prometheus then does not start.
    #[must_use]
    pub const fn is_of_header(self) -> bool {
        match self {
            ChunkFault::Empty
            | ChunkFault::Short
            | ChunkFault::Unwritten
            | ChunkFault::Magic
            | ChunkFault::Version => true,
            ChunkFault::Io
            | ChunkFault::TornHead
            | ChunkFault::TornChunk
            | ChunkFault::Checksum
            | ChunkFault::OutOfSequence => false,
        }
    }

    /// Whether Prometheus takes the file away without a word, if it is the last one.
    #[must_use]
    pub const fn is_left_behind(self) -> bool {
        matches!(self, ChunkFault::Empty | ChunkFault::Unwritten)
    }
}

/// What a file holds up to its first fault; Prometheus reads no further. Chunks behind a bad header
/// hold, too: a salvage writes that anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadChunks {
    pub chunks: u64,
    pub samples: u64,
    /// Chunks of samples that came out of order.
    pub out_of_order: u64,
    pub span: Option<Span>,
    pub refs: Option<RefRange>,
    /// The highest ref of a chunk that a start takes up.
    #[serde(default)]
    pub highest_taken: Option<u64>,
    pub fault: Option<ChunkFault>,
    /// Of the header of the file or the chunk that is wrong.
    pub offset: u64,
    /// Offset of the byte after the last chunk that holds.
    #[serde(skip)]
    pub end: u64,
}

impl HeadChunks {
    fn add(&mut self, chunk: &Chunk, valid: Option<i64>) {
        self.chunks += 1;
        self.samples += chunk.samples;
        self.out_of_order += u64::from(chunk.out_of_order);
        let Chunk { reference, first, last, .. } = *chunk;
        let span = self.span.get_or_insert(Span { first, last });
        (span.first, span.last) = (span.first.min(first), span.last.max(last));
        let refs = self.refs.get_or_insert(RefRange { first: reference, last: reference });
        (refs.first, refs.last) = (refs.first.min(reference), refs.last.max(reference));
        if chunk.is_known && (chunk.out_of_order || chunk.is_late(valid)) {
            self.highest_taken = self.highest_taken.max(Some(reference));
        }
    }

    /// Of the header or, behind one that holds, of the chunks.
    fn ends(&mut self, in_header: Option<ChunkFault>, inside: Option<ChunkFault>) {
        self.fault = match inside {
            Some(ChunkFault::Io) => inside,
            _ => in_header.or(inside),
        };
        self.offset = if self.fault.is_some_and(ChunkFault::is_of_header) { 0 } else { self.end };
    }
}

/// Reads a file to its first fault or its end; `valid`: where the newest block ends.
pub fn survey(input: &mut dyn Read, valid: Option<i64>) -> HeadChunks {
    let mut found = HeadChunks::default();
    let mut input = Input::new(input);
    let in_header = header(&mut input).err();
    let inside = loop {
        found.end = input.offset;
        match next(&mut input).and_then(|chunk| chunk.map(|it| input.whole(it)).transpose()) {
            Ok(Some(chunk)) => found.add(&chunk, valid),
            Ok(None) => break None,
            Err(fault) => break Some(fault),
        }
    };
    found.ends(in_header, inside);
    found
}

/// Passes over it, where there are bytes enough.
fn header(input: &mut Input<'_>) -> Result<(), ChunkFault> {
    let bytes = input.peek(HEADER.len())?;
    let Some(magic) = bytes.first_chunk::<4>() else {
        return Err(ChunkFault::Empty);
    };
    let is_whole = bytes.len() == HEADER.len();
    let found = match (*magic, bytes.get(4)) {
        ([0, 0, 0, 0], _) => Err(ChunkFault::Unwritten),
        _ if !is_whole => Err(ChunkFault::Short),
        (MAGIC, Some(1)) => Ok(()),
        (MAGIC, _) => Err(ChunkFault::Version),
        _ => Err(ChunkFault::Magic),
    };
    if is_whole {
        input.pass(HEADER.len());
    }
    found
}

/// A chunk without its data.
struct Chunk {
    reference: u64,
    first: i64,
    last: i64,
    out_of_order: bool,
    /// Whether Prometheus knows its encoding, and takes it.
    is_known: bool,
    samples: u64,
    /// Without its checksum.
    size: u64,
}

/// The next chunk, which stays to be read; none at the end.
fn next(input: &mut Input<'_>) -> Result<Option<Chunk>, ChunkFault> {
    let bytes = input.peek(META)?;
    if bytes.len() < META {
        let zero = bytes.iter().all(|byte| *byte == 0);
        return if zero { Ok(None) } else { Err(ChunkFault::TornHead) };
    }
    let mut from = Cursor::new(bytes);
    let mut word = || from.be64().unwrap_or_default();
    let (reference, first, last) = (word(), word().cast_signed(), word().cast_signed());
    if (reference, first, last) == (0, 0, 0) {
        return Ok(None);
    }
    let encoding = from.byte().unwrap_or_default();
    let out_of_order = encoding & OUT_OF_ORDER != 0;
    let is_known = (1..=LAST_ENCODING).contains(&(encoding & !OUT_OF_ORDER));
    let mut length = Cursor::new(from.take(LENGTH).unwrap_or_default());
    let data = length.uvarint().ok_or(ChunkFault::TornChunk)?;
    let head = bytes.len() - SUM - length.len();
    let samples = bytes.get(head..).and_then(|data| data.first_chunk::<2>());
    let samples = samples.map_or(0, |count| u64::from(u16::from_be_bytes(*count)));
    let size = data.checked_add(head as u64).ok_or(ChunkFault::TornChunk)?;
    Ok(Some(Chunk { reference, first, last, out_of_order, is_known, samples, size }))
}

/// What was read and not yet used.
struct Input<'a> {
    input: &'a mut dyn Read,
    window: Vec<u8>,
    at: usize,
    filled: usize,
    /// In the file.
    offset: u64,
}

impl<'a> Input<'a> {
    fn new(input: &'a mut dyn Read) -> Input<'a> {
        Input { input, window: vec![0; WINDOW], at: 0, filled: 0, offset: 0 }
    }

    /// The next bytes, fewer than asked for only at the end of the file.
    fn peek(&mut self, count: usize) -> Result<&[u8], ChunkFault> {
        if self.filled - self.at < count {
            self.window.copy_within(self.at..self.filled, 0);
            (self.filled, self.at) = (self.filled - self.at, 0);
            while let Some(room) = self.window.get_mut(self.filled..).filter(|r| !r.is_empty()) {
                match self.input.read(room) {
                    Ok(0) => break,
                    Ok(read) => self.filled += read,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => return Err(ChunkFault::Io),
                }
            }
        }
        let end = self.filled.min(self.at + count);
        Ok(self.window.get(self.at..end).unwrap_or_default())
    }

    fn pass(&mut self, count: usize) {
        self.at += count;
        self.offset += count as u64;
    }

    /// Passes over so many bytes.
    fn over(&mut self, mut left: u64, mut each: impl FnMut(&[u8])) -> Result<(), ChunkFault> {
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(WINDOW).min(WINDOW);
            let bytes = self.peek(most)?;
            if bytes.is_empty() {
                return Err(ChunkFault::TornChunk);
            }
            each(bytes);
            let count = bytes.len();
            left -= count as u64;
            self.pass(count);
        }
        Ok(())
    }

    /// Reads a chunk whose head was seen.
    fn whole(&mut self, chunk: Chunk) -> Result<Chunk, ChunkFault> {
        let mut sum = 0;
        self.over(chunk.size, |bytes| sum = crc32c::crc32c_append(sum, bytes))?;
        let told = self.peek(SUM)?.first_chunk::<SUM>().copied().ok_or(ChunkFault::TornChunk)?;
        self.pass(SUM);
        if sum == u32::from_be_bytes(told) { Ok(chunk) } else { Err(ChunkFault::Checksum) }
    }
}
