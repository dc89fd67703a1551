//! The failure classes. A class is a folder: what it is (`mod`), what it must see (`needs`), what
//! that means (`check`), how to heal it (`fix`). No class knows another; what they have in common
//! is in `subject` and `model`.

pub mod bind;
pub mod oom;
pub mod other;
pub mod perms;
pub mod wal;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::model::plan::Look;
use crate::model::report::Directory;
use crate::model::{Code, CodeDoc, Finding, Need, Next, Path, Snapshot, Stage, Verdict};
use crate::subject::Subject;

/// Every class, in the order in which commands and codes are listed.
pub const ALL: &[&dyn Class] = &[&oom::Oom, &perms::Perms, &wal::Wal, &bind::Bind, &other::Other];

/// What was given on the command line to a class: long option to value.
pub type Given = BTreeMap<String, String>;

/// The option that says how long a startup probe is to wait, for every class that gives a replay its
/// time.
const BUDGET: Budget = Budget("startup-budget");

#[derive(Clone, Copy)]
struct Budget(&'static str);

impl Budget {
    fn flag(self) -> String {
        format!("--{}", self.0)
    }

    fn option(self, help: &'static str) -> clap::Arg {
        let number = |text: &str| {
            let number = text.parse::<u32>().map(|seconds| seconds.to_string());
            number.map_err(|_| "no number of seconds such as 1800".to_owned())
        };
        clap::Arg::new(self.0).long(self.0).value_name("SECONDS").value_parser(number).help(help)
    }

    fn given(self, given: &Given) -> Option<i64> {
        given.get(self.0).and_then(|text| text.parse().ok())
    }
}

/// What a data directory on this machine tells of a class (`--data DIR`), without a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisk {
    /// What is wrong with its files, and how they are mended.
    Damage,
    /// Who fills the head, and the memory that a start needs.
    Head,
    /// Whose its files are.
    Owners,
}

/// One failure class.
pub trait Class: Sync {
    /// The first part of its codes and, where [`Class::command`] is true, the sub-command.
    fn name(&self) -> &'static str;
    /// One line for `--help`.
    fn about(&self) -> &'static str;
    /// Whether there is a sub-command of this name.
    fn command(&self) -> bool {
        true
    }
    /// Adds the class's own options to its sub-command.
    fn options(&self, command: clap::Command) -> clap::Command {
        command
    }
    /// What a data directory by itself tells of it.
    fn on_disk(&self) -> Option<OnDisk> {
        None
    }
    /// Lines to copy beyond those that every class has, as its help shows them.
    fn examples(&self) -> &'static str {
        ""
    }
    /// Its codes, with what `explain` says of them.
    fn docs(&self) -> &'static [CodeDoc];
    /// What a person does where a helper of its plan refuses the work, and has changed nothing.
    fn refused(&self) -> &'static [&'static str] {
        &[]
    }
    /// The work on one Prometheus.
    fn job<'a>(&self, subject: &'a Subject, given: &'a Given) -> Box<dyn Job + 'a>;
}

/// One class at work on one Prometheus. Pure and synchronous.
pub trait Job {
    /// What it must see next, given what was seen; empty when it has enough.
    fn needs(&self, seen: &Snapshot) -> Vec<Need>;
    /// What it must see beside, where the person asked for this class by name.
    fn needs_when_asked(&self, _seen: &Snapshot) -> Vec<Need> {
        Vec::new()
    }
    /// What of [`Job::needs`] tells whether it is well again: asked every few seconds after a repair.
    /// What is left out is read once more before that is said.
    fn needs_to_prove(&self, seen: &Snapshot) -> Vec<Need> {
        self.needs(seen)
    }
    /// What the facts mean.
    fn check(&self, seen: &Snapshot) -> Verdict;
    /// What further facts a repair of `found` needs; asked only when its finding is the root.
    fn needs_to_fix(&self, _seen: &Snapshot, _found: &[Finding]) -> Vec<Need> {
        Vec::new()
    }
    /// A look that was allowed and that no finding asks for, where the person asked for this class: none
    /// of what was read says whether all is well.
    fn look(&self, _seen: &Snapshot) -> Option<Look> {
        None
    }
    /// The way to its pods, step by step, where the class is about that; all classes' findings joined.
    fn paths(&self, _seen: &Snapshot, _found: &[Finding]) -> Vec<Path> {
        Vec::new()
    }
    /// What a look inside told of the files, where the class reads them.
    fn directories(&self, _seen: &Snapshot) -> Vec<Directory> {
        Vec::new()
    }
    /// What to do about the findings, all classes' findings joined.
    fn next(&self, seen: &Snapshot, found: &[Finding]) -> Next;
}

/// What is known of a code.
pub fn doc(code: &str) -> Option<&'static CodeDoc> {
    ALL.iter().flat_map(|class| class.docs()).find(|doc| doc.code.0 == code)
}

/// Where a code ranks; an unknown one last.
pub fn stage(code: Code) -> Stage {
    doc(code.0).map_or(Stage::Reach, |doc| doc.stage)
}
