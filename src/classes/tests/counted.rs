//! What a server counted of its own log, where that log tells no more of it.

use super::fixture::{World, healthy};
use super::states::READY;
use crate::model::{Fact, Need, Seen, Severity};

const STARTED: &str =
    "time=x level=INFO msg=\"Starting Prometheus Server\" version=\"(version=3.16.0)\"";
const LATER: &str = "time=x level=INFO msg=\"Head GC completed\" component=tsdb duration=1ms";
const REPAIRED: &str = "time=x level=WARN msg=\"Encountered WAL read error, attempting repair\" \
    err=\"read records: corruption in segment /prometheus/wal/00000002 at 7: unexpected checksum\"\n\
    time=x level=INFO msg=\"Successfully repaired WAL\"";

fn need(world: &World) -> Need {
    Need::http(&world.subject.pods[0], 9090, "/metrics")
}

/// As 3.16 counts them, with these numbers.
fn metrics(tried: u32, failed: u32, cut: u32, truncations: u32) -> String {
    format!(
        "# TYPE prometheus_tsdb_checkpoint_creations_total counter\n\
         prometheus_tsdb_checkpoint_creations_total {tried}\n\
         prometheus_tsdb_checkpoint_creations_failed_total {failed}\n\
         prometheus_tsdb_checkpoint_deletions_failed_total 0\n\
         prometheus_tsdb_head_truncations_failed_total {truncations}\n\
         prometheus_tsdb_wal_corruptions_total {cut}\n\
         prometheus_tsdb_wal_truncations_failed_total 0\n\
         prometheus_tsdb_wal_writes_failed_total 0\n"
    )
}

fn with(world: World, status: u16, body: &str) -> World {
    let need = need(&world);
    world.fact(need, Fact::Known(Seen::Http { status, body: body.into() }))
}

fn rotated(body: &str) -> World {
    with(healthy().log(false, LATER), 200, body)
}

#[test]
fn what_it_counted_is_told_where_its_log_does_not_reach_back() {
    let unreadable = with(healthy().unreadable_log(false), 200, &metrics(3, 3, 0, 0));
    let rows = [
        (rotated(&metrics(0, 0, 0, 0)), vec![]),
        (rotated(&metrics(3, 0, 1, 0)), vec!["warn wal/repaired-with-loss"]),
        (rotated(&metrics(3, 3, 0, 0)), vec!["error wal/checkpoint-failing"]),
        // So 3.16 counts a segment that no checkpoint can be made of: nothing is cut before it restarts.
        (rotated(&metrics(3, 3, 3, 0)), vec!["error wal/checkpoint-failing"]),
        (unreadable, vec!["error wal/checkpoint-failing"]),
        // Since then it wrote one, before or after.
        (rotated(&metrics(3, 2, 0, 0)), vec!["warn wal/checkpoint-failing"]),
        (rotated(&metrics(3, 0, 0, 4)), vec!["warn wal/checkpoint-failing"]),
        // Its log tells of it, and better.
        (
            with(healthy().log(false, &format!("{LATER}\n{REPAIRED}")), 200, &metrics(0, 0, 1, 0)),
            vec!["warn wal/repaired-with-loss"],
        ),
    ];
    for (world, wanted) in rows {
        assert_eq!(world.told(), wanted);
        assert_eq!(world.diagnose().2, [], "it is known");
    }
    let world = rotated(&metrics(3, 3, 0, 0));
    let (_, findings, _) = world.diagnose();
    assert!(findings[0].forbids_restart && findings[0].severity == Severity::Error);
    let of = |e: &crate::model::Evidence| format!("{} {}", e.field, e.value);
    assert_eq!(of(&findings[0].evidence[1]), "checkpoint_creations_failed_total 3 of 3");
}

#[test]
fn no_answer_is_no_good_news() {
    for world in [
        with(healthy().unreadable_log(false), 401, ""),
        with(healthy().unreadable_log(false), 200, "up 1\n"),
        healthy().unreadable_log(false),
        with(healthy().log(false, LATER), 401, ""),
    ] {
        let (_, found, unknown) = world.diagnose();
        assert_eq!((found.len(), unknown.len()), (0, 1));
    }
}

#[test]
fn it_is_asked_once_and_only_where_its_log_tells_less() {
    let asks = |world: World| world.needs().contains(&need(&world));
    let [rotated, unreadable] = [healthy().log(false, LATER), healthy().unreadable_log(false)];
    assert!(asks(rotated) && asks(unreadable));
    let whole = healthy().log(false, &format!("{STARTED}\n{READY}\n{LATER}"));
    assert!(!asks(whole) && !asks(healthy()) && !asks(healthy().not_ready()));
    let mut agent = healthy().log(false, LATER);
    agent.subject.agent = true;
    assert!(!asks(agent));
}
