//! What was done: the record kept beside the target while a plan is carried out and after. It is
//! lock, source of truth and audit trail in one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::{Kind, ObjectExt};
use super::plan::{Action, Blocked, BlockedReason, Plan, Undo};

/// The name of a receipt's ConfigMap for a plan.
pub fn name(digest: &str) -> String {
    format!("prom-fix-{digest}")
}

/// Label values on the ConfigMap, so that one selected listing finds what is open.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub const MANAGER: &str = "prom-fix";
pub const STATE_LABEL: &str = "prom-fix.github.io/state";
pub const DATA_KEY: &str = "receipt.json";
/// In what a helper reported of a salvage: the bytes of the files that it set aside.
pub const ASIDE_BYTES: &str = "asideBytes";
/// The note of a step whose helper goes on for another.
pub const AGAIN: &str = "made again";
/// The finalizer that holds a pod's name while its volume is worked on.
pub const HOLD: &str = "prom-fix.github.io/hold";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Begun and not finished: by somebody at work, or left behind.
    Open,
    /// Every step done; `proved` says whether the proof was had.
    Applied,
    /// Put back.
    Undone,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// `prom-fix/v1`.
    pub api_version: String,
    pub digest: String,
    pub plan: Plan,
    pub state: State,
    pub proved: bool,
    pub who: String,
    pub context: String,
    pub server: String,
    /// Version of this program.
    pub version: String,
    /// RFC 3339.
    pub began: String,
    pub ended: Option<String>,
    /// One entry per step of the plan, in order.
    pub steps: Vec<Progress>,
    /// Entries of an undo, newest last.
    #[serde(default)]
    pub undone: Vec<Progress>,
    /// Of a freeze, whether it holds now; looked at when it is shown, and never written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<bool>,
    /// Of a salvage, whether its old files are there; looked for among the other receipts, and never
    /// written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed: Option<Freed>,
}

/// What became of the old files of a salvage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freed {
    /// The receipt of the cleanup.
    pub by: String,
    pub at: String,
    /// Else it began, and was not finished.
    pub whole: bool,
}

/// How far one step came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub state: StepState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was otherwise than foreseen, and did not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What a helper reported, where the step waited for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Value>,
    /// `metadata.managedFields` of a patched object before the patch, to give field ownership
    /// back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields_before: Option<Value>,
    /// What the patched pointers held right after the patch, as served: the server fills in and
    /// rewrites values, and an undo must tell that from somebody else's change.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub served: BTreeMap<String, Value>,
    /// uid of what the step created, so that an undo deletes that and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// In an entry of an undo: the number of the plan's step it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    #[default]
    NotTried,
    /// Written before the step is sent: after a crash it may or may not have happened.
    Began,
    Did,
    Failed,
}

impl Receipt {
    /// The receipt that a ConfigMap holds now.
    pub fn of_map(map: &Value) -> Option<Receipt> {
        serde_json::from_str(map.pointer("/data")?.get(DATA_KEY)?.as_str()?).ok()
    }

    /// Why nothing else is done to its target, and how to end it.
    pub fn busy(&self) -> Blocked {
        let Receipt { digest, who, began, plan, .. } = self;
        let end = |verb| format!("kubectl prom-fix {verb} {digest} -n {}", plan.target.namespace);
        Blocked {
            reason: BlockedReason::Busy,
            why: format!("plan {digest} by {who} is not finished (began {began})"),
            ways: vec![end("resume"), end("undo")],
        }
    }

    /// How the agent said that a helper ended: `salvaged`, `restored`, `nothing`, …
    pub fn outcomes(&self) -> impl Iterator<Item = &str> {
        let said = self.steps.iter().filter_map(|step| step.said.as_ref());
        said.filter_map(|said| said.get("outcome")?.as_str())
    }

    /// Whether it put files back. A helper that went on for one whose report nobody read has nothing
    /// left to put back only where that one did it: of an older salvage it refuses.
    pub fn put_back(&self) -> bool {
        let again = self.steps.iter().any(|step| step.note.as_deref() == Some(AGAIN));
        self.outcomes().any(|said| said == "restored" || again && said == "nothing")
    }

    /// The agreement that its salvage was held to, and the claim that it was on: of one that may have
    /// set files aside.
    pub fn salvage(&self) -> Option<(&str, &str)> {
        let mut steps = self.plan.steps.iter().zip(&self.steps);
        steps.find_map(|(step, progress)| match (&step.action, &step.undo) {
            (Action::Create { body, .. }, Undo::Restore(words)) => {
                let of = words.get(2).map(String::as_str).filter(|of| *of != "chown")?;
                let claim = "/spec/volumes/0/persistentVolumeClaim/claimName";
                let began = matches!(progress.state, StepState::Began | StepState::Did);
                began.then(|| (of, body.text(claim)))
            }
            _ => None,
        })
    }

    /// The receipt that this took back with what was written since set aside.
    pub fn restores_by_force(&self) -> Option<String> {
        let forced = |undo: &Undo| matches!(undo, Undo::Restore(words) if words.iter().any(|word| word == "--force"));
        let any = self.plan.steps.iter().any(|step| forced(&step.undo));
        self.plan.undoes.clone().filter(|_| any)
    }

    /// Of a cleanup, whose old files it frees, and how far that is.
    pub fn frees(&self) -> Option<(String, Freed)> {
        let of = self.plan.frees.clone()?;
        let mut steps = self.plan.steps.iter().zip(&self.steps);
        let began = steps.any(|(step, progress)| {
            matches!(&step.action, Action::Create { object, .. } if object.kind == Kind::Pod)
                && progress.began.is_some()
        });
        let whole = self.state == State::Applied;
        let at = self.ended.clone().unwrap_or_else(|| self.began.clone());
        began.then(|| (of, Freed { by: self.digest.clone(), at, whole }))
    }

    /// Where the old files of a salvage went, and their bytes, as its helper reported.
    pub fn aside(&self) -> Option<(&str, Option<u64>)> {
        let mut said = self.steps.iter().filter_map(|step| step.said.as_ref());
        said.find_map(|said| {
            let folder = said.get("aside")?.as_str()?;
            Some((folder, said.get(ASIDE_BYTES).and_then(Value::as_u64)))
        })
    }

    /// Places of the helpers that may have changed files, and were not taken back: another helper
    /// does that.
    pub fn to_restore(&self) -> Vec<usize> {
        let taken_back = |number: usize| {
            let done =
                |entry: &Progress| entry.step == Some(number) && entry.state == StepState::Did;
            self.undone.iter().any(done)
        };
        let steps = self.plan.steps.iter().zip(&self.steps).enumerate();
        steps
            .filter(|(_, (step, progress))| {
                matches!(step.undo, Undo::Restore(_))
                    && matches!(progress.state, StepState::Began | StepState::Did)
            })
            .map(|(index, _)| index)
            .filter(|index| !taken_back(index + 1))
            .collect()
    }
}
