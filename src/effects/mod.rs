//! Changes the world: the only room that sends a verb that writes. It carries out plans that were
//! approved and decides nothing about what a good plan is; it never prints.
//!
//! `approve` turns a plan and a person's consent into [`Approved`]; [`Journal::begin`] takes only
//! that, and [`execute`] takes only a journal. So nothing is written that nobody agreed to, and
//! nothing is written that the receipt does not name first.

pub mod approve;
pub mod closed;
pub mod cluster;
pub mod errand;
pub mod error;
pub mod execute;
pub mod fault;
pub mod journal;
pub mod rehearse;
pub mod undo;

mod again;
mod folder;
mod guards;
mod local;
mod look;
mod metrics;
mod ownership;
mod renewed;
mod restart;
mod send;
mod serves;
mod wait;

#[cfg(test)]
mod tests;

pub use approve::{Approved, Consent, Consents, approve};
pub use cluster::{Answer, Cluster, Proxied, Removal};
pub use errand::{NO_IMAGE, look_inside};
pub use error::Error;
pub use execute::{Ended, Patience, Watcher, execute, resume};
pub use journal::{Identity, Journal, receipts, right_cluster};
pub use local::local_receipts;
pub use rehearse::rehearse;
pub use undo::{announce, undo};
