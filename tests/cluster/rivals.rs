//! Who scales a Deployment up again while it is held: the autoscaler of Kubernetes for real; of Argo
//! CD, Flux and KEDA the objects alone; their controllers are in [`super::controllers`].

use serde_json::Value;

use super::controllers::kinds_alone;
use super::definitions::{Definitions, Of};
use super::install::{Install, Kind, ROOMY};
use super::left::nothing_is_left;
use super::life::{first, text, until_told};
use super::scene::{Scene, essence, kubectl_in, until};

const KINDS: &[Of] = &[
    ("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"),
    ("argoproj.io", "v1alpha1", "Application", "applications"),
    ("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases"),
];

/// As if each of them had rendered the number of replicas.
fn written_by(scene: &Scene, manager: &str, metadata: &str) {
    let object = format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: prom, {metadata}}}, \
         spec: {{replicas: 1}}}}"
    );
    let args = ["-n", &scene.ns, "apply", "--server-side", "--field-manager", manager, "-f", "-"];
    kubectl_in(&args, &object).expect(0);
}

/// An autoscaler, KEDA, Argo CD, and Flux in both its ways.
fn all_at_once(scene: &Scene, other: &Scene) {
    // One that has it at one at least does nothing about none.
    scene.apply(
        "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: prom}, spec: \
         {minReplicas: 1, maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, \
         name: prom}, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, \
         averageUtilization: 80}}}]}}",
    );
    scene.apply(
        "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: prom}, spec: \
         {scaleTargetRef: {name: prom}, minReplicaCount: 1}}",
    );
    other.apply(
        "{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: app}, spec: \
         {syncPolicy: {automated: {selfHeal: true, prune: false}, syncOptions: [A=b]}}}",
    );
    other.apply(
        "{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {name: rel}, spec: \
         {interval: 1m}}",
    );
    let tracking = format!("app:apps/Deployment:{}/prom", scene.ns);
    let tracked = format!(r#"annotations: {{argocd.argoproj.io/tracking-id: "{tracking}"}}"#);
    written_by(scene, "argocd-controller", &tracked);
    for (manager, group, name) in [
        ("kustomize-controller", "kustomize.toolkit.fluxcd.io", "kus"),
        ("helm-controller", "helm.toolkit.fluxcd.io", "rel"),
    ] {
        let labels = format!("labels: {{{group}/name: {name}, {group}/namespace: {}}}", other.ns);
        written_by(scene, manager, &labels);
    }
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn who_would_start_it_is_paused_while_its_log_is_mended() {
    let _alone = kinds_alone();
    let _kinds = Definitions::new(KINDS);
    let (scene, other) = (Scene::new("rivals"), Scene::new("gitops"));
    let install = Install::new(Kind::Deployment, "v3.16.0", ROOMY);
    let install = Install { scrapes: false, ..install };
    install.apply(&scene);
    for life in 0..3 {
        until("it has a pod", 60, || !install.pods(&scene).is_empty());
        let pod = install.pods(&scene).first().cloned().unwrap_or_default();
        scene.until_ready(&pod, 60);
        if life < 2 {
            scene.kubectl(&["delete", "pod", &pod]).expect(0);
        }
    }
    let claim = scene.field("pvc", ".items[0].metadata.name");
    let data = scene.folder(&claim);

    all_at_once(&scene, &other);
    let all = || -> Vec<Value> {
        let own = ["deploy/prom", "scaledobject/prom", "hpa/prom"].map(|of| scene.get(of));
        let others = ["application/app", "helmrelease/rel"].map(|of| other.get(of));
        own.iter().chain(&others).map(essence).collect()
    };
    let before = all();

    let freeze = ["freeze", "deploy/prom", "--yes", "--allow-downtime", "-o", "json"];
    let refused = scene.plugin(&freeze).expect(3).json();
    assert_eq!(text(&refused, "/reports/0/blocked/reason"), "needs-consent");
    let ways = refused.pointer("/reports/0/blocked/ways").expect("ways").to_string();
    assert!(ways.contains("--pause-gitops"), "{ways}");
    assert_eq!(all(), before);

    scene.plugin(&[&freeze[..], &["--pause-gitops"]].concat()).expect(0);
    let keda = ".metadata.annotations.autoscaling\\.keda\\.sh/paused";
    assert_eq!(scene.field("scaledobject/prom", keda), "true");
    let flux = ".metadata.annotations.kustomize\\.toolkit\\.fluxcd\\.io/reconcile";
    assert_eq!(scene.field("deploy/prom", flux), "disabled");
    assert_eq!(other.field("application/app", ".spec.syncPolicy.automated"), "");
    assert_eq!(other.field("helmrelease/rel", ".spec.suspend"), "true");

    // It was looked at while there were none, and was left at that.
    let active = ".status.conditions[?(@.type==\"ScalingActive\")].reason";
    until("the autoscaler leaves it", 40, || scene.field("hpa/prom", active) == "ScalingDisabled");
    assert_eq!(scene.field("deploy/prom", ".spec.replicas"), "0");
    std::fs::remove_file(data.join("wal/00000001")).expect("a segment");
    until_told(&scene, "deploy/prom", &["other/repair-unfinished"]);
    let args = ["wal", "deploy/prom", "--inspect", "--apply", "--yes", "--settle", "4s"];
    let report = scene.plugin(&[&args[..], &["-o", "json"]].concat()).expect(0).json();
    assert!(first(&report, "/plan/title").starts_with("mend the log"));
    assert_eq!(install.pods(&scene).len(), 1);
    let told = scene.plugin(&["receipts"]).expect(0).stdout;
    assert!(told.contains("let go") && !told.contains("held"), "{told}");
    nothing_is_left(&scene);
    scene.plugin(&["undo", "deploy/prom", "--yes", "--force", "--pause-gitops"]).expect(0);
    scene.plugin(&["undo", "deploy/prom", "--yes"]).expect(0);
    assert_eq!(all(), before, "values and owners of all of them");
}
