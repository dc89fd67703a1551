//! `salvage`: its run and its words.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::datadir::plan::{Act, Why};
use crate::datadir::salvage::{self, NotDone, Report, Touched};

use super::Ended;

/// The report as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    command: &'a str,
    outcome: &'a str,
    #[serde(flatten)]
    report: &'a Report,
}

pub fn run(dir: &Path, json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Ended> {
    match salvage::salvage(dir) {
        Ok(report) => {
            let outcome = if report.files.is_empty() { "clean" } else { "salvaged" };
            tell(&report, "salvage", outcome, json, out)
        }
        Err(not_done) => refused(dir, &not_done, err),
    }
}

/// `--dry-run`: faults that are found end as those of a survey do.
pub fn rehearse(
    dir: &Path,
    json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Ended> {
    match salvage::rehearse(dir) {
        Ok(report) if report.files.is_empty() => tell(&report, "salvage", "clean", json, out),
        Ok(report) => {
            tell(&report, "salvage", "planned", json, out)?;
            Ok(Ended::Found)
        }
        Err(not_done) => refused(dir, &not_done, err),
    }
}

/// One line of what stopped it, and what to do next.
pub(super) fn refused(dir: &Path, not_done: &NotDone, err: &mut dyn Write) -> io::Result<Ended> {
    let dir = dir.display();
    match not_done {
        NotDone::Refused(why) => {
            writeln!(err, "refused, nothing was changed: {why}")?;
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
                 prom-fix-agent resume {dir}\n  prom-fix-agent restore {dir}"
            )?;
            Ok(Ended::Error)
        }
        NotDone::Unproved(why) => {
            writeln!(err, "{why}. To go back:\n  prom-fix-agent restore {dir}")?;
            Ok(Ended::Error)
        }
    }
}

pub(super) fn tell(
    report: &Report,
    command: &str,
    outcome: &str,
    json: bool,
    out: &mut dyn Write,
) -> io::Result<Ended> {
    if json {
        serde_json::to_writer_pretty(&mut *out, &Answer { command, outcome, report })?;
        writeln!(out)?;
        return Ok(Ended::Clean);
    }
    let Report { files, aside, kept, orphans, extra_bytes } = report;
    if files.is_empty() {
        writeln!(out, "no fault: {} records, {} samples", kept.records, kept.samples)?;
        return Ok(Ended::Clean);
    }
    let verb = if outcome == "planned" { "would be" } else { "were" };
    writeln!(out, "{} files {verb} changed:", files.len())?;
    for file in files {
        writeln!(out, "  {}", line(file))?;
    }
    let (records, series, samples) = (kept.records, kept.series, kept.samples);
    writeln!(out, "a start reads {records} records: {series} series, {samples} samples")?;
    if orphans.samples > 0 {
        let (samples, series) = (orphans.samples, orphans.series);
        writeln!(out, "without their Series record: {samples} samples of {series} series:")?;
        for (reference, samples) in orphans.named.iter().take(10) {
            writeln!(out, "  ref {reference}: {samples} samples")?;
        }
    }
    match aside {
        Some(aside) => {
            writeln!(out, "the old files are in {aside}/old; {extra_bytes} bytes more are used")?;
        }
        None => writeln!(out, "at most {extra_bytes} bytes more would be used")?,
    }
    Ok(Ended::Clean)
}

fn line(file: &Touched) -> String {
    let path = &file.planned.path;
    let what = match &file.planned.act {
        Act::Rewrite => {
            let kept = file.kept.unwrap_or_default();
            let (faults, samples) = (file.fault_count, kept.samples);
            format!(
                "written anew: {faults} faults, {} records kept, {samples} samples",
                kept.records
            )
        }
        Act::Copy(from) => format!("the records of {from}"),
        Act::Shorten(end) => format!("its first {end} bytes"),
        Act::Empty => "empty".to_owned(),
        Act::EmptyFolder => "an empty folder".to_owned(),
        Act::Guard(reference) => format!("a Series record with ref {reference}"),
        Act::SetAside => "set aside".to_owned(),
    };
    format!("{path}  {what} ({})", reason(file.planned.why))
}

fn reason(why: Why) -> &'static str {
    match why {
        Why::Corrupt => "damaged",
        Why::Missing => "missing",
        Why::Duplicate => "another file has this number",
        Why::OddName => "Prometheus looks for eight digits",
        Why::BehindCheckpoint => "the checkpoint stands for it",
        Why::NumbersRestart => "lower numbers would never be read",
        Why::AfterFault => "behind a fault; made anew from the log",
        Why::NotAFolder => "a checkpoint is a folder",
        Why::SnapshotUseless => "cannot be used",
        Why::BlockUnusable => "Prometheus does not start beside it",
        Why::RefsLost => "so that lost refs are not given to other series",
    }
}
