//! What a run said of damage that a start answers by cutting: prometheus v3.14.0
//! `tsdb/db.go` (open), `tsdb/wlog/wlog.go` (Repair), `tsdb/wlog/checkpoint.go`.

use crate::model::log::{Line, Sign, fatal, last_run, sign};

/// Where the damage is, by its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Segment(u64),
    /// A checkpoint, by the number in its name where the line has it.
    Checkpoint(Option<u64>),
    Wbl(u64),
}

/// What can still be read and the next start takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All after a place in segment `at`; segments go up to `last`, where the log counts them.
    After { at: u64, last: Option<u64> },
    /// Every segment: the number within the checkpoint is taken for one of the WAL.
    AllSegments { checkpoint: Option<u64> },
    /// What is left of the checkpoint: the segments are gone.
    Checkpoint { checkpoint: Option<u64> },
    /// What comes behind a place in the out-of-order log, and in no other.
    Wbl { at: u64 },
    /// Whatever comes behind one of so many faults: their places are not known.
    Faults(i64),
    /// A snapshot of the head that is for a segment behind the last.
    Snapshot,
    /// 2.39 to 2.47: the WAL is cut at the number of a segment of the WBL, at each start.
    ByWbl { at: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Nothing,
    /// Prometheus has repaired it, or refuses to and deletes nothing.
    Settled,
    /// It met the damage at its start and did not come to the end of its repair.
    Met(Loss),
    /// It went on, and the next start will meet the damage.
    Left(Loss),
}

/// What a log says of the last run in it.
pub fn told(lines: &[Line]) -> Told {
    let run = last_run(lines);
    if let Some(line) = failing(run) {
        match place(line.err()) {
            Some(Place::Segment(at)) => return Told::Left(Loss::After { at, last: None }),
            Some(Place::Checkpoint(checkpoint)) => {
                return Told::Left(Loss::AllSegments { checkpoint });
            }
            // A gap is no damage: a start ends there and deletes nothing.
            Some(Place::Wbl(_)) | None => {}
        }
    }
    let attempt = run.iter().rposition(|line| line.has("read error, attempting repair"));
    if let Some(at) = attempt
        && let Some(line) = run.get(at)
    {
        return met(run, line, run.get(at + 1..).unwrap_or(&[]));
    }
    // Only its last words are known: they come after the deletion.
    match fatal(run) {
        Some(line) if renames(line) => Told::Met(Loss::Checkpoint { checkpoint: None }),
        Some(_) | None => Told::Nothing,
    }
}

/// A read error at the start, and what became of it.
fn met(run: &[Line], attempt: &Line, rest: &[Line]) -> Told {
    let last_words = fatal(rest);
    // The repair does not know the error and returns it: each start ends here.
    let refused = last_words.is_some_and(|line| line.has("cannot handle error"));
    let any = |text: &str| rest.iter().any(|line| line.has(text));
    // 2.43 and older log no success; what follows on it shows it.
    let goes_on = ["TSDB started", "WAL segment loaded", "WAL replay completed", "Server is ready"];
    let settled = refused || any("uccessfully repaired W") || goes_on.iter().any(|text| any(text));
    match place(attempt.err()) {
        None => Told::Nothing,
        Some(Place::Wbl(_)) if attempt.has("WBL read error") || refused => Told::Settled,
        // The cut of the WAL leaves the WBL as it is, so the next start cuts again.
        Some(Place::Wbl(at)) => Told::Left(Loss::ByWbl { at }),
        Some(Place::Checkpoint(checkpoint)) if last_words.is_some_and(renames) => {
            Told::Met(Loss::Checkpoint { checkpoint })
        }
        Some(Place::Segment(_) | Place::Checkpoint(_)) if settled => Told::Settled,
        Some(Place::Checkpoint(checkpoint)) if any("Deleting all segments newer") => {
            Told::Met(Loss::Checkpoint { checkpoint })
        }
        Some(Place::Checkpoint(checkpoint)) => Told::Met(Loss::AllSegments { checkpoint }),
        // Logged once the later segments are deleted.
        Some(Place::Segment(_)) if any("Rewrite corrupted segment") => Told::Settled,
        Some(Place::Segment(at)) => {
            let last = last_segment(run);
            // A torn record ends its file, and the newest of all was made by this start.
            let torn = attempt.err().contains("last record is torn");
            let nothing_after = last.is_none_or(|last| at + 1 >= last);
            if torn && nothing_after {
                return Told::Settled;
            }
            Told::Met(Loss::After { at, last: last.filter(|last| *last >= at) })
        }
    }
}

/// The end of a repair that took a checkpoint for the WAL.
fn renames(line: &Line) -> bool {
    line.has("repair corrupted WAL") && line.has(".repair: no such file")
}

/// A checkpoint that could not be written, and none was since.
pub fn failing(lines: &[Line]) -> Option<&Line> {
    let run = last_run(lines);
    let own = |l: &Line| {
        l.level() == "error"
            && (l.err().contains("create checkpoint:")
                || l.err().contains("WAL truncation in Compact"))
            && matches!(sign::sign(l), Sign::Segment | Sign::Checkpoint | Sign::Gap)
    };
    let at = run.iter().rposition(own)?;
    let written = |l: &Line| l.msg() == "WAL checkpoint complete";
    let since = run.iter().skip(at).any(written);
    run.get(at).filter(|_| !since)
}

/// The number of the newest segment, as the replay counts them.
pub fn last_segment(lines: &[Line]) -> Option<u64> {
    lines.iter().rev().find_map(|line| line.field("maxSegment")?.parse().ok())
}

/// The place in `corruption in segment PATH at OFFSET: …`.
pub fn place(err: &str) -> Option<Place> {
    let (before, path, _) = corruption(err)?;
    let number = path.rsplit('/').next()?.parse().ok()?;
    let checkpoint = path.split('/').find_map(|part| part.strip_prefix("checkpoint."));
    Some(if checkpoint.is_some() || before.contains("backfill checkpoint") {
        Place::Checkpoint(checkpoint.and_then(|number| number.parse().ok()))
    } else if path.split('/').any(|part| part == "wbl") {
        Place::Wbl(number)
    } else {
        Place::Segment(number)
    })
}

/// The offset in it.
pub fn offset(err: &str) -> Option<u64> {
    let (.., rest) = corruption(err)?;
    rest.split(':').next()?.parse().ok()
}

/// What stands before it, its path, and what stands behind that.
fn corruption(err: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = err.split_once("corruption in segment ")?;
    let (path, rest) = rest.split_once(" at ")?;
    Some((before, path, rest))
}
