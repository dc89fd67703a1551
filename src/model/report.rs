//! The whole of what a run says of one Prometheus, before it is text.

use jiff::Timestamp;

use super::code::Code;
use super::finding::{Danger, Finding, Unknown};
use super::object::{ObjectRef, Owner};
use super::path::Path;
use super::plan::{Blocked, Plan};
use super::receipt::Receipt;
use crate::walfile::fault::Fault;
use crate::walfile::map::{Log, Map};
use crate::walfile::uploads::Uploads;

/// The first word of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Healthy,
    Broken,
    Recovering,
    Unknown,
}

impl State {
    pub const fn word(self) -> &'static str {
        match self {
            State::Healthy => "healthy",
            State::Broken => "broken",
            State::Recovering => "recovering",
            State::Unknown => "unknown",
        }
    }
}

/// Which cluster was read, as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The kubeconfig context; for a bundle, its path.
    pub name: String,
    pub server: String,
    pub user: String,
    /// Flags that a printed command needs to reach the same place: `["--context", "prod"]`.
    pub flags: Vec<String>,
    /// True where a folder was read, not a cluster.
    pub bundle: bool,
    /// True where the plan that is shown is about to be carried out.
    pub applying: bool,
}

/// Which Prometheus this is, as the report says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub object: ObjectRef,
    pub uid: String,
    /// `v2.53.3`; empty where it could not be told.
    pub version: String,
    pub serving: u32,
    pub wanted: u32,
    /// The object that a patch must aim at; none where its kind is not ours.
    pub owner: Owner,
    pub owner_namespace: String,
    /// `operator`, `helm-prometheus`, `kube-prometheus-stack`, `plain`, `openshift`, ….
    pub install: String,
    /// `helm:kps`, `argocd:app`, `flux:…`.
    pub managers: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLine {
    pub name: String,
    pub uid: String,
    pub ready: bool,
    pub revision: String,
    pub root_cause: Option<Code>,
}

/// The data directory of a pod, as a look inside found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The claim it is on.
    pub claim: ObjectRef,
    pub map: Map,
    /// In the order of the map, up to [`Directory::MOST_FAULTS`] of them; each file tells how many it has.
    pub faults: Vec<Place>,
    /// None where no Thanos sidecar left a note there.
    pub uploads: Option<Uploads>,
    /// None where nobody counted.
    pub inventory: Option<Inventory>,
}

impl Directory {
    pub const MOST_FAULTS: usize = 200;
}

/// A fault of a file, with what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub log: Log,
    pub number: u64,
    pub fault: Fault,
}

/// What a start loads into its head, counted in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    pub series: u64,
    /// The metrics with the most series, and how many they have; the jobs; the pairs of label and
    /// value, as `job=api`.
    pub metrics: Vec<(String, u64)>,
    pub jobs: Vec<(String, u64)>,
    pub pairs: Vec<(String, u64)>,
    /// The labels with the most values, and how many they have.
    pub labels: Vec<(String, u64)>,
    /// What they take; none of an agent, whose series hold no samples.
    pub memory: Option<Memory>,
}

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Once the log is replayed.
    pub at_ready: u64,
    /// A limit to live with, and its range.
    pub limit: u64,
    pub low: u64,
    pub high: u64,
}

/// How a step of a plan went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepOutcome {
    /// `did`, `failed`, `not-tried`.
    pub state: &'static str,
    pub error: Option<String>,
}

/// What showed, while a proof looked on, that servers take samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// So many more in the heads of all.
    Took(u64),
    /// Ready has to do.
    NothingToScrape,
    /// So it has where a server does not say (TLS, a login, no right to the pod proxy).
    NotTold,
}

impl Intake {
    pub fn says(self) -> String {
        match self {
            Intake::Took(1) => "the head took 1 sample more".to_owned(),
            Intake::Took(samples) => format!("the head took {samples} samples more"),
            Intake::NothingToScrape => "Ready, and it has nothing to scrape".to_owned(),
            Intake::NotTold => "Ready; whether it takes samples could not be read".to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub steps: Vec<StepOutcome>,
    pub proved: bool,
    /// What the proof saw of that.
    pub intake: Option<Intake>,
    pub receipt: String,
}

/// What a server rehearsal said of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rehearsal {
    NotRun,
    Accepted,
    /// Accepted for the person asking; the controller may be judged otherwise (SCC, Kyverno).
    AcceptedAsYou,
    Rejected(String),
    CannotBeRehearsed(String),
}

#[derive(Clone, Debug)]
pub struct Report {
    /// `diagnose`, `oom`, ….
    pub command: String,
    pub target: Target,
    pub at: Timestamp,
    pub state: State,
    pub root: Option<Code>,
    /// Where the next start would destroy data: what to do instead. The first thing on the screen.
    pub danger: Option<Danger>,
    pub pods: Vec<PodLine>,
    /// Errors first, the root first of them.
    pub findings: Vec<Finding>,
    pub unknown: Vec<Unknown>,
    /// Where reaching it was asked about, or is what is broken.
    pub paths: Vec<Path>,
    /// What a look inside saw of their files.
    pub directories: Vec<Directory>,
    pub plan: Option<Plan>,
    /// One per step of the plan.
    pub rehearsal: Vec<Rehearsal>,
    /// Verbs of the plan that the person may not use: `patch prometheuses in monitoring`.
    pub lacks: Vec<String>,
    pub blocked: Option<Blocked>,
    /// What to follow where time heals it.
    pub waits: Option<String>,
    /// A plan that somebody left behind.
    pub unfinished: Option<Receipt>,
    pub outcome: Option<Outcome>,
    /// The command to type next, as words; empty where there is none.
    pub next: Vec<String>,
    /// Asked for one class while another is to blame: that class.
    pub asked_class: Option<String>,
}
