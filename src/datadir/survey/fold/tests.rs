//! A whole directory first, then one thing broken in it at a time.

mod refs;

use std::path::PathBuf;

use super::{DeletedSnapshot, Judged, LogName, Losses, NextStart, Problem, Refusal, judge};
use crate::datadir::survey::{
    BlockSurvey, Checkpoint, ChunkFile, Contents, FileFault, Lock, SegmentFile, SnapshotSurvey,
    UnfinishedRepair,
};
use crate::walfile::block::BlockFault;
use crate::walfile::count::{Kept, RefRange};
use crate::walfile::fault::{Fault, FaultKind};
use crate::walfile::head_chunks::{ChunkFault, HeadChunks};
use crate::walfile::record::RecordType;
use crate::walfile::segment::{Policies, Segment};

const EACH: Kept = Kept { records: 10, series: 2, samples: 100 };

fn times(kept: Kept, times: u64) -> Kept {
    let Kept { records, series, samples } = kept;
    Kept { records: records * times, series: series * times, samples: samples * times }
}

fn file(folder: &str, number: u64) -> SegmentFile {
    let kept = Policies { prometheus: EACH, page: EACH, fragment: EACH };
    let mut found = Segment { size: 32_768, kept, highest: Some(number + 7), ..Segment::default() };
    found.counts.by_type.entry(RecordType::Series).or_default().records = 1;
    let path = PathBuf::from(format!("{folder}/{number:08}"));
    SegmentFile { number, path, closed: None, found }
}

/// A checkpoint of 3, segments 3 to 7 of which 3 is left over, a wbl, chunks.
fn healthy() -> Contents {
    Contents {
        checkpoints: vec![Checkpoint {
            number: 3,
            path: "wal/checkpoint.00000003".into(),
            files: vec![file("wal/checkpoint.00000003", 0)],
        }],
        segments: (3..8).map(|number| file("wal", number)).collect(),
        wbl: vec![file("wbl", 0)],
        chunks_head: (1..4)
            .map(|number| ChunkFile {
                number,
                path: format!("chunks_head/{number:06}").into(),
                size: 8,
                found: HeadChunks {
                    refs: Some(RefRange { first: 1, last: 40 + number }),
                    highest_taken: Some(40 + number),
                    ..HeadChunks::default()
                },
            })
            .collect(),
        ..Contents::default()
    }
}

/// Ten samples are lost by fragments, fifty by pages, eighty by Prometheus.
fn damage(file: &mut SegmentFile) {
    let kept = |samples| Kept { records: samples / 10, series: 0, samples };
    file.found.kept = Policies { prometheus: kept(20), page: kept(50), fragment: kept(90) };
    file.found.fault_count = 1;
    file.found.stops = Some(4321);
    let (kind, offset) = (FaultKind::Checksum, 4321);
    file.found.faults = vec![Fault::new(kind, offset, 500)];
}

fn judged(change: impl FnOnce(&mut Contents)) -> Judged {
    let mut contents = healthy();
    change(&mut contents);
    judge(&contents)
}

fn not_sequential(log: LogName) -> NextStart {
    NextStart::Fails { why: Refusal::NotSequential { log } }
}

#[test]
fn a_whole_directory_has_no_problem() {
    let expected = Judged {
        problems: Vec::new(),
        next_start: NextStart::Starts,
        // The checkpoint, four segments, the wbl: not segment 3.
        kept: Policies {
            prometheus: times(EACH, 6),
            page: times(EACH, 6),
            fragment: times(EACH, 6),
        },
        ignored: vec![3],
        crashed_starts: 0,
        highest_ref: Some(43),
        deletes_snapshots: Vec::new(),
    };
    assert_eq!(judged(|_| {}), expected);
}

#[test]
fn a_snapshot_is_deleted_where_the_log_ends_before_it_with_the_segment_that_a_start_makes() {
    let of = |segment: u64| {
        let found = judged(|c| c.snapshots = vec![snapshot(segment)]);
        assert_eq!(found.next_start, NextStart::Starts);
        (found.problems.len(), found.deletes_snapshots)
    };
    assert_eq!(of(7), (0, vec![]));
    assert_eq!(of(8), (1, vec![]));
    let name = "chunk_snapshot.000009.0000000000".to_owned();
    assert_eq!(of(9), (1, vec![DeletedSnapshot { name, ahead: true }]));
}

fn snapshot(segment: u64) -> SnapshotSurvey {
    let path = format!("chunk_snapshot.{segment:06}.0000000000").into();
    SnapshotSurvey { path, segment, size: 9, ..SnapshotSurvey::default() }
}

#[test]
fn all_snapshots_go_with_one_and_what_may_be_nowhere_else_is_marked() {
    let of = |change: &dyn Fn(&mut Contents)| {
        let found = judged(|c| {
            c.snapshots = vec![snapshot(5), snapshot(9)];
            change(c);
        });
        found.deletes_snapshots.iter().map(|one| one.ahead).collect::<Vec<_>>()
    };
    assert_eq!(of(&|_| {}), [false, true]);
    assert_eq!(of(&|c| c.snapshots[1].fault_count = 1), [false, false]);
    assert_eq!(of(&|c| c.snapshots[1].size = 0), [false, false]);
    assert_eq!(of(&|c| c.checkpoints[0].number = 12), [false, false]);
    // The log is read, and cut, after snapshots were looked at.
    assert_eq!(of(&|c| damage(&mut c.segments[2])), [false, true]);
    assert_eq!(of(&|c| damage(&mut c.checkpoints[0].files[0])), [false, true]);
    assert_eq!(of(&|c| c.checkpoints.clear()), [false, true], "it looks for segment 0");
    // It ends before.
    assert_eq!(of(&|c| c.lock = Lock::Held { pid: None }), [false; 0]);
    assert_eq!(of(&|c| drop(c.segments.remove(2))), [false; 0]);
    let magic = Some(ChunkFault::Magic);
    assert_eq!(of(&|c| c.chunks_head[0].found.fault = magic), [false; 0]);
}

#[test]
fn a_damaged_segment_is_cut_and_all_later_ones_are_deleted() {
    let found = judged(|c| damage(&mut c.segments[2]));
    let lost = Losses {
        prometheus: Kept { records: 7, series: 0, samples: 70 },
        page: Kept { records: 4, series: 0, samples: 40 },
        unreadable_bytes: 500,
    };
    let problem = Problem::Damaged { log: LogName::Wal, number: 5, faults: 1, lost };
    assert_eq!(found.problems, [problem]);
    let (log, number, offset, deletes) = (LogName::Wal, 5, 4321, vec![6, 7]);
    assert_eq!(found.next_start, NextStart::Repairs { log, number, offset, deletes });
    // Checkpoint, segment 4, the wbl, and what stands before the fault.
    assert_eq!(found.kept.prometheus.samples, 300 + 20);
    assert_eq!((found.kept.page.samples, found.kept.fragment.samples), (550, 590));
}

#[test]
fn a_fault_that_prometheus_does_not_see_is_none_to_it() {
    let found = judged(|c| {
        damage(&mut c.segments[2]);
        c.segments[2].found.stops = None;
    });
    assert_eq!((found.problems.len(), found.next_start), (1, NextStart::Starts));
    assert_eq!(found.kept.prometheus.samples, 500 + 20);
}

#[test]
fn a_segment_that_the_checkpoint_replaces_may_be_damaged() {
    let found = judged(|c| damage(&mut c.segments[0]));
    assert_eq!(found.problems.len(), 1);
    assert_eq!(found.next_start, NextStart::Starts);
    assert_eq!(found.kept.prometheus.samples, 600);
}

#[test]
fn a_damaged_checkpoint_costs_the_log() {
    let found = judged(|c| damage(&mut c.checkpoints[0].files[0]));
    let deletes = vec![3, 4, 5, 6, 7];
    assert_eq!(found.next_start, NextStart::DestroysLog { checkpoint: 3, deletes, comes_up_at: 2 });
    assert_eq!(found.kept.prometheus.samples, 20);
    assert_eq!(found.kept.fragment.samples, 590);

    // Every start makes a segment, until there is one to be cut in the checkpoint's stead.
    let in_second_file = |first: u64| {
        let found = judged(|c| {
            c.segments = (first..8).map(|number| file("wal", number)).collect();
            c.checkpoints[0].files.push(file("wal/checkpoint.00000003", 1));
            damage(&mut c.checkpoints[0].files[1]);
        });
        assert_eq!(found.kept.prometheus.samples, 120);
        match found.next_start {
            NextStart::DestroysLog { deletes, comes_up_at, .. } => (deletes[0], comes_up_at),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([3, 1, 0].map(in_second_file), [(3, 3), (2, 1), (2, 1)]);
}

#[test]
fn an_older_checkpoint_is_not_read() {
    let found = judged(|c| {
        let mut older = Checkpoint { number: 1, path: "c".into(), files: vec![file("c", 0)] };
        damage(&mut older.files[0]);
        c.checkpoints.insert(0, older);
    });
    assert_eq!((found.problems.len(), found.next_start), (0, NextStart::Starts));
    assert_eq!(found.kept.prometheus.samples, 600);
}

#[test]
fn numbers_that_are_missing_or_there_twice_stop_it() {
    let found = judged(|c| drop(c.segments.remove(2)));
    assert_eq!(found.problems, [Problem::Gap { log: LogName::Wal, after: 4, next: 6 }]);
    assert_eq!(found.next_start, not_sequential(LogName::Wal));
    assert_eq!((found.kept.prometheus.samples, found.kept.fragment.samples), (0, 500));

    let found = judged(|c| {
        let mut twin = file("wal", 5);
        twin.path = "wal/5".into();
        c.segments.insert(3, twin);
    });
    let names = vec!["00000005".to_owned(), "5".to_owned()];
    assert_eq!(found.problems, [Problem::Duplicate { log: LogName::Wal, number: 5, names }]);
    assert_eq!(found.next_start, not_sequential(LogName::Wal));

    let found = judged(|c| drop(c.chunks_head.remove(1)));
    assert_eq!(found.next_start, not_sequential(LogName::ChunksHead));
    let found = judged(|c| c.wbl.push(file("wbl", 2)));
    assert_eq!(found.next_start, not_sequential(LogName::Wbl));
    let found = judged(|c| c.checkpoints[0].files.push(file("c", 2)));
    assert_eq!(found.next_start, not_sequential(LogName::Checkpoint(3)));
}

#[test]
fn a_lost_checkpoint_stops_it() {
    let found = judged(|c| c.checkpoints.clear());
    assert_eq!(found.problems, [Problem::CheckpointLost { first: 3 }]);
    let missing = |number| NextStart::Fails { why: Refusal::SegmentMissing { number } };
    assert_eq!(found.next_start, missing(0));

    let found = judged(|c| drop(c.segments.drain(..3)));
    assert_eq!(found.problems, [Problem::GapAfterCheckpoint { checkpoint: 3, first: 6 }]);
    assert_eq!(found.next_start, missing(4));

    // The next one is above the checkpoint, and read.
    let found = judged(|c| c.segments.truncate(1));
    assert_eq!((found.problems, found.next_start), (Vec::new(), NextStart::Starts));
    assert_eq!(found.kept.fragment.samples, 200);
}

/// A start on a damaged checkpoint deletes the segments, and the next begins at 0 again.
#[test]
fn segments_that_the_checkpoint_stands_for_are_told() {
    let restart = |last, samples| Problem::NumbersRestart { checkpoint: 3, last, samples };
    let found = judged(|c| c.segments = vec![file("wal", 0), file("wal", 1)]);
    assert_eq!(found.problems, [restart(Some(1), 200)]);
    // It starts, and keeps the checkpoint and the wbl.
    assert_eq!((found.next_start, found.kept.fragment.samples), (NextStart::Starts, 200));
    let found = judged(|c| c.segments.clear());
    assert_eq!(found.problems, [restart(None, 0)]);
}

#[test]
fn a_segment_under_another_name_is_not_found() {
    let found = judged(|c| c.segments[2].path = "wal/5".into());
    let (log, number) = (LogName::Wal, 5);
    assert_eq!(found.problems, [Problem::OddName { log, number, name: "5".into() }]);
    assert_eq!(found.next_start, NextStart::Fails { why: Refusal::OddName { log, number } });
    // What stands before it is met first.
    let found = judged(|c| {
        c.segments[2].path = "wal/5".into();
        damage(&mut c.segments[1]);
    });
    assert!(matches!(found.next_start, NextStart::Repairs { number: 4, .. }), "{found:?}");
    // No start opens the one that the checkpoint stands for.
    let found = judged(|c| c.segments[0].path = "wal/3".into());
    assert_eq!((found.problems.len(), found.next_start), (1, NextStart::Starts));
}

#[test]
fn a_file_named_as_a_checkpoint_stops_it() {
    let found = judged(|c| c.odd.push("wal/checkpoint.old".into()));
    let name = "checkpoint.old".to_owned();
    assert_eq!(found.problems, [Problem::NotAFolder { name: name.clone() }]);
    assert_eq!(found.next_start, NextStart::Fails { why: Refusal::NotAFolder { name } });
}

#[test]
fn what_a_repair_left_counts_as_what_a_salvage_keeps() {
    let left = |number: u64, stands: bool| {
        let mut file = file("wal", number);
        file.found.kept.fragment.samples = 700;
        UnfinishedRepair { file, stands }
    };
    let found = judged(|c| c.repairs.push(left(7, true)));
    assert_eq!(found.problems, [Problem::RepairUnfinished { number: 7, samples: 700 }]);
    // In the place of one of the six files of a hundred.
    assert_eq!((found.kept.prometheus.samples, found.kept.fragment.samples), (600, 1200));
    let found = judged(|c| c.repairs.push(left(7, false)));
    assert_eq!((found.problems, found.kept.fragment.samples), (Vec::new(), 600));
}

#[test]
fn a_file_that_cannot_be_opened_is_no_fault_of_the_log() {
    let why = "permission denied".to_owned();
    let found = judged(|c| c.segments[2].closed = Some(why.clone()));
    let (log, number) = (LogName::Wal, 5);
    assert_eq!(found.problems, [Problem::Closed { log, number, why: why.clone() }]);
    assert_eq!(found.next_start, NextStart::Fails { why: Refusal::Closed { log, number, why } });
}

#[test]
fn starts_that_ended_early_are_counted_by_what_they_left() {
    let empty = |number| SegmentFile { found: Segment::default(), ..file("wal", number) };
    let found = judged(|c| c.segments.extend([empty(8), empty(9), empty(10)]));
    assert_eq!((found.crashed_starts, found.problems.len()), (3, 0));
    let found = judged(|c| c.segments[2] = empty(5));
    assert_eq!(found.crashed_starts, 0, "in the middle");
}

#[test]
fn what_a_running_prometheus_is_writing_is_no_fault() {
    let torn = |c: &mut Contents| {
        damage(&mut c.segments[4]);
        let (kind, offset) = (FaultKind::TornRecord, 30_000);
        c.segments[4].found.faults = vec![Fault::new(kind, offset, 2768)];
    };
    let held = Lock::Held { pid: Some(7) };
    assert_eq!(judged(torn).problems.len(), 1);
    let found = judged(|c| {
        torn(c);
        c.lock = held.clone();
    });
    assert_eq!(found.problems, []);
    assert_eq!(found.next_start, NextStart::Fails { why: Refusal::Locked { pid: Some(7) } });
    // Not at its end.
    let found = judged(|c| {
        damage(&mut c.segments[4]);
        c.lock = held;
    });
    assert_eq!(found.problems.len(), 1);
}

#[test]
fn a_damaged_wbl_is_cut_by_itself() {
    let found = judged(|c| damage(&mut c.wbl[0]));
    let (log, number, offset, deletes) = (LogName::Wbl, 0, 4321, Vec::new());
    assert_eq!(found.next_start, NextStart::Repairs { log, number, offset, deletes });
    assert_eq!(found.kept.prometheus.samples, 520);
}

#[test]
fn chunks_of_the_head_stop_it_by_their_header_only() {
    let broken = |at: usize, fault| judged(move |c| c.chunks_head[at].found.fault = Some(fault));
    let found = broken(1, ChunkFault::Checksum);
    let (number, fault, offset) = (2, ChunkFault::Checksum, 0);
    assert_eq!(found.problems, [Problem::HeadChunks { number, fault, offset }]);
    assert_eq!(found.next_start, NextStart::Starts);
    let stops = |number, fault| NextStart::Fails { why: Refusal::HeadChunks { number, fault } };
    for fault in [ChunkFault::Magic, ChunkFault::Empty, ChunkFault::Version, ChunkFault::Io] {
        assert_eq!(broken(1, fault).next_start, stops(2, fault));
    }
    // The last one, made and never written, goes in silence.
    for fault in [ChunkFault::Empty, ChunkFault::Unwritten] {
        let found = broken(2, fault);
        assert_eq!((found.problems, found.next_start), (Vec::new(), NextStart::Starts));
    }
    assert_eq!(broken(2, ChunkFault::Magic).next_start, stops(3, ChunkFault::Magic));
}

#[test]
fn a_block_stops_it_unless_it_is_passed_over() {
    let fault = FileFault { file: "index".to_owned(), fault: BlockFault::Magic };
    let block = BlockSurvey {
        ulid: "01BX5ZZKBKACTAV9WEVGEMMVRZ".to_owned(),
        faults: vec![fault],
        ..BlockSurvey::default()
    };
    let found = judged(|c| c.blocks.push(block.clone()));
    let (ulid, file) = (block.ulid.clone(), "index".to_owned());
    let why = Refusal::Block { ulid, file, fault: BlockFault::Magic };
    assert_eq!(found.next_start, NextStart::Fails { why });
    for passed in [
        BlockSurvey { unread: Some(BlockFault::Json), ..block.clone() },
        BlockSurvey { replaced: true, ..block },
    ] {
        let found = judged(|c| c.blocks.push(passed));
        assert_eq!(found.next_start, NextStart::Starts);
        assert!(!found.problems.is_empty());
    }
}
