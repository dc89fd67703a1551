//! What is answered to one who gets through: the scheme, a login, the route prefix, and whether the
//! client asks for that.

use super::super::check::absent::DOWN;
use super::super::check::asked::{self, ADDRESS, RIGHT};
use super::super::check::knock::{self, Door};
use super::super::check::speech::{self, Speech};
use super::{Case, broken};
use crate::model::{ObjectRef, PathStep, Severity};

pub(super) fn scheme(case: &Case<'_>) -> PathStep {
    match speech::of(case.subject, case.seen, case.pod) {
        Speech::Plain(why) => PathStep::ok("scheme", format!("plain HTTP: {why}")),
        Speech::Tls(why) => PathStep::ok("scheme", format!("TLS: {why}")),
        Speech::NotKnown(why) => PathStep::not_known("scheme", why),
    }
}

/// The status with which it answers where it is asked whether it is ready.
fn answered(case: &Case<'_>) -> Option<u16> {
    let doors = [
        knock::at_address(case.subject, case.seen, case.pod),
        knock::at_loopback(case.subject, case.seen, case.pod),
    ];
    doors.into_iter().find_map(|door| match door {
        Door::Answers(status, _) => Some(status),
        Door::Refused(_) | Door::Silent | Door::Unread(_) | Door::NotAsked => None,
    })
}

/// A login covers every path, `/-/ready` too (exporter-toolkit web/handler.go).
pub(super) fn login(case: &Case<'_>) -> PathStep {
    match answered(case) {
        Some(401 | 403) => {
            return PathStep::not_known(
                "login",
                "it asks for one: whether it is given is not read",
            );
        }
        Some(200..=299 | 503) => return PathStep::ok("login", "none is asked for"),
        _ => {}
    }
    let given = case.subject.flags.get("web.config.file").is_some();
    match given || case.subject.flags.all.is_empty() {
        true => PathStep::not_known("login", "what --web.config.file says is not read"),
        false => PathStep::ok("login", "none: no --web.config.file is given"),
    }
}

pub(super) fn prefix(case: &Case<'_>) -> PathStep {
    let prefix = case.subject.flags.prefix();
    match answered(case) {
        Some(404) => PathStep::not_known(
            "prefix",
            format!("it answers 404 below {prefix}, its route prefix"),
        ),
        Some(200..=299 | 503) => PathStep::ok("prefix", format!("it answers below {prefix}")),
        _ if case.subject.flags.all.is_empty() => {
            PathStep::not_known("prefix", "its arguments are not read")
        }
        _ => PathStep::ok("prefix", format!("{prefix}, by its arguments")),
    }
}

/// A client that does not run asks nothing.
pub(super) fn down(case: &Case<'_>, of: &ObjectRef) -> Option<PathStep> {
    case.fault(DOWN, of).map(|finding| broken("client", finding))
}

/// The client's own address of it.
pub(super) fn url(case: &Case<'_>, of: &ObjectRef) -> PathStep {
    let fault = case.fault(ADDRESS, of);
    if let Some(finding) = fault.filter(|f| f.severity == Severity::Error) {
        let step = broken("url", finding);
        let right = finding.evidence.iter().find(|e| e.field == RIGHT);
        let right = right.map(|e| format!("; {RIGHT} {}", e.value)).unwrap_or_default();
        return PathStep { says: format!("{}{right}", step.says), ..step };
    }
    match (asked::judged(case.subject, case.seen, of).first(), fault) {
        (Some(one), _) => PathStep::ok("url", format!("{} ({})", one.url.text(), one.place)),
        (None, Some(finding)) => {
            let says = format!("{} {}", finding.object.short(), finding.says);
            PathStep::not_known("url", says)
        }
        (None, None) => PathStep::not_known(
            "url",
            "its spec and its ConfigMaps name no address of this Prometheus",
        ),
    }
}
