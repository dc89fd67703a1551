//! Rollouts of what an operator renders: the resource is patched, never the workload, but for the
//! paused window of an operator that knows no update strategy.

use serde_json::{Value, json};

use super::{Order, Scene, patch_step, rolled_out, wait};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::patch::{Change, Patch, guarded};
use crate::model::plan::{Action, Blocked, Step, Undo, Until};

const STRATEGY: &str = "/spec/updateStrategy";
const PAUSED: &str = "/spec/paused";

pub(super) fn steps(scene: &Scene<'_>, knows_strategy: bool) -> Result<Order, Blocked> {
    let sets: Vec<&Value> =
        scene.subject.workloads.iter().filter(|w| w.text("/kind") == "StatefulSet").collect();
    // What both say: an operator may not know the field of its resource, and a set may have been
    // changed by hand, until the next patch of the resource.
    let on_delete = |object: &Value| object.text("/spec/updateStrategy/type") == "OnDelete";
    let root = &scene.subject.root_object;
    if on_delete(root) && !sets.is_empty() && sets.iter().all(|set| on_delete(set)) {
        let mut steps = one_patch(scene, &sets);
        steps.retain(|s| matches!(s.action, Action::Patch { .. }) || is_rendered(s));
        steps.extend(scene.restart_in_order());
        return Ok(Order { steps, ordered: true });
    }
    // A paused set is patched with what will be rendered.
    let unknown = scene.wanted.rendered.is_empty() && !knows_strategy;
    if !scene.keeps_service() || sets.is_empty() || unknown {
        return Ok(Order { steps: one_patch(scene, &sets), ordered: false });
    }
    let steps =
        if knows_strategy { strategy_window(scene, &sets) } else { paused_window(scene, &sets) };
    Ok(Order { steps, ordered: true })
}

fn is_rendered(step: &Step) -> bool {
    matches!(step.action, Action::Wait { until: Until::Rendered { .. }, .. })
}

/// Nobody serves, or there is one pod: the operator rolls it out, and a pod that its set will not
/// replace by itself (crash loop under `OrderedReady`) is deleted. Pods of a DaemonSet (agents)
/// come back under other names, so there the set is waited for.
fn one_patch(scene: &Scene<'_>, sets: &[&Value]) -> Vec<Step> {
    let root = &scene.subject.root;
    let object = &scene.subject.root_object;
    let mut steps = vec![patch_step(object, root, &scene.wanted.changes, 0, &scene.wanted.why)];
    let workloads: Vec<&Value> = scene.subject.workloads.iter().collect();
    steps.extend(await_rendered(scene, &workloads));
    if sets.is_empty() {
        for workload in &workloads {
            let until = rolled_out(scene.subject);
            steps.push(wait(&reference(workload), until, "until it is rolled out"));
        }
        return steps;
    }
    for pod in &scene.broken {
        steps.extend(scene.restart(pod, "the broken one, unless its set was faster"));
    }
    for pod in &scene.serving {
        steps.push(scene.await_successor(pod));
    }
    steps
}

fn reference(workload: &Value) -> ObjectRef {
    let kind = Kind::of(workload.text("/apiVersion"), workload.text("/kind"));
    ObjectRef::new(kind.unwrap_or(Kind::StatefulSet), workload.namespace(), workload.name())
}

/// Until the workloads carry what the operator renders from the patched resource.
fn await_rendered(scene: &Scene<'_>, sets: &[&Value]) -> Vec<Step> {
    let told = |c: &Change| {
        c.value.as_ref().filter(|v| !v.is_object()).map(|v| (c.pointer.clone(), v.clone()))
    };
    let shows = scene.wanted.shows.clone();
    let Some(probe) = shows.or_else(|| scene.wanted.rendered.iter().find_map(told)) else {
        return Vec::new();
    };
    let until = Until::Rendered { pointer: probe.0, value: probe.1 };
    sets.iter()
        .map(|s| wait(&reference(s), until.clone(), "until the operator renders it"))
        .collect()
}

/// The first patch sets `OnDelete`, the second the values, the last puts the strategy back. Not the
/// first two in one: should the operator not follow after all, nothing has happened by then, whereas
/// the values alone would roll out in its own order, a serving replica first.
fn strategy_window(scene: &Scene<'_>, sets: &[&Value]) -> Vec<Step> {
    let root = &scene.subject.root;
    let object = &scene.subject.root_object;
    let first = guarded(object, &[Change::set(STRATEGY, json!({"type": "OnDelete"}))], 0);
    let second = guarded(&first.after, &scene.wanted.changes, 1);
    let back = match object.pointer(STRATEGY) {
        Some(value) => Change::set(STRATEGY, value.clone()),
        None => Change::unset(STRATEGY),
    };
    let last = guarded(&second.after, &[back], 2);
    let patch = |why: &str, patch: Patch| Step {
        why: why.into(),
        action: Action::Patch { object: root.clone(), patch: patch.ops },
        undo: Undo::Patch(patch.undo),
    };
    let mut steps = vec![patch("pods restart only when deleted, for now", first)];
    for set in sets {
        let until = Until::Rendered {
            pointer: "/spec/updateStrategy/type".into(),
            value: json!("OnDelete"),
        };
        steps.push(wait(&reference(set), until, "until the operator renders it"));
    }
    steps.push(patch(&scene.wanted.why, second));
    steps.extend(await_rendered(scene, sets));
    steps.extend(scene.restart_in_order());
    steps.push(patch("the update strategy as it was", last));
    steps
}

/// An operator without `spec.updateStrategy`: while the resource is paused the sets are patched
/// with what the operator will render, the pods deleted in order, then the resource is patched
/// and released. The templates agree by then, so nothing restarts again.
fn paused_window(scene: &Scene<'_>, sets: &[&Value]) -> Vec<Step> {
    let root = &scene.subject.root;
    let object = &scene.subject.root_object;
    let pause = guarded(object, &[Change::set(PAUSED, true)], 0);
    let mut release = scene.wanted.changes.clone();
    release.push(match object.pointer(PAUSED) {
        Some(value) => Change::set(PAUSED, value.clone()),
        None => Change::unset(PAUSED),
    });
    let last = guarded(&pause.after, &release, 1);
    let mut steps = vec![Step {
        why: "the operator lets go of the set for a while".into(),
        action: Action::Patch { object: root.clone(), patch: pause.ops },
        undo: Undo::Patch(pause.undo),
    }];
    // A sync that was under way when the pause was written would still write the set (seen with
    // 0.85 within 150 ms); it says in its status when it has seen the pause.
    let seen = Until::Rendered { pointer: "/status/paused".into(), value: json!(true) };
    steps.push(wait(root, seen, "until the operator has seen it"));
    for set in sets {
        let mut changes = scene.wanted.rendered.clone();
        changes.push(Change::set(STRATEGY, json!({"type": "OnDelete"})));
        let mut step = patch_step(
            set,
            &reference(set),
            &changes,
            0,
            "what the operator will render; pods restart only when deleted",
        );
        // Once the resource is released the operator writes the set again, so there is nothing
        // of ours left on it to take back.
        step.undo = Undo::Words("the operator renders the set again".into());
        steps.push(step);
        let until = Until::Rendered {
            pointer: "/spec/updateStrategy/type".into(),
            value: json!("OnDelete"),
        };
        steps.push(wait(&reference(set), until, "and lets it stand"));
    }
    steps.extend(scene.restart_in_order());
    steps.push(Step {
        why: format!("{}; the operator takes the set back", scene.wanted.why),
        action: Action::Patch { object: root.clone(), patch: last.ops },
        undo: Undo::Patch(last.undo),
    });
    for set in sets {
        let until = Until::Rendered {
            pointer: "/spec/updateStrategy/type".into(),
            value: set
                .pointer("/spec/updateStrategy/type")
                .cloned()
                .unwrap_or(json!("RollingUpdate")),
        };
        steps.push(wait(&reference(set), until, "until the operator has taken it back"));
    }
    steps
}

/// A MonitoringStack: other operators carry the value down and its set rolls out by itself.
pub(super) fn hand_over(scene: &Scene<'_>) -> Order {
    let sets: Vec<&Value> =
        scene.subject.workloads.iter().filter(|w| w.text("/kind") == "StatefulSet").collect();
    Order { steps: one_patch(scene, &sets), ordered: false }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::impact::tests::{pod, subject, wanted};
    use super::super::plan;
    use crate::model::Kind;
    use crate::model::object::ObjectExt;
    use crate::model::plan::{Action, Until};
    use crate::subject::Subject;

    /// Two replicas, the first broken; what the resource and what the set say of the strategy.
    fn half_broken(resource: Value, set: &str) -> Subject {
        let pods = vec![pod("p-0", "s", false), pod("p-1", "s", true)];
        let mut subject = subject(Kind::Prometheus, pods);
        subject.root_object["spec"]["updateStrategy"] = resource;
        subject.workloads[0] = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "s", "namespace": "mon", "uid": "s", "generation": 1},
            "spec": {"updateStrategy": {"type": set}},
        });
        subject
    }

    /// Each step as `verb kind what`, waits by what they wait for.
    fn steps(subject: &Subject, knows_strategy: bool) -> Vec<String> {
        let rollout = plan(subject, &wanted(), knows_strategy).expect("a plan");
        let line = |action: &Action| match action {
            Action::Patch { object, patch } => {
                let op = patch.iter().rfind(|op| !op.is_guard()).expect("a change");
                let path = op.path().rsplit('/').next().unwrap_or("");
                format!("patch {} {path}", object.kind.short())
            }
            Action::Wait { until: Until::Rendered { pointer, .. }, .. } => {
                format!("wait {}", pointer.trim_start_matches("/spec/"))
            }
            other => other.verb().to_owned(),
        };
        rollout.steps.iter().map(|s| line(&s.action)).collect()
    }

    const MEMORY: &str = "template/spec/containers/0/resources/limits/memory";

    #[test]
    fn no_value_is_sent_before_the_set_restarts_only_what_is_deleted() {
        let subject = half_broken(json!({"type": "RollingUpdate"}), "RollingUpdate");
        let rendered = format!("wait {MEMORY}");
        let wanted = [
            "patch prometheus updateStrategy",
            "wait updateStrategy/type",
            "patch prometheus resources",
            rendered.as_str(),
            "delete",
            "wait",
            "delete",
            "wait",
            "patch prometheus updateStrategy",
        ];
        assert_eq!(steps(&subject, true), wanted);
    }

    #[test]
    fn on_delete_counts_where_the_resource_asks_for_it_and_the_set_has_it() {
        let on_delete = json!({"type": "OnDelete"});
        let both = steps(&half_broken(on_delete.clone(), "OnDelete"), true);
        assert_eq!(both[0], "patch prometheus resources");
        // An older operator under newer definitions keeps the field and renders nothing of it.
        let ignored = steps(&half_broken(on_delete, "RollingUpdate"), false);
        assert_eq!(ignored[0], "patch prometheus paused");
        assert!(ignored.contains(&"patch sts updateStrategy".to_owned()), "{ignored:?}");
        let by_hand = steps(&half_broken(json!({"type": "RollingUpdate"}), "OnDelete"), true);
        assert_eq!(by_hand[0], "patch prometheus updateStrategy");
    }

    #[test]
    fn the_strategy_goes_back_to_what_it_was() {
        let subject = half_broken(json!({"type": "RollingUpdate"}), "RollingUpdate");
        let rollout = plan(&subject, &wanted(), true).expect("a plan");
        let last = rollout.steps.last().map(|s| &s.action);
        let Some(Action::Patch { patch, .. }) = last else { panic!("{last:?}") };
        let text = serde_json::to_value(patch).expect("a patch").to_string();
        assert!(
            text.contains(
                r#"{"op":"replace","path":"/spec/updateStrategy","value":{"type":"RollingUpdate"}}"#
            ),
            "{text}"
        );
        assert_eq!(subject.root_object.number("/metadata/generation"), Some(1));
        assert!(
            text.contains(r#"{"op":"test","path":"/metadata/generation","value":3}"#),
            "{text}"
        );
    }
}
