//! What a head of so many series needs of memory, for the agent and for `oom`: measured with
//! 200 000 series of nine labels and 12 million samples, replayed, nothing scraped; and the
//! published rule of thumb of 3.0 kB a series with its samples (Robust Perception, "Why does
//! Prometheus use so much RAM", 2.20), a half on top for queries, compaction and the collector.

use serde::Serialize;

/// What Prometheus occupies with an empty head, but for pages of its own file, which give way: 42, 68
/// and 94 MB are resident of 2.42, 2.53 and 3.16, of which 12, 17 and 34 are not such pages.
const BASE: u64 = 64 << 20;
const MIDDLE: u64 = 3000;
const HIGH: u64 = 3450;

/// Releases that need the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// From this one on, up to that of the next line.
    pub from: &'static str,
    pub measured_with: &'static str,
    #[serde(skip)]
    since: (u64, u64),
    /// Resident bytes of a series at the moment of being ready.
    pub bytes_per_series: u64,
}

pub const LINES: [Line; 3] = [
    DEAREST,
    Line { from: "2.50", measured_with: "2.53.3", since: (2, 50), bytes_per_series: 2182 },
    Line { from: "3.0", measured_with: "3.5.3", since: (3, 0), bytes_per_series: 1899 },
];

const DEAREST: Line =
    Line { from: "2.0", measured_with: "2.42.0", since: (0, 0), bytes_per_series: 2396 };

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Need {
    #[serde(flatten)]
    pub line: Line,
    /// Resident once the log is replayed, before it scrapes or answers anything; of 60 samples of each.
    /// A start on those of three hours was seen to peak at 1.5 to 1.8 times as much, within the range.
    pub at_ready: u64,
    /// A limit to live with, and its range.
    pub low: u64,
    pub limit: u64,
    pub high: u64,
}

/// What the releases of a line need.
#[must_use]
pub fn need(line: Line, series: u64) -> Need {
    let times =
        |bytes: u64| BASE.saturating_add((series.saturating_mul(bytes) / 2).saturating_mul(3));
    Need {
        line,
        at_ready: BASE.saturating_add(series.saturating_mul(line.bytes_per_series)),
        low: times(line.bytes_per_series),
        limit: times(MIDDLE),
        high: times(HIGH),
    }
}

/// The line of a version; the dearest where it is none that is known.
#[must_use]
pub fn line_or_dearest(version: Option<&str>) -> Line {
    version.and_then(line).unwrap_or(DEAREST)
}

/// The line of a version such as `v2.53.3`.
#[must_use]
pub fn line(version: &str) -> Option<Line> {
    let mut parts = version.strip_prefix('v').unwrap_or(version).split('.');
    let major: u64 = parts.next()?.parse().ok()?;
    let minor: u64 = parts.next()?.parse().ok()?;
    LINES.into_iter().rev().find(|line| line.since <= (major, minor))
}
