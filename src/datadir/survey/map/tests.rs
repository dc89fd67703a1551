//! What each kind of file becomes in the map.

use super::of;
use crate::datadir::survey::fold::judge;
use crate::datadir::survey::{Checkpoint, Contents, Lock, SegmentFile, UnfinishedRepair};
use crate::walfile::count::Kept;
use crate::walfile::fault::{Fault, FaultKind};
use crate::walfile::map::{Losses, Map, Row};
use crate::walfile::segment::{Policies, Segment};

const EACH: Kept = Kept { records: 1, series: 0, samples: 100 };

fn file(number: u64) -> SegmentFile {
    let kept = Policies { prometheus: EACH, page: EACH, fragment: EACH };
    let found = Segment { size: 10, kept, ..Segment::default() };
    SegmentFile { number, path: format!("wal/{number:08}").into(), closed: None, found }
}

/// A checkpoint of 3, segments 3 to 1003, of which the first is left over.
fn healthy() -> Contents {
    let files = vec![file(0), file(1)];
    Contents {
        checkpoints: vec![Checkpoint { number: 3, files, ..Checkpoint::default() }],
        segments: (3..1004).map(file).collect(),
        wbl: vec![file(0)],
        ..Contents::default()
    }
}

fn damage(file: &mut SegmentFile) {
    let kept = |samples| Kept { samples, ..EACH };
    file.found.kept = Policies { prometheus: kept(20), page: kept(50), fragment: kept(90) };
    (file.found.fault_count, file.found.stops) = (1, Some(7));
    file.found.faults = vec![Fault::new(FaultKind::TornRecord, 7, 3)];
}

fn map(change: impl FnOnce(&mut Contents)) -> Map {
    let mut contents = healthy();
    change(&mut contents);
    of(&contents, &judge(&contents))
}

/// Each row as `log first-last state fate samples`.
fn told(map: &Map) -> Vec<String> {
    let one = |row: &Row| {
        let Row { log, first, last, state, fate, holds, .. } = row;
        format!("{log:?} {first}-{last} {state:?} {fate:?} {}", holds.samples)
    };
    map.rows.iter().map(one).collect()
}

#[test]
fn a_thousand_whole_segments_are_one_row() {
    let expected = [
        "Checkpoint(3) 0-1 Whole Read 200",
        "Wal 3-3 Whole Replaced 100",
        "Wal 4-1003 Whole Read 100000",
        "Wbl 0-0 Whole Read 100",
    ];
    let map = map(|_| {});
    assert_eq!(told(&map), expected);
    assert!(map.starts && map.left_out == 0 && map.rows[2].bytes == 10_000);
}

#[test]
fn a_damaged_segment_stands_alone_with_what_it_costs() {
    let map = map(|c| damage(&mut c.segments[500]));
    let expected = [
        "Wal 4-502 Whole Read 49900",
        "Wal 503-503 Damaged Read 90",
        "Wal 504-1003 Whole Deleted 50000",
    ];
    assert_eq!(told(&map)[2..5], expected);
    let lost = |samples| Kept { samples, ..Kept::default() };
    let costs = Losses { prometheus: lost(70), page: lost(40), unreadable_bytes: 3 };
    assert_eq!(map.rows[3].costs, Some(costs));
    assert_eq!(map.rows[3].fault.as_ref().map(|fault| fault.offset), Some(7));
}

#[test]
fn a_damaged_checkpoint_costs_every_segment() {
    let map = map(|c| damage(&mut c.checkpoints[0].files[1]));
    let expected = [
        "Checkpoint(3) 0-0 Whole Read 100",
        "Checkpoint(3) 1-1 Damaged Read 90",
        "Wal 3-1003 Whole Deleted 100100",
        "Wbl 0-0 Whole Read 100",
    ];
    assert_eq!(told(&map), expected);
}

#[test]
fn what_is_missing_empty_or_closed_has_a_row() {
    let map = map(|c| {
        c.segments.drain(6..1001);
        c.segments[0].found = Segment::default();
        c.segments[5].closed = Some("permission denied".to_owned());
        c.segments.push(file(12));
        c.segments.extend([13, 14].map(|number| SegmentFile { number, ..SegmentFile::default() }));
        let stands = |number| UnfinishedRepair { file: file(number), stands: true };
        c.repairs = vec![stands(10)];
    });
    let expected = [
        "Wal 3-3 Empty Replaced 0",
        "Wal 4-7 Whole Read 400",
        "Wal 8-8 Closed Read 100",
        "Wal 9-9 Missing Read 0",
        "Wal 10-10 Unfinished Read 100",
        "Wal 11-11 Missing Read 0",
        "Wal 12-12 Whole Read 100",
        "Wal 13-14 Empty Read 0",
    ];
    assert_eq!(told(&map)[1..9], expected);
    assert!(!map.starts);
}

#[test]
fn what_a_running_server_writes_is_not_called_damaged() {
    let torn = |c: &mut Contents| {
        damage(c.segments.last_mut().expect("segments"));
        c.lock = Lock::Held { pid: None };
    };
    assert_eq!(told(&map(torn))[2], "Wal 4-1003 Whole Read 99990");
}

#[test]
fn where_every_segment_is_odd_the_map_stays_small() {
    let map = map(|c| {
        for file in c.segments.iter_mut().step_by(2) {
            *file = SegmentFile { number: file.number, ..SegmentFile::default() };
        }
    });
    assert_eq!(map.rows.len(), 200);
    assert_eq!(map.left_out, 2 + 1001 + 1 - 201);
}

#[test]
fn a_number_as_large_as_a_name_can_be_is_one_row() {
    let map = map(|c| c.segments.push(file(u64::MAX)));
    let missing = format!("Wal 1004-{} Missing Read 0", u64::MAX - 1);
    assert!(told(&map).contains(&missing), "{:?}", told(&map));
}
