//! What a look inside saw of the files, which no log tells of.

use super::*;

/// Killed for memory before it came to the damage: no log tells of it, but the files were looked at.
#[test]
fn what_a_look_inside_saw_is_a_danger_too() {
    let killed = || owned(healthy()).crashed(137, "OOMKilled", &log(&[STARTING, LOADED]));
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data-p-0");
    let seen = |start: serde_json::Value, by_prometheus: u64| {
        let kept = json!({"prometheus": {"records": by_prometheus}, "fragment": {"records": 9}});
        let mut world = killed();
        let survey = json!({"judged": {"nextStart": start, "kept": kept}});
        world.seen.inside.surveys.insert(claim.clone(), survey);
        world
    };
    let counted = |report: serde_json::Value| {
        let mut world = killed();
        world.seen.inside.inventories.insert(claim.clone(), report);
        world
    };
    let cut = |log: &str| json!({"does": "repairs", "log": log, "number": 2, "deletes": [3, 4]});
    let of = |mut world: World, minor: u32| {
        world.subject.version = Some(Version::new(2, minor, 0));
        world
    };
    let lost = |deletes| json!({"does": "destroysLog", "checkpoint": 7, "deletes": deletes});
    let behind = " an inventory met in it, and delete what comes after it; wal --inspect tells what \
                  that is";
    let next = "its next start (in about 4m00s)";
    let rows = [
        ("deletes WAL segments 3-4 and the rest of 2".to_owned(), seen(cut("wal"), 5)),
        (
            "deletes every WAL segment after 2, though it is the out-of-order log (wbl) that is damaged".to_owned(),
            of(seen(cut("wbl"), 5), 47),
        ),
        (
            "deletes what can still be read of the out-of-order log (wbl) behind the damage in 2".to_owned(),
            of(seen(cut("wbl"), 5), 48),
        ),
        (
            "deletes every WAL segment after 2, though it is the out-of-order log (wbl) that is damaged".to_owned(),
            // Only the torn end of it is lost to the other releases.
            of(seen(cut("wbl"), 9), 45),
        ),
        ("deletes the WAL segments after the damaged checkpoint 7".to_owned(), seen(lost([8]), 5)),
        (format!("may cut the log at the fault that{behind}"), counted(json!({"faults": 1}))),
        (
            format!("may cut the log at the first of 2 faults that{behind}"),
            counted(json!({"faults": 3, "tornEnd": true})),
        ),
    ];
    let rows: Vec<_> = rows.map(|(takes, world)| (format!("{next} {takes}"), world)).into();
    check(rows.iter().map(|(wanted, world)| (wanted.as_str(), clone(world))).collect());
    let none = [
        killed(),
        // Nothing that is whole comes behind a torn end.
        seen(cut("wal"), 9),
        seen(json!({"does": "starts"}), 9),
        seen(json!({"does": "fails", "why": {"because": "notSequential", "log": "wal"}}), 0),
        counted(json!({"faults": 1, "tornEnd": true})),
        counted(json!({"faults": 0})),
        // It has got past it since.
        seen(cut("wal"), 5).recovered(READY),
    ];
    check(none.into_iter().map(|world| ("none", world)).collect());
}

/// Snapshots are deleted before the log is read, whatever becomes of that.
#[test]
fn a_snapshot_that_a_start_deletes_is_a_danger() {
    let of = |minor: u32, feature: &str, ahead: bool| {
        let mut world = owned(healthy()).crashed(137, "OOMKilled", &log(&[STARTING, LOADED]));
        let claim = ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data-p-0");
        let deleted = json!([{"name": "chunk_snapshot.000009.0000000000", "ahead": ahead}]);
        let judged = json!({"nextStart": {"does": "fails"}, "deletesSnapshots": deleted});
        world.seen.inside.surveys.insert(claim, json!({"judged": judged}));
        world.subject.version = Some(Version::new(2, minor, 0));
        world.flag("enable-feature", feature)
    };
    let agent = |mut world: World| {
        world.subject.agent = true;
        world
    };
    let snapshots = "exemplar-storage,memory-snapshot-on-shutdown";
    let takes = "its next start (in about 4m00s) deletes a snapshot of the head (chunk_snapshot) \
                 that may hold what the log does not: it is for a segment behind the last";
    check(vec![
        (takes, of(43, snapshots, true)),
        // Nothing is lost with it, or it is not read, or loaded.
        ("none", of(43, snapshots, false)),
        ("none", of(43, "exemplar-storage", true)),
        ("none", of(43, "exemplar-storage, memory-snapshot-on-shutdown", true)),
        ("none", of(42, snapshots, true)),
        ("none", agent(of(43, snapshots, true))),
    ]);
}
