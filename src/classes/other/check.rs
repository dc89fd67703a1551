//! What the facts mean, from the outside in: owner, placement, container, end of the last run.

mod disk;
mod ended;
mod owner;
mod placement;
mod slow;
mod standing;
mod start;

use serde_json::Value;

use crate::model::log::{Runs, runs};
use crate::model::{Code, Finding, ObjectRef, Severity, Snapshot, Verdict};
use crate::subject::{Subject, hold, pod};

pub fn check(subject: &Subject, seen: &Snapshot) -> Verdict {
    let mut verdict = owner::check(subject, seen);
    // What is held by us does not start, and that is why.
    for pod in subject.pods.iter().filter(|pod| !hold::is_held(pod)) {
        let object = pod::reference(pod);
        let runs = runs::of(seen, pod, &subject.container);
        let case = Case { subject, seen, pod, object: &object, runs: &runs };
        // What keeps a pod from being placed, or a container from being made, comes before all
        // that a run could have said.
        let outside = placement::check(&case).or_else(|| start::check(&case));
        if let Some(found) = outside {
            verdict.findings.push(found);
            continue;
        }
        verdict.findings.extend(disk::check(&case));
        ended::check(&case, &mut verdict);
        standing::check(&case, &mut verdict);
    }
    verdict
}

/// One pod, with what it is judged by.
struct Case<'a> {
    subject: &'a Subject,
    seen: &'a Snapshot,
    pod: &'a Value,
    object: &'a ObjectRef,
    runs: &'a Runs,
}

impl Case<'_> {
    fn name(&self) -> &str {
        &self.object.name
    }

    /// An error that keeps the pod from serving; on a pod that serves, a warning.
    fn stops(&self, code: Code, says: impl Into<String>) -> Finding {
        let weight = if self.runs.ready { Severity::Warn } else { Severity::Error };
        let finding = Finding::new(code, self.object, weight, says);
        if self.runs.ready { finding } else { finding.stopping(self.name()) }
    }
}
