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
}
