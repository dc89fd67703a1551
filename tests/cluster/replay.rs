//! A replay that takes longer than its probe allows: a CPU limit makes it slow, and nothing is wrong
//! with the log.
//!
//! Measured: 120 000 series, written without compression into segments of 10 MB, make three of them
//! within half a minute. At 50m of CPU it replays after 4 s, has the first segment after 15 s, all
//! after 24 s; at 15m it has the first after 50 s and more.

use std::process::Command;

use serde_json::Value;

use super::damage::{Samples, samples_of};
use super::install::{Install, Kind, chart, serve};
use super::life::{Ailment, carry_out_as, first, live_with, until_told};
use super::scene::{Scene, essence, run, until};
use super::terminal::on_a_terminal;
use super::turns::in_each_release;

const MANY: u32 = 120_000;
const KILLED: &[&str] = &["wal/probe-kills-replay"];
const CONTAINER: &str = "/spec/template/spec/containers/0";

/// Scrapes until its log has segments to replay, with all the CPU there is.
fn written(scene: &Scene, kind: Kind, image: &str) -> Install {
    serve(scene, "load", MANY);
    let install = Install::new(kind, image, "500Mi");
    scene.apply(&with_small_segments(&install));
    let claim = match kind {
        Kind::Resource => "prometheus-prom-db-prometheus-prom-0",
        Kind::Deployment => "prom",
        Kind::Set | Kind::Release => "data-prom-0",
    };
    until("its log has three segments", 90, || {
        let bound = !scene.field(&format!("pvc/{claim}"), ".spec.volumeName").is_empty();
        bound && {
            let folder = scene.folder(claim);
            ["wal", "prometheus-db/wal"]
                .iter()
                .any(|wal| folder.join(wal).join("00000002").exists())
        }
    });
    Install { scrapes: false, ..install }
}

fn with_small_segments(install: &Install) -> String {
    let manifest = install.manifest();
    if install.kind == Kind::Resource {
        let parts = "  walCompression: false\n  additionalArgs: \
                     [{name: storage.tsdb.wal-segment-size, value: 10MB}]\n  storage:\n";
        return manifest.replace("  storage:\n", parts);
    }
    let path = "--storage.tsdb.path=/prometheus";
    let flags = "--storage.tsdb.wal-segment-size=10MB, --no-storage.tsdb.wal-compression";
    manifest.replace(path, &format!("{path}, {flags}"))
}

/// The same with so much CPU, and these lines before those of another field.
fn slowed(install: &Install, cpu: &str, before: &str, lines: &str) -> String {
    let manifest = with_small_segments(install);
    let memory = format!("limits: {{memory: {}", install.limit);
    let manifest = manifest.replace(&memory, &format!("{memory}, cpu: {cpu}"));
    assert!(manifest.contains(before) && manifest.contains("cpu:"), "{manifest}");
    manifest.replace(before, &format!("{lines}{before}"))
}

fn numbers(set: &Value) -> [i64; 2] {
    ["failureThreshold", "periodSeconds"].map(|name| {
        let at = format!("{CONTAINER}/startupProbe/{name}");
        set.pointer(&at).and_then(Value::as_i64).unwrap_or(0)
    })
}

fn a_set(image: &str) {
    let scene = Scene::new("replay");
    let install = written(&scene, Kind::Set, image);
    let before = at_first(&scene, &install);
    is_waited_for(&scene, &install);
    has_all(&scene, &install, &before);

    let probe = "        startupProbe: {httpGet: {path: /-/ready, port: 9090}, periodSeconds: 3, \
                 failureThreshold: 6, terminationGracePeriodSeconds: 2}\n";
    scene.apply(&slowed(&install, "35m", "        readinessProbe:", probe));
    let pointer = "/spec/template/spec/containers/0/startupProbe/failureThreshold";
    let told = until_told(&scene, install.target(), KILLED);
    let evidence = told.pointer("/reports/0/findings/0/evidence").expect("evidence").to_string();
    assert!(evidence.contains("18 s: 6 tries, one every 3 s"), "{evidence}");
    // Of three or more, for it scraped on until it was stopped; or it was killed before the first.
    let paces = [" segments after ", "no loaded segment tells"];
    assert!(paces.iter().any(|pace| evidence.contains(pace)), "{evidence}");
    live_with(&scene, &install, Ailment { class: "wal", roots: KILLED, pointer });
    hurried(&scene, &install);
    has_all(&scene, &install, &before);
}

/// When it was scraped, by what it serves.
fn scraped(scene: &Scene, install: &Install) -> Samples {
    let pods = install.pods(scene);
    pods.first().map(|pod| samples_of(scene, pod, "up")).unwrap_or_default()
}

/// Before it is slowed down: some scrapes, each of all series.
fn at_first(scene: &Scene, install: &Install) -> Samples {
    let mut before = Samples::new();
    until("it has been scraped three times", 60, || {
        before = scraped(scene, install);
        before.len() > 2
    });
    before
}

/// However often it was killed over it, it serves its log where it has the time again.
#[track_caller]
fn has_all(scene: &Scene, install: &Install, before: &Samples) {
    until("it serves its log", 150, || !scraped(scene, install).is_empty());
    let after = scraped(scene, install);
    let lost: Vec<i64> =
        before.keys().filter(|key| !after.contains_key(*key)).map(|(_, at)| *at).collect();
    assert_eq!(lost, Vec::<i64>::new());
}

/// As it was at first, without what killed it; a set keeps a pod that never was Ready.
fn hurried(scene: &Scene, install: &Install) {
    scene.apply(&with_small_segments(install));
    if install.kind != Kind::Deployment {
        let mut pods = Vec::new();
        until("it has a pod", 60, || {
            pods = install.pods(scene);
            !pods.is_empty()
        });
        scene.kubectl(&["delete", "pod", &pods[0], "--ignore-not-found"]).expect(0);
    }
}

/// Slow, and nothing is in its way: no fault, and time is all that it needs.
fn is_waited_for(scene: &Scene, install: &Install) {
    let target = install.target();
    scene.apply(&slowed(install, "35m", "        readinessProbe:", ""));
    until_told(scene, target, &["wal/replaying"]);
    let mut told = String::new();
    until("the time that is left is told", 60, || {
        told = scene.plugin(&["diagnose", target]).expect(2).stdout;
        told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        told.contains(" s a segment, as the ")
    });
    assert!(told.starts_with(&format!("RECOVERING {target}")), "{told}");
    assert!(told.contains(" left about ") && told.contains(" progress segment "), "{told}");
    let said = scene.plugin(&["wal", target, "-o", "json"]).expect(2).json();
    assert_eq!(first(&said, "/verdict"), "recovering");
    assert_eq!(said.pointer("/reports/0/plan"), Some(&Value::Null), "nothing is to be done");
    assert_eq!(first(&said, "/waits"), "pod/prom-0 replays its write-ahead log");
    // A Service that refuses since no endpoint is ready yet is no fault of the way.
    let said = scene.plugin(&["bind", target, "-o", "json"]).json();
    assert_eq!(first(&said, "/rootCause"), "wal/replaying", "{said:#}");
    assert_eq!(first(&said, "/paths/0/broken"), "probes", "it answers 503 as long as it replays");
    assert_eq!(said.pointer("/reports/0/plan"), Some(&Value::Null), "{said:#}");
    let uid = scene.field("pod/prom-0", ".metadata.uid");
    scene.plugin(&["wal", target, "--apply", "--yes"]).expect(2);
    let ends = scene.plugin(&["wait", target, "--settle", "2s", "-o", "json"]).expect(0).json();
    assert_eq!(first(&ends, "/verdict"), "healthy");
    assert_eq!(scene.field("pod/prom-0", ".metadata.uid"), uid, "it is the same start");
    assert_eq!(scene.field("pod/prom-0", ".status.containerStatuses[0].restartCount"), "0");
    if install.image.starts_with("v3") {
        scene.kubectl(&["delete", "pod", "prom-0"]).expect(0);
        until_told(scene, target, &["wal/replaying"]);
        let shown = on_a_terminal(scene, &["wait", target, "--settle", "2s"], "").expect(0).stdout;
        has_grown(&shown);
    }
}

/// Of the replay there was a bar, and it never went back.
fn has_grown(shown: &str) {
    let parts: Vec<&str> = shown.split('%').collect();
    let of_replay = |part: &str| part.starts_with("  proving: ") && part.contains(", segment ");
    let share = |part: &str| part.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    let shown_with = parts.windows(2).filter(|pair| of_replay(pair[1]));
    let mut shares: Vec<u32> = shown_with.filter_map(|pair| share(pair[0])).collect();
    assert!(shares.is_sorted() && shares.iter().all(|share| *share <= 100), "{shares:?}");
    shares.dedup();
    assert!(shares.len() > 1, "{shares:?}\n{shown}");
}

fn a_deployment(image: &str) {
    let scene = Scene::new("liveness");
    let install = written(&scene, Kind::Deployment, image);
    let before = at_first(&scene, &install);
    Install { replicas: 0, ..install.clone() }.apply(&scene);
    install.until_no_pods(&scene);
    let probe = "        livenessProbe: {httpGet: {path: /-/ready, port: 9090}, periodSeconds: 3, \
                 failureThreshold: 6, terminationGracePeriodSeconds: 2}\n";
    scene.apply(&slowed(&install, "35m", "        readinessProbe:", probe));
    let pointer = "/spec/template/spec/containers/0/startupProbe";
    let report = live_with(&scene, &install, Ailment { class: "wal", roots: KILLED, pointer });
    let patch = report.pointer("/reports/0/plan/steps/0").expect("its patch").to_string();
    assert!(!patch.contains("livenessProbe"), "{patch}");
    hurried(&scene, &install);
    has_all(&scene, &install, &before);
}

/// helm writes the probe, so helm has to be told: by the line that is printed, which gives this value
/// another number, the release is well.
fn the_line_for_a_release(image: &str, probe: &str, path: &str) {
    let scene = Scene::new("values");
    serve(&scene, "load", MANY);
    let install = Install::new(Kind::Release, image, "500Mi");
    install.apply(&scene);
    let helm = |chart: &str, words: &[&str]| {
        let mut command = Command::new("helm");
        command.args(["upgrade", "prom", chart, "-n", &scene.ns]).args(words);
        run(&mut command, "").expect(0)
    };
    let chart = chart().display().to_string();
    let flags = r#"["--storage.tsdb.wal-segment-size=10MB", "--no-storage.tsdb.wal-compression"]"#;
    let flags = format!("server.extraArgs={flags}");
    helm(&chart, &["--reuse-values", "--set-json", &flags]);
    until("its log has three segments", 120, || {
        let claim = "storage-volume-prom-server-0";
        let bound = !scene.field(&format!("pvc/{claim}"), ".spec.volumeName").is_empty();
        bound && scene.folder(claim).join("wal/00000002").exists()
    });
    let before = at_first(&scene, &install);
    let slow = format!("server.resources.limits.cpu=35m,{probe}");
    helm(
        &chart,
        &["--reuse-values", "--set", &slow, "--set-json", "server.config.scrape_configs=[]"],
    );
    let target = install.target();
    until_told(&scene, target, KILLED);
    // At once, and taken back; helm's own way comes after.
    let whole = essence(&scene.get(target));
    carry_out_as("wal", &scene, target, &["--allow-downtime"]);
    has_all(&scene, &install, &before);
    scene.plugin(&["undo", target, "--yes"]).expect(0);
    assert_eq!(essence(&scene.get(target)), whole, "values and owners are as before");
    until_told(&scene, target, KILLED);
    let commit = scene.plugin(&["wal", target, "-o", "commit"]).stdout;
    let line = commit.lines().find(|line| line.starts_with("helm upgrade prom ")).expect("a line");
    let value = line.split(' ').find(|word| word.starts_with(&format!("{path}=")));
    let told = line.split(' ').skip_while(|word| *word != "--reset-then-reuse-values");
    let told: Vec<&str> = told.collect();
    assert!(value.is_some() && told.len() > 2, "{commit}");
    helm(&chart, &told);
    // A set keeps a pod that never was Ready, whatever its template says: the plan deletes it, too.
    scene.kubectl(&["delete", "pod", "prom-server-0"]).expect(0);
    scene.until_ready("prom-server-0", 200);
    assert_eq!(scene.field("pod/prom-server-0", ".status.containerStatuses[0].restartCount"), "0");
    has_all(&scene, &install, &before);
}

fn by_a_startup_probe(image: &str) {
    let probe = "server.startupProbe.enabled=true,server.startupProbe.periodSeconds=3,\
                 server.startupProbe.failureThreshold=6";
    the_line_for_a_release(image, probe, "server.startupProbe.failureThreshold");
}

/// No value of the chart makes a startup probe that waits for a replay.
fn by_a_liveness_probe(image: &str) {
    let probe = "server.livenessProbePath=/-/ready,server.livenessProbePeriodSeconds=3,\
                 server.livenessProbeFailureThreshold=6";
    the_line_for_a_release(image, probe, "server.livenessProbeInitialDelay");
}

/// An element of `spec.containers` with times of its own beats the field.
fn an_element(image: &str) {
    let scene = Scene::new("element");
    let install = written(&scene, Kind::Resource, image);
    let before = at_first(&scene, &install);
    let element = "  containers: [{name: prometheus, startupProbe: {periodSeconds: 3, \
                   failureThreshold: 6, terminationGracePeriodSeconds: 2}}]\n";
    scene.apply(&slowed(&install, "35m", "  storage:\n", element));
    let pointer = "/spec/containers/0/startupProbe/failureThreshold";
    live_with(&scene, &install, Ailment { class: "wal", roots: KILLED, pointer });
    hurried(&scene, &install);
    has_all(&scene, &install, &before);
}

/// prometheus-operator 0.85 on what it renders: 60 tries, one every 15 s, where nobody says
/// otherwise; one of 60 s for a field of 60, which is the least it takes: so this lasts 4 to 5 minutes.
fn a_resource(image: &str) {
    let scene = Scene::new("seconds");
    let install = written(&scene, Kind::Resource, image);
    let before = at_first(&scene, &install);
    let set = || scene.get("sts/prometheus-prom");
    assert_eq!(numbers(&set()), [60, 15]);
    let field = "  maximumStartupDurationSeconds: 60\n";
    scene.apply(&slowed(&install, "15m", "  storage:\n", field));
    until("it is rendered", 30, || numbers(&set()) == [1, 60]);

    until_told(&scene, install.target(), KILLED);
    let said = scene.plugin(&["wal", install.target()]).expect(2).stdout;
    assert!(said.contains("startupProbe.failureThreshold is "), "{said}");
    let pointer = "/spec/maximumStartupDurationSeconds";
    live_with(&scene, &install, Ailment { class: "wal", roots: KILLED, pointer });
    // Its owner has written it again by now, without the field.
    until("it is rendered", 30, || numbers(&set()) == [60, 15]);
    // As `subject::startup` foresees it, where the minutes are not whole.
    let odd = r#"{"spec": {"maximumStartupDurationSeconds": 901}}"#;
    scene.kubectl(&["patch", install.target(), "--type=merge", "-p", odd]).expect(0);
    until("it is rendered", 30, || numbers(&set()) == [16, 57]);
    hurried(&scene, &install);
    has_all(&scene, &install, &before);
}

in_each_release! {
    a_set_gets_more_tries: "v2.53.3", a_set;
    a_liveness_probe_that_kills_stays_and_is_held_off: "v2.42.0", a_deployment;
    the_line_for_a_release_gives_its_server_more_tries: "v2.53.3", by_a_startup_probe;
    the_line_for_a_release_without_a_startup_probe_delays_the_other: "v2.53.3", by_a_liveness_probe;
    an_element_of_a_resource_gets_more_tries_where_it_wins: "v3.16.0", an_element;
    a_resource_gets_more_seconds_and_its_operator_renders_them: "v3.16.0", a_resource;
}
