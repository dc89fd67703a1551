//! One reading of Prometheus' log lines for all classes: logfmt of every version, JSON, and the
//! plain text of panics, whatever a runtime put before it.
//!
//! The order of keys and the case of levels changed with releases, and the position of `msg` and
//! `err` with them; so keys are searched, never counted.

/// One line, cut into what classes match on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// `info`, `warn`, `error`, …, lower case; empty for plain text.
    pub level: String,
    /// Empty for plain text.
    pub msg: String,
    pub err: String,
    /// The line as it was, without terminal escapes.
    pub raw: String,
}
