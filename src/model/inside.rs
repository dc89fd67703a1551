//! What is known beside the API server's answers: what a helper pod saw of a volume, and the agents
//! there are to look with.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::object::{ObjectExt, ObjectRef};
use super::receipt::{MANAGED_BY, MANAGER};

/// The name of the agent's file, in its ConfigMap and in a helper pod.
pub const AGENT: &str = "prom-fix-agent";
/// Plans and receipts name an agent by its sum: `sha256:…` stands where its bytes are sent.
pub const REFERENCE: &str = "sha256:";

/// How a pod in a client's stead is called, and the ConfigMap with its agent.
pub const STAND_IN: &str = "prom-fix-reach-";
pub const STAND_IN_AGENT: &str = "prom-fix-agent-reach-";
/// The condition of a pod in a client's stead that nobody sets: it is never ready, and no Service leads
/// to it.
pub const NEVER_READY: &str = "prom-fix/never-ready";

/// The labels of a helper pod.
pub fn labels() -> Value {
    json!({MANAGED_BY: MANAGER, "sidecar.istio.io/inject": "false"})
}

/// Annotations by which no mesh puts anything into a pod.
pub fn no_mesh() -> Value {
    json!({"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"})
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inside {
    /// A look was allowed (`--inspect`).
    pub consented: bool,
    /// A pod's loopback may be asked: that was allowed, or a recording is read, which may hold it.
    pub forwards: bool,
    /// What helpers run in, in the place of Prometheus' own image (`--helper-image`).
    pub image: Option<String>,
    /// By architecture, as Kubernetes names it, the SHA-256 of the agent.
    pub agents: BTreeMap<String, String>,
    /// By claim, what the agent told of whose its files are (`prom-fix-agent owners --json`).
    pub owners: BTreeMap<ObjectRef, Value>,
    /// By claim, what the agent told of its files (`prom-fix-agent survey --json`): what it judged,
    /// the map, the first faults, what was uploaded, the count, and the room on its volume.
    pub surveys: BTreeMap<ObjectRef, Value>,
    /// By claim, what the agent counted in its log (`prom-fix-agent inventory --json`), the first of
    /// each list.
    pub inventories: BTreeMap<ObjectRef, Value>,
    /// By claim, what the agent told of what takes its room (`prom-fix-agent space`).
    pub spaces: BTreeMap<ObjectRef, Value>,
    /// By pod of Prometheus, whether one in the client's stead reached it
    /// (`prom-fix-agent reach`).
    pub reached: BTreeMap<ObjectRef, Value>,
    /// By claim, or by that pod, why it could not be looked at.
    pub refused: BTreeMap<ObjectRef, String>,
}

impl Inside {
    /// Faults in the log on a claim that its inventory counted, without the torn end of its newest
    /// segment, behind which nothing is. None where nobody counted.
    pub fn log_faults(&self, claim: &ObjectRef) -> Option<i64> {
        let report = self.inventories.get(claim)?;
        let torn = i64::from(report.is_true("/tornEnd"));
        Some(report.number("/faults")?.saturating_sub(torn).max(0))
    }

    /// Forgets what was seen, not what to look with. What was allowed was a look before a plan, not
    /// one behind it.
    pub fn forget(&mut self) {
        self.consented = false;
        self.forwards = false;
        self.owners.clear();
        self.surveys.clear();
        self.inventories.clear();
        self.spaces.clear();
        self.reached.clear();
        self.refused.clear();
    }
}
