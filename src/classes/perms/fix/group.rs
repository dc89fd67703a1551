//! Files of another owner on a volume: the kubelet is told to change their group when the pod starts,
//! where it does so at all.

use serde_json::{Value, json};

use super::super::check::group::{SUB_PATH, already_mounted};
use super::super::honours::{Honours, honours};
use super::{Case, inside, landing};
use crate::model::object::ObjectExt;
use crate::model::{Blocked, Next, Plan};
use crate::subject::identity;
use crate::subject::repair::{self, Draft};
use crate::subject::rollout::Wanted;

/// Each start of a pod walks the whole volume under it.
const ONE_START: &str = "Always is for one start: once it is Ready, OnRootMismatch may come back";

const FIELDS: [&str; 4] = ["fsGroup", "fsGroupChangePolicy", "runAsUser", "runAsGroup"];

pub(super) fn next(case: &Case<'_>) -> Result<Next, Blocked> {
    let pod = case.pod().ok_or_else(|| case.blocked("the pod that was refused is gone"))?;
    if let Some(plan) = stuck(case, pod)? {
        return Ok(Next::Fix(plan));
    }
    let mut draft = Draft::default();
    match honours(case.seen, pod, case.place(pod)) {
        Honours::No(kind) => {
            let why = format!("the kubelet changes no owner on this volume ({kind})");
            return inside::next(case, pod, &why);
        }
        Honours::Yes(_) => {}
        Honours::Presumed(unknown) => draft.doubts.push(unknown),
    }
    // Where a look was allowed, the plan rests on what is there.
    if let Some(look) = inside::offered(case, pod) {
        return Ok(Next::Look(look));
    }
    inside::refuses(case, pod)?;
    let policy = pod.text("/spec/securityContext/fsGroupChangePolicy");
    // It looks at the root of the volume only, and the root fits.
    let skips = policy == "OnRootMismatch" && case.root.code.0 == "perms/owner-mismatch";
    let plan = match pod.number("/spec/securityContext/fsGroup") {
        None => given(case, skips, draft),
        Some(group) if skips => {
            let title =
                format!("let the kubelet give every file to fsGroup {group}, also below the root");
            let why = format!("{title}; {ONE_START} (undo does that)");
            let wanted = landing::in_security_context(case.subject, &[always()], &why)?;
            regrouped(case.draft(title, wanted, draft)?)
        }
        Some(group) if case.root.evidence.iter().any(|e| e.field == SUB_PATH) => {
            // A new pod would find it as it is: the kubelet makes it after it has given the volume away.
            let why =
                format!("the volume is given to fsGroup {group} before its sub path is mounted");
            return inside::next(case, pod, &why);
        }
        Some(group) if case.root.code.0 == "perms/owner-mismatch" => {
            repair::follows_template(case.subject, pod.name())?;
            let why = format!(
                "every file is given to fsGroup {group} when a pod starts, not when its container does"
            );
            let title = format!("restart the pod: {why}");
            case.draft(title, Wanted { why, ..Wanted::default() }, draft)
        }
        Some(group) => {
            let why = match already_mounted(case.seen, pod) {
                Some(note) => format!("another pod had the volume mounted first ({note})"),
                None => format!("the kubelet has given this volume to fsGroup {group} already"),
            };
            return inside::next(case, pod, &why);
        }
    };
    plan.map(Next::Fix)
}

/// The volume to the group of its pods, which have none.
fn given(case: &Case<'_>, skips: bool, mut draft: Draft) -> Result<Plan, Blocked> {
    draft.doubts.extend(case.takes_numbers()?);
    let group = identity::group(case.template(), &case.subject.container);
    let mut values = vec![("fsGroup", json!(group))];
    values.extend(skips.then(always));
    let title = format!("set fsGroup to {group}, so that the volume is given to it");
    let why = match skips {
        true => format!("{title}; {ONE_START}, by hand: an undo takes fsGroup away, too"),
        false => title.clone(),
    };
    let wanted = landing::in_security_context(case.subject, &values, &why)?;
    regrouped(case.draft(title, wanted, draft)?)
}

fn always() -> (&'static str, Value) {
    ("fsGroupChangePolicy", json!("Always"))
}

/// What an undo does not take back.
fn regrouped(mut plan: Plan) -> Result<Plan, Blocked> {
    plan.undo.push_str("; files keep the group they were given");
    Ok(plan)
}

/// The template says something else already, and the pod is from before: its set waits for it to
/// become Ready before it replaces it, which it never will.
fn stuck(case: &Case<'_>, pod: &Value) -> Result<Option<Plan>, Blocked> {
    let is_set = pod.controller().is_some_and(|owner| owner.kind == "StatefulSet");
    let value = |spec: &Value, field: &str| {
        spec.pointer(&format!("/securityContext/{field}")).cloned().unwrap_or(Value::Null)
    };
    let own = pod.get("spec").unwrap_or(&Value::Null);
    let newer: Vec<String> = FIELDS
        .iter()
        .map(|field| (field, value(case.template(), field)))
        .filter(|(field, new)| !new.is_null() && *new != value(own, field))
        .map(|(field, new)| format!("{field} {}", new.to_string().trim_matches('"')))
        .collect();
    if !is_set || newer.is_empty() {
        return Ok(None);
    }
    repair::follows_template(case.subject, pod.name())?;
    let why = format!("its template has {} already, and it is from before", newer.join(", "));
    let title = format!("restart the pod: {why}");
    case.draft(title, Wanted { why, ..Wanted::default() }, Draft::default()).map(Some)
}
