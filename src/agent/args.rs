//! The command line, by hand: an argument parser would be a third of the program's size.

use std::ffi::OsString;
use std::path::PathBuf;

pub const HELP: &str = "\
Reads the data directory of a Prometheus that does not run, says what is wrong with it, and mends it
without losing what can be read.

usage: prom-fix-agent COMMAND DIR [--json]

DIR is what --storage.tsdb.path names: the directory that holds wal/.

commands:
  layout     what lies in it, by its names

  --json     the report as one JSON document on stdout
  --help, --version

exit: 0 no fault · 1 error · 2 faults found · 3 refused, nothing was changed
";

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub command: Command,
    pub json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Version,
    Layout { dir: PathBuf },
}

/// Reads the words after the program's name; an error is one line for a person.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut names = Vec::new();
    let mut json = false;
    for word in words {
        match word.to_str() {
            Some("--help" | "-h") => return Ok(Asked { command: Command::Help, json }),
            Some("--version" | "-V") => return Ok(Asked { command: Command::Version, json }),
            Some("--json") => json = true,
            Some(flag) if flag.starts_with('-') => return Err(format!("{flag}: no such flag")),
            _ => names.push(word),
        }
    }
    let mut names = names.into_iter();
    let command = names.next().ok_or("a command is missing")?;
    let dir = names.next().map(PathBuf::from).ok_or("DIR is missing");
    if let Some(more) = names.next() {
        return Err(format!("{}: one DIR at a time", more.display()));
    }
    let command = match command.to_str() {
        Some("layout") => Command::Layout { dir: dir? },
        _ => return Err(format!("{}: no such command", command.display())),
    };
    Ok(Asked { command, json })
}
