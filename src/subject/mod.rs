//! Which Prometheus is this: found, walked to its owner, described. Pure functions of a snapshot;
//! nothing here knows what is wrong with it.

pub mod back;
pub mod commit;
pub mod discover;
pub mod errand;
pub mod flags;
pub mod former;
pub mod free;
pub mod frozen;
pub mod grow;
pub mod hold;
pub mod identity;
mod install;
pub mod knock;
pub mod manager;
pub mod network;
pub mod operator;
pub mod owner;
pub mod plugin;
pub mod pod;
pub mod promised;
pub mod provisioning;
pub mod refused;
pub mod repair;
pub mod rivals;
pub mod rollout;
pub mod selector;
pub mod sharers;
pub mod space;
pub mod startup;
pub mod template;
#[cfg(test)]
mod tests;
pub mod thanos;
pub mod version;
pub mod volume;

use serde_json::Value;

use crate::model::object::{ObjectExt, Owner};
use crate::model::{Kind, ObjectRef};
pub use flags::Flags;
pub use manager::Manager;
pub use version::Version;

/// How a Prometheus came to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// A custom resource, applied by hand or by something without a marker.
    Operator,
    /// Chart `kube-prometheus-stack`.
    KubePrometheusStack,
    /// The manifests of the kube-prometheus project.
    KubePrometheus,
    /// Chart `prometheus`.
    HelmPrometheus,
    /// Another chart.
    Helm,
    Bitnami,
    OpenShift,
    OpenShiftUserWorkload,
    MonitoringStack,
    Rancher,
    GoogleManaged,
    Istio,
    Linkerd,
    /// A workload with no marker.
    Plain,
}

impl Install {
    pub const fn word(self) -> &'static str {
        match self {
            Install::Operator => "operator",
            Install::KubePrometheusStack => "kube-prometheus-stack",
            Install::KubePrometheus => "kube-prometheus",
            Install::HelmPrometheus => "helm-prometheus",
            Install::Helm => "helm",
            Install::Bitnami => "bitnami",
            Install::OpenShift => "openshift",
            Install::OpenShiftUserWorkload => "openshift-user-workload",
            Install::MonitoringStack => "monitoring-stack",
            Install::Rancher => "rancher",
            Install::GoogleManaged => "google-managed",
            Install::Istio => "istio",
            Install::Linkerd => "linkerd",
            Install::Plain => "plain",
        }
    }
}

/// One Prometheus (all replicas and shards of it), described from the facts at hand.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The top of the owner walk among the kinds we know: what the report names and, unless
    /// `install` says otherwise, what a patch aims at.
    pub root: ObjectRef,
    /// The root as served; `Null` where it could not be read.
    pub root_object: Value,
    /// The very top of the walk, also where its kind is none of ours.
    pub owner: Owner,
    /// StatefulSets, Deployments or DaemonSets, by name; empty where they do not exist (yet).
    pub workloads: Vec<Value>,
    /// Pods of these workloads, by workload and ordinal (by name where there is none).
    pub pods: Vec<Value>,
    /// Name of the container that runs Prometheus.
    pub container: String,
    /// Pods wanted, over all shards.
    pub wanted: u32,
    pub version: Option<Version>,
    pub flags: Flags,
    pub agent: bool,
    pub install: Install,
    /// Markers read on the root.
    pub managers: Vec<Manager>,
}

impl Subject {
    pub fn namespace(&self) -> &str {
        &self.root.namespace
    }

    pub fn root_uid(&self) -> &str {
        self.root_object.uid()
    }

    /// Whether an operator renders the workload from a custom resource.
    pub fn is_operated(&self) -> bool {
        self.root.kind.is_operator_resource() || self.root.kind == Kind::MonitoringStack
    }

    /// The pod template's spec of the first workload; without one, the first pod's spec.
    pub fn pod_spec(&self) -> &Value {
        let template = self.workloads.first().and_then(|w| w.pointer("/spec/template/spec"));
        template.or_else(|| self.pods.first().and_then(|p| p.get("spec"))).unwrap_or(&Value::Null)
    }

    /// Pods whose Prometheus container is ready now.
    pub fn serving(&self) -> impl Iterator<Item = &Value> {
        self.pods.iter().filter(|p| pod::is_ready(p))
    }
}
