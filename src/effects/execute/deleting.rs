//! A step that deletes: what serves is spared, and what is renewed is so for a template that was seen.

use super::super::error::Error;
use super::super::renewed::Deletion;
use super::super::serves;
use super::Run;
use crate::model::object::{Kind, ObjectRef};
use crate::model::plan::{Action, Impact, Plan, Step};

/// Whether a step may stop a pod, by itself or through a controller.
pub(super) fn stops(step: &Step) -> bool {
    match &step.action {
        Action::Patch { object, .. } => object.kind != Kind::Pod,
        Action::Delete { .. } => true,
        Action::Create { .. } | Action::Wait { .. } | Action::Exec { .. } => false,
    }
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
        let before = plan.steps.iter().take(index).map(|step| &step.action);
        let of_template =
            |a: &Action| matches!(a, Action::Patch { object, .. } if object.kind != Kind::Pod);
        if before.into_iter().any(of_template) {
            let downtime = downtime || *stops_serving;
            return Deletion { object, uid, grace, downtime }.renews(self.cluster).await;
        }
        self.cluster.delete_within(object, uid, grace).await.map(drop)
    }
}
