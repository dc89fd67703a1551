//! The logs as a map, in lines of 80 columns: runs of whole files in one line, all else by name, with
//! what it costs. The plugin shows what a helper saw by the same lines.

use super::super::words::{count, flow, grouped, printable, size};
use super::faults::says;
use crate::walfile::count::Kept;
use crate::walfile::map::{Fate, Log, Losses, Map, Row, State};

/// Rows that are told one by one; of what is beyond only numbers.
const MOST: usize = 12;

/// Nothing where there is no file.
#[must_use]
pub fn lines(map: &Map) -> Vec<String> {
    let shown = map.rows.get(..MOST).unwrap_or(&map.rows);
    let names: Vec<String> = shown.iter().map(|row| name(row, map)).collect();
    let column = names.iter().map(String::len).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (row, name) in shown.iter().zip(&names) {
        let lead = format!(" {} {name:<column$}  ", mark(row));
        flow(&lead, &says_row(row, map), &mut lines);
        for cost in costs(row, map) {
            flow(&" ".repeat(lead.len()), &cost, &mut lines);
        }
    }
    lines.extend(beyond(map));
    lines
}

fn mark(row: &Row) -> char {
    match row.state {
        State::Damaged | State::Closed | State::Unfinished => 'x',
        State::Missing => '!',
        State::Empty => 'o',
        State::Whole if row.fate == Fate::Replaced => '-',
        State::Whole => ' ',
    }
}

fn name(row: &Row, map: &Map) -> String {
    let numbers = match (row.first, row.last) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    match row.log {
        Log::Wal => numbers,
        Log::Wbl => format!("wbl {numbers}"),
        // Its name says enough where all of it is alike.
        Log::Checkpoint(of) => {
            let rows = map.rows.iter().filter(|row| row.log == Log::Checkpoint(of)).count();
            if rows == 1 {
                format!("checkpoint {of}")
            } else {
                format!("checkpoint {of}/{numbers}")
            }
        }
    }
}

fn says_row(row: &Row, map: &Map) -> String {
    let holds = format!("{}, {}", size(row.bytes), amount(&row.holds));
    let covered = map.rows.iter().any(|row| matches!(row.log, Log::Checkpoint(_)));
    let what = match row.state {
        State::Whole if row.fate == Fate::Replaced => "replaced by the checkpoint".to_owned(),
        State::Whole => format!("whole, {holds}"),
        State::Damaged => damaged(row),
        State::Missing if row.first == 0 && !covered => {
            "not there, and no checkpoint stands for what was".to_owned()
        }
        State::Missing => "missing: what was in it, no way brings back".to_owned(),
        State::Empty => "empty".to_owned(),
        State::Closed => {
            format!("cannot be opened: {}", printable(row.why.as_deref().unwrap_or_default()))
        }
        State::Unfinished => {
            format!("whole only as .repair, which no start reads: {}", amount(&row.holds))
        }
    };
    match row.fate {
        Fate::Deleted => format!("{what}; the next start deletes it"),
        Fate::Replaced if row.state != State::Whole => format!("{what}; no start reads it"),
        Fate::Read | Fate::Replaced => what,
    }
}

fn damaged(row: &Row) -> String {
    let Some(fault) = &row.fault else { return "damaged".to_owned() };
    let (offset, page) = (grouped(fault.offset), fault.page);
    let more = match row.faults {
        0 | 1 => String::new(),
        all => format!("; {} in all", count(all, "fault")),
    };
    format!("damaged at byte {offset} (page {page}): {}{more}", says(fault.kind))
}

/// What each way to go on loses of a damaged file.
fn costs(row: &Row, map: &Map) -> Vec<String> {
    let Some(Losses { prometheus, page, unreadable_bytes }) = &row.costs else {
        return Vec::new();
    };
    let by_prometheus = match (map.starts, row.fate) {
        (_, Fate::Replaced) => return Vec::new(),
        (false, Fate::Read | Fate::Deleted) => "it does not start on this".to_owned(),
        (true, Fate::Deleted) => format!("{} more: all of it", amount(&row.holds)),
        (true, Fate::Read) => {
            // The first that it meets is where it cuts.
            let cuts = is_first(row, map);
            let mut lost = *prometheus;
            let mut deleted = 0;
            for behind in map.rows.iter().filter(|row| cuts && row.fate == Fate::Deleted) {
                lost.add(&behind.holds);
                deleted += behind.last - behind.first + 1;
            }
            let with = match deleted {
                0 => String::new(),
                deleted => format!(", with {} behind it", count(deleted, "file")),
            };
            format!("{} more{with}", amount(&lost))
        }
    };
    let by_salvage = match *unreadable_bytes {
        0 => "nothing".to_owned(),
        bytes => format!("{} that no way reads", size(bytes)),
    };
    vec![
        format!("lost by a salvage (by fragment): {by_salvage}"),
        format!("lost page by page: {} more", amount(page)),
        format!("lost by Prometheus' repair: {by_prometheus}"),
    ]
}

fn is_first(row: &Row, map: &Map) -> bool {
    let mut cut = map.rows.iter().filter(|row| row.costs.is_some() && row.fate == Fate::Read);
    cut.next() == Some(row)
}

/// Samples, or records where they were not decoded.
pub(super) fn amount(kept: &Kept) -> String {
    match kept.samples {
        0 => count(kept.records, "record"),
        samples => count(samples, "sample"),
    }
}

/// Where what is not told one by one is; whole files go without saying.
fn beyond(map: &Map) -> Vec<String> {
    let rest = map.rows.get(MOST..).unwrap_or_default();
    let mut lines = Vec::new();
    let kinds = [
        ("damaged", State::Damaged),
        ("missing", State::Missing),
        ("empty", State::Empty),
        ("not to be opened", State::Closed),
        ("only as .repair", State::Unfinished),
    ];
    for (what, state) in kinds {
        let mut names: Vec<String> =
            rest.iter().filter(|row| row.state == state).map(|row| name(row, map)).collect();
        let more = names.len().saturating_sub(MOST);
        names.truncate(MOST);
        if more > 0 {
            names.push(format!("{} more", grouped(more as u64)));
        }
        if !names.is_empty() {
            flow("   ", &format!("further {what}: {}", names.join(", ")), &mut lines);
        }
    }
    if map.left_out > 0 {
        lines.push(format!("   and {}, not told apart", count(map.left_out, "further file")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walfile::fault::{Fault, FaultKind};

    fn row(log: Log, first: u64, last: u64, state: State) -> Row {
        let holds = Kept { records: 3, series: 0, samples: 0 };
        let (fate, faults) = (Fate::Read, 0);
        let (fault, costs, why) = (None, None, None);
        Row { log, first, last, state, fate, bytes: 4096, holds, faults, fault, costs, why }
    }

    #[test]
    fn each_kind_of_file_has_its_line() {
        let why = "open /data/wal/00000009: \u{1b}[2J".to_owned();
        let rows = vec![
            row(Log::Checkpoint(2), 0, 3, State::Whole),
            Row { fate: Fate::Replaced, ..row(Log::Wal, 1, 2, State::Whole) },
            Row { fate: Fate::Replaced, ..row(Log::Wal, 2, 2, State::Empty) },
            row(Log::Wal, 3, 5000, State::Whole),
            row(Log::Wal, 5001, 5007, State::Missing),
            row(Log::Wal, 5008, 5008, State::Unfinished),
            Row { why: Some(why), ..row(Log::Wal, 5009, 5009, State::Closed) },
            row(Log::Wal, 5010, 5012, State::Empty),
            row(Log::Wbl, 0, 1, State::Whole),
        ];
        let told = lines(&Map { rows, left_out: 0, starts: false }).join("\n");
        let want = "   checkpoint 2  whole, 4.0 KiB, 3 records
 - 1-2           replaced by the checkpoint
 o 2             empty; no start reads it
   3-5000        whole, 4.0 KiB, 3 records
 ! 5001-5007     missing: what was in it, no way brings back
 x 5008          whole only as .repair, which no start reads: 3 records
 x 5009          cannot be opened: open /data/wal/00000009: \u{fffd}[2J
 o 5010-5012     empty
   wbl 0-1       whole, 4.0 KiB, 3 records";
        assert_eq!(told, want);
    }

    #[test]
    fn a_log_without_its_beginning_says_what_is_not_there() {
        let rows = vec![row(Log::Wal, 0, 4, State::Missing), row(Log::Wal, 5, 6, State::Whole)];
        let told = lines(&Map { rows, left_out: 0, starts: false });
        assert_eq!(told[0], " ! 0-4  not there, and no checkpoint stands for what was");
    }

    #[test]
    fn of_many_damaged_files_the_first_are_told_and_the_others_named() {
        let costs = Losses { unreadable_bytes: u64::MAX, ..Losses::default() };
        let offset = u64::MAX;
        let fault = Fault { page: offset, ..Fault::new(FaultKind::UnexpectedMiddle, offset, 0) };
        let damaged = Row {
            faults: 7,
            fault: Some(fault),
            costs: Some(costs),
            fate: Fate::Deleted,
            ..row(Log::Wal, 0, 0, State::Damaged)
        };
        let numbered = |at: u64| Row { first: at * 2, last: at * 2, ..damaged.clone() };
        let rows = (0..200).map(numbered).collect();
        let told = lines(&Map { rows, left_out: 803, starts: true });
        assert!(told.len() < 12 * 6 + 5, "{told:#?}");
        assert!(told.iter().all(|line| line.chars().count() < 81), "{told:#?}");
        let end = told.join("\n");
        let want = "   further damaged: 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 176 more
   and 803 further files, not told apart";
        assert!(end.ends_with(want), "{end}");
    }
}
