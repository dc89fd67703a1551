//! Pods that are refused for whom they want to run as: by the API server when they are made, or
//! by the kubelet when it makes their containers.

use serde_json::Value;

use crate::model::log::events::Note;
use crate::model::object::ObjectExt;
use crate::model::{Code, Finding, Severity, Snapshot, Verdict};
use crate::subject::pod::{self, Doing};
use crate::subject::{Subject, refused};

const REJECTED: Code = Code("perms/security-context-rejected");

/// What a finding calls the level of Pod Security that refuses its pods.
pub const LEVEL: &str = "Pod Security level";

/// Of a namespace whose range of users or groups refuses its pods.
pub const RANGE: &str = "range of its namespace";

pub fn check(subject: &Subject, seen: &Snapshot) -> Verdict {
    let mut verdict = Verdict::default();
    for pod in &subject.pods {
        verdict.findings.extend(by_kubelet(pod));
    }
    if (subject.pods.len() as u64) < u64::from(subject.wanted) {
        verdict.findings.extend(by_admission(subject, seen));
    }
    verdict
}

/// The image names a user by name, or is root, and the spec says runAsNonRoot
/// (kubernetes `pkg/kubelet/kuberuntime/security_context.go`).
fn by_kubelet(pod: &Value) -> Option<Finding> {
    pod::containers(pod).into_iter().find_map(|container| {
        let Doing::Waiting { reason, message } = &container.doing else { return None };
        let own = message.contains("runAsNonRoot") || message.contains("non-numeric user");
        (reason == "CreateContainerConfigError" && own).then(|| {
            let says = "may not start: runAsNonRoot is set and the image's user is not a number \
                        that shows it";
            Finding::new(REJECTED, &pod::reference(pod), Severity::Error, says)
                .with(&format!("container {}", container.name), message.clone())
                .stopping(pod.name())
        })
    })
}

fn by_admission(subject: &Subject, seen: &Snapshot) -> Option<Finding> {
    let (object, note) = refused::pod(subject, seen, Note::refuses_security_context)?;
    let says = "may not make its pods: their security context is refused";
    let mut finding = Finding::new(REJECTED, &object, Severity::Error, says);
    if let Some(level) = pod_security(&note.message) {
        finding = finding.with(LEVEL, level);
    }
    if let Some(constraint) = out_of_range(&note.message) {
        finding = finding.with(RANGE, constraint);
    }
    Some(finding.with("event", note.quote()))
}

/// A security context constraint of OpenShift refuses a user or a group, and not something else that it
/// may refuse as well (github.com/openshift/apiserver-library-go
/// `pkg/securitycontextconstraints/user/mustrunasrange.go`, `group/mustrunas.go`).
fn out_of_range(message: &str) -> Option<&'static str> {
    let ranges = ["is not an allowed group", "must be in the ranges"];
    let refuses = message.contains("security context constraint")
        && ranges.iter().any(|range| message.contains(range));
    refuses.then_some("refuses a user or a group that the spec sets")
}

/// `violates PodSecurity "restricted:latest": …` (k8s.io/pod-security-admission
/// `admission/admission.go`): the level, without its version.
fn pod_security(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("violates PodSecurity \"")?;
    rest.split([':', '"']).next()
}
