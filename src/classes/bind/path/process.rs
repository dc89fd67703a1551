//! The pod itself: where the process listens, which port is declared, what its probes say.

use super::super::check::address::{has_proxy, heard, is_loopback};
use super::super::check::knock::{self, Door};
use super::super::check::probes::{self, asked_port};
use super::super::check::{ADDRESS, LOOPBACK, PORT, SCHEME_OR_PATH};
use super::{Case, broken};
use crate::model::PathStep;
use crate::model::log::events;
use crate::model::object::ObjectExt;
use crate::subject::pod;

const LISTENS: &str = "listens";
const PROBES: &str = "probes";

pub(super) fn listens(case: &Case<'_>) -> PathStep {
    let own = [ADDRESS, LOOPBACK].into_iter().find_map(|code| case.fault_of_pod(code));
    if let Some(finding) = own {
        return broken(LISTENS, finding);
    }
    if !case.runs.running {
        let refuses = case.fault_of_pod(SCHEME_OR_PATH);
        return refuses.map_or_else(
            || {
                let code = case.stopped_by();
                PathStep::broken(LISTENS, code, "Prometheus does not run in it")
            },
            |finding| broken(LISTENS, finding),
        );
    }
    let port = case.subject.flags.port();
    let outside = knock::at_address(case.subject, case.seen, case.pod);
    if let Door::Answers(status, _) = outside {
        let says = format!("port {port} of its address answers {status} to the pod proxy");
        return PathStep::ok(LISTENS, says);
    }
    if is_probed(case) {
        return PathStep::ok(LISTENS, format!("port {port} of its address answers the kubelet"));
    }
    // That an address refuses is known, be it for the loopback or for another port.
    if let Door::Refused(why) = outside
        && knock::is_up(&case.runs, case.seen)
        && !has_proxy(case.subject, case.pod)
    {
        let says = format!("nothing answers at port {port} of its address: {why}");
        return PathStep::broken(LISTENS, None, says);
    }
    let tried = match outside {
        Door::Refused(why) | Door::Unread(why) => format!("; pod proxy: {why}"),
        Door::Silent => "; the pod proxy got no answer in time".to_owned(),
        Door::NotAsked | Door::Answers(..) => String::new(),
    };
    let heard = heard(&case.runs);
    if heard.iter().any(|address| !is_loopback(address)) && !matches!(outside, Door::Refused(_)) {
        return PathStep::ok(LISTENS, format!("its log: Listening on {}{tried}", heard.join(", ")));
    }
    let told = case.subject.flags.listen().join(", ");
    PathStep::not_known(LISTENS, format!("it is to listen on {told}; nothing shows that{tried}"))
}

/// Whether the kubelet asks that port of the pod's address, and is answered.
fn is_probed(case: &Case<'_>) -> bool {
    let probe = case.container().and_then(|own| Some((own, own.get("readinessProbe")?)));
    let own = Some(case.subject.flags.port());
    case.runs.ready
        && probe.is_some_and(|(container, probe)| {
            let elsewhere = ["/httpGet/host", "/tcpSocket/host"].iter().any(|at| {
                let host = probe.text(at);
                !host.is_empty()
            });
            asked_port(container, probe) == own && !elsewhere
        })
}

pub(super) fn port(case: &Case<'_>) -> PathStep {
    let listens = probes::listens(case.subject, &case.runs);
    let port = listens.last().copied().unwrap_or(case.subject.flags.port());
    let declared = case.pod.list("/spec/containers").iter().flat_map(|c| c.list("/ports"));
    let mut declared = declared.filter(|p| p.number("/containerPort") == Some(port.into()));
    let says = match declared.next().map(|p| p.text("/name")) {
        Some("") => format!("{port} is declared, without a name"),
        Some(name) => format!("{port} is declared as {name}"),
        None => format!("{port} is not declared, which only a name would need"),
    };
    PathStep::ok("port", says)
}

pub(super) fn probes(case: &Case<'_>) -> PathStep {
    let own = [PORT, SCHEME_OR_PATH].into_iter().find_map(|code| case.fault_of_pod(code));
    if let Some(finding) = own {
        return broken(PROBES, finding);
    }
    if case.runs.ready {
        let probe = case.container().and_then(|own| own.get("readinessProbe"));
        let says = match probe {
            Some(_) => "ready: the kubelet is answered",
            None => "ready: it has no readiness probe, and runs",
        };
        return PathStep::ok(PROBES, says);
    }
    let says = "it runs, and the kubelet does not call it ready";
    let stopped_by = case.stopped_by();
    if stopped_by.is_some() {
        return PathStep::broken(PROBES, stopped_by, says);
    }
    let notes = events::of(case.seen, &pod::reference(case.pod), case.pod.uid());
    let refusal = notes.iter().find(|note| note.reason == "Unhealthy");
    let refusal = refusal.map(|note| format!(": {}", note.quote())).unwrap_or_default();
    PathStep::broken(PROBES, None, format!("{says}{refusal}"))
}
