//! Room on the volume for what a salvage would write, known before anything is stopped for it.

use std::fs::File;
use std::path::Path;

use rustix::fs::fstatvfs;

use super::{Contents, SegmentFile};
use crate::datadir::salvage::BESIDE;

/// Bytes that are free; none where the volume does not tell.
pub(super) fn free(root: &Path) -> Option<u64> {
    let found = fstatvfs(File::open(root).ok()?).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Bytes that a salvage needs at the most: of a file that is written anew, all of it.
pub(super) fn needed(contents: &Contents) -> u64 {
    let mut bytes = BESIDE;
    let mut before = None;
    let old = contents.checkpoints.iter().flat_map(|checkpoint| &checkpoint.files);
    for file in old.chain(&contents.segments).chain(&contents.wbl) {
        let SegmentFile { number, found, .. } = file;
        if !found.is_healthy() {
            bytes += found.size;
        }
        // Of two of one number either may be the one that is copied.
        match before.replace((*number, found.size)) {
            Some((same, other)) if same == *number => bytes += other.max(found.size),
            Some(_) | None => {}
        }
    }
    bytes += contents.standing().map(|file| file.found.size).sum::<u64>();
    let chunks = contents.chunks_head.iter().filter(|file| file.found.fault.is_some());
    bytes + chunks.map(|file| file.size).sum::<u64>()
}
