//! Joins the findings of all classes: what follows from what, and which one is the root.

use std::collections::BTreeMap;

use super::code::{Code, Stage};
use super::finding::{Finding, Severity};

/// Sets `because` on findings that only follow from a pod being down, sorts (root first, then
/// errors, warnings, remarks), and returns the root cause.
///
/// `stage` ranks codes: of several errors the one that strikes earliest in the start of
/// Prometheus is the root, for the later ones could not have been reached otherwise. A code that
/// explains another always ranks before it.
pub fn join(findings: &mut Vec<Finding>, stage: &dyn Fn(Code) -> Stage) -> Option<Code> {
    let mut stoppers: BTreeMap<String, (Stage, Code)> = BTreeMap::new();
    for finding in findings.iter().filter(|f| f.severity == Severity::Error) {
        for pod in &finding.stops {
            let mine = (stage(finding.code), finding.code);
            let best = stoppers.entry(pod.clone()).or_insert(mine);
            *best = mine.min(*best);
        }
    }
    for finding in findings.iter_mut() {
        let down = finding.because_down.as_ref().and_then(|pod| stoppers.get(pod));
        finding.because = down.map(|(_, code)| *code).filter(|code| *code != finding.code);
    }
    findings.sort_by(|a, b| rank(a, stage).cmp(&rank(b, stage)));
    findings.dedup();
    findings.iter().find(|f| is_root(f)).map(|f| f.code)
}

/// The root cause of one pod.
pub fn root_of_pod(findings: &[Finding], pod: &str) -> Option<Code> {
    findings.iter().find(|f| is_root(f) && f.stops.iter().any(|p| p == pod)).map(|f| f.code)
}

fn is_root(finding: &Finding) -> bool {
    finding.severity == Severity::Error && finding.because.is_none()
}

type Rank<'a> = (Severity, bool, Stage, Code, &'a str, &'a str);

fn rank<'a>(finding: &'a Finding, stage: &dyn Fn(Code) -> Stage) -> Rank<'a> {
    let Finding { code, object, severity, says, because, .. } = finding;
    (*severity, because.is_some(), stage(*code), *code, &object.name, says)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, ObjectRef};

    const KILLED: Code = Code("oom/limit-below-need");
    const LOCKED: Code = Code("wal/locked");
    const NO_ENDPOINT: Code = Code("bind/no-ready-endpoint");

    fn stage(code: Code) -> Stage {
        match code {
            LOCKED => Stage::Storage,
            KILLED => Stage::Serving,
            _ => Stage::Reach,
        }
    }

    fn error(code: Code) -> Finding {
        Finding::new(code, &ObjectRef::new(Kind::Pod, "mon", "p-0"), Severity::Error, "is down")
    }

    #[test]
    fn what_follows_from_a_pod_being_down_is_not_the_root() {
        let mut all = vec![error(NO_ENDPOINT).because_down("p-0"), error(KILLED).stopping("p-0")];
        assert_eq!(join(&mut all, &stage), Some(KILLED));
        assert_eq!(all[1].because, Some(KILLED));
    }

    #[test]
    fn of_two_errors_the_earlier_in_the_start_is_the_root() {
        let mut all = vec![error(KILLED).stopping("p-0"), error(LOCKED).stopping("p-0")];
        assert_eq!(join(&mut all, &stage), Some(LOCKED));
        assert_eq!(root_of_pod(&all, "p-0"), Some(LOCKED));
        assert_eq!(root_of_pod(&all, "p-1"), None);
    }

    #[test]
    fn a_warning_alone_is_no_root() {
        let mut all = vec![error(KILLED)];
        all[0].severity = Severity::Warn;
        assert_eq!(join(&mut all, &stage), None);
    }
}
