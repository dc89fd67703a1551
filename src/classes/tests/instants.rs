//! Facts of different instants: a start between two reads, and events that outlive their cause.

use serde_json::json;

use super::fixture::healthy;
use super::states::check;

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

