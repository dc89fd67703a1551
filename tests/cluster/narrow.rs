//! A namespace with little room: a claim for one pod at a time, bound when a pod needs it, a quota, and
//! limits that the helper has to keep to.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::install::{Install, Kind, ROOMY};
use super::left::{no_helper_is_left, nothing_is_left};
use super::life::{first, text, until_told};
use super::scene::{Scene, kubectl, kubectl_in, until};

/// A volume for one pod at a time, bound when a pod needs it; gone at the end.
struct Volume {
    name: String,
    folder: PathBuf,
}

impl Volume {
    fn new(scene: &Scene) -> Volume {
        let of = |name| std::env::var(name).expect("tests/cluster/env names it");
        let (name, node) = (scene.ns.clone(), of("PROM_FIX_NODE"));
        let folder = PathBuf::from(of("PROM_FIX_VOLUMES")).join(&name);
        fs::create_dir(&folder).expect("a folder");
        let volume = format!(
            "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: {name}}}, spec: \
             {{storageClassName: local, capacity: {{storage: 1Gi}}, accessModes: [ReadWriteOncePod], \
             persistentVolumeReclaimPolicy: Retain, local: {{path: {}}}, claimRef: {{apiVersion: v1, \
             kind: PersistentVolumeClaim, namespace: {name}, name: data-prom-0}}, nodeAffinity: \
             {{required: {{nodeSelectorTerms: [{{matchExpressions: [{{key: kubernetes.io/hostname, \
             operator: In, values: [{node}]}}]}}]}}}}}}}}",
            folder.display()
        );
        kubectl_in(&["create", "-f", "-"], &volume).expect(0);
        Volume { name, folder }
    }
}

impl Drop for Volume {
    #[expect(clippy::disallowed_methods, reason = "the test's own volume")]
    fn drop(&mut self) {
        let _ = kubectl(&["delete", "pv", &self.name, "--ignore-not-found", "--wait=false"]);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const ROOM: &str = "
apiVersion: v1
kind: LimitRange
metadata: {name: narrow}
spec:
  limits:
  - type: Container
    min: {memory: 40Mi, cpu: 20m}
    max: {memory: 512Mi, cpu: 500m}
    maxLimitRequestRatio: {memory: '3', cpu: '10'}
    default: {cpu: 200m}
    defaultRequest: {cpu: 50m}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: narrow}
spec: {hard: {pods: '2', requests.cpu: 500m, limits.cpu: '1', requests.memory: 400Mi,
  limits.memory: 400Mi, persistentvolumeclaims: '1', count/configmaps: '12'}}
";

/// The pod that is held still stands; no helper, and nothing that one would run.
fn nothing_but_the_hold(scene: &Scene) {
    no_helper_is_left(scene);
    let pods = scene.get("pod");
    assert_eq!(pods["items"].as_array().map(Vec::len), Some(1), "{pods:#}");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_log_is_mended_where_there_is_little_room() {
    let scene = Scene::new("narrow");
    let volume = Volume::new(&scene);
    scene.apply(ROOM);
    let install = Install::new(Kind::Set, "v3.16.0", ROOMY);
    let install = Install { scrapes: false, class: Some("local"), ..install };
    let alone = install.manifest().replace("[ReadWriteOnce]", "[ReadWriteOncePod]");
    scene.apply(&alone);
    for _ in 0..3 {
        scene.until_ready("prom-0", 60);
        scene.kubectl(&["delete", "pod", "prom-0"]).expect(0);
    }
    scene.until_ready("prom-0", 60);
    scene.plugin(&["freeze", "pod/prom-0", "--yes", "--allow-downtime"]).expect(0);
    fs::remove_file(volume.folder.join("wal/00000001")).expect("a segment");
    scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0);
    until_told(&scene, "sts/prom", &["wal/gap"]);

    // Nobody else is scheduled while the pod is there, and that is said before one waits for it.
    let wal = ["wal", "sts/prom", "--inspect", "-o", "json"];
    let refused = scene.plugin(&wal).expect(2).json();
    let why = text(&refused, "/reports/0/blocked/why");
    assert!(why.contains("pvc/data-prom-0 is ReadWriteOncePod"), "{refused:#}");
    scene.plugin(&["freeze", "pod/prom-0", "--yes"]).expect(0);

    // A helper that the quota does not admit: it says so, and nothing of it is left.
    let quota = |pods: &str| {
        let patch = format!("{{\"spec\": {{\"hard\": {{\"pods\": \"{pods}\"}}}}}}");
        scene.kubectl(&["patch", "quota", "narrow", "--type=merge", "-p", &patch]).expect(0);
        until("the quota is told", 30, || scene.field("quota/narrow", ".status.hard.pods") == pods);
    };
    quota("0");
    let refused = scene.plugin(&wal).expect(2).json();
    let why = text(&refused, "/reports/0/blocked/why");
    assert!(why.contains("exceeded quota: narrow"), "{refused:#}");
    nothing_but_the_hold(&scene);
    quota("2");

    let apply = ["--apply", "--yes", "--settle", "4s"];
    let report = scene.plugin(&[&wal[..], &apply].concat()).expect(0).json();
    assert_eq!(report.pointer("/reports/0/outcome/proved"), Some(&Value::Bool(true)));
    assert!(first(&report, "/plan/title").starts_with("mend the log"));
    nothing_is_left(&scene);
}
