//! The agent where it is to run: a ConfigMap carries it into a pod whose image has nothing but
//! Prometheus, with a read-only root, no capabilities, in a namespace that allows no more.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::api;
use super::scene::{Scene, kubectl, until};

/// No shell, no libc, uid 65532.
const IMAGE: &str = "quay.io/prometheus/prometheus:v3.16.0-distroless";

const OBJECTS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: prom}
data:
  prometheus.yml: '{global: {scrape_interval: 1s}, scrape_configs: [{job_name: self, static_configs: [{targets: ["localhost:9090"]}]}]}'
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: prom}
spec:
  terminationGracePeriodSeconds: 30
  securityContext: {runAsNonRoot: true, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: prometheus
    image: @IMAGE@
    args: [--config.file=/etc/prometheus/prometheus.yml, --storage.tsdb.path=/prometheus]
    securityContext: &nothing
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    readinessProbe: {httpGet: {path: /-/ready, port: 9090}, periodSeconds: 1}
    volumeMounts: [{name: data, mountPath: /prometheus}, {name: config, mountPath: /etc/prometheus}]
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: data}}
  - {name: config, configMap: {name: prom}}
"#;

const HELPER: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: @NAME@}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, supplementalGroups: [65532], seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: agent
    image: @IMAGE@
    command: [/agent/prom-fix-agent, @COMMAND@, /prometheus, --json]
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts: [{name: data, mountPath: /prometheus, readOnly: true}, {name: agent, mountPath: /agent}]
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: data, readOnly: true}}
  - {name: agent, configMap: {name: agent, defaultMode: 0555}}
"#;

/// Made by krew/agent, which `tests/run` runs first.
fn agent() -> PathBuf {
    let machine = std::env::consts::ARCH;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join(format!("target/agents/prom-fix-agent-{machine}"));
    assert!(path.is_file(), "{}: run krew/agent first", path.display());
    path
}

/// Runs a command of the agent on the claim: how it ended, and its report.
fn runs(scene: &Scene, command: &str) -> (String, Value) {
    let name = format!("helper-{}", command.split(' ').next().expect("a word"));
    let words: Vec<String> = command.split(' ').map(|word| format!("{word:?}")).collect();
    let pod = HELPER.replace("@NAME@", &name).replace("@IMAGE@", IMAGE);
    scene.apply(&pod.replace("@COMMAND@", &words.join(", ")));
    let phase = || scene.field(&format!("pod/{name}"), ".status.phase");
    until(&format!("{name} has ended"), 60, || matches!(&*phase(), "Succeeded" | "Failed"));
    let code = ".status.containerStatuses[0].state.terminated.exitCode";
    let code = scene.field(&format!("pod/{name}"), code);
    // A container that has ended may not have all of its log written yet.
    let mut report = Value::Null;
    until(&format!("the report of {name} is whole"), 60, || {
        let said = scene.kubectl(&["logs", &name]).expect(0);
        serde_json::from_str(&said.stdout).map(|whole| report = whole).is_ok()
    });
    (code, report)
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn the_agent_runs_beside_prometheus_in_an_image_that_has_nothing_else() {
    let scene = Scene::new("agent");
    let level = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", &scene.ns, level]).expect(0);
    let from = format!("--from-file=prom-fix-agent={}", agent().display());
    scene.kubectl(&["create", "configmap", "agent", &from]).expect(0);
    assert_ne!(scene.field("configmap/agent", ".binaryData"), "", "carried as bytes");
    scene.apply(&OBJECTS.replace("@IMAGE@", IMAGE));
    scene.until_ready("prom", 90);
    let proxy = |path: &str| {
        let path = format!("/api/v1/namespaces/{}/pods/prom:9090/proxy{path}", scene.ns);
        api::get_json(&path).expect("an answer")
    };
    until("it has scraped itself", 60, || {
        proxy("/api/v1/status/tsdb")["data"]["headStats"]["numSeries"].as_u64() > Some(500)
    });

    let (_, survey) = runs(&scene, "survey --quick");
    assert!(survey["lock"].to_string().contains("held"), "{}", survey["lock"]);
    let (code, owners) = runs(&scene, "owners --uid 65532 --gid 65532");
    assert_eq!((&*code, &owners["offenders"]["count"]), ("0", &0.into()), "{owners}");

    // It scrapes itself on, and may meet a series that is new to it.
    let before = proxy("/api/v1/status/tsdb?limit=1000");
    let (code, inventory) = runs(&scene, "inventory --top 1000");
    let after = proxy("/api/v1/status/tsdb?limit=1000");
    assert_eq!(code, "0", "{inventory}");
    let series = |told: &Value| told["data"]["headStats"]["numSeries"].as_u64().expect("a number");
    let counted = inventory["series"].as_u64().expect("a number");
    assert!((series(&before)..=series(&after)).contains(&counted), "{counted}: {before}");
}
