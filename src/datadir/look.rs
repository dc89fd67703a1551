//! Reads a data directory for the planner.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::FileType;

use crate::walfile::block::BlockFault;
use crate::walfile::fault::FaultKind;
use crate::walfile::head_chunks::{self, ChunkFault};
use crate::walfile::mend::mend;
use crate::walfile::segment::{self, Depth, Order, Pages, Segment};
use crate::walfile::snapshot::Reach;

use super::disk::{Disk, Done, Failed};
use super::layout::{self, Layout, Numbered};
use super::plan::{Chunks, Log, LogFile, Repair, Seen, Snapshot};
use super::survey::blocks;
use super::unfinished;

/// What files held when they were read, by path: what was not written since is not read again.
#[derive(Default)]
pub struct Known(BTreeMap<String, Segment>);

impl Known {
    pub fn of(seen: &Seen) -> Known {
        let mut known = BTreeMap::new();
        for file in seen.logs() {
            known.insert(file.path.clone(), file.found.clone());
        }
        Known(known)
    }

    pub fn forget(&mut self, path: &str) {
        self.0.remove(path);
    }
}

/// What lies there, and all that is in it.
pub fn look(disk: &Disk, root: &Path, known: &Known) -> Done<Seen> {
    for name in ["wal", "wbl", "chunks_head"] {
        no_link(disk, name)?;
    }
    let layout = layout::read(root)
        .map_err(|error| Failed { path: root.to_owned(), error: io::Error::other(error) })?;
    let looker = Looker { disk, root, known };
    looker.all(&layout)
}

struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn no_link(disk: &Disk, path: &str) -> Done<()> {
    let Some(stat) = disk.stat(path)? else { return Ok(()) };
    if FileType::from_raw_mode(stat.st_mode).is_symlink() {
        let error = io::Error::other("a link, which is not followed");
        return Err(disk.failed(path, error));
    }
    Ok(())
}

struct Looker<'a> {
    disk: &'a Disk,
    root: &'a Path,
    known: &'a Known,
}

impl Looker<'_> {
    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.root).unwrap_or(path).to_string_lossy().into_owned()
    }

    fn all(&self, layout: &Layout) -> Done<Seen> {
        let mut seen = Seen { wal: self.log(&layout.wal)?, ..Seen::default() };
        // No start reads another one.
        if let Some(checkpoint) = layout.checkpoints.last() {
            seen.checkpoints.push(self.log(checkpoint)?);
        }
        seen.repairs = self.repairs(&layout.wal)?;
        seen.wbl = self.log(&layout.wbl)?;
        seen.odd = layout.odd.iter().map(|path| self.relative(path)).collect();
        let blocks = blocks::all(&layout.blocks);
        seen.newest_block = blocks::newest(&blocks);
        seen.chunks = self.chunks(&layout.chunks_head, seen.newest_block)?;
        for block in blocks.iter().filter(|block| block.stops()) {
            // What we may not read is not broken for that.
            if block.faults.iter().any(|found| found.fault != BlockFault::Unreadable) {
                seen.bad_blocks.push(self.relative(&block.path));
            }
        }
        for snapshot in &layout.snapshots {
            let path = self.relative(&snapshot.path);
            let mut healthy = snapshot.files.iter().any(|file| file.size > 0);
            let mut reach = Reach::default();
            for file in &snapshot.files {
                let path = self.relative(&file.path);
                healthy &= self.segment(&path, Depth::Quick)?.is_healthy();
                let read = reach.read(Pages::new(self.disk.reader(&path)?, None));
                read.map_err(|error| self.disk.failed(&path, error))?;
            }
            let (segment, offset) = (snapshot.segment, snapshot.offset);
            seen.snapshots.push(Snapshot { path, segment, offset, healthy, reach });
        }
        Ok(seen)
    }

    /// A number that is no file is one to Prometheus all the same.
    fn all_files(&self, log: &layout::Log) -> Done<()> {
        match log.posing().next() {
            Some((_, path)) => {
                let error = io::Error::other(layout::POSES);
                Err(self.disk.failed(&self.relative(path), error))
            }
            None => Ok(()),
        }
    }

    fn log(&self, log: &layout::Log) -> Done<Log> {
        self.all_files(log)?;
        let files = log.files.iter().map(|file| self.file(file)).collect::<Done<_>>()?;
        let path = self.relative(&log.path);
        Ok(Log { path, number: log.number, exists: log.exists, files })
    }

    fn file(&self, file: &Numbered) -> Done<LogFile> {
        let path = self.relative(&file.path);
        let found = match self.known.0.get(&path) {
            Some(found) => found.clone(),
            None => self.segment(&path, Depth::Full)?,
        };
        let mended = if found.is_healthy() { found.size } else { self.mended(&path, found.order)? };
        Ok(LogFile { number: file.number, path, found, mended })
    }

    fn repairs(&self, log: &layout::Log) -> Done<Vec<Repair>> {
        let repair = |file: &Numbered| {
            let file = self.file(file)?;
            let new = log.files.iter().find(|new| new.number == file.number);
            let goes_on = new.map(|new| {
                let old = self.disk.reader(&file.path)?;
                let new = self.disk.reader(&self.relative(&new.path))?;
                unfinished::goes_on(old, new)
                    .map_err(|error| Failed { path: self.disk.named(&file.path), error })
            });
            Ok(Repair { file, goes_on: goes_on.transpose()? })
        };
        log.repairs.iter().map(repair).collect()
    }

    /// Bytes that a file will have once it is written anew.
    fn mended(&self, path: &str, order: Option<Order>) -> Done<u64> {
        let mut out = Counted(0);
        match mend(Pages::new(self.disk.reader(path)?, order), &mut out) {
            Ok(_) => Ok(out.0),
            Err(error) => Err(self.disk.failed(path, error)),
        }
    }

    fn segment(&self, path: &str, depth: Depth) -> Done<Segment> {
        let open = || self.disk.reader(path).map_err(|failed| failed.error);
        let found = segment::survey_in_order(&open, depth)
            .map_err(|error| self.disk.failed(path, error))?;
        if found.faults.iter().any(|fault| fault.kind == FaultKind::Io) {
            return Err(self.disk_fails(path));
        }
        Ok(found)
    }

    fn chunks(&self, log: &layout::Log, valid: Option<i64>) -> Done<Vec<Chunks>> {
        self.all_files(log)?;
        let mut all = Vec::new();
        for file in &log.files {
            let path = self.relative(&file.path);
            let found = head_chunks::survey(&mut self.disk.reader(&path)?, valid);
            if found.fault == Some(ChunkFault::Io) {
                return Err(self.disk_fails(&path));
            }
            all.push(Chunks { number: file.number, path, size: file.size, found });
        }
        let paths: Vec<String> = all.iter().map(|file| file.path.clone()).collect();
        let mut found: Vec<_> = all.iter_mut().map(|file| &mut file.found).collect();
        let open = |at: usize| -> Option<Box<dyn io::Read>> {
            Some(Box::new(self.disk.reader(paths.get(at)?).ok()?))
        };
        match head_chunks::mark_out_of_sequence(&mut found, valid, &open) {
            Ok(()) => Ok(all),
            Err(_) => Err(self.disk_fails("chunks_head")),
        }
    }

    /// What cannot be read now may be read from an image of the disk: nothing may be decided.
    fn disk_fails(&self, path: &str) -> Failed {
        let why = "the disk fails to read it; copy the volume to a good disk first";
        self.disk.failed(path, io::Error::other(why))
    }
}
