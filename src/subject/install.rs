//! How an instance came to be installed: by the labels of its root, its namespace, and for charts
//! that bear one name by what only one of them does.

use serde_json::Value;

use super::manager::{self, Manager};
use super::{Flags, Install};
use crate::model::object::ObjectExt;
use crate::model::{Kind, ObjectRef};

/// What the answer is read from.
pub(super) struct Marks<'a> {
    pub root: &'a ObjectRef,
    /// The root as served; `Null` where it could not be read.
    pub object: &'a Value,
    pub workload: &'a Value,
    pub spec: &'a Value,
}

pub(super) fn of(marks: &Marks<'_>) -> Install {
    let root = marks.root;
    if root.kind == Kind::MonitoringStack {
        return Install::MonitoringStack;
    }
    if let Some(platform) = openshift(marks) {
        return platform;
    }
    if root.kind.is_operator_resource() { resource(marks) } else { workload(marks) }
}

/// cluster-monitoring-operator puts no owner reference on what it makes: its namespace and label
/// tell (openshift/cluster-monitoring-operator assets/prometheus-k8s/prometheus.yaml).
fn openshift(marks: &Marks<'_>) -> Option<Install> {
    let label = marks.object.label("app.kubernetes.io/managed-by");
    let is_theirs = marks.object.is_null() || label == Some("cluster-monitoring-operator");
    match &*marks.root.namespace {
        "openshift-monitoring" if is_theirs => Some(Install::OpenShift),
        "openshift-user-workload-monitoring" if is_theirs => Some(Install::OpenShiftUserWorkload),
        _ => None,
    }
}

fn resource(marks: &Marks<'_>) -> Install {
    // The operator copies the resource's labels to the set, so they tell where it was not read.
    let object = if marks.object.is_null() { marks.workload } else { marks.object };
    let (chart, _) = manager::chart(object);
    let part_of = object.label("app.kubernetes.io/part-of").unwrap_or("");
    if chart == "rancher-monitoring" || part_of == "rancher-monitoring" {
        Install::Rancher
    } else if chart == "kube-prometheus-stack" || part_of == "kube-prometheus-stack" {
        Install::KubePrometheusStack
    } else if chart == "kube-prometheus" {
        Install::Bitnami
    } else if helm(object) {
        Install::Helm
    } else if part_of == "kube-prometheus" {
        Install::KubePrometheus
    } else {
        Install::Operator
    }
}

fn workload(marks: &Marks<'_>) -> Install {
    let object = if marks.object.is_null() { marks.workload } else { marks.object };
    let root = marks.root;
    let template = object.pointer("/spec/template/metadata/labels");
    let extension = template.and_then(|l| l.get("linkerd.io/extension")).and_then(Value::as_str);
    if matches!(&*root.namespace, "gmp-system" | "gke-gmp-system") && root.name == "collector" {
        return Install::GoogleManaged;
    }
    if extension == Some("viz") {
        return Install::Linkerd;
    }
    let argocd = manager::markers(object).iter().any(|m| matches!(m, Manager::ArgoCd { .. }));
    // Argo CD renders charts and applies them itself: there is no release.
    if !helm(object) && !argocd {
        // The sample is `helm template` output: a chart label without a release.
        let sample = root.namespace == "istio-system" && root.name == "prometheus";
        return if sample { Install::Istio } else { Install::Plain };
    }
    let (chart, _) = manager::chart(object);
    if is_bitnami(marks.spec) {
        Install::Bitnami
    } else if chart == "prometheus" && is_server(object) {
        Install::HelmPrometheus
    } else if helm(object) {
        Install::Helm
    } else {
        Install::Plain
    }
}

fn helm(object: &Value) -> bool {
    manager::markers(object).iter().any(|m| matches!(m, Manager::Helm { .. }))
}

/// Labels of the server of chart `prometheus`, today's and those before version 15 or so.
pub(super) fn is_server(object: &Value) -> bool {
    object.label("app.kubernetes.io/component") == Some("server")
        || object.label("component") == Some("server")
}

/// Bitnami's chart is named `prometheus`, too; its image and its data path are its own.
fn is_bitnami(spec: &Value) -> bool {
    spec.list("/containers").iter().any(|container| {
        let image = container.text("/image");
        image.contains("bitnami")
            || Flags::of(container)
                .get("storage.tsdb.path")
                .is_some_and(|p| p.starts_with("/bitnami/"))
    })
}
