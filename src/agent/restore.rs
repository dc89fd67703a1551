//! `resume` and `restore`: their runs and their words.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::datadir::json;
use crate::datadir::restore::{self, Restored, Resumed};
use crate::datadir::terms;

use super::salvage::{refused, tell};
use super::{Ended, Screen};

/// The report as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    command: &'a str,
    outcome: &'a str,
    /// The folder that held the old files.
    aside: Option<&'a str>,
    /// What is as it was.
    paths: &'a [String],
}

pub fn resume(dir: &Path, json: bool, screen: &mut Screen<'_>) -> io::Result<Ended> {
    match restore::resume(dir, false) {
        Ok(Resumed::Nothing) => nothing("resume", json, screen.out),
        Ok(Resumed::Salvaged(report)) => tell(dir, &report, ("resume", "salvaged"), json, screen),
        Ok(Resumed::Restored(restored)) => told(&restored, "resume", json, screen.out),
        Err(not_done) => refused(dir, &not_done, screen),
    }
}

pub fn restore(
    dir: &Path,
    terms: &terms::Restore,
    json: bool,
    screen: &mut Screen<'_>,
) -> io::Result<Ended> {
    match restore::restore(dir, terms) {
        Ok(Some(restored)) => told(&restored, "restore", json, screen.out),
        Ok(None) => nothing("restore", json, screen.out),
        Err(not_done) => refused(dir, &not_done, screen),
    }
}

pub(super) fn nothing(command: &str, json: bool, out: &mut dyn Write) -> io::Result<Ended> {
    if json {
        return answered(&Answer { command, outcome: "nothing", aside: None, paths: &[] }, out);
    }
    writeln!(out, "nothing to {command}")?;
    Ok(Ended::Clean)
}

fn told(restored: &Restored, command: &str, json: bool, out: &mut dyn Write) -> io::Result<Ended> {
    let Restored { folder, paths } = restored;
    if json {
        return answered(&Answer { command, outcome: "restored", aside: Some(folder), paths }, out);
    }
    for path in paths {
        writeln!(out, "{path}  as it was")?;
    }
    writeln!(out, "{folder} is gone; the directory is as it was before the salvage")?;
    Ok(Ended::Clean)
}

fn answered(answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<Ended> {
    json::write(&mut *out, answer)?;
    writeln!(out)?;
    Ok(Ended::Clean)
}
