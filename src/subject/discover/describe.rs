//! One instance, described from the objects that belong to it.

use serde_json::Value;

use super::gather::Group;
use super::score;
use crate::model::Kind;
use crate::model::object::ObjectExt;
use crate::subject::{Flags, Subject, Version, install, manager};

/// The description of one group.
pub(super) fn describe(group: Group<'_>) -> Subject {
    let Group { root, owner, resource, mut workloads, mut pods } = group;
    workloads.sort_by_key(|(_, workload)| (shard(workload), workload.name().to_owned()));
    let order: Vec<&str> = workloads.iter().map(|(_, workload)| workload.name()).collect();
    pods.sort_by_key(|pod| {
        let owner = pod.controller().map(|c| c.name).unwrap_or_default();
        let at = order.iter().position(|name| *name == owner).unwrap_or(order.len());
        (at, ordinal(pod), pod.name().to_owned())
    });
    let first = workloads.first().map(|(_, workload)| *workload);
    let (spec, labels) = template(first, pods.first().copied());
    let resource_object = resource.as_ref().and_then(|link| link.object);
    let operated = resource.is_some() || root.of.kind == Kind::MonitoringStack;
    let container = container_name(spec, labels, operated);
    let found = spec.list("/containers").iter().find(|c| c.text("/name") == container);
    let kind = resource.as_ref().map_or(root.of.kind, |link| link.of.kind);
    let is_agent_kind = matches!(kind, Kind::PrometheusAgent | Kind::RhobsPrometheusAgent);
    let flags = match (found, resource_object) {
        (Some(container), _) => Flags::of(container),
        (None, Some(resource)) => Flags::of_resource(resource, is_agent_kind),
        (None, None) => Flags::default(),
    };
    let version = version(found, &pods, &container, labels, resource_object, operated);
    let root_object = root.object.cloned().unwrap_or(Value::Null);
    let install = install::of(&install::Marks {
        root: &root.of,
        object: &root_object,
        workload: first.unwrap_or(&Value::Null),
        spec,
    });
    Subject {
        wanted: wanted(resource_object, &workloads, pods.len()),
        managers: manager::markers(&root_object),
        agent: is_agent_kind || flags.is_agent(),
        root: root.of,
        root_object,
        owner,
        workloads: workloads.iter().map(|(kind, workload)| named(*kind, workload)).collect(),
        pods: pods.into_iter().map(|pod| named(Kind::Pod, pod)).collect(),
        container,
        version,
        flags,
        install,
    }
}

/// A copy that says what it is: items of a list come without `apiVersion` and `kind` from some
/// sources.
fn named(kind: Kind, object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.entry("apiVersion").or_insert_with(|| kind.api_version().into());
        map.entry("kind").or_insert_with(|| kind.name().into());
    }
    object
}

/// The pod spec and labels that describe the instance.
fn template<'a>(
    workload: Option<&'a Value>,
    pod: Option<&'a Value>,
) -> (&'a Value, Option<&'a Value>) {
    let from_workload = workload.and_then(|w| {
        Some((w.pointer("/spec/template/spec")?, w.pointer("/spec/template/metadata/labels")))
    });
    let from_pod = || pod.and_then(|p| Some((p.get("spec")?, p.pointer("/metadata/labels"))));
    from_workload.or_else(from_pod).unwrap_or((&Value::Null, None))
}

/// The operator always names it `prometheus` (prometheus-operator pkg/prometheus/common.go).
fn container_name(spec: &Value, labels: Option<&Value>, operated: bool) -> String {
    let operators = spec.list("/containers").iter().any(|c| c.text("/name") == "prometheus");
    if operated && (operators || spec.is_null()) {
        return "prometheus".into();
    }
    score::best(spec, labels).container
}

/// The release: what the template's image says, then the image that runs (a tag may be behind a
/// digest in one and not in the other), then what the operator writes down, then what is asked.
fn version(
    container: Option<&Value>,
    pods: &[&Value],
    name: &str,
    labels: Option<&Value>,
    resource: Option<&Value>,
    operated: bool,
) -> Option<Version> {
    let template = container.and_then(|c| Version::parse(c.text("/image")));
    let running = || {
        let statuses = pods.iter().flat_map(|pod| pod.list("/status/containerStatuses"));
        let mut own = statuses.filter(|status| status.text("/name") == name);
        own.find_map(|status| Version::parse(status.text("/image")))
    };
    // A chart's label of that name is the chart's appVersion, which the image need not have.
    let label = || {
        let label = labels.filter(|_| operated)?.get("app.kubernetes.io/version")?;
        Version::parse(label.as_str()?)
    };
    template.or_else(running).or_else(|| resource.and_then(Version::of_resource)).or_else(label)
}

/// Pods wanted, over all shards. A resource's negative count is 1 to the operator
/// (prometheus-operator pkg/prometheus/common.go).
fn wanted(resource: Option<&Value>, workloads: &[(Kind, &Value)], pods: usize) -> u32 {
    let whole = |n: i64| u32::try_from(n).unwrap_or(1);
    let daemons = workloads.iter().any(|(kind, _)| *kind == Kind::DaemonSet);
    if let Some(resource) = resource.filter(|_| !daemons) {
        let replicas = resource.number("/spec/replicas").map_or(1, whole);
        let shards = resource.number("/spec/shards").map_or(1, whole).max(1);
        return replicas.saturating_mul(shards);
    }
    if workloads.is_empty() {
        return u32::try_from(pods).unwrap_or(u32::MAX);
    }
    let of = |(kind, workload): &(Kind, &Value)| match kind {
        Kind::DaemonSet => workload.number("/status/desiredNumberScheduled").map_or(0, whole),
        _ => workload.number("/spec/replicas").map_or(1, whole),
    };
    workloads.iter().map(of).sum()
}

/// The shard of a workload; the first one's name carries no number.
fn shard(workload: &Value) -> u32 {
    let label = workload.label("operator.prometheus.io/shard").and_then(|n| n.parse().ok());
    let name = || workload.name().rsplit_once("-shard-").and_then(|(_, n)| n.parse().ok());
    label.or_else(name).unwrap_or(0)
}

/// The ordinal of a StatefulSet's pod; others have none.
fn ordinal(pod: &Value) -> u64 {
    let is_set = pod.controller().is_some_and(|c| c.kind == "StatefulSet");
    let number = pod.name().rsplit_once('-').and_then(|(_, n)| n.parse().ok());
    number.filter(|_| is_set).unwrap_or(0)
}
