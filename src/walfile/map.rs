//! The files of a data directory's logs as a map: a row for each run of files that are alike, and one
//! for each that is damaged. However many files there are, it stays small.

use serde::{Deserialize, Serialize};

use super::count::Kept;
use super::fault::Fault;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Map {
    /// In the order in which Prometheus reads.
    pub rows: Vec<Row>,
    /// Rows beyond the most that are kept.
    pub left_out: u64,
    /// Whether Prometheus starts on this at all, whatever it deletes.
    pub starts: bool,
}

/// Files that follow each other and are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub log: Log,
    pub first: u64,
    pub last: u64,
    pub state: State,
    pub fate: Fate,
    /// Of all of them.
    pub bytes: u64,
    /// What can be read in them.
    pub holds: Kept,
    pub faults: u64,
    /// The first of them.
    pub fault: Option<Fault>,
    pub costs: Option<Losses>,
    /// Why it could not be opened.
    pub why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Log {
    Checkpoint(u64),
    Wal,
    Wbl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    Whole,
    Damaged,
    Missing,
    /// Nothing was written to it: a start that ended before.
    Empty,
    /// It could not be opened.
    Closed,
    /// All of it lies in a `.repair` beside the log, which no start reads and a salvage puts back.
    Unfinished,
}

/// What becomes of it at the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    Read,
    /// A later checkpoint stands for it: it is there, and not read.
    Replaced,
    Deleted,
}

/// What a damaged file costs by each way to go on, of what can be read in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Losses {
    /// Only what follows in the file itself.
    pub prometheus: Kept,
    pub page: Kept,
    /// Bytes that no way can read.
    pub unreadable_bytes: u64,
}

/// More are only counted: a map is sent with every survey.
const MOST_ROWS: usize = 200;

impl Map {
    /// Adds a file, or a run of missing ones.
    pub fn add(&mut self, row: Row) {
        let Some(last) = self.rows.last_mut().filter(|last| last.goes_on_with(&row)) else {
            if self.rows.len() < MOST_ROWS {
                self.rows.push(row);
            } else {
                self.left_out += 1;
            }
            return;
        };
        // Behind rows that were left out nothing is joined to the one before them.
        if self.left_out > 0 {
            self.left_out += 1;
            return;
        }
        last.last = row.last;
        last.bytes += row.bytes;
        last.holds.add(&row.holds);
    }
}

impl Row {
    fn goes_on_with(&self, next: &Row) -> bool {
        let alike = (self.log, self.state, self.fate) == (next.log, next.state, next.fate);
        let each = matches!(self.state, State::Damaged | State::Closed);
        alike && !each && self.last.checked_add(1) == Some(next.first)
    }
}
