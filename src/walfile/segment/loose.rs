//! Records of samples that are not compressed and go over the end of a page: nothing but their content
//! holds them together. They are rows of numbers, in which any other row goes on that is cut at the
//! same byte of a sample: one in eleven, or all where all records are of one length. What tells is that
//! a scrape names the same series again and again, in the same order: a record that is joined of two
//! names a row of series that no other one names.

use std::io::Read;

use super::{Depth, Frame, Frames, Item, PAGE, Reader};
use crate::walfile::compression::Compression;
use crate::walfile::hash;
use crate::walfile::record::RecordType;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Loose {
    /// Of the series that it names.
    names: u64,
    /// The pages on which it begins and ends.
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Loose {
    /// Of a record that was read, with the refs that it names: the first and the last of those that
    /// follow each other.
    pub(super) fn of(frame: &Frame<'_>, kind: RecordType, refs: &[(u64, u64)]) -> Option<Loose> {
        let (first, last) = ends(frame);
        let is_loose =
            first < last && frame.compression == Compression::None && kind.holds_samples();
        is_loose.then(|| Loose { names: names(refs), first, last })
    }

    pub(super) fn pages(&self) -> (u64, u64) {
        (self.first, self.last)
    }
}

/// The pages on which it begins and ends.
fn ends(frame: &Frame<'_>) -> (u64, u64) {
    (frame.offset / PAGE as u64, frame.end.saturating_sub(1) / PAGE as u64)
}

fn names(refs: &[(u64, u64)]) -> u64 {
    refs.iter().fold(0, |sum, (first, last)| hash::join(hash::join(sum, *first), *last))
}

/// Those that name what no other record of the file names.
pub(super) fn alone<R: Read>(input: R, mut asked: Vec<Loose>) -> Vec<Loose> {
    asked.sort_unstable_by_key(|record| record.names);
    let alike = asked.chunk_by(|a, b| a.names == b.names);
    let mut asked: Vec<Loose> = alike.filter(|same| same.len() == 1).flatten().copied().collect();
    let mut frames = Frames::new(input);
    let mut reader = Reader::new(Depth::Full);
    while !asked.is_empty()
        && let Some(item) = frames.advance()
    {
        let Item::Record(frame) = item else { continue };
        if frame.compression == Compression::None
            && reader.read(&frame).is_ok_and(RecordType::holds_samples)
            && let Ok(at) =
                asked.binary_search_by_key(&names(reader.told.sampled.all()), |record| record.names)
            && asked.get(at).is_some_and(|record| record.pages() != ends(&frame))
        {
            asked.remove(at);
        }
    }
    asked
}
