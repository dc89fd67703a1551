//! Refs that lie in chunks of the head and in the wbl, and of which no Series record is left, as where a
//! log lost its end. New series get the refs after the highest that a Series record names, and with such
//! a ref the chunks (tsdb/head.go `loadMmappedChunks`) and samples (tsdb/head_wal.go `loadWBL`) of the
//! old one.

use crate::walfile::head_chunks::HeadChunks;
use crate::walfile::mend::MOST_REF;
use crate::walfile::segment::Segment;

/// The highest of them, where it is above `named`, the highest that a Series record names.
pub fn highest<'a>(
    named: Option<u64>,
    chunks: impl Iterator<Item = &'a HeadChunks>,
    wbl: impl Iterator<Item = &'a Segment>,
) -> Option<u64> {
    let taken = chunks.filter_map(|file| file.highest_taken);
    let late = wbl.filter_map(|file| file.highest);
    let refs = taken.chain(late).filter(|reference| *reference < MOST_REF);
    refs.max().filter(|highest| Some(*highest) > named)
}
