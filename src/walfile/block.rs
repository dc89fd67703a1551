//! The heads of a block's files, as Prometheus checks them when it opens a block
//! (tsdb/index/index.go `newReader`, tsdb/chunks/chunks.go `newReader`,
//! tsdb/tombstones/tombstones.go `ReadTombstones`). Chunks and postings are not read.

use std::io::Read;

use serde::{Deserialize, Serialize};

use super::bytes::Cursor;

const INDEX: u32 = 0xbaaa_d700;
const CHUNKS: u32 = 0x85bd_40dd;
const TOMBSTONES: u32 = 0x0130_ba30;
/// Magic number and version of an index.
pub const INDEX_HEAD: usize = 5;
/// Six offsets, and their checksum, at the end of an index.
pub const TOC: usize = 52;
/// Magic number, version, and three bytes of nothing.
pub const CHUNKS_HEAD: usize = 8;
/// Magic number and version; a checksum stands at the end.
const TOMBSTONES_HEAD: usize = 5;
const SUM: usize = 4;
/// Tombstones are read whole, by Prometheus too; more than this are not looked at.
const MOST_TOMBSTONES: u64 = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockFault {
    Missing,
    /// The disk, or the file's mode: it cannot be read.
    Unreadable,
    /// No bytes: Prometheus cannot map it.
    Empty,
    Short,
    Magic,
    Version,
    /// The table of contents, or the tombstones, are not what was summed.
    Checksum,
    /// The table of contents leads out of the file.
    Range,
    /// meta.json is not what Prometheus writes.
    Json,
}

/// An index, by its first bytes, its last ones, and its size.
pub fn index(head: &[u8], toc: &[u8], size: u64) -> Result<(), BlockFault> {
    magic(head, INDEX_HEAD, INDEX)?;
    if !head.get(4).is_some_and(|version| (1..=3).contains(version)) {
        return Err(BlockFault::Version);
    }
    let toc = toc.first_chunk::<TOC>().ok_or(BlockFault::Short)?;
    let (offsets, sum) = toc.split_at(TOC - SUM);
    if crc32c::crc32c(offsets).to_be_bytes() != *sum {
        return Err(BlockFault::Checksum);
    }
    let mut from = Cursor::new(offsets);
    while let Some(offset) = from.be64() {
        if offset > size {
            return Err(BlockFault::Range);
        }
    }
    Ok(())
}

/// A file of chunks, by its first bytes.
pub fn chunks(head: &[u8]) -> Result<(), BlockFault> {
    magic(head, CHUNKS_HEAD, CHUNKS)?;
    if head.get(4) == Some(&1) { Ok(()) } else { Err(BlockFault::Version) }
}

/// Tombstones, whole.
pub fn tombstones<R: Read>(input: R) -> Result<(), BlockFault> {
    let mut bytes = Vec::new();
    input.take(MOST_TOMBSTONES + 1).read_to_end(&mut bytes).map_err(|_| BlockFault::Unreadable)?;
    if bytes.len() < TOMBSTONES_HEAD + SUM {
        return Err(BlockFault::Short);
    }
    magic(&bytes, TOMBSTONES_HEAD, TOMBSTONES)?;
    if bytes.len() as u64 > MOST_TOMBSTONES {
        return Ok(());
    }
    if bytes.get(4) != Some(&1) {
        return Err(BlockFault::Version);
    }
    let (summed, sum) = bytes.split_at(bytes.len() - SUM);
    let stones = summed.get(TOMBSTONES_HEAD..).unwrap_or_default();
    if crc32c::crc32c(stones).to_be_bytes() != *sum {
        return Err(BlockFault::Checksum);
    }
    Ok(())
}

fn magic(head: &[u8], least: usize, magic: u32) -> Result<(), BlockFault> {
    if head.is_empty() {
        return Err(BlockFault::Empty);
    }
    if head.len() < least {
        return Err(BlockFault::Short);
    }
    let told = head.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
    if told == Some(magic) { Ok(()) } else { Err(BlockFault::Magic) }
}
