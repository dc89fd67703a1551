//! Who a container ran as before: what the revisions say that a workload keeps of its template.
//! A Deployment keeps them as ReplicaSets, a StatefulSet or DaemonSet as ControllerRevisions whose
//! data is a patch of the template (kubernetes `pkg/controller/history`, `getPatch`).

use serde_json::Value;

use super::identity::{self, Who};
use super::{Subject, errand};
use crate::model::fact::Got;
use crate::model::object::{Kind, ObjectExt};
use crate::model::{Need, Snapshot};

/// The last revision before a pod's own that ran as somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    pub who: Who,
    /// As `kubectl rollout history` numbers it.
    pub revision: i64,
    says: String,
}

impl Former {
    /// `65534:65534, fsGroup 65534 (revision 3, image prom/prometheus:v3.9.0)`.
    pub fn says(&self) -> &str {
        &self.says
    }
}

/// One revision, as far as it says who runs.
struct Revision<'a> {
    object: &'a Value,
    number: i64,
    spec: &'a Value,
}

impl<'a> Revision<'a> {
    fn of(kind: Kind, object: &'a Value) -> Option<Revision<'a>> {
        let (number, spec) = match kind {
            Kind::ReplicaSet => {
                let revision = object.annotation("deployment.kubernetes.io/revision")?;
                (revision.parse().ok()?, object.pointer("/spec/template/spec")?)
            }
            _ => (object.number("/revision")?, object.pointer("/data/spec/template/spec")?),
        };
        Some(Revision { object, number, spec })
    }

    fn owner(&self) -> String {
        self.object.controller().map(|owner| owner.uid).unwrap_or_default()
    }
}

/// What must be read to know it; a pod of nobody has no revisions.
pub fn needs(subject: &Subject, pod: &Value) -> Option<Need> {
    Some(Need::list(kept_as(pod)?, subject.namespace()))
}

/// Why it could not be read.
pub fn unread<'a>(subject: &Subject, seen: &'a Snapshot, pod: &Value) -> Option<(Kind, &'a str)> {
    let kind = kept_as(pod)?;
    match seen.list(kind, subject.namespace()) {
        Got::Unreadable(why) => Some((kind, why)),
        Got::Known(_) | Got::Absent | Got::NotAsked => None,
    }
}

/// `None`: it ran as the same in each revision that is kept, or that is not known.
pub fn before(subject: &Subject, seen: &Snapshot, pod: &Value) -> Option<Former> {
    let kind = kept_as(pod)?;
    let kept = seen.items(kind, subject.namespace());
    let all: Vec<Revision<'_>> = kept.filter_map(|one| Revision::of(kind, one)).collect();
    let own = all.iter().find(|revision| made(kind, revision, pod))?;
    let owner = own.owner();
    let is_earlier =
        |r: &&Revision<'_>| !owner.is_empty() && r.owner() == owner && r.number < own.number;
    let mut earlier: Vec<&Revision<'_>> = all.iter().filter(is_earlier).collect();
    earlier.sort_by_key(|revision| std::cmp::Reverse(revision.number));
    let name = subject.container.as_str();
    let traits = |spec: &Value| Some((identity::of(spec, name)?, errand::own_label(spec).cloned()));
    let now = traits(own.spec)?;
    // Somebody else gives pods their user when they are made (OpenShift): who it was before is not told
    // by templates.
    if identity::of(&pod["spec"], name)?.user != now.0.user {
        return None;
    }
    earlier.into_iter().find_map(|revision| {
        let then = traits(revision.spec).filter(|then| *then != now)?;
        let label = if then.1 == now.1 { None } else { Some(&then.1) };
        let says = told(&then.0, label, revision, name);
        Some(Former { who: then.0, revision: revision.number, says })
    })
}

fn told(who: &Who, label: Option<&Option<Value>>, of: &Revision<'_>, container: &str) -> String {
    let Who { user, group, groups } = who;
    let groups: Vec<String> = groups.iter().map(i64::to_string).collect();
    let groups = match groups.as_slice() {
        [] => ", no fsGroup".to_owned(),
        all => format!(", groups {}", all.join(" ")),
    };
    let label = match label {
        None => String::new(),
        Some(None) => ", no seLinuxOptions".to_owned(),
        Some(Some(label)) => format!(", seLinuxOptions {label}"),
    };
    let image = identity::image(of.spec, container);
    format!("{user}:{group}{groups}{label} (revision {}, image {image})", of.number)
}

fn kept_as(pod: &Value) -> Option<Kind> {
    match pod.controller()?.kind.as_str() {
        "ReplicaSet" => Some(Kind::ReplicaSet),
        "StatefulSet" | "DaemonSet" => Some(Kind::ControllerRevision),
        _ => None,
    }
}

/// Whether a revision made a pod. The label of a set's pod is the whole name, of a DaemonSet's only
/// its end.
fn made(kind: Kind, revision: &Revision<'_>, pod: &Value) -> bool {
    let name = revision.object.name();
    let Some(controller) = pod.controller() else { return false };
    if kind == Kind::ReplicaSet {
        return controller.name == name;
    }
    let hash = pod.label("controller-revision-hash").unwrap_or("");
    let is_end = || name.strip_suffix(hash).is_some_and(|rest| rest.ends_with('-'));
    revision.owner() == controller.uid && !hash.is_empty() && (name == hash || is_end())
}
