//! Kinds with their fixed REST paths, and references to objects. Fixed on purpose: API discovery
//! costs one request per API group, and this program never needs it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kinds this program reads or writes. A kind that is not here is only ever named, in an
/// [`Owner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Pod,
    StatefulSet,
    Deployment,
    DaemonSet,
    ReplicaSet,
    ControllerRevision,
    Prometheus,
    PrometheusAgent,
    RhobsPrometheus,
    RhobsPrometheusAgent,
    MonitoringStack,
    Service,
    EndpointSlice,
    NetworkPolicy,
    Ingress,
    ConfigMap,
    Event,
    PersistentVolumeClaim,
    PersistentVolume,
    StorageClass,
    CsiDriver,
    Namespace,
    Node,
    ResourceQuota,
    LimitRange,
    PodDisruptionBudget,
    VerticalPodAutoscaler,
    HorizontalPodAutoscaler,
    ScaledObject,
    Application,
    HelmRelease,
    CustomResourceDefinition,
    CiliumNetworkPolicy,
    CiliumClusterwideNetworkPolicy,
    CalicoNetworkPolicy,
    CalicoGlobalNetworkPolicy,
    AdminNetworkPolicy,
    BaselineAdminNetworkPolicy,
    ClusterNetworkPolicy,
    AuthorizationPolicy,
    PeerAuthentication,
    LinkerdServer,
}

/// What is fixed about a kind: group and version, names, scope.
struct Row {
    kind: Kind,
    api_version: &'static str,
    name: &'static str,
    plural: &'static str,
    short: &'static str,
    namespaced: bool,
}

const fn row(
    kind: Kind,
    api_version: &'static str,
    name: &'static str,
    plural: &'static str,
    short: &'static str,
    namespaced: bool,
) -> Row {
    Row { kind, api_version, name, plural, short, namespaced }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row(Kind::Pod, "v1", "Pod", "pods", "pod", true),
    row(Kind::StatefulSet, "apps/v1", "StatefulSet", "statefulsets", "sts", true),
    row(Kind::Deployment, "apps/v1", "Deployment", "deployments", "deploy", true),
    row(Kind::DaemonSet, "apps/v1", "DaemonSet", "daemonsets", "ds", true),
    row(Kind::ReplicaSet, "apps/v1", "ReplicaSet", "replicasets", "rs", true),
    row(Kind::ControllerRevision, "apps/v1", "ControllerRevision", "controllerrevisions", "controllerrevision", true),
    row(Kind::Prometheus, "monitoring.coreos.com/v1", "Prometheus", "prometheuses", "prometheus", true),
    row(Kind::PrometheusAgent, "monitoring.coreos.com/v1alpha1", "PrometheusAgent", "prometheusagents", "prometheusagent", true),
    row(Kind::RhobsPrometheus, "monitoring.rhobs/v1", "Prometheus", "prometheuses", "prometheus", true),
    row(Kind::RhobsPrometheusAgent, "monitoring.rhobs/v1alpha1", "PrometheusAgent", "prometheusagents", "prometheusagent", true),
    row(Kind::MonitoringStack, "monitoring.rhobs/v1alpha1", "MonitoringStack", "monitoringstacks", "monitoringstack", true),
    row(Kind::Service, "v1", "Service", "services", "svc", true),
    row(Kind::EndpointSlice, "discovery.k8s.io/v1", "EndpointSlice", "endpointslices", "endpointslice", true),
    row(Kind::NetworkPolicy, "networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", "netpol", true),
    row(Kind::Ingress, "networking.k8s.io/v1", "Ingress", "ingresses", "ingress", true),
    row(Kind::ConfigMap, "v1", "ConfigMap", "configmaps", "cm", true),
    row(Kind::Event, "v1", "Event", "events", "event", true),
    row(Kind::PersistentVolumeClaim, "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", true),
    row(Kind::PersistentVolume, "v1", "PersistentVolume", "persistentvolumes", "pv", false),
    row(Kind::StorageClass, "storage.k8s.io/v1", "StorageClass", "storageclasses", "sc", false),
    row(Kind::CsiDriver, "storage.k8s.io/v1", "CSIDriver", "csidrivers", "csidriver", false),
    row(Kind::Namespace, "v1", "Namespace", "namespaces", "ns", false),
    row(Kind::Node, "v1", "Node", "nodes", "node", false),
    row(Kind::ResourceQuota, "v1", "ResourceQuota", "resourcequotas", "quota", true),
    row(Kind::LimitRange, "v1", "LimitRange", "limitranges", "limits", true),
    row(Kind::PodDisruptionBudget, "policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", true),
    row(Kind::VerticalPodAutoscaler, "autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "verticalpodautoscalers", "vpa", true),
    row(Kind::HorizontalPodAutoscaler, "autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", true),
    row(Kind::ScaledObject, "keda.sh/v1alpha1", "ScaledObject", "scaledobjects", "scaledobject", true),
    row(Kind::Application, "argoproj.io/v1alpha1", "Application", "applications", "application", true),
    row(Kind::HelmRelease, "helm.toolkit.fluxcd.io/v2", "HelmRelease", "helmreleases", "helmrelease", true),
    row(Kind::CustomResourceDefinition, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", "crd", false),
    row(Kind::CiliumNetworkPolicy, "cilium.io/v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies", "ciliumnetworkpolicy", true),
    row(Kind::CiliumClusterwideNetworkPolicy, "cilium.io/v2", "CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicies", "ciliumclusterwidenetworkpolicy", false),
    row(Kind::CalicoNetworkPolicy, "crd.projectcalico.org/v1", "NetworkPolicy", "networkpolicies", "caliconetworkpolicy", true),
    row(Kind::CalicoGlobalNetworkPolicy, "crd.projectcalico.org/v1", "GlobalNetworkPolicy", "globalnetworkpolicies", "globalnetworkpolicy", false),
    row(Kind::AdminNetworkPolicy, "policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "adminnetworkpolicies", "adminnetworkpolicy", false),
    row(Kind::BaselineAdminNetworkPolicy, "policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy", "baselineadminnetworkpolicies", "baselineadminnetworkpolicy", false),
    row(Kind::ClusterNetworkPolicy, "policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "clusternetworkpolicies", "clusternetworkpolicy", false),
    row(Kind::AuthorizationPolicy, "security.istio.io/v1", "AuthorizationPolicy", "authorizationpolicies", "authorizationpolicy", true),
    row(Kind::PeerAuthentication, "security.istio.io/v1", "PeerAuthentication", "peerauthentications", "peerauthentication", true),
    row(Kind::LinkerdServer, "policy.linkerd.io/v1beta3", "Server", "servers", "server", true),
];

/// Istio before 1.22 and Linkerd before 2.16 know only the older version; Calico on etcd, and one
/// without definitions of its own, only the other group.
const ELSEWHERE: &[(Kind, &str)] = &[
    (Kind::AuthorizationPolicy, "security.istio.io/v1beta1"),
    (Kind::PeerAuthentication, "security.istio.io/v1beta1"),
    (Kind::LinkerdServer, "policy.linkerd.io/v1beta1"),
    (Kind::CalicoNetworkPolicy, "projectcalico.org/v3"),
    (Kind::CalicoGlobalNetworkPolicy, "projectcalico.org/v3"),
];

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

impl Kind {
    /// Every kind, in the order of the table.
    pub fn all() -> impl Iterator<Item = Kind> {
        ROWS.iter().map(|r| r.kind)
    }

    fn row(self) -> &'static Row {
        ROWS.iter().find(|r| r.kind == self).expect("a test holds that each kind has a row")
    }

    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(self) -> &'static str {
        self.row().api_version
    }

    /// `StatefulSet`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// `statefulsets`.
    pub fn plural(self) -> &'static str {
        self.row().plural
    }

    /// The prefix people type and read: `sts`, `deploy`, `prometheus`.
    pub fn short(self) -> &'static str {
        self.row().short
    }

    /// The API group, empty for the core group.
    pub fn group(self) -> &'static str {
        group_of(self.api_version())
    }

    /// Whether objects of this kind live in a namespace.
    pub fn namespaced(self) -> bool {
        self.row().namespaced
    }

    /// Where else a cluster may serve the same objects.
    pub fn elsewhere(self) -> impl Iterator<Item = &'static str> {
        ELSEWHERE.iter().filter(move |(kind, _)| *kind == self).map(|(_, version)| *version)
    }

    /// The kind with this exact `apiVersion` and `kind`; the group must agree, the version need
    /// not (an owner reference may carry an older one).
    pub fn of(api_version: &str, name: &str) -> Option<Kind> {
        let group = group_of(api_version);
        let is = |r: &&Row| r.name == name && r.kind.groups().any(|own| own == group);
        ROWS.iter().find(is).map(|r| r.kind)
    }

    fn groups(self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.group()).chain(self.elsewhere().map(group_of))
    }

    /// Custom resources of prometheus-operator and its forks.
    pub fn is_operator_resource(self) -> bool {
        matches!(
            self,
            Kind::Prometheus
                | Kind::PrometheusAgent
                | Kind::RhobsPrometheus
                | Kind::RhobsPrometheusAgent
        )
    }

    /// `/apis/apps/v1/namespaces/NS/statefulsets`; every namespace without `namespace`.
    pub fn path(self, namespace: Option<&str>) -> String {
        self.path_of(self.api_version(), namespace)
    }

    /// The same of another group and version ([`Kind::elsewhere`]).
    pub fn path_of(self, api_version: &str, namespace: Option<&str>) -> String {
        let root = if api_version.contains('/') { "/apis/" } else { "/api/" };
        let scope = match namespace {
            Some(ns) if self.namespaced() => format!("/namespaces/{ns}"),
            _ => String::new(),
        };
        format!("{root}{api_version}{scope}/{}", self.plural())
    }
}

/// Names one object. Cluster-scoped objects have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    pub kind: Kind,
    pub namespace: String,
    pub name: String,
}

impl ObjectRef {
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        let namespace = if kind.namespaced() { namespace } else { "" };
        ObjectRef { kind, namespace: namespace.into(), name: name.into() }
    }

    /// `sts/prometheus-k8s`, as kubectl takes it.
    pub fn short(&self) -> String {
        format!("{}/{}", self.kind.short(), self.name)
    }

    /// The REST path of this object.
    pub fn path(&self) -> String {
        format!("{}/{}", self.kind.path(Some(&self.namespace)), self.name)
    }
}

/// How an [`ObjectRef`] is written in plans, receipts and reports.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    api_version: String,
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    namespace: String,
    name: String,
}

impl Serialize for ObjectRef {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let ObjectRef { kind, namespace, name } = self;
        Written {
            api_version: kind.api_version().into(),
            kind: kind.name().into(),
            namespace: namespace.clone(),
            name: name.clone(),
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for ObjectRef {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Written { api_version, kind, namespace, name } = Written::deserialize(from)?;
        let kind = Kind::of(&api_version, &kind).ok_or_else(|| {
            serde::de::Error::custom(format!("unknown kind {api_version} {kind}"))
        })?;
        Ok(ObjectRef { kind, namespace, name })
    }
}

/// An owner reference as it stands on an object; its kind may be none of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    #[serde(default)]
    pub uid: String,
}

/// A look into an object as served: typed where this program needs it, nothing parsed ahead.
pub trait ObjectExt {
    /// The text at a JSON pointer; empty where there is none.
    fn text(&self, pointer: &str) -> &str;
    /// The list at a JSON pointer; empty where there is none.
    fn list(&self, pointer: &str) -> &[Value];
    /// The whole number at a JSON pointer.
    fn number(&self, pointer: &str) -> Option<i64>;
    /// True only where the pointer holds `true`.
    fn is_true(&self, pointer: &str) -> bool;
    fn name(&self) -> &str;
    fn namespace(&self) -> &str;
    fn uid(&self) -> &str;
    fn label(&self, key: &str) -> Option<&str>;
    fn annotation(&self, key: &str) -> Option<&str>;
    /// The one owner reference with `controller: true`.
    fn controller(&self) -> Option<Owner>;
}

impl ObjectExt for Value {
    fn text(&self, pointer: &str) -> &str {
        self.pointer(pointer).and_then(Value::as_str).unwrap_or("")
    }

    fn list(&self, pointer: &str) -> &[Value] {
        self.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn number(&self, pointer: &str) -> Option<i64> {
        self.pointer(pointer).and_then(Value::as_i64)
    }

    fn is_true(&self, pointer: &str) -> bool {
        self.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
    }

    fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    fn label(&self, key: &str) -> Option<&str> {
        self.pointer("/metadata/labels")?.get(key)?.as_str()
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.pointer("/metadata/annotations")?.get(key)?.as_str()
    }

    fn controller(&self) -> Option<Owner> {
        let of =
            self.list("/metadata/ownerReferences").iter().find(|o| o.is_true("/controller"))?;
        Some(Owner {
            api_version: of.text("/apiVersion").into(),
            kind: of.text("/kind").into(),
            name: of.text("/name").into(),
            uid: of.text("/uid").into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_row_and_its_path() {
        for kind in Kind::all() {
            assert_eq!(ROWS.iter().filter(|r| r.kind == kind).count(), 1, "{kind:?}");
            assert_eq!(Kind::of(kind.api_version(), kind.name()), Some(kind));
        }
        let other = Kind::of("projectcalico.org/v3", "NetworkPolicy");
        assert_eq!(other, Some(Kind::CalicoNetworkPolicy));
        let set = ObjectRef::new(Kind::StatefulSet, "mon", "k8s");
        assert_eq!(set.path(), "/apis/apps/v1/namespaces/mon/statefulsets/k8s");
        assert_eq!(ObjectRef::new(Kind::Node, "mon", "a").path(), "/api/v1/nodes/a");
        assert_eq!(Kind::Pod.path(None), "/api/v1/pods");
    }

    #[test]
    fn a_reference_survives_a_round_trip() {
        let one = ObjectRef::new(Kind::Prometheus, "mon", "k8s");
        let text = serde_json::to_string(&one).expect("plain strings");
        assert_eq!(serde_json::from_str::<ObjectRef>(&text).expect("own output"), one);
    }
}
