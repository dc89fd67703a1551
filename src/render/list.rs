//! Many reports at once: one line per finding, and the table of a sweep.

use crate::model::report::{Report, State};
use crate::model::{Finding, Severity};

use super::clean::clean;
use super::style::{Role, Style};

/// One line per finding; a healthy Prometheus has one line as well.
pub fn short(reports: &[Report]) -> String {
    let mut out = String::new();
    for report in reports {
        let object = &report.target.object;
        let start = format!("{} {}", or_dash(&object.namespace), clean(&object.short()));
        let mut line = |rest: &str| out.push_str(&format!("{start} {rest}\n"));
        if let Some(danger) = &report.danger {
            line(&format!("danger {} {}", clean(&danger.pod.short()), clean(&danger.says)));
        }
        let told = report.findings.iter().any(|f| f.severity == Severity::Error);
        if !told {
            let word = report.state.word();
            line(&format!("{word} {} of {} serving", report.target.serving, report.target.wanted));
        }
        for finding in &report.findings {
            let Finding { code, object, severity, says, because, .. } = finding;
            let severity = severity_word(*severity);
            let because = because.map_or_else(String::new, |b| format!(" (explained by {b})"));
            let object = clean(&object.short());
            line(&format!("{severity} {code} {object} {}{because}", clean(says)));
        }
        for unknown in &report.unknown {
            line(&format!("unread {}: {}", clean(&unknown.need), clean(&unknown.why)));
        }
    }
    out
}

pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warn => "warn",
        Severity::Info => "info",
    }
}

const HEADS: [&str; 6] = ["NAMESPACE", "PROMETHEUS", "READY", "VERDICT", "ROOT-CAUSE", "FIX"];

struct Row {
    cells: [String; 6],
    role: Role,
    /// Why it could not be told, under the row.
    errors: Vec<String>,
}

/// The table of many, broken first, with a count at the end.
pub fn sweep(reports: &[Report], style: &Style) -> String {
    let mut sorted: Vec<&Report> = reports.iter().collect();
    sorted.sort_by_key(|r| (urgency(r), &r.target.object.namespace, &r.target.object.name));
    let rows: Vec<Row> = sorted.iter().map(|report| row(report)).collect();
    let mut widths = HEADS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    write_row(&mut out, &HEADS.map(str::to_owned), &widths, Role::Plain, style);
    for row in &rows {
        write_row(&mut out, &row.cells, &widths, row.role, style);
        for error in &row.errors {
            for line in super::page::wrap(error, 4, 4, style.width) {
                out.push_str(&format!("    {line}\n"));
            }
        }
    }
    out.push_str(&format!("\n{}\n", count(reports)));
    out
}

/// One row is one line, also beyond the width, as kubectl has it: scripts cut it into columns.
fn write_row(
    out: &mut String,
    cells: &[String; 6],
    widths: &[usize; 6],
    role: Role,
    style: &Style,
) {
    let mut line = String::new();
    for (place, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let padded = format!("{cell:<width$}  ");
        // The verdict alone carries the colour.
        let dressed = if HEADS.get(place) == Some(&"VERDICT") { role } else { Role::Plain };
        line.push_str(&style.dress(dressed, &padded));
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

fn urgency(report: &Report) -> u8 {
    match (report.danger.is_some(), report.state) {
        (true, _) => 0,
        (false, State::Broken) => 1,
        (false, State::Recovering) => 2,
        (false, State::Unknown) => 3,
        (false, State::Healthy) => 4,
    }
}

fn row(report: &Report) -> Row {
    let target = &report.target;
    let role = match report.state {
        State::Healthy => Role::Good,
        State::Broken => Role::Bad,
        State::Recovering | State::Unknown => Role::Warn,
    };
    let verdict = if report.danger.is_some() { "DANGER" } else { report.state.word() };
    let errors = match report.state {
        State::Unknown => report
            .unknown
            .iter()
            .filter(|u| u.vital)
            .map(|u| format!("{}: {}", clean(&u.need), clean(&u.why)))
            .collect(),
        State::Healthy | State::Broken | State::Recovering => Vec::new(),
    };
    Row {
        cells: [
            or_dash(&target.object.namespace),
            clean(&target.object.short()),
            format!("{}/{}", target.serving, target.wanted),
            verdict.to_owned(),
            report.root.map_or_else(|| "-".to_owned(), |code| code.0.to_owned()),
            fix(report).to_owned(),
        ],
        role,
        errors,
    }
}

fn fix(report: &Report) -> &'static str {
    if report.unfinished.is_some() {
        return "resume";
    }
    match (&report.plan, &report.blocked, &report.waits) {
        (Some(_), _, _) => "plan",
        (None, Some(_), _) => "blocked",
        (None, None, Some(_)) => "wait",
        (None, None, None) => "-",
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { clean(text) }
}

/// `5 Prometheus: 1 broken, 4 healthy`.
fn count(reports: &[Report]) -> String {
    let states = [State::Broken, State::Recovering, State::Unknown, State::Healthy];
    let parts: Vec<String> = states
        .into_iter()
        .map(|state| (state.word(), reports.iter().filter(|r| r.state == state).count()))
        .filter(|(_, many)| *many > 0)
        .map(|(word, many)| format!("{many} {word}"))
        .collect();
    match parts.is_empty() {
        true => "0 Prometheus".to_owned(),
        false => format!("{} Prometheus: {}", reports.len(), parts.join(", ")),
    }
}
