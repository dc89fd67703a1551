//! KEDA for real: its operator keeps a Deployment at one replica at least, and leaves it alone while
//! its log is mended.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::controllers::{
    Controller, Finalized, TARGET, folder, install, is_mended_beside, kinds_alone,
};
use super::definitions::Written;
use super::install::Install;
use super::scene::{Scene, essence, until};

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
        Written::new(name, &folder.join(format!("{group}_{plural}.yaml")))
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

/// Its operator, of one namespace.
fn operator(scene: &Scene, folder: &Path, certificates: &Path) -> Controller {
    let own = ["WATCH_NAMESPACE", "POD_NAMESPACE", "KEDA_CLUSTER_OBJECT_NAMESPACE"];
    let mut command = Command::new(folder.join("keda"));
    command
        .args(["--enable-prometheus-metrics=false", "--health-probe-bind-address=0"])
        .args(["--metrics-service-bind-address=127.0.0.1:0"])
        .arg(format!("--cert-dir={}", certificates.display()))
        .envs(own.map(|name| (name, scene.ns.as_str())));
    Controller::start(scene, "keda", &mut command)
}

/// What it scales, with annotations in the flow style of YAML.
fn scaled<'a>(scene: &'a Scene, install: &Install, annotations: &str) -> Finalized<'a> {
    install.apply(scene);
    scene.apply(&format!(
        "{{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {{name: prom, annotations: \
         {{{annotations}}}}}, spec: {{scaleTargetRef: {{name: prom}}, pollingInterval: 1, \
         minReplicaCount: 1, maxReplicaCount: 2, triggers: [{{type: cron, metadata: {{timezone: UTC, \
         start: \"0 0 1 1 *\", end: \"1 0 1 1 *\", desiredReplicas: \"1\"}}}}]}}}}"
    ));
    Finalized(scene, "scaledobject/prom")
}

const PAUSED: &str = ".metadata.annotations.autoscaling\\.keda\\.sh/paused";
const PAUSED_AT: &str = ".metadata.annotations.autoscaling\\.keda\\.sh/paused-replicas";

/// Waits until KEDA says of itself what its object asks for.
fn has_seen(scene: &Scene, is_paused: bool) {
    let told = ".status.conditions[?(@.type==\"Paused\")].status";
    until("KEDA has seen the pause, or its end", 60, || {
        (scene.field("scaledobject/prom", told) == "True") == is_paused
    });
}

#[test]
#[ignore = "needs the cluster, and a controller: tests/run --matrix"]
fn what_keda_scales_is_left_alone_while_its_log_is_mended() {
    let Some(folder) = folder("keda") else { return };
    let _alone = kinds_alone();
    let _kinds = definitions(&folder);
    let scene = Scene::new("keda");
    let install = install();
    let certificates = certificates();
    let _keda = operator(&scene, &folder, certificates.path());
    let _last = scaled(&scene, &install, "");
    until("KEDA scales it", 60, || scene.is_ready("scaledobject/prom"));
    is_mended_beside(&scene, &install, &|_| {
        has_seen(&scene, scene.field("scaledobject/prom", PAUSED) == "true");
    });
}

#[test]
#[ignore = "needs the cluster, and a controller: tests/run --matrix"]
fn what_keda_holds_at_a_number_is_not_brought_to_it_while_it_is_frozen() {
    let Some(folder) = folder("keda") else { return };
    let _alone = kinds_alone();
    let _kinds = definitions(&folder);
    let scene = Scene::new("keda-at");
    let install = install();
    let certificates = certificates();
    let keda = operator(&scene, &folder, certificates.path());
    let last = scaled(&scene, &install, "autoscaling.keda.sh/paused-replicas: \"1\"");
    has_seen(&scene, true);
    until("it has a pod", 60, || install.pods(&scene).len() == 1);
    let before = essence(&scene.get("scaledobject/prom"));
    let freeze = ["freeze", TARGET, "--yes", "--allow-downtime", "--pause-gitops"];
    scene.plugin(&freeze).expect(0);
    // Whenever it looks at its object, as at its own start, it brings it to that number.
    drop(keda);
    let keda = operator(&scene, &folder, certificates.path());
    until("KEDA has looked", 60, || keda.has_said("Reconciling ScaledObject"));
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(scene.field(TARGET, ".spec.replicas"), "0");
    assert_eq!(scene.field("scaledobject/prom", PAUSED_AT), "");
    scene.plugin(&["undo", TARGET, "--yes"]).expect(0);
    assert_eq!(essence(&scene.get("scaledobject/prom")), before);
    assert_eq!(scene.field(TARGET, ".spec.replicas"), "1");
    drop(last);
}
