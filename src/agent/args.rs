//! The command line, by hand: an argument parser would be a third of the program's size.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use super::inventory;
use crate::datadir::terms;
use crate::datadir::user::{Change, User};
use crate::walfile::inventory::{memory, ranking};
use crate::walfile::segment::Depth;

pub const HELP: &str = "\
Reads the data directory of a Prometheus that does not run, says what is wrong with it, and mends it
without losing what can be read.

usage: prom-fix-agent COMMAND DIR [--json]

DIR is what --storage.tsdb.path names: the directory that holds wal/.

commands:
  survey     what is in every file, what is wrong, what Prometheus would make of it; with --quick
             checksums and order only, nothing is decompressed; --inventory: in its JSON also
             what that command counts
  inventory  who fills the head: series by metric, job and label, values by label, churn, and the
             memory that a start needs; --top N of each (10), --prometheus-version V of that only;
             takes 180 MiB at the most, and twice the largest record: beyond 8 million series and
             6 million label pairs it estimates, and says so
  owners     whose its files are, by uid, gid and mode; with --uid U --gid G [--groups G,G]: what
             that user could not read, write or traverse
  reach      whether a server takes connections, DIR being its ADDRESS:PORT; as JSON
  space      what takes how much room, as JSON
  chown      gives them to --uid U --gid G, and with --bits owner, group or owner,group the bits
             that these lack; what they were is kept in DIR/prom-fix-<time>; --dry-run only says it;
             --prove does it to one, and puts that back
  salvage    mends it: damaged files are written anew without the damage, the old ones are kept in
             DIR/prom-fix-<time>; refused while a Prometheus runs on it; --dry-run only says it;
             --expect A: not unless a survey's \"agreement\" is A; --go-on: or resume
  resume     goes on with a salvage or chown that was interrupted
  restore    puts back, bit for bit, what the last salvage or chown changed; --of A|chown: if it
             was that one; --force sets aside what Prometheus has written since
  cleanup    what was set aside, as JSON, also while Prometheus runs; --of A, or --of FOLDER+...:
             only that; --free: and frees it

  --json     the report as one JSON document on stdout
  --help, --version

exit: 0 no fault · 1 error · 2 faults found · 3 refused, nothing was changed ·
      5 begun and not finished
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
    Survey { dir: PathBuf, depth: Depth, inventory: bool },
    Inventory { dir: PathBuf, asked: inventory::Asked },
    Linux { dir: PathBuf, act: Act },
}

/// What is done on Linux only: see [`crate::datadir`]. The DIR of `Reach` is an ADDRESS:PORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Owners { user: Option<User> },
    Chown { change: Change, how: How },
    Reach,
    Space,
    Salvage { dry_run: bool, terms: terms::Salvage },
    Resume,
    Restore(terms::Restore),
    Cleanup(terms::Cleanup),
}

/// How far a change of owner goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Told,
    /// One is changed, and put back.
    Proved,
    Done,
}

/// How many of each an inventory names.
pub(super) const TOP: usize = 10;

impl Command {
    /// An inventory as it is where no flag says otherwise.
    #[must_use]
    pub fn inventory(dir: PathBuf) -> Command {
        Command::Inventory { dir, asked: inventory::Asked { top: TOP, line: None } }
    }
}

/// Flags that stand alone.
const SWITCHES: &[&str] =
    &["--json", "--quick", "--inventory", "--dry-run", "--prove", "--go-on", "--force", "--free"];
/// Flags that a value follows.
const VALUED: &[&str] =
    &["--top", "--prometheus-version", "--uid", "--gid", "--groups", "--bits", "--expect", "--of"];

/// The flags that were given; each command takes those that are its own.
#[derive(Default)]
struct Flags(Vec<(&'static str, String)>);

impl Flags {
    /// Reads `flag`, and its value from `words` where it does not hold it.
    fn read(
        &mut self,
        flag: &str,
        words: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), String> {
        if let Some(known) = SWITCHES.iter().find(|known| **known == flag) {
            self.0.push((known, String::new()));
            return Ok(());
        }
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        let known = VALUED.iter().find(|known| **known == name);
        let known = known.ok_or_else(|| format!("{name}: no such flag"))?;
        let next = || words.next().and_then(|word| word.into_string().ok());
        let value = value.or_else(next).ok_or_else(|| format!("{name}: a value is missing"))?;
        self.0.push((known, value));
        Ok(())
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(given, _)| *given == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn has(&mut self, name: &str) -> bool {
        self.take(name).is_some()
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| format!("{name} {value}: not what it takes"))
    }
}

/// Reads the words after the program's name; an error is one line for a person.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut names = Vec::new();
    let mut flags = Flags::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--help" | "-h") => return Ok(Asked { command: Command::Help, json: false }),
            Some("--version" | "-V") => {
                return Ok(Asked { command: Command::Version, json: false });
            }
            Some(flag) if flag.starts_with('-') => flags.read(flag, &mut words)?,
            _ => names.push(word),
        }
    }
    let mut names = names.into_iter();
    let command = names.next().ok_or("a command is missing")?;
    let dir = names.next().map(PathBuf::from).ok_or("DIR is missing");
    if let Some(more) = names.next() {
        return Err(format!("{}: one DIR at a time", more.display()));
    }
    let json = flags.has("--json");
    let command = match command.to_str() {
        Some("survey") => {
            let depth = if flags.has("--quick") { Depth::Quick } else { Depth::Full };
            Command::Survey { dir: dir?, depth, inventory: flags.has("--inventory") }
        }
        Some("inventory") => Command::Inventory { dir: dir?, asked: inventory(&mut flags)? },
        other => {
            let act = act(other, &mut flags)?;
            let act = act.ok_or_else(|| format!("{}: no such command", command.display()))?;
            Command::Linux { dir: dir?, act }
        }
    };
    match flags.0.first() {
        Some((name, _)) => Err(format!("{name}: not a flag of this command, or given twice")),
        None => Ok(Asked { command, json }),
    }
}

fn act(name: Option<&str>, flags: &mut Flags) -> Result<Option<Act>, String> {
    Ok(Some(match name {
        Some("owners") => Act::Owners { user: user(flags)? },
        Some("reach") => Act::Reach,
        Some("space") => Act::Space,
        Some("chown") => {
            let how = match (flags.has("--dry-run"), flags.has("--prove")) {
                (true, _) => How::Told,
                (false, true) => How::Proved,
                (false, false) => How::Done,
            };
            Act::Chown { change: change(flags)?, how }
        }
        Some("salvage") => {
            let terms =
                terms::Salvage { expect: flags.take("--expect"), go_on: flags.has("--go-on") };
            Act::Salvage { dry_run: flags.has("--dry-run"), terms }
        }
        Some("resume") => Act::Resume,
        Some("restore") => {
            Act::Restore(terms::Restore { of: flags.take("--of"), force: flags.has("--force") })
        }
        Some("cleanup") => {
            Act::Cleanup(terms::Cleanup { of: flags.take("--of"), free: flags.has("--free") })
        }
        _ => return Ok(None),
    }))
}

/// Neither uid nor gid, or both.
fn user(flags: &mut Flags) -> Result<Option<User>, String> {
    let (uid, gid) = (flags.number("--uid")?, flags.number("--gid")?);
    let groups = flags.take("--groups");
    match (uid, gid, &groups) {
        (Some(uid), Some(gid), _) => {
            let group = |word: &str| {
                word.parse().map_err(|_| format!("--groups {word}: not the number of a group"))
            };
            let groups = groups.as_deref().unwrap_or_default();
            let groups: Result<Vec<u32>, String> =
                groups.split(',').filter(|word| !word.is_empty()).map(group).collect();
            Ok(Some(User { uid, gid, groups: groups? }))
        }
        (None, None, None) => Ok(None),
        (_, _, _) => Err("--uid and --gid: one is not enough".to_owned()),
    }
}

fn change(flags: &mut Flags) -> Result<Change, String> {
    let (Some(uid), Some(gid)) = (flags.number("--uid")?, flags.number("--gid")?) else {
        return Err("chown: to whom? --uid U --gid G".to_owned());
    };
    let bits = flags.take("--bits").unwrap_or_default();
    let mut change = Change { uid, gid, owner_bits: false, group_bits: false };
    for word in bits.split(',').filter(|word| !word.is_empty()) {
        match word {
            "owner" => change.owner_bits = true,
            "group" => change.group_bits = true,
            _ => return Err(format!("--bits {word}: owner, group, or owner,group")),
        }
    }
    Ok(change)
}

fn inventory(flags: &mut Flags) -> Result<inventory::Asked, String> {
    let top = flags.number::<usize>("--top")?.unwrap_or(TOP);
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
