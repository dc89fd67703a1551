//! The class `other`: causes outside of the four classes that are mistaken for one of them: the
//! cluster, the configuration, the disk. It has no sub-command; `diagnose` names them.

mod check;
mod docs;
mod fix;
mod needs;

use super::{Class, Given, Job};
use crate::model::{CodeDoc, Finding, Need, Next, Snapshot, Verdict};
use crate::subject::Subject;

pub struct Other;

impl Class for Other {
    fn name(&self) -> &'static str {
        "other"
    }

    fn about(&self) -> &'static str {
        "Causes outside of these classes"
    }

    /// Most of these are healed where no patch of Prometheus reaches.
    fn command(&self) -> bool {
        false
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
        fix::needs(self.subject, seen, found)
    }

    fn next(&self, seen: &Snapshot, found: &[Finding]) -> Next {
        fix::next(self.subject, seen, found)
    }
}
