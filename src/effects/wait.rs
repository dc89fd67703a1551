//! Waiting with patience that is counted in time without progress.

use std::time::Duration;

use tokio::time::Instant;

use super::cluster::Cluster;
use super::error::Error;
use super::execute::{Patience, Watcher};
use super::look::{Look, Memory, look};
use crate::model::object::ObjectRef;
use crate::model::plan::Until;

/// How a wait ended.
#[derive(Debug)]
pub(super) enum Waited {
    Met(String),
    /// The person let go; what was done stays done.
    Detached,
    TimedOut(String),
    Failed(Error),
}

/// Between two looks, each of at most two GETs: fast enough to see a kill before the back-off
/// hides it, and nothing to an API server.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// How fast Ctrl-C is answered.
const SLICE: Duration = Duration::from_millis(100);

pub(super) async fn wait(
    cluster: &Cluster,
    object: &ObjectRef,
    until: &Until,
    watcher: &mut dyn Watcher,
    patience: &Patience,
) -> Waited {
    let mut memory = Memory::default();
    let mut last = String::new();
    let mut moved = Instant::now();
    loop {
        let (says, fraction) = match look(cluster, object, until, &mut memory).await {
            Ok(Look::Met(says)) => return Waited::Met(says),
            Ok(Look::Hopeless(why)) => return Waited::Failed(Error::Hopeless(why)),
            Ok(Look::NotYet { says, fraction }) => (says, fraction),
            Err(error) if error.is_transient() => {
                (format!("{}: {}", object.short(), error.whole()), None)
            }
            Err(error) => return Waited::Failed(error),
        };
        if says != last {
            moved = Instant::now();
            last.clone_from(&says);
        }
        watcher.wait(&says, fraction);
        if moved.elapsed() >= patience.timeout {
            return Waited::TimedOut(says);
        }
        if pause(watcher).await {
            return Waited::Detached;
        }
    }
}

/// Sleeps until the next look; true if the person asked to stop.
pub(super) async fn pause(watcher: &dyn Watcher) -> bool {
    let end = Instant::now() + BETWEEN_LOOKS;
    while Instant::now() < end {
        if watcher.stop_requested() {
            return true;
        }
        tokio::time::sleep(SLICE).await;
    }
    watcher.stop_requested()
}
