//! What is wrong, one thing after the other: where, what it is, what it costs.

use std::fmt::{self, Write as _};

use super::super::words::{count, grouped, printable, size, utc};
use super::map::amount;
use crate::datadir::survey::fold::{LogName, Problem};
use crate::datadir::survey::{SegmentFile, Survey};
use crate::walfile::block::BlockFault;
use crate::walfile::fault::{Costs, FaultKind};
use crate::walfile::head_chunks::ChunkFault;
use crate::walfile::segment::Order;

/// Of one file; all of them are in the JSON.
const MOST: usize = 5;

pub fn write(found: &Survey, out: &mut String) -> fmt::Result {
    for problem in &found.judged.problems {
        writeln!(out)?;
        match problem {
            // What it costs stands in the map.
            Problem::Damaged { log, number, faults, lost: _ } => {
                writeln!(out, " x {log}/{number:08}: {}", count(*faults, "fault"))?;
                if let Some(file) = file(found, *log, *number) {
                    of_file(file, out)?;
                }
            }
            Problem::Closed { log, number, why } => {
                writeln!(out, " x {log}/{number:08} cannot be opened: {why}")?;
            }
            Problem::Gap { .. }
            | Problem::Duplicate { .. }
            | Problem::OddName { .. }
            | Problem::NotAFolder { .. }
            | Problem::CheckpointLost { .. }
            | Problem::GapAfterCheckpoint { .. }
            | Problem::NumbersRestart { .. }
            | Problem::RepairUnfinished { .. } => of_names(problem, out)?,
            Problem::HeadChunks { .. }
            | Problem::RefsLost { .. }
            | Problem::Snapshot { .. }
            | Problem::Block { .. } => beside(problem, out)?,
        }
    }
    Ok(())
}

/// What is wrong with which files there are.
fn of_names(problem: &Problem, out: &mut String) -> fmt::Result {
    match problem {
        Problem::Gap { log, after, next } => {
            let missing = count(next - after - 1, "number");
            writeln!(out, " x {log}: {missing} missing between {after} and {next}")
        }
        Problem::Duplicate { log, number, names } => {
            let names = printable(&names.join(", "));
            writeln!(out, " x {log}: number {number} is there twice: {names}")
        }
        Problem::OddName { log, number, name } => {
            writeln!(out, " x {log}/{name}: Prometheus looks for {number:08}")
        }
        Problem::NotAFolder { name } => {
            writeln!(out, " x wal/{}: named as a checkpoint, and no folder", printable(name))
        }
        Problem::CheckpointLost { first } => writeln!(
            out,
            " x wal: the segments begin at {first}, and no checkpoint stands for those before"
        ),
        Problem::GapAfterCheckpoint { checkpoint, first } => writeln!(
            out,
            " x wal: the checkpoint ends at {checkpoint}, the segments begin at {first}"
        ),
        Problem::NumbersRestart { checkpoint, last, samples } => {
            let end = match last {
                Some(last) => format!("ends at segment {last}"),
                None => "has no segment".to_owned(),
            };
            let lost = count(*samples, "sample");
            writeln!(
                out,
                " x wal: {end}, and the checkpoint stands for all up to {checkpoint}\n     \
                 costs  the head at each restart, and {lost}, which no start\n     \
                 reads: a salvage sets them aside, for their refs may be of other series"
            )
        }
        Problem::RepairUnfinished { number, samples } => {
            let holds = count(*samples, "sample");
            writeln!(
                out,
                " x wal/{number:08}.repair: left by an unfinished repair, and not read\n     \
                 holds  {holds}"
            )
        }
        Problem::Damaged { .. }
        | Problem::Closed { .. }
        | Problem::HeadChunks { .. }
        | Problem::RefsLost { .. }
        | Problem::Snapshot { .. }
        | Problem::Block { .. } => Ok(()),
    }
}

/// What is wrong beside the logs.
fn beside(problem: &Problem, out: &mut String) -> fmt::Result {
    match problem {
        Problem::HeadChunks { number, fault, offset } => writeln!(
            out,
            " x chunks_head/{number:06} at {}: {}\n     costs  nothing where the log is \
             whole: what it holds is made again from it",
            grouped(*offset),
            says_chunks(*fault),
        ),
        Problem::RefsLost { highest, named } => {
            let left = match named {
                Some(named) => format!("the log names series up to {named} only"),
                None => "no Series record is left".to_owned(),
            };
            writeln!(
                out,
                " x chunks_head or wbl: of refs up to {highest}, and {left}\n     \
                 costs  new series are given these refs, and these samples with them"
            )
        }
        Problem::Snapshot { name, faults: 0 } => writeln!(
            out,
            " x {name}: it does not fit the log\n     costs  all that it holds, or what is written next"
        ),
        Problem::Snapshot { name, faults } => writeln!(
            out,
            " x {name}: {}\n     costs  nothing: the log is read in its stead",
            count(*faults, "fault"),
        ),
        Problem::Block { ulid, file, fault, stops, samples, span } => {
            writeln!(out, " x {ulid}/{file}: {}", says_block(*fault))?;
            if !*stops {
                return Ok(());
            }
            let when = span.map_or(String::new(), |span| {
                format!(", {} to {}", utc(span.first), utc(span.last))
            });
            let samples = count(*samples, "sample");
            writeln!(out, "     costs  {samples}{when}: a salvage moves the block aside")
        }
        Problem::Damaged { .. }
        | Problem::Closed { .. }
        | Problem::Gap { .. }
        | Problem::Duplicate { .. }
        | Problem::OddName { .. }
        | Problem::NotAFolder { .. }
        | Problem::CheckpointLost { .. }
        | Problem::GapAfterCheckpoint { .. }
        | Problem::NumbersRestart { .. }
        | Problem::RepairUnfinished { .. } => Ok(()),
    }
}

fn file(found: &Survey, log: LogName, number: u64) -> Option<&SegmentFile> {
    let contents = &found.contents;
    let files = match log {
        LogName::Wal => &contents.segments,
        LogName::Wbl => &contents.wbl,
        LogName::Checkpoint(of) => {
            &contents.checkpoints.iter().find(|checkpoint| checkpoint.number == of)?.files
        }
        LogName::ChunksHead => return None,
    };
    files.iter().find(|file| file.number == number)
}

fn of_file(file: &SegmentFile, out: &mut String) -> fmt::Result {
    let faults = &file.found.faults;
    if let Some(Order::Swapped(a, b)) = file.found.order {
        return writeln!(
            out,
            "     pages {a} and {b} stand in each other's place: a salvage reads all of both"
        );
    }
    for fault in faults.iter().take(MOST) {
        let what = match (fault.skipped, fault.kind) {
            (0, FaultKind::Io) | (1.., _) => format!("{} passed over", size(fault.skipped)),
            (0, _) => "a salvage puts the one wrong byte right".to_owned(),
        };
        let (at, page) = (grouped(fault.offset), fault.page);
        writeln!(out, "     at {at} (page {page}): {}; {what}", says(fault.kind))?;
        // Of one alone the map says it.
        if let (2.., Some(Costs { prometheus, page })) = (faults.len(), &fault.costs) {
            let (by_page, by_repair) = (amount(page), amount(prometheus));
            writeln!(
                out,
                "       page by page {by_page} more, by a repair that cuts here {by_repair}"
            )?;
        }
    }
    let more = file.found.fault_count.saturating_sub(MOST as u64);
    if more > 0 { writeln!(out, "     and {} more (--json)", grouped(more)) } else { Ok(()) }
}

pub fn says_chunks(fault: ChunkFault) -> &'static str {
    match fault {
        ChunkFault::Io => "the disk cannot read on",
        ChunkFault::Empty => "an empty file",
        ChunkFault::Short => "shorter than its header",
        ChunkFault::Unwritten => "begins with zeros",
        ChunkFault::Magic => "wrong magic number",
        ChunkFault::Version => "wrong version",
        ChunkFault::TornHead => "the file ends inside the head of a chunk",
        ChunkFault::TornChunk => "the file ends inside a chunk",
        ChunkFault::Checksum => "wrong checksum of a chunk",
        ChunkFault::OutOfSequence => "a chunk that begins before another of its series ends",
    }
}

pub fn says_block(fault: BlockFault) -> &'static str {
    match fault {
        BlockFault::Missing => "is not there",
        BlockFault::Unreadable => "cannot be read",
        BlockFault::Empty => "an empty file",
        BlockFault::Short => "shorter than its header",
        BlockFault::Magic => "wrong magic number",
        BlockFault::Version => "wrong version",
        BlockFault::Checksum => "wrong checksum",
        BlockFault::Range => "its table of contents leads out of it",
        BlockFault::Json => "not the JSON of a block",
    }
}

pub fn says(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Io => "the disk cannot read on",
        FaultKind::NonZeroPadding => "bytes where the page should be zero",
        FaultKind::InvalidSize => "a length that no page holds",
        FaultKind::TornFragment => "the file ends inside a fragment",
        FaultKind::Checksum => "wrong checksum",
        FaultKind::UnexpectedFull => "a record that never ends, a whole one follows",
        FaultKind::UnexpectedFirst => "a record that never ends, another begins",
        FaultKind::UnexpectedMiddle => "the middle of a record that did not begin",
        FaultKind::UnexpectedLast => "the end of a record that did not begin",
        FaultKind::UnexpectedType => "a fragment of no known type",
        FaultKind::MissingFragment => "zeros inside a record: a page was lost",
        FaultKind::RepeatedPage => "the page before it once more",
        FaultKind::MisplacedPage => "a page that belongs in another place",
        FaultKind::TornRecord => "the file ends inside a record",
        FaultKind::Compression => "a record that cannot be decompressed",
        FaultKind::Decoding => "a record whose fields do not fit",
    }
}
