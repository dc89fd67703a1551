//! Reads the world. Sends no verb that writes: GET, and self access reviews, which store nothing.
//! Knows nothing of what the facts mean.

pub mod bundle;
pub mod commands;
pub mod connect;
pub mod failure;
pub mod key;
pub mod live;
pub mod outage;
pub mod record;

mod certificate;
mod configure;
mod fetch;
mod foreign;
mod forward;
mod listing;
mod objects;
mod pack;
mod project;
mod proxy;
mod redact;
mod secret;
mod sieve;

#[cfg(test)]
mod bundle_tests;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod live_tests;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::fact::{Fact, Need, Snapshot};
use crate::model::report::Context;
use failure::ConnectError;

/// What can be asked.
pub enum World {
    Live(live::Live),
    Bundle(bundle::Bundle),
    /// Either of the others, with all that was read kept for a bundle.
    Record(Box<record::Recorder>),
}

impl World {
    /// Asks everything at once; a failure is a fact too ([`Fact::Unreadable`]). The answers come
    /// in the order of the needs, whichever arrived first.
    pub async fn read(&self, needs: Vec<Need>) -> Vec<(Need, Fact)> {
        match self {
            World::Live(live) => live.read(needs).await,
            World::Bundle(bundle) => bundle.read(needs),
            World::Record(recorder) => recorder.read(needs).await,
        }
    }

    pub fn context(&self) -> &Context {
        match self {
            World::Live(live) => live.context(),
            World::Bundle(bundle) => bundle.context(),
            World::Record(recorder) => recorder.context(),
        }
    }

    /// The time against which ages are told: now, or when the bundle was recorded.
    pub fn clock(&self) -> Timestamp {
        match self {
            World::Live(_) => Timestamp::now(),
            World::Bundle(bundle) => bundle.clock(),
            World::Record(recorder) => recorder.clock(),
        }
    }

    /// The namespace meant where none was given.
    pub fn default_namespace(&self) -> &str {
        match self {
            World::Live(live) => live.namespace(),
            World::Bundle(bundle) => bundle.namespace(),
            World::Record(recorder) => recorder.namespace(),
        }
    }

    /// Requests sent so far; none for a bundle.
    pub fn requests(&self) -> usize {
        match self {
            World::Live(live) => live.requests(),
            World::Bundle(_) => 0,
            World::Record(recorder) => recorder.requests(),
        }
    }

    /// Why nothing could be read at all: set while the API server has answered no request
    /// (connection, TLS, credentials). After the first round this is one error line, not a
    /// report full of unreadable facts.
    pub fn transport_failure(&self) -> Option<ConnectError> {
        match self {
            World::Live(live) => live.transport_failure(),
            World::Bundle(_) => None,
            World::Record(recorder) => recorder.transport_failure(),
        }
    }
}

/// Rounds of questions in one run: target, its owner, what that names, and what those name.
/// Longer chains do not occur; the bound holds against needs that never settle.
pub const ROUNDS: usize = 4;

/// Asks until nothing new is asked, at most [`ROUNDS`] times. `ask` is given what was seen so
/// far and may repeat what it asked before. Returns how many rounds it took.
pub async fn gather(
    world: &World,
    seen: &mut Snapshot,
    ask: &mut dyn FnMut(&Snapshot) -> Vec<Need>,
) -> usize {
    for round in 0..ROUNDS {
        let new: BTreeSet<Need> = ask(seen).into_iter().filter(|need| !seen.asked(need)).collect();
        if new.is_empty() {
            return round;
        }
        seen.facts.extend(world.read(new.into_iter().collect()).await);
    }
    ROUNDS
}
