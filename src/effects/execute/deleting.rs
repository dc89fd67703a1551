//! A step that deletes: what serves is spared, and what is renewed is so for a template that was seen.

use super::super::error::Error;
use super::super::renewed::Deletion;
use super::super::serves;
use super::Run;
use crate::model::object::{Kind, ObjectRef};
use crate::model::plan::{Action, Impact, Plan, Step};

/// Whether a step may stop a pod, by itself or through a controller.
pub(super) fn stops(step: &Step) -> bool {
    matches!(step.action, Action::Delete { .. }) || is_of_owner(step)
}

/// Whether a step patches what makes pods.
fn is_of_owner(step: &Step) -> bool {
    matches!(&step.action, Action::Patch { object, .. } if object.kind != Kind::Pod)
}

impl Run<'_> {
    pub(super) async fn delete(
        &self,
        plan: &Plan,
        index: usize,
        object: &ObjectRef,
        uid: &str,
        grace: Option<u32>,
    ) -> Result<(), Error> {
        let Impact { serving, stops_serving, .. } = &plan.impact;
        let downtime = self.patience.downtime;
        let counted_on = self.later || serving.contains(&object.name);
        if counted_on && !downtime && !stops_serving && plan.undoes.is_none() {
            serves::spared(self.cluster, object, uid).await?;
        }
        if plan.steps.iter().take(index).any(is_of_owner) {
            let downtime = downtime || *stops_serving;
            return Deletion { object, uid, grace, downtime }.renews(self.cluster).await;
        }
        self.cluster.delete_within(object, uid, grace).await.map(drop)
    }
}
