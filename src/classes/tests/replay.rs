//! A replay that a probe kills: how much more time it gets, and where.

use serde_json::{Value, json};

use super::fixture::{World, healthy, put};
use crate::classes::{ALL, Given};
use crate::model::Next;
use crate::model::plan::{Action, Plan};

const STARTUP: &str = "Container prometheus failed startup probe, will be restarted";
const LIVENESS: &str = "Container prometheus failed liveness probe, will be restarted";

/// It has so many of 30 segments after ten minutes.
fn log(loaded: u32) -> String {
    let begin = "time=2026-11-22T17:40:00Z level=INFO msg=\"Starting Prometheus Server\"\n\
        time=2026-11-22T17:40:00Z level=INFO msg=\"Replaying WAL, this may take a while\"";
    let line = |n| {
        format!(
            "time=2026-11-22T17:{:02}:00Z level=INFO msg=\"WAL segment loaded\" segment={n} maxSegment=29",
            40 + (n + 1) * 10 / loaded
        )
    };
    let segments: Vec<String> = (0..loaded).map(line).collect();
    format!("{begin}\n{}", segments.join("\n"))
}

/// Killed after 19 minutes, of which the startup probe allows 15; its set has the pod's template.
fn killed(log: &str, event: &str, change: impl FnOnce(World) -> World) -> World {
    let mut world = change(healthy().crashed(137, "Error", log).pod_event("Killing", event));
    let owner = json!([{"controller": true, "apiVersion": "apps/v1", "kind": "StatefulSet",
        "name": "p", "uid": "set"}]);
    put(world.pod(), "/metadata/ownerReferences", owner);
    let spec = world.pod()["spec"].clone();
    for object in [&mut world.subject.root_object, &mut world.subject.workloads[0]] {
        put(object, "/metadata/generation", json!(1));
        put(object, "/spec/template/spec", spec.clone());
    }
    world
}

fn plan(world: &World) -> Plan {
    match world.next() {
        Next::Fix(plan) => plan,
        other => panic!("{other:?}"),
    }
}

/// What its first patch changes.
fn change(plan: &Plan) -> (String, Value) {
    let Some(Action::Patch { patch, .. }) = plan.steps.first().map(|s| &s.action) else {
        panic!("{plan:#?}")
    };
    let op = patch.iter().find(|op| !op.is_guard()).expect("a change");
    let value = serde_json::to_value(op).expect("JSON")["value"].clone();
    (op.path().rsplit_once("containers/0/").expect("of the container").1.to_owned(), value)
}

fn blocked(next: Next) -> String {
    match next {
        Next::Blocked(blocked) => blocked.why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_replay_gets_twice_what_it_takes_by_its_own_pace() {
    // 10 of 30 in 600 s: 1800 s.
    let world = killed(&log(10), STARTUP, |world| world);
    let plan = plan(&world);
    assert_eq!(change(&plan), ("startupProbe/failureThreshold".into(), json!(240)));
    assert_eq!(plan.inputs, ["--startup-budget", "3600"]);
    assert_eq!(plan.title, "let it start for 60 min: its replay takes about 30 min");
    assert_eq!(plan.takes, "about 31 min, most of it replay");
    assert_eq!(plan.impact.restarts, ["p-0"]);
    let (_, findings, _) = world.diagnose();
    let said: Vec<String> =
        findings[0].evidence.iter().map(|e| format!("{}: {}", e.field, e.value)).collect();
    assert_eq!(
        said[..3],
        [
            "it allows: 900 s: 60 tries, one every 15 s",
            ": then 600 s to stop, which does not interrupt a replay",
            "it takes: about 1800 s: it had 10 of 30 segments after 600 s",
        ]
    );
}

#[test]
fn a_rate_that_the_run_outlived_is_not_believed() {
    // All in 600 s, by that rate; it ran 1140 s and was not done.
    let plan = plan(&killed(&log(30), STARTUP, |world| world));
    assert_eq!(plan.inputs, ["--startup-budget", "2280"]);
}

#[test]
fn a_replay_that_tells_nothing_gets_a_guess_that_says_so() {
    let silent = log(1).lines().take(2).collect::<Vec<_>>().join("\n");
    let plan = plan(&killed(&silent, STARTUP, |world| world));
    assert!(plan.title.contains("a guess"), "{}", plan.title);
    assert_eq!(plan.inputs, ["--startup-budget", "2280"]);
    let short = |world: World| {
        let at = "/status/containerStatuses/0/lastState/terminated/startedAt";
        let world = world.set(at, json!("2026-11-22T17:58:10Z"));
        world.set("/spec/containers/0/startupProbe/failureThreshold", json!(2))
    };
    assert_eq!(self::plan(&killed(&silent, STARTUP, short)).inputs, ["--startup-budget", "900"]);
}

#[test]
fn a_liveness_probe_stays_and_is_held_off() {
    let liveness = |mut world: World| {
        let container = world.pod()["spec"]["containers"][0].as_object_mut().expect("a map");
        let mut probe = container.remove("startupProbe").expect("a probe");
        put(&mut probe, "/httpGet/path", json!("/-/healthy"));
        container.insert("livenessProbe".into(), probe);
        world
    };
    let plan = plan(&killed(&log(10), LIVENESS, liveness));
    let probe = json!({
        "httpGet": {"path": "/-/ready", "port": "web"},
        "periodSeconds": 15, "timeoutSeconds": 3, "failureThreshold": 240,
    });
    assert_eq!(change(&plan), ("startupProbe".into(), probe));
    assert!(plan.steps[0].why.contains("its liveness probe stays"), "{}", plan.steps[0].why);
}

#[test]
fn a_pod_from_before_is_restarted_where_its_template_is_right() {
    let mut world = killed(&log(10), STARTUP, |world| world);
    let at = "/spec/template/spec/containers/0/startupProbe/failureThreshold";
    put(&mut world.subject.workloads[0], at, json!(240));
    let plan = plan(&world);
    let verbs: Vec<&str> = plan.steps.iter().map(|s| s.action.verb()).collect();
    assert_eq!(verbs, ["delete", "wait"], "{}", plan.title);
    // Not enough: more is asked for.
    put(&mut world.subject.workloads[0], at, json!(70));
    assert_eq!(self::plan(&world).inputs, ["--startup-budget", "3600"]);
}

#[test]
fn more_time_is_not_given_where_it_would_not_help() {
    let told = |status: &str| {
        let message = format!("Startup probe failed: HTTP probe failed with statuscode: {status}");
        killed(&log(10), STARTUP, |world| world.pod_event("Unhealthy", &message))
    };
    assert!(matches!(told("503").next(), Next::Fix(_)));
    let wal = ALL.iter().find(|class| class.name() == "wal").expect("the class");
    let next = |world: &World, given: &Given| {
        let job = wal.job(&world.subject, given);
        let verdict = job.check(&world.seen);
        job.next(&world.seen, &verdict.findings)
    };
    let why = blocked(next(&told("404"), &Given::new()));
    assert!(why.contains("statuscode: 404"), "{why}");
    let less = Given::from([("startup-budget".to_owned(), "600".to_owned())]);
    let why = blocked(next(&told("503"), &less));
    assert_eq!(why, "600 s are not more than the 900 s it has now");
}
