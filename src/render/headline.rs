//! The first two lines of a report: the verdict in a word, of what, why in a few words.

use crate::model::report::{Context, Report, State};
use crate::model::{BlockedReason, Code, Severity};

use super::clean::{clean, cut};
use super::page::Page;
use super::style::Role;

/// Most characters of a cause in the first line.
const CAUSE: usize = 60;

pub(super) fn write(page: &mut Page<'_>, report: &Report, context: &Context) {
    let (word, role) = word(report);
    let lead = format!("{word}  ");
    let at = lead.chars().count();
    let object = &report.target.object;
    let mut place = clean(&object.short());
    if !object.namespace.is_empty() {
        place.push_str(&format!(" -n {}", clean(&object.namespace)));
    }
    let cause = cause(report);
    let one_line = format!("{place}   {cause}");
    if at + one_line.chars().count() <= page.width() {
        page.flow(&lead, role, at, &one_line);
    } else {
        page.flow(&lead, role, at, &place);
        page.flow(&" ".repeat(at), Role::Plain, at, &cause);
    }
    page.flow(&" ".repeat(at), Role::Plain, at, &place_line(report, context));
}

fn word(report: &Report) -> (String, Role) {
    if let Some(asked) = other_class(report) {
        return (format!("NOT {}", clean(asked).to_uppercase()), Role::Bad);
    }
    let role = match report.state {
        State::Healthy => Role::Good,
        State::Broken => Role::Bad,
        State::Recovering | State::Unknown => Role::Warn,
    };
    (report.state.word().to_uppercase(), role)
}

/// The class that was asked for, where another is to blame.
pub(super) fn other_class(report: &Report) -> Option<&str> {
    let root = report.root?;
    report.asked_class.as_deref().filter(|asked| *asked != root.class())
}

/// `context prod-eu-1 as alice, v2.53.3, 1 of 2 serving, 01:05:20Z`.
fn place_line(report: &Report, context: &Context) -> String {
    let Context { name, server: _, user, flags: _, bundle, applying: _ } = context;
    let target = &report.target;
    let mut parts = Vec::new();
    let name = clean(name);
    parts.push(match (bundle, user.is_empty()) {
        (true, _) => format!("bundle {name}"),
        (false, true) => format!("context {name}"),
        (false, false) => format!("context {name} as {}", clean(user)),
    });
    if !target.version.is_empty() {
        parts.push(clean(&target.version));
    }
    parts.push(format!("{} of {} serving", target.serving, target.wanted));
    parts.push(report.at.strftime("%H:%M:%SZ").to_string());
    parts.join(", ")
}

/// Why, and what there is to do, in a few words.
fn cause(report: &Report) -> String {
    if let (Some(_), Some(root)) = (other_class(report), report.root) {
        return format!("{} by {}", report.state.word(), root.0);
    }
    match report.state {
        State::Healthy => healthy(report),
        State::Broken => format!("{}; {}", root_words(report, "a fault was found"), tail(report)),
        State::Recovering => format!("{}; {}", root_words(report, "on its way"), tail(report)),
        State::Unknown => "a needed fact could not be read".to_owned(),
    }
}

fn healthy(report: &Report) -> String {
    if report.outcome.as_ref().is_some_and(|outcome| outcome.proved) {
        return "repaired, and proved".to_owned();
    }
    match report.findings.iter().filter(|f| f.severity == Severity::Warn).count() {
        0 => "nothing found wrong".to_owned(),
        1 => "1 warning".to_owned(),
        n => format!("{n} warnings"),
    }
}

fn root_words(report: &Report, without: &str) -> String {
    let Some(root) = report.root else { return without.to_owned() };
    if let Some(words) = in_short(root) {
        return words.to_owned();
    }
    let found = report.findings.iter().find(|f| f.code == root);
    found.map_or_else(|| root.0.to_owned(), |f| cut(&clean(&f.says), CAUSE))
}

/// A cause in the words of those who were woken by it; none where the finding says it best.
fn in_short(code: Code) -> Option<&'static str> {
    match code.0 {
        "oom/node" => Some("its node ran out of memory"),
        "oom/sidecar" => Some("a sidecar is out of memory"),
        "oom/cardinality" => Some("too many series"),
        "wal/replaying" => Some("replaying its WAL"),
        "wal/locked" => Some("its storage is locked"),
        "wal/probe-kills-replay" => Some("killed before its replay ends"),
        "disk/full" => Some("disk full"),
        _ => match code.class() {
            "oom" => Some("out of memory"),
            "perms" => Some("cannot use its volume"),
            "wal" => Some("damaged storage"),
            "bind" => Some("not reachable"),
            "disk" => Some("disk trouble"),
            _ => None,
        },
    }
}

fn tail(report: &Report) -> &'static str {
    if let Some(outcome) = &report.outcome {
        let failed = outcome.steps.iter().any(|step| step.state != "did");
        return match (failed, outcome.proved) {
            (true, _) => "the repair stopped",
            (false, false) => "repaired, not proved yet",
            (false, true) => "repaired, and proved",
        };
    }
    if let Some(blocked) = &report.blocked {
        return match blocked.reason {
            BlockedReason::NoSafePlan => "no safe fix",
            BlockedReason::Stale => "the plan is stale",
            BlockedReason::Declined => "declined",
            BlockedReason::Forbidden => "you may not fix it",
            BlockedReason::Busy => "somebody is at work on it",
            BlockedReason::NeedsInspect => "a look inside is needed",
            BlockedReason::NeedsConsent => "a fix needs your consent",
        };
    }
    match (&report.plan, &report.waits) {
        (Some(_), _) => "a fix is ready",
        (None, Some(_)) => "wait",
        (None, None) => "see below",
    }
}
