//! How long a start takes, told by a run that did not come to its end: the segments that it loaded,
//! and when.

use jiff::Timestamp;

use super::{Line, last_run, replay};

/// How far the replay of a run came, and how long all of it takes at that rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub loaded: i64,
    pub all: i64,
    /// From its first line until that segment.
    pub spent_seconds: i64,
    /// From its first line until the last segment. Rough, for segments differ in size.
    pub whole_seconds: i64,
}

/// What the last run of a log tells; `None` where it loaded no segment.
pub fn of(lines: &[Line]) -> Option<Pace> {
    let run = last_run(lines);
    let seen = replay(run);
    let (last, max) = (seen.segment?, seen.max_segment?);
    let first = run.iter().find(|l| is_segment(l))?.field("segment")?.parse().ok()?;
    let count = |to: u64| i64::try_from(to.checked_sub(first)?.checked_add(1)?).ok();
    let (loaded, all) = (count(last)?, count(max)?);

    let began = run.iter().find_map(time)?;
    let replays = run.iter().rfind(|l| is_begin(l)).and_then(time)?;
    // A checkpoint is loaded once, however many segments follow.
    let checkpoint = run.iter().rfind(|l| l.has("WAL checkpoint loaded")).and_then(time);
    let before = checkpoint.unwrap_or(replays);
    let reached = run.iter().rfind(|l| is_segment(l)).and_then(time)?;

    let millis = |from: Timestamp, to: Timestamp| to.duration_since(from).as_millis();
    let segments = millis(before, reached).max(0) * i128::from(all) / i128::from(loaded.max(1));
    let seconds = |millis: i128| i64::try_from((millis + 999) / 1000).ok();
    Some(Pace {
        loaded,
        all,
        spent_seconds: seconds(millis(began, reached))?,
        whole_seconds: seconds(millis(began, before) + segments)?.max(1),
    })
}

/// An agent begins with a small letter (prometheus `tsdb/agent/db.go`).
fn is_begin(line: &Line) -> bool {
    line.has("Replaying WAL") || line.has("replaying WAL")
}

fn is_segment(line: &Line) -> bool {
    line.has("WAL segment loaded")
}

fn time(line: &Line) -> Option<Timestamp> {
    line.ts().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::log::lines;

    const BEGINNING: &str = "\
time=2026-11-22T17:45:50Z level=INFO msg=\"Starting Prometheus Server\" version=\"(version=3.5.3)\"
time=2026-11-22T17:46:00Z level=INFO msg=\"Replaying WAL, this may take a while\" component=tsdb\n";

    fn pace(rest: &str) -> Option<(i64, i64, i64, i64)> {
        let pace = of(&lines(&format!("{BEGINNING}{rest}")))?;
        Some((pace.loaded, pace.all, pace.spent_seconds, pace.whole_seconds))
    }

    #[test]
    fn the_rate_until_the_kill_tells_how_long_all_of_it_takes() {
        let segments = "\
time=2026-11-22T17:46:10Z level=INFO msg=\"WAL segment loaded\" segment=10 maxSegment=109
time=2026-11-22T17:47:40Z level=INFO msg=\"WAL segment loaded\" segment=19 maxSegment=109";
        assert_eq!(pace(segments), Some((10, 100, 110, 1010)));
        // Of the time until then a checkpoint took half, and takes it once.
        let checkpoint =
            "time=2026-11-22T17:46:50Z level=INFO msg=\"WAL checkpoint loaded\" component=tsdb\n";
        assert_eq!(pace(&format!("{checkpoint}{segments}")), Some((10, 100, 110, 560)));
    }

    #[test]
    fn nothing_is_told_before_the_first_segment_or_without_times() {
        assert_eq!(pace(""), None);
        assert_eq!(pace("level=info msg=\"WAL segment loaded\" segment=1 maxSegment=2"), None);
    }
}
