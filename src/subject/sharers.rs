//! Who else mounts the claim below a data directory: other pods of the namespace, whose they are, and
//! what they do. Whether one of them holds a lock on it only its process knows.

use serde_json::Value;

use super::owner::{Eye, walk};
use super::volume::{Store, mount, store};
use super::{Subject, pod};
use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::receipt::{MANAGED_BY, MANAGER};
use crate::model::{Kind, ObjectRef, Snapshot};

/// Another pod that mounts the claim, at or around the data directory.
#[derive(Clone, Debug)]
pub struct Sharer<'a> {
    pub pod: &'a Value,
    /// Whose it is: `deploy/prom`; empty where nobody's.
    pub owner: String,
    /// It is of the same Prometheus.
    pub own: bool,
    /// It may write there: Prometheus opens its lock for writing.
    pub writes: bool,
}

/// The pods of a namespace that mount a claim beside one pod.
#[derive(Clone, Debug)]
pub struct Sharers<'a> {
    pub claim: String,
    /// By name; without those whose containers have all ended.
    pub all: Vec<Sharer<'a>>,
    /// Why the pods of other workloads are not known, where that is so.
    pub unread: Option<String>,
}

/// `None` where the data directory is on no claim, which no other pod could mount.
pub fn of<'a>(subject: &'a Subject, seen: &'a Snapshot, pod: &Value) -> Option<Sharers<'a>> {
    let Store::Claim { claim, .. } = store(subject, pod) else { return None };
    let place = directory(subject, pod);
    let namespace = subject.namespace();
    let unread = match seen.list(Kind::Pod, namespace) {
        Got::Known(_) | Got::Absent => None,
        Got::Unreadable(why) => Some(why.to_owned()),
        Got::NotAsked => Some("not read".to_owned()),
    };
    let own = |uid: &str| subject.pods.iter().any(|p| p.uid() == uid);
    let others = seen.items(Kind::Pod, namespace).filter(|p| !own(p.uid()));
    let other = |p: &&Value| {
        p.uid() != pod.uid() && !matches!(p.text("/status/phase"), "Succeeded" | "Failed")
    };
    let shares = |p: &'a Value| {
        let writes = mounts(p, &claim, place.as_deref())?;
        Some(Sharer { pod: p, owner: owner(seen, p), own: own(p.uid()), writes })
    };
    let mut all: Vec<Sharer<'a>> =
        subject.pods.iter().chain(others).filter(other).filter_map(shares).collect();
    all.sort_by_key(|sharer| sharer.pod.name());
    Some(Sharers { claim, all, unread })
}

/// The data directory as a path on its volume; `None` where it has a part that each pod fills in.
fn directory(subject: &Subject, pod: &Value) -> Option<String> {
    let mount = mount(subject, pod.get("spec")?)?;
    let data = subject.flags.data_dir(subject.agent);
    let at = mount.text("/mountPath").trim_end_matches('/');
    let rest = data.strip_prefix(at).unwrap_or_default();
    mount.get("subPathExpr").is_none().then(|| format!("{}/{rest}", mount.text("/subPath")))
}

/// Whether a container of the pod mounts the claim so that it sees the directory, or a part of it;
/// and whether one may write there.
fn mounts(pod: &Value, claim: &str, directory: Option<&str>) -> Option<bool> {
    let of_claim = |mount: &&Value| {
        let mut volumes = pod.list("/spec/volumes").iter();
        let volume = volumes.find(|v| v.text("/name") == mount.text("/name"))?;
        let own = volume.text("/persistentVolumeClaim/claimName") == claim;
        own.then(|| !volume.is_true("/persistentVolumeClaim/readOnly"))
    };
    let sees = |mount: &Value| {
        let varies = || mount.get("subPathExpr").is_some();
        directory.is_none_or(|here| varies() || overlap(here, mount.text("/subPath")))
    };
    let lists = ["/spec/containers", "/spec/initContainers", "/spec/ephemeralContainers"];
    let containers = lists.iter().flat_map(|list| pod.list(list));
    containers
        .flat_map(|c| c.list("/volumeMounts"))
        .filter(|mount| sees(mount))
        .filter_map(|mount| Some(of_claim(&mount)? && !mount.is_true("/readOnly")))
        .reduce(|one, other| one || other)
}

/// Whether one of two paths is the other, or above it.
fn overlap(one: &str, other: &str) -> bool {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    parts(one).iter().zip(&parts(other)).all(|(a, b)| a == b)
}

fn owner(seen: &Snapshot, pod: &Value) -> String {
    if pod.label(MANAGED_BY) == Some(MANAGER) {
        return "kubectl prom-fix".into();
    }
    let of = pod::reference(pod);
    let walk = walk(pod, of.clone(), &mut Eye::new(seen));
    let known = walk.root().filter(|root| root.of != of).map(|root| root.of.short());
    let named = || pod.controller().map(|o| format!("{} {}", o.kind, o.name)).unwrap_or_default();
    known.unwrap_or_else(named)
}

impl Sharer<'_> {
    /// `pod/prom-1 of deploy/prom`.
    pub fn whose(&self) -> String {
        let name = pod::reference(self.pod).short();
        if self.owner.is_empty() { name } else { format!("{name} of {}", self.owner) }
    }

    /// Whether a process of it may have the lock: one runs, as the kubelet says, or because it says
    /// nothing any more.
    pub fn may_have_it(&self, seen: &Snapshot) -> bool {
        if !self.writes {
            return false;
        }
        let mut states = pod::containers(self.pod).into_iter();
        states.any(|c| matches!(c.doing, pod::Doing::Running { .. })) || self.silent(seen).is_some()
    }

    /// Seconds that it has left to stop by itself; below 0 where it should be gone.
    pub fn seconds_left(&self, seen: &Snapshot) -> Option<i64> {
        let until = pod::time(self.pod, "/metadata/deletionTimestamp")?;
        Some(until.as_second() - seen.clock.as_second())
    }

    /// The node, where it is known not to report: what its pods are said to do is of before.
    pub fn silent(&self, seen: &Snapshot) -> Option<String> {
        let name = self.pod.text("/spec/nodeName");
        let node = ObjectRef::new(Kind::Node, "", name);
        match seen.object(&node) {
            _ if name.is_empty() => None,
            Got::Known(node) => {
                let ready = pod::condition(node, "Ready")?;
                (ready.text("/status") != "True").then(|| format!("{name}, which does not report"))
            }
            Got::Absent => Some(format!("{name}, which does not exist any more")),
            Got::Unreadable(_) | Got::NotAsked => {
                let lost = self.pod.text("/status/reason") == "NodeLost";
                lost.then(|| format!("{name}, which does not report"))
            }
        }
    }

    /// What it does, in words that follow its name.
    pub fn does(&self, seen: &Snapshot) -> String {
        let mut says = match self.seconds_left(seen) {
            Some(left) if left >= 0 => format!("is being deleted, and has {left} s left to stop"),
            Some(late) => format!("is being deleted, and was to be gone {} s ago", -late),
            None if pod::is_ready(self.pod) => "is Ready".to_owned(),
            None => running(self.pod),
        };
        let node = self.pod.text("/spec/nodeName");
        match self.silent(seen) {
            Some(node) => says.push_str(&format!(", on node {node}")),
            None if !node.is_empty() => says.push_str(&format!(", on node {node}")),
            None => {}
        }
        let held: Vec<&str> =
            self.pod.list("/metadata/finalizers").iter().filter_map(Value::as_str).collect();
        if pod::is_terminating(self.pod) && !held.is_empty() {
            says.push_str(&format!(", held by the finalizer {}", held.join(", ")));
        }
        if !self.writes {
            says.push_str(", and only reads");
        }
        says
    }
}

fn running(pod: &Value) -> String {
    let states = pod::containers(pod);
    if states.iter().any(|c| matches!(c.doing, pod::Doing::Running { .. })) {
        return "runs, and is not Ready".to_owned();
    }
    let waits = states.iter().find_map(|c| match &c.doing {
        pod::Doing::Waiting { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    format!("does not run ({})", waits.unwrap_or_else(|| pod.text("/status/phase")))
}
