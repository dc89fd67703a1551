//! What a Thanos sidecar noted in the data directory of what it uploaded (thanos-io/thanos
//! pkg/shipper/shipper.go at 0501bbad, `Meta`, `ReadMetaFile`, `Sync`), against what lies here.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use super::{BlockSurvey, Contents, SegmentFile};
use crate::walfile::count::Span;
use crate::walfile::uploads::{Here, Uploaded, Uploads, made};

/// Where `--shipper.meta-file-name` gives no other.
const NOTE: &str = "thanos.shipper.json";

/// It names blocks that are here: with thirty thousand of them it is no note.
const MOST_BYTES: u64 = 1 << 20;

/// Blocks that are named one by one.
const MOST_BLOCKS: usize = 100;

#[derive(Deserialize)]
struct Note {
    version: i64,
    /// null where nothing was uploaded.
    uploaded: Option<Vec<String>>,
}

/// None where there is no note.
pub(super) fn look(root: &Path, contents: &Contents) -> Option<Uploads> {
    match read(&root.join(NOTE)) {
        Ok(None) => None,
        Ok(Some(listed)) => Some(compared(&listed, contents)),
        Err(why) => Some(Uploads { unread: Some(why), ..compared(&[], contents) }),
    }
}

/// The blocks that it lists.
fn read(path: &Path) -> Result<Option<Vec<String>>, String> {
    // What is no file is not opened: a pipe would be waited for.
    let size = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return Err("not a file".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if size > MOST_BYTES {
        return Err("larger than a note of it is".to_owned());
    }
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text));
    read.map_err(|error| error.to_string())?;
    parsed(&text).map(Some).map_err(str::to_owned)
}

fn parsed(text: &[u8]) -> Result<Vec<String>, &'static str> {
    let Ok(Note { version, uploaded }) = serde_json::from_slice(text) else {
        return Err("not the JSON of a Thanos sidecar");
    };
    let uploaded = uploaded.unwrap_or_default();
    match version {
        1 if uploaded.iter().all(|name| made(name).is_some()) => Ok(uploaded),
        1 => Err("it lists what is no block"),
        _ => Err("of a version that is not known"),
    }
}

fn compared(listed: &[String], contents: &Contents) -> Uploads {
    // What another was made of goes at the next start, and is in that one.
    let blocks = || contents.blocks.iter().filter(|block| !block.replaced);
    let here = |block: &&BlockSurvey| {
        let is_empty = block.unread.is_none() && block.samples == 0;
        !is_empty && !listed.contains(&block.ulid)
    };
    let names = blocks().filter(here).take(MOST_BLOCKS).map(|block| {
        let BlockSurvey { ulid, span, level, .. } = block;
        Here { ulid: ulid.clone(), span: *span, level: *level }
    });
    Uploads {
        unread: None,
        listed: listed.len() as u64,
        newest: newest(listed, contents),
        here: names.collect(),
        here_count: blocks().filter(here).count() as u64,
        head: head(contents),
    }
}

/// Of those that are here, the one that ends last; else the one that was made last.
fn newest(listed: &[String], contents: &Contents) -> Option<Uploaded> {
    let ends = |name: &String| {
        let block = contents.blocks.iter().find(|block| block.ulid == *name);
        block.and_then(|block| block.span).map(|span| span.last)
    };
    let all = listed.iter().filter_map(|name| Some((ends(name), made(name)?, name)));
    let (ends, made, ulid) = all.max()?;
    Some(Uploaded { ulid: ulid.clone(), ends, made })
}

/// The samples of the log behind what blocks hold.
fn head(contents: &Contents) -> Option<Span> {
    let read = contents.checkpoints.last().map(|checkpoint| checkpoint.files.as_slice());
    let files = read.unwrap_or_default().iter().chain(&contents.segments);
    let span = |file: &SegmentFile| file.found.counts.entries.span;
    let spans = || files.clone().filter_map(span);
    let first = spans().map(|span| span.first).min()?;
    let last = spans().map(|span| span.last).max()?;
    // The end of a block is the first time that it does not hold.
    let held = contents.blocks.iter().filter_map(|block| block.span).map(|span| span.last).max();
    let first = held.map_or(first, |held| held.max(first));
    (first <= last).then_some(Span { first, last })
}

#[cfg(test)]
mod tests;
