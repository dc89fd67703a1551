//! What the user pointed at, resolved with few requests: a named target reads its own kind and
//! the pods of its namespace, then only what the references of these name.

use serde_json::Value;

use super::describe::describe;
use super::gather::{Group, Scope, alone, around, gather};
use super::{NotFound, Target, score};
use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::{Kind, ObjectRef};
use crate::subject::owner::{Eye, is_workload, walk};
use crate::subject::{Subject, selector};

type Found = Result<Vec<Subject>, NotFound>;

const WORKLOADS: [Kind; 3] = [Kind::StatefulSet, Kind::Deployment, Kind::DaemonSet];
const RESOURCES: [Kind; 4] =
    [Kind::Prometheus, Kind::PrometheusAgent, Kind::RhobsPrometheus, Kind::RhobsPrometheusAgent];

pub(super) fn resolve(target: &Target, namespace: Option<&str>, eye: &mut Eye<'_>) -> Found {
    match (target, namespace) {
        (Target::All { labels }, Some(namespace)) => all_in(labels, namespace, eye),
        (Target::All { labels }, None) => everywhere(labels, eye),
        (Target::Named { kind, name }, Some(namespace)) => named(*kind, name, namespace, eye),
        (Target::Bare { name }, Some(namespace)) => bare(name, namespace, eye),
        (Target::Named { kind, name }, None) => {
            let namespaces = namespaces_with(&[*kind], name, eye);
            in_each(&namespaces, name, eye, |namespace, eye| named(*kind, name, namespace, eye))
        }
        (Target::Bare { name }, None) => {
            let kinds: Vec<Kind> = WORKLOADS.into_iter().chain(RESOURCES).collect();
            let namespaces = namespaces_with(&kinds, name, eye);
            in_each(&namespaces, name, eye, |namespace, eye| bare(name, namespace, eye))
        }
    }
}

/// The namespaces in which an object of this name is.
fn namespaces_with(kinds: &[Kind], name: &str, eye: &mut Eye<'_>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for kind in kinds {
        let items = eye.list(*kind, None);
        out.extend(items.iter().filter(|i| i.name() == name).map(|i| i.namespace().to_owned()));
    }
    out.sort();
    out.dedup();
    out
}

fn in_each<'a>(
    namespaces: &[String],
    name: &str,
    eye: &mut Eye<'a>,
    mut look: impl FnMut(&str, &mut Eye<'a>) -> Found,
) -> Found {
    let mut found = Vec::new();
    let mut why = NotFound::NoSuch { what: name.into(), namespace: String::new() };
    for namespace in namespaces {
        match look(namespace, eye) {
            Ok(subjects) => found.extend(subjects),
            Err(other) => why = other,
        }
    }
    if found.is_empty() { Err(refused(eye).unwrap_or(why)) } else { Ok(sorted(found)) }
}

/// Lists every kind that may hold a Prometheus.
fn scope<'a>(namespace: Option<&str>, eye: &mut Eye<'a>) -> Scope<'a> {
    let mut scope = Scope { accept: score::ACCEPT, strays: true, ..Scope::default() };
    for kind in WORKLOADS {
        scope.workloads.extend(eye.list(kind, namespace).into_iter().map(|object| (kind, object)));
    }
    for kind in RESOURCES {
        scope.resources.extend(eye.list(kind, namespace).into_iter().map(|object| (kind, object)));
    }
    scope
}

fn all_in(labels: &str, namespace: &str, eye: &mut Eye<'_>) -> Found {
    let mut scope = scope(Some(namespace), eye);
    scope.pods = eye.list(Kind::Pod, Some(namespace));
    let groups = gather(&scope, eye);
    let found = select(labels, groups);
    if !found.is_empty() {
        return Ok(found);
    }
    let nowhere = NotFound::None { namespace: Some(namespace.into()), elsewhere: elsewhere(eye) };
    Err(refused(eye).unwrap_or(nowhere))
}

/// Every Prometheus of the cluster. Pods are listed only where one was found: a cluster may hold
/// tens of thousands.
fn everywhere(labels: &str, eye: &mut Eye<'_>) -> Found {
    let mut scope = scope(None, eye);
    let groups = gather(&scope, eye);
    let mut namespaces: Vec<String> = groups.iter().map(|g| g.root.of.namespace.clone()).collect();
    namespaces.sort();
    namespaces.dedup();
    for namespace in &namespaces {
        scope.pods.extend(eye.list(Kind::Pod, Some(namespace)));
    }
    let groups = gather(&scope, eye);
    let found = select(labels, groups);
    if !found.is_empty() {
        return Ok(found);
    }
    let nowhere = NotFound::None { namespace: None, elsewhere: Vec::new() };
    Err(refused(eye).unwrap_or(nowhere))
}

/// What the listings of the whole cluster show, where they were made; asks for none.
fn elsewhere(eye: &mut Eye<'_>) -> Vec<String> {
    let kinds = || WORKLOADS.into_iter().chain(RESOURCES);
    if !kinds().all(|kind| eye.is_listed(kind, "")) {
        return Vec::new();
    }
    let asked = eye.asks.len();
    let refused = eye.refused.len();
    let scope = scope(None, eye);
    let mut out: Vec<String> = gather(&scope, eye)
        .iter()
        .map(|group| format!("{}/{}", group.root.of.namespace, group.root.of.short()))
        .collect();
    eye.asks.truncate(asked);
    eye.refused.truncate(refused);
    out.sort();
    out
}

fn select(labels: &str, groups: Vec<Group<'_>>) -> Vec<Subject> {
    let carries = |subject: &Subject| {
        let objects =
            [&subject.root_object].into_iter().chain(&subject.workloads).chain(&subject.pods);
        labels.is_empty() || objects.into_iter().any(|object| selector::matches(labels, object))
    };
    sorted(groups.into_iter().map(describe).filter(carries).collect())
}

fn sorted(mut subjects: Vec<Subject>) -> Vec<Subject> {
    subjects.sort_by(|a, b| {
        let key = |s: &Subject| (s.root.namespace.clone(), s.root.name.clone(), s.root.kind);
        key(a).cmp(&key(b))
    });
    subjects
}

fn refused(eye: &Eye<'_>) -> Option<NotFound> {
    let (_, why) = eye.refused.first()?;
    let what: Vec<&str> = eye.refused.iter().map(|(what, _)| what.as_str()).collect();
    Some(NotFound::Unreadable { what: what.join(", "), why: why.clone() })
}

fn one(group: Group<'_>) -> Found {
    Ok(vec![describe(group)])
}

/// `kind/NAME` in a namespace.
fn named(kind: Kind, name: &str, namespace: &str, eye: &mut Eye<'_>) -> Found {
    match kind {
        Kind::Service => service(name, namespace, eye),
        Kind::Prometheus | Kind::RhobsPrometheus => {
            resource(&[Kind::Prometheus, Kind::RhobsPrometheus], kind, name, namespace, eye)
        }
        Kind::PrometheusAgent | Kind::RhobsPrometheusAgent => {
            let both = [Kind::PrometheusAgent, Kind::RhobsPrometheusAgent];
            resource(&both, kind, name, namespace, eye)
        }
        // Its Prometheus has its name (rhobs/observability-operator, components.go).
        Kind::MonitoringStack => resource(&[Kind::RhobsPrometheus], kind, name, namespace, eye),
        Kind::Pod | Kind::StatefulSet | Kind::Deployment | Kind::DaemonSet => {
            listed(kind, name, namespace, eye)
        }
        _ => Err(NotFound::NotPrometheus {
            what: ObjectRef::new(kind, namespace, name).short(),
            is: format!("a {}", kind.name()),
        }),
    }
}

fn no_such(kind: Kind, name: &str, namespace: &str) -> NotFound {
    let what = ObjectRef::new(kind, namespace, name).short();
    NotFound::NoSuch { what, namespace: namespace.into() }
}

/// A pod or a workload, found in the listing of its kind.
fn listed<'a>(kind: Kind, name: &str, namespace: &str, eye: &mut Eye<'a>) -> Found {
    let pods = eye.list(Kind::Pod, Some(namespace));
    // Most pods of a Prometheus are of a set: listed at once, this saves a round.
    let sets = match kind {
        Kind::Pod | Kind::StatefulSet => eye.list(Kind::StatefulSet, Some(namespace)),
        _ => Vec::new(),
    };
    let object = match kind {
        Kind::Pod => pods.iter().find(|pod| pod.name() == name).copied(),
        _ => eye.list(kind, Some(namespace)).into_iter().find(|object| object.name() == name),
    };
    let Some(object) = object else {
        let unread = eye.refused.iter().find(|(what, _)| what == kind.plural());
        let unread =
            unread.map(|(what, why)| NotFound::Unreadable { what: what.clone(), why: why.clone() });
        return Err(unread.unwrap_or_else(|| no_such(kind, name, namespace)));
    };
    let siblings: Vec<(Kind, &'a Value)> = if kind == Kind::DaemonSet {
        vec![(kind, object)]
    } else {
        sets.into_iter().map(|set| (Kind::StatefulSet, set)).collect()
    };
    match around(kind, object, &siblings, pods, eye) {
        Some(group) => one(group),
        None => Err(not_prometheus(kind, object, eye)),
    }
}

/// What a pod or workload is instead: by the kind that owns it, else by its containers.
fn not_prometheus<'a>(kind: Kind, object: &'a Value, eye: &mut Eye<'a>) -> NotFound {
    let of = ObjectRef::new(kind, object.namespace(), object.name());
    let what = of.short();
    let top = walk(object, of, eye).owner;
    let (spec, labels) = if is_workload(kind) {
        (object.pointer("/spec/template/spec"), object.pointer("/spec/template/metadata/labels"))
    } else {
        (object.get("spec"), object.pointer("/metadata/labels"))
    };
    let is = match &*top.kind {
        "Alertmanager" => "alertmanager".into(),
        "ThanosRuler" => "thanos".into(),
        _ => score::known_as(spec.unwrap_or(&Value::Null), labels),
    };
    NotFound::NotPrometheus { what, is }
}

/// A custom resource by name, of either group; `asked` is what the user said.
fn resource(kinds: &[Kind], asked: Kind, name: &str, namespace: &str, eye: &mut Eye<'_>) -> Found {
    let pods = eye.list(Kind::Pod, Some(namespace));
    let sets = eye.list(Kind::StatefulSet, Some(namespace));
    let mut siblings: Vec<(Kind, &Value)> =
        sets.into_iter().map(|set| (Kind::StatefulSet, set)).collect();
    if matches!(asked, Kind::PrometheusAgent | Kind::RhobsPrometheusAgent) {
        let daemons = eye.list(Kind::DaemonSet, Some(namespace));
        siblings.extend(daemons.into_iter().map(|daemon| (Kind::DaemonSet, daemon)));
    }
    let mut why = no_such(asked, name, namespace);
    for kind in kinds {
        let of = ObjectRef::new(*kind, namespace, name);
        match eye.object(&of) {
            Got::Known(object) => {
                let group = around(*kind, object, &siblings, pods, eye);
                return one(group.unwrap_or_else(|| alone(of, object)));
            }
            Got::Unreadable(text) => {
                why = NotFound::Unreadable { what: of.short(), why: text.into() };
            }
            Got::NotAsked => return Err(why),
            Got::Absent => {}
        }
    }
    Err(why)
}

/// The Prometheus behind a Service: by the pods it selects. Where it selects none, that may be the
/// very fault: by the workloads it would select, then the only Prometheus of the namespace.
fn service(name: &str, namespace: &str, eye: &mut Eye<'_>) -> Found {
    let of = ObjectRef::new(Kind::Service, namespace, name);
    let got = eye.object(&of);
    let pods = eye.list(Kind::Pod, Some(namespace));
    let sets = eye.list(Kind::StatefulSet, Some(namespace));
    let service = match got {
        Got::Known(service) => service,
        Got::Unreadable(why) => {
            return Err(NotFound::Unreadable { what: of.short(), why: why.into() });
        }
        Got::Absent | Got::NotAsked => return Err(no_such(Kind::Service, name, namespace)),
    };
    let selects = service.pointer("/spec/selector");
    let chosen: Vec<&Value> = pods
        .iter()
        .filter(|pod| selector::holds(selects, pod.pointer("/metadata/labels")))
        .copied()
        .collect();
    let siblings: Vec<_> = sets.into_iter().map(|set| (Kind::StatefulSet, set)).collect();
    for pod in &chosen {
        if let Some(group) = around(Kind::Pod, pod, &siblings, pods.clone(), eye) {
            return one(group);
        }
    }
    if let Some(pod) = chosen.first() {
        let NotFound::NotPrometheus { is, .. } = not_prometheus(Kind::Pod, pod, eye) else {
            return Err(no_such(Kind::Service, name, namespace));
        };
        return Err(NotFound::NotPrometheus { what: of.short(), is });
    }
    let mut scope = scope(Some(namespace), eye);
    scope.pods = pods;
    let mut found: Vec<Subject> = select("", gather(&scope, eye));
    let would = |subject: &Subject| {
        let labels = |w: &Value| w.pointer("/spec/template/metadata/labels").cloned();
        subject.workloads.iter().any(|w| selector::holds(selects, labels(w).as_ref()))
    };
    if let Some(at) = found.iter().position(would) {
        return Ok(vec![found.swap_remove(at)]);
    }
    if found.len() == 1 {
        return Ok(found);
    }
    let is = "a Service that selects no pod".into();
    Err(refused(eye).unwrap_or(NotFound::NotPrometheus { what: of.short(), is }))
}

/// A bare name: the first kind that has it, in the order people expect.
fn bare(name: &str, namespace: &str, eye: &mut Eye<'_>) -> Found {
    let order = [
        Kind::Pod,
        Kind::StatefulSet,
        Kind::Deployment,
        Kind::DaemonSet,
        Kind::Prometheus,
        Kind::PrometheusAgent,
    ];
    let mut first = None;
    for kind in order {
        let hit = eye.list(kind, Some(namespace)).iter().any(|object| object.name() == name);
        first = first.or(hit.then_some(kind));
    }
    let service = ObjectRef::new(Kind::Service, namespace, name);
    let got = eye.object(&service);
    if let Some(kind) = first {
        return named(kind, name, namespace, eye);
    }
    if got.known().is_some() {
        return named(Kind::Service, name, namespace, eye);
    }
    if !eye.asks.is_empty() {
        return Err(no_such(Kind::Pod, name, namespace));
    }
    let nothing = NotFound::NoSuch { what: name.into(), namespace: namespace.into() };
    match named(Kind::RhobsPrometheus, name, namespace, eye) {
        Err(NotFound::NoSuch { .. }) => Err(refused(eye).unwrap_or(nothing)),
        other => other,
    }
}
