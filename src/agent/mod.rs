//! `prom-fix-agent`: the data directory's own program, small enough for a ConfigMap to carry it into
//! a helper pod. What it can do is in [`crate::datadir`]; here are its command line, its exit
//! numbers and its words.

mod args;
mod caller;
#[cfg(target_os = "linux")]
mod chown;
#[cfg(target_os = "linux")]
mod cleanup;
mod inventory;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod owners;
mod progress;
#[cfg(target_os = "linux")]
mod reach;
#[cfg(target_os = "linux")]
mod restore;
#[cfg(target_os = "linux")]
mod salvage;
#[cfg(target_os = "linux")]
mod space;
mod survey;
mod words;

#[cfg(all(feature = "faults", target_os = "linux"))]
pub use crate::datadir::disk::BEFORE;

use std::ffi::OsString;
use std::io::Write;

pub use crate::walfile::segment::Depth;
pub use args::{Act, Asked, Command, How};
pub use caller::Caller;
pub use survey::map::lines as map_lines;
pub use survey::uploads::lines as uploads_lines;

/// How a run ended: the numbers of the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// 0: no fault, or what is left behind has none.
    Clean,
    /// 1: an error, or bad usage.
    Error,
    /// 2: faults were found.
    Found,
    /// 3: refused; nothing was changed.
    Refused,
    /// 5: something was begun, and is not finished or not as it was promised.
    Unfinished,
}

impl Ended {
    /// The number the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Ended::Clean => 0,
            Ended::Error => 1,
            Ended::Found => 2,
            Ended::Refused => 3,
            Ended::Unfinished => 5,
        }
    }
}

/// Where a run writes, and whose words it uses.
pub struct Screen<'a> {
    /// The report.
    pub out: &'a mut dyn Write,
    /// What stopped it, and what to do next.
    pub err: &'a mut dyn Write,
    /// How far it is.
    pub progress: &'a mut dyn Write,
    /// Whether progress is seen on a terminal.
    pub terminal: bool,
    pub caller: Caller,
}

/// Does what the words after the program's name say.
pub fn run(words: impl IntoIterator<Item = OsString>, screen: &mut Screen<'_>) -> Ended {
    match args::read(words) {
        Ok(asked) => carry_out(&asked, screen),
        Err(usage) => {
            let _ = writeln!(screen.err, "{usage}\nprom-fix-agent --help says how it is used");
            Ended::Error
        }
    }
}

/// Does what was asked for.
pub fn carry_out(asked: &Asked, screen: &mut Screen<'_>) -> Ended {
    act(asked, screen).unwrap_or(Ended::Error)
}

fn act(asked: &Asked, screen: &mut Screen<'_>) -> std::io::Result<Ended> {
    let out = &mut *screen.out;
    match &asked.command {
        Command::Help => {
            out.write_all(args::HELP.as_bytes())?;
            Ok(Ended::Clean)
        }
        Command::Version => {
            writeln!(out, "prom-fix-agent {}", env!("CARGO_PKG_VERSION"))?;
            Ok(Ended::Clean)
        }
        Command::Inventory { dir, asked: what } => inventory::run(dir, what, asked.json, screen),
        Command::Survey { dir, depth, inventory } => {
            survey::run(dir, (*depth, *inventory), asked.json, screen)
        }
        #[cfg(target_os = "linux")]
        Command::Linux { dir, act } => linux::act(dir, act, asked.json, screen),
        #[cfg(not(target_os = "linux"))]
        Command::Linux { .. } => {
            writeln!(
                screen.err,
                "refused, nothing was changed: on this system it only reads (survey, inventory); \
                 what writes, locks or tells owners is for Linux"
            )?;
            Ok(Ended::Refused)
        }
    }
}
