//! What becomes of a value that is set by hand.

use serde_json::Value;

use super::fields::{self, Holder};
use super::{Manager, markers};
use crate::model::Kind;
use crate::model::object::ObjectExt;
use crate::model::plan::{Forecast, Revert};
use crate::subject::{Install, Subject, commit};

/// What becomes of a value that is set at each of `pointers` of `object` (as served, with its
/// `managedFields`).
pub fn forecast(subject: &Subject, object: &Value, pointers: &[String]) -> Vec<Forecast> {
    let above = writer_above(subject, object);
    let marks = markers(object);
    let one = |pointer: &String| {
        let (verdict, by) = match &above {
            Some(_) if is_left_alone(object, pointer) => (Revert::Survives, String::new()),
            Some((verdict, by)) => (*verdict, by.clone()),
            None => by_markers(object, pointer, &marks),
        };
        let keep = if verdict == Revert::Survives {
            String::new()
        } else {
            to_commit(subject, object, pointer, &marks)
        };
        Forecast { pointer: pointer.clone(), verdict, by, commit: keep }
    };
    pointers.iter().map(one).collect()
}

/// Who by themselves would put a value of `object` back; the error names a controller that renders
/// the whole object.
pub fn taken_back_by(
    subject: &Subject,
    object: &Value,
    pointer: &str,
) -> Result<Vec<Manager>, String> {
    match writer_above(subject, object) {
        Some((verdict, by))
            if verdict >= Revert::RevertsOnReconcile && !is_left_alone(object, pointer) =>
        {
            return Err(by);
        }
        Some(_) | None => {}
    }
    let back = |mark: &Manager| {
        by_markers(object, pointer, std::slice::from_ref(mark)).0 >= Revert::RevertsOnReconcile
    };
    Ok(markers(object).into_iter().filter(back).collect())
}

/// A controller that renders the whole object, whoever owns its fields.
fn writer_above(subject: &Subject, object: &Value) -> Option<(Revert, String)> {
    let kind = Kind::of(object.text("/apiVersion"), object.text("/kind"));
    let is_workload =
        subject.workloads.iter().any(|w| !w.uid().is_empty() && w.uid() == object.uid());
    if let Some(owner) = object.controller() {
        return Some((
            Revert::RevertsNow,
            match &*owner.kind {
                "Prometheus" | "PrometheusAgent" => format!(
                    "prometheus-operator, from {}/{}",
                    subject.root.kind.short(),
                    owner.name
                ),
                "MonitoringStack" => {
                    format!("observability-operator, from monitoringstack/{}", owner.name)
                }
                _ => format!("the controller of {} {}", owner.kind, owner.name),
            },
        ));
    }
    if is_workload && subject.is_operated() {
        return Some((
            Revert::RevertsNow,
            format!("prometheus-operator, from {}", subject.root.short()),
        ));
    }
    let is_resource = kind.is_some_and(Kind::is_operator_resource);
    match subject.install {
        // Full update on any event of its ConfigMap and every 15 min
        // (openshift/cluster-monitoring-operator pkg/operator/operator.go).
        Install::OpenShift | Install::OpenShiftUserWorkload if is_resource || is_workload => {
            Some((Revert::RevertsOnReconcile, "cluster-monitoring-operator, within 15 min".into()))
        }
        Install::GoogleManaged if is_workload => {
            Some((Revert::RevertsNow, "the addon manager of GKE".into()))
        }
        _ => None,
    }
}

/// What prometheus-operator keeps of a set that it updates: other labels and annotations, the
/// template's annotations of kubectl, the history limit (pkg/k8s/k8s.go, pkg/k8s/statefulset.go).
fn is_left_alone(object: &Value, pointer: &str) -> bool {
    let is_operators = pointer.contains("operator.prometheus.io");
    let is_set = object.text("/kind") == "StatefulSet";
    is_set
        && (((pointer.starts_with("/metadata/annotations/")
            || pointer.starts_with("/metadata/labels/"))
            && !is_operators)
            || pointer.starts_with("/spec/template/metadata/annotations/kubectl.kubernetes.io~1")
            || pointer == "/spec/revisionHistoryLimit")
}

/// The strongest of what each marker's owner will do.
fn by_markers(object: &Value, pointer: &str, marks: &[Manager]) -> (Revert, String) {
    let holders = fields::holders(object, pointer);
    let told = fields::is_told(object);
    let mut worst = (Revert::Survives, String::new());
    for mark in marks {
        let next = match mark {
            Manager::Helm { .. } => helm(object, pointer, mark, &holders, told),
            Manager::ArgoCd { .. } => {
                active(mark, &holders, told, fields::is_argocd, object, pointer).map(|who| {
                    format!("{who}: within seconds where it heals itself, else at its next sync")
                })
            }
            Manager::FluxKustomization { .. } => {
                active(mark, &holders, told, |m| m == "kustomize-controller", object, pointer)
                    .map(|who| format!("{who}, at its next interval"))
            }
            Manager::FluxHelmRelease { .. } => {
                active(mark, &holders, told, |m| m == "helm-controller", object, pointer).map(
                    |who| format!("{who}: at its next upgrade, or reconcile if it detects drift"),
                )
            }
            Manager::ClusterMonitoringOperator | Manager::Olm { .. } => Some(mark.says()),
            Manager::Fleet | Manager::ConfigSync | Manager::Kapp | Manager::Terraform => {
                active(mark, &holders, told, is_pipeline, object, pointer)
            }
            // Rancher's charts are Helm releases; that marker says what happens.
            Manager::Rancher => None,
            Manager::Apply => applied(object, pointer, &holders, told),
        };
        let Some(by) = next else { continue };
        let verdict = match mark {
            Manager::Helm { .. } | Manager::Apply => Revert::SurvivesUntilUpgrade,
            _ => Revert::RevertsOnReconcile,
        };
        if verdict > worst.0 {
            worst = (verdict, by);
        }
    }
    worst
}

fn is_pipeline(manager: &str) -> bool {
    ["fleetagent", "configsync", "kapp", "Terraform", "pulumi"]
        .iter()
        .any(|prefix| manager.starts_with(prefix))
}

/// A tool that puts its own values back by itself: those it owns, or that were its before somebody
/// else wrote there. Without managed fields, every value may be.
fn active(
    mark: &Manager,
    holders: &[Holder],
    told: bool,
    is_its: impl Fn(&str) -> bool,
    object: &Value,
    pointer: &str,
) -> Option<String> {
    let owned = holders.iter().any(|h| is_its(&h.manager))
        || fields::last_applied(object, pointer) == Some(true);
    (owned || !told || takes_over(holders, object, pointer)).then(|| mark.says())
}

/// Whether a person overwrote a value that was somebody's: ownership moves to the last writer, so
/// whose it was is no longer told, and it may well be rendered.
fn takes_over(holders: &[Holder], object: &Value, pointer: &str) -> bool {
    let by_hand = |h: &Holder| {
        matches!(&*h.manager, "kubectl-edit" | "kubectl-patch" | "kubectl-set" | "prom-fix")
    };
    object.pointer(pointer).is_some() && !holders.is_empty() && holders.iter().all(by_hand)
}

/// A built-in object is merged three ways: what the chart renders is set again at each upgrade. A
/// custom resource is merged two ways, old manifest to new: a live value stays until the chart's
/// own changes (helm pkg/kube/client.go).
fn helm(
    object: &Value,
    pointer: &str,
    mark: &Manager,
    holders: &[Holder],
    told: bool,
) -> Option<String> {
    let of_helm = holders.iter().find(|h| is_helm(&h.manager));
    if of_helm.is_none() && told && !takes_over(holders, object, pointer) {
        return None;
    }
    let who = mark.says();
    let is_custom = Kind::of(object.text("/apiVersion"), object.text("/kind"))
        .is_none_or(|kind| kind.is_operator_resource() || kind == Kind::MonitoringStack);
    Some(if of_helm.is_some_and(|h| h.applies) {
        format!(
            "the next upgrade of {who}; it applies server-side, and refuses a value that is not the same"
        )
    } else if of_helm.is_none() && told {
        format!("the next upgrade of {who}, if its chart sets this value")
    } else if is_custom {
        format!("an upgrade of {who} that changes this value")
    } else {
        format!("the next upgrade of {who}")
    })
}

/// The manager is the name of the program: `helm`, or what a pipeline calls it.
fn is_helm(manager: &str) -> bool {
    manager.starts_with("helm") && manager != "helm-controller"
}

fn applied(object: &Value, pointer: &str, holders: &[Holder], told: bool) -> Option<String> {
    let server_side = holders.iter().any(|h| h.manager == "kubectl" && h.applies);
    let client_side = holders.iter().any(|h| h.manager == "kubectl-client-side-apply");
    let recorded = fields::last_applied(object, pointer);
    if server_side {
        Some("the next kubectl apply --server-side, which reports a conflict".into())
    } else if recorded == Some(true) || client_side || !told {
        Some("the next kubectl apply".into())
    } else {
        None
    }
}

/// One line on where the value belongs.
fn to_commit(subject: &Subject, object: &Value, pointer: &str, marks: &[Manager]) -> String {
    if object.controller().is_some()
        || (subject.is_operated() && object.text("/kind") == "StatefulSet")
    {
        return format!("the same in {}", subject.root.short());
    }
    match subject.install {
        Install::OpenShift => return "prometheusK8s in ConfigMap openshift-monitoring/cluster-monitoring-config".into(),
        Install::OpenShiftUserWorkload => return "prometheus in ConfigMap openshift-user-workload-monitoring/user-workload-monitoring-config".into(),
        Install::GoogleManaged => return "OperatorConfig gmp-public/config".into(),
        _ => {}
    }
    let value = commit::value_path(subject, object, pointer);
    let mut out = Vec::new();
    for mark in marks {
        out.push(match (mark, &value) {
            (Manager::Helm { release, .. }, Some(path)) => {
                format!("{path} in the values of release {release}")
            }
            (Manager::Helm { release, .. }, None) => format!("the values of release {release}"),
            (Manager::FluxHelmRelease { namespace, name }, Some(path)) => {
                format!("spec.values.{path} of HelmRelease {namespace}/{name}")
            }
            (Manager::FluxHelmRelease { namespace, name }, None) => {
                format!("spec.values of HelmRelease {namespace}/{name}")
            }
            (Manager::ArgoCd { app }, _) => format!("the source of application {app}"),
            (Manager::FluxKustomization { namespace, name }, _) => {
                format!("the source of Kustomization {namespace}/{name}")
            }
            (Manager::Apply, _) => "the manifest that is applied".into(),
            (Manager::Rancher, _) => continue,
            (other, _) => format!("the source of {}", other.says()),
        });
    }
    let server_side =
        fields::holders(object, pointer).iter().any(|h| is_helm(&h.manager) && h.applies);
    if server_side {
        out.push("byte for byte, or Helm 4 reports a conflict with prom-fix".into());
    }
    out.join("; ")
}
