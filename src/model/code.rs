//! Codes of findings: stable for ever. The table of all codes is the sum of what the classes
//! declare; this file knows only the shape.

use serde::Serialize;

/// A stable name of a kind of finding: `oom/limit-below-need`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(pub &'static str);

impl Code {
    /// `oom` of `oom/replay`.
    pub fn class(self) -> &'static str {
        self.0.split_once('/').map_or(self.0, |(class, _)| class)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(self.0)
    }
}

/// Where in the life of a pod a fault strikes, in order. Of two faults of one pod the earlier is
/// the root: the later could not be reached otherwise. The order of Prometheus' own start is that
/// of its `main`: configuration, active-query log, listener, storage
/// (prometheus `cmd/prometheus/main.go` and `tsdb/db.go`, v3.14.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// An operator or controller does not act.
    Owner,
    /// No node, no volume, no admission.
    Placement,
    /// Image, container creation.
    Container,
    /// Flags and configuration file.
    Config,
    /// `queries.active`: the first file that is written.
    FirstWrite,
    /// The listening socket.
    Listen,
    /// Lock, blocks, head chunks, WAL.
    Storage,
    /// Replay of the WAL.
    Replay,
    /// Up and serving, then killed.
    Serving,
    /// Up, and not reached.
    Reach,
}

/// What `explain CODE` prints, and how a code ranks.
#[derive(Clone, Copy, Debug)]
pub struct CodeDoc {
    pub code: Code,
    pub stage: Stage,
    /// One line: what it means.
    pub meaning: &'static str,
    /// What proves it.
    pub proof: &'static str,
    /// What is done about it.
    pub plan: &'static str,
    /// What the plan, or doing nothing, may cost.
    pub risk: &'static str,
}
