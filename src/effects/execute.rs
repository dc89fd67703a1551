//! Carries out an approved plan, step by step, from the first that is not done. No choice is made
//! here: what does not fit the plan ends the run.

mod deleting;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::closed;
use super::cluster::Cluster;
use super::errand::{self, Left};
use super::error::Error;
use super::fault::fault;
use super::folder;
use super::journal::{Journal, may_have_happened, now};
use super::send;
use super::serves;
use crate::model::object::{ObjectExt, ObjectRef};
use crate::model::patch::Op;
use crate::model::plan::{Action, Plan, Step, Undo, Until};
use crate::model::receipt::{Receipt, State, StepState};

/// Is told what happens, and says when to stop. Steps count from 1.
pub trait Watcher {
    /// A step begins.
    fn step(&mut self, number: usize, of: usize, what: &str);
    /// How far a wait is: `pod/x-0: 0/2 ready, replaying WAL 12/40`.
    fn wait(&mut self, says: &str, fraction: Option<f64>);
    /// A step is done.
    fn done(&mut self, number: usize, says: &str);
    /// Whether the person asked to stop (Ctrl-C).
    fn stop_requested(&self) -> bool;
}

/// How long is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Time without progress before a wait is given up.
    pub timeout: Duration,
    /// How long it must stay up afterwards; for the proof, which is not made here.
    pub settle: Duration,
    /// Consent to stopping a pod that serves though no other does, where the plan did not foresee
    /// that.
    pub downtime: bool,
}

/// How a run ended. Whether something is left to finish is in the receipt: its state is `Open`.
#[derive(Debug)]
pub enum Ended {
    /// Every step is done.
    Done,
    /// The person asked to stop before this step was begun. Where nothing was done, the receipt
    /// is closed; else it stays open.
    Stopped { step: usize },
    /// The person let go while this was waited for; everything before it is in place.
    Detached,
    /// No progress for as long as patience lasts. The receipt stays open.
    TimedOut { step: usize, says: String },
    /// Earlier steps are in place, and the receipt stays open; where nothing was done at all, it
    /// is closed.
    Failed { step: usize, error: Error },
    /// A helper saw that the files are not as was agreed to, or that they cannot be changed, and
    /// left them. The receipt is closed: as undone where nothing of the plan is left; else what is
    /// held stays so, and it can be undone, or another plan made.
    Refused { step: usize, error: Error },
    /// The first step no longer fits. Nothing was changed, and the receipt is closed.
    Stale { step: usize, why: String },
}

/// Why a run does not go on to the next step.
enum Halt {
    Detached,
    TimedOut(String),
    /// It did not happen.
    Failed(Error),
    /// No answer: it may have happened.
    Unclear(Error),
    /// A helper saw that things are not as was agreed to, and did nothing.
    Refused(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        if error.is_transient() { Halt::Unclear(error) } else { Halt::Failed(error) }
    }
}

/// Takes up a plan where a run left it.
pub async fn resume(
    cluster: &Cluster,
    receipt: &Receipt,
    watcher: &mut dyn Watcher,
    patience: &Patience,
) -> Result<(Journal, Ended), Error> {
    closed::check(&receipt.plan)?;
    let mut journal = Journal::open(cluster, receipt).await?;
    closed::check(&journal.receipt().plan)?;
    let now = journal.receipt();
    let mut steps = now.plan.steps.iter().zip(&now.steps);
    // Minutes or hours ago it was asked for.
    if !patience.downtime
        && !steps.any(|(step, progress)| deleting::stops(step) && may_have_happened(progress))
        && let Err(error) = serves::as_foreseen(cluster, &now.plan).await
    {
        return Ok((journal, Ended::Failed { step: 1, error }));
    }
    let ended = go_on(cluster, &mut journal, watcher, patience, true).await;
    Ok((journal, ended))
}

/// Carries out what the journal says is not done. Returns at the first step that does not end
/// well; what it says of a step is in the receipt before this returns.
pub async fn execute(
    cluster: &Cluster,
    journal: &mut Journal,
    watcher: &mut dyn Watcher,
    patience: &Patience,
) -> Ended {
    if !patience.downtime
        && let Err(error) = serves::as_foreseen(cluster, &journal.receipt().plan).await
    {
        return halted(cluster, journal, 1, error.into()).await;
    }
    go_on(cluster, journal, watcher, patience, false).await
}

/// `later`: the plan was shown some time ago.
async fn go_on(
    cluster: &Cluster,
    journal: &mut Journal,
    watcher: &mut dyn Watcher,
    patience: &Patience,
    later: bool,
) -> Ended {
    if journal.receipt().undone.iter().any(|entry| entry.began.is_some()) {
        let error = Error::BeingUndone { digest: journal.receipt().digest.clone() };
        return Ended::Failed { step: 1, error };
    }
    let plan = journal.receipt().plan.clone();
    for (index, step) in plan.steps.iter().enumerate() {
        let number = index + 1;
        if journal.step(index).state == StepState::Did {
            continue;
        }
        if watcher.stop_requested() {
            return stopped(cluster, journal, number).await;
        }
        watcher.step(number, plan.steps.len(), &what(step));
        let mut run =
            Run { cluster, journal: &mut *journal, watcher: &mut *watcher, patience, later };
        let halt = match run.one(&plan, index, step).await {
            Ok(says) => {
                watcher.done(number, &says);
                continue;
            }
            Err(halt) => halt,
        };
        return halted(cluster, journal, number, halt).await;
    }
    fault("journal-open");
    match journal.close(cluster, State::Applied).await {
        Ok(()) => Ended::Done,
        Err(error) => Ended::Failed { step: plan.steps.len(), error },
    }
}

/// A step in a few words: `patch sts/prometheus`.
pub(super) fn what(step: &Step) -> String {
    format!("{} {}", step.action.verb(), step.action.object().short())
}

/// What carrying out one step needs.
struct Run<'a> {
    cluster: &'a Cluster,
    journal: &'a mut Journal,
    watcher: &'a mut dyn Watcher,
    patience: &'a Patience,
    /// The plan was shown some time ago: what it took for down may serve by now.
    later: bool,
}

impl Run<'_> {
    /// One step between its two entries in the journal.
    async fn one(&mut self, plan: &Plan, index: usize, step: &Step) -> Result<String, Halt> {
        let number = index + 1;
        let maybe_made = self.journal.step(index).state == StepState::Began;
        if !maybe_made {
            // Read before the journal says `Began`: from then on the step counts as sent.
            if let Action::Patch { object, .. } = &step.action {
                let live = send::read(self.cluster, object).await?;
                let fields = live.pointer("/metadata/managedFields").cloned();
                self.journal.step(index).fields_before = fields;
            }
            let progress = self.journal.step(index);
            progress.state = StepState::Began;
            progress.began = Some(now());
            progress.ended = None;
            progress.error = None;
            self.journal.save(self.cluster).await?;
        }
        fault(format_args!("step-{number}-began"));
        let says = self.act(plan, index, step, maybe_made).await?;
        fault(format_args!("step-{number}-sent"));
        let progress = self.journal.step(index);
        progress.state = StepState::Did;
        progress.ended = Some(now());
        progress.error = None;
        // It happened, whatever becomes of the receipt: never `Failed` from here on.
        self.journal.save(self.cluster).await.map_err(Halt::Unclear)?;
        fault(format_args!("step-{number}-did"));
        Ok(says)
    }

    async fn act(
        &mut self,
        plan: &Plan,
        index: usize,
        step: &Step,
        maybe_made: bool,
    ) -> Result<String, Halt> {
        match &step.action {
            Action::Patch { object, patch } => {
                let before = plan.steps.iter().take(index);
                let later = before
                    .into_iter()
                    .any(|s| matches!(&s.action, Action::Patch { object: of, .. } if of == object));
                let sent = match later {
                    true => send::patch_on_top(self.cluster, object, patch, maybe_made).await,
                    false => send::patch(self.cluster, object, patch, maybe_made)
                        .await
                        .map(|live| (live, None)),
                };
                let (live, note) = sent.map_err(|error| unsure(error, maybe_made))?;
                let progress = self.journal.step(index);
                progress.served = served(&live, &step.undo);
                progress.note = note;
                Ok(format!("patched {}", object.short()))
            }
            Action::Create { object, body } => {
                folder::is_of_target(self.cluster, &plan.target, body).await?;
                let sent = send::create(self.cluster, object, body, maybe_made).await;
                let live = sent.map_err(|error| unsure(error, maybe_made))?;
                self.journal.step(index).uid = Some(live.uid().to_owned());
                Ok(format!("created {}", object.short()))
            }
            Action::Delete { object, uid, grace } => {
                let uid = self.uid(plan, index, object, uid)?;
                self.delete(plan, index, object, &uid, *grace).await?;
                Ok(format!("deleted {}", object.short()))
            }
            Action::Wait { object, until } => {
                if *until == Until::Completed {
                    self.make_again(plan, index, object).await?;
                }
                self.wait(index, object, until).await
            }
            Action::Exec { .. } => Err(Halt::Failed(Error::NoExec { step: index + 1 })),
        }
    }

    /// The uid a deletion is held to. An object that the plan creates itself has none when the
    /// plan is made: it is the one the journal noted.
    fn uid(
        &mut self,
        plan: &Plan,
        index: usize,
        object: &ObjectRef,
        uid: &str,
    ) -> Result<String, Error> {
        if !uid.is_empty() {
            return Ok(uid.to_owned());
        }
        let made = plan.steps.iter().take(index).rposition(
            |step| matches!(&step.action, Action::Create { object: made, .. } if made == object),
        );
        made.and_then(|made| self.journal.step(made).uid.clone())
            .ok_or_else(|| send::moved(object, "this plan did not create it".into()))
    }
}

/// After a crash, an object that fits neither before nor after may be ours with a change of
/// somebody else on top: that step is not known to be undone.
fn unsure(error: Error, maybe_made: bool) -> Halt {
    if maybe_made { Halt::Unclear(error) } else { error.into() }
}

/// What the pointers of an undo hold now, for telling the server's own rewriting from a change
/// that somebody makes later.
fn served(live: &Value, undo: &Undo) -> BTreeMap<String, Value> {
    let Undo::Patch(ops) = undo else { return BTreeMap::new() };
    let guards = ops.iter().filter_map(|op| match op {
        Op::Test { path, .. } if !path.starts_with("/metadata/uid") => Some(path),
        _ => None,
    });
    guards.filter_map(|path| Some((path.clone(), live.pointer(path)?.clone()))).collect()
}

async fn stopped(cluster: &Cluster, journal: &mut Journal, number: usize) -> Ended {
    if journal.receipt().steps.iter().any(may_have_happened) {
        return Ended::Stopped { step: number };
    }
    match journal.close(cluster, State::Undone).await {
        Ok(()) => Ended::Stopped { step: number },
        Err(error) => Ended::Failed { step: number, error },
    }
}

/// A helper saw that its work cannot be done as agreed, and did none of it.
async fn refused(cluster: &Cluster, journal: &mut Journal, number: usize, error: Error) -> Ended {
    let index = number - 1;
    let plan = journal.receipt().plan.clone();
    errand::remove(cluster, journal, &plan, index).await;
    let progress = journal.step(index);
    progress.state = StepState::NotTried;
    progress.error = Some(error.whole());
    match errand::left(&plan.steps, &journal.receipt().steps) {
        Left::Nothing => {
            let _ = journal.close(cluster, State::Undone).await;
            Ended::Refused { step: number, error }
        }
        // What is held stays held: whoever looks again may agree to what is there now.
        Left::Changes => {
            let _ = journal.close(cluster, State::Applied).await;
            Ended::Refused { step: number, error }
        }
        Left::Files => {
            let _ = journal.save(cluster).await;
            Ended::Failed { step: number, error }
        }
    }
}

/// Writes down how a step ended that did not end well. A receipt that cannot be written is not
/// worth hiding the first error for.
async fn halted(cluster: &Cluster, journal: &mut Journal, number: usize, halt: Halt) -> Ended {
    let index = number - 1;
    let error = match halt {
        // A wait that was left is waited for again by `resume`.
        Halt::Detached => return Ended::Detached,
        Halt::TimedOut(says) => {
            journal.step(index).error = Some(format!("no progress: {says}"));
            let _ = journal.save(cluster).await;
            return Ended::TimedOut { step: number, says };
        }
        Halt::Unclear(error) => {
            journal.step(index).error = Some(error.whole());
            let _ = match journal.receipt().steps.iter().any(may_have_happened) {
                true => journal.save(cluster).await,
                false => journal.close(cluster, State::Undone).await,
            };
            return Ended::Failed { step: number, error };
        }
        Halt::Refused(error) => return refused(cluster, journal, number, error).await,
        Halt::Failed(error) => error,
    };
    let progress = journal.step(index);
    progress.state = StepState::Failed;
    progress.ended = Some(now());
    progress.error = Some(error.whole());
    let untouched = !journal.receipt().steps.iter().any(may_have_happened);
    if !untouched {
        let _ = journal.save(cluster).await;
        return Ended::Failed { step: number, error };
    }
    // Nothing was done: nothing is left behind to finish, where that can be written.
    let closed = journal.close(cluster, State::Undone).await.is_ok();
    match error {
        Error::Moved { object, why } if closed => {
            Ended::Stale { step: number, why: format!("{object}: {why}") }
        }
        error => Ended::Failed { step: number, error },
    }
}
