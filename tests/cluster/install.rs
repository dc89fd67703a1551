//! One Prometheus in each way people install it, small enough that a known limit kills it.
//!
//! Measured on this cluster, on a claim, scraping `probe serve-metrics 30000` every 3 s:
//!
//! | version | dies at its start | in its first scrape at | replaying that at | lives at |
//! |---|---|---|---|---|
//! | 2.42.0 | 12Mi | 80Mi | 60Mi, and now and then 76Mi | 128Mi |
//! | 2.53.3 | 16Mi | 64Mi | 60Mi | 84Mi |
//! | 3.16.0 | 20Mi | 64Mi | 48Mi, and now and then 60Mi | 84Mi |
//!
//! So [`serving`] and [`replaying`] kill, and twice as much heals: what a plan sets where nothing can
//! be counted, since the server is down.

use std::path::Path;
use std::process::Command;

use super::api;
use super::objects::{DEPLOYMENT, LOAD, PLAIN_CONFIG, POD, RESOURCE, SET};
use super::scene::{Scene, run, until};

/// A pod that serves on while the Service forgets it, as one does where no request may be lost.
const DRAIN: &str = "lifecycle: {preStop: {sleep: {seconds: 3}}}";

/// Series of the load, and limits that go with them.
pub const SERIES: u32 = 30_000;
pub const ROOMY: &str = "200Mi";
/// `probe eat 40` in a sidecar dies at the first and lives at twice that.
pub const SIDECAR: &str = "32Mi";

/// Kills in the first scrape of the load; half as much again lets it live.
pub fn serving(image: &str) -> &'static str {
    if image.starts_with("v2.42") { "76Mi" } else { "64Mi" }
}

/// Kills a replay of the load; with nothing to scrape afterwards, twice as much is enough.
pub fn replaying(image: &str) -> &'static str {
    match image.get(..5) {
        Some("v2.42") => "56Mi",
        Some("v2.53") => "52Mi",
        _ => "44Mi",
    }
}

const ITSELF: &str = "localhost:9090";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A StatefulSet that nobody renders.
    Set,
    /// A Deployment on a claim, with `RollingUpdate`.
    Deployment,
    /// A Prometheus resource, rendered by prometheus-operator.
    Resource,
    /// A release of tests/charts/promfix-test-prometheus, by helm.
    Release,
}

/// A Prometheus named `prom`, as it is to be.
#[derive(Clone, Debug)]
pub struct Install {
    pub kind: Kind,
    /// The tag of quay.io/prometheus/prometheus.
    pub image: String,
    pub limit: String,
    pub replicas: u32,
    /// Whether it scrapes the load.
    pub scrapes: bool,
    /// Whether it scrapes itself, where it does not scrape the load.
    pub itself: bool,
    /// The limit of a sidecar that holds 40 MiB, where there is one.
    pub sidecar: Option<String>,
    /// Ordinal 0 scrapes 40 000 series that ordinal 1 does not.
    pub uneven: bool,
    /// The pods' security context, in the flow style of YAML.
    pub security: String,
    /// Arguments beside its own.
    pub arguments: &'static [&'static str],
    /// Lines of the pod's spec, and of its container's, beside their own; of a set or a Deployment.
    pub of_pod: &'static [&'static str],
    pub of_container: &'static str,
    /// The StorageClass of its claim, where it is not the cluster's own choice.
    pub class: Option<&'static str>,
}

impl Install {
    pub fn new(kind: Kind, image: &str, limit: &str) -> Install {
        Install {
            kind,
            image: image.to_owned(),
            limit: limit.to_owned(),
            replicas: 1,
            scrapes: true,
            itself: false,
            sidecar: None,
            uneven: false,
            security: match kind {
                Kind::Resource => "{fsGroup: 2000, runAsUser: 1000, runAsNonRoot: true}",
                _ => "{fsGroup: 65534, runAsUser: 65534, runAsNonRoot: true}",
            }
            .to_owned(),
            arguments: &[],
            of_pod: &[],
            of_container: "",
            class: None,
        }
    }

    pub fn with_limit(&self, limit: &str) -> Install {
        Install { limit: limit.to_owned(), ..self.clone() }
    }

    /// What a person types to name it.
    pub fn target(&self) -> &'static str {
        match self.kind {
            Kind::Set => "sts/prom",
            Kind::Deployment => "deploy/prom",
            Kind::Resource => "prometheus/prom",
            Kind::Release => "sts/prom-server",
        }
    }

    pub fn selector(&self) -> &'static str {
        match self.kind {
            Kind::Set | Kind::Deployment => "app=prom",
            Kind::Resource => "operator.prometheus.io/name=prom",
            Kind::Release => "app.kubernetes.io/instance=prom",
        }
    }

    /// The pointer at which the fix must land on the target.
    pub fn memory(&self) -> &'static str {
        match (self.kind, self.sidecar.is_some()) {
            (Kind::Resource, true) => "/spec/containers/0/resources/limits/memory",
            (Kind::Resource, false) => "/spec/resources/limits/memory",
            // The chart puts a sidecar before the server.
            (Kind::Release, _) => "/spec/template/spec/containers/0/resources/limits/memory",
            (_, true) => "/spec/template/spec/containers/1/resources/limits/memory",
            (_, false) => "/spec/template/spec/containers/0/resources/limits/memory",
        }
    }

    /// Makes it so, as its owner `helm` would: by server-side apply, or with helm itself.
    pub fn apply(&self, scene: &Scene) {
        if self.kind == Kind::Release {
            self.release(scene).expect(0);
        } else {
            scene.apply(&self.manifest());
        }
    }

    pub fn manifest(&self) -> String {
        let job = |name: &str, at: &str| {
            format!(r#"{{job_name: {name}, static_configs: [{{targets: ["{at}"]}}]}}"#)
        };
        let jobs = |names: &[&str]| {
            let one = |name: &&str| job(name, &format!("{name}:8080"));
            format!("[{}]", names.iter().map(one).collect::<Vec<_>>().join(", "))
        };
        let even = match (self.scrapes, self.itself) {
            (true, _) => jobs(&["load"]),
            (false, true) => format!("[{}]", job("itself", ITSELF)),
            (false, false) => jobs(&[]),
        };
        let both = jobs(&["load", "more"]);
        let sidecar = self.sidecar.as_ref().map_or(String::new(), |limit| eater(limit));
        let (config, body) = match self.kind {
            Kind::Set => (PLAIN_CONFIG, SET),
            Kind::Deployment => (PLAIN_CONFIG, DEPLOYMENT),
            Kind::Resource => ("", RESOURCE),
            Kind::Release => panic!("helm renders it"),
        };
        // The operator's reloader expands the pod's name in the configuration.
        let of_resource =
            if self.uneven { jobs(&["load", "$(POD_NAME)-more"]) } else { even.clone() };
        let drain = if self.uneven { DRAIN } else { "" };
        let listed = match (self.kind, sidecar.is_empty()) {
            (Kind::Resource, true) if self.uneven => {
                format!("containers: [{{name: prometheus, {DRAIN}}}]")
            }
            (_, true) => String::new(),
            (Kind::Resource, false) => format!("containers: [{sidecar}]"),
            (_, false) => format!("- {sidecar}"),
        };
        let all = format!("{config}---{body}").replace("@POD@", POD.trim_matches('\n'));
        let jobs = if self.kind == Kind::Resource { of_resource } else { even };
        let class =
            self.class.map_or(String::new(), |class| format!("storageClassName: {class}, "));
        all.replace("@JOBS@", &jobs)
            .replace("@SECURITY@", &self.security)
            .replace("@ARGUMENTS@", &self.more_arguments())
            .replace("@OF_POD@", &self.of_pod.join("\n      "))
            .replace("@OF_CONTAINER@", self.of_container)
            .replace("@CLASS@", &class)
            .replace("@BOTH@", &both)
            .replace("@SIDECAR@", &listed)
            .replace("@DRAIN@", drain)
            .replace("@FILE@", if self.uneven { "$(POD_NAME).yml" } else { "prometheus.yml" })
            .replace("@VERSION@", self.image.trim_end_matches("-distroless"))
            .replace("@IMAGE@", &self.image)
            .replace("@LIMIT@", &self.limit)
            .replace("@DELAY@", if self.scrapes { "8" } else { "0" })
            .replace("@REPLICAS@", &self.replicas.to_string())
    }

    /// As they stand behind others; of a resource, as its own field.
    fn more_arguments(&self) -> String {
        let of_resource = |argument: &&str| {
            let name = argument.trim_start_matches("--");
            match name.split_once('=') {
                Some((name, value)) => format!("{{name: {name}, value: {value:?}}}"),
                None => format!("{{name: {name}}}"),
            }
        };
        match self.kind {
            Kind::Resource if self.arguments.is_empty() => String::new(),
            Kind::Resource => {
                let all: Vec<String> = self.arguments.iter().map(of_resource).collect();
                format!("additionalArgs: [{}]", all.join(", "))
            }
            _ => self.arguments.iter().map(|argument| format!(", {argument}")).collect(),
        }
    }

    /// `helm upgrade --install` with these values.
    pub fn release(&self, scene: &Scene) -> super::scene::Said {
        let job = |name: &str, at: &str| serde_json::json!([{"job_name": name, "static_configs": [{"targets": [at]}]}]);
        let jobs = serde_json::json!({
            "global": {"scrape_interval": "3s"},
            "scrape_configs": match (self.scrapes, self.itself) {
                (true, _) => job("load", "load:8080"),
                (false, true) => job("itself", ITSELF),
                (false, false) => serde_json::json!([]),
            },
        });
        let mut command = Command::new("helm");
        command.args(["upgrade", "--install", "prom"]).arg(chart()).args(["-n", &scene.ns]);
        command.args(["--set", &format!("server.image.tag={}", self.image)]);
        command.args(["--set", &format!("server.resources.limits.memory={}", self.limit)]);
        command.args(["--set", &format!("server.replicaCount={}", self.replicas)]);
        let delay = if self.scrapes { 8 } else { 0 };
        command.args(["--set", &format!("server.readinessProbeInitialDelay={delay}")]);
        command.args(["--set-json", &format!("server.config={jobs}")]);
        command.args(["--set-json", &format!("server.securityContext={}", json(&self.security))]);
        command.args([
            "--set-json",
            &format!("server.extraArgs={}", serde_json::json!(self.arguments)),
        ]);
        if let Some(class) = self.class {
            command.args(["--set", &format!("server.persistentVolume.storageClass={class}")]);
        }
        if let Some(limit) = &self.sidecar {
            let container = serde_json::json!([{
                "name": "eater",
                "image": "busybox:1",
                "command": ["probe", "eat", "40"],
                "resources": {"limits": {"memory": limit}},
            }]);
            command.args(["--set-json", &format!("server.sidecarContainers={container}")]);
        }
        run(&mut command, "")
    }

    /// The names of its pods, in order.
    pub fn pods(&self, scene: &Scene) -> Vec<String> {
        api::pods(&scene.ns, self.selector())
    }

    pub fn until_no_pods(&self, scene: &Scene) {
        until("the pods are gone", 60, || self.pods(scene).is_empty());
    }

    /// Waits until the load is in the head of every pod.
    pub fn until_scraped(&self, scene: &Scene) {
        until("the load is in the head", 90, || {
            let pods = self.pods(scene);
            pods.len() == self.replicas as usize
                && pods.iter().all(|pod| series(&scene.ns, pod) >= f64::from(SERIES))
        });
    }
}

/// The flow style of YAML as JSON: the words that are not numbers or truths get their quotes.
fn json(flow: &str) -> String {
    let word = |part: &str| {
        let bare = part.trim();
        let quoted =
            bare.parse::<i64>().is_err() && !matches!(bare, "" | "true" | "false" | "null");
        if quoted { format!("{bare:?}") } else { bare.to_owned() }
    };
    let mut out = String::new();
    let mut part = String::new();
    for letter in flow.chars() {
        if matches!(letter, '{' | '}' | ':' | ',') {
            out.push_str(&word(&part));
            out.push(letter);
            part.clear();
        } else {
            part.push(letter);
        }
    }
    out
}

/// A container that holds 40 MiB.
fn eater(limit: &str) -> String {
    format!(
        r#"{{name: eater, image: "busybox:1", command: [probe, eat, "40"], resources: {{limits: {{memory: {limit}}}}}}}"#
    )
}

/// Something to scrape, at `NAME:8080`.
pub fn serve(scene: &Scene, name: &str, series: u32) {
    scene.apply(&LOAD.replace("@NAME@", name).replace("@SERIES@", &series.to_string()));
    scene.until_ready(name, 60);
}

pub fn chart() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts/promfix-test-prometheus")
}

/// What a pod's head says of itself; 0 where it does not answer.
fn series(ns: &str, pod: &str) -> f64 {
    told(ns, pod, "prometheus_tsdb_head_series ")
}

/// Samples that this run of a pod has taken.
pub fn taken(ns: &str, pod: &str) -> f64 {
    told(ns, pod, "prometheus_tsdb_head_samples_appended_total{type=\"float\"} ")
}

fn told(ns: &str, pod: &str, metric: &str) -> f64 {
    let path = format!("/api/v1/namespaces/{ns}/pods/{pod}:9090/proxy/metrics");
    let said = api::get(&path).unwrap_or_default();
    let line = said.lines().find_map(|l| l.strip_prefix(metric));
    line.and_then(|n| n.trim().parse().ok()).unwrap_or(0.0)
}
