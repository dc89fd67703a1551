//! Nothing wrong with a pod: nobody makes one, or makes it as it should be.

use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Severity, Snapshot, Unknown, Verdict};
use crate::subject::operator::{self, Operator};
use crate::subject::pod;
use crate::subject::{Subject, frozen, refused};

pub fn check(subject: &Subject, seen: &Snapshot) -> Verdict {
    let mut verdict = Verdict::default();
    // What is held by us is at none because of that.
    if frozen::replicas(subject, seen).is_some() {
        return verdict;
    }
    if let Some(scaled) = scaled_to_zero(subject) {
        verdict.findings.push(scaled);
        return verdict;
    }
    if subject.is_operated() {
        of_resource(subject, seen, &mut verdict);
    }
    if !subject.workloads.is_empty() && (subject.pods.len() as u64) < u64::from(subject.wanted) {
        verdict.findings.extend(no_pod(subject, seen));
    }
    verdict
}

fn scaled_to_zero(subject: &Subject) -> Option<Finding> {
    let root = &subject.root_object;
    let by_root = root.number("/spec/replicas") == Some(0);
    let counted: Vec<_> =
        subject.workloads.iter().filter(|w| w.text("/kind") != "DaemonSet").collect();
    let by_workloads =
        !counted.is_empty() && counted.iter().all(|w| w.number("/spec/replicas") == Some(0));
    if !(by_root || by_workloads) || !subject.pods.is_empty() {
        return None;
    }
    let says = "is scaled to 0: no pod is wanted";
    let finding = Finding::new(Code("other/scaled-to-zero"), &subject.root, Severity::Error, says);
    let names: Vec<&str> = counted.iter().map(|w| w.name()).collect();
    Some(finding.with(
        "spec.replicas",
        if by_root { "0".into() } else { format!("0 ({})", names.join(", ")) },
    ))
}

/// What a custom resource says of itself, and whether anybody acts on it.
fn of_resource(subject: &Subject, seen: &Snapshot, verdict: &mut Verdict) {
    let root = &subject.root_object;
    let short = (subject.serving().count() as u64) < u64::from(subject.wanted);
    let unmade = subject.workloads.is_empty() || not_rendered(subject);
    let weigh = |bad: bool| if bad { Severity::Error } else { Severity::Warn };
    if root.is_true("/spec/paused") {
        let says = "is paused: the operator acts on no change of it";
        let weight = weigh(subject.workloads.is_empty());
        let finding = Finding::new(Code("other/paused"), &subject.root, weight, says);
        verdict.findings.push(finding.with("spec.paused", "true"));
    } else {
        match operator::look(subject, seen) {
            Operator::Idle { why } => {
                let says = "has no operator that acts on it";
                let code = Code("other/operator-down");
                let finding = Finding::new(code, &subject.root, weigh(unmade), says);
                verdict.findings.push(finding.with("operator", why));
            }
            // Beside workloads that are there it matters only to a plan, which says so itself.
            Operator::Unreadable { .. } if !subject.workloads.is_empty() => {}
            Operator::Unreadable { why } => verdict.unknown.push(Unknown {
                need: format!("the operator of {}", subject.root.short()),
                why,
                get: "the verb list on deployments, in the operator's namespace".into(),
                vital: subject.workloads.is_empty(),
            }),
            Operator::Acts { .. } | Operator::None => {}
        }
    }
    let reconciled = pod::condition(root, "Reconciled").filter(|c| c.text("/status") == "False");
    if let Some(condition) = reconciled {
        let says = "is refused by its operator: what it asks for is not carried out";
        let code = Code("other/owner-rejected");
        let weight = weigh(short || subject.workloads.is_empty());
        let text = format!("{}: {}", condition.text("/reason"), condition.text("/message"));
        let text: String = text.chars().take(300).collect();
        let finding = Finding::new(code, &subject.root, weight, says);
        verdict.findings.push(finding.with("status.conditions, Reconciled=False", text));
    }
}

/// The operator has not looked at the latest generation: it stamps its conditions with the one it
/// has seen.
fn not_rendered(subject: &Subject) -> bool {
    let root = &subject.root_object;
    let conditions = root.list("/status/conditions");
    let seen = conditions.iter().filter_map(|c| c.number("/observedGeneration")).max();
    seen.zip(root.number("/metadata/generation")).is_some_and(|(seen, now)| seen < now)
}

/// A workload that could not make its pods: quota, a webhook, a limit range. A refused security
/// context has its own class.
fn no_pod(subject: &Subject, seen: &Snapshot) -> Option<Finding> {
    let (object, note) = refused::pod(subject, seen, |note| !note.refuses_security_context())?;
    let says = "may not make its pods";
    let code = Code("other/unschedulable");
    let finding = Finding::new(code, &object, Severity::Error, says);
    Some(finding.with("event", note.quote()))
}
