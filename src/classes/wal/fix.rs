//! What to do about it: a replay that is killed gets its time; of damage, look what is lost and what
//! can be kept, then mend it; of a lock, let go who holds it; or say the steps.

mod envelope;
mod locked;
mod room;
mod salvage;
mod startup;
mod ways;

use super::check::killed;
use super::docs::{HELD, LOCKED, is_damage};
use crate::model::object::ObjectExt;
use crate::model::plan::{Look, Tells};
use crate::model::{Blocked, Finding, Kind, Need, Next, Severity, Snapshot};
use crate::subject::errand::{self, Errand, Volume};
use crate::subject::identity::Who;
use crate::subject::volume::{Store, store};
use crate::subject::{Subject, frozen, hold, rivals};

fn root(found: &[Finding]) -> Option<&Finding> {
    let own = found.iter().filter(|f| f.code.class() == "wal" || f.code == HELD);
    own.into_iter().find(|f| f.severity == Severity::Error && f.because.is_none())
}

/// A helper has to run on the pod's node; nobody else starts the pod meanwhile; what a plan patches
/// is read.
pub fn needs(subject: &Subject, seen: &Snapshot, found: &[Finding]) -> Vec<Need> {
    let Some(root) = root(found) else { return Vec::new() };
    if root.code == killed::CODE {
        return startup::needs(subject, seen);
    }
    if root.code == LOCKED {
        return locked::needs(subject, seen, root);
    }
    if seen.inside.agents.is_empty() {
        return Vec::new();
    }
    let stand_in = frozen::pod(subject);
    let pod = subject.pods.iter().find(|p| p.name() == root.object.name);
    let pod = pod.or(stand_in.as_ref());
    let mut node = pod.map(errand::needs).unwrap_or_default();
    let volume = pod.and_then(|pod| errand::volume(subject, pod).ok());
    if let Some(volume) = volume {
        node.extend(room::needs(seen, &volume));
        node.push(Need::Object(volume.claim));
    }
    // Where it takes no lock, whoever else mounts the claim has to be known.
    let lockless = salvage::LOCKLESS.iter().any(|flag| subject.flags.is_on(flag) == Some(true));
    let pods = lockless.then(|| Need::list(Kind::Pod, subject.namespace()));
    [node, rivals::needs(subject), pods.into_iter().collect()].concat()
}

/// `budget`: seconds for a start, as asked for.
pub fn next(subject: &Subject, seen: &Snapshot, found: &[Finding], budget: Option<i64>) -> Next {
    let Some(root) = root(found) else {
        let mut own = found.iter().filter(|f| f.code.class() == "wal");
        return match own.find(|f| f.code.0 == "wal/replaying") {
            Some(replay) => Next::Wait(format!("{} {}", replay.object.short(), replay.says)),
            None => Next::Done,
        };
    };
    if root.code == killed::CODE {
        return match startup::plan(subject, seen, root, budget) {
            Ok(plan) => Next::Fix(plan),
            Err(blocked) => Next::Blocked(blocked),
        };
    }
    if root.code == LOCKED {
        return locked::next(subject, seen, root);
    }
    let name = root.object.name.as_str();
    let fill = |way: &&str| way.replace("{pod}", name).replace("{code}", root.code.0);
    let ways: Vec<String> = ways::of(root.code.0).iter().map(fill).collect();
    let by_hand = |why: &str| Blocked { ways: ways.clone(), ..Blocked::no_safe_plan(why, &[]) };
    let frozen = frozen::replicas(subject, seen).filter(|_| root.object == subject.root);
    let stand_in = frozen.and_then(|_| frozen::pod(subject));
    let pod = match frozen {
        Some(_) => stand_in.as_ref(),
        None => subject.pods.iter().find(|p| p.name() == name),
    };
    let Some(pod) = pod.filter(|_| is_damage(root.code)) else {
        return Next::Blocked(by_hand("the repair for this class is not in this version"));
    };
    let volume = match errand::volume(subject, pod) {
        Ok(volume) => volume,
        // By hand it is stopped first, and with the pod the data would be gone.
        Err(blocked) if matches!(store(subject, pod), Store::EmptyDir { .. }) => {
            return Next::Blocked(blocked);
        }
        Err(blocked) => {
            return Next::Blocked(Blocked { ways: [blocked.ways, ways].concat(), ..blocked });
        }
    };
    if let Some(survey) = seen.inside.surveys.get(&volume.claim) {
        let hold = match frozen {
            Some(replicas) => hold::of_frozen(subject, seen, pod, replicas),
            None => hold::of(subject, seen, pod),
        };
        return match hold.and_then(|hold| salvage::plan(subject, seen, &volume, &hold, survey)) {
            Ok(plan) => room::next(subject, seen, &volume, survey).unwrap_or(Next::Fix(plan)),
            Err(blocked) => Next::Blocked(blocked),
        };
    }
    if let Some(why) = seen.inside.refused.get(&volume.claim) {
        return Next::Blocked(by_hand(&format!("no look inside {}: {why}", volume.claim.short())));
    }
    if let Some(blocked) = errand::waits_for(seen, &volume) {
        return Next::Blocked(blocked);
    }
    let Some(who) = errand::reader(subject, pod) else {
        return Next::Blocked(by_hand("it runs as root, and no helper of ours does"));
    };
    let envelope = Some(envelope::SAYS);
    Next::Look(Look { ways, envelope, ..look(subject, seen, &volume, who) })
}

fn look(subject: &Subject, seen: &Snapshot, volume: &Volume<'_>, who: Who) -> Look {
    let asked = Errand {
        volume,
        name: "survey",
        command: "survey",
        // One pod tells both: a count takes a tenth of the time of a start.
        arguments: vec!["--inventory".into()],
        run_as: who,
        writes: false,
        back: None,
        why: format!("read the log on {} past every fault", volume.claim.short()),
    };
    let why = "what is lost, and what can be kept, only the files tell".to_owned();
    errand::look(subject, seen, &asked, Tells::Survey, why)
}
