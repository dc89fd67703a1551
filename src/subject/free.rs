//! Frees what a salvage set aside: one helper tells what lies there, and another deletes that and
//! nothing else. The pod that has the volume runs on.

use serde_json::Value;

use super::errand::{self, Errand, Volume};
use super::hold;
use super::volume::{Store, store};
use super::{Subject, frozen, identity, repair};
use crate::model::object::ObjectExt;
use crate::model::plan::{Blocked, Plan};
use crate::model::quantity::show_bytes;
use crate::model::receipt::Receipt;
use crate::model::{Need, Snapshot};

/// The class of such a plan.
pub const CLASS: &str = "cleanup";

/// What a helper told of what was set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// What is to go, with its bytes; folders have none.
    pub files: Vec<(String, u64)>,
    /// What lies among it, and is of somebody else or was changed.
    pub left: Vec<String>,
    /// The folders of all that, as the agent takes them.
    folders: String,
}

impl Aside {
    pub fn of(told: &Value) -> Aside {
        let mut aside = Aside::default();
        for entry in told.list("/entries") {
            let path = entry.text("/path");
            let folder = path.split('/').next().unwrap_or_default();
            if !aside.folders.split('+').any(|known| known == folder) {
                aside.folders.push_str(folder);
                aside.folders.push('+');
            }
            match entry.is_true("/ours") {
                true => {
                    let bytes = entry.number("/bytes").and_then(|bytes| u64::try_from(bytes).ok());
                    aside.files.push((path.to_owned(), bytes.unwrap_or_default()));
                }
                false => aside.left.push(path.to_owned()),
            }
        }
        aside
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// The pod that has the volume on which the salvage was, running or held.
pub fn pod(subject: &Subject, receipt: &Receipt) -> Result<Value, Blocked> {
    let claim = receipt.salvage().map(|(_, claim)| claim).unwrap_or_default();
    let has = |pod: &&Value| {
        matches!(store(subject, pod), Store::Claim { claim: of, .. } if of == claim)
            && !errand::is_helper(pod)
            && (hold::is_held(pod) || !matches!(pod.text("/status/phase"), "Failed" | "Succeeded"))
    };
    let stand_in = frozen::pod(subject);
    let found = subject.pods.iter().find(has).or(stand_in.as_ref().filter(has));
    found.cloned().ok_or_else(|| {
        Blocked::no_safe_plan(
            format!("no pod of {} has pvc/{claim} now", receipt.plan.target.short()),
            &["start it; then the same again"],
        )
    })
}

/// What has to be read to make a helper beside it.
pub fn needs(subject: &Subject, pod: &Value) -> Vec<Need> {
    let volume = errand::volume(subject, pod).ok();
    let claim = volume.map(|volume| Need::Object(volume.claim));
    errand::needs(pod).into_iter().chain(claim).collect()
}

/// The plan of the helper that tells what there is.
pub fn look(
    subject: &Subject,
    seen: &Snapshot,
    pod: &Value,
    receipt: &Receipt,
) -> Result<Plan, Blocked> {
    let volume = errand::volume(subject, pod)?;
    let (of, _) = receipt.salvage().unwrap_or_default();
    let errand = errand(subject, &volume, vec!["--of".into(), of.to_owned()], false)?;
    if let Some(blocked) = errand::waits_for(seen, &volume) {
        return Err(blocked);
    }
    let mut plan = repair::beside(subject, seen, "look", &errand.why, errand::steps(seen, &errand));
    plan.impact.data = format!("untouched: {} is mounted read-only", volume.claim.short());
    plan.undo = "nothing is left behind".into();
    Ok(plan)
}

/// The plan that frees what was told.
pub fn plan(
    subject: &Subject,
    seen: &Snapshot,
    pod: &Value,
    receipt: &Receipt,
    aside: &Aside,
) -> Result<Plan, Blocked> {
    let volume = errand::volume(subject, pod)?;
    let folders = aside.folders.trim_end_matches('+').to_owned();
    let words = vec!["--of".into(), folders, "--free".into()];
    let errand = errand(subject, &volume, words, true)?;
    let size = show_bytes(aside.bytes());
    let title = format!("free {size} on {}, set aside by {}", volume.claim.short(), receipt.digest);
    let steps = errand::steps(seen, &errand);
    let mut plan = repair::beside(subject, seen, CLASS, &title, steps);
    plan.impact.data = format!("the old files, {size}, are deleted; what is served is not touched");
    plan.impact.loses_data = true;
    plan.undo = format!("no; and {} can be undone no more", receipt.digest);
    plan.frees = Some(receipt.digest.clone());
    Ok(plan)
}

fn errand<'a>(
    subject: &Subject,
    volume: &'a Volume<'a>,
    arguments: Vec<String>,
    writes: bool,
) -> Result<Errand<'a>, Blocked> {
    let spec = volume.pod.get("spec").unwrap_or(&Value::Null);
    let who = identity::of(spec, &subject.container).filter(|who| who.user != 0);
    let short = volume.claim.short();
    let (name, why) = match writes {
        true => ("cleanup", format!("delete what was set aside on {short}")),
        false => ("aside", format!("list what was set aside on {short}")),
    };
    let run_as = who.ok_or_else(|| {
        Blocked::no_safe_plan(
            "it runs as root, or as whom is not known, and no helper of ours does",
            &["delete prom-fix-<time>/ in its data directory yourself"],
        )
    })?;
    Ok(Errand { volume, name, command: CLASS, arguments, run_as, writes, back: None, why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_ours_goes_and_its_folders_are_named_once() {
        let entry = |path: &str, bytes: u64, ours: bool| json!({"path": path, "bytes": bytes, "ours": ours});
        let told = json!({"entries": [
            entry("prom-fix-1/old", 0, true),
            entry("prom-fix-1/old/wal/00000001", 98, true),
            entry("prom-fix-1/notes", 5, false),
            entry("prom-fix-2/old/wal/00000009", 2, true),
        ]});
        let aside = Aside::of(&told);
        assert_eq!((aside.bytes(), aside.files.len()), (100, 3));
        assert_eq!(aside.left, ["prom-fix-1/notes"]);
        assert_eq!(aside.folders, "prom-fix-1+prom-fix-2+");
    }
}
