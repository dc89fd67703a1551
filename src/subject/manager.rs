//! Who else writes the object: Helm, GitOps, operators of operators. Markers are read on the root
//! only, for an operator copies annotations to what it makes. The forecast says per JSON pointer
//! who takes a value back, from `managedFields`.

mod fields;
mod forecast;

use serde_json::Value;

use crate::model::object::ObjectExt;
pub use forecast::{forecast, taken_back_by};

/// One marker found on the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manager {
    /// Release, its namespace, chart and version where a label tells.
    Helm {
        release: String,
        namespace: String,
        chart: String,
        version: String,
    },
    /// Application name, from a tracking id that names the object itself.
    ArgoCd {
        app: String,
    },
    FluxKustomization {
        namespace: String,
        name: String,
    },
    FluxHelmRelease {
        namespace: String,
        name: String,
    },
    /// cluster-monitoring-operator of OpenShift.
    ClusterMonitoringOperator,
    Olm {
        owner: String,
    },
    Rancher,
    Fleet,
    ConfigSync,
    Kapp,
    Terraform,
    /// `kubectl apply` by somebody.
    Apply,
}

impl Manager {
    /// As the report names it: `helm:kps`, `argocd:app`, `flux:ns/name`.
    pub fn word(&self) -> String {
        match self {
            Manager::Helm { release, .. } => format!("helm:{release}"),
            Manager::ArgoCd { app } => format!("argocd:{app}"),
            Manager::FluxKustomization { namespace, name } => format!("flux:{namespace}/{name}"),
            Manager::FluxHelmRelease { namespace, name } => {
                format!("flux-helmrelease:{namespace}/{name}")
            }
            Manager::ClusterMonitoringOperator => "cluster-monitoring-operator".into(),
            Manager::Olm { owner } => format!("olm:{owner}"),
            Manager::Rancher => "rancher".into(),
            Manager::Fleet => "fleet".into(),
            Manager::ConfigSync => "config-sync".into(),
            Manager::Kapp => "kapp".into(),
            Manager::Terraform => "terraform".into(),
            Manager::Apply => "kubectl-apply".into(),
        }
    }

    /// As a sentence names it: `Helm release kps`.
    pub fn says(&self) -> String {
        match self {
            Manager::Helm { release, .. } => format!("Helm release {release}"),
            Manager::ArgoCd { app } => format!("Argo CD application {app}"),
            Manager::FluxKustomization { namespace, name } => {
                format!("Flux Kustomization {namespace}/{name}")
            }
            Manager::FluxHelmRelease { namespace, name } => {
                format!("Flux HelmRelease {namespace}/{name}")
            }
            Manager::ClusterMonitoringOperator => "cluster-monitoring-operator".into(),
            Manager::Olm { owner } => format!("OLM, for {owner}"),
            Manager::Rancher => "Rancher".into(),
            Manager::Fleet => "Rancher Fleet".into(),
            Manager::ConfigSync => "Config Sync".into(),
            Manager::Kapp => "kapp".into(),
            Manager::Terraform => "Terraform".into(),
            Manager::Apply => "kubectl apply".into(),
        }
    }
}

/// The markers on an object.
pub fn markers(root: &Value) -> Vec<Manager> {
    let mut out = Vec::new();
    out.extend(helm(root));
    out.extend(argocd(root));
    out.extend(flux(root));
    out.extend(vendors(root));
    // GitOps tools apply, too, and leave the same annotation: it tells only where nobody else is.
    if out.is_empty() && is_applied(root) {
        out.push(Manager::Apply);
    }
    out
}

/// Both annotations and the label: Helm's own test of what it owns (helm pkg/action/validate.go).
/// A chart label alone is `helm template` output.
fn helm(root: &Value) -> Option<Manager> {
    if root.label("app.kubernetes.io/managed-by") != Some("Helm") {
        return None;
    }
    let release = root.annotation("meta.helm.sh/release-name")?.to_owned();
    let namespace = root.annotation("meta.helm.sh/release-namespace")?.to_owned();
    let (chart, version) = chart(root);
    Some(Manager::Helm { release, namespace, chart, version })
}

/// Chart and version from the label `helm.sh/chart` or `chart`; empty where there is none.
pub(super) fn chart(object: &Value) -> (String, String) {
    let label = object.label("helm.sh/chart").or_else(|| object.label("chart")).unwrap_or("");
    let split = label.match_indices('-').find(|(at, _)| {
        let rest = label.get(at + 1..).unwrap_or("");
        let core = rest.split(['-', '_', '+']).next().unwrap_or("");
        core.split('.').count() == 3 && core.split('.').all(|n| n.parse::<u64>().is_ok())
    });
    match split {
        // A label may not hold `+`, so charts write `_` (helm's own chart template).
        Some((at, _)) => (
            label.get(..at).unwrap_or("").to_owned(),
            label.get(at + 1..).unwrap_or("").replacen('_', "+", 1),
        ),
        None => (label.to_owned(), String::new()),
    }
}

/// The tracking id must name the object it is on: it is copied along with other annotations (Argo
/// CD docs/user-guide/resource_tracking.md).
fn argocd(root: &Value) -> Option<Manager> {
    if let Some(id) = root.annotation("argocd.argoproj.io/tracking-id") {
        let (app, rest) = id.split_once(':')?;
        let api_version = root.text("/apiVersion");
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let own = format!("{group}/{}:{}/{}", root.text("/kind"), root.namespace(), root.name());
        return (rest == own).then(|| Manager::ArgoCd { app: app.into() });
    }
    if let Some(app) = root.label("argocd.argoproj.io/instance") {
        return Some(Manager::ArgoCd { app: app.into() });
    }
    // The default label of old is one that charts set, too; its field manager settles it.
    let by_argo = fields::managers(root).iter().any(|m| fields::is_argocd(m));
    let app = root.label("app.kubernetes.io/instance").filter(|_| by_argo)?;
    Some(Manager::ArgoCd { app: app.into() })
}

/// Labels of kustomize-controller and helm-controller (internal/postrender/common_renderer.go).
fn flux(root: &Value) -> Vec<Manager> {
    let pair = |group: &str| {
        let name = root.label(&format!("{group}/name"))?.to_owned();
        let namespace = root.label(&format!("{group}/namespace"))?.to_owned();
        Some((namespace, name))
    };
    let kustomization = pair("kustomize.toolkit.fluxcd.io")
        .map(|(namespace, name)| Manager::FluxKustomization { namespace, name });
    let release = pair("helm.toolkit.fluxcd.io")
        .map(|(namespace, name)| Manager::FluxHelmRelease { namespace, name });
    kustomization.into_iter().chain(release).collect()
}

fn vendors(root: &Value) -> Vec<Manager> {
    let mut out = Vec::new();
    let managed_by = root.label("app.kubernetes.io/managed-by").unwrap_or("");
    let wrote = |prefix: &str| fields::managers(root).iter().any(|m| m.starts_with(prefix));
    if managed_by == "cluster-monitoring-operator" {
        out.push(Manager::ClusterMonitoringOperator);
    }
    if let Some(owner) = root.label("olm.owner") {
        out.push(Manager::Olm { owner: owner.into() });
    }
    if root.namespace() == "cattle-monitoring-system" && chart(root).0 == "rancher-monitoring" {
        out.push(Manager::Rancher);
    }
    if root.annotation("objectset.rio.cattle.io/id").is_some() || wrote("fleetagent") {
        out.push(Manager::Fleet);
    }
    if root.annotation("configmanagement.gke.io/managed") == Some("enabled") {
        out.push(Manager::ConfigSync);
    }
    if root.label("kapp.k14s.io/app").is_some() {
        out.push(Manager::Kapp);
    }
    if managed_by.eq_ignore_ascii_case("terraform") || wrote("Terraform") {
        out.push(Manager::Terraform);
    }
    out
}

/// `kubectl apply`, client side by its annotation or field manager, or server side.
fn is_applied(root: &Value) -> bool {
    root.annotation(fields::LAST_APPLIED).is_some()
        || root.list("/metadata/managedFields").iter().any(|entry| {
            let manager = entry.text("/manager");
            manager == "kubectl-client-side-apply"
                || (manager == "kubectl" && entry.text("/operation") == "Apply")
        })
}
