//! A pod that could not be made: by an admission, a quota, a limit range.

use super::{Subject, pod};
use crate::model::log::events::{self, Note};
use crate::model::object::ObjectExt;
use crate::model::{Kind, ObjectRef, Snapshot};

/// The event of whoever makes its pods and could not, where `is` holds of it and no pod of that maker
/// has been made since: an event outlives its cause by an hour.
pub fn pod(
    subject: &Subject,
    seen: &Snapshot,
    is: impl Fn(&Note) -> bool,
) -> Option<(ObjectRef, Note)> {
    let sets = seen.items(Kind::ReplicaSet, subject.namespace());
    let owned = sets.filter(|set| {
        set.controller().is_some_and(|o| subject.workloads.iter().any(|w| w.uid() == o.uid))
    });
    subject.workloads.iter().chain(owned).find_map(|maker| {
        let kind = Kind::of(maker.text("/apiVersion"), maker.text("/kind"))?;
        let object = ObjectRef::new(kind, maker.namespace(), maker.name());
        let notes = events::of(seen, &object, maker.uid());
        let note = notes.into_iter().find(|note| note.reason == "FailedCreate")?;
        let own =
            subject.pods.iter().filter(|p| p.controller().is_some_and(|o| o.uid == maker.uid()));
        let made = own.filter_map(|p| pod::time(p, "/metadata/creationTimestamp")).max();
        let since = made.zip(note.at).is_some_and(|(made, refused)| made > refused);
        (is(&note) && !since).then_some((object, note))
    })
}
