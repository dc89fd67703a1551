//! The operator that renders a custom resource: whether it is there, which release, whether it
//! would act on this resource at all.

use serde_json::Value;

use super::{Flags, Subject, Version, selector};
use crate::model::fact::Got;
use crate::model::object::ObjectExt;
use crate::model::{Fact, Kind, Need, ObjectRef, Seen, Snapshot};

/// What is known of the operator of a custom resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It runs and will act; release where its image tells.
    Acts { version: Option<Version> },
    /// It will not act on this resource, and why: `no operator runs`, `spec.paused is true`,
    /// `its controller-id is X, the resource asks for Y`.
    Idle { why: String },
    /// It could not be looked at.
    Unreadable { why: String },
    /// The root is no custom resource.
    None,
}

/// prometheus-operator 0.88.0 gave its resources `spec.updateStrategy`.
const KNOWS_STRATEGY: Version = Version::new(0, 88, 0);
/// prometheus-operator 0.71.0 gave its resources `spec.maximumStartupDurationSeconds`.
const KNOWS_STARTUP: Version = Version::new(0, 71, 0);
/// The release that a definition came with, on each since 0.69.0.
const RELEASE: &str = "operator.prometheus.io/version";

/// Labels of operator Deployments. `component`: `controller` in the operator's own bundle, in
/// kube-prometheus and OpenShift, `prometheus-operator` in kube-prometheus-stack, `operator` in
/// Bitnami's chart. `app`: kube-prometheus-stack and its fork by Rancher before they set a
/// component, and the chart before them.
const SELECTORS: [&str; 2] = [
    "app.kubernetes.io/component in (controller,operator,prometheus-operator)",
    "app in (kube-prometheus-stack-operator,prometheus-operator-operator,rancher-monitoring-operator)",
];

fn listing(labels: &str) -> Need {
    Need::List { kind: Kind::Deployment, namespace: None, labels: labels.into() }
}

/// What must be read to know: nothing where all Deployments were listed or one that acts is known;
/// the second label only where the first shows none.
pub fn needs(subject: &Subject, seen: &Snapshot) -> Vec<Need> {
    if !subject.is_operated() || seen.facts.contains_key(&Need::list_all(Kind::Deployment)) {
        return Vec::new();
    }
    let resource = resource(subject, seen);
    let (operators, _) = operators(subject, seen);
    if operators.iter().any(|(d, c)| idle_because(subject, resource, d, c).is_none()) {
        return Vec::new();
    }
    let [first, second] = SELECTORS.map(listing);
    // Refused once, refused twice.
    let more = matches!(seen.facts.get(&first), Some(Fact::Known(_) | Fact::Absent));
    std::iter::once(first).chain(more.then_some(second)).collect()
}

/// What is known.
pub fn look(subject: &Subject, seen: &Snapshot) -> Operator {
    if !subject.is_operated() {
        return Operator::None;
    }
    let resource = resource(subject, seen);
    if resource.is_true("/spec/paused") {
        return Operator::Idle { why: "spec.paused is true".into() };
    }
    let (operators, refused) = operators(subject, seen);
    judge(subject, resource, &operators, refused)
}

/// What must be read to know whether the strategy of a rollout can be set on the resource: its
/// definition, where the operator would follow.
pub fn strategy_need(subject: &Subject, seen: &Snapshot) -> Option<Need> {
    let acts = subject.root.kind.is_operator_resource() && follows_strategy(subject, seen);
    (acts && subject.pods.len() > 1).then(|| Need::Object(definition(subject)))
}

/// Whether the operator would carry `spec.updateStrategy` to the set. Two must know the field, and
/// neither speaks for the other: the definition, or the API server refuses the patch (Helm never
/// upgrades definitions); and the operator that runs, or it renders the rest of the patch and rolls
/// it out its own way.
pub fn knows_strategy(subject: &Subject, seen: &Snapshot) -> bool {
    let keeps = match seen.object(&definition(subject)) {
        Got::Known(found) => found.annotation(RELEASE).and_then(Version::parse),
        Got::Absent | Got::Unreadable(_) | Got::NotAsked => None,
    };
    keeps.is_some_and(|keeps| is_from(keeps, KNOWS_STRATEGY)) && follows_strategy(subject, seen)
}

fn follows_strategy(subject: &Subject, seen: &Snapshot) -> bool {
    follows(subject, seen, KNOWS_STRATEGY)
}

/// The definition, which tells whether the resource has a field.
pub fn definition_need(subject: &Subject) -> Option<Need> {
    subject.root.kind.is_operator_resource().then(|| Need::Object(definition(subject)))
}

/// Whether the operator would render `spec.maximumStartupDurationSeconds`. A definition that may not
/// be read is taken for one that has it: where it has not, the API server refuses the patch.
pub fn knows_startup(subject: &Subject, seen: &Snapshot) -> bool {
    let keeps = match seen.object(&definition(subject)) {
        Got::Known(found) => found
            .annotation(RELEASE)
            .and_then(Version::parse)
            .is_some_and(|keeps| is_from(keeps, KNOWS_STARTUP)),
        Got::Absent | Got::Unreadable(_) | Got::NotAsked => true,
    };
    keeps && follows(subject, seen, KNOWS_STARTUP)
}

fn follows(subject: &Subject, seen: &Snapshot, since: Version) -> bool {
    match look(subject, seen) {
        Operator::Acts { version } => version.is_some_and(|version| is_from(version, since)),
        Operator::Idle { .. } | Operator::Unreadable { .. } | Operator::None => false,
    }
}

/// A tag such as v4.19 is a vendor's own count and tells nothing of the release.
fn is_from(version: Version, since: Version) -> bool {
    version.major == 0 && version >= since
}

fn definition(subject: &Subject) -> ObjectRef {
    let kind = subject.root.kind;
    let name = format!("{}.{}", kind.plural(), kind.group());
    ObjectRef::new(Kind::CustomResourceDefinition, "", &name)
}

/// A Deployment and its container.
type Found<'a> = (&'a Value, &'a Value);

/// The operators that were read, and why there may be others.
fn operators<'a>(subject: &Subject, seen: &'a Snapshot) -> (Vec<Found<'a>>, Option<String>) {
    let all = Need::list_all(Kind::Deployment);
    let mut refused = None;
    let mut deployments: Vec<&Value> = Vec::new();
    for need in SELECTORS.map(listing) {
        match seen.facts.get(&need) {
            Some(Fact::Known(Seen::List(items))) => deployments.extend(items),
            Some(Fact::Unreadable(why)) => refused = Some(why.clone()),
            Some(Fact::Known(_) | Fact::Absent) => {}
            None => refused = refused.or(Some("not asked".into())),
        }
    }
    match seen.facts.get(&all) {
        // The labels are only to find what is in here.
        Some(Fact::Known(_) | Fact::Absent) => refused = None,
        Some(Fact::Unreadable(why)) => refused = Some(why.clone()),
        None => {}
    }
    for need in [all, Need::list(Kind::Deployment, subject.namespace())] {
        if let Some(Fact::Known(Seen::List(items))) = seen.facts.get(&need) {
            deployments.extend(items);
        }
    }
    let operators = deployments
        .into_iter()
        .filter_map(|deployment| Some((deployment, container(deployment)?)))
        .filter(|(deployment, container)| is_fork(deployment, container) == is_forked(subject))
        .collect();
    (operators, refused)
}

/// The first operator that acts, else why the first one does not, else what its traces tell.
fn judge(
    subject: &Subject,
    resource: &Value,
    operators: &[(&Value, &Value)],
    refused: Option<String>,
) -> Operator {
    let mut idle = None;
    for (deployment, container) in operators {
        match idle_because(subject, resource, deployment, container) {
            None => return Operator::Acts { version: Version::parse(container.text("/image")) },
            Some(why) => idle = idle.or(Some(why)),
        }
    }
    let acted = is_reconciled_now(resource);
    match (idle, refused) {
        (Some(why), None) => Operator::Idle { why },
        // Another one may be where one may not look; that the latest generation was seen says so.
        (_, Some(_)) if acted => Operator::Acts { version: None },
        (_, Some(why)) => Operator::Unreadable { why: format!("deployments: {why}") },
        // It may run outside the cluster or under other labels, or be gone since.
        (None, None) if acted => Operator::Unreadable {
            why: "no Deployment carries the labels of an operator, yet status says that one saw \
                  the latest generation"
                .into(),
        },
        (None, None) => Operator::Idle { why: "no operator runs".into() },
    }
}

/// The operator's container of a Deployment, where it has one.
fn container(deployment: &Value) -> Option<&Value> {
    deployment.list("/spec/template/spec/containers").iter().find(|container| {
        let image = container.text("/image").split('@').next().unwrap_or("");
        let last = image.rsplit('/').next().unwrap_or("");
        let named = last.contains("prometheus-operator") && !last.contains("webhook");
        // A flag of cmd/operator/main.go, for images that are bare digests.
        named || Flags::of(container).get("prometheus-config-reloader").is_some()
    })
}

/// The fork of OpenShift's observability operator has its own API group.
fn is_fork(deployment: &Value, container: &Value) -> bool {
    deployment.name().starts_with("obo-") || container.text("/image").contains("/obo-prometheus")
}

fn is_forked(subject: &Subject) -> bool {
    matches!(
        subject.root.kind,
        Kind::RhobsPrometheus | Kind::RhobsPrometheusAgent | Kind::MonitoringStack
    )
}

/// Why an operator would not act on a resource.
fn idle_because(
    subject: &Subject,
    resource: &Value,
    deployment: &Value,
    container: &Value,
) -> Option<String> {
    let name = format!("deploy/{} -n {}", deployment.name(), deployment.namespace());
    let ready = deployment.number("/status/readyReplicas").unwrap_or(0);
    if ready < 1 {
        return Some(format!("{name}, the operator, has no ready replica"));
    }
    let flags = Flags::of(container);
    // prometheus-operator pkg/operator/resource_reconciler.go: both must be the same.
    let own = flags.get("controller-id").unwrap_or("");
    let wants = resource.annotation("operator.prometheus.io/controller-id").unwrap_or("");
    if own != wants && !resource.is_null() {
        let say = |id: &str| if id.is_empty() { "none".to_owned() } else { id.to_owned() };
        return Some(format!(
            "its controller-id is {}, the resource asks for {}",
            say(own),
            say(wants)
        ));
    }
    // cmd/operator/main.go: the instance namespaces stand in for --namespaces where given.
    let among = |flag: &str| -> Option<Vec<String>> {
        let given = flags.every(flag).flat_map(|v| v.split(',')).map(|n| n.trim().to_owned());
        let names: Vec<String> = given.filter(|name| !name.is_empty()).collect();
        (!names.is_empty()).then_some(names)
    };
    let own = subject.namespace();
    let watched = among("prometheus-instance-namespaces").or_else(|| among("namespaces"));
    if watched.is_some_and(|names| !names.iter().any(|name| name == own)) {
        return Some(format!("{name}, the operator, does not watch namespace {own}"));
    }
    if among("deny-namespaces").is_some_and(|names| names.iter().any(|name| name == own)) {
        return Some(format!("{name}, the operator, is told to leave namespace {own} alone"));
    }
    let selects = flags.get("prometheus-instance-selector").unwrap_or("");
    if !resource.is_null() && !selector::matches(selects, resource) {
        return Some(format!("{name}, the operator, takes only resources with {selects}"));
    }
    None
}

/// The custom resource of the operator: the root, or of a MonitoringStack the Prometheus of its
/// name (rhobs/observability-operator, components.go).
fn resource<'a>(subject: &'a Subject, seen: &'a Snapshot) -> &'a Value {
    if subject.root.kind != Kind::MonitoringStack {
        return &subject.root_object;
    }
    let of = ObjectRef::new(Kind::RhobsPrometheus, subject.namespace(), &subject.root.name);
    match seen.object(&of) {
        Got::Known(object) => object,
        Got::Absent | Got::Unreadable(_) | Got::NotAsked => &Value::Null,
    }
}

/// What the operator said of its last sync: whether it went through, and its words.
pub fn reconciled(root: &Value) -> Option<(bool, String)> {
    let condition = condition(root)?;
    let words = [condition.text("/reason"), condition.text("/message")];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    Some((condition.text("/status") == "True", words.join(": ")))
}

/// Whether an operator saw the resource as it is now.
pub fn is_reconciled_now(root: &Value) -> bool {
    let seen = condition(root).and_then(|c| c.number("/observedGeneration"));
    seen.is_some() && seen == root.number("/metadata/generation")
}

fn condition(root: &Value) -> Option<&Value> {
    root.list("/status/conditions").iter().find(|c| c.text("/type") == "Reconciled")
}
