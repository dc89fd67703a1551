//! What was done: a table of receipts, and one as a timeline.

use jiff::Timestamp;

use crate::model::Plan;
use crate::model::plan::FREEZE;
use crate::model::quantity::show_bytes;
use crate::model::receipt::{self, Freed, Progress, Receipt, State, StepState};

use super::clean::{ago, clean, when};
use super::page::Page;
use super::shell::Command;
use super::style::{Role, Style};

/// A table, the newest first.
pub fn receipts(list: &[Receipt], now: Timestamp) -> String {
    if list.is_empty() {
        return "no receipts\n".to_owned();
    }
    let mut sorted: Vec<&Receipt> = list.iter().collect();
    sorted.sort_by(|a, b| (&b.began, &a.digest).cmp(&(&a.began, &b.digest)));
    let heads = ["RECEIPT", "NAMESPACE", "TARGET", "STATE", "BY", "ASIDE", "BEGAN"];
    let mut rows = vec![heads.map(str::to_owned)];
    for one in sorted {
        let target = &one.plan.target;
        let began = one.began.parse::<Timestamp>();
        rows.push([
            clean(&receipt::name(&one.digest)),
            if target.namespace.is_empty() { "-".to_owned() } else { clean(&target.namespace) },
            clean(&target.short()),
            state_word(one).to_owned(),
            clean(&one.who),
            still_aside(one),
            began.map_or_else(|_| clean(&one.began), |at| ago(at, now)),
        ]);
    }
    let mut widths = heads.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; 7]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// Bytes that a salvage has set aside, as long as they are there.
fn still_aside(of: &Receipt) -> String {
    match (of.aside(), &of.freed) {
        (Some(_), Some(Freed { whole: true, .. })) => "freed".to_owned(),
        (Some((_, Some(bytes))), _) if of.state != State::Undone => show_bytes(bytes),
        (Some((_, None)), _) if of.state != State::Undone => "yes".to_owned(),
        (Some(_) | None, _) => "-".to_owned(),
    }
}

fn state_word(of: &Receipt) -> &'static str {
    match (of.state, of.proved) {
        (State::Undone, _) if of.plan.class == "look" => "looked",
        (State::Applied, _) if of.plan.class == FREEZE => match of.held {
            Some(true) => "held",
            Some(false) => "let go",
            None => "held?",
        },
        (State::Applied, _) if of.plan.undoes.is_some() => "took back",
        (State::Applied, _) if of.plan.frees.is_some() => "freed",
        (State::Open, _) => "unfinished",
        (State::Applied, true) => "proved",
        (State::Applied, false) => "not proved",
        (State::Undone, _) => "undone",
    }
}

/// One receipt as a timeline.
pub fn receipt(one: &Receipt, now: Timestamp) -> String {
    let Receipt {
        api_version: _,
        digest,
        plan,
        state: _,
        proved: _,
        who,
        context,
        server,
        version,
        began,
        ended,
        steps,
        undone,
        held: _,
        freed: _,
    } = one;
    let style = Style::plain();
    let mut page = Page::new(&style);
    page.line(&format!("{}   {}", clean(&receipt::name(digest)), state_word(one)));
    let target = match plan.target.namespace.as_str() {
        "" => clean(&plan.target.short()),
        namespace => format!("{} -n {}", clean(&plan.target.short()), clean(namespace)),
    };
    let rows = [
        ("Plan", clean(&plan.title)),
        ("Target", target),
        ("By", format!("{}, context {}, {}", clean(who), clean(context), clean(server))),
        ("With", format!("kubectl-prom-fix {}", clean(version))),
        ("Began", when(began, now)),
        ("Ended", ended.as_ref().map_or_else(|| "not yet".to_owned(), |at| when(at, now))),
        ("Undo", clean(&plan.undo)),
        ("Aside", aside(one)),
    ];
    for (label, text) in rows.into_iter().filter(|(_, text)| !text.is_empty()) {
        page.flow(&format!(" {label:<8}  "), Role::Plain, 11, &text);
    }
    page.gap();
    for (place, step) in plan.steps.iter().enumerate() {
        let object = clean(&step.action.object().short());
        let what = format!("{:<6}  {object}, {}", step.action.verb(), clean(&step.why));
        progress(&mut page, place, &what, steps.get(place));
    }
    if !undone.is_empty() {
        page.gap();
        page.line("Put back, newest last:");
        for (place, entry) in undone.iter().enumerate() {
            progress(&mut page, place, &taken_back(plan, entry), Some(entry));
        }
    }
    if one.state == State::Applied && still_aside(one) != "-" && one.freed.is_none() {
        page.gap();
        page.line("What is set aside is freed with:");
        let namespace = clean(&plan.target.namespace);
        let command = Command::new(&["kubectl", "prom-fix", "cleanup", &clean(digest)]);
        page.command(&command.piece(&["-n", &namespace]));
    }
    page.finish()
}

/// What became of the old files of a salvage.
fn aside(one: &Receipt) -> String {
    let Some((folder, bytes)) = one.aside() else { return String::new() };
    let size = bytes.map_or_else(String::new, |bytes| format!("{} ", show_bytes(bytes)));
    match &one.freed {
        Some(Freed { by, at, whole: true }) => {
            format!("{size}freed by {} at {}", clean(by), clean(at))
        }
        Some(Freed { by, at: _, whole: false }) => {
            format!("{size}in {}, freed in part by {}", clean(folder), clean(by))
        }
        None if one.state == State::Undone => String::new(),
        None => format!("{size}in {}/ on the volume", clean(folder)),
    }
}

/// `step 4, patch prometheus/k8s`; empty where the entry does not say which step.
fn taken_back(plan: &Plan, entry: &Progress) -> String {
    let Some(number) = entry.step else { return String::new() };
    let step = number.checked_sub(1).and_then(|at| plan.steps.get(at));
    let what = step.map_or_else(String::new, |step| {
        format!(", {} {}", step.action.verb(), clean(&step.action.object().short()))
    });
    format!("step {number}{what}")
}

/// ` 1 did        01:06:02Z  patch   prometheus/k8s, …`, and its error below.
fn progress(page: &mut Page<'_>, place: usize, what: &str, of: Option<&Progress>) {
    const COLUMN: usize = 25;
    let none = Progress::default();
    let Progress {
        state,
        began,
        ended,
        error,
        note,
        fields_before: _,
        served: _,
        uid: _,
        step: _,
        said: _,
    } = of.unwrap_or(&none);
    let word = match state {
        StepState::NotTried => "not tried",
        StepState::Began => "began",
        StepState::Did => "did",
        StepState::Failed => "failed",
    };
    let at = ended.as_ref().or(began.as_ref()).and_then(|at| at.parse::<Timestamp>().ok());
    let at = at.map_or_else(|| "-".to_owned(), |at| at.strftime("%H:%M:%SZ").to_string());
    let lead = format!("{:>2} {word:<9}  {at:<9}  ", place + 1);
    page.flow(&lead, Role::Plain, COLUMN, what);
    for error in [error, note].into_iter().flatten() {
        page.flow(&" ".repeat(COLUMN), Role::Plain, COLUMN, &clean(error));
    }
}
