//! Who else sets how many replicas a Deployment has, and would start it while its volume is worked on:
//! autoscalers, and GitOps that puts its own number back. Each is looked at as it is now; who acts is
//! paused for as long as it takes, where that was allowed, and goes on afterwards.

mod autoscalers;
mod gitops;

use serde_json::{Value, json};

use super::rollout::{patch_step, uncounted};
use super::{Subject, manager, repair};
use crate::model::object::{ObjectExt, ObjectRef};
use crate::model::patch::{Change, Op, pointer};
use crate::model::plan::{Action, Blocked, BlockedReason, Revert, Step, Undo};
use crate::model::{Got, Kind, Need, Snapshot, Unknown};

/// What says that they may be paused.
pub const FLAG: &str = "--pause-gitops";

/// Those of one Deployment that act, each with the way to pause it, and what is not known.
#[derive(Clone, Debug, Default)]
pub struct Rivals {
    pauses: Vec<Pause>,
    pub doubts: Vec<Unknown>,
}

/// One who would start it, and the values that stop him.
#[derive(Clone, Debug)]
struct Pause {
    /// `KEDA scaledobject/prometheus`.
    who: String,
    object: Value,
    reference: ObjectRef,
    changes: Vec<Change>,
    /// What must still be so, beside the values that are replaced.
    guards: Vec<Op>,
}

/// Only a Deployment is held by its replicas.
pub fn needs(subject: &Subject) -> Vec<Need> {
    let deployments = subject.workloads.iter().filter(|w| w.text("/kind") == "Deployment");
    let mut out: Vec<Need> =
        deployments.flat_map(|w| [autoscalers::needs(w), gitops::needs(w)].concat()).collect();
    out.sort();
    out.dedup();
    out
}

/// Who would scale it up again, or why nothing keeps one of them from it.
pub fn of(subject: &Subject, seen: &Snapshot, workload: &Value) -> Result<Rivals, Blocked> {
    let mut rivals = Rivals::default();
    autoscalers::of(seen, workload, &mut rivals);
    gitops::of(subject, seen, workload, &mut rivals)?;
    for pause in &rivals.pauses {
        stays(subject, pause)?;
    }
    match rivals.pauses.first() {
        Some(first) if !seen.may_pause => Err(asks(subject, first)),
        Some(_) | None => Ok(rivals),
    }
}

/// A pause that somebody takes back is none.
fn stays(subject: &Subject, pause: &Pause) -> Result<(), Blocked> {
    let Pause { who, object, reference, changes, .. } = pause;
    let pointers: Vec<String> = changes.iter().map(|change| change.pointer.clone()).collect();
    let forecast = manager::forecast(subject, object, &pointers);
    let back = [Revert::RevertsNow, Revert::RevertsOnReconcile];
    match forecast.into_iter().find(|f| back.contains(&f.verdict)) {
        Some(lost) => Err(repair::elsewhere(
            subject,
            &format!(
                "{who} would scale it up again while its volume is worked on, and {} would take a \
                 pause of {} back",
                lost.by,
                reference.short()
            ),
            &[
                "suspend both where they are written, and let them go on afterwards",
                &format!("or pause it yourself, where that stays:  {}", by_hand(pause)),
            ],
        )),
        None => Ok(()),
    }
}

fn asks(subject: &Subject, pause: &Pause) -> Blocked {
    let again = format!(
        "{}: {} would scale it up again while its volume is worked on",
        subject.root.short(),
        pause.who
    );
    Blocked {
        reason: BlockedReason::NeedsConsent,
        why: again,
        ways: vec![
            format!("add {FLAG}: the plan pauses it, and lets it go on at its end"),
            format!("or pause it yourself:  {}", by_hand(pause)),
        ],
    }
}

/// `kubectl patch scaledobject/a -n mon --type merge -p '{…}'`.
fn by_hand(pause: &Pause) -> String {
    let Pause { reference, changes, .. } = pause;
    let mut patch = json!({});
    for change in changes {
        let parts: Vec<&str> = change.pointer.split('/').skip(1).collect();
        let value = change.value.clone().unwrap_or(Value::Null);
        let one = parts.iter().rev().fold(
            value,
            |value, part| json!({ part.replace("~1", "/").replace("~0", "~"): value }),
        );
        merge(&mut patch, one);
    }
    format!(
        "kubectl patch {}.{}/{} -n {} --type merge -p '{patch}'",
        reference.kind.plural(),
        reference.kind.group(),
        reference.name,
        reference.namespace
    )
}

/// Puts the maps of one into those of another.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

impl Rivals {
    /// The values that make the same plan again.
    pub fn inputs(&self) -> Vec<String> {
        self.pauses.iter().take(1).map(|_| FLAG.to_owned()).collect()
    }

    /// None of them acts from here on.
    pub fn pause(&self) -> Vec<Step> {
        self.pauses.iter().map(Pause::step).collect()
    }

    /// They go on, in the other order.
    pub fn go_on(&self) -> Vec<Step> {
        self.pauses.iter().rev().filter_map(|pause| back(&pause.step(), &pause.who)).collect()
    }
}

impl Pause {
    fn step(&self) -> Step {
        let Pause { who, object, reference, changes, guards } = self;
        let why = format!("{who} leaves it alone from here on");
        let mut step = patch_step(object, reference, changes, 0, &why);
        if let Action::Patch { patch, .. } = &mut step.action {
            patch.splice(0..0, guards.iter().cloned());
        }
        // Of an Application even the generation counts what its controller notes in its status, every
        // few minutes; a Deployment is written again by the steps that follow.
        if reference.kind == Kind::Deployment { step } else { uncounted(step) }
    }
}

/// The step that takes a pause back, at the end of a plan.
fn back(step: &Step, who: &str) -> Option<Step> {
    let Undo::Patch(ops) = &step.undo else { return None };
    Some(Step {
        why: format!("{who} goes on as before"),
        action: Action::Patch { object: step.action.object().clone(), patch: ops.clone() },
        undo: Undo::Words("it goes on, as it did".into()),
    })
}

/// The steps that take back what a plan of ours has paused and not let go on: those before it
/// scaled `workload`.
pub fn go_on_after<'a>(steps: impl Iterator<Item = &'a Step>, workload: &ObjectRef) -> Vec<Step> {
    let pauses = steps.filter(|step| match &step.action {
        Action::Patch { object, patch } => {
            let writes =
                |op: &Op| !op.is_guard() && (object != workload || gitops::is_pause(op.path()));
            patch.iter().any(writes)
        }
        _ => false,
    });
    let mut out: Vec<Step> =
        pauses.filter_map(|step| back(step, &step.action.object().short())).collect();
    out.reverse();
    out
}

/// The annotation of this name.
fn annotation(name: &str) -> String {
    pointer(["metadata", "annotations", name])
}

/// What could not be read of who scales it.
fn unread(workload: &Value, kind: Kind, why: &str) -> Unknown {
    let namespace = workload.namespace();
    Unknown {
        need: format!("whether one of {} starts it meanwhile", kind.plural()),
        why: why.into(),
        get: format!("kubectl get {}.{} -n {namespace}", kind.plural(), kind.group()),
        vital: false,
    }
}

/// Why a listing says nothing, or nothing where it says all.
fn unheard<T: ?Sized>(got: Got<'_, T>) -> Option<&str> {
    match got {
        Got::Unreadable(why) => Some(why),
        Got::NotAsked => Some("not read"),
        Got::Known(_) | Got::Absent => None,
    }
}
