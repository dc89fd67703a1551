//! What was found and what could not be read, as lines with a mark in front.

use crate::model::report::{Context, State, Target};
use crate::model::{Code, Evidence, Finding, ObjectRef, Severity, Unknown};

use super::clean::{clean, cut};
use super::page::Page;
use super::style::Role;

/// Further lines of a finding start here.
const INDENT: usize = 5;
/// A longer label stands on its own.
const LABEL: usize = 14;
/// Most characters shown of one line of a log.
const LOG_LINE: usize = 400;

pub(super) fn write(page: &mut Page<'_>, findings: &[Finding], root: Option<Code>) {
    let widest = findings.iter().map(|f| f.code.0.chars().count()).max().unwrap_or(0);
    for finding in findings {
        one(page, finding, root, widest + 2);
    }
}

fn one(page: &mut Page<'_>, finding: &Finding, root: Option<Code>, column: usize) {
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
    } = finding;
    let (mark, role) = match (because, severity) {
        (Some(_), _) => ('~', Role::Dim),
        (None, Severity::Error) => ('x', Role::Bad),
        (None, Severity::Warn) => ('!', Role::Warn),
        (None, Severity::Info) => ('-', Role::Plain),
    };
    let lead = format!(" {mark} {:<column$}", code.0);
    let (object_name, says) = (clean(&object.short()), clean(says));
    match because {
        Some(cause) => {
            let cause = if Some(*cause) == root { "the above" } else { cause.0 };
            page.flow(&lead, role, INDENT, &format!("{object_name}, explained by {cause}"));
        }
        None => {
            page.flow(&lead, role, INDENT, &format!("{object_name} {says}"));
            write_evidence(page, object, evidence);
        }
    }
}

fn write_evidence(page: &mut Page<'_>, about: &ObjectRef, evidence: &[Evidence]) {
    let length = |e: &Evidence| clean(&e.field).chars().count();
    let widest = evidence.iter().map(length).filter(|l| *l <= LABEL).max().unwrap_or(0);
    let column = INDENT + widest + 2;
    let mut last = String::new();
    for one in evidence {
        let Evidence { object, field, value } = one;
        let label = clean(field);
        let shown = if label == last { "" } else { label.as_str() };
        let lead = format!("{:INDENT$}{shown:<widest$}  ", "");
        let mut text = value_lines(&label, value);
        // Evidence from another object says from which, unless its words do.
        if object != about && !value.contains(&object.name) {
            text = format!("{}: {text}", clean(&object.short()));
        }
        page.flow(&lead, Role::Plain, column, &text);
        last = label;
    }
}

/// Lines of a log are quoted: they are the words of others.
fn value_lines(label: &str, value: &str) -> String {
    let is_log = label == "log" || label.starts_with("log ") || label.ends_with(" log");
    let lines = value.lines().map(clean).filter(|line| !line.trim().is_empty());
    let lines: Vec<String> = if is_log {
        lines.map(|line| format!("\"{}\"", cut(line.trim(), LOG_LINE))).collect()
    } else {
        lines.collect()
    };
    lines.join("\n")
}

/// A Prometheus is well also where nothing that it scrapes answers.
const TARGETS: &str = "its targets (its page /targets shows them)";

/// What could not be read. A healthy report has one line of it; others say how to get each.
pub(super) fn write_unknown(
    page: &mut Page<'_>,
    unknown: &[Unknown],
    state: State,
    target: &Target,
    context: &Context,
) {
    if state == State::Healthy {
        let said = unknown.iter().map(|u| format!("{} ({})", clean(&u.need), clean(&u.why)));
        let all: Vec<String> = std::iter::once(TARGETS.to_owned()).chain(said).collect();
        page.flow(" ? not checked: ", Role::Plain, INDENT, &all.join("; "));
        return;
    }
    for one in unknown {
        let Unknown { need, why, get, vital: _ } = one;
        let text = format!("{} unread ({})", clean(need), clean(why));
        let get = clean(get);
        if get.starts_with("kubectl ") {
            page.flow(" ? ", Role::Warn, INDENT, &format!("{text}; to read it:"));
            page.command_text(&placed(&get, target, context));
        } else if get.is_empty() {
            page.flow(" ? ", Role::Warn, INDENT, &text);
        } else {
            page.flow(" ? ", Role::Warn, INDENT, &format!("{text}: {get}"));
        }
    }
}

/// The command with namespace and context, where it does not name them itself.
fn placed(command: &str, target: &Target, context: &Context) -> String {
    let has = |flag: &str| command.split(' ').any(|word| word == flag);
    let mut out = command.to_owned();
    let namespace = &target.object.namespace;
    if !namespace.is_empty() && !["-n", "--namespace", "-A"].into_iter().any(has) {
        out.push_str(&format!(" -n {}", super::shell::quote(namespace)));
    }
    flagged(out, context)
}

/// The command with the flags that reach the same cluster, where it does not name them itself.
pub(super) fn flagged(command: String, context: &Context) -> String {
    let has = |flag: &str| command.split(' ').any(|word| word == flag);
    // A recording cannot be asked anything more: there the command is for the cluster.
    let flags: &[String] = if context.bundle { &[] } else { &context.flags };
    if flags.is_empty() || flags.first().is_some_and(|flag| has(flag)) {
        return command;
    }
    format!("{command} {}", super::shell::shell_quote(flags))
}
