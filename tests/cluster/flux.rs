//! Flux for real: its controllers apply a Deployment again every few seconds, as they do that have it
//! in a repository or a chart, and leave it alone while its log is mended.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use super::controllers::{Controller, Finalized, folder, install, is_mended_beside, kinds_alone};
use super::definitions::{Definitions, Of, Written};
use super::scene::{Scene, until};

/// Where its sources are; what fetches them is not here.
const SOURCES: &[Of] = &[
    ("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories"),
    ("source.toolkit.fluxcd.io", "v1", "OCIRepository", "ocirepositories"),
    ("source.toolkit.fluxcd.io", "v1", "Bucket", "buckets"),
    ("source.toolkit.fluxcd.io", "v1", "HelmChart", "helmcharts"),
    ("source.toolkit.fluxcd.io", "v1", "HelmRepository", "helmrepositories"),
    ("source.toolkit.fluxcd.io", "v1", "ExternalArtifact", "externalartifacts"),
];

/// One of its controllers, of one namespace.
fn controller(scene: &Scene, program: &Path) -> Controller {
    let name = program.file_name().expect("a program").to_string_lossy();
    Controller::start(
        scene,
        &name,
        Command::new(program)
            .args(["--watch-all-namespaces=false", "--enable-leader-election=false"])
            .args(["--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"])
            .args(["--interval-jitter-percentage=0", "--log-encoding=console"])
            .env("RUNTIME_NAMESPACE", &scene.ns),
    )
}

/// Asks for another reconciliation, and waits for it; one that is suspended gives no answer.
fn looks_again(scene: &Scene, object: &str, word: &str) {
    let ask = format!("reconcile.fluxcd.io/requestedAt={word}");
    scene.kubectl(&["annotate", object, &ask, "--overwrite"]).expect(0);
    until("Flux has looked again", 60, || {
        scene.field(object, ".spec.suspend") == "true"
            || scene.field(object, ".status.lastHandledReconcileAt") == word
                && scene.is_ready(object)
    });
}

/// A source of these files, as what fetches it would leave it.
fn source(scene: &Scene, kind: &str, revision: &str, files: &[(&str, &str)]) {
    let archive = archive(files);
    let sum: String = Sha256::digest(&archive).iter().map(|b| format!("{b:02x}")).collect();
    let url = serve(archive);
    scene.apply(&format!(
        "{{apiVersion: source.toolkit.fluxcd.io/v1, kind: {kind}, metadata: {{name: all}}, spec: \
         {{interval: 1m, url: \"https://sources.invalid/all\"}}, status: {{observedGeneration: 1, \
         conditions: [{{type: Ready, status: \"True\", reason: Succeeded, message: stored, \
         lastTransitionTime: \"2026-01-01T00:00:00Z\"}}], artifact: {{path: all.tar.gz, url: \
         \"{url}\", revision: \"{revision}@sha256:{sum}\", digest: \"sha256:{sum}\", \
         lastUpdateTime: \"2026-01-01T00:00:00Z\"}}}}}}"
    ));
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, text.as_bytes()).expect("in memory");
    }
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

#[test]
#[ignore = "needs the cluster, and a controller: tests/run --matrix"]
fn what_a_kustomization_renders_is_left_alone_while_its_log_is_mended() {
    let Some(folder) = folder("kustomize-controller") else { return };
    let _alone = kinds_alone();
    let file = folder.join("definition.yaml");
    let _kind = Written::new("kustomizations.kustomize.toolkit.fluxcd.io", &file);
    let _sources = Definitions::new(SOURCES);
    let scene = Scene::new("kustomization");
    let _flux = controller(&scene, &folder.join("kustomize-controller"));
    let install = install();
    source(&scene, "GitRepository", "main", &[("all.yaml", &install.manifest())]);
    scene.apply(&format!(
        "{{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {{name: all}}, \
         spec: {{interval: 5s, retryInterval: 2s, prune: false, path: ./, targetNamespace: {}, \
         sourceRef: {{kind: GitRepository, name: all}}}}}}",
        scene.ns
    ));
    let _last = Finalized(&scene, "kustomization/all");
    is_mended_beside(&scene, &install, &|word| looks_again(&scene, "kustomization/all", word));
}

#[test]
#[ignore = "needs the cluster, and a controller: tests/run --matrix"]
fn what_a_helm_release_renders_is_left_alone_while_its_log_is_mended() {
    let Some(folder) = folder("helm-controller") else { return };
    let _alone = kinds_alone();
    let file = folder.join("definition.yaml");
    let _kind = Written::new("helmreleases.helm.toolkit.fluxcd.io", &file);
    let _sources = Definitions::new(SOURCES);
    let scene = Scene::new("helmrelease");
    let _flux = controller(&scene, &folder.join("helm-controller"));
    let install = install();
    let chart = "{apiVersion: v2, name: prom, version: 1.0.0}";
    let files = [("prom/Chart.yaml", chart), ("prom/templates/all.yaml", &install.manifest())];
    source(&scene, "OCIRepository", "1.0.0", &files);
    scene.apply(
        "{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {name: all}, spec: \
         {interval: 5s, chartRef: {kind: OCIRepository, name: all}, driftDetection: {mode: enabled}, \
         install: {disableWait: true}, upgrade: {disableWait: true}}}",
    );
    let _last = Finalized(&scene, "helmrelease/all");
    is_mended_beside(&scene, &install, &|word| looks_again(&scene, "helmrelease/all", word));
}
