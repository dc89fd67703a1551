//! The room against an API server in memory: what is written, in which order, and what is left
//! when anything stops half way.

mod away;
mod crash;
pub(super) mod fake;
mod happy;
pub(super) mod plans;
mod refused;
mod rehearsal;
mod renewed;
mod waits;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::*;
use crate::model::object::{Kind, ObjectRef};
use crate::model::plan::{Blocked, Plan};
use crate::model::receipt::Receipt;
use fake::World;

/// Writes down what it is told; asks to stop once so many steps are done.
#[derive(Default)]
pub(super) struct Recorder {
    pub said: Vec<String>,
    pub stop_after: Option<usize>,
    pub stop_waiting: bool,
    done: usize,
}

impl Watcher for Recorder {
    fn step(&mut self, number: usize, of: usize, what: &str) {
        self.said.push(format!("{number}/{of} {what}"));
    }

    fn wait(&mut self, says: &str, _fraction: Option<f64>) {
        if self.said.last().is_none_or(|last| last != says) {
            self.said.push(says.to_owned());
        }
    }

    fn done(&mut self, _number: usize, says: &str) {
        self.done += 1;
        self.said.push(says.to_owned());
    }

    fn stop_requested(&self) -> bool {
        self.stop_after.is_some_and(|after| self.done >= after)
            || (self.stop_waiting && self.said.iter().any(|said| said.contains("ready")))
    }
}

pub(super) const PATIENCE: Patience =
    Patience { timeout: Duration::from_secs(60), settle: Duration::ZERO, downtime: false };

pub(super) fn agreed(plan: Plan) -> Approved {
    let consents = Consents { consent: Consent::Yes, allow_downtime: true, beforehand: false };
    approve(plan, &consents, "", &mut |_| None).expect("--yes")
}

pub(super) fn identity() -> Identity {
    Identity {
        who: "alice".into(),
        context: "kind".into(),
        server: "https://127.0.0.1".into(),
        version: "0.1.0".into(),
    }
}

/// Runs with a clock that leaps over every sleep.
pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// Runs until it is killed at `point`, and asserts that it was.
pub(super) fn killed<T>(point: &str, work: impl Future<Output = T>) {
    fault::WANTED.set(point.to_owned());
    let ended = catch_unwind(AssertUnwindSafe(|| run(work)));
    fault::WANTED.set(String::new());
    assert!(ended.is_err(), "nothing passes {point}");
}

/// Begins and carries out a plan against the world.
pub(super) async fn carry_out(
    world: &World,
    plan: Plan,
    watcher: &mut Recorder,
) -> (Journal, Ended) {
    let cluster = world.cluster();
    let mut journal =
        Journal::begin(&cluster, &agreed(plan), &identity()).await.expect("nothing is open");
    let ended = execute(&cluster, &mut journal, watcher, &PATIENCE).await;
    (journal, ended)
}

/// Undoes without force, unwatched.
pub(super) async fn take_back(world: &World, receipt: &Receipt) -> Result<Ended, Blocked> {
    undo(&world.cluster(), receipt, &mut Recorder::default(), &PATIENCE, false).await
}

pub(super) fn set() -> ObjectRef {
    ObjectRef::new(Kind::StatefulSet, "mon", "prom")
}

pub(super) fn pod() -> ObjectRef {
    ObjectRef::new(Kind::Pod, "mon", "prom-0")
}
