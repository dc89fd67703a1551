//! The class `wal`: the write-ahead log and what is stored beside it: gaps, damage, what
//! Prometheus' own repair took, and the replay itself.

mod check;
mod docs;
mod fix;
mod needs;

use super::{BUDGET, Class, Given, Job, OnDisk};
use crate::model::report::Directory;
use crate::model::{CodeDoc, Finding, Need, Next, Snapshot, Verdict};
use crate::subject::{Subject, rivals};

pub struct Wal;

impl Class for Wal {
    fn name(&self) -> &'static str {
        "wal"
    }

    fn about(&self) -> &'static str {
        "Write-ahead log, blocks, head chunks: damage, gaps, endless replay, a held lock"
    }

    fn options(&self, command: clap::Command) -> clap::Command {
        command.arg(BUDGET.option("Let the startup probe wait this long for the replay"))
    }

    fn on_disk(&self) -> Option<OnDisk> {
        Some(OnDisk::Damage)
    }

    fn docs(&self) -> &'static [CodeDoc] {
        docs::DOCS
    }

    fn job<'a>(&self, subject: &'a Subject, given: &'a Given) -> Box<dyn Job + 'a> {
        Box::new(Work { subject, given })
    }
}

struct Work<'a> {
    subject: &'a Subject,
    given: &'a Given,
}

impl Job for Work<'_> {
    fn needs(&self, seen: &Snapshot) -> Vec<Need> {
        [self.needs_to_prove(seen), needs::counters(self.subject, seen)].concat()
    }

    fn needs_to_prove(&self, seen: &Snapshot) -> Vec<Need> {
        let mut out = needs::needs(self.subject, seen);
        // Then it says how the pod can be held.
        if self.check(seen).danger.is_some() {
            out.extend(rivals::needs(self.subject));
        }
        out
    }

    fn check(&self, seen: &Snapshot) -> Verdict {
        check::check(self.subject, seen)
    }

    fn needs_to_fix(&self, seen: &Snapshot, found: &[Finding]) -> Vec<Need> {
        fix::needs(self.subject, seen, found)
    }

    fn directories(&self, seen: &Snapshot) -> Vec<Directory> {
        check::surveyed::directories(self.subject, seen)
    }

    fn next(&self, seen: &Snapshot, found: &[Finding]) -> Next {
        fix::next(self.subject, seen, found, BUDGET.given(self.given))
    }
}
