//! The one word over the findings, and the number that goes with it.

use super::examine::{is_vital, weighs};
use crate::cli::FailOn;
use crate::exit::Exit;
use crate::model::fact::Got;
use crate::model::finding::{Finding, Unknown};
use crate::model::report::{Report, State};
use crate::model::{Code, Fact, Kind, Need, Snapshot};
use crate::subject::Subject;

/// Replay in progress: time heals it, and it is what the report is about.
const REPLAYING: &str = "wal/replaying";

/// The finding that says that waiting is all there is to do.
pub fn waiting(findings: &[Finding]) -> Option<Code> {
    findings.iter().find(|f| f.code.0 == REPLAYING).map(|f| f.code)
}

/// A pod that does not serve with no finding that says why is not health: nothing read explains
/// it, so the verdict is Unknown.
pub fn state(
    subject: &Subject,
    findings: &[Finding],
    unknown: &[Unknown],
    root: Option<Code>,
) -> State {
    if root.is_some() {
        return State::Broken;
    }
    if waiting(findings).is_some() {
        return State::Recovering;
    }
    let serving = u32::try_from(subject.serving().count()).unwrap_or(u32::MAX);
    let none = subject.wanted == 0 && subject.pods.is_empty();
    if unknown.iter().any(is_vital) || serving < subject.wanted || none {
        return State::Unknown;
    }
    State::Healthy
}

/// The number of one report. A plan that somebody left behind is a fault, whatever serves.
pub fn exit(report: &Report, from: FailOn) -> Exit {
    let weighs = report.unfinished.is_some() || report.findings.iter().any(|f| weighs(f, from));
    match report.state {
        State::Recovering => Exit::Found,
        _ if weighs => Exit::Found,
        State::Unknown => Exit::Unknown,
        // Broken with every error suppressed: what is left does not weigh.
        State::Broken | State::Healthy => Exit::Healthy,
    }
}

/// Of many: 2 if any is broken, else 4, else 0.
pub fn exit_of_all(reports: &[Report], from: FailOn) -> Exit {
    let all: Vec<Exit> = reports.iter().map(|r| exit(r, from)).collect();
    if all.contains(&Exit::Found) {
        Exit::Found
    } else if all.contains(&Exit::Unknown) {
        Exit::Unknown
    } else {
        Exit::Healthy
    }
}

/// The resource that the workload is rendered from, where it could not be read: it may be paused,
/// refused by its operator or ask for more than runs, so what serves is not all there is to know.
pub fn unseen_root(seen: &Snapshot, subject: &Subject) -> Option<Unknown> {
    let Got::Unreadable(why) = seen.object(&subject.root) else { return None };
    let root = &subject.root;
    let (plural, short) = (root.kind.plural(), root.short());
    Some(Unknown {
        need: format!("what {short} asks for"),
        why: why.to_owned(),
        get: format!("the verb get on {plural} in {}", root.namespace),
        vital: true,
    })
}

/// What every class leans on and could not be read. Without the pods there is no verdict.
pub fn unseen(seen: &Snapshot, namespace: &str) -> Vec<Unknown> {
    let unread = |kind: Kind, need: &str, vital: bool| {
        let fact = seen.facts.iter().find_map(|(asked, fact)| match (asked, fact) {
            (Need::List { kind: of, namespace: Some(at), .. }, Fact::Unreadable(why))
                if *of == kind && at == namespace =>
            {
                Some(why)
            }
            _ => None,
        });
        let plural = kind.plural();
        fact.map(|why| Unknown {
            need: format!("{need} ({plural})"),
            why: format!("{plural}: {why}"),
            get: format!("the verb list on {plural} in {namespace}"),
            vital,
        })
    };
    let all = [
        unread(Kind::Pod, "how its pods are", true),
        unread(Kind::Event, "what the kubelet and the scheduler did", false),
        unread(Kind::ConfigMap, "whether somebody's plan is unfinished", false),
    ];
    all.into_iter().flatten().collect()
}
