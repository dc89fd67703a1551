//! The command line, by hand: an argument parser would be a third of the program's size.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use super::inventory;
use crate::walfile::inventory::{memory, ranking};

pub const HELP: &str = "\
Reads the data directory of a Prometheus that does not run, says what is wrong with it, and mends it
without losing what can be read.

usage: prom-fix-agent COMMAND DIR [--json]

DIR is what --storage.tsdb.path names: the directory that holds wal/.

commands:
  layout     what lies in it, by its names
  inventory  who fills the head: series by metric, job and label, values by label, churn, and the
             memory that a start needs; --top N of each (10), --prometheus-version V of that only

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
    Inventory { dir: PathBuf, asked: inventory::Asked },
}

/// Flags that a value follows; each command takes those that are its own.
const VALUED: &[&str] = &["--top", "--prometheus-version"];

/// The flags of a command that were given, with their values.
#[derive(Default)]
struct Flags(Vec<(&'static str, String)>);

impl Flags {
    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(given, _)| *given == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| format!("{name} {value}: not a number that it takes"))
    }
}

/// Reads the words after the program's name; an error is one line for a person.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut names = Vec::new();
    let mut json = false;
    let mut flags = Flags::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--help" | "-h") => return Ok(Asked { command: Command::Help, json }),
            Some("--version" | "-V") => return Ok(Asked { command: Command::Version, json }),
            Some("--json") => json = true,
            Some(flag) if flag.starts_with('-') => {
                let (name, value) = match flag.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (flag, None),
                };
                let known = VALUED.iter().find(|known| **known == name);
                let known = known.ok_or_else(|| format!("{name}: no such flag"))?;
                let next = || words.next().and_then(|word| word.into_string().ok());
                let value =
                    value.or_else(next).ok_or_else(|| format!("{name}: a value is missing"))?;
                flags.0.push((known, value));
            }
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
        Some("inventory") => Command::Inventory { dir: dir?, asked: inventory(&mut flags)? },
        _ => return Err(format!("{}: no such command", command.display())),
    };
    match flags.0.first() {
        Some((name, _)) => Err(format!("{name}: not a flag of this command, or given twice")),
        None => Ok(Asked { command, json }),
    }
}

fn inventory(flags: &mut Flags) -> Result<inventory::Asked, String> {
    let top = flags.number::<usize>("--top")?.unwrap_or(10);
    if !(1..=ranking::MOST).contains(&top) {
        return Err(format!("--top {top}: from 1 to {}", ranking::MOST));
    }
    let line = match flags.take("--prometheus-version") {
        Some(version) => Some(
            memory::line(&version)
                .ok_or_else(|| format!("--prometheus-version {version}: not such as 2.53.3"))?,
        ),
        None => None,
    };
    Ok(inventory::Asked { top, line })
}
