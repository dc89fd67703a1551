//! A step that waits; for a helper also that it is there, and what it says at its end.

use std::time::Duration;

use super::super::errand;
use super::super::error::Error;
use super::super::folder;
use super::super::send;
use super::super::wait::{Waited, wait};
use super::{Halt, Run};
use crate::model::object::{ObjectExt, ObjectRef};
use crate::model::plan::{Action, Plan, Until};
use crate::model::receipt::AGAIN;

/// How long a pod that ended may take to go.
const LOOKS: usize = 60;
const PAUSE: Duration = Duration::from_secs(1);

impl Run<'_> {
    pub(super) async fn wait(
        &mut self,
        index: usize,
        object: &ObjectRef,
        until: &Until,
    ) -> Result<String, Halt> {
        let waited = wait(self.cluster, object, until, self.watcher, self.patience).await;
        let of_helper = *until == Until::Completed;
        match waited {
            Waited::Met(says) => {
                if of_helper {
                    let said = errand::report(self.cluster, object).await?;
                    self.journal.step(index).said = Some(said);
                }
                Ok(says)
            }
            Waited::Detached => Err(Halt::Detached),
            Waited::TimedOut(says) => Err(Halt::TimedOut(says)),
            Waited::Failed(Error::Hopeless(why)) if of_helper => {
                // Of one that went on for another it is not known that nothing was changed.
                let once =
                    !self.journal.receipt().steps.iter().any(|s| s.note.as_deref() == Some(AGAIN));
                if once && errand::has_not_begun(self.cluster, object).await {
                    return Err(Halt::Refused(Error::Hopeless(why)));
                }
                let words = errand::last_words(self.cluster, object).await;
                let error = Error::Hopeless(format!("{why}: {words}"));
                match once && errand::has_refused(self.cluster, object).await {
                    true => Err(Halt::Refused(error)),
                    false => Err(Halt::Failed(error)),
                }
            }
            Waited::Failed(error) => Err(Halt::Failed(error)),
        }
    }

    /// A helper that somebody removed, or that was ended from outside (its node's memory, its
    /// deadline), is made again: our agent goes on where the one before stopped.
    pub(super) async fn make_again(
        &mut self,
        plan: &Plan,
        index: usize,
        object: &ObjectRef,
    ) -> Result<(), Halt> {
        let made = plan.steps.iter().enumerate().take(index).rev();
        let made = made.into_iter().find_map(|(at, step)| match &step.action {
            Action::Create { object: made, body } if made == object => Some((at, body)),
            _ => None,
        });
        let Some((at, body)) = made else { return Ok(()) };
        if let Some(live) = self.cluster.get(object).await? {
            let ours = self.journal.step(at).uid.as_deref() == Some(live.uid());
            let refused = errand::exit(&live) == Some(errand::REFUSED);
            if !ours || live.text("/status/phase") != "Failed" || refused {
                return Ok(());
            }
            self.cluster.delete(object, live.uid(), false).await?;
            for _ in 0..LOOKS {
                if self.cluster.get(object).await?.is_none() {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        folder::is_of_target(self.cluster, &plan.target, body).await?;
        let live = send::create(self.cluster, object, body, true).await?;
        self.journal.step(at).uid = Some(live.uid().to_owned());
        self.journal.step(at).note = Some(AGAIN.into());
        self.journal.save(self.cluster).await.map_err(Halt::Unclear)
    }
}
