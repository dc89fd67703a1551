//! Rollouts of workloads that nobody renders: StatefulSet, Deployment, DaemonSet.

use serde_json::json;

use super::{Scene, patch_step, wait};
use crate::model::object::ObjectExt;
use crate::model::patch::{Change, guarded};
use crate::model::plan::{Action, Blocked, Step, Undo, Until};
use crate::subject::volume::{Store, store};

const STRATEGY: &str = "/spec/updateStrategy";

/// One replica, or none serving: patch, and delete the stuck pods. Else one patch carries the
/// template and `OnDelete`, so that nothing restarts until this plan says so.
pub(super) fn stateful_set(scene: &Scene<'_>) -> Result<Vec<Step>, Blocked> {
    let set = &scene.subject.root_object;
    let root = &scene.subject.root;
    if !scene.keeps_service() {
        let mut steps = vec![patch_step(set, root, &scene.wanted.changes, 0, &scene.wanted.why)];
        steps.extend(scene.restart_in_order());
        return Ok(steps);
    }
    let strategy = set.pointer(STRATEGY).cloned();
    let on_delete = json!({"type": "OnDelete"});
    if strategy.as_ref().is_some_and(|s| s.text("/type") == "OnDelete") {
        let mut steps = vec![patch_step(set, root, &scene.wanted.changes, 0, &scene.wanted.why)];
        steps.extend(scene.restart_in_order());
        return Ok(steps);
    }
    let mut changes = scene.wanted.changes.clone();
    changes.push(Change::set(STRATEGY, on_delete));
    let why = format!("{}; pods restart only when deleted, for now", scene.wanted.why);
    let first = guarded(set, &changes, 0);
    let back = match strategy {
        Some(value) => Change::set(STRATEGY, value),
        None => Change::unset(STRATEGY),
    };
    let last = guarded(&first.after, &[back], 1);
    let mut steps = vec![Step {
        why,
        action: Action::Patch { object: root.clone(), patch: first.ops },
        undo: Undo::Patch(first.undo),
    }];
    steps.extend(scene.restart_in_order());
    steps.push(Step {
        why: "the update strategy as it was".into(),
        action: Action::Patch { object: root.clone(), patch: last.ops },
        undo: Undo::Patch(last.undo),
    });
    Ok(steps)
}

/// A Deployment rolls by itself. On a claim, `RollingUpdate` would start the new pod beside the
/// old one: it would wait for the lock of the data directory, or for the volume, for ever.
pub(super) fn deployment(scene: &Scene<'_>) -> Result<Vec<Step>, Blocked> {
    let deployment = &scene.subject.root_object;
    let root = &scene.subject.root;
    let mut changes = scene.wanted.changes.clone();
    let mut why = scene.wanted.why.clone();
    let on_claim =
        scene.subject.pods.iter().any(|p| matches!(store(scene.subject, p), Store::Claim { .. }))
            || (scene.subject.pods.is_empty()
                && deployment
                    .list("/spec/template/spec/volumes")
                    .iter()
                    .any(|v| v.get("persistentVolumeClaim").is_some()));
    if on_claim && deployment.text("/spec/strategy/type") != "Recreate" {
        changes.push(Change::set("/spec/strategy", json!({"type": "Recreate"})));
        why.push_str("; Recreate, or the new pod would wait for the old one's lock");
    }
    Ok(vec![
        patch_step(deployment, root, &changes, 0, &why),
        wait(root, Until::RolledOut, "until the new pod is Ready"),
    ])
}

/// A DaemonSet replaces unavailable pods first by itself; with `OnDelete` the plan does it.
pub(super) fn daemon_set(scene: &Scene<'_>) -> Result<Vec<Step>, Blocked> {
    let set = &scene.subject.root_object;
    let root = &scene.subject.root;
    let mut steps = vec![patch_step(set, root, &scene.wanted.changes, 0, &scene.wanted.why)];
    if set.text("/spec/updateStrategy/type") == "OnDelete" {
        for pod in scene.broken.iter().chain(&scene.serving) {
            steps.push(Step {
                why: "the set restarts pods only when they are deleted".into(),
                action: Action::Delete {
                    object: crate::subject::pod::reference(pod),
                    uid: pod.uid().into(),
                },
                undo: Undo::Words("the pod comes back by itself".into()),
            });
        }
    }
    steps.push(wait(root, Until::RolledOut, "until every pod is updated and Ready"));
    Ok(steps)
}
