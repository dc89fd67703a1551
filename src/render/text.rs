//! The report as text: the verdict first, then where, then why, then what to do.

use crate::model::finding::Danger;
use crate::model::receipt::{self, Receipt, StepState};
use crate::model::report::{Context, Report, State};
use crate::model::{Blocked, BlockedReason, ObjectRef};

use super::clean::{clean, when};
use super::page::Page;
use super::shell::Command;
use super::style::{Role, Style};
use super::{directory, findings, headline, path, plan};

/// One report as people read it.
pub fn text(report: &Report, context: &Context, style: &Style) -> String {
    let Report {
        command: _,
        target,
        at: _,
        state,
        root,
        danger,
        pods: _,
        findings,
        unknown,
        paths,
        directories,
        plan,
        rehearsal: _,
        lacks: _,
        blocked,
        waits,
        unfinished,
        outcome,
        next: _,
        asked_class: _,
    } = report;
    let mut page = Page::new(style);
    if let Some(danger) = danger {
        write_danger(&mut page, danger, context);
    }
    if let Some(left) = unfinished {
        write_unfinished(&mut page, left, report, context);
    }
    page.gap();
    headline::write(&mut page, report, context);
    if !findings.is_empty() || !unknown.is_empty() {
        page.gap();
    }
    findings::write(&mut page, findings, *root);
    findings::write_unknown(&mut page, unknown, *state, target, context);
    path::write(&mut page, paths);
    directory::write(&mut page, directories);
    if let Some(blocked) = blocked {
        write_blocked(&mut page, blocked, context);
    }
    if let Some(waits) = waits {
        write_waits(&mut page, waits, report, context);
    }
    match (plan, outcome) {
        (Some(plan), _) => plan::write(&mut page, plan, report, context),
        (None, Some(outcome)) if !outcome.receipt.is_empty() => {
            page.gap();
            page.line(&format!("Receipt: {}", clean(&outcome.receipt)));
        }
        (None, Some(_) | None) => {}
    }
    plan::write_next(&mut page, report);
    page.finish()
}

/// A command of this program on an object.
fn own(verb: &str, what: &str, object: &ObjectRef, context: &Context) -> Command {
    Command::new(&["kubectl", "prom-fix", verb, what]).place(object, context)
}

fn write_danger(page: &mut Page<'_>, danger: &Danger, context: &Context) {
    let Danger { pod, says, serves, can_hold } = danger;
    let short = clean(&pod.short());
    let says = clean(says);
    let says = says.trim_end_matches('.');
    let lead = match (can_hold, serves) {
        (false, _) => "",
        (true, false) => " Stop it safely:",
        (true, true) => " If it must stop, let nothing start on its data:",
    };
    let text = format!("do not restart or delete {short}: {says}.{lead}");
    page.flow("DANGER  ", Role::Bad, 8, &text);
    if *can_hold {
        // A bundle cannot be frozen: who pastes it says which cluster.
        let nowhere = Context::default();
        let context = if context.bundle { &nowhere } else { context };
        page.command(&own("freeze", &pod.short(), pod, context));
    }
}

fn write_unfinished(page: &mut Page<'_>, left: &Receipt, report: &Report, context: &Context) {
    let Receipt {
        api_version: _,
        digest,
        plan,
        state: _,
        proved: _,
        who,
        context: _,
        server: _,
        version: _,
        began,
        ended: _,
        steps,
        undone: _,
        held: _,
        freed: _,
    } = left;
    page.gap();
    let stop = steps.iter().position(|step| step.state != StepState::Did);
    let place = stop.map_or(steps.len(), |at| at + 1);
    let text = format!(
        "plan {} of {}: {}; begun {}, came to step {place} of {}",
        clean(digest),
        clean(who),
        clean(&plan.title),
        when(began, report.at),
        plan.steps.len(),
    );
    page.flow("UNFINISHED  ", Role::Bad, 12, &text);
    let error = stop.and_then(|at| steps.get(at)).and_then(|step| step.error.as_ref());
    if let Some(error) = error {
        page.flow(&" ".repeat(12), Role::Plain, 12, &format!("step {place}: {}", clean(error)));
    }
    page.line("To finish it, or to put it back:");
    let name = receipt::name(digest);
    page.command(&own("resume", &name, &plan.target, context));
    page.command(&own("undo", &name, &plan.target, context));
}

fn write_blocked(page: &mut Page<'_>, blocked: &Blocked, context: &Context) {
    let Blocked { reason, why, ways } = blocked;
    page.gap();
    let reason = match reason {
        BlockedReason::NoSafePlan => "no safe plan",
        BlockedReason::Stale => "the plan is stale",
        BlockedReason::Declined => "declined",
        BlockedReason::Forbidden => "you may not",
        BlockedReason::Busy => "somebody is at work",
        BlockedReason::NeedsInspect => "it needs a look inside",
        BlockedReason::NeedsConsent => "it needs your consent",
    };
    page.flow("BLOCKED  ", Role::Warn, 9, &format!("{reason}: {}", clean(why)));
    for way in ways {
        let way = clean(way);
        match way.split_once("  kubectl prom-fix ") {
            _ if way.starts_with("kubectl ") => page.command_text(&way),
            // It begins a line, and goes to the same cluster: so it can be pasted.
            Some((words, command)) => {
                page.flow(" - ", Role::Plain, 3, words);
                let command = format!("kubectl prom-fix {command}");
                page.command_text(&findings::flagged(command, context));
            }
            None => page.flow(" - ", Role::Plain, 3, &way),
        }
    }
}

fn write_waits(page: &mut Page<'_>, waits: &str, report: &Report, context: &Context) {
    page.gap();
    page.line(&clean(waits));
    let named = !report.next.is_empty() && report.plan.is_none();
    if !named && report.state == State::Recovering {
        let object = &report.target.object;
        page.line("To follow it:");
        page.command(&own("wait", &object.short(), object, context));
    }
}
