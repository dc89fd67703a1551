//! The plan that makes the data directory writable: the smallest change that works there.

mod admission;
mod group;
mod inside;
mod landing;
mod node;
mod path;
mod read_only;
mod ways;

use serde_json::Value;

pub(super) use ways::NOT_GIVEN;

use super::check::denied;
use crate::model::log::{Place, place};
use crate::model::object::{Kind, ObjectExt};
use crate::model::{
    Blocked, Finding, Got, Need, Next, ObjectRef, Plan, Severity, Snapshot, Unknown,
};
use crate::subject::repair::{self, Draft};
use crate::subject::rollout::Wanted;
use crate::subject::{Subject, errand};

/// The finding of this class that a plan is for.
pub(super) fn root(found: &[Finding]) -> Option<&Finding> {
    let own = |f: &&Finding| f.code.class() == "perms" && f.severity == Severity::Error;
    found.iter().filter(own).find(|f| f.because.is_none())
}

pub(super) fn needs(subject: &Subject, seen: &Snapshot, found: &[Finding]) -> Vec<Need> {
    if root(found).is_none() {
        return Vec::new();
    }
    let mut out = repair::needs(subject, seen);
    // A helper has to run on a pod's node, and only where it may be made.
    if !seen.inside.agents.is_empty() {
        out.extend(subject.pods.iter().flat_map(errand::needs));
    }
    out.push(Need::object(Kind::Namespace, "", subject.namespace()));
    out
}

pub(super) fn next(subject: &Subject, seen: &Snapshot, found: &[Finding]) -> Next {
    let Some(root) = root(found) else { return Next::Done };
    plan(&Case { subject, seen, root }).unwrap_or_else(Next::Blocked)
}

/// What a plan is made for.
struct Case<'a> {
    subject: &'a Subject,
    seen: &'a Snapshot,
    root: &'a Finding,
}

fn plan(case: &Case<'_>) -> Result<Next, Blocked> {
    repair::has_template(
        case.subject,
        "the security context and the mounts",
        "set neither user nor fsGroup: the namespace's range is filled in",
        "ask the vendor: its security context is not yours to set",
    )?;
    let plan = match case.root.code.0 {
        "perms/read-only" => read_only::plan(case),
        "perms/path-mismatch" => path::plan(case),
        "perms/security-context-rejected" => admission::plan(case),
        _ => return group::next(case),
    };
    plan.map(Next::Fix)
}

impl<'a> Case<'a> {
    /// The level of Pod Security that the namespace enforces.
    fn strictness(&self) -> Option<&'a str> {
        let namespace = ObjectRef::new(Kind::Namespace, "", self.subject.namespace());
        self.seen.object(&namespace).known()?.label("pod-security.kubernetes.io/enforce")
    }

    /// OpenShift gives a namespace a range of its own, and refuses any other user or group; left
    /// out, they are filled in (annotation of the project, `security.openshift.io/scc`).
    fn range(&self) -> Option<String> {
        let namespace = ObjectRef::new(Kind::Namespace, "", self.subject.namespace());
        let namespace = self.seen.object(&namespace).known()?;
        let of = |what: &str, word: &str| {
            let range = namespace.annotation(&format!("openshift.io/sa.scc.{what}"))?;
            Some(format!("{word} of {range}"))
        };
        let ranges = [of("uid-range", "users"), of("supplemental-groups", "groups")];
        let ranges: Vec<String> = ranges.into_iter().flatten().collect();
        (!ranges.is_empty()).then(|| ranges.join(" and "))
    }

    /// What a namespace of OpenShift asks for.
    fn out_of_range(&self, range: &str) -> Blocked {
        self.blocked(format!(
            "this namespace of OpenShift takes {range} only: leave them out of the spec, and it fills \
             them in"
        ))
    }

    fn takes_numbers(&self) -> Result<Option<Unknown>, Blocked> {
        let name = self.subject.namespace();
        match self.seen.object(&ObjectRef::new(Kind::Namespace, "", name)) {
            Got::Known(_) | Got::Absent => {}
            Got::Unreadable(why) => return Ok(Some(unread(name, why))),
            Got::NotAsked => return Ok(Some(unread(name, "not read"))),
        }
        match self.range().filter(|_| !self.is_unenforced()) {
            Some(range) => Err(self.out_of_range(&range)),
            None => Ok(None),
        }
    }

    /// The annotation alone, as a namespace that was copied from OpenShift has it, binds nobody: who
    /// admits pods there says on each by which constraint.
    fn is_unenforced(&self) -> bool {
        let admitted = |pod: &Value| pod.annotation("openshift.io/scc").is_some();
        !self.subject.pods.is_empty() && !self.subject.pods.iter().any(admitted)
    }

    /// The pod that the finding is about.
    fn pod(&self) -> Option<&'a Value> {
        self.subject.pods.iter().find(|p| p.name() == self.root.object.name)
    }

    /// Where what the pod was refused lies; else its data directory.
    fn place(&self, pod: &'a Value) -> Place<'a> {
        let data = || self.subject.flags.data_dir(self.subject.agent);
        let path = denied(self.subject, self.seen, pod).filter(|path| !path.is_empty());
        place(pod, &self.subject.container, &path.unwrap_or_else(data))
    }

    /// The template that makes its pods.
    fn template(&self) -> &'a Value {
        self.subject.pod_spec()
    }

    fn blocked(&self, why: impl Into<String>) -> Blocked {
        let code = self.root.code.0;
        let ways: Vec<String> =
            ways::of(code).iter().map(|way| way.replace("{code}", code)).collect();
        Blocked { ways, ..Blocked::no_safe_plan(why, &[]) }
    }

    /// The plan of a change that all pods get.
    fn draft(&self, title: String, wanted: Wanted, mut draft: Draft) -> Result<Plan, Blocked> {
        let acts = repair::acts(self.subject, self.seen)?;
        draft.doubts.extend(acts.doubt);
        repair::plan(self.subject, self.seen, Draft { class: "perms", title, wanted, ..draft })
    }
}

fn unread(namespace: &str, why: &str) -> Unknown {
    Unknown {
        need: format!("whether namespace {namespace} takes any user and group (OpenShift)"),
        why: why.into(),
        get: format!("the verb get on namespace {namespace}"),
        vital: false,
    }
}
