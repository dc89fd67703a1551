//! What was found, as a map of the logs.

use super::fold::{Judged, LogName, NextStart, Problem};
use super::{Contents, SegmentFile};
use crate::walfile::count::Kept;
use crate::walfile::fault::Fault;
use crate::walfile::map::{Fate, Log, Map, Row, State};

pub(super) fn of(contents: &Contents, judged: &Judged) -> Map {
    let starts = !matches!(judged.next_start, NextStart::Fails { .. });
    let mut maker = Maker { contents, judged, map: Map { starts, ..Map::default() } };
    let last = contents.checkpoints.last().map(|checkpoint| checkpoint.number);
    for checkpoint in &contents.checkpoints {
        let log = Log::Checkpoint(checkpoint.number);
        maker.log(log, &checkpoint.files, Some(checkpoint.number) < last);
    }
    let first = contents.segments.first().map(|file| file.number);
    // What a checkpoint would have to stand for, or the segments behind it.
    let due = last.map_or(0, |last| last + 1);
    if let Some(first) = first.filter(|first| *first > due) {
        maker.missing(Log::Wal, due, first);
    }
    maker.log(Log::Wal, &contents.segments, false);
    maker.log(Log::Wbl, &contents.wbl, false);
    maker.map
}

struct Maker<'a> {
    contents: &'a Contents,
    judged: &'a Judged,
    map: Map,
}

impl Maker<'_> {
    fn log(&mut self, log: Log, files: &[SegmentFile], replaced: bool) {
        let mut due = None;
        for file in files {
            if let Some(due) = due {
                self.missing(log, due, file.number);
            }
            due = Some(file.number.saturating_add(1));
            self.file(log, file, replaced);
        }
    }

    /// From one number up to another, which is there.
    fn missing(&mut self, log: Log, from: u64, to: u64) {
        let mut from = from;
        let contents = self.contents;
        let between = |old: &&SegmentFile| log == Log::Wal && (from..to).contains(&old.number);
        let standing: Vec<&SegmentFile> = contents.standing().filter(between).collect();
        for SegmentFile { number, found, .. } in standing {
            self.absent(log, from, *number);
            self.map.add(Row {
                bytes: found.size,
                holds: found.kept.fragment,
                ..row(log, *number, State::Unfinished, Fate::Read)
            });
            from = number + 1;
        }
        self.absent(log, from, to);
    }

    fn absent(&mut self, log: Log, first: u64, next: u64) {
        if first < next {
            let absent = row(log, first, State::Missing, Fate::Read);
            self.map.add(Row { last: next - 1, ..absent });
        }
    }

    fn file(&mut self, log: Log, file: &SegmentFile, replaced: bool) {
        let SegmentFile { number, path: _, closed, found } = file;
        let number = *number;
        let fate = self.fate(log, number, replaced);
        let mut row = Row {
            bytes: found.size,
            holds: found.kept.fragment,
            ..row(log, number, State::Whole, fate)
        };
        let name = match log {
            Log::Checkpoint(number) => LogName::Checkpoint(number),
            Log::Wal => LogName::Wal,
            Log::Wbl => LogName::Wbl,
        };
        // What is being written while a server runs is no damage: only what was judged to be one.
        let lost = self.judged.problems.iter().find_map(|problem| match problem {
            Problem::Damaged { log, number: at, lost, .. } if (*log, *at) == (name, number) => {
                Some(*lost)
            }
            _ => None,
        });
        let stands = |old: &SegmentFile| log == Log::Wal && old.number == number;
        if let Some(why) = closed {
            (row.state, row.why) = (State::Closed, Some(why.clone()));
        } else if self.contents.standing().any(stands) {
            row.state = State::Unfinished;
        } else if lost.is_some() {
            (row.state, row.costs) = (State::Damaged, lost);
            (row.faults, row.fault) =
                (found.fault_count, found.faults.first().map(Fault::without_costs));
        } else if found.size == 0 {
            row.state = State::Empty;
        }
        self.map.add(row);
    }

    fn fate(&self, log: Log, number: u64, replaced: bool) -> Fate {
        let judged = self.judged;
        let wal = log == Log::Wal;
        let deletes = match &judged.next_start {
            NextStart::Repairs { log: LogName::Wal, deletes, .. }
            | NextStart::DestroysLog { deletes, .. }
                if wal =>
            {
                deletes.as_slice()
            }
            NextStart::Repairs { log: LogName::Wbl, deletes, .. } if log == Log::Wbl => deletes,
            _ => &[],
        };
        if deletes.binary_search(&number).is_ok() {
            Fate::Deleted
        } else if replaced || wal && judged.ignored.binary_search(&number).is_ok() {
            Fate::Replaced
        } else {
            Fate::Read
        }
    }
}

fn row(log: Log, number: u64, state: State, fate: Fate) -> Row {
    Row {
        log,
        first: number,
        last: number,
        state,
        fate,
        bytes: 0,
        holds: Kept::default(),
        faults: 0,
        fault: None,
        costs: None,
        why: None,
    }
}

#[cfg(test)]
mod tests;
