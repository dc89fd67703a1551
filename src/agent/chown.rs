//! `chown`, and what puts it back: their runs and their words.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::args::How;
use super::owners::name;
use super::salvage::refused;
use super::words::path;
use super::{Ended, Screen};
use crate::datadir::chown::{self, Change, Report};
use crate::datadir::json;
use crate::datadir::salvage::NotDone;

/// Paths that are told to a person one by one.
const FIRST: usize = 10;

/// What a run did to each path of its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Nothing,
    WouldChange,
    Proved,
    Changed,
    Restored,
}

/// The report as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    command: &'a str,
    outcome: Outcome,
    #[serde(flatten)]
    report: &'a Report,
}

pub fn run(
    dir: &Path,
    change: Change,
    how: How,
    json: bool,
    screen: &mut Screen<'_>,
) -> io::Result<Ended> {
    let (done, outcome) = match how {
        How::Told => (chown::plan(dir, change), Outcome::WouldChange),
        How::Proved => (chown::prove(dir, change), Outcome::Proved),
        How::Done => (chown::chown(dir, change), Outcome::Changed),
    };
    told(dir, done, ("chown", outcome), json, screen)
}

/// Whether `resume` and `restore` are about a change of owner here; an error is an answer of theirs.
pub fn is_last(dir: &Path) -> bool {
    chown::is_last(dir).unwrap_or(false)
}

pub fn resume(dir: &Path, json: bool, screen: &mut Screen<'_>) -> io::Result<Ended> {
    told(dir, chown::resume(dir), ("resume", Outcome::Changed), json, screen)
}

pub fn restore(dir: &Path, json: bool, screen: &mut Screen<'_>) -> io::Result<Ended> {
    told(dir, chown::restore(dir), ("restore", Outcome::Restored), json, screen)
}

fn told(
    dir: &Path,
    done: Result<Report, NotDone>,
    (command, outcome): (&str, Outcome),
    json: bool,
    screen: &mut Screen<'_>,
) -> io::Result<Ended> {
    let report = match done {
        Ok(report) => report,
        Err(not_done) => return refused(dir, &not_done, screen),
    };
    let (out, caller) = (&mut *screen.out, screen.caller);
    let nothing = report.paths.is_empty() && report.gone.is_empty();
    let outcome = if nothing { Outcome::Nothing } else { outcome };
    if json {
        json::write(&mut *out, &Answer { command, outcome, report: &report })?;
        writeln!(out)?;
        return Ok(ended(outcome));
    }
    let Report { aside, paths, gone } = &report;
    let verb = match outcome {
        Outcome::Nothing => {
            writeln!(out, "nothing to do")?;
            return Ok(Ended::Clean);
        }
        Outcome::WouldChange => "would be changed",
        Outcome::Proved => "changed, and put back",
        Outcome::Changed => "changed",
        Outcome::Restored => "as they were",
    };
    writeln!(out, "{} {verb}:", paths.len())?;
    for path in paths.iter().take(FIRST) {
        writeln!(out, "  {}", name(Path::new(path)))?;
    }
    if paths.len() > FIRST {
        writeln!(out, "  and {} more", paths.len() - FIRST)?;
    }
    for path in gone {
        writeln!(out, "  {}  is gone, or is another file now: left alone", name(Path::new(path)))?;
    }
    if let (Outcome::Changed, Some(aside)) = (outcome, aside) {
        let (kept, restore) = (dir.join(aside), caller.restore(dir));
        writeln!(out, "what they were is in {}; to go back:\n  {restore}", path(&kept))?;
    }
    Ok(ended(outcome))
}

/// A dry run that finds something to change has found a fault.
fn ended(outcome: Outcome) -> Ended {
    match outcome {
        Outcome::WouldChange => Ended::Found,
        Outcome::Nothing | Outcome::Proved | Outcome::Changed | Outcome::Restored => Ended::Clean,
    }
}
