//! How a changed template reaches the pods without taking down what serves: a broken replica is
//! restarted first, a serving one only after that one ingests.
//!
//! A template patch alone does the opposite. With one broken replica the StatefulSet controller
//! replaces the Ready ordinal first (seen on 1.34 within 3 s), because it starts from the highest
//! ordinal and waits only for the pods it has replaced itself.

pub(super) mod impact;
mod operated;
mod plain;

use serde_json::Value;

use super::{Subject, pod};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::patch::{COUNTERS, Change};
use crate::model::plan::{Action, Blocked, Impact, Server, Step, Undo, Until};

/// A change of the owner, and the same change as the workload's template will show it.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// On the object that is patched. Empty: nothing is patched, what is down is restarted.
    pub changes: Vec<Change>,
    /// On the StatefulSet an operator renders from it; the same as `changes` for a workload.
    /// Empty where what it renders is not known to the last field.
    pub rendered: Vec<Change>,
    /// A value of the rendered workload that shows that the operator has followed; else one of
    /// `rendered` does.
    pub shows: Option<(String, Value)>,
    pub why: String,
    /// Names of pods that are Ready and cannot be relied on: killed a moment ago. They are
    /// restarted with the broken ones, and are nobody's stand-in.
    pub suspects: Vec<String>,
}

/// The steps that bring a change to every pod, and what they do to service.
#[derive(Clone, Debug)]
pub struct Rollout {
    pub steps: Vec<Step>,
    pub impact: Impact,
    pub undo: String,
}

/// What decides the order.
pub(super) struct Scene<'a> {
    pub subject: &'a Subject,
    pub wanted: &'a Wanted,
    /// Pods that do not serve, or cannot be relied on; restarted first.
    pub broken: Vec<&'a Value>,
    /// Pods that serve, restarted after.
    pub serving: Vec<&'a Value>,
}

/// Steps, and whether the plan itself decides which pod restarts when.
pub(super) struct Order {
    pub steps: Vec<Step>,
    pub ordered: bool,
}

/// Plans the rollout of `wanted` on the subject's root. `operator_knows_strategy`: the custom
/// resource has `spec.updateStrategy`, and the operator follows it.
pub fn plan(
    subject: &Subject,
    wanted: &Wanted,
    operator_knows_strategy: bool,
) -> Result<Rollout, Blocked> {
    let mut scene = Scene::of(subject, wanted);
    let order = match subject.root.kind {
        _ if wanted.changes.is_empty() => {
            scene.serving.clear();
            let steps = match subject.root.kind {
                // The next pod has another name.
                Kind::Deployment | Kind::DaemonSet => scene.restart_nameless(),
                _ => scene.restart_in_order(),
            };
            Ok(Order { steps, ordered: true })
        }
        Kind::StatefulSet => plain::stateful_set(&scene),
        Kind::Deployment => plain::deployment(&scene),
        Kind::DaemonSet => plain::daemon_set(&scene),
        kind if kind.is_operator_resource() => operated::steps(&scene, operator_knows_strategy),
        Kind::MonitoringStack => Ok(operated::hand_over(&scene)),
        _ => Err(no_owner(subject)),
    }?;
    let impact = impact::of(&scene, &order);
    let undo = scene.undo_words();
    Ok(Rollout { steps: order.steps, impact, undo })
}

fn no_owner(subject: &Subject) -> Blocked {
    Blocked::no_safe_plan(
        format!(
            "{} has no owner that this program can patch ({} {})",
            subject.root.short(),
            subject.owner.kind,
            subject.owner.name
        ),
        &["change it where it was made, then delete the pod"],
    )
}

impl<'a> Scene<'a> {
    fn of(subject: &'a Subject, wanted: &'a Wanted) -> Scene<'a> {
        let live = subject.pods.iter().filter(|p| !is_leftover(p));
        let (serving, broken) = live.partition(|p| {
            pod::is_ready(p) && !wanted.suspects.iter().any(|name| name == p.name())
        });
        Scene { subject, wanted, broken, serving }
    }

    /// Whether the pods are to be restarted one by one: some set has one that serves, and another.
    pub fn keeps_service(&self) -> bool {
        self.serving.iter().any(|p| self.mates(p).next().is_some())
    }

    /// The other pods of the same set, serving or not: replicas of the same series.
    pub fn mates(&self, pod: &Value) -> impl Iterator<Item = &&'a Value> {
        let owner = pod.controller().map(|o| o.uid);
        let uid = pod.uid().to_owned();
        self.broken
            .iter()
            .chain(&self.serving)
            .filter(move |p| p.controller().map(|o| o.uid) == owner && p.uid() != uid)
    }

    /// Deletes each pod in order, and waits for its successor to ingest before the next.
    pub fn restart_in_order(&self) -> Vec<Step> {
        let only =
            if self.wanted.changes.is_empty() { &*self.wanted.why } else { "the broken one" };
        let broken = self.broken.iter().map(|p| (*p, only));
        let serving =
            self.serving.iter().map(|p| (*p, "a serving one, only after the others ingest"));
        broken.chain(serving).flat_map(|(p, which)| self.restart(p, which)).collect()
    }

    /// Deletes the broken pods, and waits for the workload: whoever comes in their place is known
    /// by it alone.
    fn restart_nameless(&self) -> Vec<Step> {
        let deleted = self.broken.iter().map(|pod| delete(pod, &self.wanted.why));
        let mut steps: Vec<Step> = deleted.collect();
        steps.push(wait(&self.subject.root, rolled_out(self.subject), "until every pod is Ready"));
        steps
    }

    /// Deletes one pod by uid and waits for its successor.
    pub fn restart(&self, pod: &Value, which: &str) -> [Step; 2] {
        [delete(pod, which), self.await_successor(pod)]
    }

    pub fn await_successor(&self, pod: &Value) -> Step {
        let until = Until::Ingests {
            not_uid: pod.uid().into(),
            port: self.subject.flags.port(),
            prefix: self.subject.flags.prefix(),
        };
        wait(&pod::reference(pod), until, "until it is Ready and takes samples")
    }

    fn undo_words(&self) -> String {
        match self.broken.len() + self.serving.len() {
            _ if self.wanted.changes.is_empty() => "nothing to put back: nothing is patched".into(),
            0 => "yes".into(),
            1 => "yes; it also restarts the pod".into(),
            2 => "yes; it also restarts both pods".into(),
            n => format!("yes; it also restarts all {n} pods"),
        }
    }
}

fn delete(pod: &Value, why: &str) -> Step {
    Step {
        why: why.to_owned(),
        action: Action::Delete { object: pod::reference(pod), uid: pod.uid().into(), grace: None },
        undo: Undo::Words("the pod comes back by itself".into()),
    }
}

/// A pod that has ended for good and that nobody restarts: a ReplicaSet makes another beside it.
/// A StatefulSet replaces its own.
fn is_leftover(pod: &Value) -> bool {
    matches!(pod.text("/status/phase"), "Failed" | "Succeeded")
        && pod.controller().is_none_or(|o| o.kind != "StatefulSet")
}

/// A patch step with its undo.
pub fn patch_step(
    object: &Value,
    reference: &ObjectRef,
    changes: &[Change],
    ahead: i64,
    why: &str,
) -> Step {
    let patch = crate::model::patch::guarded(object, changes, ahead);
    Step {
        why: why.to_owned(),
        action: Action::Patch { object: reference.clone(), patch: patch.ops },
        undo: Undo::Patch(patch.undo),
    }
}

/// The patch of a step held to its object and to the values it replaces alone, where the server counts
/// up what is no change to us: a status that moves.
pub fn uncounted(mut step: Step) -> Step {
    if let Action::Patch { patch, .. } = &mut step.action {
        patch.retain(|op| !COUNTERS.contains(&op.path()));
    }
    step
}

/// A workload that runs this Prometheus is rolled out.
pub fn rolled_out(subject: &Subject) -> Until {
    let server = Server { port: subject.flags.port(), prefix: subject.flags.prefix() };
    Until::RolledOut { server: Some(server) }
}

/// A wait step.
pub fn wait(object: &ObjectRef, until: Until, why: &str) -> Step {
    Step {
        why: why.into(),
        action: Action::Wait { object: object.clone(), until },
        undo: Undo::Words("nothing to take back".into()),
    }
}
