//! What the facts mean for the right to write.

pub(super) mod admission;
pub(super) mod group;
mod owners;
mod past;
mod standing;

use serde_json::Value;

use crate::model::log::{Line, Runs, Sign, place, runs};
use crate::model::{Code, Finding, ObjectRef, Snapshot, Verdict};
use crate::subject::{Subject, pod};

const OWNER: Code = Code("perms/owner-mismatch");
const PATH: Code = Code("perms/path-mismatch");
const READ_ONLY: Code = Code("perms/read-only");

pub fn check(subject: &Subject, seen: &Snapshot) -> Verdict {
    let mut verdict = admission::check(subject, seen);
    for pod in &subject.pods {
        let runs = runs::of(seen, pod, &subject.container);
        match runs.ended_by() {
            Some((Sign::Denied(path), line)) => {
                let case = Case { subject, seen, pod, runs: &runs, path: &path, line };
                refused(&case, &mut verdict);
            }
            Some((Sign::NoDirectory(path), line)) => {
                let case = Case { subject, seen, pod, runs: &runs, path: &path, line };
                let says =
                    "stores where no directory is: --storage.tsdb.path and the mount disagree";
                let finding = case.finding(PATH, says);
                verdict.findings.push(finding.with("mounts", standing::mounts(pod, subject)));
            }
            Some((Sign::ReadOnly(path), line)) => {
                let case = Case { subject, seen, pod, runs: &runs, path: &path, line };
                verdict.findings.extend(read_only(&case));
            }
            _ => verdict.findings.extend(standing::check(subject, pod, &runs)),
        }
    }
    verdict
}

/// The path that a pod was refused, where its last run ended with that.
pub fn denied(subject: &Subject, seen: &Snapshot, pod: &Value) -> Option<String> {
    match runs::of(seen, pod, &subject.container).ended_by()? {
        (Sign::Denied(path), _) => Some(path),
        _ => None,
    }
}

/// One refusal, with what it is judged by.
struct Case<'a> {
    subject: &'a Subject,
    seen: &'a Snapshot,
    pod: &'a Value,
    runs: &'a Runs,
    path: &'a str,
    line: &'a Line,
}

impl Case<'_> {
    fn object(&self) -> ObjectRef {
        pod::reference(self.pod)
    }

    fn finding(&self, code: Code, says: impl Into<String>) -> Finding {
        let sign = Sign::Denied(self.path.to_owned());
        let weight = self.runs.weight(&sign, self.seen.clock);
        let finding = Finding::new(code, &self.object(), weight, says);
        self.runs.tell(finding, self.line, self.seen.clock)
    }
}

/// `permission denied`: which of the codes it is.
fn refused(case: &Case<'_>, verdict: &mut Verdict) {
    // It does not say whether it was refused a folder or a file system that is read-only.
    if case.line.err().contains("no such file or directory")
        && let Some(finding) = read_only(case)
    {
        verdict.findings.push(finding);
        return;
    }
    let place = place(case.pod, &case.subject.container, case.path);
    let relative = !case.path.is_empty() && !case.path.starts_with('/');
    if relative || (place.mount.is_none() && !case.path.is_empty()) {
        let says = if relative {
            "stores at a path relative to its work directory: no argument names the data directory"
        } else {
            "stores at a path that is on none of its volumes, and may not write there"
        };
        let finding = case.finding(PATH, says);
        verdict.findings.push(finding.with("mounts", standing::mounts(case.pod, case.subject)));
        return;
    }
    // Prometheus makes queries.active, lock and wal/ itself, right below the data directory.
    // To come further down it must have written there: then the root is right, what is below not.
    if is_below(case) {
        let says = "may write its data directory, but not all that lies below it";
        let finding = past::told(case, case.finding(OWNER, says));
        verdict.findings.push(owners::told(case, finding));
        verdict.unknown.extend(past::unread(case, OWNER));
        return;
    }
    let (mut finding, unknown) = group::judge(case, place);
    if case.line.err().contains("no such file or directory") {
        let why = "why it could not be made: a volume that is full, or turned read-only by itself, looks \
                   alike";
        finding = finding.with("not told", why);
    }
    verdict.unknown.extend(past::unread(case, finding.code));
    verdict.findings.push(owners::told(case, past::told(case, finding)));
    verdict.unknown.extend(unknown);
}

fn is_below(case: &Case<'_>) -> bool {
    let data = case.subject.flags.data_dir(case.subject.agent);
    let rest = case.path.strip_prefix(data.trim_end_matches('/')).unwrap_or(case.path);
    // The first try at wal/ itself is to make it (mkdir); anything else found it there.
    let makes = case.line.says().contains(": mkdir ");
    let inside = ["/wal", "/wbl", "/chunks_head", "/chunk_snapshot."];
    let deeper = rest.trim_matches('/').contains('/');
    deeper || (!makes && inside.iter().any(|dir| rest.starts_with(dir)))
}

/// `read-only file system`, where the spec of the pod makes it so. A volume that turned read-only
/// by itself is a failing disk, and not this class.
fn read_only(case: &Case<'_>) -> Option<Finding> {
    let by = place(case.pod, &case.subject.container, case.path).read_only_by()?;
    let finding =
        case.finding(READ_ONLY, "is told by its spec that its data directory is read-only");
    Some(finding.with("set by", by))
}
