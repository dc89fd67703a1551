//! What lies beside the logs, a line for each kind of it.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use super::super::words::{count, file_name, size, utc};
use crate::datadir::survey::{Contents, Lock};

pub fn write(contents: &Contents, out: &mut String) -> fmt::Result {
    chunks_head(contents, out)?;
    for snapshot in &contents.snapshots {
        let name = file_name(&snapshot.path);
        let records = count(snapshot.records, "record");
        writeln!(out, "{name}   {}, {records}", size(snapshot.size))?;
    }
    blocks(contents, out)?;
    listed("left half made, taken away at the next start", &contents.temporary, out)?;
    for old in contents.repairs.iter().filter(|old| !old.stands) {
        let name = file_name(&old.file.path);
        writeln!(out, "wal/{name}   left by a repair that was not finished; others went on")?;
    }
    listed("set aside by a salvage", &contents.aside, out)?;
    match &contents.lock {
        Lock::None => Ok(()),
        Lock::Free => writeln!(out, "lock   nobody holds it; the last stop was not a clean one"),
        Lock::Held { pid: Some(pid) } => writeln!(out, "lock   held by process {pid}"),
        Lock::Held { pid: None } => writeln!(out, "lock   held by a process not seen from here"),
        Lock::Unknown { why } => writeln!(out, "lock   whether it is held cannot be told: {why}"),
    }
}

fn chunks_head(contents: &Contents, out: &mut String) -> fmt::Result {
    let files = &contents.chunks_head;
    if files.is_empty() {
        return Ok(());
    }
    let sum = |of: fn(&crate::datadir::survey::ChunkFile) -> u64| files.iter().map(of).sum::<u64>();
    writeln!(
        out,
        "chunks_head   {}, {}, {} of {}",
        count(files.len() as u64, "file"),
        size(sum(|file| file.size)),
        count(sum(|file| file.found.chunks), "chunk"),
        count(sum(|file| file.found.samples), "sample"),
    )
}

fn blocks(contents: &Contents, out: &mut String) -> fmt::Result {
    let blocks = &contents.blocks;
    if blocks.is_empty() {
        return Ok(());
    }
    let bytes = blocks.iter().map(|block| block.size).sum();
    let spans = || blocks.iter().filter_map(|block| block.span);
    write!(out, "blocks   {}, {}", count(blocks.len() as u64, "block"), size(bytes))?;
    if let (Some(first), Some(last)) =
        (spans().map(|span| span.first).min(), spans().map(|span| span.last).max())
    {
        write!(out, ", {} to {}", utc(first), utc(last))?;
    }
    writeln!(out)
}

fn listed(what: &str, paths: &[PathBuf], out: &mut String) -> fmt::Result {
    for path in paths {
        writeln!(out, "{}   {what}", file_name(path))?;
    }
    Ok(())
}
