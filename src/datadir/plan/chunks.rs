//! Which files of chunks_head stay.

use super::{Act, Chunks, Plan, Why};
use crate::walfile::head_chunks::ChunkFault;

impl Plan {
    /// Of the files of chunks, what stands before the first fault. Prometheus passes over samples
    /// of the log that are not newer than a series' last chunk: one missing in the middle would
    /// not be made anew.
    pub(super) fn chunks(&mut self, chunks: &[Chunks]) {
        let mut kept: Vec<&Chunks> = Vec::new();
        let mut before: Option<u64> = None;
        let mut broken = None;
        let mut asides = Vec::new();
        for (at, file) in chunks.iter().enumerate() {
            let last = at + 1 == chunks.len();
            let name = format!("chunks_head/{:06}", file.number);
            if before == Some(file.number) || (file.path != name && duplicated(chunks, file.number))
            {
                asides.push((file, Why::Duplicate));
                continue;
            }
            let gap = before.is_some_and(|before| before + 1 != file.number);
            if broken.is_some() || gap {
                broken = broken.or(Some(false));
                asides.push((file, Why::AfterFault));
                continue;
            }
            before = Some(file.number);
            // Of number 0 Prometheus takes away none.
            let goes = last && file.number > 0 && file.is_left_behind();
            if file.found.fault.is_none() || goes {
                kept.push(file);
                continue;
            }
            let holds = file.found.chunks > 0;
            broken = Some(holds);
            if holds {
                kept.push(file);
            } else {
                asides.push((file, Why::Corrupt));
            }
        }
        // The last first, so that no gap is seen between.
        for (file, why) in asides.into_iter().rev() {
            self.push(&file.path, Act::SetAside, why);
        }
        if let (Some(true), Some(file)) = (broken, kept.last()) {
            self.push(&file.path, Act::Shorten(file.found.end), Why::Corrupt);
        }
    }
}

impl Chunks {
    fn is_left_behind(&self) -> bool {
        self.found.fault.is_some_and(ChunkFault::is_left_behind)
    }
}

fn duplicated(chunks: &[Chunks], number: u64) -> bool {
    chunks.iter().filter(|file| file.number == number).count() > 1
}
