//! What the facts mean.

use serde::{Deserialize, Serialize};

use super::code::Code;
use super::object::ObjectRef;

/// How much a finding weighs: an error makes a Prometheus broken, a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warn,
    Info,
}

/// What was read, where: never what was assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub object: ObjectRef,
    /// A short label: `last kill`, `it needs`, `log`.
    pub field: String,
    pub value: String,
}

impl Evidence {
    pub fn new(object: &ObjectRef, field: &str, value: impl Into<String>) -> Self {
        Evidence { object: object.clone(), field: field.into(), value: value.into() }
    }
}

/// One fault, or one remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub object: ObjectRef,
    pub severity: Severity,
    /// One clause, lower case, no full stop; follows the object's name in the report.
    pub says: String,
    pub evidence: Vec<Evidence>,
    /// Names of the pods that this fault keeps from serving.
    pub stops: Vec<String>,
    /// Set where this finding only follows from a pod being down: the pod's name. The fold joins
    /// it with the finding that stops that pod.
    pub because_down: Option<String>,
    /// Filled by the fold: the code that explains this one.
    pub because: Option<Code>,
    /// Set where the next start of the finding's pod destroys data: no plan may restart it.
    pub forbids_restart: bool,
}

impl Finding {
    pub fn new(
        code: Code,
        object: &ObjectRef,
        severity: Severity,
        says: impl Into<String>,
    ) -> Self {
        Finding {
            code,
            object: object.clone(),
            severity,
            says: says.into(),
            evidence: Vec::new(),
            stops: Vec::new(),
            because_down: None,
            because: None,
            forbids_restart: false,
        }
    }

    /// Adds one piece of evidence about the finding's own object.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<String>) -> Self {
        self.evidence.push(Evidence::new(&self.object.clone(), field, value));
        self
    }

    /// Says which pod this fault stops.
    #[must_use]
    pub fn stopping(mut self, pod: &str) -> Self {
        self.stops.push(pod.into());
        self
    }

    /// Says that a restart of this pod would destroy data.
    #[must_use]
    pub fn forbidding_restart(mut self) -> Self {
        self.forbids_restart = true;
        self
    }

    /// Says that this finding only follows from `pod` being down.
    #[must_use]
    pub fn because_down(mut self, pod: &str) -> Self {
        self.because_down = Some(pod.into());
        self
    }
}

/// A fact that was needed and could not be had.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unknown {
    /// What is needed: `log of pod/a (container prometheus)`.
    pub need: String,
    /// Why it could not be read.
    pub why: String,
    /// The command that fetches it, or the verb and resource of the missing permission.
    pub get: String,
    /// Whether a verdict of health may stand without it.
    pub vital: bool,
}

/// The next start of a pod would destroy data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Danger {
    pub pod: ObjectRef,
    /// One clause that follows the pod's name: `its next start (in about 2m40s) deletes WAL
    /// segments 9-27`.
    pub says: String,
    /// It serves, so that nothing is lost while it runs.
    pub serves: bool,
    /// Whether it can be kept from starting (`freeze`).
    pub can_hold: bool,
}

/// What one class says of one Prometheus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub findings: Vec<Finding>,
    pub unknown: Vec<Unknown>,
    pub danger: Option<Danger>,
}
