//! `survey`: a data directory, as a report for a person or as JSON.

mod beside;
mod faults;
pub mod map;
mod start;
pub mod uploads;

use std::fmt::{self, Write as _};
use std::io;
use std::path::Path;

use super::args::TOP;
use super::progress::told;
use super::words::{count, grouped, path, size, utc};
use super::{Caller, Ended, Screen};
use crate::datadir::inventory;
use crate::datadir::json;
use crate::datadir::survey::fold::NextStart;
use crate::datadir::survey::{self, SegmentFile, Survey};
use crate::walfile::count::{Counts, Kept};
use crate::walfile::segment::Depth;

/// Series records with which an inventory stays below 100 MiB: 5 million take 66 (`tests/bench/wal`).
const MOST_COUNTED: u64 = 6_000_000;

/// `counts`: its JSON holds an inventory, too, where there are not too many series.
pub fn run(
    dir: &Path,
    (depth, counts): (Depth, bool),
    json: bool,
    screen: &mut Screen<'_>,
) -> io::Result<Ended> {
    let read = told(screen, |tell| survey::read(dir, depth, tell));
    let mut found = match read {
        Ok(found) => found,
        Err(error) => {
            writeln!(screen.err, "{error}\nDIR is the directory that holds wal/")?;
            return Ok(Ended::Error);
        }
    };
    // The survey goes before: an inventory of more could cost it, where a helper has 128 MiB.
    if counts && found.judged.kept.fragment.series <= MOST_COUNTED {
        // The survey says why a file cannot be read.
        found.inventory = told(screen, |tell| inventory::read(dir, TOP, tell)).ok();
    }
    if json {
        json::write(screen.out, &found)?;
        writeln!(screen.out)?;
    } else {
        screen.out.write_all(text(&found, screen.caller).as_bytes())?;
    }
    let clean = found.judged.problems.is_empty();
    Ok(if clean { Ended::Clean } else { Ended::Found })
}

/// At most 80 columns, but for paths.
fn text(found: &Survey, caller: Caller) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = report(found, caller, &mut out);
    out
}

fn report(found: &Survey, caller: Caller, out: &mut String) -> fmt::Result {
    let problems = found.judged.problems.len() as u64;
    let verdict = if problems == 0 { "NO FAULT" } else { "FAULTS" };
    write!(out, "{verdict}  {}", path(&found.root))?;
    if problems > 0 {
        let then = match found.judged.next_start {
            NextStart::Starts => "",
            NextStart::Repairs { .. } | NextStart::DestroysLog { .. } => {
                "; DO NOT START PROMETHEUS"
            }
            NextStart::Fails { .. } => "; Prometheus does not start",
        };
        write!(out, "   {}{then}", count(problems, "problem"))?;
    }
    writeln!(out, "\n")?;
    let contents = &found.contents;
    for checkpoint in &contents.checkpoints {
        let name = format!("wal/checkpoint.{:08}", checkpoint.number);
        log(&name, &checkpoint.files, found.depth, out)?;
    }
    log("wal", &contents.segments, found.depth, out)?;
    log("wbl", &contents.wbl, found.depth, out)?;
    beside::write(contents, out)?;
    let map = map::lines(&found.map);
    if !map.is_empty() {
        writeln!(out, "\nMap of the log, by number\n{}", map.join("\n"))?;
    }
    if let Some(uploads) = &found.uploads {
        writeln!(out, "\n{}", uploads::lines(uploads).join("\n"))?;
    }
    faults::write(found, out)?;
    policies(found, out)?;
    start::write(found, caller, out)
}

/// What one folder holds, in two lines or three.
fn log(name: &str, files: &[SegmentFile], depth: Depth, out: &mut String) -> fmt::Result {
    let (Some(first), Some(last)) = (files.first(), files.last()) else { return Ok(()) };
    let mut counts = Counts::default();
    files.iter().for_each(|file| counts.add(&file.found.counts));
    let bytes: u64 = files.iter().map(|file| file.found.size).sum();
    let numbers = if first.number == last.number {
        first.number.to_string()
    } else {
        format!("{}-{}", first.number, last.number)
    };
    let files = count(files.len() as u64, "file");
    writeln!(
        out,
        "{name}   {files} ({numbers}), {}, {}",
        size(bytes),
        count(counts.records, "record")
    )?;
    let of_types: Vec<String> = counts
        .by_type
        .iter()
        .map(|(kind, of)| match depth {
            Depth::Quick => format!("{kind:?} {}", grouped(of.records)),
            Depth::Full => format!("{kind:?} {} ({})", grouped(of.records), grouped(of.entries)),
        })
        .collect();
    wrapped("    records    ", &of_types, out)?;
    if depth == Depth::Full {
        let entries = &counts.entries;
        let (samples, series) = (count(entries.samples, "sample"), grouped(entries.series));
        writeln!(out, "    holds      {samples}, {series} series named")?;
        if let Some(refs) = entries.refs {
            writeln!(out, "    refs       {} to {}", refs.first, refs.last)?;
        }
        if let Some(span) = entries.span {
            writeln!(out, "    time       {} to {}", utc(span.first), utc(span.last))?;
        }
    }
    Ok(())
}

/// Words behind a head, in lines of 80 columns.
fn wrapped(head: &str, words: &[String], out: &mut String) -> fmt::Result {
    let mut line = head.to_owned();
    for (at, word) in words.iter().enumerate() {
        let comma = if at + 1 < words.len() { "," } else { "" };
        if line.len() + word.len() + 2 > 80 && line.len() > head.len() {
            writeln!(out, "{}", line.trim_end())?;
            line = " ".repeat(head.len());
        }
        let _ = write!(line, "{word}{comma} ");
    }
    if words.is_empty() { Ok(()) } else { writeln!(out, "{}", line.trim_end()) }
}

/// The three ways to go on, side by side.
fn policies(found: &Survey, out: &mut String) -> fmt::Result {
    if found.judged.problems.is_empty() {
        return Ok(());
    }
    let kept = &found.judged.kept;
    writeln!(
        out,
        "\nKept, of all that Prometheus would read   records         samples     series"
    )?;
    let mut row = |name: &str, kept: &Kept| {
        let Kept { records, series, samples } = *kept;
        let (records, samples, series) = (grouped(records), grouped(samples), grouped(series));
        writeln!(out, " {name:<34} {records:>13} {samples:>15} {series:>10}")
    };
    row("by Prometheus' own repair", &kept.prometheus)?;
    row("by going on with the next page", &kept.page)?;
    row("by going on with the next fragment", &kept.fragment)?;
    if found.depth == Depth::Quick {
        writeln!(out, " without --quick also samples and series are counted")?;
    }
    let orphans = &found.contents.orphans;
    if orphans.samples > 0 {
        let refs: Vec<String> = orphans.examples.iter().map(u64::to_string).collect();
        writeln!(
            out,
            " of these {} are of {} whose record is lost: no way keeps them\n \
             refs {}",
            count(orphans.samples, "sample"),
            count(orphans.series, "ref"),
            refs.join(", "),
        )?;
    }
    Ok(())
}
