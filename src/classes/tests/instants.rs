//! Facts of different instants: a start between two reads, and events that outlive their cause.

use serde_json::json;

use super::fixture::{World, healthy};
use super::states::{READY, check};
use crate::model::Kind;

/// What the run that ended said last, a minute ago, and what the next one says first.
const GAP: &str = "time=2026-11-22T17:58:59.500Z level=ERROR source=main.go:1 msg=\"Fatal error\" err=\"opening storage failed: get segment range: segments are not sequential\"";
const KILLED: &str = "time=2026-11-22T17:46:30.875Z level=INFO source=head.go:752 msg=\"Replaying WAL, this may take a while\" component=tsdb";
const NEXT: &str = "time=2026-11-22T17:59:11.000Z level=INFO source=main.go:1 msg=\"operational information\" build_context=x";

#[test]
fn a_start_while_the_logs_are_read_hides_nothing() {
    let killed = healthy().pod_event("Killing", "Container prometheus failed startup probe");
    check(vec![
        ("wal/gap", healthy().crashed(1, "Error", GAP).log(false, NEXT)),
        ("wal/probe-kills-replay", killed.crashed(137, "Error", KILLED).log(false, NEXT)),
    ]);
}

/// The next start logs what it does, too.
#[test]
fn what_the_next_start_logs_is_of_it_and_of_no_run_before() {
    let serving = "time=2026-11-22T17:46:31.000Z level=INFO source=main.go:1 msg=\"Server is ready to receive web requests.\"";
    let killed = healthy().crashed(137, "OOMKilled", serving).log(false, NEXT);
    let killed = killed.set("/spec/containers/0/resources", json!({"limits": {"memory": "1Gi"}}));
    let (_, findings, _) = killed.diagnose();
    assert!(findings[0].says.ends_with("while serving"), "{}", findings[0].says);

    let met = "time=2026-11-22T17:59:12.000Z level=WARN source=db.go:1019 msg=\"Encountered WAL read error, attempting repair\" component=tsdb err=\"read records: corruption in segment /prometheus/wal/00000002 at 7: unexpected checksum c892206b, expected ea2ce02a\"";
    let owner =
        json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "p", "controller": true}]);
    let danger = |log: &str| {
        let world = healthy()
            .set("/metadata/ownerReferences", owner.clone())
            .crashed(137, "Error", &met.replace(":59:", ":58:"))
            .log(false, log);
        world.danger().map(|danger| danger.says)
    };
    let next = danger(NEXT).expect("a danger");
    assert!(next.starts_with("its start, which is under way, deletes"), "{next}");
    assert_eq!(danger(&format!("{NEXT}\n{met}")), None, "it does so now");
}

#[test]
fn a_log_of_the_next_start_alone_is_no_reason() {
    let world = healthy().crashed(1, "Error", GAP).log(false, NEXT).unreadable_log(true);
    let (root, findings, unknown) = world.diagnose();
    assert_eq!(root, None, "{findings:?}");
    assert!(unknown.iter().any(|u| u.vital && u.get == "the verb get on pods/log"), "{unknown:?}");
    let world = healthy().crashed(1, "Error", GAP).log(false, NEXT).log(true, "");
    let (root, findings, unknown) = world.diagnose();
    assert_eq!(root, None, "{findings:?}");
    assert!(unknown.iter().any(|u| u.vital && u.why == "it is empty"), "{unknown:?}");
}

#[test]
fn a_restart_whose_end_is_not_told_is_unknown() {
    let world = healthy()
        .running("2026-11-22T17:59:59Z", NEXT)
        .set("/status/containerStatuses/0/restartCount", json!(3));
    let (root, findings, unknown) = world.diagnose();
    assert_eq!((root, findings), (None, vec![]));
    assert!(unknown.iter().any(|u| u.vital && u.why.contains("3 restarts")), "{unknown:?}");
}

/// Its container waits for its image, or for its init container.
fn creating() -> World {
    let why = json!({"waiting": {"reason": "ContainerCreating"}});
    healthy().not_ready().set("/status/containerStatuses/0/state", why)
}

#[test]
fn a_volume_that_is_mounted_by_now_is_not_waited_for() {
    let stuck = || creating().pod_event("FailedMount", "failed to sync configmap cache");
    let sandbox = |is: &str| {
        json!([{"type": "Ready", "status": "False"},
            {"type": "PodReadyToStartContainers", "status": is}])
    };
    let init = json!([{"name": "init", "state": {"running": {}}}]);
    let with_init = || stuck().set("/spec/initContainers", json!([{"name": "init"}]));
    // Before its node was started again.
    let ended = json!({"terminated": {"exitCode": 137, "finishedAt": "2026-11-22T17:40:00Z"}});
    check(vec![
        ("other/volume-stuck", stuck()),
        ("none", stuck().pod_event("Pulling", "Pulling image")),
        ("none", stuck().set("/status/conditions", sandbox("True"))),
        ("other/volume-stuck", stuck().set("/status/conditions", sandbox("False"))),
        ("none", with_init().set("/status/initContainerStatuses", init)),
        ("other/volume-stuck", stuck().set("/status/containerStatuses/0/lastState", ended)),
    ]);
}

#[test]
fn a_pod_that_was_made_by_now_was_refused_before() {
    let quota = "pods \"p-0\" is forbidden: exceeded quota: small";
    let level = "pods \"p-0\" is forbidden: violates PodSecurity \"restricted:latest\": x";
    let two = |why: &str, made: &str| {
        let owner = json!([{"controller": true, "kind": "StatefulSet", "name": "p", "uid": "w"}]);
        let mut world = healthy()
            .set("/metadata/ownerReferences", owner)
            .set("/metadata/creationTimestamp", json!(made))
            .event("StatefulSet", "p", "FailedCreate", why);
        world.subject.wanted = 2;
        for set in &mut world.subject.workloads {
            set["metadata"]["uid"] = json!("w");
        }
        world
    };
    let (before, after) = ("2026-11-22T17:58:59Z", "2026-11-22T17:59:30Z");
    check(vec![
        ("other/unschedulable", two(quota, before)),
        ("none", two(quota, after)),
        ("perms/security-context-rejected", two(level, before)),
        ("none", two(level, after)),
    ]);
}

#[test]
fn a_disk_that_has_room_again_was_full() {
    let at = |time: &str| {
        let line = format!(
            "time=2026-11-22T{time}.000Z level=ERROR source=scrape.go:1 msg=\"Scrape commit failed\" \
             err=\"write to WAL: log samples: write /prometheus/wal/00000003: no space left on device\""
        );
        healthy().log(false, &line).told()
    };
    // It is now 18:00, and a scrape is tried every minute or more often.
    assert_eq!(at("17:56:00"), ["error disk/full"]);
    assert_eq!(at("17:52:00"), ["warn disk/full"]);
}

/// Of containers beside it, and of a while ago.
#[test]
fn a_probe_that_is_answered_by_now_is_nothing() {
    let other = |place: &str, message: &str| {
        let event = json!({
            "involvedObject": {"kind": "Pod", "name": "p-0", "namespace": "mon",
                "fieldPath": format!("spec.containers{{{place}}}")},
            "metadata": {"namespace": "mon"}, "reason": "Unhealthy", "message": message,
            "lastTimestamp": "2026-11-22T17:50:00Z",
        });
        healthy()
            .running("2026-11-22T17:00:00Z", READY)
            .set("/status/containerStatuses/0/restartCount", json!(0))
            .list(Kind::Event, vec![event])
    };
    let late =
        "Readiness probe failed: Get \"http://10.0.0.1:9090/-/ready\": context deadline exceeded";
    let login = "Readiness probe failed: HTTP probe failed with statuscode: 401";
    let own_is_ready = |world: World| world.set("/status/containerStatuses/0/ready", json!(true));
    check(vec![
        ("other/overloaded", other("prometheus", late)),
        ("none", other("thanos-sidecar", late)),
        ("none", own_is_ready(other("prometheus", late))),
        ("bind/scheme-or-path", other("prometheus", login)),
        ("none", other("thanos-sidecar", login)),
        ("none", own_is_ready(other("prometheus", login))),
    ]);
}
