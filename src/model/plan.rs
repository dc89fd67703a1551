//! What would be done, as a value: shown, hashed, rehearsed, saved to a file, carried out. Nothing
//! in here was done.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::finding::Unknown;
use super::object::ObjectRef;
use super::patch::Op;

/// The version of the plan's shape; part of the digest.
pub const SCHEMA: &str = "prom-fix/v1";

/// The class of a plan that only keeps a pod from starting.
pub const FREEZE: &str = "freeze";

/// A repair, step by step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// `raise the memory limit from 2Gi to 4Gi`.
    pub title: String,
    /// The class that made it: `oom`.
    pub class: String,
    /// uid of the namespace `kube-system`: the cluster's name for itself. Empty from a bundle
    /// that did not record it; such a plan is shown, and `apply -f` refuses it.
    pub cluster: String,
    /// What the report is about, the root of the owner walk.
    pub target: ObjectRef,
    pub target_uid: String,
    pub steps: Vec<Step>,
    pub impact: Impact,
    pub forecast: Vec<Forecast>,
    /// What to commit so that it lasts.
    pub commit: Vec<Snippet>,
    /// Flags that make the same plan again, whatever was measured in between:
    /// `["--memory", "4Gi,4Gi"]`.
    pub inputs: Vec<String>,
    /// What undoing it means, one clause: `yes; it also restarts both pods`.
    pub undo: String,
    /// `about 10 min`.
    pub takes: String,
    /// What could not be checked about it: that a node has room, say.
    #[serde(default)]
    pub doubts: Vec<Unknown>,
    /// The receipt whose work on files it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// The receipt whose old files it frees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frees: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Impact {
    /// Names of every pod it restarts, in order.
    pub restarts: Vec<String>,
    /// Those of them that serve, or may by then, and are stopped only while another of their set serves.
    #[serde(default)]
    pub serving: Vec<String>,
    /// `none: one replica serves throughout`.
    pub outage: String,
    /// True where a pod that serves now stops with no other serving: needs `--allow-downtime`.
    #[serde(default)]
    pub stops_serving: bool,
    /// `untouched`, or what is lost.
    pub data: String,
    /// True where data is lost: never without a prompt or `--yes`.
    #[serde(default)]
    pub loses_data: bool,
    /// What a `--yes` that was given before anything was known of the files does not cover: it takes a
    /// prompt, or the plan's own digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<String>,
}

/// One step: what, why, and the way back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub why: String,
    #[serde(flatten)]
    pub action: Action,
    pub undo: Undo,
}

/// The closed set of things a plan can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Action {
    /// An RFC 6902 patch with its guards.
    Patch { object: ObjectRef, patch: Vec<Op> },
    /// Creates an object: only our own (policies, helpers).
    Create { object: ObjectRef, body: Value },
    /// Deletes a pod by uid, or what the plan itself created. A uid that is gone already counts
    /// as done: a controller was faster.
    Delete {
        object: ObjectRef,
        uid: String,
        /// Seconds its containers are left to end by themselves; the pod's own where none is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace: Option<u32>,
    },
    /// Runs a program in a container; never a shell string.
    Exec { object: ObjectRef, container: String, argv: Vec<String> },
    /// Waits for a state.
    Wait { object: ObjectRef, until: Until },
}

impl Action {
    pub fn object(&self) -> &ObjectRef {
        match self {
            Action::Patch { object, .. }
            | Action::Create { object, .. }
            | Action::Delete { object, .. }
            | Action::Exec { object, .. }
            | Action::Wait { object, .. } => object,
        }
    }

    pub fn verb(&self) -> &'static str {
        match self {
            Action::Patch { .. } => "patch",
            Action::Create { .. } => "create",
            Action::Delete { .. } => "delete",
            Action::Exec { .. } => "exec",
            Action::Wait { .. } => "wait",
        }
    }
}

/// A state to wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Until {
    /// A pod of this name, another than `not_uid`, is Ready and its head takes samples; `port` is
    /// where Prometheus listens, `prefix` its route prefix (`/` where there is none). Where HTTP
    /// does not answer through the proxy (TLS, authentication), Ready alone.
    #[serde(rename_all = "camelCase")]
    Ingests { not_uid: String, port: u16, prefix: String },
    /// A pod of this name, another than `not_uid`, is Ready.
    #[serde(rename_all = "camelCase")]
    Ready { not_uid: String },
    /// The object no longer exists (or its uid changed).
    Gone { uid: String },
    /// The controller has seen the latest generation and every wanted replica is updated and
    /// ready.
    RolledOut {
        /// What its pods run, where that replays a log before it is ready.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<Server>,
    },
    /// The workload an operator renders carries this value at this pointer.
    #[serde(rename_all = "camelCase")]
    Rendered { pointer: String, value: Value },
    /// A helper ran to its end.
    Completed,
    /// Every container of the pod of this uid has ended, or it is gone.
    Stopped { uid: String },
    /// The same, and its name is held: no other of that name is made.
    Held { uid: String },
}

/// Where a Prometheus listens, and the prefix of its routes (`/` where there is none).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub port: u16,
    pub prefix: String,
}

/// The way back from a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Undo {
    /// Guarded operations on the step's own object.
    Patch(Vec<Op>),
    /// Delete what the step created.
    Delete,
    /// Delete it; what it did to the files another helper takes back, with these words for our
    /// agent, while the pod is held.
    Restore(Vec<String>),
    /// Nothing to take back, or it cannot be; says which.
    Words(String),
}

/// Who will take a value back, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revert {
    Survives,
    SurvivesUntilUpgrade,
    RevertsOnReconcile,
    RevertsNow,
}

/// A forecast for one pointer of a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    pub pointer: String,
    pub verdict: Revert,
    /// Who: `Helm release kps`; empty where nobody does.
    pub by: String,
    /// What to commit instead, one line; empty where nothing is needed.
    pub commit: String,
}

/// Text to commit, or the command that makes it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippet {
    /// Where it goes: `values.yaml of release kps (chart kube-prometheus-stack 88.5.3)`.
    pub title: String,
    /// `yaml` or `sh`.
    pub language: String,
    pub text: String,
}

/// Why there is no plan to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockedReason {
    NoSafePlan,
    Stale,
    Declined,
    Forbidden,
    Busy,
    NeedsInspect,
    NeedsConsent,
}

/// An answer, not an error: nothing is done, for this reason, with these ways on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    pub reason: BlockedReason,
    pub why: String,
    pub ways: Vec<String>,
}

impl Blocked {
    /// Nothing safe is known to do.
    pub fn no_safe_plan(why: impl Into<String>, ways: &[&str]) -> Blocked {
        Blocked {
            reason: BlockedReason::NoSafePlan,
            why: why.into(),
            ways: ways.iter().map(|way| (*way).to_owned()).collect(),
        }
    }
}

/// What a look inside tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Whose the files are.
    Owners,
    /// What is in the log, and what is wrong with it.
    Survey,
    /// How many series the log holds, and whose they are.
    Inventory,
    /// What takes the room of the volume.
    Space,
    /// Whether a pod takes connections from where the helper is.
    Reach,
}

/// A helper pod that looks inside a volume, and reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub claim: ObjectRef,
    pub plan: Plan,
    pub tells: Tells,
    /// What it is needed for: `whose the files are cannot be told from outside`.
    pub why: String,
    /// What a person may do without it.
    pub ways: Vec<String>,
    /// Why no helper can be made for it.
    pub cannot: Option<String>,
    /// What a `--yes` before it covers of the plan that it leads to, in words; none where all.
    pub envelope: Option<&'static str>,
}

/// What follows from the findings.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing to do.
    Done,
    /// Time heals it (replay): what to follow.
    Wait(String),
    /// A look inside is needed first; touches only our own objects.
    Look(Look),
    /// A repair.
    Fix(Plan),
    Blocked(Blocked),
}

impl Plan {
    /// The first 12 hex digits of SHA-256 over what will be done: schema, cluster, target, steps
    /// and their undo. Never over evidence, measurements, times: the same plan made again from
    /// newer measurements keeps its digest.
    pub fn digest(&self) -> String {
        let steps: Vec<Value> =
            self.steps.iter().map(|step| json!({"do": step.action, "undo": step.undo})).collect();
        // serde_json's map is sorted by key, so this text is canonical.
        let mut whole = json!({
            "schema": SCHEMA,
            "cluster": self.cluster,
            "target": self.target,
            "uid": self.target_uid,
            "steps": steps,
        });
        if let (Some(undoes), Some(whole)) = (&self.undoes, whole.as_object_mut()) {
            whole.insert("undoes".into(), json!(undoes));
        }
        if let (Some(frees), Some(whole)) = (&self.frees, whole.as_object_mut()) {
            whole.insert("frees".into(), json!(frees));
        }
        let text = whole.to_string();
        let hash = Sha256::digest(text.as_bytes());
        hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}
