//! How long a replay that goes on still takes, told by the segments it has loaded so far and when.
//!
//! [`At::halves_left`] weighs those to come. A checkpoint is no segment, and its time is not theirs.

use jiff::Timestamp;

use super::walreplay::At;
use super::{Line, last_run};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    pub left_ms: i64,
    /// Of one segment.
    pub pace_ms: i64,
    /// Segments that tell this.
    pub loaded: u64,
    /// The one that is read now takes longer than twice that, so what is left may well be more.
    pub slower: bool,
}

/// By the log of the run that goes on; `at` is where it is by now. None where the log tells no rate,
/// or not of this stage.
pub fn of(lines: &[Line], at: &At, clock: Timestamp) -> Option<Remaining> {
    let run = last_run(lines);
    let begin = run.iter().rfind(|line| begins(line)).and_then(time);
    let segments: Vec<&Line> = run.iter().filter(|line| line.has("WAL segment loaded")).collect();
    let (first, last) = (segments.first()?, segments.last()?);
    let number = |line: &Line, field: &str| line.field(field)?.parse::<u64>().ok();
    let (from, to) = (number(first, "segment")?, number(last, "segment")?);
    // The out-of-order log is counted by numbers of its own.
    if number(last, "maxSegment")? != at.last || to >= at.last {
        return None;
    }
    // Where the log does not reach back to the beginning, the first only says when the second began.
    let (began, loaded) = match begin {
        Some(begin) => (begin, to.checked_sub(from)? + 1),
        None => (time(first)?, to.checked_sub(from)?),
    };
    let reached = time(last)?;
    let pace_ms = millis(began, reached)?.checked_div(i64::try_from(loaded).ok()?)?;
    let now = at.now.max(to);
    // An answer that is newer than the log does not say when it was so.
    let since = if now == to { millis(reached, clock)? } else { 0 };
    let left_ms = At { now, ..*at }.halves_left()?.checked_mul(pace_ms)? / 2 - since.min(pace_ms);
    let slower = since > pace_ms.saturating_mul(2);
    Some(Remaining { left_ms: left_ms.max(0), pace_ms, loaded, slower })
}

/// By the time since the container started alone: with all that came before the first segment.
pub fn since_start(at: &At, started: Timestamp, clock: Timestamp) -> Option<i64> {
    let done = at.now.checked_sub(at.first).filter(|done| *done > 0)?;
    let pace_ms = millis(started, clock)? / i64::try_from(done).ok()?;
    Some(at.halves_left()?.checked_mul(pace_ms)? / 2)
}

/// What comes before the first segment is done.
fn begins(line: &Line) -> bool {
    ["Replaying WAL", "replaying WAL", "WAL checkpoint loaded"].iter().any(|text| line.has(text))
}

fn time(line: &Line) -> Option<Timestamp> {
    line.ts().parse().ok()
}

/// A clock that is behind another's counts as no time.
fn millis(from: Timestamp, to: Timestamp) -> Option<i64> {
    i64::try_from(to.duration_since(from).as_millis()).ok().map(|millis| millis.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::log::lines;

    const BEGIN: &str = "time=2026-11-22T17:45:00Z level=INFO msg=\"Replaying WAL, this may take a while\"\n\
         time=2026-11-22T17:46:00Z level=INFO msg=\"WAL checkpoint loaded\"\n";

    /// Of 7 to 16, each loaded ten seconds after the one before.
    fn loaded(count: u64) -> String {
        let line = |at: u64| {
            let (minute, second) = (46 + at * 10 / 60, at * 10 % 60);
            format!(
                "time=2026-11-22T17:{minute}:{second:02}Z level=INFO msg=\"WAL segment loaded\" \
                 segment={} maxSegment=16\n",
                at + 6
            )
        };
        (1..=count).map(line).collect()
    }

    fn left(log: &str, now: u64, clock: &str) -> Option<Remaining> {
        let at = At { first: 6, now, last: 16 };
        of(&lines(log), &at, format!("2026-11-22T17:{clock}Z").parse().expect("a time"))
    }

    fn told(left_ms: i64, loaded: u64) -> Option<Remaining> {
        Some(Remaining { left_ms, pace_ms: 10_000, loaded, slower: false })
    }

    #[test]
    fn segments_to_come_take_what_those_took_the_newest_half_and_the_last_nothing() {
        // 10 to 14, half of 15, nothing of 16.
        let log = format!("{BEGIN}{}", loaded(3));
        assert_eq!(left(&log, 9, "46:30"), told(55_000, 3));
        // Of the one that is read now a part is done.
        assert_eq!(left(&log, 9, "46:34"), told(51_000, 3));
        // The answer is newer than the log.
        assert_eq!(left(&log, 11, "46:52"), told(35_000, 3));
        assert_eq!(left(&format!("{BEGIN}{}", loaded(9)), 15, "47:30"), told(0, 9));
    }

    #[test]
    fn one_that_takes_longer_is_told_and_a_clock_behind_is_none() {
        let log = format!("{BEGIN}{}", loaded(3));
        let slow = left(&log, 9, "47:00").expect("a rate");
        assert_eq!((slow.left_ms, slow.slower), (45_000, true));
        assert_eq!(left(&log, 9, "40:00"), told(55_000, 3));
    }

    #[test]
    fn a_log_without_its_beginning_tells_by_what_is_between_its_segments() {
        assert_eq!(left(&loaded(3), 9, "46:30"), told(55_000, 2));
        assert_eq!(left(&loaded(1), 7, "46:30"), None);
        assert_eq!(left(BEGIN, 6, "46:30"), None);
    }

    #[test]
    fn of_the_out_of_order_log_nothing_is_told() {
        let log = format!("{BEGIN}{}", loaded(10));
        assert_eq!(left(&log, 16, "48:00"), None);
        let wbl = At { first: 0, now: 1, last: 4 };
        let clock = "2026-11-22T17:48:00Z".parse().expect("a time");
        assert_eq!(of(&lines(&log), &wbl, clock), None);
    }
}
