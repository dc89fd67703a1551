//! The steps of a plan, one after the other, each with the number it has in the journal.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::model::object::Kind;
use crate::model::report::{Rehearsal, StepOutcome};
use crate::model::{Action, ObjectRef, Plan, Step, Until};

use super::changes::{self, Changed};
use super::clean::{clean, cut};
use super::page::Page;
use super::shell::quote;
use super::style::Role;

/// Lines of a text that a patch changes, before the rest is left to `-o plan`.
const MOST_LINES: usize = 16;

/// What is known of the steps beside the plan itself.
pub(super) struct Marks<'a> {
    pub rehearsal: &'a [Rehearsal],
    /// Set after an apply.
    pub outcome: Option<&'a [StepOutcome]>,
}

/// Writes every step. Before an apply a wait that follows the delete of its own pod is told in
/// the delete's line.
pub(super) fn write(page: &mut Page<'_>, plan: &Plan, marks: &Marks<'_>) {
    let Marks { rehearsal, outcome } = marks;
    for (place, step) in plan.steps.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|at| plan.steps.get(at));
        if outcome.is_none() && before.is_some_and(|before| is_its_wait(before, step)) {
            continue;
        }
        let follower = plan.steps.get(place + 1).filter(|next| is_its_wait(step, next));
        let follower = follower.filter(|_| outcome.is_none());
        let done = outcome.map(|all| all.get(place));
        let lead = lead(place + 1, step, done);
        match &step.action {
            Action::Patch { patch, .. } => {
                let changed = changes::of(patch);
                let back = |one: &Changed| is_taken_back(plan, place, one);
                patch_lines(page, &lead, &named(plan, step), &changed, &back);
                if let Some(more) = beyond_title(plan, step) {
                    let at = lead.chars().count().min(11);
                    page.flow(&" ".repeat(at), Role::Plain, at, &clean(more));
                }
            }
            Action::Create { .. }
            | Action::Delete { .. }
            | Action::Exec { .. }
            | Action::Wait { .. } => {
                let text = words(plan, place, step, follower);
                page.flow(&lead, Role::Plain, lead.chars().count(), &text);
            }
        }
        remarks(page, lead.chars().count(), rehearsal.get(place), done.flatten());
    }
}

/// ` 2 delete  `; after an apply ` 2 did        delete  `.
fn lead(number: usize, step: &Step, done: Option<Option<&StepOutcome>>) -> String {
    let verb = step.action.verb();
    match done {
        None => format!("{number:>2} {verb:<6}  "),
        Some(outcome) => {
            let state = outcome.map_or("not tried", |o| match o.state {
                "not-tried" => "not tried",
                state => state,
            });
            format!("{number:>2} {state:<9}  {verb:<6}  ")
        }
    }
}

/// What a rehearsal or an apply said of the step.
fn remarks(page: &mut Page<'_>, at: usize, said: Option<&Rehearsal>, done: Option<&StepOutcome>) {
    let rehearsed = match said {
        Some(Rehearsal::Rejected(why)) => Some(format!("rehearsal: rejected: {}", clean(why))),
        Some(Rehearsal::CannotBeRehearsed(why)) => {
            Some(format!("cannot be rehearsed: {}", clean(why)))
        }
        Some(Rehearsal::NotRun | Rehearsal::Accepted | Rehearsal::AcceptedAsYou) | None => None,
    };
    let failed = done.and_then(|d| d.error.as_ref()).map(|error| clean(error));
    for remark in [rehearsed.filter(|_| done.is_none()), failed].into_iter().flatten() {
        page.flow(&" ".repeat(at), Role::Plain, at, &remark);
    }
}

fn patch_lines(
    page: &mut Page<'_>,
    lead: &str,
    object: &str,
    changed: &[Changed],
    is_back: &dyn Fn(&Changed) -> bool,
) {
    let beside = lead.chars().count() + object.chars().count() + 3;
    let longest = changed.iter().map(|c| clean(&c.path).chars().count()).max().unwrap_or(0);
    let low = beside + longest + 12 > page.width();
    // Below the object's line a pointer starts where it would without an outcome before it.
    let at = if low { lead.chars().count().min(11) } else { beside };
    let mut start = format!("{lead}{object}   ");
    if low || changed.is_empty() {
        page.flow(lead, Role::Plain, lead.chars().count(), object);
        start = " ".repeat(at);
    }
    for one in changed {
        let path = clean(&one.path);
        match text_lines(one) {
            Some(lines) => {
                page.flow(&start, Role::Plain, at + 2, &path);
                for line in lines {
                    page.flow(&format!("{:1$}", "", at + 2), Role::Plain, at + 4, &line);
                }
            }
            None => {
                let [old, new] = [&one.old, &one.new].map(|v| clean(&changes::show(v.as_ref())));
                let back = if is_back(one) { " (for\u{a0}now)" } else { "" };
                page.flow(&start, Role::Plain, at + 2, &format!("{path}  {old} -> {new}{back}"));
            }
        }
        start = " ".repeat(at);
    }
}

/// The changed lines of a text of several lines; none where a value is not such a text.
fn text_lines(one: &Changed) -> Option<Vec<String>> {
    let text = |value: &Option<Value>| match value {
        None => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => None,
    };
    let (old, new) = (text(&one.old)?, text(&one.new)?);
    if !old.trim_end().contains('\n') && !new.trim_end().contains('\n') {
        return None;
    }
    let diff = TextDiff::from_lines(old.as_str(), new.as_str());
    let mut lines: Vec<String> = diff
        .iter_all_changes()
        .filter(|change| change.tag() != ChangeTag::Equal)
        .map(|change| {
            let mark = if change.tag() == ChangeTag::Delete { '-' } else { '+' };
            format!("{mark} {}", clean(change.value().trim_end_matches(['\r', '\n'])))
        })
        .collect();
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    if more > 0 {
        lines.push(format!("… {more} more lines: see -o plan"));
    }
    Some(lines)
}

/// What the reason of a patch says beyond the plan's title: what else it does, when it may go back.
fn beyond_title<'a>(plan: &Plan, step: &'a Step) -> Option<&'a str> {
    let more = step.why.strip_prefix(plan.title.as_str())?;
    Some(more.trim_start_matches([';', ':', ' '])).filter(|more| !more.is_empty())
}

/// Whether a later step brings this field back to what it was.
fn is_taken_back(plan: &Plan, place: usize, one: &Changed) -> bool {
    let Some(step) = plan.steps.get(place) else { return false };
    plan.steps.iter().skip(place + 1).any(|later| match &later.action {
        Action::Patch { object, patch } => {
            object == step.action.object()
                && changes::of(patch).iter().any(|c| c.path == one.path && c.new == one.old)
        }
        Action::Create { .. }
        | Action::Delete { .. }
        | Action::Exec { .. }
        | Action::Wait { .. } => false,
    })
}

fn is_its_wait(before: &Step, step: &Step) -> bool {
    match (&before.action, &step.action) {
        (Action::Delete { object: gone, .. }, Action::Wait { object, .. }) => gone == object,
        _ => false,
    }
}

fn words(plan: &Plan, place: usize, step: &Step, follower: Option<&Step>) -> String {
    let mut out = named(plan, step);
    let why = clean(&step.why);
    match &step.action {
        Action::Exec { container, argv, .. } => {
            let argv: Vec<String> = argv.iter().map(|word| clean(&quote(word))).collect();
            out.push_str(&format!(" ({}): {}", clean(container), cut(&argv.join(" "), 300)));
        }
        Action::Wait { object, until } => {
            out.push_str(&format!(", {}", until_words(object, until)));
            if why.starts_with("until") {
                return out;
            }
        }
        Action::Patch { .. } | Action::Create { .. } | Action::Delete { .. } => {}
    }
    if !why.is_empty() {
        out.push_str(&format!(", {why}"));
    }
    if let Some(Step { action: Action::Wait { object, until }, .. }) = follower {
        out.push_str(&format!("; step {} waits {}", place + 2, until_words(object, until)));
    }
    out
}

/// `until it ingests`.
pub(super) fn until_words(object: &ObjectRef, until: &Until) -> String {
    match until {
        Until::Ingests { .. } => "until it ingests".to_owned(),
        Until::Ready { .. } => "until it is Ready".to_owned(),
        Until::Gone { .. } => "until it is gone".to_owned(),
        Until::RolledOut { .. } if object.kind == Kind::Pod => "until it is Ready".to_owned(),
        Until::RolledOut { .. } => "until every replica is updated and Ready".to_owned(),
        Until::Rendered { pointer, value } => {
            let path = pointer.trim_start_matches('/').replace('/', ".");
            // A list of arguments is no words for a person.
            match value {
                Value::Array(_) => clean(&format!("until {path} is rendered anew")),
                value => clean(&format!("until {path} is {}", changes::show(Some(value)))),
            }
        }
        Until::Stopped { .. } | Until::Held { .. } => "until its containers have ended".to_owned(),
        Until::Completed => "until it has run to its end".to_owned(),
    }
}

/// The object of a step; its namespace only where that is not the target's.
fn named(plan: &Plan, step: &Step) -> String {
    let object = step.action.object();
    let short = clean(&object.short());
    if object.namespace.is_empty() || object.namespace == plan.target.namespace {
        short
    } else {
        format!("{short} -n {}", clean(&object.namespace))
    }
}
