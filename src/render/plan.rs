//! The plan: what would be done, what it costs, what takes it back, and the line that applies it;
//! after an apply, how far it came and how to go on.

use crate::model::Plan;
use crate::model::plan::{FREEZE, Forecast, Impact, Revert};
use crate::model::report::{Context, Outcome, Rehearsal, Report};

use super::clean::clean;
use super::headline;
use super::page::{GLUE, Page};
use super::shell::Command;
use super::steps::{self, Marks};
use super::style::{Role, Style};

/// Values of the lines under the steps start here.
const COLUMN: usize = 11;

pub(super) fn write(page: &mut Page<'_>, plan: &Plan, report: &Report, context: &Context) {
    let Report { rehearsal, lacks, outcome, .. } = report;
    page.gap();
    let head = format!("Plan {}   ", plan.digest());
    let marks = Marks { rehearsal, outcome: outcome.as_ref().map(|o| o.steps.as_slice()) };
    match outcome {
        None => {
            page.flow(&head, Role::Hint, COLUMN, &facts(plan, rehearsal, lacks, context));
            steps::write(page, plan, &marks);
            write_costs(page, plan);
            write_undo(page, plan);
            if !context.applying {
                page.gap();
                write_how(page, plan, report, context);
            }
        }
        Some(done) => {
            page.flow(&head, Role::Hint, COLUMN, &how_far(done));
            steps::write(page, plan, &marks);
            write_undo(page, plan);
            page.gap();
            write_after(page, plan, done, context);
        }
    }
}

/// A plan that came from a file, every step of it: what its question is asked about.
pub(super) fn alone(plan: &Plan, rehearsal: &[Rehearsal], style: &Style) -> String {
    let mut page = Page::new(style);
    let head = format!("Plan {}   ", plan.digest());
    let takes = clean(&plan.takes);
    let facts = [clean(&plan.title), takes, rehearsed(rehearsal)];
    let facts: Vec<&str> = facts.iter().map(String::as_str).filter(|f| !f.is_empty()).collect();
    page.flow(&head, Role::Hint, COLUMN, &facts.join("; "));
    steps::write(&mut page, plan, &Marks { rehearsal, outcome: None });
    write_costs(&mut page, plan);
    write_undo(&mut page, plan);
    page.finish()
}

/// `about 10 min; you may do every step; not rehearsed`.
fn facts(plan: &Plan, rehearsal: &[Rehearsal], lacks: &[String], context: &Context) -> String {
    let mut parts = Vec::new();
    if !plan.takes.is_empty() {
        parts.push(clean(&plan.takes));
    }
    parts.push(match (context.bundle, lacks.is_empty()) {
        (true, _) => "made from a bundle".to_owned(),
        (false, true) => "you may do every step".to_owned(),
        (false, false) => "you may not do every step".to_owned(),
    });
    parts.push(rehearsed(rehearsal));
    parts.join("; ")
}

fn rehearsed(rehearsal: &[Rehearsal]) -> String {
    let rejected = rehearsal.iter().position(|r| matches!(r, Rehearsal::Rejected(_)));
    if let Some(place) = rejected {
        return format!("rehearsed: step {} was rejected", place + 1);
    }
    if rehearsal.contains(&Rehearsal::AcceptedAsYou) {
        return "rehearsed: accepted, as you".to_owned();
    }
    match rehearsal.contains(&Rehearsal::Accepted) {
        true => "rehearsed: accepted".to_owned(),
        false => "not rehearsed".to_owned(),
    }
}

/// Outage and data on one line where they fit.
fn write_costs(page: &mut Page<'_>, plan: &Plan) {
    let Impact { restarts: _, outage, stops_serving, data, loses_data, serving: _, beyond: _ } =
        &plan.impact;
    let (mut outage, mut data) = (clean(outage), clean(data));
    if *stops_serving {
        outage.push_str("; it needs --allow-downtime");
    }
    if *loses_data {
        data.push_str("; this cannot be taken back");
    }
    let both = format!("{outage}     Data  {data}");
    if COLUMN + both.chars().count() <= page.width() {
        row(page, "Outage", &both);
    } else {
        row(page, "Outage", &outage);
        row(page, "Data", &data);
    }
}

fn write_undo(page: &mut Page<'_>, plan: &Plan) {
    row(page, "Undo", &clean(&plan.undo));
    for line in reverts(plan) {
        row(page, "Reverts", &line);
    }
}

fn row(page: &mut Page<'_>, label: &str, text: &str) {
    if !text.is_empty() {
        page.flow(&format!(" {label:<8}  "), Role::Plain, COLUMN, text);
    }
}

/// Who takes which field back and when, each said once, with what makes it last.
fn reverts(plan: &Plan) -> Vec<String> {
    let mut groups: Vec<(Revert, &str, Vec<&Forecast>)> = Vec::new();
    for one in plan.forecast.iter().filter(|f| f.verdict != Revert::Survives) {
        match groups.iter_mut().find(|(verdict, by, _)| *verdict == one.verdict && *by == one.by) {
            Some((_, _, members)) => members.push(one),
            None => groups.push((one.verdict, &one.by, vec![one])),
        }
    }
    let count = groups.len();
    let lines = groups.iter().enumerate().map(|(place, (verdict, by, members))| {
        let all = members.len() == plan.forecast.len();
        let fields: Vec<String> = members.iter().map(|f| clean(&dots(&f.pointer))).collect();
        let of = if all { String::new() } else { format!("{}: ", fields.join(", ")) };
        let keep = if place + 1 == count { keep(plan, members) } else { String::new() };
        format!("{of}{}.{keep}", when(*verdict, &clean(by)))
    });
    lines.collect()
}

fn dots(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}

fn when(verdict: Revert, by: &str) -> String {
    let by = if by.is_empty() { "its manager" } else { by };
    match verdict {
        Revert::Survives => "never".to_owned(),
        Revert::SurvivesUntilUpgrade if by.starts_with("the next") => format!("with {by}"),
        Revert::SurvivesUntilUpgrade => format!("when {by} next renders this value"),
        Revert::RevertsOnReconcile => format!("when {by} next reconciles"),
        Revert::RevertsNow => format!("at once, by {by}"),
    }
}

/// What makes it last.
fn keep(plan: &Plan, members: &[&Forecast]) -> String {
    let option = format!("{GLUE}-o{GLUE}commit{GLUE}");
    match plan.commit.as_slice() {
        [] => {
            let said = members.iter().find(|f| !f.commit.is_empty());
            said.map_or_else(String::new, |f| format!(" To keep it: {}", clean(&f.commit)))
        }
        [one] => {
            let title = clean(&one.title);
            let file = title.split(" of ").next().unwrap_or_default();
            let lines = one.text.lines().count();
            let plural = if lines == 1 { "" } else { "s" };
            format!(" To keep it, commit what {option} prints ({file}, {lines} line{plural})")
        }
        all => format!(" To keep it, commit what {option} prints ({} places)", all.len()),
    }
}

fn write_how(page: &mut Page<'_>, plan: &Plan, report: &Report, context: &Context) {
    let option = |name: &str| format!("{GLUE}-o{GLUE}{name}");
    if context.bundle {
        page.line(&format!(
            "Nothing was changed: a bundle was read. To apply it where the cluster is, save what {} prints as plan.yaml and:",
            option("plan")
        ));
        page.command(&Command::new(&["kubectl", "prom-fix", "apply", "-f", "plan.yaml"]));
        return;
    }
    let others = format!("{} |{GLUE}-o{GLUE}commit |{GLUE}-o{GLUE}commands", option("plan"));
    if report.lacks.is_empty() {
        page.line("Nothing was changed. To apply:");
        page.command(&apply_command(plan, context));
        page.line(&format!("May not, or need a review: {GLUE}the same with {others}"));
        return;
    }
    let lacks: Vec<String> = report.lacks.iter().map(|verb| clean(verb)).collect();
    page.line(&format!(
        "Nothing was changed. You may not: {}; give the plan to someone who may: {}",
        lacks.join(", "),
        option("plan")
    ));
    page.line("Saved as plan.yaml, they apply it with:");
    let digest = plan.digest();
    let command = Command::new(&["kubectl", "prom-fix", "apply", "-f", "plan.yaml"]);
    page.command(&command.words(&context.flags).piece(&["--confirm", &digest]));
}

/// The command that makes this very plan again and carries it out.
pub(super) fn apply_command(plan: &Plan, context: &Context) -> Command {
    // Of all its pods this one is meant.
    let what = match (plan.class.as_str(), plan.impact.restarts.as_slice()) {
        (FREEZE, [pod]) => format!("pod/{pod}"),
        _ => plan.target.short(),
    };
    let command = Command::new(&["kubectl", "prom-fix", &plan.class, &what])
        .place(&plan.target, context)
        .words(&plan.inputs);
    let consented = plan.inputs.iter().any(|word| word == "--allow-downtime");
    let command = match plan.impact.stops_serving && !consented {
        true => command.piece(&["--allow-downtime"]),
        false => command,
    };
    command.piece(&["--apply", "--confirm", &plan.digest()])
}

fn how_far(done: &Outcome) -> String {
    let all = done.steps.len();
    match done.steps.iter().position(|step| step.state != "did") {
        Some(place) => format!("stopped at step {} of {all}", place + 1),
        None if done.proved => {
            let shown = done.intake.map(|intake| format!(": {}", intake.says()));
            format!("carried out, {all} of {all} steps; proved{}", shown.unwrap_or_default())
        }
        None => format!("carried out, {all} of {all} steps; not proved yet"),
    }
}

fn write_after(page: &mut Page<'_>, plan: &Plan, done: &Outcome, context: &Context) {
    let Outcome { steps, proved, intake: _, receipt } = done;
    let stopped = steps.iter().any(|step| step.state != "did");
    if receipt.is_empty() {
        page.line("No receipt was kept.");
        return;
    }
    page.line(&format!("Receipt: {}", clean(receipt)));
    let follow = |verb: &str, what: &str| {
        Command::new(&["kubectl", "prom-fix", verb, what]).place(&plan.target, context)
    };
    if stopped {
        page.line("To finish it:");
        page.command(&follow("resume", receipt));
    } else if !proved {
        page.line("To follow it to the proof:");
        page.command(&follow("wait", &plan.target.short()));
    }
    page.line("To put it back:");
    page.command(&follow("undo", receipt));
}

/// The command that was named as the next one to type.
pub(super) fn write_next(page: &mut Page<'_>, report: &Report) {
    // A plan on the page names its own next command.
    if report.next.is_empty() || report.plan.is_some() && headline::other_class(report).is_none() {
        return;
    }
    page.gap();
    page.line("Next:");
    page.command(&next_command(&report.next));
}

/// `kubectl prom-fix oom TARGET` stays together; flags break with their values.
fn next_command(words: &[String]) -> Command {
    let split = words.iter().position(|word| word.starts_with('-')).unwrap_or(words.len());
    let (start, rest) = words.split_at(split);
    let start: Vec<&str> = start.iter().map(String::as_str).collect();
    Command::default().piece(&start).words(rest)
}
