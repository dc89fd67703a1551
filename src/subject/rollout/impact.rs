//! What a rollout does to service and to data: said in the plan, and asked for where it hurts.

use serde_json::Value;

use super::{Order, Scene};
use crate::model::object::{Kind, ObjectExt};
use crate::model::plan::Impact;
use crate::subject::pod;
use crate::subject::volume::{Store, store};

pub(super) fn of(scene: &Scene<'_>, order: &Order) -> Impact {
    let restarts = scene.broken.iter().chain(&scene.serving).map(|p| p.name().to_owned()).collect();
    let dropped = scene
        .broken
        .iter()
        .chain(&scene.serving)
        .any(|p| matches!(store(scene.subject, p), Store::EmptyDir { .. } | Store::None));
    let ready = |p: &&&Value| pod::is_ready(p);
    let suspect = scene.broken.iter().filter(ready).find(|p| nobody_stands_in(scene, order, p));
    let stopped = scene.serving.iter().find(|p| stands_alone(scene, order, p));
    let outage = match stopped {
        _ if suspect.is_some() => format!(
            "{} serves between two kills, and nothing does from its end until its successor has \
             replayed its WAL",
            suspect.map(|p| p.name()).unwrap_or_default()
        ),
        _ if scene.wanted.changes.is_empty() => "none: only what is down is restarted".into(),
        None if scene.serving.is_empty() && !scene.broken.iter().any(|p| ready(&p)) => {
            "none that is not there already: no replica serves".into()
        }
        None => "none: one replica serves throughout".into(),
        Some(pod) => format!(
            "{} serves now, and nothing does from its end until its successor has replayed its WAL",
            pod.name()
        ),
    };
    let data = if dropped {
        "LOST: the data directory is on no lasting volume and ends with its pod".to_owned()
    } else {
        "untouched".to_owned()
    };
    // Who may serve when it is stopped, and is only while another does.
    let overlaps = !order.ordered && scene.subject.root.kind == Kind::Deployment && surges(scene);
    let spared = scene.broken.iter().filter(|p| overlaps || (ready(p) && suspect.is_none()));
    let serving = scene.serving.iter().chain(spared).map(|p| p.name().to_owned()).collect();
    let stops_serving = suspect.or(stopped).is_some();
    Impact {
        restarts,
        serving,
        outage,
        stops_serving,
        data,
        loses_data: dropped,
        beyond: Vec::new(),
    }
}

/// Whether nothing serves the same series while this pod restarts, which serves now and cannot be
/// relied on: it is restarted with the broken ones, before those that serve.
fn nobody_stands_in(scene: &Scene, order: &Order, pod: &Value) -> bool {
    let subject = scene.subject;
    if !order.ordered && subject.root.kind == Kind::Deployment {
        return !surges(scene);
    }
    let set = |pod: &Value| pod.controller().map(|owner| owner.uid);
    let relied_on = |p: &&Value| !scene.broken.iter().any(|broken| broken.uid() == p.uid());
    !order.ordered || !subject.serving().filter(relied_on).any(|p| set(p) == set(pod))
}

/// Whether nothing serves the same series while this pod restarts.
fn stands_alone(scene: &Scene<'_>, order: &Order, pod: &Value) -> bool {
    if order.ordered {
        // By then the broken replicas of its set ingest again.
        return scene.mates(pod).next().is_none();
    }
    match scene.subject.root.kind {
        Kind::Deployment => !surges(scene),
        // The controller takes the Ready one first.
        _ => !scene.broken.is_empty() || scene.mates(pod).next().is_none(),
    }
}

/// Whether the Deployment brings a new pod up before it ends the old: `RollingUpdate`, and not all
/// may be unavailable at once (25 % by default, rounded down).
fn surges(scene: &Scene<'_>) -> bool {
    let root = &scene.subject.root_object;
    let switched = scene.wanted.changes.iter().any(|c| c.pointer == "/spec/strategy")
        || super::plain::needs_recreate(scene);
    let replicas = root.number("/spec/replicas").unwrap_or(1);
    let most = match root.pointer("/spec/strategy/rollingUpdate/maxUnavailable") {
        Some(Value::String(percent)) => {
            let percent: i64 = percent.trim_end_matches('%').parse().unwrap_or(100);
            replicas * percent / 100
        }
        Some(value) => value.as_i64().unwrap_or(replicas),
        None => replicas / 4,
    };
    !switched && root.text("/spec/strategy/type") != "Recreate" && most < replicas
}

#[cfg(test)]
pub(in crate::subject) mod tests {
    use serde_json::{Value, json};

    use crate::model::object::{Kind, ObjectRef, Owner};
    use crate::model::patch::Change;
    use crate::subject::rollout::{Wanted, plan};
    use crate::subject::{Flags, Install, Subject};

    pub fn pod(name: &str, set: &str, ready: bool) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "mon", "uid": name, "ownerReferences": [
                {"controller": true, "apiVersion": "apps/v1", "kind": "StatefulSet", "name": set, "uid": set},
            ]},
            "spec": {
                "containers": [{"name": "prometheus", "volumeMounts": [{"name": "d", "mountPath": "/prometheus"}]}],
                "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}],
            },
            "status": {"conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
        })
    }

    pub fn subject(kind: Kind, pods: Vec<Value>) -> Subject {
        let root = ObjectRef::new(kind, "mon", "p");
        let template = json!({"spec": {"containers": [{"name": "prometheus"}]}});
        let object = json!({
            "apiVersion": kind.api_version(), "kind": kind.name(),
            "metadata": {"name": "p", "namespace": "mon", "uid": "root", "generation": 1},
            "spec": {"template": template, "updateStrategy": {"type": "RollingUpdate"}},
        });
        Subject {
            owner: Owner {
                api_version: kind.api_version().into(),
                kind: kind.name().into(),
                name: "p".into(),
                uid: "root".into(),
            },
            root,
            root_object: object.clone(),
            workloads: vec![object],
            wanted: u32::try_from(pods.len()).expect("few"),
            pods,
            container: "prometheus".into(),
            version: None,
            flags: Flags {
                all: vec![("storage.tsdb.path".into(), "/prometheus".into())],
                ..Flags::default()
            },
            agent: false,
            install: Install::Plain,
            managers: Vec::new(),
        }
    }

    pub fn wanted() -> Wanted {
        let changes =
            vec![Change::set("/spec/template/spec/containers/0/resources/limits/memory", "2Gi")];
        Wanted { rendered: changes.clone(), changes, why: "w".into(), ..Wanted::default() }
    }

    #[test]
    fn a_serving_replica_waits_for_the_broken_one() {
        let subject =
            subject(Kind::StatefulSet, vec![pod("p-0", "s", false), pod("p-1", "s", true)]);
        let rollout = plan(&subject, &wanted(), false).expect("a plan");
        assert_eq!(rollout.impact.restarts, ["p-0", "p-1"]);
        assert!(!rollout.impact.stops_serving);
        let verbs: Vec<&str> = rollout.steps.iter().map(|s| s.action.verb()).collect();
        assert_eq!(verbs, ["patch", "delete", "wait", "delete", "wait", "patch"]);
    }

    #[test]
    fn a_pod_killed_a_moment_ago_is_nobodys_stand_in() {
        let subject =
            subject(Kind::StatefulSet, vec![pod("p-0", "s", true), pod("p-1", "s", true)]);
        let wanted = Wanted { suspects: vec!["p-1".into()], ..wanted() };
        let rollout = plan(&subject, &wanted, false).expect("a plan");
        assert_eq!(rollout.impact.restarts, ["p-1", "p-0"]);
    }

    #[test]
    fn one_that_serves_between_two_kills_is_announced() {
        let two = || vec![pod("p-0", "s", true), pod("p-1", "s", true)];
        let impact = |pods: Vec<Value>, suspects: &[&str], changes: bool| {
            let suspects = suspects.iter().map(|name| (*name).to_owned()).collect();
            let mut wanted = Wanted { suspects, ..wanted() };
            if !changes {
                wanted.changes.clear();
            }
            plan(&subject(Kind::StatefulSet, pods), &wanted, false).expect("a plan").impact
        };
        let alone = vec![pod("p-0", "s", true)];
        for changes in [true, false] {
            let told = impact(alone.clone(), &["p-0"], changes);
            assert!(told.stops_serving, "{}", told.outage);
            assert!(told.outage.starts_with("p-0 serves between two kills"), "{}", told.outage);
            let told = impact(two(), &["p-0", "p-1"], changes);
            assert!(told.stops_serving, "{}", told.outage);
            // The other one serves, and is not in question.
            let told = impact(two(), &["p-1"], changes);
            assert!(!told.stops_serving, "{}", told.outage);
        }
        let down = vec![pod("p-0", "s", false), pod("p-1", "s", true)];
        assert!(impact(down, &["p-1"], true).stops_serving);
    }

    /// The next pod is up before it ends, whoever serves by then.
    #[test]
    fn a_deployment_that_surges_stops_nothing() {
        for ready in [true, false] {
            let mut subject = subject(Kind::Deployment, vec![pod("p-x", "s", ready)]);
            subject.pods[0]["spec"]["volumes"] = json!([{"name": "d", "emptyDir": {}}]);
            let wanted = Wanted { suspects: vec!["p-x".into()], ..wanted() };
            let told = plan(&subject, &wanted, false).expect("a plan").impact;
            let serves = told.outage == "none: one replica serves throughout";
            assert_eq!((told.stops_serving, serves), (false, ready), "{}", told.outage);
            assert_eq!(told.serving, ["p-x"]);
        }
    }

    #[test]
    fn the_only_pod_of_a_shard_is_not_covered_by_another_shard() {
        let subject =
            subject(Kind::Prometheus, vec![pod("a-0", "a", false), pod("b-0", "b", true)]);
        let rollout = plan(&subject, &wanted(), false).expect("a plan");
        assert!(rollout.impact.stops_serving, "{}", rollout.impact.outage);
    }

    #[test]
    fn a_lone_serving_pod_is_announced() {
        let subject = subject(Kind::StatefulSet, vec![pod("p-0", "s", true)]);
        assert!(plan(&subject, &wanted(), false).expect("a plan").impact.stops_serving);
    }

    #[test]
    fn a_partition_does_not_hand_out_the_old_revision() {
        let mut subject = subject(Kind::StatefulSet, vec![pod("p-0", "s", false)]);
        subject.root_object["spec"]["updateStrategy"] =
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
        let rollout = plan(&subject, &wanted(), false).expect("a plan");
        let verbs: Vec<&str> = rollout.steps.iter().map(|s| s.action.verb()).collect();
        assert_eq!(verbs, ["patch", "delete", "wait", "patch"]);
    }

    #[test]
    fn a_stack_that_others_roll_out_may_lose_its_serving_pod() {
        let pods = vec![pod("p-0", "s", false), pod("p-1", "s", true)];
        let subject = subject(Kind::MonitoringStack, pods);
        assert!(plan(&subject, &wanted(), false).expect("a plan").impact.stops_serving);
    }
}
