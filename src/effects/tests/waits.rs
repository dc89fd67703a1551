//! What a wait makes of what it sees.

use serde_json::{Value, json};

use super::*;
use crate::model::plan::{Server, Until};

fn waited(world: &World, object: ObjectRef, until: Until) -> String {
    let mut watcher = Recorder::default();
    let ended = run(async {
        super::super::wait::wait(&world.cluster(), &object, &until, &mut watcher, &PATIENCE).await
    });
    format!("{ended:?}")
}

fn ready() -> Until {
    Until::Ready { not_uid: "old".into() }
}

fn pod_with(status: Value) -> World {
    let world = World::new();
    let pod_now = json!({
        "metadata": {"name": "prom-0", "namespace": "mon", "uid": "new"},
        "spec": {"containers": [
            {"name": "prometheus", "resources": {"limits": {"memory": "64Mi"}}},
        ]},
        "status": status,
    });
    world.put(&pod(), pod_now);
    world
}

#[test]
fn a_new_pod_that_dies_the_same_way_ends_the_wait() {
    let killed = json!({"containerStatuses": [{"name": "prometheus", "restartCount": 1,
        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]});
    let crashed = json!({"containerStatuses": [{"name": "prometheus", "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 2}}}]});
    for (status, says) in [
        (killed, "pod/prom-0: prometheus was killed again at its limit of 64Mi (OOMKilled)"),
        (crashed, "pod/prom-0: prometheus crashed 2 times, last exit code 2"),
    ] {
        let got = waited(&pod_with(status), pod(), ready());
        assert_eq!(got, format!("Failed(Hopeless({says:?}))"));
    }
}

#[test]
fn patience_ends_after_time_without_progress() {
    let world = pod_with(json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"},
    ]}));
    let got = waited(&world, pod(), ready());
    assert_eq!(got, "TimedOut(\"pod/prom-0: 0/1 ready, 0/1 nodes are available\")");
}

#[test]
fn progress_renews_patience() {
    let world = pod_with(json!({}));
    let mut looks = 0;
    world.state().meanwhile = Some(Box::new(move |request, objects| {
        if request == format!("GET {}", pod().path()) {
            looks += 1;
            let pod_now = objects.get_mut(&pod().path()).expect("put above");
            // A change every 40 s, with patience for 60, and Ready after 200.
            let restarts = looks / 40;
            pod_now["status"]["containerStatuses"] =
                json!([{"name": "prometheus", "restartCount": restarts}]);
            if restarts == 5 {
                pod_now["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
            }
        }
    }));
    assert_eq!(waited(&world, pod(), ready()), "Met(\"pod/prom-0 is ready\")");
}

#[test]
fn ready_alone_counts_where_metrics_cannot_be_read() {
    let world = pod_with(json!({"conditions": [{"type": "Ready", "status": "True"}]}));
    let until = || Until::Ingests { not_uid: "old".into(), port: 9090, prefix: "/p/".into() };
    let got = waited(&world, pod(), until());
    assert_eq!(got, "Met(\"pod/prom-0 is ready; its samples were not seen: not found\")");
    world.state().forbidden.push(("GET", "/proxy/", "no"));
    let got = waited(&world, pod(), until());
    assert_eq!(got, "Met(\"pod/prom-0 is ready; its samples were not seen: no\")");
}

#[test]
fn a_rollout_counts_updated_and_ready_at_the_latest_generation() {
    let world = World::new();
    assert_eq!(
        waited(&world, set(), Until::RolledOut { server: None }),
        "Met(\"sts/prom is rolled out: 1/1 ready\")"
    );
    let mut behind = plans::workload();
    behind["status"]["observedGeneration"] = json!(0);
    world.put(&set(), behind);
    assert_eq!(
        waited(&world, set(), Until::RolledOut { server: None }),
        "TimedOut(\"sts/prom: 1/1 updated, 1/1 ready\")"
    );
}

#[test]
fn a_rendered_quantity_is_compared_as_one() {
    let until = Until::Rendered { pointer: plans::MEMORY.into(), value: json!("1024Mi") };
    assert_eq!(waited(&World::new(), set(), until), "Met(\"sts/prom carries the change\")");
}

#[test]
fn gone_means_that_uid() {
    let until = |uid: &str| Until::Gone { uid: uid.into() };
    assert_eq!(waited(&World::new(), pod(), until("other")), "Met(\"pod/prom-0 is gone\")");
    assert_eq!(
        waited(&World::new(), pod(), until("pod-uid")),
        "TimedOut(\"pod/prom-0: stopping\")"
    );
}

/// A replay of an hour changes no number of its Deployment.
#[test]
fn a_deployment_whose_pod_replays_is_waited_for() {
    let world = World::new();
    let deployment = ObjectRef::new(Kind::Deployment, "mon", "prom");
    let mut starting = plans::workload();
    starting["spec"]["selector"] = json!({"matchLabels": {"app": "prom"}});
    starting["status"]["readyReplicas"] = json!(0);
    world.put(&deployment, starting);
    let (old, new) = ("prom-6f-a", "prom-6f-b");
    let of = |name: &str| ObjectRef::new(Kind::Pod, "mon", name);
    let begun = json!({"containerStatuses": [{"name": "prometheus", "ready": false,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]});
    let metadata = json!({"name": new, "namespace": "mon", "uid": new});
    world.put(&of(new), json!({"metadata": metadata, "spec": {}, "status": begun}));
    let metadata = json!({"name": old, "namespace": "mon", "uid": old,
        "deletionTimestamp": "2026-01-01T00:00:00Z"});
    world.put(&of(old), json!({"metadata": metadata, "spec": {}, "status": begun}));
    let mut looks = 0;
    world.state().meanwhile = Some(Box::new(move |request, objects| {
        let replay = format!("{}:9090/proxy/p/api/v1/status/walreplay", of(new).path());
        if request != format!("GET {replay}") {
            return;
        }
        looks += 1;
        // A segment every 40 s, with patience for 60, and Ready after 200.
        let loaded = looks / 40;
        let at = json!({"data": {"min": 0, "max": 6, "current": loaded}});
        objects.insert(replay, at);
        if loaded == 5 {
            let workload = objects.get_mut(&deployment.path()).expect("put above");
            workload["status"]["readyReplicas"] = json!(1);
        }
    }));
    let deployment = ObjectRef::new(Kind::Deployment, "mon", "prom");
    let until = |port| {
        let server = Some(Server { port, prefix: "/p".into() });
        Until::RolledOut { server }
    };
    let got = waited(&world, deployment.clone(), until(9090));
    assert_eq!(got, "Met(\"deploy/prom is rolled out: 1/1 ready\")");
    // Of one that does not tell, its workload alone.
    let mut starting = world.object(&deployment);
    starting["status"]["readyReplicas"] = json!(0);
    world.put(&deployment, starting);
    let got = waited(&world, deployment, until(1));
    assert_eq!(got, "TimedOut(\"deploy/prom: 1/1 updated, 0/1 ready\")");
}

/// A survey of a slow disk takes longer than anyone waits without news.
#[test]
fn a_helper_that_says_how_far_it_is_is_waited_for() {
    let world = pod_with(json!({"phase": "Running"}));
    let log = format!("{}/log", pod().path());
    let mut looks = 0;
    world.state().meanwhile = Some(Box::new(move |request, objects| {
        if request != format!("GET {log}") {
            return;
        }
        looks += 1;
        // A line every 40 s, with patience for 60, and an end after 200.
        let share = looks / 40 * 10;
        let said = format!("read 1.0 GiB of 9.9 GiB ({share} %)\n");
        objects.insert(log.clone(), Value::String(said));
        if share == 50 {
            let helper = objects.get_mut(&pod().path()).expect("put above");
            helper["status"] = json!({"phase": "Succeeded"});
        }
    }));
    let got = waited(&world, pod(), Until::Completed);
    assert_eq!(got, "Met(\"pod/prom-0 ended well\")");
    // One that does not say it is told by its phase.
    let silent = pod_with(json!({"phase": "Running"}));
    assert_eq!(waited(&silent, pod(), Until::Completed), "TimedOut(\"pod/prom-0: Running\")");
}
