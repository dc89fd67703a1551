//! The class `bind`: where Prometheus listens, and whether probes and Services lead there.

mod check;
mod docs;
mod fix;
mod needs;

use super::{Class, Given, Job};
use crate::model::{CodeDoc, Finding, Need, Next, Snapshot, Verdict};
use crate::subject::{Subject, repair};

pub struct Bind;

impl Class for Bind {
    fn name(&self) -> &'static str {
        "bind"
    }

    fn about(&self) -> &'static str {
        "Up, and not reached: address, ports, probes, Services, policies, TLS"
    }

    fn docs(&self) -> &'static [CodeDoc] {
        docs::DOCS
    }

    fn job<'a>(&self, subject: &'a Subject, _given: &'a Given) -> Box<dyn Job + 'a> {
        Box::new(Work { subject })
    }
}

struct Work<'a> {
    subject: &'a Subject,
}

impl Job for Work<'_> {
    fn needs(&self, seen: &Snapshot) -> Vec<Need> {
        needs::needs(self.subject, seen)
    }

    fn check(&self, seen: &Snapshot) -> Verdict {
        check::check(self.subject, seen)
    }

    fn needs_to_fix(&self, seen: &Snapshot, found: &[Finding]) -> Vec<Need> {
        if fix::root(found).is_some() { repair::needs(self.subject, seen) } else { Vec::new() }
    }

    fn next(&self, seen: &Snapshot, found: &[Finding]) -> Next {
        fix::next(self.subject, seen, found)
    }
}
