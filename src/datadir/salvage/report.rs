//! What a salvage says that it did.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::datadir::plan::{Act, LogFile, Planned, Seen};
use crate::walfile::count::Kept;
use crate::walfile::fault::Fault;

/// Faults told of one file.
pub const MOST_FAULTS: usize = 10;

/// What a salvage did, or would do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub files: Vec<Touched>,
    /// Where the old files are.
    pub aside: Option<String>,
    /// What a start reads of WAL and checkpoint.
    pub kept: Kept,
    pub orphans: Orphans,
    /// The head of a start begins at this time or before, in milliseconds: by then the first file that holds
    /// samples has ended. None where that says nothing of what was loaded: beside blocks, or a snapshot.
    #[serde(default)]
    pub begins: Option<i64>,
    /// Bytes that the new files take.
    pub extra_bytes: u64,
    /// What was agreed to, where it was held to that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agreed: String,
}

/// One file, or folder, that is changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Touched {
    #[serde(flatten)]
    pub planned: Planned,
    /// Bytes before and after, and what of the records is kept.
    pub was: Option<u64>,
    pub new: u64,
    pub kept: Option<Kept>,
    /// The first of them.
    pub faults: Vec<Fault>,
    pub fault_count: u64,
}

/// Samples whose Series record is lost: which series they are of is not known any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphans {
    pub samples: u64,
    pub series: u64,
    /// Samples by ref, of the first thousand.
    pub named: BTreeMap<u64, u64>,
}

/// See [`Report::begins`]: of the files that a start will read.
pub(super) fn begins(read: &[&LogFile]) -> Option<i64> {
    read.iter().filter_map(|file| file.found.counts.entries.span).map(|span| span.last).min()
}

pub(super) fn touched(seen: &Seen, planned: Planned) -> Touched {
    let log = seen.records_of(&planned);
    let chunks = seen.chunks.iter().find(|file| file.path == planned.path);
    let was = log.map(|file| file.found.size).or(chunks.map(|file| file.size));
    let faults = log.map(|file| file.found.faults.as_slice()).unwrap_or_default();
    let faults = faults.iter().take(MOST_FAULTS).map(Fault::without_costs).collect();
    Touched {
        new: new_size(&planned.act, log),
        was,
        kept: log.map(|file| file.found.kept.fragment),
        faults,
        fault_count: log.map_or(0, |file| file.found.fault_count),
        planned,
    }
}

/// Bytes of the new file.
fn new_size(act: &Act, log: Option<&LogFile>) -> u64 {
    match act {
        Act::Rewrite | Act::Copy(_) => log.map_or(0, |file| file.mended),
        Act::Shorten(end) => *end,
        Act::Rename(_) | Act::Empty | Act::EmptyFolder | Act::Guard(_) | Act::SetAside => 0,
    }
}
