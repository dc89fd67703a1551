//! kubectl prom-fix: says which single cause keeps a Prometheus down, shows the exact change,
//! makes it only when told, proves the recovery, and can undo it.
//!
//! # The house
//!
//! ```text
//! main ── app ─┬─ source   reads the world: a cluster, a folder, a recording of either
//!              ├─ classes  what it means: oom, perms, wal, bind, other (pure)
//!              ├─ effects  changes the world: approve, execute, journal
//!              └─ render   values to text
//! ```
//! `model` holds the values that pass between them, `subject` says which Prometheus this is.
//! `walfile` reads Prometheus' own bytes, `datadir` the files that hold them, and `agent` is what a
//! helper pod runs of both, and of `dial`, a connection; with `marks`, what misleads on a screen,
//! they need none of the others, and are all that is built without the feature `plugin`. `carried`
//! holds the agents that go into helper pods.
//!
//! # The flow
//!
//! `argv -> Job; needs(&Snapshot) <-> Source::read` (at most 4 rounds, each concurrent) `-> check
//! -> Verdict -> next -> render -> approve -> execute -> gather, check, next again -> Exit`.
//!
//! # Invariants
//!
//! - What decides never acts: `classes`, `subject`, `model`, `render` are synchronous and do no
//!   I/O. `source` sends no verb that writes; `effects` is the only room that does.
//! - Without `--apply`, `execute` is not called: a dry run is not a flag below `app`.
//! - A fact is Known, Absent or Unreadable; a verdict that needs an unreadable one is Unknown.
//! - No class imports another. What one finding has to do with another is joined in
//!   [`model::fold`].
//! - Text is made last, in `render`; untrusted text (logs, names) is neutralised there.
//!
//! `tests/architecture.rs` holds the table of who may import whom, and fails on a breach.

#![forbid(unsafe_code)]

pub mod walfile;

pub mod datadir;

pub mod agent;

#[cfg(target_os = "linux")]
pub mod dial;

pub mod marks;

#[cfg(feature = "plugin")]
pub mod app;
#[cfg(feature = "plugin")]
pub mod carried;
#[cfg(feature = "plugin")]
pub mod classes;
#[cfg(feature = "plugin")]
pub mod cli;
#[cfg(feature = "plugin")]
pub mod effects;
#[cfg(feature = "plugin")]
pub mod exit;
#[cfg(feature = "plugin")]
pub mod model;
#[cfg(feature = "plugin")]
pub mod render;
#[cfg(feature = "plugin")]
pub mod source;
#[cfg(feature = "plugin")]
pub mod subject;
