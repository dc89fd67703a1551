//! What Prometheus answers about its replay while it replays (2.28 and later; `web/api/v1/api.go`,
//! `tsdb/head.go` of v3.14.0).

use serde_json::Value;

use crate::model::object::ObjectExt;

/// Segments of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    pub first: u64,
    /// The last that was loaded.
    pub now: u64,
    pub last: u64,
}

/// The path to ask, below a route prefix.
pub fn path(prefix: &str) -> String {
    format!("{}/api/v1/status/walreplay", prefix.trim_end_matches('/'))
}

/// Reads the answer.
pub fn read(body: &str) -> Option<At> {
    let answer: Value = serde_json::from_str(body).ok()?;
    let number = |at: &str| answer.number(at).and_then(|n| u64::try_from(n).ok());
    Some(At {
        first: number("/data/min")?,
        now: number("/data/current")?,
        last: number("/data/max")?,
    })
}

impl At {
    /// All three numbers are 0 while blocks and head chunks load, so that says nothing.
    pub fn under_way(&self) -> bool {
        self.last > 0 && self.now < self.last
    }

    /// What is left to load, in halves of a segment, by what is known of their sizes: the last was
    /// made by this very start before it began to read (prometheus `tsdb/db.go` `open`,
    /// `tsdb/wlog/wlog.go` `NewSize`), and is empty; the one before it is what the run before was
    /// writing when it ended, and counts as half of one.
    pub fn halves_left(&self) -> Option<i64> {
        let to_go = i64::try_from(self.last.checked_sub(self.now)?).ok()?;
        Some(to_go.checked_mul(2)?.saturating_sub(3).max(0))
    }

    /// How much of it is done, weighed like that; in thousandths.
    pub fn permille(&self) -> Option<i64> {
        let all = At { now: self.first, ..*self }.halves_left().filter(|all| *all > 0)?;
        Some(all.checked_sub(self.halves_left()?)?.checked_mul(1000)?.checked_div(all)?.max(0))
    }
}

/// In words; with the share that is done where it is known from where the replay began.
pub fn told(now: u64, last: u64, permille: Option<i64>) -> String {
    match permille {
        Some(done) => format!("segment {now} of {last} ({} %)", done / 10),
        None => format!("segment {now} of {last}"),
    }
}

/// The share in those words, as a part of one.
pub fn fraction(told: &str) -> Option<f64> {
    let (_, percent) = told.strip_suffix(" %)")?.rsplit_once('(')?;
    Some(f64::from(percent.parse::<u8>().ok()?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_read_back_as_it_was_told() {
        let told = told(12, 40, At { first: 10, now: 12, last: 40 }.permille());
        assert_eq!((told.as_str(), fraction(&told)), ("segment 12 of 40 (7 %)", Some(0.07)));
        assert_eq!(fraction("segment 12 of 40"), None);
    }

    #[test]
    fn the_newest_counts_half_and_the_last_nothing() {
        let at = |now| At { first: 10, now, last: 20 };
        let left = [10, 17, 18, 19, 20, 21].map(|now| at(now).halves_left());
        assert_eq!(left, [Some(17), Some(3), Some(1), Some(0), Some(0), None]);
        let done = [10, 18, 20].map(|now| at(now).permille());
        assert_eq!(done, [Some(0), Some(941), Some(1000)]);
        assert_eq!(At { first: 0, now: 0, last: 1 }.permille(), None);
        assert_eq!(At { first: 0, now: 0, last: u64::MAX }.permille(), None);
    }
}
