//! Where a chart's values set what its objects show. Paths of each chart, read from its templates.

use serde_json::{Value, json};

use super::fragment::{self, parts};
use crate::model::Kind;
use crate::model::object::ObjectExt;
use crate::model::patch::Change;
use crate::model::probe::Probe;
use crate::subject::{Flags, Install, Subject, install, manager};

/// Charts whose paths are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chart {
    /// kube-prometheus-stack and Rancher's fork.
    Stack,
    /// `prometheus`.
    Server,
    BitnamiServer,
    BitnamiStack,
    Linkerd,
}

/// A pointer of the rendered object, `@` for the Prometheus container, and its path in the values.
type Row = (&'static str, &'static str);

/// charts/kube-prometheus-stack templates/prometheus/prometheus.yaml: one value per field, most of
/// the field's own name.
const STACK: &[Row] = &[
    ("/spec/storage", "prometheus.prometheusSpec.storageSpec"),
    ("/spec", "prometheus.prometheusSpec"),
];

/// charts/prometheus templates/deploy.yaml.
#[rustfmt::skip]
const SERVER: &[Row] = &[
    ("@/resources", "server.resources"),
    ("@/securityContext", "server.containerSecurityContext"),
    ("@/livenessProbe/initialDelaySeconds", "server.livenessProbeInitialDelay"),
    ("@/livenessProbe/periodSeconds", "server.livenessProbePeriodSeconds"),
    ("@/livenessProbe/timeoutSeconds", "server.livenessProbeTimeout"),
    ("@/livenessProbe/failureThreshold", "server.livenessProbeFailureThreshold"),
    ("@/livenessProbe/successThreshold", "server.livenessProbeSuccessThreshold"),
    ("@/readinessProbe/initialDelaySeconds", "server.readinessProbeInitialDelay"),
    ("@/readinessProbe/periodSeconds", "server.readinessProbePeriodSeconds"),
    ("@/readinessProbe/timeoutSeconds", "server.readinessProbeTimeout"),
    ("@/readinessProbe/failureThreshold", "server.readinessProbeFailureThreshold"),
    ("@/readinessProbe/successThreshold", "server.readinessProbeSuccessThreshold"),
    ("@/startupProbe/periodSeconds", "server.startupProbe.periodSeconds"),
    ("@/startupProbe/failureThreshold", "server.startupProbe.failureThreshold"),
    ("@/startupProbe/timeoutSeconds", "server.startupProbe.timeoutSeconds"),
    ("/spec/template/spec/securityContext", "server.securityContext"),
    ("/spec/template/spec/terminationGracePeriodSeconds", "server.terminationGracePeriodSeconds"),
    ("/spec/template/spec/hostNetwork", "server.hostNetwork"),
    ("/spec/template/spec/initContainers", "server.extraInitContainers"),
    ("/spec/replicas", "server.replicaCount"),
    ("/spec/strategy", "server.strategy"),
];

/// bitnami/prometheus templates/server/dep-sts.yaml.
#[rustfmt::skip]
const BITNAMI_SERVER: &[Row] = &[
    ("@/resources", "server.resources"),
    ("@/securityContext", "server.containerSecurityContext"),
    ("@/livenessProbe", "server.livenessProbe"),
    ("@/readinessProbe", "server.readinessProbe"),
    ("@/startupProbe", "server.startupProbe"),
    ("/spec/template/spec/securityContext", "server.podSecurityContext"),
    ("/spec/template/spec/terminationGracePeriodSeconds", "server.terminationGracePeriodSeconds"),
    ("/spec/strategy", "server.updateStrategy"),
    ("/spec/updateStrategy", "server.updateStrategy"),
    ("/spec/replicas", "server.replicaCount"),
];

/// bitnami/kube-prometheus templates/prometheus/prometheus.yaml.
#[rustfmt::skip]
const BITNAMI_STACK: &[Row] = &[
    ("/spec/resources", "prometheus.resources"),
    ("/spec/securityContext", "prometheus.podSecurityContext"),
    ("/spec/listenLocal", "prometheus.listenLocal"),
    ("/spec/replicas", "prometheus.replicaCount"),
];

/// linkerd2 viz/charts/linkerd-viz templates/prometheus.yaml.
#[rustfmt::skip]
const LINKERD: &[Row] = &[
    ("@/resources/limits/memory", "prometheus.resources.memory.limit"),
    ("@/resources/requests/memory", "prometheus.resources.memory.request"),
    ("@/resources/limits/cpu", "prometheus.resources.cpu.limit"),
    ("@/resources/requests/cpu", "prometheus.resources.cpu.request"),
];

/// Changes as values of the chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Path and value; `Null` takes the value away.
    pub set: Vec<(Vec<String>, Value)>,
    /// Pointers that no known value sets.
    pub missing: Vec<String>,
    /// The paths are those of another chart of the same shape.
    pub assumed: bool,
    /// A startup probe that waits for a replay is said as a delay: no value of the chart gives one.
    pub delays: bool,
}

impl Values {
    /// The changes that the object's chart has values for; `None` where it has none for any.
    pub fn of(
        subject: &Subject,
        object: &Value,
        after: &Value,
        changes: &[Change],
    ) -> Option<Values> {
        let chart = chart(subject, object)?;
        let assumed = subject.install == Install::Helm;
        let mut out = Values { set: Vec::new(), missing: Vec::new(), assumed, delays: false };
        for change in changes {
            if let Some(flags) = args(subject, chart, object, after, &change.pointer) {
                flags.into_iter().for_each(|(path, value)| out.put(path, value));
                continue;
            }
            if let Some(seconds) = delay(subject, chart, object, change) {
                out.put(["server", "livenessProbeInitialDelay"].map(str::to_owned).into(), seconds);
                out.delays = true;
                continue;
            }
            match place(subject, chart, object, &change.pointer) {
                Some((path, whole)) => {
                    let value = match &whole {
                        Some(list) => after.pointer(list).cloned(),
                        None => change
                            .value
                            .as_ref()
                            .map(|value| fragment::whole(value, object.pointer(&change.pointer))),
                    };
                    out.put(path, value.unwrap_or(Value::Null));
                }
                None => out.missing.push(change.pointer.clone()),
            }
        }
        // The chart renders its startup probe only where it is switched on.
        let probes = |path: &[String]| path.get(1).is_some_and(|part| part == "startupProbe");
        if chart == Chart::Server && out.set.iter().any(|(path, _)| probes(path)) {
            out.put(["server", "startupProbe", "enabled"].map(str::to_owned).into(), json!(true));
        }
        let sizes = out.set.iter().any(|(path, _)| path.iter().any(|part| part == "resources"));
        // A preset, a limit of 192Mi by default, is what stands without it.
        let preset = match chart {
            Chart::BitnamiServer => "server",
            Chart::BitnamiStack => "prometheus",
            Chart::Stack | Chart::Server | Chart::Linkerd => "",
        };
        if sizes && !preset.is_empty() {
            out.put(vec![preset.into(), "resourcesPreset".into()], json!("none"));
        }
        (!out.set.is_empty()).then_some(out)
    }

    fn put(&mut self, path: Vec<String>, value: Value) {
        self.set.retain(|(known, _)| *known != path);
        self.set.push((path, value));
    }

    /// The values as one tree.
    pub fn tree(&self) -> Value {
        let mut tree = json!({});
        for (path, value) in &self.set {
            plant(&mut tree, path, value);
        }
        tree
    }

    /// What to know about these values, for a title.
    pub fn caveat(&self) -> String {
        let mut out = String::new();
        if self.assumed {
            out.push_str("; these paths are assumed to be those of chart prometheus");
        }
        if self.delays {
            out.push_str(
                "; its liveness probe waits instead: the startup probe of its values asks \
                 /-/healthy, which is answered while the log is replayed",
            );
        }
        if !self.missing.is_empty() {
            out.push_str(&format!("; without {}", self.missing.join(", ")));
        }
        out
    }
}

fn plant(tree: &mut Value, path: &[String], value: &Value) {
    let Some((part, rest)) = path.split_first() else {
        *tree = value.clone();
        return;
    };
    if !tree.is_object() {
        *tree = json!({});
    }
    if let Some(map) = tree.as_object_mut() {
        plant(map.entry(part.clone()).or_insert(Value::Null), rest, value);
    }
}

/// The path in the values that sets a pointer, dotted.
pub fn path(subject: &Subject, object: &Value, pointer: &str) -> Option<String> {
    let chart = chart(subject, object)?;
    let (path, _) = place(subject, chart, object, pointer)?;
    Some(path.join("."))
}

/// The chart that renders an object. Another chart is taken for one of the shape of `prometheus`
/// where its name ends so and its labels are those of a server; that is said.
fn chart(subject: &Subject, object: &Value) -> Option<Chart> {
    let kind = Kind::of(object.text("/apiVersion"), object.text("/kind"))?;
    if kind != subject.root.kind || object.name() != subject.root.name {
        return None;
    }
    match subject.install {
        Install::KubePrometheusStack | Install::Rancher => Some(Chart::Stack),
        Install::HelmPrometheus => Some(Chart::Server),
        Install::Bitnami if kind.is_operator_resource() => Some(Chart::BitnamiStack),
        Install::Bitnami => Some(Chart::BitnamiServer),
        Install::Linkerd => Some(Chart::Linkerd),
        Install::Helm => {
            let alike = manager::chart(object).0.ends_with("prometheus")
                && !kind.is_operator_resource()
                && install::is_server(object);
            alike.then_some(Chart::Server)
        }
        Install::Operator
        | Install::KubePrometheus
        | Install::OpenShift
        | Install::OpenShiftUserWorkload
        | Install::MonitoringStack
        | Install::GoogleManaged
        | Install::Istio
        | Install::Plain => None,
    }
}

fn rows(chart: Chart) -> &'static [Row] {
    match chart {
        Chart::Stack => STACK,
        Chart::Server => SERVER,
        Chart::BitnamiServer => BITNAMI_SERVER,
        Chart::BitnamiStack => BITNAMI_STACK,
        Chart::Linkerd => LINKERD,
    }
}

/// The pointer of the Prometheus container.
fn container(subject: &Subject, object: &Value) -> Option<String> {
    let containers = object.list("/spec/template/spec/containers");
    let at = containers.iter().position(|c| c.text("/name") == subject.container)?;
    Some(format!("/spec/template/spec/containers/{at}"))
}

/// The path of a pointer; with the pointer of the list that must stand whole, where it goes into
/// one: Helm replaces lists.
fn place(
    subject: &Subject,
    chart: Chart,
    object: &Value,
    pointer: &str,
) -> Option<(Vec<String>, Option<String>)> {
    let own = container(subject, object).filter(|own| pointer.starts_with(own.as_str()));
    let found = rows(chart).iter().find_map(|(prefix, path)| {
        let prefix = match prefix.strip_prefix('@') {
            Some(rest) => format!("{}{rest}", own.as_deref()?),
            None => (*prefix).to_owned(),
        };
        let rest = pointer.strip_prefix(&prefix)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| (prefix.clone(), rest.to_owned(), path))
    });
    let (prefix, rest, path) = found?;
    let mut out: Vec<String> = path.split('.').map(str::to_owned).collect();
    let mut at = prefix;
    if object.pointer(&at).is_some_and(Value::is_array) {
        return Some((out, Some(at)));
    }
    for (raw, part) in rest.split('/').skip(1).zip(parts(&rest)) {
        at = format!("{at}/{raw}");
        out.push(part);
        if at != pointer && object.pointer(&at).is_some_and(Value::is_array) {
            return Some((out, Some(at)));
        }
    }
    Some((out, None))
}

/// Of a whole startup probe, the seconds that it gives. The chart's own asks `/-/healthy`, whatever its
/// values say (charts/prometheus templates/deploy.yaml, 29.27), and so passes at once.
fn delay(subject: &Subject, chart: Chart, object: &Value, change: &Change) -> Option<Value> {
    let own = container(subject, object).filter(|_| chart == Chart::Server)?;
    if change.pointer != format!("{own}/startupProbe") {
        return None;
    }
    let probe = change.value.as_ref()?;
    let seconds = Probe::of(probe, &Value::Null).allows_seconds();
    Some(json!(seconds))
}

/// A change of `args` of chart `prometheus` as its map `server.extraArgs`: flags that are new or
/// differ are set, flags that are gone are taken away.
fn args(
    subject: &Subject,
    chart: Chart,
    object: &Value,
    after: &Value,
    pointer: &str,
) -> Option<Vec<(Vec<String>, Value)>> {
    let own = container(subject, object).filter(|_| chart == Chart::Server)?;
    if !pointer.starts_with(&format!("{own}/args")) {
        return None;
    }
    let before = Flags::of(object.pointer(&own)?).all;
    let now = Flags::of(after.pointer(&own)?).all;
    let path = |name: &str| vec!["server".to_owned(), "extraArgs".to_owned(), name.to_owned()];
    let set = now.iter().filter(|flag| !before.contains(flag));
    let set = set.map(|(name, value)| (path(name), json!(value)));
    let gone = before.iter().filter(|(name, _)| !now.iter().any(|(n, _)| n == name));
    Some(set.chain(gone.map(|(name, _)| (path(name), Value::Null))).collect())
}
