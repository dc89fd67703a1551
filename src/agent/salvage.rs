//! `salvage`: its run and its words.

use std::io;
use std::path::Path;

use serde::Serialize;

use crate::datadir::inventory;
use crate::datadir::json;
use crate::datadir::layout;
use crate::datadir::plan::{Act, Why};
use crate::datadir::salvage::{self, NotDone, Report, Touched};

use crate::datadir::terms;

use super::progress::told;
use super::words::path;
use super::{Ended, Screen};

/// The report as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    command: &'a str,
    outcome: &'a str,
    /// Distinct ones that a start loads, where all could be told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    head_series: Option<u64>,
    #[serde(flatten)]
    report: &'a Report,
}

pub fn run(
    dir: &Path,
    terms: &terms::Salvage,
    json: bool,
    screen: &mut Screen<'_>,
) -> io::Result<Ended> {
    match told(screen, |tell| salvage::salvage(dir, terms, tell)) {
        Ok(report) => {
            let outcome = if report.files.is_empty() { "clean" } else { "salvaged" };
            tell(dir, &report, ("salvage", outcome), json, screen)
        }
        Err(not_done) => refused(dir, &not_done, screen),
    }
}

/// `--dry-run`: faults that are found end as those of a survey do.
pub fn rehearse(dir: &Path, json: bool, screen: &mut Screen<'_>) -> io::Result<Ended> {
    match salvage::rehearse(dir) {
        Ok(report) if report.files.is_empty() => {
            tell(dir, &report, ("salvage", "clean"), json, screen)
        }
        Ok(report) => {
            tell(dir, &report, ("salvage", "planned"), json, screen)?;
            Ok(Ended::Found)
        }
        Err(not_done) => refused(dir, &not_done, screen),
    }
}

/// One line of what stopped it, and what to do next.
pub(super) fn refused(
    dir: &Path,
    not_done: &NotDone,
    screen: &mut Screen<'_>,
) -> io::Result<Ended> {
    let (err, caller) = (&mut *screen.err, screen.caller);
    let (resume, restore) = (caller.resume(dir), caller.restore(dir));
    match not_done {
        NotDone::Refused(why) => {
            writeln!(err, "refused, nothing was changed: {why}")?;
            Ok(Ended::Refused)
        }
        NotDone::Begun => {
            let dir = path(dir);
            writeln!(
                err,
                "refused, nothing was changed: {dir}: something was begun here and not finished; \
                 first\n  {resume}\nor\n  {restore}"
            )?;
            Ok(Ended::Refused)
        }
        NotDone::Failed(failed) => {
            writeln!(err, "{failed}; nothing was changed")?;
            Ok(Ended::Error)
        }
        NotDone::Unfinished(failed) => {
            writeln!(
                err,
                "{failed}; not finished, nothing is lost. Before Prometheus starts, go on or back:\n  \
                 {resume}\n  {restore}"
            )?;
            Ok(Ended::Unfinished)
        }
        NotDone::Unproved(why) => {
            writeln!(err, "{why}. To go back:\n  {restore}")?;
            Ok(Ended::Unfinished)
        }
    }
}

pub(super) fn tell(
    dir: &Path,
    report: &Report,
    (command, outcome): (&str, &str),
    json: bool,
    screen: &mut Screen<'_>,
) -> io::Result<Ended> {
    if json {
        let head_series = if outcome == "salvaged" { head_series(dir, screen) } else { None };
        let out = &mut *screen.out;
        let answer = Answer { command, outcome, head_series, report };
        json::write(&mut *out, &answer)?;
        writeln!(out)?;
        return Ok(Ended::Clean);
    }
    let (out, caller) = (&mut *screen.out, screen.caller);
    let Report { files, aside, kept, orphans, extra_bytes, begins: _, agreed: _ } = report;
    if files.is_empty() {
        writeln!(out, "no fault: {} records, {} samples", kept.records, kept.samples)?;
        return Ok(Ended::Clean);
    }
    let verb = match (outcome, files.len()) {
        ("planned", _) => "would be",
        (_, 1) => "was",
        _ => "were",
    };
    writeln!(out, "{} {verb} changed:", counted(files.len() as u64, "file"))?;
    // Of files that share a fate, as hundreds of empty ones do, the first and the last.
    for same in files.chunk_by(empty_in_a_row) {
        let (Some(first), Some(last)) = (same.first(), same.last()) else { continue };
        let path = match same.len() {
            1 => first.planned.path.clone(),
            _ => format!("{} to {}", first.planned.path, last.planned.path),
        };
        writeln!(out, "  {path}\n    {} ({})", what(first), reason(first.planned.why))?;
    }
    let (records, series, samples) = (kept.records, kept.series, kept.samples);
    writeln!(out, "a start reads {records} records: {series} series, {samples} samples")?;
    if orphans.samples > 0 {
        let (samples, series) = (orphans.samples, orphans.series);
        writeln!(
            out,
            "{samples} samples of {series} series have lost their Series record, by ref:"
        )?;
        for (reference, samples) in orphans.named.iter().take(10) {
            writeln!(out, "  {reference}: {samples}")?;
        }
        if orphans.series > 10 {
            let (more, json) = (orphans.series - 10, caller.json());
            writeln!(out, "  and {more} more; {json} names them")?;
        }
    }
    match aside {
        Some(aside) => {
            writeln!(
                out,
                "the old files are in {aside}/old,\nwhich takes {extra_bytes} bytes more"
            )?;
        }
        None => writeln!(out, "{extra_bytes} bytes more would be used")?,
    }
    Ok(Ended::Clean)
}

/// Whoever waits for this holds the start to it. Of a snapshot a start makes the series of the head that was
/// stopped, and none of those that stand in the log before it.
fn head_series(dir: &Path, screen: &mut Screen<'_>) -> Option<u64> {
    if !layout::read(dir).ok()?.snapshots.is_empty() {
        return None;
    }
    let found = told(screen, |tell| inventory::read(dir, 0, tell)).ok()?;
    (found.bound.series_not_told_apart == 0).then_some(found.series)
}

fn empty_in_a_row(a: &Touched, b: &Touched) -> bool {
    let number = |file: &Touched| {
        let (folder, name) = file.planned.path.rsplit_once('/')?;
        Some((folder.to_owned(), name.parse::<u64>().ok()?))
    };
    let next = |(folder, number)| (folder, number + 1);
    a.planned.act == Act::Empty && b.planned.act == Act::Empty && number(a).map(next) == number(b)
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn what(file: &Touched) -> String {
    match &file.planned.act {
        Act::Rewrite => {
            let kept = file.kept.unwrap_or_default();
            let faults = counted(file.fault_count, "fault");
            let (records, samples) = (kept.records, kept.samples);
            format!("written anew: {faults}, {records} records kept, {samples} samples")
        }
        Act::Copy(from) => format!("the records of {from}"),
        Act::Rename(from) => format!("{from} under this name"),
        Act::Shorten(end) => format!("its first {end} bytes"),
        Act::Empty => "empty".to_owned(),
        Act::EmptyFolder => "an empty folder".to_owned(),
        Act::Guard(reference) => format!("one Series record, ref {reference}"),
        // Nothing proves which series its refs mean: a checkpoint that was damaged when they were given
        // may name others by them.
        Act::SetAside if file.planned.why == Why::BehindCheckpoint => {
            let samples = file.kept.unwrap_or_default().samples;
            format!("set aside, {} in it", counted(samples, "sample"))
        }
        Act::SetAside => "set aside".to_owned(),
    }
}

fn reason(why: Why) -> &'static str {
    match why {
        Why::Corrupt => "damaged",
        Why::Missing => "missing",
        Why::Duplicate => "another file has this number",
        Why::RepairUnfinished => "left by an unfinished repair",
        Why::OddName => "Prometheus looks for eight digits",
        Why::BehindCheckpoint => "the checkpoint stands for it: no start reads it",
        Why::NumbersRestart => "lower numbers would never be read",
        Why::AfterFault => "behind a fault; made anew from the log",
        Why::NotAFolder => "a checkpoint is a folder",
        Why::SnapshotUseless => "cannot be used",
        Why::BlockUnusable => "Prometheus does not start beside it",
        Why::RefsLost => "no lost ref is given again",
    }
}
