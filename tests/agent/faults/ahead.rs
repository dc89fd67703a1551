//! A log that ends before the snapshot of its head: a salvage makes it reach there, step by step, and is
//! killed, or its disk fills or fails, between any two of them.

use std::fs;
use std::path::Path;

use super::{Expected, but_for_the_lock, copy, same, was_killed};
use crate::directory::{
    agent, chunks, everything, folder, json, log, put, run, samples, series, timeless,
};
use crate::gaps::Between;

/// Of a server that is stopped cleanly once its log has reached this segment.
fn snapshot(root: &Path, segment: u64) {
    let record = |reference: u64| {
        let mut record = vec![1];
        record.extend(reference.to_be_bytes());
        record.extend([1, 8]);
        record.extend(b"__name__");
        record.push(2);
        record.extend(b"up");
        record.extend(1000_u64.to_be_bytes());
        // A chunk follows, from the first to the last of these times.
        record.push(1);
        record.extend(0_u64.to_be_bytes());
        record.extend(400_000_u64.to_be_bytes());
        record
    };
    let records: Vec<Vec<u8>> = (1..80).map(record).collect();
    put(root, &format!("chunk_snapshot.{segment:06}.0000032768/00000000"), &log(&records));
}

fn head(root: &Path) {
    put(root, "chunks_head/000001", &chunks(1..50, 0));
    put(root, "queries.active", b"[]");
}

fn segments(root: &Path) {
    for number in 0..4_u64 {
        let time = i64::try_from(number).expect("small") * 40_000;
        let records = [series(number * 10 + 1..number * 10 + 11), samples(1..11, time)];
        put(root, &format!("wal/{number:08}"), &log(&records));
    }
    head(root);
}

/// Its last segments are gone, and one is damaged.
fn short(root: &Path) {
    segments(root);
    crate::directory::flip(root, "wal/00000002", 300);
    snapshot(root, 7);
}

/// The one it stands in is there, and damaged.
fn at_its_segment(root: &Path) {
    segments(root);
    crate::directory::flip(root, "wal/00000003", 300);
    snapshot(root, 3);
}

/// There is none, and its numbers were high.
fn none(root: &Path) {
    head(root);
    snapshot(root, 1500);
}

/// Only the folder is left.
fn empty(root: &Path) {
    head(root);
    fs::create_dir(root.join("wal")).expect("a folder");
    snapshot(root, 2);
}

const DAMAGES: [fn(&Path); 4] = [short, at_its_segment, none, empty];

/// System calls that a salvage makes of it.
fn calls(damage: fn(&Path)) -> u64 {
    let lives = |at: &u64| {
        let folder = folder();
        damage(folder.path());
        !was_killed(&agent(&format!("abort:{at}"), &["salvage"], folder.path()))
    };
    let calls = (1..).find(lives).expect("it ends");
    assert!(calls > 20, "{calls}");
    calls
}

#[test]
fn a_log_that_is_made_to_reach_its_snapshot_is_finished_or_put_back_from_anywhere() {
    for damage in DAMAGES {
        let expected = Expected::of(damage);
        let between = Between::of(&["salvage"], damage);
        let calls = calls(damage);
        for (fault, also) in [("abort", ""), ("abort", ",noexchange"), ("enospc", "+"), ("eio", "")]
        {
            for at in 1..=calls {
                let folder = folder();
                let root = folder.path();
                damage(root);
                let why = format!("{fault}:{at}{also}");
                let output = agent(&why, &["salvage"], root);
                if also != ",noexchange" {
                    between.check(root, &why);
                }
                if output.status.code() == Some(0) {
                    // What is of no weight is not told: the file of the lock.
                    let after = but_for_the_lock(timeless(everything(root)), false);
                    same(&after, &expected.after, &why);
                    continue;
                }
                expected.can_be_put_back(copy(root).path(), &why);
                expected.can_be_finished(root, &why);
            }
        }
    }
}

/// What it ends in: whole, and as far as the snapshot.
#[test]
fn a_log_that_was_made_to_reach_its_snapshot_is_whole() {
    for damage in DAMAGES {
        let folder = folder();
        let root = folder.path();
        damage(root);
        run(&["survey"], root, 2);
        run(&["salvage"], root, 0);
        let told = json(&run(&["survey", "--json"], root, 0));
        assert_eq!(told["snapshots"].as_array().map(Vec::len), Some(1), "{told}");
        let names = everything(root);
        let at = told["snapshots"][0]["segment"].as_u64().expect("a number");
        assert!(names.contains_key(Path::new(&format!("wal/{at:08}"))), "{at}");
    }
}
