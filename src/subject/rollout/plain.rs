//! Rollouts of workloads that nobody renders: StatefulSet, Deployment, DaemonSet.

use serde_json::{Value, json};

use super::{Order, Scene, delete, patch_step, rolled_out, wait};
use crate::model::object::ObjectExt;
use crate::model::patch::{Change, guarded};
use crate::model::plan::{Action, Blocked, Step, Undo};
use crate::subject::volume::{Store, store};

const STRATEGY: &str = "/spec/updateStrategy";

/// One replica, or none serving: patch, and delete the stuck pods. Else one patch carries the
/// template and `OnDelete`, so that nothing restarts until this plan says so; likewise where a
/// partition would give a deleted pod its old revision again.
pub(super) fn stateful_set(scene: &Scene<'_>) -> Result<Order, Blocked> {
    let set = &scene.subject.root_object;
    let root = &scene.subject.root;
    let strategy = set.pointer(STRATEGY).cloned();
    let is_on_delete = strategy.as_ref().is_some_and(|s| s.text("/type") == "OnDelete");
    let partition = set.number("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    if is_on_delete || (!scene.keeps_service() && partition == 0) {
        let mut steps = vec![patch_step(set, root, &scene.wanted.changes, 0, &scene.wanted.why)];
        steps.extend(scene.restart_in_order());
        return Ok(Order { steps, ordered: true });
    }
    let on_delete = json!({"type": "OnDelete"});
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
    Ok(Order { steps, ordered: true })
}

/// A Deployment rolls by itself. On a claim, `RollingUpdate` would start the new pod beside the
/// old one: it would wait for the lock of the data directory, or for the volume, for ever.
pub(super) fn deployment(scene: &Scene<'_>) -> Result<Order, Blocked> {
    let deployment = &scene.subject.root_object;
    let root = &scene.subject.root;
    let mut changes = scene.wanted.changes.clone();
    let mut why = scene.wanted.why.clone();
    let asked = changes.iter().any(|change| change.pointer == "/spec/strategy");
    if needs_recreate(scene) && !asked {
        changes.push(Change::set("/spec/strategy", json!({"type": "Recreate"})));
        why.push_str("; Recreate, or the new pod would wait for the old one's lock");
    }
    let steps = vec![
        patch_step(deployment, root, &changes, 0, &why),
        wait(root, rolled_out(scene.subject), "until the new pod is Ready"),
    ];
    Ok(Order { steps, ordered: false })
}

/// Whether its data is where the next pod finds it (on a claim, in a folder of the node), and its
/// strategy is another than `Recreate`.
pub(super) fn needs_recreate(scene: &Scene<'_>) -> bool {
    let deployment = &scene.subject.root_object;
    let lasts = |pod: &Value| {
        matches!(store(scene.subject, pod), Store::Claim { .. } | Store::HostPath { .. })
    };
    let stays = lasts(&Value::Null) || scene.subject.pods.iter().any(lasts);
    stays && deployment.text("/spec/strategy/type") != "Recreate"
}

/// A DaemonSet replaces unavailable pods first by itself; with `OnDelete` the plan does it.
pub(super) fn daemon_set(scene: &Scene<'_>) -> Result<Order, Blocked> {
    let set = &scene.subject.root_object;
    let root = &scene.subject.root;
    let mut steps = vec![patch_step(set, root, &scene.wanted.changes, 0, &scene.wanted.why)];
    if set.text("/spec/updateStrategy/type") == "OnDelete" {
        for pod in scene.broken.iter().chain(&scene.serving) {
            steps.push(delete(pod, "the set restarts pods only when they are deleted"));
        }
    }
    steps.push(wait(root, rolled_out(scene.subject), "until every pod is updated and Ready"));
    Ok(Order { steps, ordered: false })
}
