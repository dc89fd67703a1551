//! Files of `chunks_head`, and snapshots of the head: what Prometheus can make again from the log.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::files::in_order;
use crate::datadir::layout::{Log, Snapshot};
use crate::walfile::fault::Fault;
use crate::walfile::head_chunks::{self, ChunkFault, HeadChunks};
use crate::walfile::segment::{self, Depth, Pages};

/// A file of `chunks_head`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChunkFile {
    pub number: u64,
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    #[serde(flatten)]
    pub found: HeadChunks,
}

/// `chunk_snapshot.<segment>.<offset>`; read only where `memory-snapshot-on-shutdown` is on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotSurvey {
    pub path: PathBuf,
    pub segment: u64,
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    pub records: u64,
    pub fault_count: u64,
    /// The first faults, and the number of their file.
    pub faults: Vec<(u64, Fault)>,
    /// Files that could not be opened, and why.
    pub closed: Vec<String>,
}

impl SnapshotSurvey {
    /// With files that could not be opened.
    pub(super) fn all_faults(&self) -> u64 {
        self.fault_count + self.closed.len() as u64
    }

    pub(super) fn is_whole(&self) -> bool {
        self.size > 0 && self.all_faults() == 0
    }
}

/// Faults of a snapshot that are told one by one: it can be made again.
const MOST_FAULTS: usize = 10;

/// `valid`: where the newest block ends.
pub(super) fn chunks(log: &Log, valid: Option<i64>, mut read: impl FnMut(u64)) -> Vec<ChunkFile> {
    let mut files = Vec::new();
    let look = |file: &crate::datadir::layout::Numbered| match File::open(&file.path) {
        Ok(mut file) => head_chunks::survey(&mut file, valid),
        Err(_) => HeadChunks { fault: Some(ChunkFault::Io), ..HeadChunks::default() },
    };
    in_order(&log.files, look, &mut |file, found| {
        let (number, path, size) = (file.number, file.path.clone(), file.size);
        files.push(ChunkFile { number, path, size, found });
        read(size);
    });
    files.extend(log.posing().map(|(number, path)| {
        let found = HeadChunks { fault: Some(ChunkFault::Io), ..HeadChunks::default() };
        ChunkFile { number, path: path.to_owned(), size: 0, found }
    }));
    files.sort_by_key(|file| file.number);
    let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
    let mut found: Vec<&mut HeadChunks> = files.iter_mut().map(|file| &mut file.found).collect();
    let open =
        |at: usize| -> Option<Box<dyn Read>> { Some(Box::new(File::open(paths.get(at)?).ok()?)) };
    // A disk that fails only now was read once: what was found then is told.
    let _ = head_chunks::mark_out_of_sequence(&mut found, valid, &open);
    files
}

pub(super) fn snapshot(snapshot: &Snapshot) -> SnapshotSurvey {
    let mut found = SnapshotSurvey {
        path: snapshot.path.clone(),
        segment: snapshot.segment,
        offset: snapshot.offset,
        size: snapshot.files.iter().map(|file| file.size).sum(),
        ..SnapshotSurvey::default()
    };
    for file in &snapshot.files {
        match File::open(&file.path) {
            // Its records are not those of a log; they are framed alike.
            Ok(input) => {
                let read = segment::survey(Pages::new(input, None), Depth::Quick);
                found.records += read.counts.records;
                found.fault_count += read.fault_count;
                let room = MOST_FAULTS - found.faults.len();
                let faults = read.faults.into_iter().take(room);
                found.faults.extend(faults.map(|fault| (file.number, fault)));
            }
            Err(error) => found.closed.push(format!("{}: {error}", file.path.display())),
        }
    }
    found
}
