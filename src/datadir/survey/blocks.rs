//! Blocks, as far as Prometheus looks at them when it starts: meta.json, and the heads of the files
//! (tsdb/db.go `openBlocks`, tsdb/block.go `OpenBlock`).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::datadir::layout;
use crate::walfile::block::{self, BlockFault};
use crate::walfile::count::Span;

/// A folder named by an ULID.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockSurvey {
    pub path: PathBuf,
    pub ulid: String,
    /// Bytes of the index and the chunks.
    pub size: u64,
    pub samples: u64,
    pub series: u64,
    pub chunk_files: u64,
    /// In milliseconds; none where meta.json cannot be read.
    pub span: Option<Span>,
    /// Of meta.json: Prometheus then starts without this block, and does not delete it.
    pub unread: Option<BlockFault>,
    pub faults: Vec<FileFault>,
    /// Another block was made from this one: Prometheus deletes this one, whatever is in it.
    pub replaced: bool,
    /// The blocks that this one was made from.
    pub parents: Vec<String>,
    /// 1 of one that was made of the head, more of one that was made of blocks.
    #[serde(default)]
    pub level: u64,
    /// Made of a part of the head, which goes on beside it.
    #[serde(skip)]
    pub late: bool,
}

/// What is wrong with a file of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFault {
    /// Its name in the block.
    pub file: String,
    pub fault: BlockFault,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    min_time: i64,
    max_time: i64,
    version: i64,
    #[serde(default)]
    stats: Stats,
    #[serde(default)]
    compaction: Compaction,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stats {
    num_samples: u64,
    num_series: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Compaction {
    level: u64,
    parents: Option<Vec<Parent>>,
    hints: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Parent {
    ulid: String,
}

/// Hints of a block that is made of a part of the head (tsdb/block.go `CompactionHintFrom…`).
const BESIDE_THE_HEAD: [&str; 3] =
    ["from-out-of-order", "from-stale-series", "from-selected-series"];

/// A meta.json is a few hundred bytes, and for a block of many parents some thousands.
const MOST_META: u64 = 16 << 20;

pub(in crate::datadir) fn all(paths: &[PathBuf]) -> Vec<BlockSurvey> {
    let mut blocks: Vec<BlockSurvey> = paths.iter().map(|path| one(path)).collect();
    let whole = |block: &&BlockSurvey| block.unread.is_none() && block.faults.is_empty();
    let replaced: Vec<String> =
        blocks.iter().filter(whole).flat_map(|block| block.parents.clone()).collect();
    for block in &mut blocks {
        block.replaced = replaced.contains(&block.ulid);
    }
    blocks
}

/// Where the newest of the blocks ends that a start opens: no older chunk of the head is read, nor sample
/// of the log. Not so those beside whose series the head goes on: of samples out of order, and since 3.10 of
/// series that were stale or selected (tsdb/db.go `inOrderBlocksMaxTime`).
pub(in crate::datadir) fn newest(blocks: &[BlockSurvey]) -> Option<i64> {
    let opened = blocks.iter().filter(|block| block.faults.is_empty() && !block.late);
    opened.filter_map(|block| Some(block.span?.last)).max()
}

fn one(path: &Path) -> BlockSurvey {
    let ulid = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = BlockSurvey { path: path.to_owned(), ulid, ..BlockSurvey::default() };
    match meta(&path.join("meta.json")) {
        Ok(meta) => {
            found.span = Some(Span { first: meta.min_time, last: meta.max_time });
            (found.samples, found.series) = (meta.stats.num_samples, meta.stats.num_series);
            found.level = meta.compaction.level;
            let hints = meta.compaction.hints.unwrap_or_default();
            found.late = hints.iter().any(|hint| BESIDE_THE_HEAD.contains(&hint.as_str()));
            let parents = meta.compaction.parents.unwrap_or_default();
            found.parents = parents.into_iter().map(|parent| parent.ulid).collect();
        }
        Err(fault) => found.unread = Some(fault),
    }
    let index = index(&path.join("index"), &mut found.size);
    found.note("index", index);
    match layout::log(&path.join("chunks"), None) {
        Ok(log) if log.exists => {
            found.chunk_files = log.files.len() as u64;
            for file in log.files {
                found.size += file.size;
                let mut head = Vec::new();
                let read = open(&file.path).and_then(|input| {
                    read(input.take(block::CHUNKS_HEAD as u64), &mut head)?;
                    block::chunks(&head)
                });
                let name = file.path.file_name().unwrap_or_default().to_string_lossy();
                found.note(&format!("chunks/{name}"), read);
            }
        }
        Ok(_) => found.note("chunks", Err(BlockFault::Missing)),
        Err(_) => found.note("chunks", Err(BlockFault::Unreadable)),
    }
    // A block without tombstones has none.
    match open(&path.join("tombstones")).and_then(block::tombstones) {
        Err(BlockFault::Missing) => {}
        read => found.note("tombstones", read),
    }
    found
}

/// The times of a block, where they can be read.
#[cfg(target_os = "linux")]
pub(in crate::datadir) fn span(path: &Path) -> Option<Span> {
    let meta = meta(&path.join("meta.json")).ok()?;
    Some(Span { first: meta.min_time, last: meta.max_time })
}

impl BlockSurvey {
    fn note(&mut self, file: &str, read: Result<(), BlockFault>) {
        if let Err(fault) = read {
            self.faults.push(FileFault { file: file.to_owned(), fault });
        }
    }

    /// Whether Prometheus does not start while this block is here.
    #[must_use]
    pub fn stops(&self) -> bool {
        self.unread.is_none() && !self.faults.is_empty() && !self.replaced
    }
}

fn meta(path: &Path) -> Result<Meta, BlockFault> {
    let mut text = Vec::new();
    read(open(path)?.take(MOST_META), &mut text)?;
    let meta: Meta = serde_json::from_slice(&text).map_err(|_| BlockFault::Json)?;
    if meta.version == 1 { Ok(meta) } else { Err(BlockFault::Version) }
}

fn index(path: &Path, all_bytes: &mut u64) -> Result<(), BlockFault> {
    let mut file = open(path)?;
    let size = file.metadata().map_err(|_| BlockFault::Unreadable)?.len();
    *all_bytes += size;
    let (mut head, mut toc) = (Vec::new(), Vec::new());
    read((&mut file).take(block::INDEX_HEAD as u64), &mut head)?;
    if let Some(at) = size.checked_sub(block::TOC as u64) {
        file.seek(SeekFrom::Start(at)).map_err(|_| BlockFault::Unreadable)?;
        read(file.take(block::TOC as u64), &mut toc)?;
    }
    block::index(&head, &toc, size)
}

fn open(path: &Path) -> Result<File, BlockFault> {
    let file = File::open(path);
    file.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BlockFault::Missing,
        _ => BlockFault::Unreadable,
    })
}

fn read(mut input: impl Read, into: &mut Vec<u8>) -> Result<(), BlockFault> {
    input.read_to_end(into).map(drop).map_err(|_| BlockFault::Unreadable)
}
