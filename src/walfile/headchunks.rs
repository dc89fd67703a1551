//! A file of `chunks_head`: completed chunks of the head, which Prometheus maps into memory
//! (tsdb/chunks/head_chunks.go `openMMapFiles`, `IterateAllChunks`).
//!
//! ```text
//! 0   magic 01 30 bc 91, version 1, three zeros
//! 8   chunks: be64 ref, be64 first time, be64 last time, u8 encoding, uvarint length, data,
//!     be32 CRC-32C of all before it
//! ```
//! to the end of the file, or to a head of zeros.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::bytes::Cursor;

pub const HEADER: [u8; 8] = [0x01, 0x30, 0xbc, 0x91, 1, 0, 0, 0];
/// The most that a chunk is without its data.
const MOST_META: usize = 34;
const CRC: usize = 4;
/// A length beyond this is damage: no file is larger (`MaxHeadChunkFileSize`).
const MOST_DATA: usize = 128 << 20;
/// Bytes read at once.
const AT_ONCE: u64 = 256 << 10;
/// Of the encoding: this is a chunk of samples out of order, which may overlap others.
const OUT_OF_ORDER: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChunkFault {
    /// Fewer bytes than a header.
    NoHeader,
    Magic,
    Version,
    /// The file ends inside a chunk.
    Torn,
    Length,
    Checksum,
    /// It does not come after the chunk of the same series before it.
    OutOfSequence,
    /// The file could not be read any further: the disk, not the file.
    Io,
}

/// What a file holds up to its first fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChunkFile {
    pub size: u64,
    pub chunks: u64,
    pub samples: u64,
    /// Offset of the byte after the last chunk that holds.
    pub end: u64,
    /// The highest ref of these chunks.
    pub highest: u64,
    pub fault: Option<ChunkFault>,
    /// Whether the header must be written anew.
    pub bad_header: bool,
    /// Such a file, where it is the last, Prometheus takes away without a word: it was made and
    /// not yet written when the machine stopped (`repairLastChunkFile`).
    pub unwritten: bool,
}

/// Reads a file. `last` holds the last time of each series' chunks in the files before.
pub fn survey<R: Read>(input: R, last: &mut BTreeMap<u64, i64>) -> ChunkFile {
    let mut from = Window { input, bytes: Vec::new(), at: 0, base: 0 };
    let mut found = ChunkFile::default();
    found.fault = match file(&mut from, &mut found, last) {
        Ok(fault) => fault,
        Err(_) => Some(ChunkFault::Io),
    };
    // What follows is read for the size alone.
    found.size = loop {
        match from.more() {
            Ok(true) => from.pass(from.left().len()),
            Ok(false) | Err(_) => break from.base + from.bytes.len() as u64,
        }
    };
    found
}

fn file<R: Read>(
    from: &mut Window<R>,
    found: &mut ChunkFile,
    last: &mut BTreeMap<u64, i64>,
) -> io::Result<Option<ChunkFault>> {
    let header = from.peek(HEADER.len())?;
    let magic = header.first_chunk::<4>();
    found.unwritten = magic.is_none_or(|magic| *magic == [0; 4]);
    if header.len() < HEADER.len() {
        return Ok(Some(ChunkFault::NoHeader));
    }
    let in_header = if magic != HEADER.first_chunk::<4>() {
        Some(ChunkFault::Magic)
    } else if header.get(4) != HEADER.get(4) {
        Some(ChunkFault::Version)
    } else {
        None
    };
    found.bad_header = in_header.is_some();
    from.pass(HEADER.len());
    loop {
        found.end = from.base + from.at as u64;
        match chunk(from)? {
            Ok(Some(chunk)) => {
                let in_order = chunk.encoding & OUT_OF_ORDER == 0;
                if in_order && last.get(&chunk.reference).is_some_and(|last| *last >= chunk.first) {
                    return Ok(in_header.or(Some(ChunkFault::OutOfSequence)));
                }
                if in_order {
                    last.insert(chunk.reference, chunk.last);
                }
                found.chunks += 1;
                found.samples += chunk.samples;
                found.highest = found.highest.max(chunk.reference);
                from.pass(chunk.size);
            }
            Ok(None) => return Ok(in_header),
            Err(fault) => return Ok(in_header.or(Some(fault))),
        }
    }
}

struct Chunk {
    reference: u64,
    first: i64,
    last: i64,
    encoding: u8,
    samples: u64,
    /// With all that is around the data.
    size: usize,
}

/// The next chunk; none at the end of what was written.
fn chunk<R: Read>(from: &mut Window<R>) -> io::Result<Result<Option<Chunk>, ChunkFault>> {
    let head = from.peek(MOST_META)?;
    if head.len() < MOST_META {
        let zeros = head.iter().all(|byte| *byte == 0);
        return Ok(if zeros { Ok(None) } else { Err(ChunkFault::Torn) });
    }
    let mut fields = Cursor::new(head);
    let mut word = || fields.be64().unwrap_or_default();
    let (reference, first, last) = (word(), word().cast_signed(), word().cast_signed());
    if reference == 0 && first == 0 && last == 0 {
        return Ok(Ok(None));
    }
    let encoding = fields.byte().unwrap_or_default();
    // No length takes more than five bytes.
    let mut length = Cursor::new(fields.take(5).unwrap_or_default());
    let Some(data) = length.uvarint().and_then(|data| usize::try_from(data).ok()) else {
        return Ok(Err(ChunkFault::Length));
    };
    let meta = MOST_META - CRC - length.len();
    if data > MOST_DATA {
        return Ok(Err(ChunkFault::Length));
    }
    let size = meta + data + CRC;
    let whole = from.peek(size)?;
    let Some((summed, sum)) = whole.get(..size).and_then(|whole| whole.split_last_chunk::<CRC>())
    else {
        return Ok(Err(ChunkFault::Torn));
    };
    if crc32c::crc32c(summed) != u32::from_be_bytes(*sum) {
        return Ok(Err(ChunkFault::Checksum));
    }
    let samples = summed.get(meta..).and_then(|data| data.first_chunk::<2>());
    let samples = samples.map_or(0, |count| u64::from(u16::from_be_bytes(*count)));
    Ok(Ok(Some(Chunk { reference, first, last, encoding, samples, size })))
}

/// Bytes that can be looked at before they are passed.
struct Window<R> {
    input: R,
    bytes: Vec<u8>,
    at: usize,
    /// Offset in the file of the first of `bytes`.
    base: u64,
}

impl<R: Read> Window<R> {
    fn left(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// At most `count` bytes; fewer at the end of the file.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.left().len() < count && self.more()? {}
        let left = self.left();
        Ok(left.get(..count).unwrap_or(left))
    }

    fn pass(&mut self, count: usize) {
        self.at = (self.at + count).min(self.bytes.len());
    }

    /// Reads on; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        self.base += self.at as u64;
        self.bytes.drain(..self.at);
        self.at = 0;
        let before = self.bytes.len();
        let got = (&mut self.input).take(AT_ONCE).read_to_end(&mut self.bytes)?;
        self.bytes.truncate(before + got);
        Ok(got > 0)
    }
}
