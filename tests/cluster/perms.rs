//! A data directory that may not be written: every way the fix lands at the owner.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use super::audit::Mark;
use super::install::{Install, Kind, ROOMY};
use super::life::{Ailment, carry_out_as, live_with, text, until_told};
use super::scene::{Scene, kubectl, run, until};

const DENIED: Ailment<'_> = Ailment { class: "perms", roots: &[], pointer: "" };

/// Where the target says which group its volume is given to.
fn group(kind: Kind) -> &'static str {
    match kind {
        Kind::Resource => "/spec/securityContext/fsGroup",
        Kind::Set | Kind::Deployment | Kind::Release => {
            "/spec/template/spec/securityContext/fsGroup"
        }
    }
}

/// Scrapes nothing, with memory to spare.
fn install(kind: Kind, image: &str, security: &str) -> Install {
    let security = security.to_owned();
    Install { scrapes: false, security, ..Install::new(kind, image, ROOMY) }
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
fn lock_away(file: &std::path::Path) {
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

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_namespace_of_the_strictest_level_is_given_what_it_asks_for() {
    let scene = Scene::new("strict");
    let level = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", &scene.ns, level]).expect(0);
    let install = install(Kind::Set, "v3.16.0", "{fsGroup: 65534}");
    install.apply(&scene);
    let roots = &["perms/security-context-rejected"];
    let pointer = "/spec/template/spec/securityContext/seccompProfile";
    live_with(&scene, &install, Ailment { roots, pointer, ..DENIED });
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
    scene.try_apply(&manifest).expect(0);
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

/// Of a volume whose owner the kubelet never changes.
fn on_a_folder_of_the_node(kind: Kind, image: &str, security: &str) -> Install {
    Install { class: Some("hostpath"), ..install(kind, image, security) }
}

/// Makes the volume by a first start that fails, and gives its folder to somebody.
fn given_to(scene: &Scene, install: &Install, claim: &str, user: u32, group: u32, mode: u32) {
    install.apply(scene);
    until("the volume is there", 60, || {
        !scene.field(&format!("pvc/{claim}"), ".spec.volumeName").is_empty()
    });
    let root = scene.folder(claim);
    chown(&root, Some(user), Some(group)).expect("root may");
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(mode)).expect("root may");
}

/// Told, asked to look inside, looked, and nothing of that left but its receipt.
#[track_caller]
fn looks(scene: &Scene, target: &str) -> serde_json::Value {
    let asks = until_told(scene, target, &["perms/fsgroup-ignored"]);
    assert_eq!(text(&asks, "/reports/0/blocked/reason"), "needs-inspect", "{asks:#}");
    let mark = Mark::now();
    let report = scene.plugin(&["perms", target, "--inspect", "-o", "json"]).expect(2).json();
    mark.only_our_own(&scene.ns);
    let left = scene.kubectl(&["get", "pods,configmaps", "-l", MANAGED, "-o", "name"]).expect(0);
    let left: Vec<&str> = left.stdout.lines().filter(|l| !l.contains("/prom-fix-")).collect();
    assert!(left.is_empty(), "{left:?}");
    let helpers = scene.kubectl(&["get", "pods", "-l", MANAGED, "-o", "name"]).expect(0);
    assert_eq!(helpers.stdout, "");
    report
}

const MANAGED: &str = "app.kubernetes.io/managed-by=prom-fix";

#[test]
#[ignore = "needs the cluster: tests/run"]
fn it_is_made_a_member_of_the_group_whose_its_files_are() {
    let scene = Scene::new("member");
    let security = "{fsGroup: 65534, runAsUser: 65534}";
    let install = on_a_folder_of_the_node(Kind::Resource, "v3.16.0", security);
    given_to(&scene, &install, "prometheus-prom-db-prometheus-prom-0", 0, 2000, 0o2775);
    let target = install.target();
    let report = looks(&scene, target);
    assert_eq!(
        text(&report, "/reports/0/plan/title"),
        "make it a member of group 2000, whose its files are"
    );
    let args = ["perms", target, "--inspect", "--apply", "--yes", "--settle", "8s"];
    scene.plugin(&args).expect(0);
    let now = scene.get(target);
    assert_eq!(now.pointer(group(Kind::Resource)), Some(&2000.into()));
    scene.plugin(&["undo", target, "--yes"]).expect(0);
    assert_eq!(scene.get(target).pointer(group(Kind::Resource)), Some(&65534.into()));
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn it_runs_as_the_user_whose_the_files_are() {
    let scene = Scene::new("moved");
    // Runs as the user of one flavour of the image, and is moved to the other.
    let install = on_a_folder_of_the_node(Kind::Deployment, "v3.16.0", "{runAsUser: 65534}");
    given_to(&scene, &install, "prom", 65534, 65534, 0o755);
    until("it serves", 90, || scene.plugin(&["diagnose", "deploy/prom"]).code == 0);
    // Of two flavours at once the new pod would wait for the lock of the old one.
    Install { replicas: 0, ..install.clone() }.apply(&scene);
    install.until_no_pods(&scene);
    let moved = Install { image: "v3.16.0-distroless".into(), security: "{}".into(), ..install };
    moved.apply(&scene);
    let report = looks(&scene, "deploy/prom");
    assert_eq!(text(&report, "/reports/0/plan/title"), "run as user 65534, whose the files are");
    let args = ["perms", "deploy/prom", "--inspect", "--apply", "--yes", "--settle", "8s"];
    scene.plugin(&args).expect(0);
    scene.plugin(&["undo", "deploy/prom", "--yes"]).expect(0);
    until_told(&scene, "deploy/prom", &["perms/fsgroup-ignored"]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn files_of_root_on_a_folder_of_the_node_are_given_away() {
    let scene = Scene::new("given");
    let install = on_a_folder_of_the_node(Kind::Release, "v2.42.0", "{fsGroup: null}");
    given_to(&scene, &install, "storage-volume-prom-server-0", 0, 0, 0o755);
    let report = looks(&scene, "sts/prom-server");
    let evidence = report.pointer("/reports/0/findings/0/evidence").expect("evidence").to_string();
    assert!(evidence.contains(".: 0:0 0755, cannot write"), "{evidence}");
    let title = text(&report, "/reports/0/plan/title");
    assert!(title.starts_with("give the files to 65534:65534"), "{title}");
    let args = ["perms", "sts/prom-server", "--inspect", "--apply", "--yes", "--settle", "8s"];
    scene.plugin(&args).expect(0);
    let folder = scene.folder("storage-volume-prom-server-0");
    let owner = || std::fs::metadata(&folder).map(|of| (of.uid(), of.gid())).expect("a folder");
    assert_eq!(owner(), (65534, 65534));
    scene.plugin(&["undo", "sts/prom-server", "--yes"]).expect(0);
    assert_eq!(owner(), (0, 0), "as it was");
    let helpers = scene.kubectl(&["get", "pods", "-l", MANAGED, "-o", "name"]).expect(0);
    assert_eq!(helpers.stdout, "");
}

/// A file that even root may not give away, as long as this lives: what a share with root_squash
/// answers, by the node's own file system.
struct Immutable(std::path::PathBuf);

impl Immutable {
    fn new(file: &std::path::Path) -> Immutable {
        run(Command::new("chattr").arg("+i").arg(file), "").expect(0);
        Immutable(file.to_owned())
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg("-i").arg(&self.0).status();
    }
}

/// Two replicas run well, and get a file back that root restored; one of these may be given to nobody.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn two_replicas_are_given_their_files_by_one_plan_or_none_of_them_is() {
    let scene = Scene::new("both");
    let one = on_a_folder_of_the_node(Kind::Set, "v3.16.0", "{runAsUser: 65534}");
    let install = Install { replicas: 2, ..one };
    let pods = ["prom-0", "prom-1"];
    let claims = ["data-prom-0", "data-prom-1"];
    install.apply(&scene);
    for claim in claims {
        until("the volume is there", 60, || {
            !scene.field(&format!("pvc/{claim}"), ".spec.volumeName").is_empty()
        });
        chown(scene.folder(claim), Some(65534), Some(65534)).expect("root may");
    }
    pods.iter().for_each(|pod| scene.until_ready(pod, 90));
    Install { replicas: 0, ..install.clone() }.apply(&scene);
    install.until_no_pods(&scene);
    let files = claims.map(|claim| scene.folder(claim).join("wal/00000000"));
    files.iter().for_each(|file| lock_away(file));
    let immutable = Immutable::new(&files[1]);
    install.apply(&scene);
    for pod in pods {
        until_told(&scene, &format!("pod/{pod}"), &["perms/owner-mismatch"]);
    }

    let owners = || files.each_ref().map(|file| std::fs::metadata(file).expect("a file").uid());
    let names = |folder: &str| {
        let entries = std::fs::read_dir(scene.folder(folder)).expect("a folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names
    };
    let before =
        (claims.map(names), pods.map(|p| scene.field(&format!("pod/{p}"), ".metadata.uid")));
    let args = ["perms", "sts/prom", "--inspect", "--apply", "--yes", "--settle", "8s"];
    let json = [&args[..], &["-o", "json"]].concat();
    let refused = scene.plugin(&json).expect(3).json();
    let why = text(&refused, "/reports/0/blocked/why");
    assert!(
        why.contains("may not give files away here") && why.contains("root_squash"),
        "{refused:#}"
    );
    let ways = refused.pointer("/reports/0/blocked/ways").expect("ways").to_string();
    assert!(ways.contains("on the file server") && ways.contains("access point"), "{ways}");
    assert_eq!(owners(), [0, 0], "also of the volume that could be changed");
    let after =
        (claims.map(names), pods.map(|p| scene.field(&format!("pod/{p}"), ".metadata.uid")));
    assert_eq!(after, before, "nothing is taken down, nothing is left");
    let helpers = scene.kubectl(&["get", "pods", "-l", MANAGED, "-o", "name"]).expect(0);
    assert_eq!(helpers.stdout, "");

    drop(immutable);
    scene.plugin(&args).expect(0);
    assert_eq!(owners(), [65534, 65534]);
    scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0);
    assert_eq!(owners(), [0, 0], "as they were");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn nobody_changes_an_owner_in_a_namespace_of_the_strictest_level() {
    let scene = Scene::new("level");
    let level = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", &scene.ns, level]).expect(0);
    let security = "{runAsUser: 65534, runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}";
    let install = on_a_folder_of_the_node(Kind::Set, "v3.16.0", security);
    let bare = "- name: prometheus\n";
    let strict = "- name: prometheus\n        securityContext: {allowPrivilegeEscalation: false, \
                  capabilities: {drop: [ALL]}}\n";
    scene.apply(&install.manifest().replace(bare, strict));
    let report = looks(&scene, "sts/prom");
    let why = text(&report, "/reports/0/blocked/why");
    assert!(why.contains("level restricted lets nobody change an owner"), "{report:#}");
    let ways = report.pointer("/reports/0/blocked/ways").expect("ways").to_string();
    for way in ["an administrator", "chown -R 65534:65534", "level of the namespace to baseline"] {
        assert!(ways.contains(way), "{way}: {ways}");
    }
}
