//! What the refs of all files say together.

use super::{Contents, Problem, SegmentFile};
use crate::datadir::unnamed;
use crate::walfile::record::RecordType;

/// Not where records were not decoded, or may stand in a file that could not be opened.
pub(in crate::datadir::survey) fn lost(contents: &Contents) -> Option<Problem> {
    let last = contents.checkpoints.last();
    let old = last.map(|checkpoint| checkpoint.files.as_slice()).unwrap_or_default();
    let behind = last.map(|checkpoint| checkpoint.number);
    let read = contents.segments.iter().filter(|file| Some(file.number) > behind);
    let files = || old.iter().chain(read.clone()).chain(contents.standing());
    let is_unknown = |file: &SegmentFile| {
        let names = file.found.counts.by_type.contains_key(&RecordType::Series);
        file.closed.is_some() || names && file.found.counts.entries.refs.is_none()
    };
    if files().any(is_unknown) {
        return None;
    }
    let named = files().filter_map(|file| file.found.counts.entries.refs).map(|refs| refs.last);
    let named = named.chain(contents.named_since).max();
    let chunks = contents.chunks_head.iter().map(|file| &file.found);
    let wbl = contents.wbl.iter().map(|file| &file.found);
    unnamed::highest(named, chunks, wbl).map(|highest| Problem::RefsLost { highest, named })
}

pub(super) fn highest(contents: &Contents) -> Option<u64> {
    let old = contents.checkpoints.iter().flat_map(|checkpoint| &checkpoint.files);
    let repairs = contents.repairs.iter().map(|old| &old.file);
    let files = old.chain(&contents.segments).chain(repairs).chain(&contents.wbl);
    let decoded = files.filter_map(|file| file.found.highest).max()?;
    let chunks = contents.chunks_head.iter().filter_map(|file| file.found.refs);
    Some(chunks.map(|refs| refs.last).fold(decoded, u64::max))
}
