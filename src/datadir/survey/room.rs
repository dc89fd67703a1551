//! Room on the volume for what a salvage would write, known before anything is stopped for it.

use std::path::Path;

use super::fold::Problem;
use super::{Contents, SegmentFile};
use crate::datadir::disk::Disk;
use crate::datadir::plan::MOST_EMPTY;
use crate::datadir::salvage::{MOST_FAULTS, beside};
use crate::datadir::stage::manifest_of;
use crate::walfile::mend::MOST_NAMED;

/// Bytes that are free; none where the volume does not tell.
pub(super) fn free(root: &Path) -> Option<u64> {
    Disk::open(root).ok()?.space().ok()
}

/// Bytes that a salvage needs at the most (see [`crate::datadir::plan`]): of a file that is written
/// anew, all of it. What no start reads is left as it is, or set aside.
pub(super) fn needed(contents: &Contents, problems: &[Problem]) -> u64 {
    let checkpoint = contents.checkpoints.last();
    let behind = checkpoint.map(|checkpoint| checkpoint.number);
    let old = checkpoint.into_iter().flat_map(|checkpoint| &checkpoint.files);
    let read = contents.segments.iter().filter(|file| Some(file.number) > behind);
    let logs = old.chain(read).chain(&contents.wbl).filter(|file| !file.found.is_healthy());
    // What a repair left is whole: without a new segment of its number it is renamed.
    let copied = |file: &&SegmentFile| {
        let mut new = contents.segments.iter();
        !file.found.is_healthy() || new.any(|other| other.number == file.number)
    };
    let logs = logs.chain(contents.standing().filter(copied)).map(|file| file.found.size);
    // One of them is shortened, to where its chunks end.
    let chunks = contents.chunks_head.iter().map(|file| &file.found);
    let chunks = chunks.filter(|found| found.fault.is_some() && found.chunks > 0);
    let chunks = chunks.map(|found| found.end).max().unwrap_or(0);
    logs.sum::<u64>() + chunks + beside(most_of_manifest(contents, problems))
}

/// The salvage knows its steps; here each problem is taken for two, with as many faults as are named.
fn most_of_manifest(contents: &Contents, problems: &[Problem]) -> u64 {
    let missing = |problem: &Problem| match problem {
        Problem::Gap { after, next, .. } => next.saturating_sub(*after),
        Problem::CheckpointLost { first } => *first,
        Problem::GapAfterCheckpoint { checkpoint, first } => first.saturating_sub(*checkpoint),
        _ => 0,
    };
    let missing: u64 = problems.iter().map(missing).fold(0, u64::saturating_add);
    let logs = contents.checkpoints.iter().flat_map(|checkpoint| &checkpoint.files);
    let logs = logs.chain(&contents.segments).chain(&contents.wbl).count();
    let beside = contents.chunks_head.len() + contents.snapshots.len() + contents.blocks.len();
    // What is set aside, and what is left.
    let files = logs + contents.repairs.len() + beside;
    let steps = 1 + missing.min(MOST_EMPTY) as usize + 2 * problems.len() + beside;
    manifest_of(steps, MOST_FAULTS * problems.len(), files, MOST_NAMED)
}

#[cfg(test)]
mod tests;
