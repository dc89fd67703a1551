//! Which files of a log a start needs, as a table: what is there, and what is done about it.

use super::*;
use crate::datadir::survey::fold::{Problem, judge};
use crate::datadir::survey::{
    BlockSurvey, Checkpoint, Contents, FileFault, SegmentFile, SnapshotSurvey, UnfinishedRepair,
};
use crate::walfile::block::BlockFault;
use crate::walfile::head_chunks::{ChunkFault, HeadChunks};

/// The same as a survey has it.
fn contents(seen: &Seen) -> Contents {
    let file = |file: &LogFile| SegmentFile {
        number: file.number,
        path: file.path.clone().into(),
        closed: None,
        found: file.found.clone(),
    };
    let files = |log: &Log| log.files.iter().map(file).collect::<Vec<_>>();
    let records = || seen.wal.files.iter().map(|file| (file.number, file.found.counts.records));
    let begin = seen.checkpoints.last().and_then(|last| last.number).map_or(0, |last| last + 1);
    let repair = |old: &Repair| {
        let number = old.file.number;
        let stands = number >= begin && unfinished::stands(number, old.goes_on, records());
        UnfinishedRepair { file: file(&old.file), stands }
    };
    let chunks = |file: &Chunks| crate::datadir::survey::ChunkFile {
        number: file.number,
        path: file.path.clone().into(),
        size: file.size,
        found: file.found.clone(),
    };
    let snapshot = |old: &Snapshot| SnapshotSurvey {
        path: old.path.clone().into(),
        segment: old.segment,
        size: 1,
        fault_count: u64::from(!old.healthy),
        ..SnapshotSurvey::default()
    };
    let block = |ulid: &String| BlockSurvey {
        ulid: ulid.clone(),
        faults: vec![FileFault { file: "index".into(), fault: BlockFault::Magic }],
        ..BlockSurvey::default()
    };
    let checkpoint = |log: &Log| Checkpoint {
        number: log.number.unwrap(),
        path: log.path.clone().into(),
        files: files(log),
    };
    Contents {
        segments: files(&seen.wal),
        repairs: seen.repairs.iter().map(repair).collect(),
        checkpoints: seen.checkpoints.iter().map(checkpoint).collect(),
        odd: seen.odd.iter().map(Into::into).collect(),
        wbl: files(&seen.wbl),
        chunks_head: seen.chunks.iter().map(chunks).collect(),
        snapshots: seen.snapshots.iter().map(snapshot).collect(),
        blocks: seen.bad_blocks.iter().map(block).collect(),
        ..Contents::default()
    }
}

fn file(folder: &str, number: u64, bad: bool) -> LogFile {
    let found = Segment { size: 100, fault_count: u64::from(bad), ..Segment::default() };
    LogFile { number, path: segment(folder, number), found, mended: 90 }
}

fn log(path: &str, numbers: &[u64], bad: &[u64]) -> Log {
    let file = |number: &u64| file(path, *number, bad.contains(number));
    let files = numbers.iter().map(file).collect();
    Log { path: path.to_owned(), number: None, exists: true, files }
}

fn checkpoint(number: u64) -> Log {
    let path = format!("wal/checkpoint.{number:08}");
    Log { number: Some(number), ..log(&path, &[0], &[]) }
}

/// Each step as a word and the name. Whatever is to be done, a survey tells why.
fn told(seen: &Seen) -> (Vec<String>, u64) {
    let plan = plan(seen).unwrap();
    let problems = judge(&contents(seen)).problems;
    assert_eq!(plan.steps.is_empty(), problems.is_empty(), "{:?}, {problems:?}", plan.steps);
    assert!(problems.iter().all(Problem::is_mended), "{problems:?}");
    let word = |step: &Planned| {
        let word = match &step.act {
            Act::Rewrite => "rewrite",
            Act::Copy(_) => "copy",
            Act::Rename(_) => "rename",
            Act::Shorten(_) => "shorten",
            Act::Empty => "empty",
            Act::EmptyFolder => "folder",
            Act::Guard(_) => "guard",
            Act::SetAside => "aside",
        };
        let name = step.path.trim_start_matches("wal/").trim_start_matches("chunks_head/");
        let short = name.trim_start_matches('0');
        format!("{word} {}", if short.is_empty() { "0" } else { short })
    };
    (plan.steps.iter().map(word).collect(), plan.next)
}

#[test]
fn every_number_that_a_start_needs_is_there() {
    type Row<'a> = (&'a str, Option<u64>, &'a [u64], &'a [u64], &'a [&'a str], u64);
    let rows: &[Row<'_>] = &[
        ("nothing", None, &[], &[], &[], 0),
        ("healthy", None, &[0, 1, 2], &[], &[], 3),
        ("healthy, with a checkpoint", Some(4), &[5, 6], &[], &[], 7),
        ("a checkpoint, and its segments not yet gone", Some(4), &[3, 4, 5], &[], &[], 6),
        ("damaged", None, &[0, 1, 2], &[1], &["rewrite 1"], 3),
        ("one missing", None, &[0, 2], &[], &["empty 1"], 3),
        ("several", None, &[0, 3, 5], &[3], &["empty 1", "empty 2", "empty 4", "rewrite 3"], 6),
        ("the first missing", None, &[2, 3], &[], &["empty 0", "empty 1"], 4),
        ("the checkpoint gone", None, &[5000, 5001], &[], &["folder checkpoint.00004999"], 5002),
        (
            "gone, and a gap",
            None,
            &[998, 1002],
            &[],
            &["folder checkpoint.00000997", "empty 999", "empty 1000", "empty 1001"],
            1003,
        ),
        ("the first after it", Some(4), &[6, 7], &[], &["empty 5"], 8),
        // A backup put back over an older log: prometheus/prometheus issue 12407.
        ("two generations", Some(771), &[1, 2, 772, 773], &[], &["aside 1", "aside 2"], 774),
        ("and a gap", Some(5), &[1, 2, 8], &[], &["aside 1", "aside 2", "empty 6", "empty 7"], 9),
        ("damage that is not read", Some(4), &[2, 3, 4, 5], &[3], &["aside 2", "aside 3"], 6),
        ("numbers begin again", Some(9), &[0, 1], &[], &["aside 0", "aside 1", "empty 10"], 11),
        ("only the checkpoint", Some(9), &[], &[], &["empty 10"], 11),
        ("all that is left is behind it", Some(9), &[8, 9], &[], &[], 10),
    ];
    for (name, number, files, bad, steps, next) in rows {
        let checkpoints = number.map(checkpoint).into_iter().collect();
        let seen = Seen { wal: log("wal", files, bad), checkpoints, ..Seen::default() };
        let steps: Vec<String> = steps.iter().map(|step| (*step).to_owned()).collect();
        assert_eq!(told(&seen), (steps, *next), "{name}");
    }
}

#[test]
fn only_the_last_checkpoint_counts() {
    let mut seen = Seen { wal: log("wal", &[5, 6], &[]), ..Seen::default() };
    seen.checkpoints = vec![checkpoint(2), checkpoint(4)];
    for file in &mut seen.checkpoints[0].files {
        file.found.fault_count = 1;
    }
    assert_eq!(told(&seen), (vec![], 7));
    seen.checkpoints.reverse();
    assert_ne!(told(&seen), (vec![], 7));
}

#[test]
fn numbers_too_far_apart_are_not_those_of_one_log() {
    let seen = Seen { wal: log("wal", &[0, 50_000], &[]), ..Seen::default() };
    let refused = plan(&seen).unwrap_err();
    assert_eq!(refused, Refusal::TooManyMissing { folder: "wal".into(), from: 1, to: 49_999 });
}

#[test]
fn of_two_names_for_one_number_the_usual_stays() {
    let odd = LogFile { path: "wal/1".into(), ..file("wal", 1, false) };
    let mut seen = Seen { wal: log("wal", &[0, 1], &[1]), ..Seen::default() };
    seen.wal.files.insert(1, odd);
    assert_eq!(told(&seen).0, ["aside 1", "rewrite 1"]);
    seen.wal.files.remove(2);
    assert_eq!(told(&seen).0, ["rename 1"]);
    seen.wal.files[1].found.fault_count = 1;
    assert_eq!(told(&seen).0, ["copy 1", "aside 1"]);
    // Those of a checkpoint are opened by whatever name they have.
    let mut old = checkpoint(4);
    old.files[0].path = "wal/checkpoint.00000004/0".into();
    let seen = Seen { checkpoints: vec![old], wal: log("wal", &[5], &[]), ..Seen::default() };
    assert_eq!(told(&seen).0, [""; 0]);
}

#[test]
fn what_stops_a_start_beside_the_logs_goes_aside() {
    let snapshot = |healthy| Snapshot {
        path: "s".into(),
        segment: 9,
        offset: 1,
        healthy,
        reach: Reach::default(),
    };
    for (seen, steps) in [
        (
            Seen { odd: vec!["wal/checkpoint.old".into()], ..Seen::default() },
            ["aside checkpoint.old"].as_slice(),
        ),
        (Seen { bad_blocks: vec!["01A".into()], ..Seen::default() }, &["aside 1A"]),
        (Seen { snapshots: vec![snapshot(false)], ..Seen::default() }, &["aside s"]),
        (
            Seen { snapshots: vec![Snapshot { segment: 1, ..snapshot(true) }], ..Seen::default() },
            &["folder wal", "folder checkpoint.00000000", "empty 1"],
        ),
        (
            Seen {
                snapshots: vec![Snapshot { segment: u64::MAX, ..snapshot(true) }],
                ..Seen::default()
            },
            &["aside s"],
        ),
        (
            Seen {
                snapshots: vec![snapshot(true)],
                wal: log("wal", &(0..=7).collect::<Vec<_>>(), &[]),
                ..Seen::default()
            },
            &["empty 8", "empty 9"],
        ),
        (
            Seen {
                snapshots: vec![snapshot(true)],
                wal: log("wal", &(0..=8).collect::<Vec<_>>(), &[]),
                ..Seen::default()
            },
            &["empty 9"],
        ),
        (
            Seen {
                snapshots: vec![snapshot(true)],
                wal: log("wal", &(0..=9).collect::<Vec<_>>(), &[]),
                ..Seen::default()
            },
            &[],
        ),
    ] {
        assert_eq!(told(&seen).0, steps);
    }
}

#[test]
fn what_a_repair_left_stands_in_the_place_of_the_new_segment() {
    let left = |number: u64, goes_on| {
        let path = format!("wal/{number:08}.repair");
        Repair { file: LogFile { path, ..file("wal", number, true) }, goes_on }
    };
    let with = |numbers: &[u64], repairs: Vec<Repair>| {
        let checkpoints = vec![checkpoint(1)];
        told(&Seen { wal: log("wal", numbers, &[]), repairs, checkpoints, ..Seen::default() }).0
    };
    assert_eq!(with(&[2, 3], vec![left(3, Some(true))]), ["copy 3", "aside 3.repair"]);
    assert_eq!(with(&[2], vec![left(3, None)]), ["copy 3", "aside 3.repair"]);
    assert_eq!(with(&[2, 4], vec![left(3, None)]), ["copy 3", "aside 3.repair"]);
    assert_eq!(with(&[2, 3], vec![left(3, Some(false))]), [""; 0]);
    assert_eq!(with(&[2, 3], vec![left(1, None)]), [""; 0], "the checkpoint stands for it");
}

#[test]
fn chunks_are_kept_up_to_the_first_fault() {
    let chunks = |number: u64, fault: Option<ChunkFault>, count: u64| {
        let found = HeadChunks { chunks: count, end: 50, fault, ..HeadChunks::default() };
        Chunks { number, path: format!("chunks_head/{number:06}"), size: 100, found }
    };
    let good = |number| chunks(number, None, 3);
    let bad = |number, count| chunks(number, Some(ChunkFault::Checksum), count);
    let unwritten = chunks(3, Some(ChunkFault::Unwritten), 0);
    let torn = ChunkFault::OutOfSequence;
    let mut zero = unwritten.clone();
    zero.number = 0;
    let rows: [(&str, Vec<Chunks>, &[&str]); 9] = [
        ("healthy", vec![good(4), good(5)], &[]),
        ("a fault", vec![good(1), bad(2, 2), good(3)], &["aside 3", "shorten 2"]),
        ("nothing before it", vec![good(1), bad(2, 0), good(3)], &["aside 3", "aside 2"]),
        ("in the last", vec![good(1), bad(2, 2)], &["shorten 2"]),
        ("a gap", vec![good(1), good(3), good(4)], &["aside 4", "aside 3"]),
        ("never written, and last", vec![good(1), good(2), unwritten.clone()], &[]),
        ("the first of all never written", vec![zero], &["aside 3"]),
        ("out of sequence", vec![good(1), chunks(2, Some(torn), 1)], &["shorten 2"]),
        ("never written", vec![unwritten, good(4)], &["aside 4", "aside 3"]),
    ];
    for (name, chunks, steps) in rows {
        assert_eq!(told(&Seen { chunks, ..Seen::default() }).0, steps, "{name}");
    }
}

#[test]
fn the_guard_comes_behind_what_is_made_at_the_end() {
    let reach = Reach { highest: 9, newest: None };
    let snapshot = Snapshot { path: "s".into(), segment: 3, offset: 1, healthy: true, reach };
    let at_end = |wal: Log| {
        let seen = Seen { snapshots: vec![snapshot.clone()], wal, ..Seen::default() };
        let mut plan = plan(&seen).expect("a plan");
        plan.guard(&seen, 10);
        plan.steps.iter().map(|step| step.path.clone()).collect::<Vec<_>>()
    };
    let ended = at_end(log("wal", &[0, 1], &[]));
    assert_eq!(ended, ["wal/00000002", "wal/00000003", "wal/00000004"], "no gap meanwhile");
    let gone = at_end(Log::default());
    assert_eq!(gone, ["wal", "wal/checkpoint.00000002", "wal/00000003", "wal/00000004"]);
}
