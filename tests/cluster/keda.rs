//! KEDA for real: its operator keeps a Deployment at one replica at least, and leaves it alone while
//! its log is mended.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::controllers::{Controller, Finalized, folder, install, is_mended_beside, kinds_alone};
use super::definitions::Written;
use super::scene::{Scene, until};

/// What its operator watches.
const KINDS: [&str; 6] = [
    "scaledobjects.keda.sh",
    "scaledjobs.keda.sh",
    "triggerauthentications.keda.sh",
    "clustertriggerauthentications.keda.sh",
    "cloudeventsources.eventing.keda.sh",
    "clustercloudeventsources.eventing.keda.sh",
];

fn definitions(folder: &Path) -> Vec<Written> {
    let one = |name: &&'static str| {
        let (plural, group) = name.split_once('.').expect("of a group");
        let file = folder.join(format!("{group}_{plural}.yaml"));
        Written::new(name, &std::fs::read_to_string(file).expect("its definition"))
    };
    KINDS.iter().map(one).collect()
}

/// It serves metrics with TLS, to nobody here; the API server's own certificate will do.
fn certificates() -> tempfile::TempDir {
    let logs = PathBuf::from(std::env::var("PROM_FIX_CLUSTER_LOGS").expect("of the cluster"));
    let of_cluster = logs.with_file_name("pki");
    let folder = tempfile::tempdir().expect("a folder");
    for (from, to) in
        [("ca.crt", "ca.crt"), ("kube-apiserver.crt", "tls.crt"), ("kube-apiserver.key", "tls.key")]
    {
        std::fs::copy(of_cluster.join(from), folder.path().join(to)).expect("a certificate");
    }
    folder
}

#[test]
#[ignore = "needs the cluster, and a controller: tests/run --matrix"]
fn what_keda_scales_is_left_alone_while_its_log_is_mended() {
    let Some(folder) = folder("keda") else { return };
    let _alone = kinds_alone();
    let _kinds = definitions(&folder);
    let scene = Scene::new("keda");
    let certificates = certificates();
    let _keda = Controller::start(
        "keda",
        Command::new(folder.join("keda"))
            .args(["--enable-prometheus-metrics=false", "--health-probe-bind-address=0"])
            .args(["--metrics-service-bind-address=127.0.0.1:0", "--zap-log-level=info"])
            .arg(format!("--cert-dir={}", certificates.path().display()))
            .envs(
                ["WATCH_NAMESPACE", "POD_NAMESPACE", "KEDA_CLUSTER_OBJECT_NAMESPACE"]
                    .map(|name| (name, scene.ns.as_str())),
            ),
    );
    let install = install();
    install.apply(&scene);
    scene.apply(
        "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: prom}, spec: \
         {scaleTargetRef: {name: prom}, pollingInterval: 1, minReplicaCount: 1, maxReplicaCount: 2, \
         triggers: [{type: cron, metadata: {timezone: UTC, start: \"0 0 1 1 *\", end: \
         \"1 0 1 1 *\", desiredReplicas: \"1\"}}]}}",
    );
    let _last = Finalized(&scene, "scaledobject/prom");
    let is_ready = ".status.conditions[?(@.type==\"Ready\")].status";
    until("KEDA scales it", 60, || scene.field("scaledobject/prom", is_ready) == "True");
    is_mended_beside(&scene, &install, &|_| {
        let paused = ".metadata.annotations.autoscaling\\.keda\\.sh/paused";
        let is_paused = scene.field("scaledobject/prom", paused) == "true";
        let told = ".status.conditions[?(@.type==\"Paused\")].status";
        until("KEDA has seen the pause", 30, || {
            (scene.field("scaledobject/prom", told) == "True") == is_paused
        });
    });
}
