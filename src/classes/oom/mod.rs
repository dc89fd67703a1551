//! Out of memory: what was killed, at which limit, while doing what; how much it needs; where the
//! limit is set so that it lasts.

mod budget;
mod check;
mod docs;
mod fix;
mod inventory;
mod kill;
mod landing;
mod needs;
mod offenders;
mod preflight;
mod room;
mod size;
mod stuck;

use super::{BUDGET, Class, Given, Job, OnDisk};
use crate::model::{CodeDoc, Finding, Need, Next, Snapshot, Verdict};
use crate::subject::Subject;

/// The class itself.
pub struct Oom;

/// The option that overrides the computed size.
const MEMORY: &str = "memory";

/// The options of this class, read.
#[derive(Clone, Copy, Debug, Default)]
struct Asked<'a> {
    memory: Option<&'a str>,
    /// Seconds; 0 leaves the probe alone.
    startup_budget: Option<i64>,
}

impl Class for Oom {
    fn name(&self) -> &'static str {
        "oom"
    }

    fn about(&self) -> &'static str {
        "Killed for memory: which limit, how much it needs, where to set it"
    }

    fn options(&self, command: clap::Command) -> clap::Command {
        command
            .arg(
                clap::Arg::new(MEMORY)
                    .long(MEMORY)
                    .value_name("LIMIT[,REQUEST]")
                    .value_parser(|text: &str| {
                        size::choose(None, Some(text), None, None).map(|_| text.to_owned())
                    })
                    .help("Use this size instead of the computed one, e.g. 4Gi or 4Gi,3Gi"),
            )
            .arg(
                BUDGET.option(
                    "Let the startup probe wait this long for the replay; 0 leaves it alone",
                ),
            )
    }

    fn on_disk(&self) -> Option<OnDisk> {
        Some(OnDisk::Head)
    }

    fn docs(&self) -> &'static [CodeDoc] {
        docs::ALL
    }

    fn job<'a>(&self, subject: &'a Subject, given: &'a Given) -> Box<dyn Job + 'a> {
        Box::new(OomJob { subject, given })
    }
}

struct OomJob<'a> {
    subject: &'a Subject,
    given: &'a Given,
}

impl Job for OomJob<'_> {
    fn needs(&self, seen: &Snapshot) -> Vec<Need> {
        needs::first(self.subject, seen)
    }

    fn needs_to_prove(&self, seen: &Snapshot) -> Vec<Need> {
        needs::first(self.subject, seen)
            .into_iter()
            .filter(|need| !matches!(need, Need::Http { .. } | Need::Nodes { .. }))
            .collect()
    }

    fn check(&self, seen: &Snapshot) -> Verdict {
        check::check(self.subject, seen)
    }

    fn needs_to_fix(&self, seen: &Snapshot, found: &[Finding]) -> Vec<Need> {
        needs::to_fix(self.subject, seen, found, self.given.get(MEMORY).map(String::as_str))
    }

    fn next(&self, seen: &Snapshot, found: &[Finding]) -> Next {
        let asked = Asked {
            memory: self.given.get(MEMORY).map(String::as_str),
            startup_budget: BUDGET.given(self.given),
        };
        fix::next(self.subject, seen, found, &asked)
    }
}
