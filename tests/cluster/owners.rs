//! Whose the files are: seen by a look inside, and what follows where the kubelet gives them to nobody.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use serde_json::{Value, json};

use super::audit::Mark;
use super::install::{Install, Kind};
use super::keeper::Keeper;
use super::life::{carry_out_as, text, took_samples, until_told};
use super::perms::{group, install, lock_away};
use super::scene::{Scene, kubectl, run, until};
use super::writable::all_may_be_written;

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

/// User, group and mode of everything below a folder; what is removed meanwhile is left out.
pub fn owners(folder: &std::path::Path) -> Vec<(std::path::PathBuf, u32, u32, u32)> {
    let Ok(of) = std::fs::symlink_metadata(folder) else { return Vec::new() };
    let mut all = vec![(folder.to_owned(), of.uid(), of.gid(), of.mode())];
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        all.extend(owners(&entry.expect("an entry").path()));
    }
    all.sort();
    all
}

/// Told, asked to look inside, looked, and nothing of that left but its receipt.
#[track_caller]
fn looks(scene: &Scene, target: &str) -> serde_json::Value {
    looks_for(scene, target, "perms/fsgroup-ignored")
}

#[track_caller]
fn looks_for(scene: &Scene, target: &str, root: &str) -> serde_json::Value {
    let asks = until_told(scene, target, &[root]);
    assert_eq!(text(&asks, "/reports/0/blocked/reason"), "needs-inspect", "{asks:#}");
    look(scene, target)
}

#[track_caller]
pub fn look(scene: &Scene, target: &str) -> serde_json::Value {
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
    // The operator mounts a sub path; a helper mounts the volume itself.
    let maps = scene.kubectl(&["get", "configmaps", "-l", MANAGED, "-o", "json"]).expect(0).stdout;
    assert!(maps.contains("/data/prometheus-db") && !maps.contains("subPath"), "{maps}");
    carry_out_as("perms", &scene, target, &["--inspect"]);
    let now = scene.get(target);
    assert_eq!(now.pointer(group(Kind::Resource)), Some(&2000.into()));
    scene.plugin(&["undo", target, "--yes"]).expect(0);
    assert_eq!(scene.get(target).pointer(group(Kind::Resource)), Some(&65534.into()));
}

/// Another pod of the node has the volume mounted, for a group of its own: to that it stays given.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_group_that_the_volume_was_not_given_to_is_corrected_to_the_one_that_has_it() {
    let scene = Scene::new("mismatch");
    let install = install(Kind::Deployment, "v3.16.0", "{fsGroup: 65534, runAsUser: 65534}");
    Install { replicas: 0, ..install.clone() }.apply(&scene);
    scene.apply(OTHER);
    scene.until_ready("other", 60);
    install.apply(&scene);
    let report = looks_for(&scene, "deploy/prom", "perms/fsgroup-mismatch");
    let told = report.pointer("/reports/0/findings/0/evidence").expect("evidence").to_string();
    assert!(told.contains("The requested fsGroup is 65534") && told.contains("GID 2000"), "{told}");
    assert_eq!(
        text(&report, "/reports/0/plan/title"),
        "make it a member of group 2000, whose its files are"
    );
    carry_out_as("perms", &scene, "deploy/prom", &["--inspect"]);
    let now = || scene.get("deploy/prom").pointer(group(Kind::Deployment)).cloned();
    assert_eq!(now(), Some(2000.into()));
    scene.plugin(&["undo", "deploy/prom", "--yes"]).expect(0);
    assert_eq!(now(), Some(65534.into()));
}

/// Whoever mounts the claim first.
const OTHER: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: other}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {fsGroup: 2000}
  containers:
  - name: other
    image: "busybox:1"
    command: [probe, "http://localhost", 60s, "0"]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: prom}}]
"#;

/// Runs as the user of one flavour of the image, and is moved to the other.
fn moved(kind: Kind, claim: &str) {
    let scene = Scene::new("moved");
    let install = on_a_folder_of_the_node(kind, "v3.16.0", "{runAsUser: 65534}");
    let target = install.target();
    given_to(&scene, &install, claim, 65534, 65534, 0o755);
    until("it serves", 90, || scene.plugin(&["diagnose", target]).code == 0);
    // Of two flavours at once the new pod would wait for the lock of the old one.
    Install { replicas: 0, ..install.clone() }.apply(&scene);
    install.until_no_pods(&scene);
    let moved = Install { image: "v3.16.0-distroless".into(), security: "{}".into(), ..install };
    moved.apply(&scene);
    let report = looks(&scene, target);
    let evidence = report.pointer("/reports/0/findings/0/evidence").expect("evidence").to_string();
    let before =
        "65534:65534, no fsGroup (revision 1, image quay.io/prometheus/prometheus:v3.16.0)";
    assert!(evidence.contains(before), "{evidence}");
    assert_eq!(text(&report, "/reports/0/plan/title"), "run as user 65534, whose the files are");
    carry_out_as("perms", &scene, target, &["--inspect"]);
    scene.plugin(&["undo", target, "--yes"]).expect(0);
    until_told(&scene, target, &["perms/fsgroup-ignored"]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn it_runs_as_the_user_whose_the_files_are() {
    moved(Kind::Deployment, "prom");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_set_runs_as_the_user_whose_the_files_are() {
    moved(Kind::Set, "data-prom-0");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn files_of_root_on_a_folder_of_the_node_are_given_away() {
    let install = on_a_folder_of_the_node(Kind::Release, "v2.42.0", "{fsGroup: null}");
    given_away(&install, "storage-volume-prom-server-0", "");
}

/// Of a sub path that the kubelet made: the volume's root is mounted, and the folder below given away.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn files_of_root_below_the_volume_of_a_resource_are_given_away() {
    let security = "{runAsUser: 65534, runAsGroup: 65534, fsGroup: 65534}";
    let install = on_a_folder_of_the_node(Kind::Resource, "v2.53.3", security);
    given_away(&install, "prometheus-prom-db-prometheus-prom-0", "prometheus-db");
}

#[track_caller]
fn given_away(install: &Install, claim: &str, below: &str) {
    let scene = Scene::new("given");
    let target = install.target();
    given_to(&scene, install, claim, 0, 0, 0o755);
    let report = looks(&scene, target);
    let evidence = report.pointer("/reports/0/findings/0/evidence").expect("evidence").to_string();
    assert!(evidence.contains(".: 0:0 0755, cannot write"), "{evidence}");
    let title = text(&report, "/reports/0/plan/title");
    assert!(title.starts_with("give the files to 65534:65534"), "{title}");
    let keeper = Keeper::new(&format!(
        "kubectl get pods -n {} -l {MANAGED} -o json > $here/helpers",
        scene.ns
    ));
    let stop = [("PROM_FIX_FAULT", "step-2-sent"), ("PROM_FIX_FAULT_RUN", &*keeper.program())];
    let mut args = vec!["perms", target, "--inspect", "--apply", "--yes"];
    args.extend(["--settle", "8s", "-o", "json"]);
    // The look has a second step, too: what is kept is of the last that came by, which gives away.
    took_samples(&scene.plugin_with(&args, &stop).expect(0).json());
    let helpers: Value = serde_json::from_str(&keeper.left("helpers")).expect("pods");
    has_the_least_rights(&helpers);
    let directory = text(&helpers, "/items/0/spec/containers/0/command/2");
    assert!(directory.ends_with(below), "{directory}");
    assert!(!helpers.to_string().contains("subPath"), "{helpers:#}");
    all_may_be_written(&scene);
    let folder = scene.folder(claim).join(below);
    let owner = || std::fs::metadata(&folder).map(|of| (of.uid(), of.gid())).expect("a folder");
    assert_eq!(owner(), (65534, 65534));
    scene.plugin(&["undo", target, "--yes"]).expect(0);
    assert_eq!(owner(), (0, 0), "as it was");
    let helpers = scene.kubectl(&["get", "pods", "-l", MANAGED, "-o", "name"]).expect(0);
    assert_eq!(helpers.stdout, "");
}

/// Who gives files away is root, and may do that and nothing else: no right of the node, no service
/// account, nothing but the volume and its agent.
#[track_caller]
fn has_the_least_rights(helpers: &Value) {
    let at = |pointer: &str| helpers.pointer(&format!("/items/0{pointer}")).cloned();
    assert_eq!(helpers["items"].as_array().map(Vec::len), Some(1), "{helpers:#}");
    let container = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE"]},
    });
    assert_eq!(at("/spec/containers/0/securityContext"), Some(container));
    assert_eq!(at("/spec/containers/0/command/1"), Some("chown".into()));
    assert_eq!(at("/spec/securityContext/runAsUser"), Some(0.into()));
    assert_eq!(at("/spec/securityContext/fsGroup"), None);
    assert_eq!(at("/spec/automountServiceAccountToken"), Some(false.into()));
    for of_the_node in ["hostNetwork", "hostPID", "hostIPC"] {
        assert_ne!(at(&format!("/spec/{of_the_node}")), Some(true.into()), "{of_the_node}");
    }
    let volumes = at("/spec/volumes").unwrap_or_default();
    let kinds: Vec<&str> = ["persistentVolumeClaim", "configMap"].into();
    let of = |one: &Value| kinds.iter().any(|kind| one.get(kind).is_some());
    assert!(
        volumes.as_array().is_some_and(|all| all.len() == 2 && all.iter().all(of)),
        "{volumes}"
    );
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

/// A replica may not be given its files, and nothing was taken down to find that out.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn two_replicas_are_given_their_files_by_one_plan_or_none_of_them_is() {
    all_are_given_or_none([["prom-0", "data-prom-0"], ["prom-1", "data-prom-1"]]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn one_replica_whose_file_may_be_given_to_nobody_is_not_taken_down() {
    all_are_given_or_none([["prom-0", "data-prom-0"]]);
}

/// They run well, and get a file back that root restored; that of the last may be given to nobody.
fn all_are_given_or_none<const N: usize>(replicas: [[&str; 2]; N]) {
    let scene = Scene::new("all");
    let one = on_a_folder_of_the_node(Kind::Set, "v3.16.0", "{runAsUser: 65534}");
    let install = Install { replicas: u32::try_from(N).expect("few"), ..one };
    let (pods, claims) = (replicas.map(|[pod, _]| pod), replicas.map(|[_, claim]| claim));
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
    let immutable = Immutable::new(files.last().expect("one or two"));
    install.apply(&scene);
    for pod in pods {
        until_told(&scene, &format!("pod/{pod}"), &["perms/owner-mismatch"]);
    }

    let owners = || files.each_ref().map(|file| std::fs::metadata(file).expect("a file").uid());
    let names = |folder: &str| {
        let entries = std::fs::read_dir(scene.folder(folder)).expect("a folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        // It comes and goes with each start that fails.
        names.retain(|name| name != "lock");
        names.sort();
        names
    };
    let before =
        (claims.map(names), pods.map(|p| scene.field(&format!("pod/{p}"), ".metadata.uid")));
    let args = ["perms", "sts/prom", "--inspect", "--apply", "--yes", "-o", "json"];
    let refused = scene.plugin(&args).expect(3).json();
    let why = text(&refused, "/reports/0/blocked/why");
    assert!(
        why.contains("may not give files away here") && why.contains("root_squash"),
        "{refused:#}"
    );
    let ways = refused.pointer("/reports/0/blocked/ways").expect("ways").to_string();
    assert!(ways.contains("on the file server") && ways.contains("access point"), "{ways}");
    assert_eq!(owners(), [0; N], "also of the volume that could be changed");
    let after =
        (claims.map(names), pods.map(|p| scene.field(&format!("pod/{p}"), ".metadata.uid")));
    assert_eq!(after, before, "nothing is taken down, nothing is left");
    let helpers = scene.kubectl(&["get", "pods", "-l", MANAGED, "-o", "name"]).expect(0);
    assert_eq!(helpers.stdout, "");

    drop(immutable);
    carry_out_as("perms", &scene, "sts/prom", &["--inspect"]);
    assert_eq!(owners(), [65534; N]);
    scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0);
    assert_eq!(owners(), [0; N], "as they were");
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
