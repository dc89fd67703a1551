//! Which Prometheus servers and agents are there. By score, never by a label alone; operators,
//! exporters, alertmanager, thanos, VictoriaMetrics are told apart.

mod describe;
mod gather;
pub mod score;
mod target;

use super::Subject;
use super::owner::Eye;
use crate::model::{Kind, Need, ObjectRef, Snapshot};

/// What the user pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every Prometheus of the namespace, or of all.
    All { labels: String },
    /// `sts/NAME` and the like.
    Named { kind: Kind, name: String },
    /// A bare name.
    Bare { name: String },
}

impl Target {
    /// This object, by its name.
    pub fn of(object: &ObjectRef) -> Target {
        Target::Named { kind: object.kind, name: object.name.clone() }
    }
}

/// Why no Prometheus was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// The named object does not exist.
    NoSuch { what: String, namespace: String },
    /// It exists and is no Prometheus: `alertmanager`, `prometheus-operator`, …
    NotPrometheus { what: String, is: String },
    /// None in the namespace; what was seen elsewhere, as `namespace/kind/name`.
    None { namespace: Option<String>, elsewhere: Vec<String> },
    /// The listings that would tell could not be read.
    Unreadable { what: String, why: String },
}

/// What must be read to find the target in `namespace` (`None`: in all). Called again until it
/// asks nothing new.
pub fn needs(target: &Target, namespace: Option<&str>, seen: &Snapshot) -> Vec<Need> {
    let mut eye = Eye::new(seen);
    // What is found so far does not matter here: the same road is walked to learn what it misses.
    let _ = target::resolve(target, namespace, &mut eye);
    eye.asks
}

/// The Prometheus instances that the target names, described; sorted by namespace and name. What
/// was not asked for counts as unread, so call it when [`needs`] asks nothing more.
///
/// Where a namespace holds none and all of the cluster was listed, too, what is elsewhere is told.
pub fn find(
    target: &Target,
    namespace: Option<&str>,
    seen: &Snapshot,
) -> Result<Vec<Subject>, NotFound> {
    let mut eye = Eye::new(seen);
    target::resolve(target, namespace, &mut eye)
}
