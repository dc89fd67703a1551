//! A manifest as it is written: files that are made empty, one number after the other, stand there as
//! the first of them and how many follow. A gap of thousands takes no room for that.

use std::io;

use super::{Change, Manifest, Step};
use crate::datadir::plan::{Act, segment};
use crate::datadir::salvage::Touched;

/// No plan has more.
const MOST: u64 = 100_000;

/// The same with runs.
pub(super) fn folded(manifest: &Manifest) -> Manifest {
    let mut folded = Manifest { steps: Vec::new(), ..manifest.clone() };
    folded.report.files.clear();
    let mut files = manifest.report.files.iter();
    let mut before: Option<(&Step, Option<&Touched>)> = None;
    let mut first = String::new();
    for step in &manifest.steps {
        let file = files.next();
        if before.replace((step, file)).is_some_and(|before| goes_on(before, (step, file))) {
            *folded.runs.entry(first.clone()).or_default() += 1;
            continue;
        }
        first.clone_from(&step.path);
        folded.steps.push(step.clone());
        folded.report.files.extend(file.cloned());
    }
    folded
}

/// Whether all that is said of one is said of the one before it, but for the number.
fn goes_on(before: (&Step, Option<&Touched>), next: (&Step, Option<&Touched>)) -> bool {
    let (Step { path, change, from, old, new }, file) = next;
    let alike = match (before.1, file) {
        // While staging nothing is said but the steps.
        (None, None) => true,
        (Some(a), Some(b)) => {
            (&a.planned.act, a.planned.why) == (&Act::Empty, b.planned.why)
                && b.planned.act == Act::Empty
        }
        (None, Some(_)) | (Some(_), None) => false,
    };
    alike
        && *change == Change::Add
        && (before.0.change, &before.0.from, before.0.old, before.0.new)
            == (*change, from, *old, *new)
        && later(&before.0.path, 1).as_ref() == Some(path)
}

/// The path of the file so many numbers behind another.
fn later(path: &str, count: u64) -> Option<String> {
    let (folder, name) = path.rsplit_once('/')?;
    Some(segment(folder, name.parse::<u64>().ok()?.checked_add(count)?))
}

/// What was written with runs, each file by itself.
pub(super) fn unfolded(mut manifest: Manifest) -> io::Result<Manifest> {
    let runs = std::mem::take(&mut manifest.runs);
    let all = runs.values().try_fold(0, |all: u64, run| all.checked_add(*run));
    if all.is_none_or(|all| all > MOST) {
        return Err(io::Error::other("more files than a salvage makes"));
    }
    let (mut steps, mut files) = (Vec::new(), Vec::new());
    let mut said = std::mem::take(&mut manifest.report.files).into_iter();
    for step in std::mem::take(&mut manifest.steps) {
        let file = said.next();
        let run = runs.get(&step.path).copied().unwrap_or_default();
        let behind = (1..=run).filter_map(|count| later(&step.path, count));
        for path in std::iter::once(step.path.clone()).chain(behind) {
            files.extend(file.clone().map(|mut file| {
                file.planned.path.clone_from(&path);
                file
            }));
            steps.push(Step { path, ..step.clone() });
        }
    }
    (manifest.steps, manifest.report.files) = (steps, files);
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::super::{Journal, Sum};
    use super::*;
    use crate::datadir::plan::{Planned, Why};

    fn manifest(said: bool, made: &[(&str, Act)]) -> Manifest {
        let sum = Sum { size: 0, crc32c: 0 };
        let step = |(path, _): &(&str, Act)| Step {
            path: (*path).to_owned(),
            change: Change::Add,
            from: None,
            old: None,
            new: said.then_some(sum),
        };
        let file = |(path, act): &(&str, Act)| Touched {
            planned: Planned { path: (*path).to_owned(), act: act.clone(), why: Why::Missing },
            was: None,
            new: 0,
            kept: None,
            faults: Vec::new(),
            fault_count: 0,
        };
        let steps = made.iter().map(step).collect();
        let mut manifest = Journal::begin("prom-fix-1", false, steps).manifest;
        if said {
            manifest.report.files = made.iter().map(file).collect();
        }
        manifest
    }

    #[test]
    fn what_is_written_short_is_read_as_it_was() {
        let made = [
            ("wal/00000001", Act::Empty),
            ("wal/00000002", Act::Empty),
            ("wal/00000003", Act::Empty),
            // Of other bytes, another folder, another number.
            ("wal/00000004", Act::Guard(9)),
            ("wal/00000006", Act::Empty),
            ("wbl/00000007", Act::Empty),
            ("wbl/00000008", Act::Empty),
            ("wbl/9", Act::Empty),
        ];
        for (said, left) in [(true, 5), (false, 4)] {
            let whole = manifest(said, &made);
            let folded = folded(&whole);
            assert_eq!(folded.steps.len(), left, "{folded:?}");
            let back = unfolded(folded).unwrap();
            let text = |manifest: &Manifest| serde_json::to_string(manifest).unwrap();
            assert_eq!(text(&back), text(&whole));
        }
        let mut many = manifest(true, &made);
        many.runs.insert("wal/00000001".into(), u64::MAX);
        assert!(unfolded(many).is_err());
    }
}
