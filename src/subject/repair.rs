//! A change at the owner as a plan: whether anybody would act on it, what would take it back, how it
//! reaches the pods, what to commit. The same for every class; the change itself is the class's own.

use serde_json::Value;

use super::operator::{self, Operator};
use super::rollout::{self, Wanted};
use super::{Install, Subject, Version, commit, manager};
use crate::model::object::{Kind, ObjectExt};
use crate::model::patch::Change;
use crate::model::plan::{Action, Blocked, Impact, Plan, Revert, Step};
use crate::model::{Got, Need, ObjectRef, Snapshot, Unknown};

/// What is known of the operator, where there is one.
#[derive(Clone, Debug, Default)]
pub struct Acts {
    pub version: Option<Version>,
    pub doubt: Option<Unknown>,
}

/// What a class wants done.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub class: &'static str,
    pub title: String,
    pub wanted: Wanted,
    /// Flags that make the same plan again.
    pub inputs: Vec<String>,
    pub doubts: Vec<Unknown>,
}

/// What a plan needs to see beside what its class does.
pub fn needs(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    let mut out = operator::needs(subject, seen);
    out.extend(operator::strategy_need(subject, seen));
    out
}

/// Whether the operator would act on a patch of its resource.
pub fn acts(subject: &Subject, seen: &Snapshot) -> Result<Acts, Blocked> {
    match operator::look(subject, seen) {
        Operator::None => Ok(Acts::default()),
        Operator::Acts { version } => Ok(Acts { version, doubt: None }),
        Operator::Idle { why } => Err(Blocked::no_safe_plan(
            format!("a patch of {} would do nothing: {why}", subject.root.short()),
            &["bring the operator back first"],
        )),
        Operator::Unreadable { why } => {
            let doubt = Unknown {
                need: format!("the operator of {}", subject.root.short()),
                why,
                get: "the verb list on deployments of all namespaces".into(),
                vital: false,
            };
            Ok(Acts { version: None, doubt: Some(doubt) })
        }
    }
}

/// Says that a change of this Prometheus has to be made elsewhere.
pub fn elsewhere(subject: &Subject, why: &str, ways: &[&str]) -> Blocked {
    Blocked::no_safe_plan(format!("{}: {why}", subject.root.short()), ways)
}

/// Refuses where a vendor writes the object again; `openshift` and `google` say what to do there.
pub fn owned_by_vendor(subject: &Subject, openshift: &str, google: &str) -> Result<(), Blocked> {
    match subject.install {
        Install::OpenShift | Install::OpenShiftUserWorkload => Err(elsewhere(
            subject,
            "cluster-monitoring-operator writes this resource again within 15 minutes",
            &[openshift],
        )),
        Install::GoogleManaged => {
            Err(elsewhere(subject, "the managed add-on writes this DaemonSet again", &[google]))
        }
        _ => Ok(()),
    }
}

/// Refuses where no template of ours makes the pods: a vendor's, or a pod by itself, whose `parts`
/// stay as they are.
pub fn has_template(
    subject: &Subject,
    parts: &str,
    openshift: &str,
    google: &str,
) -> Result<(), Blocked> {
    owned_by_vendor(subject, openshift, google)?;
    match subject.root.kind {
        Kind::Pod => Err(elsewhere(
            subject,
            &format!("{parts} of a pod cannot be changed"),
            &["delete it and create it again, from where it was made"],
        )),
        _ => Ok(()),
    }
}

/// Refuses where a deleted pod would come back as it was: a partition keeps it on its old revision.
pub fn follows_template(subject: &Subject, pod: &str) -> Result<(), Blocked> {
    let template = subject.workloads.first();
    let partition = template.and_then(|w| w.number("/spec/updateStrategy/rollingUpdate/partition"));
    let ordinal = pod.rsplit_once('-').and_then(|(_, ordinal)| ordinal.parse::<i64>().ok());
    match (partition, ordinal) {
        (Some(partition), Some(ordinal)) if ordinal < partition => Err(Blocked::no_safe_plan(
            format!("the partition of {partition} keeps this pod on its old revision"),
            &["lower spec.updateStrategy.rollingUpdate.partition"],
        )),
        _ => Ok(()),
    }
}

/// Everything of the plan that follows from what is wanted.
pub fn plan(subject: &Subject, seen: &Snapshot, draft: Draft) -> Result<Plan, Blocked> {
    let Draft { class, title, wanted, inputs, doubts } = draft;
    let object = &subject.root_object;
    let name = subject.root.short();
    if object.is_null() {
        return Err(Blocked::no_safe_plan(
            format!("{name} could not be read, so no guarded patch of it can be made"),
            &["record a bundle that holds it, or ask for the verb get on it"],
        ));
    }
    if let Some(owner) = object.controller().filter(|_| !wanted.changes.is_empty()) {
        return Err(Blocked::no_safe_plan(
            format!(
                "{name} is written by {} {}, which would take the patch back",
                owner.kind, owner.name
            ),
            &["change it there"],
        ));
    }
    let pointers: Vec<String> = wanted.changes.iter().map(|c| c.pointer.clone()).collect();
    let forecast = manager::forecast(subject, object, &pointers);
    if let Some(lost) = forecast.iter().find(|f| f.verdict == Revert::RevertsNow) {
        return Err(Blocked::no_safe_plan(
            format!("{} would take the patch of {name} back at once", lost.by),
            &[],
        ));
    }
    let rollout = rollout::plan(subject, &wanted, operator::knows_strategy(subject, seen))?;
    let waits = rollout.steps.iter().filter(|s| matches!(s.action, Action::Wait { .. })).count();
    Ok(Plan {
        title,
        class: class.into(),
        cluster: cluster(seen),
        target: subject.root.clone(),
        target_uid: subject.root_uid().to_owned(),
        forecast,
        commit: commit::snippets(subject, object, &wanted.changes),
        inputs,
        undo: rollout.undo,
        takes: format!("about {} min", (waits * 3).max(1)),
        impact: rollout.impact,
        steps: rollout.steps,
        doubts,
        undoes: None,
        frees: None,
    })
}

/// The plan of one patch of an object beside the workload, which restarts nothing.
pub fn plan_of(
    subject: &Subject,
    seen: &Snapshot,
    object: &Value,
    class: &str,
    title: &str,
    changes: &[Change],
) -> Result<Plan, Blocked> {
    let kind = Kind::of(object.text("/apiVersion"), object.text("/kind"));
    let reference =
        ObjectRef::new(kind.unwrap_or(Kind::Service), object.namespace(), object.name());
    if let Some(owner) = object.controller() {
        return Err(Blocked::no_safe_plan(
            format!(
                "{} is written by {} {}, which would take the patch back",
                reference.short(),
                owner.kind,
                owner.name
            ),
            &["change it there"],
        ));
    }
    let pointers: Vec<String> = changes.iter().map(|c| c.pointer.clone()).collect();
    let step = rollout::patch_step(object, &reference, changes, 0, title);
    Ok(Plan {
        forecast: manager::forecast(subject, object, &pointers),
        commit: commit::snippets(subject, object, changes),
        ..beside(subject, seen, class, title, vec![step])
    })
}

/// A plan of steps beside the workload, which restart nothing.
pub fn beside(
    subject: &Subject,
    seen: &Snapshot,
    class: &str,
    title: &str,
    steps: Vec<Step>,
) -> Plan {
    Plan {
        title: title.into(),
        class: class.into(),
        cluster: cluster(seen),
        target: subject.root.clone(),
        target_uid: subject.root_uid().to_owned(),
        forecast: Vec::new(),
        commit: Vec::new(),
        inputs: Vec::new(),
        undo: "yes; it restarts nothing".into(),
        takes: "about 1 min".into(),
        impact: Impact {
            outage: "none: no pod is restarted".into(),
            data: "untouched".into(),
            ..Impact::default()
        },
        steps,
        doubts: Vec::new(),
        undoes: None,
        frees: None,
    }
}

/// The cluster's name for itself; empty where it was not read.
pub fn cluster(seen: &Snapshot) -> String {
    match seen.object(&ObjectRef::new(Kind::Namespace, "", "kube-system")) {
        Got::Known(namespace) => namespace.uid().to_owned(),
        Got::Absent | Got::Unreadable(_) | Got::NotAsked => String::new(),
    }
}
