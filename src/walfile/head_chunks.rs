//! Files of `chunks_head`: completed chunks of the head (tsdb/chunks/head_chunks.go).
//!
//! ```text
//! 0  magic 0130BC91, version 1, three zero bytes
//! 8  per chunk: ref 8, first and last time 8 each, encoding 1 (bit 7: out of order), length uvarint,
//!    the data (its first two bytes count the samples), CRC-32C 4 from the ref to the end of the data
//! ```
//! A file is made longer than it is: after the last chunk it may go on with zeros.

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::bytes::Cursor;
use super::count::{RefRange, Span};

pub const MAGIC: u32 = 0x0130_bc91;
pub const HEADER: usize = 8;
/// The longest head of a chunk with its checksum (tsdb/chunks/head_chunks.go
/// `MaxHeadChunkMetaSize`).
const META: usize = 34;
const SUM: usize = 4;
const WINDOW: usize = 64 << 10;

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

/// What a file holds up to its first fault; Prometheus reads no further.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadChunks {
    pub chunks: u64,
    pub samples: u64,
    /// Chunks of samples that came out of order.
    pub out_of_order: u64,
    pub span: Option<Span>,
    pub refs: Option<RefRange>,
    pub fault: Option<ChunkFault>,
    /// Of the header of the file or the chunk that is wrong.
    pub offset: u64,
}

/// Reads a file to its first fault or its end.
pub fn survey<R: Read>(input: R) -> HeadChunks {
    let mut found = HeadChunks::default();
    let mut input = Input { input, window: vec![0; WINDOW], at: 0, filled: 0, offset: 0 };
    let read = header(&mut input).and_then(|()| {
        found.offset = input.offset;
        while chunk(&mut input, &mut found)? {
            found.offset = input.offset;
        }
        Ok(())
    });
    found.fault = read.err();
    found
}

fn header<R: Read>(input: &mut Input<R>) -> Result<(), ChunkFault> {
    let bytes = input.peek(HEADER)?;
    let Some(magic) = bytes.first_chunk::<4>() else {
        return Err(ChunkFault::Empty);
    };
    match (u32::from_be_bytes(*magic), bytes.get(4)) {
        (0, _) => return Err(ChunkFault::Unwritten),
        _ if bytes.len() < HEADER => return Err(ChunkFault::Short),
        (MAGIC, Some(1)) => {}
        (MAGIC, _) => return Err(ChunkFault::Version),
        _ => return Err(ChunkFault::Magic),
    }
    input.pass(HEADER);
    Ok(())
}

/// The next chunk; false at the end.
fn chunk<R: Read>(input: &mut Input<R>, found: &mut HeadChunks) -> Result<bool, ChunkFault> {
    let Some(Head { reference, first, last, out_of_order, bytes, length, samples }) = head(input)?
    else {
        return Ok(false);
    };
    let sum = input.sum(bytes, length)?;
    let told = input.peek(SUM)?.first_chunk::<SUM>().copied().ok_or(ChunkFault::TornChunk)?;
    input.pass(SUM);
    if sum != u32::from_be_bytes(told) {
        return Err(ChunkFault::Checksum);
    }
    found.chunks += 1;
    found.samples += samples;
    found.out_of_order += u64::from(out_of_order);
    let span = found.span.get_or_insert(Span { first, last });
    (span.first, span.last) = (span.first.min(first), span.last.max(last));
    let refs = found.refs.get_or_insert(RefRange { first: reference, last: reference });
    (refs.first, refs.last) = (refs.first.min(reference), refs.last.max(reference));
    Ok(true)
}

/// What stands before the data of a chunk.
struct Head {
    reference: u64,
    first: i64,
    last: i64,
    out_of_order: bool,
    /// Of this, and of the data behind it.
    bytes: u64,
    length: u64,
    samples: u64,
}

/// Of the next chunk, which stays to be read; none at the end.
fn head<R: Read>(input: &mut Input<R>) -> Result<Option<Head>, ChunkFault> {
    let bytes = input.peek(META)?;
    if bytes.len() < META {
        let zero = bytes.iter().all(|byte| *byte == 0);
        return if zero { Ok(None) } else { Err(ChunkFault::TornHead) };
    }
    let mut from = Cursor::new(bytes);
    let torn = ChunkFault::TornChunk;
    let reference = from.be64().ok_or(torn)?;
    let first = from.be64().ok_or(torn)?.cast_signed();
    let last = from.be64().ok_or(torn)?.cast_signed();
    if (reference, first, last) == (0, 0, 0) {
        return Ok(None);
    }
    let out_of_order = from.byte().ok_or(torn)? & 0x80 != 0;
    let length = from.uvarint().ok_or(torn)?;
    let size = (bytes.len() - from.len()) as u64;
    let samples = from.take(2).map(|two| two.iter().fold(0, |all, b| all << 8 | u64::from(*b)));
    let samples = samples.unwrap_or_default();
    Ok(Some(Head { reference, first, last, out_of_order, bytes: size, length, samples }))
}

/// Where the first chunk of so many begins that does not come after the one before it of its series;
/// the files before were told to the same `sequence`. Nothing but the heads is looked at.
pub fn out_of_sequence<R: Read>(input: R, chunks: u64, sequence: &mut Sequence) -> Option<u64> {
    let mut input = Input { input, window: vec![0; WINDOW], at: 0, filled: 0, offset: 0 };
    header(&mut input).ok()?;
    for _ in 0..chunks {
        let head = head(&mut input).ok()??;
        if !head.out_of_order && !sequence.goes_on(head.reference, head.first, head.last) {
            return Some(input.offset);
        }
        let mut left = head.bytes.checked_add(head.length)?.checked_add(SUM as u64)?;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(WINDOW).min(WINDOW);
            let count = input.peek(most).ok().filter(|bytes| !bytes.is_empty())?.len();
            left -= count as u64;
            input.pass(count);
        }
    }
    None
}

/// The last times of series, by ref. What is held does not grow with their number: the more chunks there
/// are, the fewer of their series are looked at together.
pub struct Sequence {
    last: BTreeMap<u64, i64>,
    part: u64,
    parts: u64,
}

impl Sequence {
    /// Of one of so many parts of all series.
    #[must_use]
    pub fn of(part: u64, parts: u64) -> Sequence {
        Sequence { last: BTreeMap::new(), part, parts }
    }

    fn goes_on(&mut self, reference: u64, first: i64, last: i64) -> bool {
        // Spread, for refs that follow each other may all be of one kind.
        let spread = reference.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        spread % self.parts != self.part
            || self.last.insert(reference, last).is_none_or(|before| before < first)
    }
}

/// What was read and not yet used.
struct Input<R> {
    input: R,
    window: Vec<u8>,
    at: usize,
    filled: usize,
    /// In the file.
    offset: u64,
}

impl<R: Read> Input<R> {
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

    /// The checksum of the next bytes, which are passed over.
    fn sum(&mut self, head: u64, length: u64) -> Result<u32, ChunkFault> {
        let mut left = head.checked_add(length).ok_or(ChunkFault::TornChunk)?;
        let mut sum = 0;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(WINDOW).min(WINDOW);
            let bytes = self.peek(most)?;
            if bytes.is_empty() {
                return Err(ChunkFault::TornChunk);
            }
            sum = crc32c::crc32c_append(sum, bytes);
            let count = bytes.len();
            left -= count as u64;
            self.pass(count);
        }
        Ok(sum)
    }
}
