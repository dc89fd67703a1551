//! A data directory that another process has: the old pod of a Deployment, or somebody else's.
//!
//! Seen on 1.34.4, where the strategy is patched to Recreate while the new pod waits for the old one:
//! the controller scales the old template's ReplicaSet to none within a second and does not touch the
//! new pod, which keeps its uid and its back-off: 20 s later, after its third crash, it started, with
//! nothing that served in between. So the plan deletes it once the old one has ended.

use serde_json::Value;

use super::damage::{Samples, samples};
use super::install::{Install, Kind, ROOMY, serve};
use super::life::{Ailment, first, live_with, text, until_told};
use super::scene::{Scene, until};
use super::turns::in_each_release;

const LOCKED: &[&str] = &["wal/locked"];

fn install(image: &str) -> Install {
    Install {
        scrapes: false,
        arguments: locks(image),
        ..Install::new(Kind::Deployment, image, ROOMY)
    }
}

/// Debian's build of 2.42 takes none otherwise.
fn locks(image: &str) -> &'static [&'static str] {
    if image.starts_with("v2.42") { &["--storage.tsdb.use-lockfile"] } else { &[] }
}

/// The old pod serves, the new one of another template does not come past the lock.
fn rolled(scene: &Scene, install: Install) -> (Install, String, String) {
    install.apply(scene);
    until("it has a pod", 60, || install.pods(scene).len() == 1);
    let old = install.pods(scene).remove(0);
    scene.until_ready(&old, 60);
    let install = install.with_limit("201Mi");
    install.apply(scene);
    until("a second pod", 30, || install.pods(scene).len() == 2);
    let new = install.pods(scene).into_iter().find(|pod| *pod != old).expect("another one");
    (install, old, new)
}

/// Started again so often that its back-off is long by now, and in it: the count alone rises while the
/// last start is still under way.
fn until_it_waits_long(scene: &Scene, pod: &str) {
    let status = |path: &str| {
        scene.field(&format!("pod/{pod}"), &format!(".status.containerStatuses[0].{path}"))
    };
    until("it crashed four times", 120, || status("restartCount").parse().unwrap_or(0) >= 4);
    until("it waits for its next start", 30, || {
        status("state.waiting.reason") == "CrashLoopBackOff"
    });
}

/// What was there before is there when it is mended, and when that is taken back.
fn the_old_pod_is_stopped(image: &str) {
    let scene = Scene::new("locked");
    serve(&scene, "load", 40);
    let (install, old, new) = rolled(&scene, Install { scrapes: true, ..install(image) });
    let report = until_told(&scene, install.target(), LOCKED);
    let evidence = report.pointer("/reports/0/findings/0/evidence").expect("evidence").to_string();
    assert!(evidence.contains(&format!("pod/{old} of deploy/prom: is Ready")), "{evidence}");
    scene.until_ready(&old, 5);
    until_it_waits_long(&scene, &new);

    let refused = scene.plugin(&["wal", install.target(), "--apply", "--yes", "-o", "json"]);
    assert_eq!(first(&refused.expect(3).json(), "/blocked/reason"), "needs-consent");
    scene.until_ready(&old, 5);

    until("it has samples", 60, || samples(&scene, &old).len() > 80);
    let before = samples(&scene, &old);
    let ailment = Ailment { class: "wal", roots: LOCKED, pointer: "/spec/strategy" };
    let report = live_with(&scene, &install, ailment);
    let steps = report.pointer("/reports/0/plan/steps").and_then(Value::as_array).expect("steps");
    let did: Vec<String> = steps.iter().map(|s| text(s, "/action")).collect();
    assert_eq!(did, ["patch", "wait", "delete", "wait"]);
    // Its owner has rolled it again by now, which is what was broken: one of the two serves.
    let mut after = Samples::new();
    until("it serves", 120, || {
        let pods = install.pods(&scene);
        let all = pods.iter().map(|pod| samples(&scene, pod));
        after = all.max_by_key(Samples::len).unwrap_or_default();
        !after.is_empty()
    });
    nothing_is_lost(&before, &after);
}

fn nothing_is_lost(before: &Samples, after: &Samples) {
    let lost: Vec<_> =
        before.iter().filter(|(key, value)| after.get(*key) != Some(*value)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), before.len());
}

/// What the plan is made for: the patch alone, and what its controller does.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_patch_of_the_strategy_alone_leaves_the_new_pod_to_its_back_off() {
    let scene = Scene::new("alone");
    let (_, old, new) = rolled(&scene, install("v3.16.0"));
    let uid = scene.field(&format!("pod/{new}"), ".metadata.uid");
    until_it_waits_long(&scene, &new);
    let type_alone = r#"[{"op": "replace", "path": "/spec/strategy/type", "value": "Recreate"}]"#;
    let patch = |ops| scene.kubectl(&["patch", "deploy/prom", "--type=json", "-p", ops]);
    assert!(patch(type_alone).expect(1).stderr.contains("may not be specified"));
    let whole = r#"[{"op": "replace", "path": "/spec/strategy", "value": {"type": "Recreate"}}]"#;
    patch(whole).expect(0);
    until("the old one is gone", 30, || {
        scene.field(&format!("pod/{old}"), ".metadata.uid").is_empty()
    });
    // Nothing serves: the new one is as it was, and waits.
    let state = scene.field(&format!("pod/{new}"), ".status.containerStatuses[0].state.waiting");
    assert!(state.contains("CrashLoopBackOff"), "{state}");
    let began = std::time::Instant::now();
    scene.until_ready(&new, 200);
    eprintln!("nothing served for {} s after the old one was gone", began.elapsed().as_secs());
    assert_eq!(scene.field(&format!("pod/{new}"), ".metadata.uid"), uid, "nobody replaced it");
}

/// Whichever came first has it; the other waits, and serves nothing.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn two_replicas_on_one_claim_are_both_named() {
    let scene = Scene::new("both");
    let install = Install { replicas: 2, ..install("v3.16.0") };
    install.apply(&scene);
    let report = until_told(&scene, install.target(), LOCKED);
    let waits = first(&report, "/findings/0/object");
    let pods = install.pods(&scene);
    let other = pods.iter().find(|pod| waits != format!("pod/{pod}")).expect("two of them");
    // Told as soon as the one waits: the one that has it may be starting still.
    scene.until_ready(other, 60);
    let refused = scene.plugin(&["wal", install.target(), "--apply", "--yes", "-o", "json"]);
    let refused = refused.expect(3).json();
    assert_eq!(first(&refused, "/blocked/reason"), "no-safe-plan");
    let why = first(&refused, "/blocked/why");
    assert!(
        why.starts_with("several pods of deploy/prom write one directory, on claim prom"),
        "{why}"
    );
    assert!(why.contains(&format!("pod/{other} of deploy/prom, which is Ready")), "{why}");
    assert!(pods.iter().any(|pod| waits == format!("pod/{pod}")), "{waits} of {pods:?}");
    let ways = refused.pointer("/reports/0/blocked/ways").expect("ways").to_string();
    assert!(ways.contains("scale it to 1"), "{ways}");
    scene.until_ready(other, 5);
    assert_eq!(install.pods(&scene), pods, "nobody touched them");
}

/// A pod of nobody, with a Prometheus on the claim of another, which scrapes nothing.
const RIVAL: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: rival}
data: {prometheus.yml: '{}'}
---
apiVersion: v1
kind: Pod
metadata: {name: rival}
spec:
  terminationGracePeriodSeconds: 60
  securityContext: @SECURITY@
  containers:
  - name: rival
    image: quay.io/prometheus/prometheus:@IMAGE@
    args: ["--config.file=/etc/prometheus/prometheus.yml", --storage.tsdb.path=/data/@BELOW@@LOCKS@]
    lifecycle: {preStop: {sleep: {seconds: 30}}}
    volumeMounts: [{name: data, mountPath: /data}, {name: config, mountPath: /etc/prometheus}]
  volumes:
  - {name: config, configMap: {name: rival}}
  - {name: data, persistentVolumeClaim: {claimName: @CLAIM@}}
"#;

/// It is named and left alone; and what was there before it is there after it.
fn beside_a_rival(kind: Kind, image: &str) {
    let scene = Scene::new("rival");
    serve(&scene, "load", 40);
    let locks = locks(image);
    let install = Install { arguments: locks, ..Install::new(kind, image, ROOMY) };
    install.apply(&scene);
    let taken = || install.pods(&scene).first().map(|pod| samples(&scene, pod)).unwrap_or_default();
    until("it takes samples", 90, || taken().len() > 80);
    let before = taken();
    Install { replicas: 0, ..install.clone() }.apply(&scene);
    install.until_no_pods(&scene);

    let (claim, below) = match kind {
        Kind::Resource => ("prometheus-prom-db-prometheus-prom-0", "prometheus-db"),
        Kind::Set => ("data-prom-0", ""),
        Kind::Release => ("storage-volume-prom-server-0", ""),
        Kind::Deployment => ("prom", ""),
    };
    let rival = RIVAL.replace("@CLAIM@", claim).replace("@BELOW@", below).replace("@IMAGE@", image);
    let locks: String = locks.iter().map(|flag| format!(", {flag}")).collect();
    let rival = rival.replace("@LOCKS@", &locks);
    scene.apply(&rival.replace("@SECURITY@", &install.security));
    scene.until_ready("rival", 60);
    let lock = scene.folder(claim).join(below).join("lock");
    until("it has the lock", 30, || lock.exists());
    let target = install.target();
    install.apply(&scene);
    let report = until_told(&scene, target, LOCKED);
    assert_eq!(first(&report, "/blocked/reason"), "no-safe-plan");
    let why = first(&report, "/blocked/why");
    assert!(why.starts_with(&format!("{target} is not alone on claim {claim}")), "{why}");
    assert!(why.contains("pod/rival, which is Ready"), "{why}");
    scene.plugin(&["wal", target, "--apply", "--yes", "--allow-downtime"]).expect(3);
    scene.until_ready("rival", 5);
    // Deleted, it has the lock until it has stopped; a finalizer that keeps its name holds no lock.
    let hold = r#"{"metadata": {"finalizers": ["test/hold"]}}"#;
    scene.kubectl(&["patch", "pod/rival", "--type=merge", "-p", hold]).expect(0);
    scene.kubectl(&["delete", "pod/rival", "--wait=false"]).expect(0);
    let report = until_told(&scene, target, LOCKED);
    let waits = first(&report, "/waits");
    assert!(waits.starts_with("pod/rival has the directory until it has stopped, in "), "{waits}");
    until("it serves", 120, || scene.plugin(&["diagnose", target, "-o", "json"]).code == 0);
    nothing_is_lost(&before, &taken());
    let free = r#"{"metadata": {"finalizers": null}}"#;
    scene.kubectl(&["patch", "pod/rival", "--type=merge", "-p", free]).expect(0);
}

in_each_release! {
    the_old_pod_of_a_deployment_is_stopped_before_the_new_one_starts: "v3.16.0",
        the_old_pod_is_stopped;
    a_pod_of_somebody_else_on_the_claim_of_a_set: "v2.42.0", |of| beside_a_rival(Kind::Set, of);
    a_pod_of_somebody_else_on_the_claim_of_a_resource: "v2.53.3",
        |of| beside_a_rival(Kind::Resource, of);
    a_pod_of_somebody_else_on_the_claim_of_a_deployment: "v3.16.0",
        |of| beside_a_rival(Kind::Deployment, of);
    a_pod_of_somebody_else_on_the_claim_of_a_release: "v3.16.0",
        |of| beside_a_rival(Kind::Release, of);
}
