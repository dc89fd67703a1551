//! What is made at the end of a log: segments up to the one that a snapshot of the head stands for, and
//! the guard of the refs.

use super::{Act, LogFile, Plan, Planned, Seen, Why, segment};

/// Of eight digits.
const MOST_NUMBER: u64 = 99_999_999;

impl Plan {
    /// Before all else: should the salvage end there, it does good. Behind segments that are made at the
    /// end none may be missing meanwhile.
    pub fn guard(&mut self, seen: &Seen, reference: u64) {
        let path = segment("wal", self.next);
        let guard = Planned { path, act: Act::Guard(reference), why: Why::RefsLost };
        let at = if self.reached { self.steps.len() } else { 0 };
        self.steps.insert(at, guard);
        if !seen.wal.exists && !self.reached {
            self.empty_folder();
        }
    }

    /// The log has none: before all that is put there.
    fn empty_folder(&mut self) {
        let planned = Planned { path: "wal".into(), act: Act::EmptyFolder, why: Why::Missing };
        self.steps.insert(0, planned);
    }

    /// A snapshot of the head stands for the log up to an offset of a segment, and Prometheus reads
    /// on from there: in a segment written anew there must be nothing behind that offset, as there
    /// is nothing after a clean stop. Then it stays: it may hold what the log lost.
    ///
    /// A log that ends before that segment is made to reach it: 2.53 and later would not read the
    /// snapshot; and one that a start makes is read from that offset on only by the next. Not so a log
    /// that began anew: what it holds is newer than the snapshot, beside which nobody would read it.
    pub(super) fn snapshots(&mut self, seen: &Seen) {
        let spans = seen.logs().filter_map(|file| file.found.counts.entries.span);
        let newest = spans.map(|span| span.last).max();
        for snapshot in &seen.snapshots {
            let name = segment("wal", snapshot.segment);
            let goes_on = |file: &LogFile| file.found.size.max(file.mended) > snapshot.offset;
            let goes_on = self.steps.iter().any(|step| {
                step.path == name
                    && !matches!(step.act, Act::Rename(_))
                    && seen.records_of(step).is_some_and(goes_on)
            });
            let ahead = self.next <= snapshot.segment;
            self.series_at_risk |= ahead;
            if goes_on
                || !snapshot.healthy
                || (ahead
                    && (newest > snapshot.reach.newest || !self.reaches(seen, snapshot.segment)))
            {
                self.push(&snapshot.path, Act::SetAside, Why::SnapshotUseless);
            }
        }
    }

    /// Makes empty segments up to this one, where it may be one of the log.
    fn reaches(&mut self, seen: &Seen, number: u64) -> bool {
        if number > MOST_NUMBER {
            return false;
        }
        if self.next > 0 {
            if self.missing("wal", self.next, number + 1).is_err() {
                return false;
            }
        } else {
            if !seen.wal.exists {
                self.empty_folder();
            }
            // An empty checkpoint stands for those before it, however many they were.
            if number > 0 {
                let path = format!("wal/checkpoint.{:08}", number - 1);
                self.push(&path, Act::EmptyFolder, Why::Missing);
            }
            self.push(&segment("wal", number), Act::Empty, Why::Missing);
        }
        self.next = number + 1;
        self.reached = true;
        true
    }
}
