//! What a run said in passing: repairs of its own, what it skipped, what it could not do.

use serde_json::Value;

use super::damage::{self, Loss, Place, Told};
use crate::model::log::{Line, Runs, Sign, replay, sign};
use crate::model::{Code, Finding, Severity};
use crate::subject::pod;

pub const REPAIRED: Code = Code("wal/repaired-with-loss");
pub const HEALED: Code = Code("wal/self-healed");
pub const FAILING: Code = Code("wal/checkpoint-failing");

/// The remarks on a pod, each code once: of the present run before the one that ended.
pub fn of(pod: &Value, runs: &Runs) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::new();
    for (lines, present) in [(&runs.now, true), (&runs.dead, false)] {
        let Some(lines) = lines.as_deref() else { continue };
        let about = |code, severity, says: &str, line: &Line| {
            Finding::new(code, &pod::reference(pod), severity, says).with("log", line.quote())
        };
        let found = [
            repair(lines, runs, present, &about),
            head_chunks(lines, &about),
            failing(lines, present, &about),
            skipped_block(lines, &about),
        ];
        for finding in found.into_iter().flatten() {
            if !out.iter().any(|f| f.code == finding.code) {
                out.push(finding);
            }
        }
    }
    // A pod that stands is not stopped by what it said in passing.
    for finding in &mut out {
        if runs.ready {
            finding.stops.clear();
        }
    }
    out
}

type About<'a> = dyn Fn(Code, Severity, &str, &Line) -> Finding + 'a;

fn find<'a>(lines: &'a [Line], text: &str) -> Option<&'a Line> {
    lines.iter().rfind(|line| line.has(text))
}

/// A read error that Prometheus answers by cutting its log short.
fn repair(lines: &[Line], runs: &Runs, present: bool, about: &About<'_>) -> Option<Finding> {
    let attempt = find(lines, "read error, attempting repair")?;
    if present && matches!(damage::told(lines), Told::Left(Loss::ByWbl { .. })) {
        let says = "has a damaged out-of-order log (WBL), over which each start cuts the healthy \
                    WAL; do not restart it";
        let cut = find(lines, "Deleting all segments newer");
        let finding = about(Code("wal/corrupt-wbl"), Severity::Error, says, attempt);
        let finding = cut.into_iter().fold(finding, |all, line| all.with("log", line.quote()));
        return Some(finding.forbidding_restart());
    }
    // 2.44 and later log success; before, what follows is a server that becomes ready.
    let rewritten = find(lines, "Rewrite corrupted segment");
    let came_up = replay(lines).ready || (present && runs.ready);
    let done = find(lines, "uccessfully repaired W").or(rewritten.filter(|_| came_up));
    if let Some(done) = done {
        if is_torn_tail(lines, attempt) {
            let says = "dropped the torn end of its newest WAL segment: nothing that was complete";
            return Some(about(HEALED, Severity::Info, says, attempt));
        }
        let says = "has cut its write-ahead log at a damaged place; what came after it is gone";
        let finding = about(REPAIRED, Severity::Warn, says, attempt);
        let finding = match find(lines, "Deleting all segments newer") {
            Some(line) => finding.with("log", line.quote()),
            None => finding,
        };
        let finding = finding.with("log", done.quote());
        return Some(match gone(lines, attempt) {
            Some(gone) => finding.with("gone", gone),
            None => finding,
        });
    }
    let ended = !present && sign::ended_by(lines).is_some();
    if ended || (present && runs.ready) || (!present && runs.out_of_memory()) {
        return None;
    }
    let (code, says) = match sign::sign(attempt) {
        Sign::Checkpoint => (
            Code("wal/corrupt-checkpoint"),
            "has a damaged WAL checkpoint, and its own repair has begun to delete segments",
        ),
        Sign::Wbl => (Code("wal/corrupt-wbl"), "has a damaged out-of-order log (WBL)"),
        Sign::Segment => (
            Code("wal/corrupt-segment"),
            "has a damaged WAL segment, and its own repair has begun to cut the log there",
        ),
        _ => return None,
    };
    let finding = about(code, Severity::Error, says, attempt);
    let name = finding.object.name.clone();
    Some(finding.stopping(&name))
}

/// What a repair has taken away, by its own lines. The newest segment of all was made by that start, and
/// held nothing.
fn gone(lines: &[Line], attempt: &Line) -> Option<String> {
    let until = lines.iter().position(|line| std::ptr::eq(line, attempt))?;
    let of_file = |what: &str, at| {
        let offset = damage::offset(attempt.err())?;
        Some(format!("{what} {at} from byte {offset} on"))
    };
    match damage::place(attempt.err())? {
        Place::Segment(at) => {
            let last = damage::last_segment(lines.get(..until)?).map(|last| last.saturating_sub(1));
            let more = match last {
                Some(last) if last <= at => String::new(),
                Some(last) if last == at + 1 => format!(", and segment {last}"),
                Some(last) => format!(", and segments {}-{last}", at + 1),
                None => ", and every segment after it".to_owned(),
            };
            Some(of_file("segment", at)? + &more)
        }
        Place::Wbl(at) => of_file("out-of-order log (wbl)", at),
        Place::Checkpoint(_) => None,
    }
}

/// A record that ends with its file, in the newest segment that held anything: the write that was
/// under way at the end of the run before. The newest of all was made by this start.
fn is_torn_tail(lines: &[Line], attempt: &Line) -> bool {
    let at = match damage::place(attempt.err()) {
        Some(Place::Segment(at)) => at,
        Some(Place::Checkpoint(_) | Place::Wbl(_)) | None => return false,
    };
    attempt.err().contains("last record is torn")
        && damage::last_segment(lines).is_some_and(|last| at + 1 >= last)
}

fn head_chunks(lines: &[Line], about: &About<'_>) -> Option<Finding> {
    let chunks = find(lines, "Loading on-disk chunks failed")
        .or_else(|| find(lines, "Deletion of corrupted mmap chunk files failed"));
    if let Some(line) = chunks {
        let says = "discarded damaged head chunks and rebuilds them from the WAL, without loss";
        return Some(about(HEALED, Severity::Info, says, line));
    }
    let line = find(lines, "Failed to load chunk snapshot")?;
    let says = "discarded a damaged chunk snapshot and replays the whole WAL, without loss";
    Some(about(HEALED, Severity::Info, says, line))
}

/// Every two hours the WAL is to be cut behind a new checkpoint; a damaged segment stops that.
fn failing(lines: &[Line], present: bool, about: &About<'_>) -> Option<Finding> {
    let says = "cannot write a WAL checkpoint: the log grows until the volume is full, and the \
                next start cuts it at the damage; do not restart it";
    let line = damage::failing(lines)?;
    present.then(|| about(FAILING, Severity::Error, says, line).forbidding_restart())
}

/// A block whose meta.json cannot be read is left out, for ever, on a server that looks well.
fn skipped_block(lines: &[Line], about: &About<'_>) -> Option<Finding> {
    let line = find(lines, "Failed to read meta.json for a block")?;
    let says = "leaves out a block whose meta.json it cannot read; its history is not served";
    let denied = line.err().contains("permission denied");
    (!denied).then(|| about(Code("wal/corrupt-block"), Severity::Warn, says, line))
}
