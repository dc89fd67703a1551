//! The disk: full, failing, or a file system that Prometheus does not support.

use super::Case;
use crate::model::log::{Line, Sign, place, runs, sign};
use crate::model::{Code, Finding, Severity};
use crate::subject::space;

const FULL: Code = Code("disk/full");
const IO: Code = Code("disk/io-error");
const UNSUPPORTED: Code = Code("disk/unsupported-fs");

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let ended = last_words(case);
    let passing = if ended.is_none() { in_passing(case) } else { None };
    let warned = warned(case).filter(|_| ended.as_ref().is_none_or(|f| f.code != UNSUPPORTED));
    let space = space::of(case.subject, case.seen, case.pod);
    let told = |finding: Finding| match &space {
        Some(space) if finding.code == FULL => space.told(finding),
        Some(_) | None => finding,
    };
    ended.into_iter().chain(passing).chain(warned).map(told).collect()
}

fn last_words(case: &Case<'_>) -> Option<Finding> {
    let (found, line) = case.runs.ended_by()?;
    let (code, says) = match &found {
        Sign::Full => (FULL, "has no space left on its volume"),
        Sign::Io => (IO, "cannot read or write its volume: the disk fails"),
        Sign::BadFileSystem if line.says().contains("no locks") => {
            (UNSUPPORTED, "stores on a file system without locks")
        }
        Sign::BadFileSystem => {
            (UNSUPPORTED, "stores where the file system does not let it rename a file")
        }
        Sign::ReadOnly(path) => {
            let place = place(case.pod, &case.subject.container, path);
            if place.read_only_by().is_some() {
                return None;
            }
            (IO, "has a volume that turned read-only although its spec does not say so")
        }
        _ => return None,
    };
    let weight = case.runs.weight(&found, case.seen.clock);
    let finding = Finding::new(code, case.object, weight, says);
    Some(case.runs.tell(finding, line, case.seen.clock))
}

/// Each scrape writes: where there was no room longer ago, there has been since. What a disk cannot read
/// is read seldom, as when the log is cut every two hours.
const IS_WRITTEN_WITHIN_SECONDS: i64 = 300;

/// Failed writes of a server that runs on: what it scrapes is lost, and half a page in the WAL
/// damages it.
fn in_passing(case: &Case<'_>) -> Option<Finding> {
    let lines = case.runs.now.as_deref()?;
    let own = |l: &&Line| {
        matches!(l.level(), "error" | "warn") && matches!(sign::sign(l), Sign::Full | Sign::Io)
    };
    let line = lines.iter().rfind(own)?;
    let at: Option<jiff::Timestamp> = line.ts().parse().ok();
    let clock = case.seen.clock.as_second();
    let sign = sign::sign(line);
    let within = if sign == Sign::Full { IS_WRITTEN_WITHIN_SECONDS } else { runs::RECENT_SECONDS };
    let recent = at.is_some_and(|at| clock - at.as_second() <= within);
    let weight = if recent { Severity::Error } else { Severity::Warn };
    let (code, says) = match (sign, recent) {
        (Sign::Full, true) => (FULL, "runs, and cannot write: no space left on its volume"),
        (Sign::Full, false) => (FULL, "runs, and could not write: its volume was full"),
        (_, true) => (IO, "runs, and its disk fails"),
        (_, false) => (IO, "runs, and its disk has failed"),
    };
    let finding = Finding::new(code, case.object, weight, says).with("log", line.quote());
    let stops = recent && !case.runs.ready;
    Some(if stops { finding.stopping(case.name()) } else { finding })
}

/// Prometheus names the file system itself at each start, 2.21 and later.
fn warned(case: &Case<'_>) -> Option<Finding> {
    let said = case.runs.now.iter().chain(&case.runs.dead).flatten();
    let line = said.into_iter().find(|l| l.has("This filesystem is not supported"))?;
    let says =
        "stores on a file system that Prometheus does not support: damage is a matter of time";
    let finding = Finding::new(UNSUPPORTED, case.object, Severity::Warn, says);
    Some(finding.with("log", line.quote()))
}
