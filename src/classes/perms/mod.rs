//! The class `perms`: who may write the data directory: owner, group, mount, admission of the pod.

mod check;
mod docs;
mod fix;
mod honours;
mod needs;

use super::{Class, Given, Job, OnDisk};
use crate::model::{CodeDoc, Finding, Need, Next, Snapshot, Verdict};
use crate::subject::Subject;

pub struct Perms;

impl Class for Perms {
    fn name(&self) -> &'static str {
        "perms"
    }

    fn about(&self) -> &'static str {
        "The data directory cannot be written: fsGroup, owners, mounts, security context"
    }

    fn on_disk(&self) -> Option<OnDisk> {
        Some(OnDisk::Owners)
    }

    fn docs(&self) -> &'static [CodeDoc] {
        docs::DOCS
    }

    fn refused(&self) -> &'static [&'static str] {
        fix::NOT_GIVEN
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

    fn needs_to_prove(&self, seen: &Snapshot) -> Vec<Need> {
        needs::needs_to_prove(self.subject, seen)
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
