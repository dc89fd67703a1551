//! The report as JSON: `prom-fix/v1`. Fields may be added, never renamed. Text of others stays as
//! it was read: JSON escapes it.

use serde_json::{Value, json};

use crate::model::finding::Danger;
use crate::model::plan::{Forecast, Impact, SCHEMA};
use crate::model::receipt::Receipt;
use crate::model::report::{
    Context, Directory, Intake, Inventory, Memory, Outcome, Place, PodLine, Rehearsal, Report,
    State, StepOutcome, Target,
};
use crate::model::{Action, Blocked, Evidence, Finding, Path, PathStep, Plan, Step, Undo, Unknown};

/// What stands above the reports of a run.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub command: &'a str,
    pub exit: u8,
    /// None where it ended before a cluster was chosen.
    pub context: Option<&'a Context>,
    /// What was said on stderr, where that is the answer: an error, a refusal.
    pub message: Option<&'a str>,
}

/// All reports of a run.
pub fn json(head: &Head<'_>, reports: &[Report]) -> Value {
    whole(head, list(reports, report))
}

/// A plan that was refused or taken back with no look at its target: fields that only a look
/// would fill are not there.
pub fn json_of_plan(
    head: &Head<'_>,
    of: &Plan,
    rehearsal: &[Rehearsal],
    why: Option<&Blocked>,
) -> Value {
    let at = &of.target;
    let about = json!({
        "target": { "namespace": at.namespace, "kind": at.kind.name(), "name": at.name },
        "verdict": State::Unknown.word(),
        "plan": plan(of, rehearsal),
        "blocked": optional(why, blocked),
    });
    whole(head, Value::Array(vec![about]))
}

fn whole(head: &Head<'_>, reports: Value) -> Value {
    let Head { command, exit, context, message } = head;
    let mut value = json!({
        "apiVersion": SCHEMA,
        "kind": "Report",
        "command": command,
        "exit": exit,
        "context": optional(*context, |of| {
            let Context { name, server, user, flags: _, bundle: _, applying: _ } = of;
            json!({ "name": name, "server": server, "user": user })
        }),
        "reports": reports,
    });
    if let (Some(says), Some(fields)) = (message, value.as_object_mut()) {
        fields.insert("message".into(), json!(says));
    }
    value
}

fn list<T>(items: &[T], one: impl Fn(&T) -> Value) -> Value {
    Value::Array(items.iter().map(one).collect())
}

fn optional<T>(item: Option<&T>, one: impl Fn(&T) -> Value) -> Value {
    item.map_or(Value::Null, one)
}

fn report(of: &Report) -> Value {
    let Report {
        command: _,
        target: about,
        at: _,
        state,
        root,
        danger: end,
        pods,
        findings,
        unknown: unread,
        paths,
        directories,
        plan: fix,
        rehearsal,
        lacks,
        blocked: refused,
        waits,
        unfinished,
        outcome: done,
        next,
        asked_class: _,
    } = of;
    json!({
        "target": target(about),
        "verdict": state.word(),
        "rootCause": root,
        "danger": optional(end.as_ref(), danger),
        "pods": list(pods, pod),
        "findings": list(findings, finding),
        "unknown": list(unread, unknown),
        "paths": list(paths, path),
        "directories": list(directories, directory),
        "plan": optional(fix.as_ref(), |fix| plan(fix, rehearsal)),
        "blocked": optional(refused.as_ref(), blocked),
        "outcome": optional(done.as_ref(), outcome),
        "lacks": lacks,
        "waits": waits,
        "unfinished": optional(unfinished.as_ref(), left_open),
        "next": next,
    })
}

/// A plan that somebody left behind: enough to find its receipt.
fn left_open(of: &Receipt) -> Value {
    json!({ "receipt": of.digest, "title": of.plan.title, "who": of.who, "began": of.began })
}

fn target(of: &Target) -> Value {
    let Target {
        object,
        uid: _,
        version,
        serving,
        wanted,
        owner,
        owner_namespace,
        install,
        managers,
    } = of;
    json!({
        "namespace": object.namespace,
        "kind": object.kind.name(),
        "name": object.name,
        "version": version,
        "ready": { "serving": serving, "wanted": wanted },
        "owner": {
            "apiVersion": owner.api_version,
            "kind": owner.kind,
            "namespace": owner_namespace,
            "name": owner.name,
        },
        "install": install,
        "managers": managers,
    })
}

fn danger(of: &Danger) -> Value {
    let Danger { pod, says, serves: _, can_hold: _ } = of;
    json!(format!("{}: {says}", pod.short()))
}

fn pod(of: &PodLine) -> Value {
    let PodLine { name, uid, ready, revision, root_cause } = of;
    json!({
        "name": name,
        "uid": uid,
        "ready": ready,
        "revision": revision,
        "rootCause": root_cause,
    })
}

fn finding(of: &Finding) -> Value {
    let Finding {
        code,
        object,
        severity,
        says,
        evidence,
        stops: _,
        because_down: _,
        because,
        forbids_restart: _,
    } = of;
    json!({
        "code": code,
        "object": object.short(),
        "severity": severity,
        "says": says,
        "evidence": list(evidence, |one| {
            let Evidence { object, field, value } = one;
            json!({ "object": object.short(), "field": field, "value": value })
        }),
        "because": because,
    })
}

fn unknown(of: &Unknown) -> Value {
    let Unknown { need, why, get, vital: _ } = of;
    json!({ "need": need, "why": why, "get": get })
}

fn path(of: &Path) -> Value {
    let Path { from, to, steps } = of;
    json!({
        "from": from,
        "to": to.short(),
        "broken": of.broken().map(|step| step.name),
        "steps": list(steps, |one| {
            let PathStep { name, passage, says, code } = one;
            json!({ "step": name, "state": passage.word(), "says": says, "code": code })
        }),
    })
}

fn directory(of: &Directory) -> Value {
    let Directory { claim, map, faults, uploads, inventory: counted } = of;
    let counted = counted.as_ref().map(inventory);
    json!({
        "claim": claim.short(),
        "map": map,
        "faults": list(faults, |Place { log, number, fault }| {
            json!({ "log": log, "number": number, "fault": fault })
        }),
        "uploads": uploads,
        "inventory": counted,
    })
}

fn inventory(of: &Inventory) -> Value {
    let Inventory { series, metrics, jobs, pairs, labels, memory } = of;
    let rank = |(name, series): &(String, u64)| json!({ "name": name, "series": series });
    let label = |(name, values): &(String, u64)| json!({ "name": name, "values": values });
    let memory = memory.map(|Memory { at_ready, limit, low, high }| {
        json!({ "atReady": at_ready, "limit": limit, "low": low, "high": high })
    });
    json!({
        "series": series,
        "metrics": list(metrics, rank),
        "jobs": list(jobs, rank),
        "pairs": list(pairs, rank),
        "labels": list(labels, label),
        "memory": memory,
    })
}

fn plan(of: &Plan, rehearsal: &[Rehearsal]) -> Value {
    let Plan {
        title,
        class: _,
        cluster: _,
        target: _,
        target_uid: _,
        steps,
        impact,
        forecast: outlook,
        commit: _,
        inputs: _,
        undo: _,
        takes: _,
        // They stand in the report's `unknown`.
        doubts: _,
        undoes: _,
        frees: _,
    } = of;
    let Impact { restarts, outage, stops_serving: _, data, loses_data: _, serving: _, beyond: _ } =
        impact;
    let steps: Vec<Value> =
        steps.iter().enumerate().map(|(place, one)| step(one, rehearsal.get(place))).collect();
    json!({
        "digest": of.digest(),
        "title": title,
        "impact": { "restarts": restarts, "outage": outage, "data": data },
        "steps": steps,
        "forecast": list(outlook, forecast),
    })
}

fn step(of: &Step, rehearsal: Option<&Rehearsal>) -> Value {
    let Step { why, action, undo } = of;
    let (patch, argv) = match action {
        Action::Patch { object: _, patch } => (json!(patch), json!([])),
        Action::Exec { object: _, container: _, argv } => (json!([]), json!(argv)),
        Action::Create { .. } | Action::Delete { .. } | Action::Wait { .. } => {
            (json!([]), json!([]))
        }
    };
    json!({
        "action": action.verb(),
        "object": action.object(),
        "why": why,
        "patch": patch,
        "argv": argv,
        "undo": match undo {
            Undo::Patch(ops) => json!(ops),
            Undo::Delete => json!("delete what this step created"),
            Undo::Restore(words) => {
                json!(format!("held again, our agent is told: {}", words.join(" ")))
            }
            Undo::Words(words) => json!(words),
        },
        "rehearsal": match rehearsal {
            None | Some(Rehearsal::NotRun) => "not-run".to_owned(),
            Some(Rehearsal::Accepted) => "accepted".to_owned(),
            Some(Rehearsal::AcceptedAsYou) => "accepted-as-you".to_owned(),
            Some(Rehearsal::Rejected(why)) => format!("rejected: {why}"),
            Some(Rehearsal::CannotBeRehearsed(why)) => format!("cannot-be-rehearsed: {why}"),
        },
    })
}

fn forecast(of: &Forecast) -> Value {
    let Forecast { pointer, verdict, by, commit } = of;
    json!({ "pointer": pointer, "verdict": verdict, "by": by, "commit": commit })
}

fn blocked(of: &Blocked) -> Value {
    let Blocked { reason, why, ways } = of;
    json!({ "reason": reason, "why": why, "ways": ways })
}

fn outcome(of: &Outcome) -> Value {
    let Outcome { steps, proved, intake, receipt } = of;
    json!({
        "steps": list(steps, |one| {
            let StepOutcome { state, error } = one;
            json!({ "state": state, "error": error })
        }),
        "proved": proved,
        "intake": intake.map(Intake::says),
        "receipt": receipt,
    })
}
