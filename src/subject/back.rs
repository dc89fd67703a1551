//! The way back of what a helper did to files: the pod is held, the same helper runs once more with
//! other words for our agent, and the pod is let go.

use serde_json::{Value, json};

use super::errand;
use super::hold::{self, Hold};
use super::rollout::wait;
use super::volume::{Store, store};
use super::{Subject, frozen, repair};
use crate::model::inside::AGENT;
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::patch::Op;
use crate::model::plan::{Action, Blocked, BlockedReason, Impact, Plan, Step, Undo, Until};
use crate::model::receipt::{Receipt, State};
use crate::model::{Got, Need, Snapshot};

/// The class of such a plan.
pub const CLASS: &str = "undo";

/// What has to be read for it: helpers that may still be at work.
pub fn needs(receipt: &Receipt) -> Vec<Need> {
    let helpers =
        receipt.to_restore().into_iter().filter_map(|index| receipt.plan.steps.get(index));
    helpers.map(|step| Need::Object(step.action.object().clone())).collect()
}

/// When its helper had done its work: what was started on that has written from then on.
fn mended<'a>(receipt: &'a Receipt, index: usize, helper: &ObjectRef) -> &'a str {
    let waits =
        |step: &Step| matches!(&step.action, Action::Wait { object, .. } if object == helper);
    let mut later = receipt.plan.steps.iter().zip(&receipt.steps).skip(index);
    let done = later.find(|(step, _)| waits(step)).and_then(|(_, done)| done.ended.as_deref());
    done.or(receipt.ended.as_deref()).unwrap_or(&receipt.began)
}

/// The plan that takes back what the helpers of a receipt did; `force` also where Prometheus has
/// written since.
pub fn plan(
    subject: &Subject,
    seen: &Snapshot,
    receipt: &Receipt,
    force: bool,
) -> Result<Plan, Blocked> {
    let mut steps = Vec::new();
    let mut impact: Option<Impact> = None;
    let mut worst = Frozen::Not;
    for index in receipt.to_restore() {
        let Some(step) = receipt.plan.steps.get(index) else { continue };
        let (Action::Create { object, body }, Undo::Restore(words)) = (&step.action, &step.undo)
        else {
            continue;
        };
        // What it has written since stands on the new files.
        let of_log = words.get(2).is_some_and(|word| word != "chown");
        if of_log && receipt.state == State::Applied && !force {
            return Err(Blocked {
                reason: BlockedReason::NeedsConsent,
                why: format!(
                    "{} has written since: what it wrote after {} would be set aside on the \
                     volume, and not be served",
                    receipt.plan.target.short(),
                    mended(receipt, index, object)
                ),
                ways: vec!["--force".into()],
            });
        }
        let mut words = words.clone();
        let forced = words.iter().any(|word| word == "--force");
        words.extend((of_log && force && !forced).then(|| "--force".to_owned()));
        let held = hold_of(subject, seen, body)?;
        let was_held = !stops(receipt);
        let before = match was_held && of_log {
            true => frozen_still(subject, seen, held.as_ref()),
            false => Frozen::Not,
        };
        worst = worst.max(before);
        steps.extend(still_at_work(seen, object));
        steps.extend(held.iter().flat_map(Hold::down));
        steps.extend(helper(seen, receipt, index, body, &words)?);
        if before != Frozen::Stays {
            steps.extend(held.iter().map(|hold| starts(hold, was_held)));
            steps.extend(held.iter().flat_map(Hold::go_on));
        }
        if let Some(now) = held.map(|hold| hold.impact()) {
            let before = impact.take().map(|before| before.restarts).unwrap_or_default();
            let restarts = [before, now.restarts.clone()].concat();
            impact = Some(Impact { restarts, serving: Vec::new(), ..now });
        }
    }
    let title = format!("take back: {}", receipt.plan.title);
    let mut plan = repair::beside(subject, seen, CLASS, &title, steps);
    if let Some(impact) = impact {
        // Who asks for this has been told so.
        plan.impact = Impact { stops_serving: false, ..impact };
    }
    plan.impact.data = "the old files come back, as they were".into();
    plan.impact.data.push_str(worst.words());
    plan.undo = "no: the same command as before does it again".into();
    plan.undoes = Some(receipt.digest.clone());
    Ok(plan)
}

/// What becomes of one that was frozen before its files were mended; of several the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Frozen {
    Not,
    Stays,
    Starts,
}

impl Frozen {
    fn words(self) -> &'static str {
        match self {
            Frozen::Not => "",
            Frozen::Stays => "; it was frozen before they were mended, and stays so",
            Frozen::Starts => {
                "; it was frozen before they were mended, and now starts on them: freeze it at once \
                 where that start would delete something"
            }
        }
    }
}

/// Who froze it lets it go: a start may delete what has just come back.
fn frozen_still(subject: &Subject, seen: &Snapshot, held: Option<&Hold<'_>>) -> Frozen {
    let stays = match held {
        Some(hold) => hold.is_held(),
        // No pod is there, and none comes.
        None => frozen::replicas(subject, seen).is_some(),
    };
    if stays { Frozen::Stays } else { Frozen::Starts }
}

/// Whether the plan stopped the pod itself: else it was held before.
fn stops(receipt: &Receipt) -> bool {
    receipt.plan.steps.iter().any(|step| match &step.action {
        Action::Delete { object, uid, .. } => object.kind == Kind::Pod && !uid.is_empty(),
        Action::Patch { patch, .. } => {
            patch.contains(&Op::Replace { path: "/spec/replicas".into(), value: json!(0) })
        }
        Action::Create { .. } | Action::Exec { .. } | Action::Wait { .. } => false,
    })
}

fn starts(hold: &Hold<'_>, was_held: bool) -> Step {
    let step = hold.let_go();
    match was_held {
        true => Step { why: format!("{}, though it was held before", step.why), ..step },
        false => step,
    }
}

/// A helper that was left behind ends before another begins.
fn still_at_work(seen: &Snapshot, helper: &ObjectRef) -> Vec<Step> {
    let Got::Known(live) = seen.object(helper) else { return Vec::new() };
    let uid = live.uid().to_owned();
    let gone = wait(helper, Until::Gone { uid: uid.clone() }, "until it is gone");
    let delete = Step {
        why: "left behind; no two work on one volume".into(),
        action: Action::Delete { object: helper.clone(), uid, grace: None },
        undo: Undo::Words("its work is taken back".into()),
    };
    vec![delete, gone]
}

/// The pod that has the helper's volume; none where none runs.
fn hold_of<'a>(
    subject: &'a Subject,
    seen: &Snapshot,
    helper: &Value,
) -> Result<Option<Hold<'a>>, Blocked> {
    let claim = helper.text("/spec/volumes/0/persistentVolumeClaim/claimName");
    let folder = helper.text("/spec/volumes/0/hostPath/path");
    let has = |pod: &&Value| {
        let has = match store(subject, pod) {
            Store::Claim { claim: of, .. } => of == claim,
            Store::HostPath { path, .. } => path == folder,
            Store::EmptyDir { .. } | Store::Other { .. } | Store::None => false,
        };
        has && !errand::is_helper(pod)
    };
    // An evicted pod of a Deployment lies about until somebody deletes it.
    let ended = |pod: &Value| matches!(pod.text("/status/phase"), "Failed" | "Succeeded");
    let mut with = subject.pods.iter().filter(has);
    let found = with.find(|pod| !ended(pod) || hold::is_held(pod));
    found.map(|pod| hold::of(subject, seen, pod)).transpose()
}

/// The steps of the receipt's own errand, with other names and words.
fn helper(
    seen: &Snapshot,
    receipt: &Receipt,
    index: usize,
    body: &Value,
    words: &[String],
) -> Result<Vec<Step>, Blocked> {
    let unknown = || Blocked::no_safe_plan("the receipt does not say how its helper was made", &[]);
    let named = body.text("/spec/volumes/1/configMap/name");
    let carrier = receipt.plan.steps.iter().take(index).rev().find_map(|step| match &step.action {
        Action::Create { object, body }
            if object.kind == Kind::ConfigMap && object.name == named =>
        {
            Some(body)
        }
        _ => None,
    });
    let mut map = carrier.ok_or_else(unknown)?.clone();
    let mut pod = body.clone();
    let [program, _, directory, ..] = pod.list("/spec/containers/0/command") else {
        return Err(unknown());
    };
    let mut command = vec![program.clone(), json!(words.first()), directory.clone()];
    command.extend(words.iter().skip(1).map(|word| json!(word)));
    command.push(json!("--json"));
    let name = |of: &str| of.replacen("prom-fix-", "prom-fix-back-", 1);
    let (map_name, pod_name) = (name(map.name()), name(pod.name()));
    set(&mut map, "/metadata/name", json!(map_name));
    set(&mut pod, "/metadata/name", json!(pod_name));
    set(&mut pod, "/spec/volumes/1/configMap/name", json!(map_name));
    set(&mut pod, "/spec/containers/0/command", Value::Array(command));
    if map.pointer(&format!("/binaryData/{AGENT}")).is_none() {
        return Err(unknown());
    }
    let namespace = &receipt.plan.target.namespace;
    let carrier = (ObjectRef::new(Kind::ConfigMap, namespace, &map_name), map);
    let mut helper = (ObjectRef::new(Kind::Pod, namespace, &pod_name), pod);
    let why = errand::in_image(seen, &mut helper.1, "put the files back");
    Ok(errand::run(carrier, helper, &why, Undo::Restore(words.to_vec())))
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = object.pointer_mut(pointer) {
        *place = value;
    }
}
