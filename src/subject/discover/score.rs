//! Does a container run Prometheus? Points for what it shows, none where it is known as something
//! else. No label, no image name is needed on its own: OpenShift's images are bare digests.

use serde_json::Value;

use crate::model::object::ObjectExt;
use crate::subject::Flags;

/// From this score on it is a Prometheus.
pub const ACCEPT: u32 = 6;
/// From this score on it is one where the user pointed at it.
pub const POINTED_AT: u32 = 4;

/// What a container was found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    pub container: String,
    pub points: u32,
    /// The program it is known as, where that is another one.
    pub known_as: Option<&'static str>,
}

/// A program that is mistaken for Prometheus: parts of its image's or container's name, and flags
/// that no Prometheus takes.
struct Other {
    known_as: &'static str,
    names: &'static [&'static str],
    flags: &'static [&'static str],
}

const fn other(
    known_as: &'static str,
    names: &'static [&'static str],
    flags: &'static [&'static str],
) -> Other {
    Other { known_as, names, flags }
}

/// Flags from the mains of these programs; the order matters where one name holds another.
#[rustfmt::skip]
const OTHERS: &[Other] = &[
    other("config-reloader", &["config-reloader", "configmap-reload", "config-reload", "k8s-sidecar"], &["reload-url", "watched-dir", "volume-dir", "webhook-url"]),
    other("admission-webhook", &["admission-webhook", "kube-webhook-certgen"], &[]),
    other("prometheus-operator", &["prometheus-operator"], &["prometheus-config-reloader", "prometheus-instance-namespaces"]),
    other("pushgateway", &["pushgateway"], &["push.disable-consistency-check", "persistence.file"]),
    other("node-exporter", &["node-exporter", "node_exporter"], &["path.rootfs", "path.procfs", "path.sysfs"]),
    other("alertmanager", &["alertmanager"], &["cluster.listen-address", "cluster.peer", "cluster.advertise-address"]),
    other("prometheus-adapter", &["prometheus-adapter"], &["prometheus-url", "metrics-relist-interval"]),
    other("kube-state-metrics", &["kube-state-metrics"], &["metric-labels-allowlist"]),
    other("blackbox-exporter", &["blackbox"], &[]),
    other("prom-label-proxy", &["prom-label-proxy"], &["insecure-listen-address", "upstream"]),
    other("kube-rbac-proxy", &["kube-rbac-proxy"], &["secure-listen-address"]),
    other("prometheus-to-sd", &["prometheus-to-sd"], &["stackdriver-prefix"]),
    other("VictoriaMetrics", &["victoria-metrics", "vmagent", "vmsingle", "vmstorage", "vminsert", "vmselect", "vmalert", "vmauth"], &["storageDataPath", "promscrape.config", "remoteWrite.url", "retentionPeriod"]),
    other("thanos", &["thanos"], &["tsdb.path", "objstore.config", "objstore.config-file", "grpc-address"]),
    other("Mimir", &["mimir"], &["blocks-storage.backend", "blocks-storage.tsdb.dir"]),
    other("Cortex", &["cortex"], &[]),
    other("Loki", &["loki", "promtail"], &[]),
    other("Grafana Agent", &["grafana-agent", "grafana/agent", "agent-operator"], &["metrics.wal-directory", "server.http.address"]),
    other("Grafana Alloy", &["alloy"], &["server.http.listen-addr"]),
    other("Grafana", &["grafana"], &[]),
    other("OpenTelemetry Collector", &["opentelemetry", "otelcol", "otel-collector"], &[]),
    other("Azure Monitor agent", &["ama-metrics", "prometheus-collector", "ama-logs"], &[]),
    other("promxy", &["promxy"], &[]),
    other("an exporter", &["exporter"], &[]),
];

/// The container of a pod spec that looks most like Prometheus; `labels` are the pod's.
pub fn best(spec: &Value, labels: Option<&Value>) -> Score {
    let scores = spec.list("/containers").iter().map(|container| score(container, labels));
    scores
        .reduce(|best, next| if next.points > best.points { next } else { best })
        .unwrap_or_default()
}

/// What the pod of a spec is known as: by its best container, else by its first image.
pub fn known_as(spec: &Value, labels: Option<&Value>) -> String {
    let containers = spec.list("/containers");
    let known = containers.iter().filter_map(|c| score(c, labels).known_as).find(|known| {
        // A side-car names the pod only where nothing else does.
        !matches!(*known, "config-reloader" | "kube-rbac-proxy" | "prom-label-proxy")
    });
    let first = containers.first();
    let own = known.or_else(|| first.and_then(|c| score(c, labels).known_as));
    match (own, first) {
        (Some(known), _) => known.into(),
        (None, Some(first)) => format!("image {}", first.text("/image")),
        (None, None) => "a pod without containers".into(),
    }
}

/// The points of one container.
pub fn score(container: &Value, labels: Option<&Value>) -> Score {
    let flags = Flags::of(container);
    let image = image_name(container.text("/image"));
    let stores =
        flags.get("storage.tsdb.path").is_some() || flags.get("storage.agent.path").is_some();
    let named = is_prometheus_image(&image);
    let known_as = told_apart(container, &flags, stores || named);
    let container_name = container.text("/name").to_owned();
    if known_as.is_some() {
        return Score { container: container_name, points: 0, known_as };
    }
    let mut points = 0;
    let mut give = |is: bool, n: u32| points += if is { n } else { 0 };
    // Only the server and the agent take these (prometheus cmd/prometheus/main.go).
    give(stores, 5);
    give(named, 4);
    give(is_prometheus_container(&container_name), 3);
    give(flags.get("config.file").is_some_and(is_prometheus_file), 2);
    give(flags.all.iter().any(|(n, _)| n.starts_with("web.") || n.starts_with("query.")), 2);
    give(has_port(container), 2);
    give(labels.is_some_and(is_labelled), 2);
    give(is_probed(container), 1);
    Score { container: container_name, points, known_as: None }
}

/// Another program by its image, its flags or, where nothing speaks for Prometheus, its
/// container's name.
fn told_apart(container: &Value, flags: &Flags, speaks_for: bool) -> Option<&'static str> {
    let image = container.text("/image").split('@').next().unwrap_or("").to_lowercase();
    let short = image_name(&image);
    if !is_prometheus_image(&short) {
        let is = |name: &str| {
            if name.contains('/') { image.contains(name) } else { short.contains(name) }
        };
        if let Some(other) = OTHERS.iter().find(|other| other.names.iter().any(|name| is(name))) {
            return Some(other.known_as);
        }
    }
    let by_flag = OTHERS.iter().find(|o| o.flags.iter().any(|flag| flags.get(flag).is_some()));
    let stores =
        flags.get("storage.tsdb.path").is_some() || flags.get("storage.agent.path").is_some();
    if let Some(other) = by_flag.filter(|_| !stores) {
        return Some(other.known_as);
    }
    if speaks_for {
        return None;
    }
    let name = container.text("/name");
    OTHERS.iter().find(|o| o.names.iter().any(|part| name.contains(part))).map(|o| o.known_as)
}

/// The last path segment of an image, without tag and digest.
fn image_name(image: &str) -> String {
    let name = image.split('@').next().unwrap_or("");
    let last = name.rsplit('/').next().unwrap_or("");
    last.split(':').next().unwrap_or("").to_lowercase()
}

/// `prometheus`, `prometheus-prometheus`, `mirrored-prometheus-prometheus` (Rancher),
/// `ose-prometheus` (OpenShift).
fn is_prometheus_image(name: &str) -> bool {
    let name = name.strip_prefix("mirrored-").unwrap_or(name);
    let name = name.strip_prefix("ose-").unwrap_or(name);
    name.strip_prefix("prometheus-").unwrap_or(name) == "prometheus"
}

fn is_prometheus_container(name: &str) -> bool {
    matches!(name, "prometheus" | "prometheus-server") || name.ends_with("-prometheus-server")
}

/// `--config.file` alone says little: alertmanager and the blackbox exporter take it too.
fn is_prometheus_file(path: &str) -> bool {
    path.contains("prometheus") && (path.ends_with(".yml") || path.ends_with(".yaml"))
}

fn has_port(container: &Value) -> bool {
    container.list("/ports").iter().any(|port| {
        matches!(port.number("/containerPort"), Some(9090 | 19090))
            || matches!(port.text("/name"), "web" | "http-web" | "http" | "admin" | "prom-metrics")
    })
}

fn is_labelled(labels: &Value) -> bool {
    let label = |key: &str| labels.get(key).and_then(Value::as_str).unwrap_or("");
    matches!(label("app.kubernetes.io/name"), "prometheus" | "prometheus-agent")
        || label("app") == "prometheus"
        || matches!(label("component"), "server" | "prometheus")
}

fn is_probed(container: &Value) -> bool {
    ["/readinessProbe", "/startupProbe", "/livenessProbe"]
        .iter()
        .any(|probe| container.text(&format!("{probe}/httpGet/path")).ends_with("/-/ready"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_of_prometheus_container_is_accepted() {
        let rows = [
            json!({"name": "prometheus", "image": "quay.io/openshift/release@sha256:ab", "args": ["--storage.tsdb.path=/prometheus", "--web.listen-address=127.0.0.1:9090"]}),
            json!({"name": "p", "image": "prom/prometheus:v2.53.3", "args": ["--config.file=/etc/prometheus/prometheus.yml"]}),
            json!({"name": "prometheus", "image": "bitnami/prometheus:3.5.0", "args": ["--storage.tsdb.path=/bitnami/prometheus/data"]}),
            json!({"name": "a", "image": "x/y", "command": ["prometheus", "--agent", "--storage.agent.path", "/d", "--web.enable-lifecycle"]}),
            json!({"name": "server", "image": "rancher/mirrored-prometheus-prometheus:v2", "ports": [{"containerPort": 9090}]}),
        ];
        for container in rows {
            let score = score(&container, None);
            assert!(score.points >= ACCEPT, "{container} {score:?}");
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    #[test]
    fn each_look_alike_is_told_apart() {
        let prometheus = json!({"app": "prometheus", "component": "server"});
        let rows = [
            (
                "prometheus-operator",
                json!({"name": "kube-prometheus-stack", "image": "quay.io/prometheus-operator/prometheus-operator:v0.85.0", "ports": [{"name": "http"}], "args": ["--web.listen-address=:8080"]}),
            ),
            (
                "config-reloader",
                json!({"name": "prometheus", "image": "localhost/config-reloader:1", "ports": [{"name": "web"}]}),
            ),
            (
                "pushgateway",
                json!({"name": "pushgateway", "image": "prom/pushgateway:v1", "args": ["--web.enable-admin-api"]}),
            ),
            (
                "node-exporter",
                json!({"name": "prometheus-node-exporter", "image": "a@sha256:0", "args": ["--web.listen-address=:9100"]}),
            ),
            (
                "alertmanager",
                json!({"name": "prometheus", "image": "a@sha256:0", "args": ["--config.file=/etc/alertmanager/prometheus.yml", "--cluster.listen-address=", "--web.route-prefix=/"]}),
            ),
            (
                "thanos",
                json!({"name": "prometheus", "image": "quay.io/thanos/thanos:v0.37.0", "args": ["receive", "--tsdb.path=/d"]}),
            ),
            (
                "VictoriaMetrics",
                json!({"name": "prometheus", "image": "x/single", "args": ["-storageDataPath=/d", "-promscrape.config=/etc/prometheus.yml"]}),
            ),
            (
                "prometheus-adapter",
                json!({"name": "prometheus-adapter", "image": "registry/prometheus-adapter:v0.12.0"}),
            ),
            (
                "kube-state-metrics",
                json!({"name": "kube-state-metrics", "image": "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2"}),
            ),
            (
                "blackbox-exporter",
                json!({"name": "blackbox-exporter", "image": "prom/blackbox-exporter:v0.25.0", "args": ["--config.file=/etc/prometheus.yml"]}),
            ),
            (
                "Grafana",
                json!({"name": "grafana", "image": "grafana/grafana:11", "ports": [{"name": "http"}]}),
            ),
            ("Grafana Agent", json!({"name": "agent", "image": "grafana/agent:v0.43.0"})),
            ("Mimir", json!({"name": "mimir", "image": "grafana/mimir:2.14.0"})),
            (
                "OpenTelemetry Collector",
                json!({"name": "otc", "image": "otel/opentelemetry-collector-contrib:0.1"}),
            ),
            (
                "prom-label-proxy",
                json!({"name": "prom-label-proxy", "image": "a@sha256:0", "args": ["--upstream=http://127.0.0.1:9090"]}),
            ),
        ];
        for (is, container) in rows {
            let score = score(&container, Some(&prometheus));
            assert_eq!((score.points, score.known_as), (0, Some(is)), "{container}");
        }
    }

    #[test]
    fn a_web_server_with_a_scrape_annotation_is_nothing_we_know() {
        let spec = json!({"containers": [{"name": "web", "image": "nginx:1.25", "ports": [{"name": "http"}]}]});
        assert!(best(&spec, None).points < POINTED_AT);
        assert_eq!(known_as(&spec, None), "image nginx:1.25");
    }
}
