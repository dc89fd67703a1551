//! A Thanos sidecar for real, as prometheus-operator gives it: what it has uploaded is told before the
//! log is mended, that it ends for want of a Prometheus is no cause, and it uploads on afterwards.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::controllers::folder;
use super::damage::{LOAD, Samples, Server, samples};
use super::full::blocks;
use super::install::{Install, Kind, ROOMY, serve};
use super::late::surveyed;
use super::left::nothing_is_left;
use super::life::{first, until_told};
use super::scene::{Scene, until};

/// What it uploads to: a folder.
const BUCKET: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: bucket}
stringData: {bucket.yaml: "{type: FILESYSTEM, config: {directory: /bucket}}"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: bucket}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"#;

/// The sidecar of a Prometheus resource; its program lies on the node, beside an image of another name.
/// For want of a Prometheus it ends after `readyTimeout`, more or less (10 minutes, where none is given).
fn sidecar(programs: &Path) -> String {
    let at = fs::canonicalize(programs).expect("it was built");
    let mount = |name: &str| json!([{"name": name, "mountPath": format!("/{name}")}]);
    let volumes = json!([
        {"name": "bucket", "persistentVolumeClaim": {"claimName": "bucket"}},
        {"name": "thanos", "hostPath": {"path": at}},
    ]);
    let container = json!({"name": "thanos-sidecar", "command": ["/thanos/thanos"],
        "volumeMounts": mount("thanos")});
    let thanos = json!({"image": "busybox:1", "version": "v0.42.4", "readyTimeout": "20s",
        "objectStorageConfig": {"name": "bucket", "key": "bucket.yaml"},
        "volumeMounts": mount("bucket")});
    json!({"spec": {"volumes": volumes, "containers": [container], "thanos": thanos}}).to_string()
}

/// Blocks that lie in the data directory from now on, as Prometheus' own.
fn put_blocks(data: &Path, hours: &[u64]) -> Vec<String> {
    let made = tempfile::tempdir().expect("a folder");
    let names = blocks(made.path(), hours);
    let own = fs::metadata(data.join("wal")).expect("its log");
    for name in &names {
        copy(&made.path().join(name), &data.join(name), (own.uid(), own.gid()));
    }
    names
}

fn copy(from: &Path, to: &Path, own: (u32, u32)) {
    if from.is_dir() {
        fs::create_dir(to).expect("a new folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let entry = entry.expect("an entry");
            copy(&entry.path(), &to.join(entry.file_name()), own);
        }
    } else {
        fs::copy(from, to).expect("copied");
    }
    chown(to, Some(own.0), Some(own.1)).expect("root may");
}

fn until_uploaded(bucket: &Path, block: &str) {
    until(&format!("{block} is in the bucket"), 120, || {
        bucket.join(block).join("meta.json").is_file()
    });
}

fn note(data: &Path) -> Value {
    let note = fs::read(data.join("thanos.shipper.json")).unwrap_or_default();
    serde_json::from_slice(&note).unwrap_or_default()
}

#[test]
#[ignore = "needs the test cluster"]
fn what_a_sidecar_has_uploaded_is_told_and_it_uploads_on() {
    let Some(programs) = folder("thanos") else { return };
    let scene = Scene::new("thanos");
    serve(&scene, "load", LOAD);
    scene.apply(BUCKET);
    let install = Install::new(Kind::Resource, "v3.16.0", ROOMY);
    let (server, _) = Server::with_log(&scene, install);
    let target = server.install.target();
    let uploaded = put_blocks(&server.data, &[5]).remove(0);
    let patch = ["patch", target, "--type=merge", "-p", &sidecar(&programs)];
    scene.kubectl(&patch).expect(0);
    let is_there = ".spec.containers[?(@.name==\"thanos-sidecar\")].command";
    until("its pod has a sidecar", 60, || {
        !scene.field(&format!("pod/{}", server.pod()), is_there).is_empty()
    });
    scene.until_ready(&server.pod(), 120);
    let bucket: PathBuf = scene.folder("bucket");
    until_uploaded(&bucket, &uploaded);
    until("it has noted that", 30, || note(&server.data)["uploaded"] == json!([uploaded]));
    let before = samples(&scene, &server.pod());

    Install { replicas: 0, ..server.install.clone() }.apply(&scene);
    server.install.until_no_pods(&scene);
    let kept = put_blocks(&server.data, &[3]).remove(0);
    // A start beside an older block has made a checkpoint of the first ones.
    let segments = surveyed(&server.data)["segments"].as_array().expect("a list").clone();
    let (gone, span) = (&segments[1]["number"], &segments[1]["counts"]["entries"]["span"]);
    let number = u32::try_from(gone.as_u64().expect("a number")).expect("few");
    fs::remove_file(server.segment(number)).expect("a segment in the middle");
    server.install.apply(&scene);
    let ended = ".status.containerStatuses[?(@.name==\"thanos-sidecar\")].restartCount";
    until("the sidecar has given up once", 240, || {
        scene.field(&format!("pod/{}", server.pod()), ended).parse::<u32>().is_ok_and(|n| n > 0)
    });
    let asks = until_told(&scene, target, &["wal/gap"]);
    assert_eq!(first(&asks, "/findings/0/code"), "wal/gap", "{asks:#}");

    let shown = scene.plugin(&["wal", target, "--inspect", "-o", "json"]).expect(2).json();
    let uploads = shown.pointer("/reports/0/directories/0/uploads").expect("it was looked at");
    assert_eq!(uploads["newest"]["ulid"], json!(uploaded), "{uploads}");
    let here = (&uploads["here"][0]["ulid"], &uploads["hereCount"]);
    assert_eq!(here, (&json!(kept), &json!(1)), "{uploads}");
    let last = before.keys().map(|(_, at)| *at).max().expect("samples");
    assert!(uploads["head"]["last"].as_i64() >= Some(last), "{uploads} {last}");
    let data = first(&shown, "/plan/impact/data");
    assert!(data.contains("only on this volume"), "{data}");

    let digest = first(&shown, "/plan/digest");
    let args = ["wal", target, "--inspect", "--apply", "--confirm", &digest, "--settle", "6s"];
    scene.plugin(&args).expect(0);
    let mut after = Samples::new();
    until("it takes samples", 120, || {
        after = samples(&scene, &server.pod());
        after.keys().any(|(_, at)| *at > last)
    });
    for (key, value) in &before {
        let gone = span["first"].as_i64() <= Some(key.1) && Some(key.1) <= span["last"].as_i64();
        assert!(after.get(key) == Some(value) || gone, "{key:?}, gone were {span}");
    }
    nothing_is_left(&scene);
    until_uploaded(&bucket, &kept);
}
