//! Argo CD and Flux: whether they put the number of replicas back, and how they are suspended.

use serde_json::Value;

use super::{Pause, Rivals, annotation};
use crate::model::fact::Got;
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::patch::{Change, Op, pointer};
use crate::model::plan::Blocked;
use crate::model::{Need, Snapshot};
use crate::subject::{Manager, Subject, manager, repair};

const REPLICAS: &str = "/spec/replicas";
/// On an object in the cluster: kustomize-controller neither applies nor prunes it
/// (fluxcd/kustomize-controller docs/spec/v1/kustomizations.md). Narrower than to suspend all of a
/// Kustomization.
const LEFT_ALONE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
/// On an Application: its controller does not look at it (argo-cd docs/user-guide/skip_reconcile.md).
const SKIPPED: &str = "argocd.argoproj.io/skip-reconcile";

/// Whether a pointer of the Deployment itself is where it is paused.
pub(super) fn is_pause(pointer: &str) -> bool {
    pointer == annotation(LEFT_ALONE)
}

pub(super) fn needs(workload: &Value) -> Vec<Need> {
    let need = |mark: Manager| match mark {
        // In which namespace applications are is the installation's own choice.
        Manager::ArgoCd { .. } => Some(Need::list_all(Kind::Application)),
        Manager::FluxHelmRelease { namespace, name } => {
            Some(Need::object(Kind::HelmRelease, &namespace, &name))
        }
        _ => None,
    };
    manager::markers(workload).into_iter().filter_map(need).collect()
}

pub(super) fn of(
    subject: &Subject,
    seen: &Snapshot,
    workload: &Value,
    rivals: &mut Rivals,
) -> Result<(), Blocked> {
    let up = "would scale it up again while its volume is worked on";
    let cannot = |why: &str, way: &str| Err(repair::elsewhere(subject, why, &[way]));
    let marks = match manager::taken_back_by(subject, workload, REPLICAS) {
        Ok(marks) => marks,
        Err(by) => {
            return cannot(&format!("{by} {up}"), "suspend that first, and resume it afterwards");
        }
    };
    for mark in marks {
        let who = mark.says();
        let found = match &mark {
            Manager::ArgoCd { app } => application(seen, app),
            Manager::FluxHelmRelease { namespace, name } => release(seen, namespace, name),
            Manager::FluxKustomization { .. } => Ok(on_itself(workload)),
            _ => {
                return cannot(
                    &format!("{who} {up}"),
                    "suspend that first, and resume it afterwards",
                );
            }
        };
        match found {
            Ok(None) => {}
            Ok(Some((object, reference, change, guards))) => {
                let (object, changes) = (object.clone(), vec![change]);
                rivals.pauses.push(Pause { who, object, reference, changes, guards });
            }
            Err((why, way)) => {
                return cannot(&format!("whether {who} {up} is not known: {why}"), &way);
            }
        }
    }
    Ok(())
}

/// Where it is paused, with what, and what must still be so.
type Paused<'a> = (&'a Value, ObjectRef, Change, Vec<Op>);

/// None where it does not act.
type Found<'a> = Result<Option<Paused<'a>>, (String, String)>;

fn on_itself(workload: &Value) -> Option<Paused<'_>> {
    let is_left = workload.annotation(LEFT_ALONE).is_some_and(|is| is == "disabled");
    let reference = ObjectRef::new(Kind::Deployment, workload.namespace(), workload.name());
    let change = Change::set(annotation(LEFT_ALONE), "disabled");
    (!is_left).then(|| (workload, reference, change, Vec::new()))
}

/// Applications outside of the controller's namespace are told by `NAMESPACE_NAME`.
fn application<'a>(seen: &'a Snapshot, app: &str) -> Found<'a> {
    let way = || format!("suspend it first:  argocd app set {app} --sync-policy none");
    let all = match seen.list(Kind::Application, "") {
        Got::Known(all) => all,
        Got::Absent => return Err(("no such kind as Application here".into(), way())),
        Got::Unreadable(why) => return Err((format!("applications: {why}"), way())),
        Got::NotAsked => return Err(("applications were not read".into(), way())),
    };
    let is_it =
        |of: &&Value| of.name() == app || format!("{}_{}", of.namespace(), of.name()) == app;
    let mut found = all.iter().filter(is_it);
    let (Some(one), None) = (found.next(), found.next()) else {
        return Err(("there is not one application of that name".into(), way()));
    };
    let automated = one.pointer("/spec/syncPolicy/automated").filter(|set| !set.is_null());
    let enabled = automated.is_some_and(|set| set.get("enabled") != Some(&Value::Bool(false)));
    let skipped = one.annotation(SKIPPED) == Some("true");
    // What it has begun it ends, whatever its policy says by then (argo-cd
    // controller/appcontroller.go, `processRequestedAppOperation`).
    let phase = one.text("/status/operationState/phase");
    if one.get("operation").is_some() || matches!(phase, "Running" | "Terminating") {
        let way = format!("wait until its sync has ended, or:  argocd app terminate-op {app}");
        return Err(("it syncs just now".into(), way));
    }
    if !enabled || skipped {
        return Ok(None);
    }
    let reference = ObjectRef::new(Kind::Application, one.namespace(), one.name());
    let (change, guards) = without_automation(one);
    Ok(Some((one, reference, change, guards)))
}

/// What is taken away so that it does not sync by itself: all of the policy where nothing else is said
/// in it. Argo CD removes one that says nothing (`SyncPolicy.IsZero`, argo-cd
/// pkg/apis/application/v1alpha1/types.go), and into what is gone no value can be put back. With what
/// must still be so: no sync has begun, and what else it says is still said.
fn without_automation(application: &Value) -> (Change, Vec<Op>) {
    let no_sync = Op::Test { path: "/operation".into(), value: Value::Null };
    let policy = application.pointer("/spec/syncPolicy").and_then(Value::as_object);
    let says_more = |(key, value): &(&String, &Value)| {
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        *key != "automated" && !is_empty
    };
    match policy.into_iter().flatten().find(says_more) {
        None => (Change::unset("/spec/syncPolicy"), vec![no_sync]),
        Some((key, value)) => {
            let path = pointer(["spec", "syncPolicy", key]);
            let kept = Op::Test { path, value: value.clone() };
            (Change::unset("/spec/syncPolicy/automated"), vec![no_sync, kept])
        }
    }
}

fn release<'a>(seen: &'a Snapshot, namespace: &str, name: &str) -> Found<'a> {
    let reference = ObjectRef::new(Kind::HelmRelease, namespace, name);
    let way = || format!("suspend it first:  flux suspend helmrelease {name} -n {namespace}");
    match seen.object(&reference) {
        Got::Known(of) if of.is_true("/spec/suspend") => Ok(None),
        Got::Known(of) => Ok(Some((of, reference, Change::set("/spec/suspend", true), Vec::new()))),
        Got::Absent => Err((format!("none is at {}", Kind::HelmRelease.api_version()), way())),
        Got::Unreadable(why) => Err((format!("{}: {why}", reference.short()), way())),
        Got::NotAsked => Err((format!("{} was not read", reference.short()), way())),
    }
}
