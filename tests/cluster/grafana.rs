//! Where a Grafana asks, as its provisioning says it, and what of a Secret is told.

use super::bind::{SERVICE, states};
use super::install::{Install, Kind, ROOMY};
use super::life::first;
use super::scene::{Scene, until};

/// With the variable and the volume of its data sources.
const GRAFANA: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: grafana}
spec:
  selector: {matchLabels: {app: grafana}}
  template:
    metadata: {labels: {app: grafana}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: grafana
        image: "busybox:1"
        command: [probe, "http://localhost", 60s, "0"]
        env: [@ENV@]
        volumeMounts: [{name: ds, mountPath: /etc/grafana/provisioning/datasources}]
      volumes: [{name: ds, @SOURCES@}]
"#;

/// Makes a Grafana with these sources.
fn grafana(scene: &Scene, sources: &str, env: &str, volume: &str) {
    let workload = GRAFANA.replace("@ENV@", env).replace("@SOURCES@", volume);
    scene.apply(&format!("{sources}---{workload}"));
}

/// A Grafana as kube-prometheus makes it: its data sources are in a Secret.
const PROVISIONED: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: grafana-datasources}
stringData:
  datasources.yaml: |
    apiVersion: 1
    datasources:
    - name: hunter1
      type: prometheus
      url: http://hunter2:hunter3@prometheus-k8s:9090/x?token=hunter4
      basicAuthUser: hunter5
      secureJsonData: {basicAuthPassword: hunter6, httpHeaderValue1: Bearer hunter7}
  admin-password: hunter8
"#;

#[test]
#[ignore = "needs the cluster: tests/run"]
fn of_a_secret_nothing_is_told_but_the_address_of_the_data_source() {
    let scene = Scene::new("secret");
    Install { scrapes: false, ..Install::new(Kind::Deployment, "v3.16.0", ROOMY) }.apply(&scene);
    scene.apply(SERVICE);
    let env = "{name: PROM_URL, valueFrom: {secretKeyRef: {name: grafana-datasources, \
               key: admin-password}}}";
    grafana(&scene, PROVISIONED, env, "secret: {secretName: grafana-datasources}");
    until("it serves, and the client runs", 90, || scene.plugin(&with(&[])).code == 0);

    let said = scene.plugin(&with(&["-o", "json"])).expect(0).stdout;
    let command = format!(
        "kubectl prom-fix bind deploy/prom -n {0} --client {0}/deploy/grafana --read-secrets",
        scene.ns
    );
    assert!(said.contains(&command), "{said}");
    assert!(said.contains("env PROM_URL of grafana"), "{said}");

    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle");
    let bundle = bundle.to_str().expect("plain");
    let reads = "--read-secrets";
    let outputs = [
        scene.plugin(&with(&[reads, "--record", bundle, "-v=2"])).expect(2),
        scene.plugin(&with(&[reads, "-o", "json"])).expect(2),
        scene.plugin(&with(&[reads, "-o", "short"])).expect(2),
        scene.plugin(&with(&[reads, "--record-commands"])).expect(0),
        scene.plugin(&with(&[reads, "--bundle", bundle, "-o", "json"])).expect(2),
    ];
    for live in [&outputs[1], &outputs[4]] {
        let report = live.json();
        assert_eq!(first(&report, "/rootCause"), "bind/client-address", "{report:#}");
        let told = report.to_string();
        assert!(told.contains("a data source of secret/grafana-datasources"), "{told}");
        assert!(told.contains("http://prometheus-k8s:9090/x"), "{told}");
        assert!(told.contains(&format!("http://front.{}.svc:9090", scene.ns)), "{told}");
    }
    let mut all: String = outputs.iter().map(|o| format!("{}{}", o.stdout, o.stderr)).collect();
    let grep = std::process::Command::new("cat").args(files(bundle)).output().expect("cat");
    all.push_str(&String::from_utf8_lossy(&grep.stdout));
    assert!(all.contains("prometheus-k8s:9090/x"), "the bundle has the address");
    assert!(
        !all.contains("hunter"),
        "{}",
        all.lines().filter(|l| l.contains("hunter")).collect::<String>()
    );

    // One who may not read Secrets is told so, and only where that was asked for.
    let alice = super::sight::reader(&scene, &|_| true);
    let as_alice = |args: &[&str]| scene.plugin_with(&with(args), &[("KUBECONFIG", &alice)]);
    assert!(!as_alice(&["-o", "json"]).stdout.contains("get on secrets"));
    let said = as_alice(&[reads, "-o", "json"]).expect(0).stdout;
    assert!(said.contains(&format!("the verb get on secrets in {}", scene.ns)), "{said}");
}

/// The same, provisioned by a ConfigMap, with a variable of its own environment in the address.
const BY_MAP: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: sources}
data:
  sources.yaml: |
    apiVersion: 1
    datasources:
    - {name: metrics, type: prometheus, url: "http://$PROM_HOST:@PORT@", access: proxy}
    - {name: logs, type: loki, url: "http://front:3100"}
"#;

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_data_source_of_a_config_map_is_judged_and_told_where_it_stands() {
    let scene = Scene::new("sources");
    Install { scrapes: false, ..Install::new(Kind::Deployment, "v3.16.0", ROOMY) }.apply(&scene);
    scene.apply(SERVICE);
    let with_port = |port: &str| {
        let env = "{name: PROM_HOST, value: front}";
        grafana(&scene, &BY_MAP.replace("@PORT@", port), env, "configMap: {name: sources}");
    };
    with_port("80");
    let json = with(&["-o", "json"]);
    let root = || {
        let said = scene.plugin(&json);
        serde_json::from_str(&said.stdout)
            .map_or_else(|_| String::new(), |r| first(&r, "/rootCause"))
    };
    until("its address is told to be wrong", 90, || root() == "bind/client-address");
    let told = scene.plugin(&json).expect(2).stdout;
    for words in [
        "sources.yaml of cm/sources",
        "http://front:80",
        "asks port 80 of front, which it does not have",
        &format!("http://front.{}.svc:9090", scene.ns),
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
    assert!(!told.contains("3100"), "of Loki nothing is said: {told}");
    with_port("9090");
    until("all is well", 60, || scene.plugin(&json).code == 0);
    let report = scene.plugin(&json).expect(0).json();
    assert!(states(&report, 0).ends_with(" url ok"), "{report:#}");
}

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["bind", "deploy/prom", "--client", "deploy/grafana"], args].concat()
}

fn files(folder: &str) -> Vec<std::path::PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            out.extend(files(path.to_str().expect("plain")));
        } else {
            out.push(path);
        }
    }
    out
}
