//! More time for Prometheus to start: which probe waits for its replay, and where that is set so that
//! it lasts. Never is a probe taken away.

use serde_json::{Map, Value, json};

use super::template::{self, SPEC};
use super::{Subject, operator};
use crate::model::Snapshot;
use crate::model::log::kill::By;
use crate::model::object::{Kind, ObjectExt};
use crate::model::patch::Change;
use crate::model::probe::Probe;

/// Where prometheus-operator probes, and how often, where nobody says otherwise
/// (`pkg/prometheus/promcfg.go`, `startupProbe`).
const PERIOD_SECONDS: i64 = 15;
const TIMEOUT_SECONDS: i64 = 3;

/// The changes on the owner, and as the template will show them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct More {
    pub changes: Vec<Change>,
    pub rendered: Vec<Change>,
    /// A value of the template that is another afterwards.
    pub shows: Option<(String, Value)>,
}

/// Values of a startup probe, by their pointers in it; an empty pointer is the whole of it.
type Parts = Vec<(&'static str, Value)>;

/// What lets Prometheus start for `seconds`, where the probe `by` kills it before. `None` where the
/// owner has no place for it, or there is no probe.
pub fn more(subject: &Subject, seen: &Snapshot, by: By, seconds: i64) -> Option<More> {
    let spec = subject.pod_spec();
    let index = template::container(subject, spec)?;
    let container = spec.pointer(&format!("/containers/{index}"))?;
    let at = format!("{SPEC}/containers/{index}/startupProbe");
    let startup = container.get("startupProbe");
    let asks_ready = |probe: &Value| probe.text("/httpGet/path").ends_with("/-/ready");
    let waits = match by {
        By::StartupProbe => true,
        // It was passed before the replay was done, or liveness would not have been asked.
        By::LivenessProbe => startup.is_some_and(asks_ready),
        By::GracePeriod | By::Nobody => return None,
    };
    let parts = match startup.filter(|_| waits) {
        Some(probe) => {
            vec![("/failureThreshold", json!(Probe::of(probe, spec).tries_for(seconds)))]
        }
        None => holds_off(subject, container, seconds)?,
    };
    match subject.root.kind {
        Kind::MonitoringStack => None,
        kind if kind.is_operator_resource() => {
            let by_field = waits
                && startup.is_some()
                && !times_itself(subject)
                && operator::knows_startup(subject, seen);
            Some(if by_field {
                field(spec, index, seconds)
            } else {
                let shown = below(&at, &parts);
                shows(
                    spec,
                    More { changes: in_element(subject, &parts), rendered: shown, shows: None },
                )
            })
        }
        _ => {
            let changes = below(&at, &parts);
            Some(More { rendered: changes.clone(), changes, shows: None })
        }
    }
}

/// A startup probe that lets no liveness probe ask before the replay is done: the handler of that
/// one, at the path that answers 503 for as long (`/-/healthy` answers 200 all the while).
fn holds_off(subject: &Subject, container: &Value, seconds: i64) -> Option<Parts> {
    let liveness = container.get("livenessProbe")?;
    let kinds = ["httpGet", "exec", "tcpSocket", "grpc"];
    let (kind, handler) = kinds.iter().find_map(|kind| Some((*kind, liveness.get(*kind)?)))?;
    let mut handler = handler.clone();
    if let Some(http) = handler.as_object_mut().filter(|_| kind == "httpGet") {
        let path = subject.flags.below_prefix("/-/ready");
        http.insert("path".into(), json!(path));
    }
    let probe = json!({"periodSeconds": PERIOD_SECONDS});
    let tries = Probe::of(&probe, &Value::Null).tries_for(seconds);
    let timeout = liveness.number("/timeoutSeconds").unwrap_or(1).max(TIMEOUT_SECONDS);
    let whole = json!({
        (kind): handler,
        "periodSeconds": PERIOD_SECONDS, "timeoutSeconds": timeout, "failureThreshold": tries,
    });
    Some(vec![("", whole)])
}

/// Whether the resource gives the startup probe times of its own, which beat its field.
fn times_itself(subject: &Subject) -> bool {
    let own = subject.root_object.list("/spec/containers");
    let own = own.iter().find(|c| c.text("/name") == subject.container);
    let given = |name| own.is_some_and(|c| c.pointer(&format!("/startupProbe/{name}")).is_some());
    given("failureThreshold") || given("periodSeconds")
}

/// `spec.maximumStartupDurationSeconds`: the operator renders `failureThreshold = ceil(N/60)` and
/// `periodSeconds = ceil(N/failureThreshold)` (prometheus-operator `pkg/prometheus/promcfg.go`,
/// `getStatupProbePeriodSecondsAndFailureThreshold`, since 0.71).
fn field(spec: &Value, index: usize, seconds: i64) -> More {
    let seconds = seconds.max(60);
    let tries = (seconds + 59) / 60;
    let period = (seconds + tries - 1) / tries;
    let at = format!("{SPEC}/containers/{index}/startupProbe");
    let rendered = vec![
        Change::set(format!("{at}/failureThreshold"), tries),
        Change::set(format!("{at}/periodSeconds"), period),
    ];
    let changes = vec![Change::set("/spec/maximumStartupDurationSeconds", seconds)];
    shows(spec, More { changes, rendered, shows: None })
}

/// An element of `spec.containers` is merged over what the operator renders
/// (prometheus-operator `pkg/k8s/merge.go`).
fn in_element(subject: &Subject, parts: &Parts) -> Vec<Change> {
    const LIST: &str = "/spec/containers";
    let list = subject.root_object.list(LIST);
    if let Some(index) = list.iter().position(|c| c.text("/name") == subject.container) {
        return below(&format!("{LIST}/{index}/startupProbe"), parts);
    }
    let mut probe = Map::new();
    for (tail, value) in parts {
        match (tail.strip_prefix('/'), value) {
            (Some(name), value) => drop(probe.insert(name.into(), value.clone())),
            (None, Value::Object(whole)) => probe.extend(whole.clone()),
            (None, _) => {}
        }
    }
    let element = json!({"name": subject.container, "startupProbe": probe});
    match list.len() {
        0 => vec![Change::set(LIST, json!([element]))],
        more => vec![Change::set(format!("{LIST}/{more}"), element)],
    }
}

fn below(at: &str, parts: &Parts) -> Vec<Change> {
    parts.iter().map(|(tail, value)| Change::set(format!("{at}{tail}"), value.clone())).collect()
}

/// With a value that the template does not show yet: of two numbers one may be as it was.
fn shows(spec: &Value, more: More) -> More {
    let scalars = more.rendered.iter().filter_map(|change| {
        let value = change.value.clone()?;
        Some(match value.get("failureThreshold") {
            Some(tries) => (format!("{}/failureThreshold", change.pointer), tries.clone()),
            None => (change.pointer.clone(), value),
        })
    });
    let now = |at: &str| at.strip_prefix(SPEC).and_then(|at| spec.pointer(at));
    let shows = scalars.into_iter().find(|(at, value)| now(at) != Some(value));
    More { shows, ..more }
}
