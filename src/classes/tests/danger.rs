//! Where the next start deletes what can still be read, and where it only looks so.

mod inside;

use serde_json::json;

use super::fixture::{World, healthy};
use super::states::READY;
use crate::model::{Fact, Kind, Need, ObjectRef};
use crate::subject::Version;

const LOADED: &str = r#"time=x level=INFO source=head.go:825 msg="WAL segment loaded" component=tsdb segment=1 maxSegment=9 duration=4ms"#;
const STARTING: &str =
    r#"time=x level=INFO source=main.go:1 msg="Starting Prometheus Server" version="x""#;
const DELETING: &str = r#"time=x level=WARN source=wlog.go:421 msg="Deleting all segments newer than corrupted segment" component=tsdb segment=2"#;
const REWRITE: &str = r#"time=x level=WARN source=wlog.go:443 msg="Rewrite corrupted segment" component=tsdb segment=2"#;
const REPAIRED: &str =
    r#"time=x level=INFO source=db.go:1023 msg="Successfully repaired WAL" component=tsdb"#;
const STARTED: &str = r#"ts=x caller=main.go:1 level=info msg="TSDB started""#;
const RENAME: &str = r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: repair corrupted WAL: rename /prometheus/wal/00000000 /prometheus/wal/00000000.repair: no such file or directory""#;
const REFUSED: &str = r#"level=error ts=x caller=main.go:717 err="opening storage failed: read WAL: repair corrupted WAL: cannot handle error: invalid record type 255""#;
const FULL: &str = "panic: preallocate: no space left on device";
const WRITTEN: &str = r#"time=x level=INFO source=head.go:1 msg="WAL checkpoint complete" component=tsdb first=1 last=5 duration=1s"#;
const DENIED: &str = r#"time=x level=WARN source=db.go:1019 msg="Encountered WAL read error, attempting repair" component=tsdb err="open WAL segment: 2: open /prometheus/wal/00000002: permission denied""#;

fn met(at: &str, what: &str) -> String {
    format!(
        r#"time=x level=WARN source=db.go:1019 msg="Encountered WAL read error, attempting repair" component=tsdb err="read records: corruption in segment /prometheus/{at} at 7: {what}""#
    )
}

fn segment() -> String {
    met("wal/00000002", "unexpected checksum c892206b, expected ea2ce02a")
}

fn checkpoint() -> String {
    met("wal/checkpoint.00000007/00000000", "unexpected checksum eb9197da, expected a876d77c")
        .replace("err=\"", "err=\"backfill checkpoint: ")
}

fn failing(at: &str) -> String {
    format!(
        r#"time=x level=ERROR source=db.go:1 msg="compaction failed" component=tsdb err="WAL truncation in Compact: create checkpoint: read segments: corruption in segment /prometheus/wal/{at} at 5537792: unexpected checksum fc00dfaf, expected f9476e1d""#
    )
}

fn log(lines: &[&str]) -> String {
    lines.join("\n")
}

/// A pod of a StatefulSet, with a claim.
fn owned(world: World) -> World {
    world.set(
        "/metadata/ownerReferences",
        json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "p", "controller": true}]),
    )
}

fn crashed(lines: &[&str]) -> World {
    owned(healthy()).crashed(1, "Error", &log(lines))
}

fn says(world: &World) -> String {
    world.danger().map_or("none".into(), |danger| danger.says)
}

fn check(rows: Vec<(&str, World)>) {
    let wrong: Vec<String> = rows
        .into_iter()
        .map(|(wanted, world)| (wanted, says(&world), world.told()))
        .filter(|(wanted, said, _)| wanted != said)
        .map(|(wanted, said, told)| format!("wanted {wanted}\n   got {said}\n   of {told:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_start_that_would_cut_is_a_danger() {
    let (segment, checkpoint) = (segment(), checkpoint());
    let wbl = met("wbl/00000001", "unexpected checksum a2331021, expected bd3e8c74");
    let next = "its next start (in about 4m00s)";
    let killed = |lines: &[&str]| owned(healthy()).crashed(137, "OOMKilled", &log(lines));
    let rows = [
        // Only begun: killed by something else, or for memory.
        (
            "deletes WAL segments 3-9 and the rest of 2",
            crashed(&[STARTING, LOADED, &segment, FULL]),
        ),
        ("deletes WAL segments 3-9 and the rest of 2", killed(&[LOADED, &segment, DELETING])),
        ("deletes every WAL segment after 2, and the rest of 2", crashed(&[&segment, FULL])),
        (
            "deletes WAL segment 9 and the rest of 8",
            crashed(&[LOADED, &met("wal/00000008", "snappy: corrupt input")]),
        ),
        (
            "deletes the rest of WAL segment 9 after the damage",
            crashed(&[LOADED, &met("wal/00000009", "snappy: corrupt input")]),
        ),
        (
            "deletes WAL segments 4-9 and the rest of 3",
            crashed(&[LOADED, &met("wal/00000003", "last record is torn")]),
        ),
        // The disk's own error is taken for damage.
        (
            "deletes WAL segments 3-9 and the rest of 2",
            crashed(&[LOADED, &met("wal/00000002", "read remaining zeros: input/output error")]),
        ),
        ("deletes the WAL segments after the damaged checkpoint 7", crashed(&[&checkpoint])),
        (
            "comes up without most of WAL checkpoint 7, which can still be read (the segments after it are deleted already)",
            crashed(&[&checkpoint, DELETING, REWRITE, RENAME]),
        ),
        (
            "comes up without most of WAL checkpoint, which can still be read (the segments after it are deleted already)",
            crashed(&[RENAME]),
        ),
        // The server ran with the damage, and then it ended.
        (
            "deletes every WAL segment after 87017, and the rest of 87017",
            killed(&[READY, &failing("00087017")]),
        ),
        (
            "deletes every WAL segment after 1, though it is the out-of-order log (wbl) that is damaged",
            crashed(&[&wbl, DELETING, REWRITE, FULL]),
        ),
        // A run of before says nothing of the last one.
        (
            "deletes WAL segments 3-9 and the rest of 2",
            crashed(&[STARTING, &segment, REPAIRED, STARTING, LOADED, &segment]),
        ),
    ];
    let rows: Vec<_> = rows.map(|(takes, world)| (format!("{next} {takes}"), world)).into();
    check(rows.iter().map(|(wanted, world)| (wanted.as_str(), clone(world))).collect());
}

fn clone(world: &World) -> World {
    let mut other = healthy();
    other.subject = world.subject.clone();
    other.seen = world.seen.clone();
    other
}

#[test]
fn a_repair_that_is_over_is_none() {
    let (segment, checkpoint) = (segment(), checkpoint());
    let torn = met("wal/00000008", "last record is torn");
    let wbl = met("wbl/00000001", "unexpected checksum").replace("WAL read", "WBL read");
    let rows: Vec<World> = vec![
        healthy(),
        crashed(&[READY]),
        crashed(&[LOADED]),
        // From 2.44 on it says so; before, it goes on.
        crashed(&[LOADED, &segment, DELETING, REWRITE, REPAIRED, FULL]),
        crashed(&[LOADED, &segment, DELETING, REWRITE, STARTED, FULL]),
        crashed(&[LOADED, &segment, STARTED, FULL]),
        crashed(&[LOADED, &segment, READY, FULL]),
        crashed(&[LOADED, &segment, LOADED, FULL]),
        crashed(&[&segment, DELETING, REWRITE]),
        crashed(&[&checkpoint, DELETING, REWRITE, REPAIRED, FULL]),
        crashed(&[&checkpoint, DELETING, REWRITE, STARTED]),
        // It was repaired, and a later start of the same log met nothing.
        crashed(&[STARTING, LOADED, &segment, FULL, STARTING, LOADED, READY, FULL]),
        // Refused: nothing was deleted, nothing will be.
        crashed(&[LOADED, &met("wal/00000002", "invalid record type 255"), REFUSED]),
        crashed(&[DENIED, &REFUSED.replace("invalid record type 255", "permission denied")]),
        // The write that was under way at the end before: nothing comes after it.
        crashed(&[LOADED, &torn]),
        crashed(&[&torn]),
        // 2.48 and later repair this log alone.
        crashed(&[&wbl]),
        // The present run has met it, or has got past it.
        crashed(&[LOADED, &segment]).running("2026-11-22T17:59:10Z", &segment),
        crashed(&[LOADED, &segment]).recovered(&log(&[LOADED, &segment, REPAIRED, READY])),
        crashed(&[LOADED, &segment]).recovered(READY),
        crashed(&[RENAME]).recovered(&log(&[&checkpoint, DELETING, REWRITE, REPAIRED, READY])),
        owned(healthy()).log(false, &log(&[&segment, DELETING, REWRITE, REPAIRED, READY])),
        owned(healthy()).log(false, &log(&[&segment, REWRITE, READY])),
        // A checkpoint was written since, or a gap is what fails it.
        owned(healthy()).log(false, &log(&[READY, &failing("00087017"), WRITTEN])),
        owned(healthy()).log(
            false,
            r#"level=error ts=x caller=db.go:1 msg="compaction failed" err="create checkpoint: unexpected gap to last checkpoint. expected:5, requested:9""#,
        ),
        // On its way out: it is held, or can be held no more.
        crashed(&[LOADED, &segment])
            .set("/metadata/deletionTimestamp", json!("2026-11-22T17:59:30Z")),
    ];
    check(rows.into_iter().map(|world| ("none", world)).collect());
}

/// Ready, repaired, and to be cut again by the next start: 2.39 to 2.47.
fn late() -> World {
    let log = log(&[&met("wbl/00000003", "unexpected checksum"), REWRITE, READY]);
    owned(healthy()).log(false, &log)
}

#[test]
fn a_server_that_fails_its_checkpoints_must_not_be_restarted() {
    let told = |at: &str| owned(healthy()).log(false, &log(&[READY, WRITTEN, &failing(at)]));
    let world = told("00087017");
    assert_eq!(world.told(), ["error wal/checkpoint-failing"]);
    let danger = world.danger().expect("a danger");
    assert!(danger.serves && danger.can_hold);
    check(vec![
        (
            "a restart deletes every WAL segment after 87017, and the rest of 87017",
            told("00087017"),
        ),
        (
            "a restart deletes the WAL segments after the damaged checkpoint 12",
            told("checkpoint.00000012/00000000"),
        ),
        (
            "a restart deletes every WAL segment after 3, though it is the out-of-order log (wbl) that is damaged",
            late(),
        ),
    ]);
    assert_eq!(late().told(), ["error wal/corrupt-wbl"], "it is damaged still");
}

#[test]
fn the_time_is_the_kubelets() {
    let at = |restarts: i64, finished: &str, message: &str| {
        crashed(&[LOADED, &segment()])
            .set("/status/containerStatuses/0/restartCount", json!(restarts))
            .set("/status/containerStatuses/0/lastState/terminated/finishedAt", json!(finished))
            .set("/status/containerStatuses/0/state/waiting/message", json!(message))
    };
    let running = crashed(&[LOADED, &segment()]);
    let rows = vec![
        ("(due now)", at(0, "2026-11-22T17:59:58Z", "")),
        ("(in about 8s)", at(1, "2026-11-22T17:59:58Z", "")),
        ("(in about 18s)", at(2, "2026-11-22T17:59:58Z", "")),
        ("(in about 2m38s)", at(5, "2026-11-22T17:59:58Z", "")),
        ("(in about 4m58s)", at(6, "2026-11-22T17:59:58Z", "")),
        ("(in about 4m58s)", at(600, "2026-11-22T17:59:58Z", "")),
        ("(due now)", at(6, "2026-11-22T17:50:00Z", "")),
        // A node whose kubelet was told another most.
        (
            "(in about 38s)",
            at(
                9,
                "2026-11-22T17:59:58Z",
                "back-off 40s restarting failed container=prometheus pod=p-0",
            ),
        ),
        (
            "(in about 1m18s)",
            at(
                9,
                "2026-11-22T17:59:58Z",
                "back-off 1m20s restarting failed container=prometheus pod=p-0",
            ),
        ),
        ("its start, which is under way, ", running.running("2026-11-22T17:59:50Z", LOADED)),
    ];
    for (wanted, world) in rows {
        assert!(says(&world).contains(wanted), "wanted {wanted}, got {}", says(&world));
    }
}

#[test]
fn it_is_said_where_nothing_can_be_held() {
    let danger = crashed(&[LOADED, &segment()]).danger().expect("a danger");
    assert!(danger.can_hold && !danger.serves);
    let without = [
        ("/spec/volumes", json!([{"name": "data", "emptyDir": {}}])),
        ("/spec/containers/0/volumeMounts", json!([])),
    ];
    for (pointer, value) in without {
        let world = crashed(&[LOADED, &segment()]).set(pointer, value);
        let danger = world.danger().expect("a danger");
        assert!(!danger.can_hold);
        assert!(danger.says.contains("copy it from the node"), "{}", danger.says);
    }
    let bare = healthy().crashed(1, "Error", &log(&[LOADED, &segment()]));
    assert!(!bare.danger().expect("a danger").can_hold);
}

#[test]
fn the_most_urgent_of_two_is_told_and_the_other_named() {
    let world = owned(healthy()).log(false, &failing("00000005")).replica("p-1");
    let lost = log(&[LOADED, &segment()]);
    let mut world = world.crashed(1, "Error", &lost);
    world.subject.pods.swap(0, 1);
    let world = world.log(false, &failing("00000005"));
    let danger = world.danger().expect("a danger");
    assert_eq!(danger.pod.name, "p-0");
    assert!(danger.says.ends_with("; pod/p-1 is in the same danger"), "{}", danger.says);
}

#[test]
fn logs_of_two_that_serve_are_read_and_no_more() {
    let logs = |world: &World| {
        let is_log = |need: &&Need| matches!(need, Need::Log { .. });
        world.needs().iter().filter(is_log).cloned().collect::<Vec<_>>()
    };
    let now = |pod: usize, world: &World| {
        Need::log(&world.subject.pods[pod], &world.subject.container, false)
    };
    let world = healthy().replica("p-1").replica("p-2");
    assert_eq!(logs(&world), [now(0, &world), now(1, &world)]);
    assert!(world.needs().len() <= 6, "{:?}", world.needs());
    // Beside one that is down: what a repair would restart is looked at too.
    let mut world = healthy().replica("p-1").crashed(1, "Error", "");
    world.seen.facts.clear();
    assert_eq!(logs(&world), [now(0, &world), now(1, &world)]);
    assert!(world.needs().contains(&Need::list(Kind::Event, "mon")));
    // That it may not be read is said, and no more.
    let world = healthy().unreadable_log(false);
    let (root, told, unknown) = world.diagnose();
    assert_eq!((root, told), (None, vec![]));
    assert_eq!(unknown.iter().map(|u| u.vital).collect::<Vec<_>>(), [false]);
    let mut world = healthy();
    world.seen.facts.insert(now(0, &world), Fact::Absent);
    assert_eq!(world.diagnose().2, []);
}
