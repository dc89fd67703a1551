//! A data directory that may not be written: every way the fix lands at the owner.

use std::os::unix::fs::{PermissionsExt, chown};

use super::install::{Install, Kind, ROOMY};
use super::life::{Ailment, carry_out_as, live_with, text, until_told};
use super::owners::{look, owners};
use super::scene::{Scene, essence, kubectl, until};

const DENIED: Ailment<'_> = Ailment { class: "perms", roots: &[], pointer: "" };

/// Where the target says which group its volume is given to.
pub fn group(kind: Kind) -> &'static str {
    match kind {
        Kind::Resource => "/spec/securityContext/fsGroup",
        Kind::Set | Kind::Deployment | Kind::Release => {
            "/spec/template/spec/securityContext/fsGroup"
        }
    }
}

/// Scrapes itself, with memory to spare.
pub fn install(kind: Kind, image: &str, security: &str) -> Install {
    let security = security.to_owned();
    Install { scrapes: false, itself: true, security, ..Install::new(kind, image, ROOMY) }
}

fn without_group(kind: Kind, image: &str, security: &str) {
    let scene = Scene::new("unset");
    let install = install(kind, image, security);
    install.apply(&scene);
    let roots = &["perms/fsgroup-unset"];
    live_with(&scene, &install, Ailment { roots, pointer: group(kind), ..DENIED });
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_set_without_a_group_is_given_one() {
    without_group(Kind::Set, "v2.42.0", "{}");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_deployment_without_a_group_is_given_one() {
    without_group(Kind::Deployment, "v2.53.3", "{runAsUser: 65534, runAsNonRoot: true}");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_resource_without_a_group_is_given_one() {
    without_group(Kind::Resource, "v3.16.0", "{runAsUser: 1000, runAsGroup: 2000}");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_release_without_a_group_is_given_one() {
    // helm merges maps: what the chart sets by itself is taken away.
    let security = "{fsGroup: null, runAsGroup: null, runAsUser: 65532}";
    without_group(Kind::Release, "v3.16.0-distroless", security);
}

/// Runs well, is stopped, gets a file back that root restored, and starts again.
fn restored(scene: &Scene, install: &Install) {
    install.apply(scene);
    scene.until_ready("prom-0", 60);
    Install { replicas: 0, ..install.clone() }.apply(scene);
    install.until_no_pods(scene);
    let segment = scene.folder("data-prom-0").join("wal/00000000");
    lock_away(&segment);
    install.apply(scene);
}

/// As a copy is that root restored with its own umask.
pub fn lock_away(file: &std::path::Path) {
    chown(file, Some(0), Some(0)).expect("root may");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("root may");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn what_lies_below_a_right_root_is_reached() {
    let scene = Scene::new("below");
    let security = "{fsGroup: 65534, fsGroupChangePolicy: OnRootMismatch, runAsUser: 65534}";
    let install = install(Kind::Set, "v3.16.0", security);
    restored(&scene, &install);
    let roots = &["perms/owner-mismatch"];
    let inferred = until_told(&scene, "sts/prom", roots).to_string();
    assert!(inferred.contains("from its log and the objects; --inspect looks"), "{inferred}");
    // A look is no change: the kubelet, too, leaves whose they are.
    let folder = scene.folder("data-prom-0");
    let before = owners(&folder);
    assert!(before.len() > 4, "{before:#?}");
    let report = look(&scene, "sts/prom");
    // A start in between may add a segment, and one that fails takes its lock away.
    let after = owners(&folder);
    let stays = |one| after.contains(one) || one.0 == folder.join("lock");
    assert!(before.iter().all(stays), "{before:#?}\n{after:#?}");
    let told = report.pointer("/reports/0/findings/0/evidence").expect("evidence").to_string();
    assert!(told.contains("wal/00000000: 0:0 0600, cannot read, write"), "{told}");
    assert!(!told.contains("inferred"), "{told}");
    let title = text(&report, "/reports/0/plan/title");
    assert!(title.starts_with("let the kubelet give every file to fsGroup 65534"), "{report:#}");
    let said = scene.plugin(&["perms", "sts/prom"]).expect(2).stdout;
    assert!(said.contains("Always is for one start: once it is Ready"), "{said}");
    let pointer = "/spec/template/spec/securityContext/fsGroupChangePolicy";
    live_with(&scene, &install, Ailment { roots, pointer, ..DENIED });
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_file_restored_beneath_a_running_pod_needs_only_a_new_pod() {
    let scene = Scene::new("beneath");
    let install = install(Kind::Set, "v2.53.3", "{fsGroup: 65534, runAsUser: 65534}");
    install.apply(&scene);
    scene.until_ready("prom-0", 60);
    lock_away(&scene.folder("data-prom-0").join("wal/00000000"));
    // It ends well, and its container is started again in the same pod.
    scene.kubectl(&["exec", "prom-0", "--", "kill", "1"]).expect(0);
    until_told(&scene, "sts/prom", &["perms/owner-mismatch"]);
    let pod = scene.field("pod/prom-0", ".metadata.uid");
    let before = scene.field("sts/prom", ".spec");
    carry_out_as("perms", &scene, "sts/prom", &[]);
    assert_ne!(scene.field("pod/prom-0", ".metadata.uid"), pod, "another pod");
    assert_eq!(scene.field("sts/prom", ".spec"), before, "nothing of the set was changed");
    // Nothing of the set is to be taken back: the pod is let be.
    let pod = scene.field("pod/prom-0", ".metadata.uid");
    let said = scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0).stdout;
    assert!(said.starts_with("UNDONE  sts/prom"), "{said}");
    assert_eq!(scene.field("pod/prom-0", ".metadata.uid"), pod);
    assert_eq!(scene.field("sts/prom", ".spec"), before);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_set_that_waits_for_a_pod_of_the_old_template_is_helped() {
    let scene = Scene::new("stuck");
    let install = install(Kind::Set, "v3.16.0", "{runAsUser: 65534}");
    let manifest = |install: &Install| install.manifest().replace("Parallel", "OrderedReady");
    scene.apply(&manifest(&install));
    until_told(&scene, "sts/prom", &["perms/fsgroup-unset"]);
    let security = "{runAsUser: 65534, fsGroup: 65534}".to_owned();
    scene.apply(&manifest(&Install { security, ..install }));
    let pod = scene.field("pod/prom-0", ".metadata.uid");
    carry_out_as("perms", &scene, "sts/prom", &[]);
    assert_ne!(scene.field("pod/prom-0", ".metadata.uid"), pod, "another pod");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_user_by_name_is_given_its_number() {
    let scene = Scene::new("named");
    let install = install(Kind::Deployment, "v3.16.0", "{fsGroup: 65534, runAsNonRoot: true}");
    install.apply(&scene);
    let pointer = "/spec/template/spec/containers/0/securityContext";
    let roots = &["perms/security-context-rejected"];
    live_with(&scene, &install, Ailment { roots, pointer, ..DENIED });
}

fn strict(kind: Kind, security: &str, pointer: &str) {
    let scene = Scene::new("strict");
    let level = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", &scene.ns, level]).expect(0);
    let install = install(kind, "v3.16.0", security);
    install.apply(&scene);
    let roots = &["perms/security-context-rejected"];
    live_with(&scene, &install, Ailment { roots, pointer, ..DENIED });
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_namespace_of_the_strictest_level_is_given_what_it_asks_for() {
    strict(Kind::Set, "{fsGroup: 65534}", "/spec/template/spec/securityContext/seccompProfile");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_resource_in_a_namespace_of_the_strictest_level_is_given_what_it_asks_for() {
    let security = "{fsGroup: 2000, runAsUser: 1000}";
    strict(Kind::Resource, security, "/spec/securityContext/runAsNonRoot");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_mount_to_be_read_only_is_made_to_be_written() {
    let scene = Scene::new("readonly");
    let install = install(Kind::Set, "v2.42.0", "{fsGroup: 65534, runAsUser: 65534}");
    let mount = "{name: data, mountPath: /prometheus";
    let manifest = install.manifest().replace(mount, &format!("{mount}, readOnly: true"));
    scene.apply(&manifest);
    until_told(&scene, "sts/prom", &["perms/read-only"]);
    carry_out_as("perms", &scene, "sts/prom", &[]);
    let now = scene.get("sts/prom");
    let mounted = now.pointer("/spec/template/spec/containers/0/volumeMounts/0").expect("a mount");
    assert_eq!(text(mounted, "/name"), "data");
    assert!(mounted.get("readOnly").is_none(), "{mounted}");
    scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0);
    let at = "/spec/template/spec/containers/0/volumeMounts/0/readOnly";
    assert_eq!(scene.get("sts/prom").pointer(at), Some(&true.into()), "as it was");
    scene.apply(&manifest);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_claim_to_be_read_only_is_made_to_be_written() {
    let scene = Scene::new("claimed");
    let install = install(Kind::Deployment, "v3.16.0", "{fsGroup: 65534, runAsUser: 65534}");
    let claim = "{claimName: prom}";
    let manifest = install.manifest().replace(claim, "{claimName: prom, readOnly: true}");
    scene.apply(&manifest);
    let before = essence(&scene.get("deploy/prom"));
    until_told(&scene, "deploy/prom", &["perms/read-only"]);
    carry_out_as("perms", &scene, "deploy/prom", &[]);
    let at = "/spec/template/spec/volumes/1/persistentVolumeClaim";
    let claim = |object: &serde_json::Value| object.pointer(at).expect("a claim").to_string();
    assert_eq!(claim(&scene.get("deploy/prom")), r#"{"claimName":"prom"}"#);
    scene.plugin(&["undo", "deploy/prom", "--yes"]).expect(0);
    assert_eq!(essence(&scene.get("deploy/prom")), before, "values and owners are as before");
    assert!(claim(&before).contains(r#""readOnly":true"#), "{before:#}");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn an_argument_beside_the_volume_is_led_to_it() {
    let scene = Scene::new("beside");
    let install = install(Kind::Deployment, "v3.16.0", "{fsGroup: 65534, runAsUser: 65534}");
    let manifest = install.manifest().replace("tsdb.path=/prometheus", "tsdb.path=/data");
    scene.apply(&manifest);
    until_told(&scene, "deploy/prom", &["perms/path-mismatch"]);
    carry_out_as("perms", &scene, "deploy/prom", &[]);
    let now = scene.get("deploy/prom");
    let argument = text(&now, "/spec/template/spec/containers/0/args/1");
    assert_eq!(argument, "--storage.tsdb.path=/prometheus");
    scene.plugin(&["undo", "deploy/prom", "--yes"]).expect(0);
    until("it is as it was", 30, || {
        text(&scene.get("deploy/prom"), "/spec/template/spec/containers/0/args/1")
            .ends_with("/data")
    });
}

/// It may write again, and nobody reaches it: that is told soon, and not waited for.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn another_fault_that_is_left_is_told_soon() {
    let scene = Scene::new("left");
    let install = install(Kind::Set, "v3.16.0", "{runAsUser: 65534}");
    let right = "ports: [{port: 9090}]";
    scene.apply(&install.manifest().replacen(right, "ports: [{port: 9090, targetPort: 9091}]", 1));
    until_told(&scene, "sts/prom", &["perms/fsgroup-unset"]);
    let began = std::time::Instant::now();
    let args = ["perms", "sts/prom", "--apply", "--yes", "--settle", "2s", "-o", "json"];
    let said = scene.plugin(&args).expect(124);
    assert!(began.elapsed().as_secs() < 90, "{:?}", began.elapsed());
    let words = "what was changed stands; another fault is left: bind/port-mismatch";
    assert!(said.stderr.contains(words), "{}", said.stderr);
    let report = said.json();
    assert_eq!(text(&report, "/reports/0/rootCause"), "bind/port-mismatch", "{report:#}");
    assert_eq!(report.pointer("/reports/0/outcome/proved"), Some(&false.into()));
    scene.plugin(&["bind", "sts/prom", "--apply", "--yes", "--settle", "2s"]).expect(0);
}
