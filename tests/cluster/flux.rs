//! Flux for real: its kustomize-controller applies a Deployment again every few seconds, as one does
//! that has it in a repository, and leaves it alone while its log is mended.
//!
//! The controller is built for `tests/run --matrix` only: `PROM_FIX_FLUX` is the folder of it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use sha2::{Digest, Sha256};

use super::definitions::{Definitions, Of, Written};
use super::install::{Install, Kind, ROOMY, taken};
use super::left::nothing_is_left;
use super::life::{first, text, until_told};
use super::scene::{Scene, essence, until};

const TARGET: &str = "deploy/prom";
/// Where its sources are; what fetches them is not here.
const SOURCES: &[Of] = &[
    ("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories"),
    ("source.toolkit.fluxcd.io", "v1", "OCIRepository", "ocirepositories"),
    ("source.toolkit.fluxcd.io", "v1", "Bucket", "buckets"),
    ("source.toolkit.fluxcd.io", "v1", "ExternalArtifact", "externalartifacts"),
];
const KUSTOMIZATIONS: &str = "kustomizations.kustomize.toolkit.fluxcd.io";

/// The controller, of one namespace.
struct Flux<'a> {
    scene: &'a Scene,
    process: Child,
    _definitions: (Definitions, Written),
}

impl<'a> Flux<'a> {
    fn new(scene: &'a Scene, folder: &str) -> Flux<'a> {
        let folder = PathBuf::from(folder);
        let written = std::fs::read_to_string(folder.join("kustomizations.yaml"));
        let written = Written::new(KUSTOMIZATIONS, &written.expect("its definition"));
        let definitions = (Definitions::new(SOURCES), written);
        let logs = std::env::var("PROM_FIX_CLUSTER_LOGS").expect("of tests/cluster/env");
        let log = File::create(PathBuf::from(logs).join("flux.log")).expect("a file");
        let process = Command::new(folder.join("kustomize-controller"))
            .args(["--watch-all-namespaces=false", "--enable-leader-election=false"])
            .args(["--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"])
            .args(["--interval-jitter-percentage=0", "--log-encoding=console"])
            .env("RUNTIME_NAMESPACE", &scene.ns)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .spawn()
            .expect("it starts");
        Flux { scene, process, _definitions: definitions }
    }

    /// Has it apply this from now on, every five seconds.
    fn apply(&self, manifest: &str) {
        let archive = archive(manifest);
        let sum: String = Sha256::digest(&archive).iter().map(|b| format!("{b:02x}")).collect();
        let url = serve(archive);
        self.scene.apply(&format!(
            "{{apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, metadata: {{name: all}}, \
             spec: {{interval: 1m, url: \"https://git.invalid/all\"}}, status: {{conditions: [{{type: \
             Ready, status: \"True\", reason: Succeeded, message: stored, lastTransitionTime: \
             \"2026-01-01T00:00:00Z\"}}], artifact: {{path: all.tar.gz, url: \"{url}\", revision: \
             \"main@sha1:1\", digest: \"sha256:{sum}\", lastUpdateTime: \"2026-01-01T00:00:00Z\"}}}}}}"
        ));
        self.scene.apply(&format!(
            "{{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {{name: all}}, \
             spec: {{interval: 5s, retryInterval: 2s, prune: false, path: ./, targetNamespace: {}, \
             sourceRef: {{kind: GitRepository, name: all}}}}}}",
            self.scene.ns
        ));
    }

    /// Asks it to apply all of it once more, and waits until it has.
    fn applies_again(&self, word: &str) {
        let ask = format!("reconcile.fluxcd.io/requestedAt={word}");
        let name = "kustomization/all";
        self.scene.kubectl(&["annotate", name, &ask, "--overwrite"]).expect(0);
        until("Flux has applied it again", 60, || {
            self.scene.field(name, ".status.lastHandledReconcileAt") == word
                && self.scene.field(name, ".status.conditions[?(@.type==\"Ready\")].status")
                    == "True"
        });
    }
}

impl Drop for Flux<'_> {
    fn drop(&mut self) {
        // It takes its finalizer away; where it has ended, this does.
        let one = ["kustomization", "all"];
        let _ = self.scene.kubectl(&[&["delete"], &one[..], &["--timeout=20s"]].concat());
        let _ = self.process.kill();
        let _ = self.process.wait();
        let none = r#"--patch={"metadata": {"finalizers": null}}"#;
        let _ = self.scene.kubectl(&[&["patch"], &one[..], &["--type=merge", none]].concat());
    }
}

fn archive(manifest: &str) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    let mut header = tar::Header::new_gnu();
    header.set_size(manifest.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "all.yaml", manifest.as_bytes()).expect("in memory");
    archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("in memory")
}

/// Answers every request with these bytes, until the test program ends.
fn serve(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/all.tar.gz", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, &bytes);
        }
    });
    url
}

fn answer(mut stream: TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 4096])?;
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", bytes.len())?;
    write!(stream, "Connection: close\r\n\r\n")?;
    stream.write_all(bytes)
}

/// Whoever else scales it is put right.
fn is_put_right(scene: &Scene) {
    scene.kubectl(&["scale", TARGET, "--replicas=0"]).expect(0);
    until("Flux puts it right", 30, || scene.field(TARGET, ".spec.replicas") == "1");
}

#[test]
#[ignore = "needs the cluster, and a controller: tests/run --matrix"]
fn what_flux_renders_is_left_alone_while_its_log_is_mended() {
    let Ok(folder) = std::env::var("PROM_FIX_FLUX") else {
        eprintln!("left to --matrix: Flux");
        return;
    };
    let scene = Scene::new("flux");
    let install = Install::new(Kind::Deployment, "v3.16.0", ROOMY);
    let install = Install { scrapes: false, itself: true, ..install };
    let flux = Flux::new(&scene, &folder);
    flux.apply(&install.manifest());
    let pod = || install.pods(&scene).first().cloned().unwrap_or_default();
    for life in 0..3 {
        until("it has a pod", 60, || !pod().is_empty());
        scene.until_ready(&pod(), 60);
        until("it has samples", 60, || taken(&scene.ns, &pod()) > 100.0);
        if life < 2 {
            scene.kubectl(&["delete", "pod", &pod()]).expect(0);
        }
    }
    is_put_right(&scene);
    until("it runs again", 60, || !pod().is_empty());
    scene.until_ready(&pod(), 60);
    flux.applies_again("first");
    let before = essence(&scene.get(TARGET));

    let freeze = ["freeze", TARGET, "--yes", "--allow-downtime", "-o", "json"];
    let refused = scene.plugin(&freeze).expect(3).json();
    assert_eq!(text(&refused, "/reports/0/blocked/reason"), "needs-consent");
    let ways = refused.pointer("/reports/0/blocked/ways").expect("ways").to_string();
    assert!(ways.contains("--pause-gitops"), "{ways}");
    assert_eq!(essence(&scene.get(TARGET)), before);

    scene.plugin(&[&freeze[..], &["--pause-gitops"]].concat()).expect(0);
    for word in ["second", "third"] {
        flux.applies_again(word);
        assert_eq!(scene.field(TARGET, ".spec.replicas"), "0", "Flux leaves it alone");
    }
    let data = scene.folder(&scene.field("pvc", ".items[0].metadata.name"));
    std::fs::remove_file(data.join("wal/00000001")).expect("a segment in the middle");
    until_told(&scene, TARGET, &["other/repair-unfinished"]);
    let args = ["wal", TARGET, "--inspect", "--apply", "--yes", "--settle", "4s"];
    let report = scene.plugin(&[&args[..], &["-o", "json"]].concat()).expect(0).json();
    assert!(first(&report, "/plan/title").starts_with("mend the log"));
    assert!(data.join("wal/00000001").exists(), "the missing segment is there");
    nothing_is_left(&scene);

    scene.plugin(&["undo", TARGET, "--yes", "--force", "--pause-gitops"]).expect(0);
    scene.plugin(&["undo", TARGET, "--yes"]).expect(0);
    flux.applies_again("fourth");
    assert_eq!(essence(&scene.get(TARGET)), before, "values and owners");
    is_put_right(&scene);
}
