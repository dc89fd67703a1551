//! What a helper pod says, and plans that only look.

mod brief;

use std::time::Duration;

use serde_json::Value;

use super::again::Again;
use super::approve::Approved;
use super::cluster::Cluster;
use super::error::Error;
use super::execute::{Ended, Patience, Watcher, execute};
use super::journal::{Identity, Journal, may_have_happened};
use super::undo::undo;
use crate::model::object::{ObjectExt, ObjectRef};
use crate::model::plan::{Action, Plan, Step, Undo};
use crate::model::receipt::{Progress, State, StepState};
use brief::brief;

/// The log of a container that has ended may be read before its end is written (seen on 1.34): the
/// report is read again until it is whole.
const LOOKS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(500);
const CONTAINER: &str = "agent";
/// Of words that are no report.
const LAST_LINES: usize = 3;

/// The report of a helper that has ended: the JSON document at the end of its log.
pub(super) async fn report(cluster: &Cluster, pod: &ObjectRef) -> Result<Value, Error> {
    let mut again = Again::default();
    let mut looks = 0;
    while looks < LOOKS {
        match cluster.log(pod, CONTAINER).await.map(|log| document(&log)) {
            Ok(Some(report)) => return Ok(brief(report)),
            Ok(None) => looks += 1,
            Err(error) => again.of_kubelet(error).await?,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Error::Helper { pod: pod.short(), why: "its log holds no report".into() })
}

/// Progress comes before it, a line each.
fn document(log: &str) -> Option<Value> {
    let begins = std::iter::once(0).chain(log.match_indices('\n').map(|(at, _)| at + 1));
    let mut rests = begins.filter_map(|at| log.get(at..)).filter(|rest| rest.starts_with('{'));
    rests.find_map(|rest| serde_json::from_str(rest).ok())
}

/// What a helper at work says of how far it is: its last line of progress, and the share in it. None
/// where it cannot be had, or is of other words.
pub(super) async fn how_far(cluster: &Cluster, pod: &ObjectRef) -> Option<(String, f64)> {
    let log = cluster.log_tail(pod, CONTAINER).await.ok()?;
    log.lines().rev().find_map(progress)
}

/// `read 1.2 GiB of 3.4 GiB (35 %)`, as our agent logs it every five seconds.
fn progress(line: &str) -> Option<(String, f64)> {
    let (done, share) = line.strip_prefix("read ")?.strip_suffix(" %)")?.split_once(" (")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == ' ' || c == '.';
    let share = share.parse::<u8>().ok().filter(|share| *share <= 100)?;
    done.chars().all(plain).then(|| (line.to_owned(), f64::from(share) / 100.0))
}

/// The last words of a helper that failed; empty where they cannot be had.
pub(super) async fn last_words(cluster: &Cluster, pod: &ObjectRef) -> String {
    let log = cluster.log(pod, CONTAINER).await.unwrap_or_default();
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    lines.get(from..).unwrap_or_default().join("; ")
}

/// In the words for a helper that has no image.
pub const NO_IMAGE: &str = "cannot get the image";

/// Why a helper will not begin: its image is not on the node, and cannot be had.
pub(super) fn lacks_image(pod: &Value) -> Option<String> {
    let waiting = pod.list("/status/containerStatuses").first()?.pointer("/state/waiting")?;
    let reason = waiting.text("/reason");
    // `ErrImagePull` is tried again before the kubelet says that it backs off.
    if !matches!(reason, "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull") {
        return None;
    }
    let image = pod.text("/spec/containers/0/image");
    let message = waiting.text("/message");
    Some(format!("pod/{} {NO_IMAGE} {image}: {reason}: {message}", pod.name()))
}

/// Whether a helper that will not go on has changed nothing.
pub(super) async fn has_not_begun(cluster: &Cluster, pod: &ObjectRef) -> bool {
    let live = cluster.get(pod).await.ok().flatten().unwrap_or_default();
    lacks_image(&live).is_some()
}

/// Whether a helper has ended by refusing: then it has changed nothing.
pub(super) async fn has_refused(cluster: &Cluster, pod: &ObjectRef) -> bool {
    let live = cluster.get(pod).await.ok().flatten().unwrap_or_default();
    exit(&live) == Some(REFUSED)
}

/// The agent's number for that.
pub(super) const REFUSED: i64 = 3;

/// The number with which a helper ended.
pub(super) fn exit(pod: &Value) -> Option<i64> {
    pod.list("/status/containerStatuses").first()?.number("/state/terminated/exitCode")
}

/// Takes a helper away, and what it ran, whatever comes of it. What a helper before it did stays
/// done: that one was removed by its own steps.
pub(super) async fn remove(cluster: &Cluster, journal: &mut Journal, plan: &Plan, upto: usize) {
    for (index, step) in plan.steps.iter().enumerate().take(upto).rev() {
        let Action::Create { object, .. } = &step.action else { continue };
        if is_gone(&plan.steps, &journal.receipt().steps, object) {
            continue;
        }
        let Some(uid) = journal.step(index).uid.clone() else { continue };
        if cluster.delete(object, &uid, false).await.is_ok() {
            journal.step(index).state = StepState::NotTried;
        }
    }
}

/// Whether a step that is done has removed what the plan created.
fn is_gone(steps: &[Step], done: &[Progress], created: &ObjectRef) -> bool {
    steps.iter().zip(done).any(|(step, progress)| {
        let removes = matches!(&step.action, Action::Delete { object, .. } if object == created);
        removes && progress.state == StepState::Did
    })
}

/// What a plan has left behind by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    /// Files that a helper changed.
    Files,
    /// A change of an object of somebody else: a pod that is held, say.
    Changes,
}

/// Of a plan whose helper has refused its work.
pub(super) fn left(steps: &[Step], done: &[Progress]) -> Left {
    let mut left = Left::Nothing;
    for (step, progress) in steps.iter().zip(done) {
        if !may_have_happened(progress) {
            continue;
        }
        match &step.action {
            Action::Patch { .. } => return Left::Changes,
            Action::Create { .. } if matches!(step.undo, Undo::Restore(_)) => left = Left::Files,
            Action::Create { object, .. } if !is_gone(steps, done, object) => {
                return Left::Changes;
            }
            Action::Delete { uid, .. } if !uid.is_empty() => return Left::Changes,
            Action::Create { .. }
            | Action::Delete { .. }
            | Action::Exec { .. }
            | Action::Wait { .. } => {}
        }
    }
    left
}

/// Carries out a plan that only looks; what its helper reported. Whatever comes of it, nothing of it
/// is left behind but the receipt.
pub async fn look_inside(
    cluster: &Cluster,
    approved: &Approved,
    who: &Identity,
    watcher: &mut dyn Watcher,
    patience: &Patience,
) -> Result<Value, Error> {
    let mut journal = Journal::begin(cluster, approved, who).await?;
    let ended = execute(cluster, &mut journal, watcher, patience).await;
    let said = journal.receipt().steps.iter().find_map(|step| step.said.clone());
    let error = match ended {
        Ended::Done => {
            // Nothing is left to be put back.
            journal.close(cluster, State::Undone).await?;
            return said.ok_or_else(|| nothing(approved));
        }
        Ended::Failed { error, .. } | Ended::Refused { error, .. } => error,
        Ended::Stale { why, .. } | Ended::TimedOut { says: why, .. } => Error::Hopeless(why),
        Ended::Stopped { .. } | Ended::Detached => Error::Hopeless("stopped".into()),
    };
    let receipt = journal.receipt().clone();
    if receipt.state != State::Undone {
        // Whoever asked to stop wants it gone all the same.
        let cleaned = undo(cluster, &receipt, &mut Deaf(watcher), patience, true).await;
        if !matches!(cleaned, Ok(Ended::Done)) {
            let why = format!(
                "{}; and what it made is not all gone: kubectl prom-fix undo {} -n {}",
                error.whole(),
                receipt.digest,
                receipt.plan.target.namespace
            );
            return Err(Error::Helper { pod: approved.title.clone(), why });
        }
    }
    Err(error)
}

/// A watcher that is not stopped.
struct Deaf<'a>(&'a mut dyn Watcher);

impl Watcher for Deaf<'_> {
    fn step(&mut self, number: usize, of: usize, what: &str) {
        self.0.step(number, of, what);
    }

    fn wait(&mut self, says: &str, fraction: Option<f64>) {
        self.0.wait(says, fraction);
    }

    fn done(&mut self, number: usize, says: &str) {
        self.0.done(number, says);
    }

    fn stop_requested(&self) -> bool {
        false
    }
}

fn nothing(approved: &Approved) -> Error {
    Error::Helper { pod: approved.title.clone(), why: "it reported nothing".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use serde_json::json;

    /// Made, and removed again.
    fn helper(name: &str, undo: Undo) -> [Step; 2] {
        let object = ObjectRef::new(Kind::Pod, "mon", name);
        let step = |action: Action, undo: Undo| Step { why: String::new(), action, undo };
        let made = Action::Create { object: object.clone(), body: json!({}) };
        let gone = Action::Delete { object, uid: String::new(), grace: None };
        [step(made, undo), step(gone, Undo::Words(String::new()))]
    }

    #[test]
    fn what_a_helper_did_is_not_forgotten_with_the_one_that_refused() {
        let done = |steps: &[Step], done: usize| {
            let did = |at: usize| Progress {
                state: if at < done { StepState::Did } else { StepState::NotTried },
                ..Progress::default()
            };
            left(steps, &(0..steps.len()).map(did).collect::<Vec<_>>())
        };
        let proof = [helper("a", Undo::Delete), helper("b", Undo::Delete)].concat();
        assert_eq!(done(&proof, 2), Left::Nothing, "a proof leaves nothing");
        assert_eq!(done(&proof, 1), Left::Changes, "a helper is still there");
        let given = [helper("a", Undo::Restore(Vec::new())), helper("b", Undo::Delete)].concat();
        assert_eq!(done(&given, 2), Left::Files, "files were changed");
        let patched = crate::effects::tests::plans::memory().steps;
        assert_eq!(done(&patched, 1), Left::Changes, "an object of somebody else was changed");
        assert_eq!(done(&patched, 0), Left::Nothing);
    }

    #[test]
    fn the_report_is_what_follows_the_progress() {
        let whole = "read 1 GiB of 2\n{\"a\":\n  1}\n";
        assert_eq!(document(whole), Some(json!({"a": 1})));
        assert_eq!(document("{\"a\": 1}"), Some(json!({"a": 1})));
        assert_eq!(document("read\n{\"a\":"), None);
        assert_eq!(document(""), None);
    }

    #[test]
    fn only_words_of_our_agent_are_progress() {
        let line = "read 1.2 GiB of 3.4 GiB (35 %)";
        assert_eq!(progress(line), Some((line.to_owned(), 0.35)));
        for other in
            ["", "read", "read \u{1b}[2J of x (35 %)", "read 1 of 2 (350 %)", "{", "wrote 1"]
        {
            assert_eq!(progress(other), None, "{other}");
        }
    }
}
