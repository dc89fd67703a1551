//! What to do about it: this version plans no repair of bytes; it looks what is lost and what can be
//! kept, and says the steps.

mod ways;

use serde_json::Value;

use crate::model::object::ObjectExt;
use crate::model::plan::{Look, Tells};
use crate::model::{Blocked, Finding, Need, Next, Severity, Snapshot};
use crate::subject::Subject;
use crate::subject::errand::{self, Errand, Volume};
use crate::subject::identity::{self, Who};

fn root(found: &[Finding]) -> Option<&Finding> {
    let own = found.iter().filter(|f| f.code.class() == "wal");
    own.into_iter().find(|f| f.severity == Severity::Error && f.because.is_none())
}

/// A helper has to run on the pod's node.
pub fn needs(subject: &Subject, seen: &Snapshot, found: &[Finding]) -> Vec<Need> {
    let Some(root) = root(found).filter(|_| !seen.inside.agents.is_empty()) else {
        return Vec::new();
    };
    let pod = subject.pods.iter().find(|p| p.name() == root.object.name);
    pod.map(errand::needs).unwrap_or_default()
}

/// What a survey of the files tells more of.
fn is_damage(code: &str) -> bool {
    matches!(
        code,
        "wal/corrupt-segment"
            | "wal/corrupt-checkpoint"
            | "wal/gap"
            | "wal/checkpoint-lost"
            | "wal/corrupt-wbl"
            | "wal/checkpoint-failing"
            | "wal/repaired-with-loss"
    )
}

pub fn next(subject: &Subject, seen: &Snapshot, found: &[Finding]) -> Next {
    if let Some(root) = root(found) {
        let pod = root.object.name.as_str();
        let fill = |way: &&str| way.replace("{pod}", pod).replace("{code}", root.code.0);
        let ways: Vec<String> = ways::of(root.code.0).iter().map(fill).collect();
        let pod = subject.pods.iter().find(|p| p.name() == pod);
        if is_damage(root.code.0)
            && let Some(pod) = pod
            && let Ok(volume) = errand::volume(subject, pod)
            && !seen.inside.surveys.contains_key(&volume.claim)
            && !seen.inside.refused.contains_key(&volume.claim)
            // No helper runs as root to read.
            && identity::of(spec_of(pod), &subject.container).is_none_or(|who| who.user != 0)
        {
            let who = identity::of(spec_of(pod), &subject.container).unwrap_or_else(Who::nobody);
            return Next::Look(Look { ways, ..look(subject, seen, &volume, who) });
        }
        let why = "the repair for this class is not in this version";
        return Next::Blocked(Blocked { ways, ..Blocked::no_safe_plan(why, &[]) });
    }
    let own = || found.iter().filter(|f| f.code.class() == "wal");
    match own().find(|f| f.code.0 == "wal/replaying") {
        Some(replay) => Next::Wait(format!("{} {}", replay.object.short(), replay.says)),
        None => Next::Done,
    }
}

fn spec_of(pod: &Value) -> &Value {
    pod.get("spec").unwrap_or(&Value::Null)
}

fn look(subject: &Subject, seen: &Snapshot, volume: &Volume<'_>, who: Who) -> Look {
    let asked = Errand {
        volume,
        name: "survey",
        command: "survey",
        arguments: Vec::new(),
        run_as: who,
        writes: false,
        leaves: None,
        why: format!("read the log on {} past every fault", volume.claim.short()),
    };
    let why = "what is lost, and what can be kept, only the files tell".to_owned();
    errand::look(subject, seen, &asked, Tells::Survey, why)
}
