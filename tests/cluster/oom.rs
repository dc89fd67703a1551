//! Every way to be killed for memory, in every way to install.

use super::install::{Install, Kind, ROOMY, SERIES, SIDECAR, replaying, serve, serving};
use super::life::{carry_out, first, live, text, until_told};
use super::scene::{Said, Scene, essence, run, until};
use super::turns::matrix;

#[derive(Clone, Copy, Debug)]
enum Failure {
    /// In its first scrape, after `Server is ready`.
    Serving,
    Replay,
    Sidecar,
}

const KINDS: [Kind; 4] = [Kind::Set, Kind::Deployment, Kind::Resource, Kind::Release];
const VERSIONS: [&str; 3] = ["v2.42.0", "v2.53.3", "v3.16.0"];
const FAILURES: [Failure; 3] = [Failure::Serving, Failure::Replay, Failure::Sidecar];

/// One row of the table: indices into the constants above.
#[derive(Clone, Copy)]
struct Row {
    kind: usize,
    version: usize,
    failure: usize,
    distroless: bool,
}

impl Row {
    /// Twelve rows in which every two levels of two factors meet: a Latin square of kinds and
    /// versions, with the failure as its letter.
    const fn is_pairwise(self) -> bool {
        (self.kind + self.version) % 3 == self.failure
            && ((self.kind / 2 + self.version) % 2 == 1) == self.distroless
    }

    fn run(self) {
        let kind = KINDS[self.kind];
        let flavour = if self.distroless { "-distroless" } else { "" };
        let image = format!("{}{flavour}", VERSIONS[self.version]);
        let failure = FAILURES[self.failure];
        let began = std::time::Instant::now();
        let scene = Scene::new("oom");
        let install = Install::new(kind, &image, serving(&image));
        let (install, roots): (Install, &[&str]) = match failure {
            Failure::Serving => {
                let install = fails_serving(&scene, install);
                until_told(&scene, install.target(), &["oom/limit-below-need"]);
                // What it scraped it replays: now and then that is more than the limit, too.
                (install, &["oom/limit-below-need", "oom/replay"])
            }
            Failure::Replay => (fails_replaying(&scene, install), &["oom/replay"]),
            Failure::Sidecar => (fails_beside(&scene, install), &["oom/sidecar"]),
        };
        live(&scene, &install, roots);
        eprintln!("{kind:?} {image} {failure:?}: {} s", began.elapsed().as_secs());
    }
}

fn fails_serving(scene: &Scene, install: Install) -> Install {
    serve(scene, "load", SERIES);
    install.apply(scene);
    install
}

/// Scrapes with room, is stopped, and starts again without, and with nothing to scrape.
pub fn fails_replaying(scene: &Scene, install: Install) -> Install {
    serve(scene, "load", SERIES);
    install.with_limit(ROOMY).apply(scene);
    install.until_scraped(scene);
    let broken = Install { scrapes: false, ..install.with_limit(replaying(&install.image)) };
    Install { replicas: 0, ..broken.clone() }.apply(scene);
    install.until_no_pods(scene);
    broken.apply(scene);
    broken
}

fn fails_beside(scene: &Scene, install: Install) -> Install {
    let limit = ROOMY.to_owned();
    let sidecar = Some(SIDECAR.to_owned());
    let install = Install { limit, sidecar, scrapes: false, ..install };
    install.apply(scene);
    install
}

/// One kind's rows: all with `PROM_FIX_MATRIX=1`, else those of the pairwise cover.
fn rows(kind: usize, version: usize) {
    let mut ran = 0;
    for failure in 0..FAILURES.len() {
        for distroless in [false, true] {
            let row = Row { kind, version, failure, distroless };
            if matrix() || row.is_pairwise() {
                row.run();
                ran += 1;
            }
        }
    }
    assert!(ran > 0, "every kind and version meet");
}

macro_rules! scenarios {
    ($($name:ident: $kind:expr, $version:expr;)*) => {$(
        #[test]
        #[ignore = "needs the cluster: tests/run"]
        fn $name() {
            rows($kind, $version);
        }
    )*};
}

scenarios! {
    set_2_42: 0, 0;
    set_2_53: 0, 1;
    set_3_16: 0, 2;
    deployment_2_42: 1, 0;
    deployment_2_53: 1, 1;
    deployment_3_16: 1, 2;
    resource_2_42: 2, 0;
    resource_2_53: 2, 1;
    resource_3_16: 2, 2;
    release_2_42: 3, 0;
    release_2_53: 3, 1;
    release_3_16: 3, 2;
}

#[test]
fn the_cover_is_pairwise() {
    let mut rows = Vec::new();
    for (kind, version) in (0..4).flat_map(|k| (0..3).map(move |v| (k, v))) {
        for (failure, distroless) in (0..3).flat_map(|f| [(f, false), (f, true)]) {
            let row = Row { kind, version, failure, distroless };
            rows.extend(row.is_pairwise().then_some([kind, version, failure, distroless.into()]));
        }
    }
    assert_eq!(rows.len(), 12);
    let levels = [4, 3, 3, 2];
    for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        for (x, y) in (0..levels[a]).flat_map(|x| (0..levels[b]).map(move |y| (x, y))) {
            assert!(rows.iter().any(|r| r[a] == x && r[b] == y), "{a}={x} meets {b}={y}");
        }
    }
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_deployment_on_a_claim_is_recreated() {
    let scene = Scene::new("recreate");
    // 16Mi kills 3.16.0 before its first line, 32Mi is enough where nothing is scraped.
    let install = Install { scrapes: false, ..Install::new(Kind::Deployment, "v3.16.0", "16Mi") };
    install.apply(&scene);
    until_told(&scene, "deploy/prom", &["oom/limit-below-need"]);
    carry_out(&scene, "deploy/prom", &[]);
    let now = scene.get("deploy/prom");
    assert_eq!(text(&now, "/spec/strategy/type"), "Recreate");
    assert_eq!(text(&now, install.memory()), "32Mi");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_limit_in_the_containers_of_a_resource_is_raised_there() {
    let scene = Scene::new("override");
    let install = Install { scrapes: false, ..Install::new(Kind::Resource, "v3.16.0", ROOMY) };
    let part = "containers: [{name: prometheus, resources: {limits: {memory: 16Mi}}}]";
    let manifest = install.manifest().replace("  storage:\n", &format!("  {part}\n  storage:\n"));
    scene.apply(&manifest);
    until_told(&scene, "prometheus/prom", &["oom/limit-below-need"]);
    carry_out(&scene, "prometheus/prom", &[]);
    let now = scene.get("prometheus/prom");
    assert_eq!(text(&now, "/spec/containers/0/resources/limits/memory"), "32Mi");
    assert_eq!(text(&now, "/spec/resources/limits/memory"), ROOMY);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn an_agent_is_repaired_through_its_resource() {
    let scene = Scene::new("agent");
    scene.apply(
        "apiVersion: monitoring.coreos.com/v1alpha1\nkind: PrometheusAgent\n\
         metadata: {name: prom}\nspec:\n  replicas: 1\n  version: v3.16.0\n  \
         image: quay.io/prometheus/prometheus:v3.16.0\n  terminationGracePeriodSeconds: 5\n  \
         resources: {limits: {memory: 16Mi}}\n",
    );
    until_told(&scene, "prometheusagent/prom", &["oom/limit-below-need"]);
    carry_out(&scene, "prometheusagent/prom", &[]);
    let now = scene.get("prometheusagent/prom");
    assert_eq!(text(&now, "/spec/resources/limits/memory"), "32Mi");
    scene.plugin(&["undo", "prometheusagent/prom", "--yes"]).expect(0);
    let now = scene.get("prometheusagent/prom");
    assert_eq!(text(&now, "/spec/resources/limits/memory"), "16Mi");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn the_limit_of_the_whole_pod_is_raised_where_it_binds() {
    let scene = Scene::new("whole");
    let install = Install { scrapes: false, ..Install::new(Kind::Set, "v3.16.0", ROOMY) };
    let pod = "    spec:\n      resources: {limits: {memory: 16Mi}}\n      terminationGrace";
    let manifest = install
        .manifest()
        .replace("    spec:\n      terminationGrace", pod)
        .replace(&format!("        resources: {{limits: {{memory: {ROOMY}}}}}\n"), "");
    scene.apply(&manifest);
    until_told(&scene, "sts/prom", &["oom/limit-below-need"]);
    carry_out(&scene, "sts/prom", &[]);
    let now = scene.get("sts/prom");
    assert_eq!(text(&now, "/spec/template/spec/resources/limits/memory"), "32Mi");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_limit_that_a_range_gave_is_set_on_the_owner() {
    let scene = Scene::new("range");
    scene.apply(
        "apiVersion: v1\nkind: LimitRange\nmetadata: {name: range}\nspec:\n  limits:\n  \
         - {type: Container, default: {memory: 16Mi}, defaultRequest: {memory: 16Mi}}\n",
    );
    let install = Install { scrapes: false, ..Install::new(Kind::Set, "v3.16.0", ROOMY) };
    let limits = format!("        resources: {{limits: {{memory: {ROOMY}}}}}\n");
    let requests = "        resources: {requests: {memory: 8Mi}}\n";
    scene.apply(&install.manifest().replace(&limits, requests));
    until_told(&scene, "sts/prom", &["oom/limit-below-need"]);
    let before = essence(&scene.get("sts/prom"));
    carry_out(&scene, "sts/prom", &[]);
    assert_eq!(text(&scene.get("sts/prom"), install.memory()), "32Mi");
    scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0);
    assert_eq!(essence(&scene.get("sts/prom")), before);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn what_is_committed_outlives_an_upgrade() {
    let scene = Scene::new("release");
    let install = Install { scrapes: false, ..Install::new(Kind::Release, "v3.16.0", "16Mi") };
    install.apply(&scene);
    let target = install.target();
    let told = until_told(&scene, target, &["oom/limit-below-need"]);
    assert_eq!(first(&told, "/target/managers/0"), "helm:prom", "{told:#}");
    let forecast = first(&told, "/plan/forecast/0/verdict");
    assert_eq!(forecast, "survives-until-upgrade", "{told:#}");

    let commit = scene.plugin(&["oom", target, "-o", "commit"]).stdout;
    let line = commit.lines().find(|l| l.starts_with("helm upgrade prom CHART")).expect(&commit);
    carry_out(&scene, target, &[]);
    let chart = super::install::chart();
    let line = line.replace("CHART", &chart.display().to_string());
    run(std::process::Command::new("sh").args(["-c", &line]), "").expect(0);
    let now = scene.get(target);
    assert_eq!(text(&now, install.memory()), "32Mi", "after: {line}");

    // And without that line the next upgrade brings the old value back, as forecast.
    install.apply(&scene);
    assert_eq!(text(&scene.get(target), install.memory()), "16Mi");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_kill_that_is_not_for_memory_is_not_called_one() {
    let scene = Scene::new("137");
    let install = Install { scrapes: false, ..Install::new(Kind::Set, "v3.16.0", ROOMY) };
    // The shell holds SIGTERM back, so the kubelet's kill after a failed probe is a SIGKILL: 137.
    let shell = r#"command: ["sh", "-c", "trap '' TERM; prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus & while :; do sleep 1; done"]
        livenessProbe: {exec: {command: ["false"]}, periodSeconds: 2, failureThreshold: 2, terminationGracePeriodSeconds: 1}
"#;
    let manifest = install.manifest();
    let args = manifest.lines().find(|l| l.contains("--storage.tsdb.path")).expect("its arguments");
    scene.apply(&manifest.replace(&format!("{args}\n"), &format!("        {shell}")));
    until_told(&scene, "sts/prom", &["other/killed-by-probe"]);
    let path = ".status.containerStatuses[0].lastState.terminated.exitCode";
    assert_eq!(scene.field("pod/prom-0", path), "137");
    let mut asked = Said::default();
    // Between two kills it is Ready, and well for as long as that lasts.
    until("it is down", 60, || {
        asked = scene.plugin(&["oom", "sts/prom"]);
        asked.code != 0
    });
    assert_eq!(asked.code, 2, "{}", asked.stdout);
    assert!(asked.stdout.contains("NOT OOM"), "{}", asked.stdout);
}
