//! `inventory`: who fills the head, in words.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::progress::told;
use super::words::{grouped, path, printable};
use super::{Ended, Screen};
use crate::datadir::calendar::Utc;
use crate::datadir::inventory::{self, Bound, Churn, Inventory};
use crate::datadir::json;
use crate::walfile::inventory::MOST_LABELS;
use crate::walfile::inventory::hours::Hour;
use crate::walfile::inventory::memory::{LINES, Line, Need, need};
use crate::walfile::inventory::pairs::Values;
use crate::walfile::inventory::ranking::{Rank, Ranks};

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub top: usize,
    /// The releases whose need is told; all where it is `None`.
    pub line: Option<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    #[serde(flatten)]
    inventory: &'a Inventory,
    memory: Vec<Need>,
    memory_method: &'static str,
}

const METHOD: &str = "at ready: series x bytes measured on a replay of 200 000 series, + 64Mi; \
limit: series x 3.0 kB x 1.5 + 64Mi, from x 1.5 of what was measured to x 1.5 of 3.45 kB";

pub fn run(dir: &Path, asked: &Asked, json: bool, screen: &mut Screen<'_>) -> io::Result<Ended> {
    let found = match told(screen, |tell| inventory::read(dir, asked.top, tell)) {
        Ok(found) => found,
        Err(error) => {
            writeln!(screen.err, "{error}")?;
            return Ok(Ended::Error);
        }
    };
    let out = &mut *screen.out;
    let lines = match asked.line {
        Some(line) => vec![line],
        None => LINES.to_vec(),
    };
    let memory: Vec<Need> = lines.into_iter().map(|line| need(line, found.series)).collect();
    if json {
        let report = Report { inventory: &found, memory, memory_method: METHOD };
        json::write(out, &report)?;
        writeln!(out)?;
    } else {
        out.write_all(text(&found, &memory).as_bytes())?;
    }
    Ok(if found.faults == 0 { Ended::Clean } else { Ended::Found })
}

fn text(found: &Inventory, memory: &[Need]) -> String {
    let Inventory {
        root,
        checkpoint,
        segments,
        bytes,
        faults,
        torn_end: _,
        series,
        records,
        ranks,
        labels,
        churn,
        bound,
    } = found;
    let mut lines = vec![format!("{}: {} series", path(root), grouped(*series))];
    let from = match checkpoint {
        Some(number) => format!("checkpoint {number} and {segments} segments after it"),
        None => format!("{segments} segments"),
    };
    lines.push(format!("  read: {from}, {}; {} entries", size(*bytes), grouped(*records)));
    if *faults > 0 {
        lines.push(format!("  {faults} faults in the log: what could be read is counted"));
    }
    let Ranks { metrics, jobs, pairs } = ranks;
    for (title, ranks, whole) in
        [("by metric", metrics, false), ("by job", jobs, false), ("by label", pairs, true)]
    {
        lines.push(format!("\nseries {title}"));
        lines.extend(ranks.iter().map(|rank| ranked(rank, whole)));
    }
    lines.push("\nvalues of a label".to_owned());
    for Values { name, values, estimated } in labels {
        let about = if *estimated > 0 { " (give or take 1.6 %)" } else { "" };
        lines.push(format!("{:>13}  {}{about}", grouped(*values), printable(name)));
    }
    lines.extend(created(churn));
    lines.extend(needs(memory));
    lines.extend(beyond(*bound));
    lines.push(String::new());
    lines.join("\n")
}

fn created(churn: &Churn) -> Vec<String> {
    let Churn { earlier, hours, unknown } = churn;
    let mut lines = vec!["\nseries created (UTC)".to_owned()];
    let mut line = |series: u64, when: &str| {
        if series > 0 {
            lines.push(format!("{:>13}  {when}", grouped(series)));
        }
    };
    line(*earlier, "before the segments that are left");
    for Hour { from, series } in hours {
        line(*series, &clock(*from));
    }
    line(*unknown, "at a time that no samples tell");
    lines
}

fn needs(memory: &[Need]) -> Vec<String> {
    let mut lines = vec!["\nmemory that a start needs".to_owned()];
    for Need { line: Line { from, .. }, at_ready, low, limit, high } in memory {
        let [at_ready, low, limit, high] = [at_ready, low, limit, high].map(|bytes| size(*bytes));
        let from = format!("from {from}:");
        lines.push(format!("  {from:<11}{at_ready} when ready; limit {limit} ({low} to {high})"));
    }
    lines.push("  limit = series x 3.0 kB x 1.5 + 64 MiB; when ready: as measured".to_owned());
    lines
}

fn beyond(bound: Bound) -> Option<String> {
    let Bound { series_not_told_apart, pairs_by_sketch, other_labels, labels_beyond } = bound;
    (series_not_told_apart + pairs_by_sketch + other_labels + labels_beyond > 0).then(|| {
        format!(
            "\nmore than memory is given for: {} series were not told apart,\n\
             {} labels of series were counted by a sketch, {} have a name that is not told,\n\
             {} stand behind the first {MOST_LABELS} of their series and are not told",
            grouped(series_not_told_apart),
            grouped(pairs_by_sketch),
            grouped(other_labels),
            grouped(labels_beyond),
        )
    })
}

fn ranked(rank: &Rank, whole: bool) -> String {
    let mut words = format!("{:>13}  ", grouped(rank.series));
    if whole {
        words.push_str(&printable(&rank.name));
        words.push('=');
    }
    words.push_str(&printable(&rank.value));
    if rank.error > 0 {
        let _ = write!(words, " (up to {} more)", grouped(rank.error));
    }
    words
}

fn size(bytes: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = bytes.saturating_mul(10) / unit;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..0x10_0000 => format!("{} KiB", tenths(1 << 10)),
        0x10_0000..0x4000_0000 => format!("{} MiB", tenths(1 << 20)),
        _ => format!("{} GiB", tenths(1 << 30)),
    }
}

/// `2025-10-09 08:00` of milliseconds since 1970.
fn clock(time: i64) -> String {
    let Utc { year, month, day, hour, minute, .. } = Utc::of(time.div_euclid(1000));
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

#[cfg(test)]
mod tests {
    use super::{clock, grouped, size};

    #[test]
    fn numbers_are_words() {
        let said = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(said, ["0", "999", "1 000", "1 234 567"]);
        assert_eq!([0, 1 << 20, 3 << 29].map(size), ["0.0 KiB", "1.0 MiB", "1.5 GiB"]);
        let times = [0, 951_782_400_000, 1_760_000_000_000, -1].map(clock);
        let said = ["1970-01-01 00:00", "2000-02-29 00:00", "2025-10-09 08:53", "1969-12-31 23:59"];
        assert_eq!(times, said);
    }
}
