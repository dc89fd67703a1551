//! Sends every write of a plan with `dryRun=All`: the API server runs it through validation and
//! admission, and stores nothing.

use serde_json::{Value, json};

use super::cluster::{Answer, Cluster, Removal};
use super::error::Error;
use super::guards::{Standing, standing};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::patch::Op;
use crate::model::plan::{Action, Plan};
use crate::model::report::Rehearsal;

/// One verdict per step of the plan.
pub async fn rehearse(cluster: &Cluster, plan: &Plan) -> Vec<Rehearsal> {
    let mut verdicts = Vec::with_capacity(plan.steps.len());
    for (index, step) in plan.steps.iter().enumerate() {
        let object = step.action.object();
        let earlier = plan.steps.iter().take(index).position(|earlier| {
            let writes = matches!(earlier.action, Action::Patch { .. } | Action::Create { .. });
            writes && earlier.action.object() == object
        });
        verdicts.push(match (&step.action, earlier) {
            (Action::Wait { .. }, _) => Rehearsal::NotRun,
            // Its guards expect what the earlier step will have written.
            (_, Some(earlier)) => follows(earlier),
            (Action::Patch { object, patch }, None) => patched(cluster, object, patch).await,
            (Action::Create { object, body }, None) => {
                match cluster.create(object, body, true).await {
                    Ok(_) => Rehearsal::Accepted,
                    Err(error) => refused(error),
                }
            }
            (Action::Delete { object, uid, .. }, None) => {
                match cluster.delete(object, uid, true).await {
                    Ok(Removal::Deleted | Removal::Gone) => Rehearsal::Accepted,
                    Err(error) => refused(error),
                }
            }
            (Action::Exec { .. }, None) => {
                Rehearsal::CannotBeRehearsed("a program has no dry run".into())
            }
        });
    }
    verdicts
}

fn follows(index: usize) -> Rehearsal {
    Rehearsal::CannotBeRehearsed(format!("follows step {}", index + 1))
}

fn refused(error: Error) -> Rehearsal {
    match error {
        // The words of access control; those of an admission plugin are its verdict.
        Error::Forbidden { message, .. } if is_access(&message) => {
            Rehearsal::CannotBeRehearsed(format!("forbidden: {message}"))
        }
        Error::Forbidden { message, .. } | Error::Refused { message, .. } => {
            Rehearsal::Rejected(message)
        }
        error => Rehearsal::CannotBeRehearsed(error.whole()),
    }
}

/// Whether a 403 comes from access control: `User "x" cannot patch resource …`. Admission answers
/// 403 as well (PodSecurity, SCC, quota).
///
/// Source: `k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go`, v0.34.
fn is_access(message: &str) -> bool {
    message.contains(" cannot ") && message.contains("resource ")
}

async fn patched(cluster: &Cluster, object: &ObjectRef, ops: &[Op]) -> Rehearsal {
    let live = cluster.get(object).await;
    let answer = match cluster.patch(object, ops, true).await {
        Ok(answer) => answer,
        Err(error) => {
            if let (Some(422), Ok(Some(live))) = (error.status(), &live)
                && let Standing::Moved(why) = standing(live, ops)
            {
                return Rehearsal::Rejected(format!("stale: {why}"));
            }
            return refused(error);
        }
    };
    let Answer { object: after, warnings } = answer;
    let Some(pod) = pod_of(object, &after) else { return Rehearsal::Accepted };
    let before = live.ok().flatten().and_then(|live| pod_of(object, &live));
    if before.is_some_and(|before| before == pod) {
        return Rehearsal::Accepted;
    }
    let warned = warnings.into_iter().find(|warning| warning.contains("PodSecurity"));
    admitted(cluster, &object.namespace, &pod, warned).await
}

/// What admission says of a pod of the new template. The person is judged here, not the
/// controller's service account: where SCC or a policy engine looks at who asks, it may differ.
async fn admitted(
    cluster: &Cluster,
    namespace: &str,
    pod: &Value,
    warned: Option<String>,
) -> Rehearsal {
    let at = ObjectRef::new(Kind::Pod, namespace, "");
    match (cluster.create(&at, pod, true).await, warned) {
        (Ok(_), _) => Rehearsal::AcceptedAsYou,
        // It would stand beside the pod that it replaces: quota counts both.
        (Err(Error::Forbidden { message, .. }), _) if message.contains("exceeded quota") => {
            Rehearsal::CannotBeRehearsed(format!("a rehearsed pod counts twice: {message}"))
        }
        (Err(Error::Forbidden { message, .. }), Some(warning)) if is_access(&message) => {
            Rehearsal::Rejected(warning)
        }
        (Err(error), _) => refused(error),
    }
}

/// A pod as the workload's controller would make it, but one that nothing adopts: it has no owner
/// and no labels. Claims that a StatefulSet would mount are added, or validation misses their
/// volumes.
fn pod_of(object: &ObjectRef, workload: &Value) -> Option<Value> {
    if !matches!(object.kind, Kind::StatefulSet | Kind::Deployment | Kind::DaemonSet) {
        return None;
    }
    let template = workload.pointer("/spec/template")?;
    let mut spec = template.get("spec")?.clone();
    let claims = workload.list("/spec/volumeClaimTemplates").iter().map(|claim| {
        let name = format!("{}-{}-0", claim.name(), object.name);
        json!({"name": claim.name(), "persistentVolumeClaim": {"claimName": name}})
    });
    let mut volumes: Vec<Value> = claims.collect();
    let named = |volumes: &[Value], name: &str| volumes.iter().any(|v| v.text("/name") == name);
    for volume in spec.list("/volumes") {
        if !named(&volumes, volume.text("/name")) {
            volumes.push(volume.clone());
        }
    }
    if !volumes.is_empty() {
        spec.as_object_mut()?.insert("volumes".into(), json!(volumes));
    }
    let annotations = template.pointer("/metadata/annotations").cloned().unwrap_or_default();
    Some(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "prom-fix-rehearsal-",
            "namespace": object.namespace,
            "annotations": annotations,
        },
        "spec": spec,
    }))
}
