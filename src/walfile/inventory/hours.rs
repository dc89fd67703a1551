//! When series were created, by the hour.

use std::collections::BTreeMap;

use serde::Serialize;

const HOUR: i64 = 3_600_000;
/// Hours that are told apart: a year. A head holds three; more are a clock that was wrong.
const MOST: usize = 24 * 366;

/// Series by the hour of the first samples behind their record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    by_hour: BTreeMap<i64, u64>,
    /// No samples came after them in their file, or their hour was one too many.
    pub unknown: u64,
}

/// One hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hour {
    /// Its first millisecond.
    pub from: i64,
    pub series: u64,
}

impl Hours {
    pub fn count(&mut self, time: i64, series: u64) {
        let hour = time.div_euclid(HOUR);
        if self.by_hour.len() < MOST || self.by_hour.contains_key(&hour) {
            *self.by_hour.entry(hour).or_default() += series;
        } else {
            self.unknown += series;
        }
    }

    pub fn add(&mut self, other: &Hours) {
        for (hour, series) in &other.by_hour {
            self.count(hour.saturating_mul(HOUR), *series);
        }
        self.unknown += other.unknown;
    }

    /// The last `most`, in order.
    #[must_use]
    pub fn last(&self, most: usize) -> Vec<Hour> {
        let skip = self.by_hour.len().saturating_sub(most);
        let hour = |(hour, series): (&i64, &u64)| Hour {
            from: hour.saturating_mul(HOUR),
            series: *series,
        };
        self.by_hour.iter().skip(skip).map(hour).collect()
    }
}
