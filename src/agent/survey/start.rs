//! What Prometheus would do now, and what to do instead.

use std::fmt::{self, Write as _};

use super::super::Caller;
use super::super::words::{count, printable, ranges, share};
use super::faults::{says_block, says_chunks};
use crate::datadir::survey::fold::{LogName, NextStart, Problem, Refusal};
use crate::datadir::survey::{Lock, Survey};

pub fn write(found: &Survey, caller: Caller, out: &mut String) -> fmt::Result {
    writeln!(out, "\nPrometheus' next start")?;
    let kept = &found.judged.kept;
    let lost = kept.fragment.samples.saturating_sub(kept.prometheus.samples);
    let records = kept.fragment.records.saturating_sub(kept.prometheus.records);
    let loses = if kept.fragment.samples > 0 {
        format!("{} ({})", count(lost, "sample"), share(lost, kept.fragment.samples))
    } else {
        format!("{} ({})", count(records, "record"), share(records, kept.fragment.records))
    };
    let deleted = &found.judged.deletes_snapshots;
    match &found.judged.next_start {
        NextStart::Starts => starts(found, out)?,
        NextStart::Repairs { log, number, offset, deletes } => {
            writeln!(out, " DESTROYS DATA: it cuts {log}/{number:08} at byte {offset}")?;
            if !deletes.is_empty() {
                writeln!(out, " and deletes {log} {}", ranges(deletes))?;
            }
            writeln!(out, " for good, though they can be read: {loses}")?;
            if *log == LogName::Wbl {
                writeln!(out, " (releases 2.39 to 2.47 delete segments of wal/ instead)")?;
            }
        }
        NextStart::DestroysLog { checkpoint, deletes, comes_up_at } => {
            writeln!(out, " DESTROYS DATA: the damage is in checkpoint.{checkpoint:08}, but it")?;
            writeln!(out, " deletes the segments {} of wal/", ranges(deletes))?;
            match comes_up_at {
                1 => writeln!(out, " and comes up without them")?,
                _ => writeln!(out, " and exits; start number {comes_up_at} comes up without them")?,
            }
            writeln!(out, " for good, though they can be read: {loses}")?;
        }
        NextStart::Fails { why } => {
            let nothing = if deleted.is_empty() { "changes nothing" } else { "leaves the log" };
            write!(out, " does not start, and {nothing}: ")?;
            refusal(why, out)?;
        }
    }
    if !deleted.is_empty() {
        let names: Vec<&str> = deleted.iter().map(|snapshot| snapshot.name.as_str()).collect();
        writeln!(out, " deletes snapshots of the head, for the log ends before one of them (2.43")?;
        writeln!(out, " and later, where they read any): {}", names.join(", "))?;
    }
    if found.judged.crashed_starts > 1 {
        writeln!(
            out,
            " {} ended before they wrote (that many empty segments)",
            count(found.judged.crashed_starts, "start"),
        )?;
    }
    instead(found, caller, out)
}

fn instead(found: &Survey, caller: Caller, out: &mut String) -> fmt::Result {
    if found.contents.is_unreadable() {
        writeln!(
            out,
            "\nNothing was changed. No salvage begins before every file of it can be read: give the\n\
             right to, or, where the disk fails, copy the volume to a good one"
        )?;
    } else if found.judged.problems.iter().any(Problem::is_mended)
        && !matches!(found.contents.lock, Lock::Held { .. })
    {
        let gives_up = |problem: &Problem| matches!(problem, Problem::NumbersRestart { samples, .. } if *samples > 0);
        let loss = if found.judged.problems.iter().any(gives_up) { "" } else { " without loss" };
        writeln!(
            out,
            "\nNothing was changed. Keep Prometheus stopped, and mend it{loss}:\n  {}",
            caller.salvage(&found.root)
        )?;
    }
    Ok(())
}

fn starts(found: &Survey, out: &mut String) -> fmt::Result {
    let of_log = if found.judged.deletes_snapshots.is_empty() { "" } else { "of the log " };
    writeln!(out, " starts: {of_log}nothing is deleted")?;
    if found.judged.problems.iter().any(|p| matches!(p, Problem::NumbersRestart { .. })) {
        writeln!(
            out,
            " but neither the segments are read, nor what it writes into the next ones,"
        )?;
        writeln!(out, " until their numbers are above the checkpoint's: each restart loses it")?;
    }
    if found.contents.read_blindly() {
        writeln!(out, " but it does not see that a page was lost inside a record: it joins")?;
        writeln!(out, " what is around it, and may take for samples what never was one")?;
    }
    Ok(())
}

fn refusal(why: &Refusal, out: &mut String) -> fmt::Result {
    match why {
        Refusal::Locked { pid: Some(pid) } => {
            writeln!(out, "process {pid} holds\n the lock: one is running, and may be writing")
        }
        Refusal::Locked { pid: None } => {
            writeln!(out, "a process that\n cannot be seen from here holds the lock")
        }
        Refusal::NotSequential { log } => {
            writeln!(out, "the numbers of\n {log}/ do not follow each other")
        }
        Refusal::SegmentMissing { number } => {
            writeln!(out, "it looks for\n segment {number} of wal/, which is not there")
        }
        Refusal::OddName { log, number } => {
            writeln!(out, "it looks for\n {log}/{number:08}, and the file has another name")
        }
        Refusal::NotAFolder { name } => {
            writeln!(out, "wal/{} is\n named as a checkpoint and is no folder", printable(name))
        }
        Refusal::HeadChunks { number, fault } => writeln!(
            out,
            "chunks_head/{number:06}:\n {}; with chunks_head moved aside it starts",
            says_chunks(*fault)
        ),
        Refusal::Block { ulid, file, fault } => writeln!(
            out,
            "{ulid}/{file}:\n {}; with this block moved aside it starts",
            says_block(*fault)
        ),
        Refusal::Closed { log, number, why } => {
            writeln!(out, "it cannot open\n {log}/{number:08} ({why}): owner and mode first")
        }
    }
}
