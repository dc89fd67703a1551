//! Puts back what a receipt says was done, last step first: values, then field ownership. Before
//! the first write, the whole way back is walked on copies; where somebody else changed a value
//! since, nothing is written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::closed;
use super::cluster::Cluster;
use super::error::Error;
use super::execute::{Ended, Patience, Watcher, what};
use super::fault::fault;
use super::guards::{carries, made_from, same, says};
use super::journal::{Journal, may_have_happened, now, open_for};
use super::{ownership, restart, send};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::patch::{self, Op};
use crate::model::plan::{Action, Blocked, BlockedReason, Step, Undo};
use crate::model::receipt::{Progress, Receipt, State, StepState};

/// Undoes a receipt, or goes on with an undo that was interrupted. `force` takes back values that
/// somebody else changed since. What its helpers did to files is taken back before, by a plan of
/// its own ([`Receipt::to_restore`]).
///
/// Pods that restart because of it are not waited for: only their controller has to accept.
pub async fn undo(
    cluster: &Cluster,
    receipt: &Receipt,
    watcher: &mut dyn Watcher,
    _patience: &Patience,
    force: bool,
) -> Result<Ended, Blocked> {
    if receipt.state == State::Undone {
        return Ok(Ended::Done);
    }
    let failed = |step: usize, error: Error| Ok(Ended::Failed { step, error });
    match open_for(cluster, receipt).await {
        Ok(None) => {}
        // What another plan of the target holds is not let go under it.
        Ok(Some(other)) => return Err(other.busy()),
        Err(error) => return failed(0, error),
    }
    let mut journal = match Journal::open(cluster, receipt).await {
        Ok(journal) => journal,
        Err(error) => return failed(0, error),
    };
    let receipt = journal.receipt().clone();
    if let Err(error) = closed::check(&receipt.plan) {
        return failed(0, error);
    }
    let tasks = tasks(&receipt);
    match foresee(cluster, &receipt, &tasks, force).await {
        Ok(None) => {}
        Ok(Some(why)) => {
            let ways = vec!["--force".to_owned()];
            return Err(Blocked { reason: BlockedReason::Stale, why, ways });
        }
        Err(error) => return failed(0, error),
    }
    journal.receipt_mut().state = State::Open;
    for (place, &index) in tasks.iter().enumerate() {
        let Some(step) = receipt.plan.steps.get(index) else { continue };
        let number = index + 1;
        if watcher.stop_requested() {
            return Ok(Ended::Stopped { step: number });
        }
        watcher.step(place + 1, tasks.len(), &format!("take back: {}", what(step)));
        let watcher = &mut *watcher;
        let mut way = Way { cluster, journal: &mut journal, watcher, force };
        match way.back(&receipt, index, step, is_last_of(&receipt, &tasks, place)).await {
            Ok(says) => watcher.done(place + 1, &says),
            Err(error) => {
                entry(&mut journal, number).error = Some(error.whole());
                // The error at hand says more than one about writing it down.
                let _ = journal.save(cluster).await;
                return failed(number, error);
            }
        }
    }
    if let Err(error) = restart::settle(cluster, &receipt, watcher).await {
        return failed(0, error);
    }
    match journal.close(cluster, State::Undone).await {
        Ok(()) => Ok(Ended::Done),
        Err(error) => failed(0, error),
    }
}

/// Says in a receipt that what its helpers did is being taken back, before that begins: whoever
/// carries it out learns it at their next write, and nobody takes it up again.
pub async fn announce(cluster: &Cluster, receipt: &Receipt) -> Result<(), Error> {
    let mut journal = Journal::open(cluster, receipt).await?;
    for index in receipt.to_restore() {
        let begun = entry(&mut journal, index + 1);
        begun.state = StepState::Began;
        begun.began = Some(now());
    }
    journal.save(cluster).await
}

/// Places in the plan of the steps to take back, last first: those that may have happened, have a
/// way back, and were not taken back before.
fn tasks(receipt: &Receipt) -> Vec<usize> {
    let steps = receipt.plan.steps.iter().zip(&receipt.steps).enumerate();
    let undone = |number: usize| {
        let mut entries = receipt.undone.iter();
        entries.any(|entry| entry.step == Some(number) && entry.state == StepState::Did)
    };
    let mut tasks: Vec<usize> = steps
        .filter(|(_, (step, progress))| {
            may_have_happened(progress) && !matches!(step.undo, Undo::Words(_))
        })
        .map(|(index, _)| index)
        .filter(|index| !undone(index + 1))
        .collect();
    tasks.reverse();
    tasks
}

/// Whether no later task touches the same object: then its fields can be given back.
fn is_last_of(receipt: &Receipt, tasks: &[usize], place: usize) -> bool {
    let object = |index: &usize| receipt.plan.steps.get(*index).map(|step| step.action.object());
    let here = tasks.get(place).and_then(object);
    !tasks.iter().skip(place + 1).any(|index| object(index) == here)
}

/// What stands in the way of the undo, if anything does.
async fn foresee(
    cluster: &Cluster,
    receipt: &Receipt,
    tasks: &[usize],
    force: bool,
) -> Result<Option<String>, Error> {
    let mut objects: BTreeMap<&ObjectRef, Option<Value>> = BTreeMap::new();
    for index in tasks {
        let (Some(step), Some(progress)) =
            (receipt.plan.steps.get(*index), receipt.steps.get(*index))
        else {
            continue;
        };
        let Undo::Patch(ops) = &step.undo else { continue };
        let object = step.action.object();
        if !objects.contains_key(object) {
            objects.insert(object, cluster.get(object).await?);
        }
        let Some(Some(copy)) = objects.get_mut(object) else { continue };
        for part in parts(object, ops) {
            match fit(copy, &part, progress, force) {
                Fit::Send(ops) => patch::apply(copy, &ops),
                Fit::Nothing(_) => {}
                Fit::Changed(why) => return Ok(Some(format!("{}: {why}", object.short()))),
            }
        }
    }
    Ok(None)
}

/// The way back of a patch, in the patches that are sent. A Deployment whose pods follow each other
/// (`Recreate`) goes back to its template first, and to its strategy when the pods have followed:
/// with the old strategy the pod of the old template would be made beside the other, and wait for
/// the lock of their volume for ever.
fn parts(object: &ObjectRef, ops: &[Op]) -> Vec<Vec<Op>> {
    let of_strategy = |op: &Op| op.path().starts_with("/spec/strategy");
    let writes = |of: &dyn Fn(&Op) -> bool| ops.iter().any(|op| !op.is_guard() && of(op));
    let both = writes(&of_strategy) && writes(&|op| op.path().starts_with("/spec/template"));
    if object.kind != Kind::Deployment || !both {
        return vec![ops.to_vec()];
    }
    let of_uid = |op: &Op| op.path() == "/metadata/uid";
    let only = |keep: &dyn Fn(&Op) -> bool| ops.iter().filter(|op| keep(op)).cloned().collect();
    vec![only(&|op| !of_strategy(op)), only(&|op| of_uid(op) || of_strategy(op))]
}

/// How the undo of a patch stands to the object.
#[derive(Debug, PartialEq)]
enum Fit {
    /// To be sent, guarded by the values as they are served now.
    Send(Vec<Op>),
    /// Nothing of the patch is there; says why.
    Nothing(&'static str),
    /// Somebody else changed it; says what.
    Changed(String),
}

fn fit(live: &Value, ops: &[Op], progress: &Progress, force: bool) -> Fit {
    let mut here = live.clone();
    let mut sent = Vec::new();
    let mut changed = None;
    let mut ours = false;
    for op in ops {
        let Op::Test { path, value } = op else {
            if let Some(op) = fitting(&here, op) {
                patch::apply(&mut here, std::slice::from_ref(&op));
                sent.push(op);
            }
            continue;
        };
        let found = here.pointer(path);
        if path == "/metadata/uid" {
            if found != Some(value) {
                return Fit::Nothing("it was made anew since");
            }
            sent.push(op.clone());
            continue;
        }
        let is = found.unwrap_or(&Value::Null);
        let writes = ops.iter().any(|op| !op.is_guard() && op.path() == path);
        if same(is, value) || progress.served.get(path).is_some_and(|served| served == is) {
            ours |= writes;
        } else if !(force && writes) {
            // Without its name in place, an index points at another element: not even by force.
            changed.get_or_insert_with(|| says(path, found, value));
        }
        sent.push(Op::Test { path: path.clone(), value: is.clone() });
    }
    match changed {
        _ if carries(live, ops) => Fit::Nothing("the values are back already"),
        None => Fit::Send(sent),
        Some(_) if progress.state == StepState::Began && !ours => Fit::Nothing("it was not made"),
        Some(why) => Fit::Changed(why),
    }
}

/// The operation as RFC 6902 wants it for what is there: only by force can that differ from what
/// the plan foresaw.
fn fitting(here: &Value, op: &Op) -> Option<Op> {
    match op {
        Op::Remove { path } if here.pointer(path).is_none() => None,
        Op::Replace { path, value } if here.pointer(path).is_none() => {
            Some(Op::Add { path: path.clone(), value: value.clone() })
        }
        Op::Add { .. } | Op::Replace { .. } | Op::Remove { .. } | Op::Test { .. } => {
            Some(op.clone())
        }
    }
}

/// The journal's entry for taking back a step.
fn entry(journal: &mut Journal, number: usize) -> &mut Progress {
    let undone = &mut journal.receipt_mut().undone;
    let place = match undone.iter().position(|entry| entry.step == Some(number)) {
        Some(place) => place,
        None => {
            undone.push(Progress { step: Some(number), ..Progress::default() });
            undone.len() - 1
        }
    };
    undone.get_mut(place).expect("it was found or pushed above")
}

/// What taking back one step needs.
struct Way<'a> {
    cluster: &'a Cluster,
    journal: &'a mut Journal,
    watcher: &'a mut dyn Watcher,
    force: bool,
}

impl Way<'_> {
    async fn back(
        &mut self,
        receipt: &Receipt,
        index: usize,
        step: &Step,
        last: bool,
    ) -> Result<String, Error> {
        let number = index + 1;
        let begun = entry(self.journal, number);
        begun.state = StepState::Began;
        begun.began = Some(now());
        begun.error = None;
        self.journal.save(self.cluster).await?;
        fault(format_args!("undo-{number}-began"));
        let progress = receipt.steps.get(index).cloned().unwrap_or_default();
        let object = step.action.object();
        let says = match &step.undo {
            Undo::Patch(ops) => self.in_parts(object, ops, &progress).await?,
            Undo::Delete | Undo::Restore(_) => self.removal(step, &progress).await?,
            Undo::Words(words) => words.clone(),
        };
        fault(format_args!("undo-{number}-sent"));
        if let (Undo::Patch(ops), true) = (&step.undo, last) {
            self.fields(receipt, object, ops).await?;
        }
        fault(format_args!("undo-{number}-fields"));
        let done = entry(self.journal, number);
        done.state = StepState::Did;
        done.ended = Some(now());
        self.journal.save(self.cluster).await?;
        fault(format_args!("undo-{number}-did"));
        Ok(says)
    }

    async fn in_parts(
        &mut self,
        object: &ObjectRef,
        ops: &[Op],
        progress: &Progress,
    ) -> Result<String, Error> {
        let mut says = String::new();
        for (place, part) in parts(object, ops).iter().enumerate() {
            if place > 0 {
                restart::followed(self.cluster, object, self.watcher).await?;
            }
            says = self.values(object, part, progress).await?;
        }
        Ok(says)
    }

    async fn values(
        &self,
        object: &ObjectRef,
        ops: &[Op],
        progress: &Progress,
    ) -> Result<String, Error> {
        let name = object.short();
        let Some(live) = self.cluster.get(object).await? else {
            return Ok(format!("{name}: it no longer exists"));
        };
        match fit(&live, ops, progress, self.force) {
            Fit::Nothing(why) => Ok(format!("{name}: {why}")),
            Fit::Changed(why) => Err(send::moved(object, why)),
            Fit::Send(ops) => {
                send::patch(self.cluster, object, &ops, false).await?;
                Ok(format!("{name} is as it was"))
            }
        }
    }

    /// Gives back the fields of an object as they were before the first step that wrote it.
    async fn fields(&self, receipt: &Receipt, object: &ObjectRef, ops: &[Op]) -> Result<(), Error> {
        let mut first = receipt.plan.steps.iter().zip(&receipt.steps).filter(|(step, progress)| {
            step.action.object() == object && progress.fields_before.is_some()
        });
        let before = first.next().and_then(|(_, progress)| progress.fields_before.as_ref());
        let uid = ops.iter().find_map(|op| match op {
            Op::Test { path, value } if path == "/metadata/uid" => value.as_str(),
            _ => None,
        });
        match (before, uid) {
            (Some(before), Some(uid)) => {
                ownership::restore(self.cluster, object, uid, before).await
            }
            _ => Ok(()),
        }
    }

    /// Deletes what the step created, and nothing that only bears its name.
    async fn removal(&self, step: &Step, progress: &Progress) -> Result<String, Error> {
        let object = step.action.object();
        let name = object.short();
        let Some(live) = self.cluster.get(object).await? else {
            return Ok(format!("{name}: it no longer exists"));
        };
        let known = progress.uid.as_deref().is_some_and(|uid| uid == live.uid());
        let ours = match &step.action {
            Action::Create { body, .. } => {
                // In a plan our agent stands by its sum.
                let mut said = body.clone();
                said.as_object_mut().map(|fields| fields.remove("binaryData"));
                send::is_ours(&live, body) && made_from(&live, &said)
            }
            _ => false,
        };
        if !known && (progress.uid.is_some() || !ours) {
            return Ok(format!("{name}: it is not the one that was created"));
        }
        self.cluster.delete(object, live.uid(), false).await?;
        Ok(format!("{name} is deleted"))
    }
}
