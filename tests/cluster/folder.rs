//! A data directory that is a folder of its node, mounted by the pod's own spec: no claim, and fsGroup
//! without effect.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;

use super::audit::{Mark, Rung};
use super::install::{Install, Kind, ROOMY};
use super::life::{text, took_samples, until_told};
use super::scene::{Scene, kubectl, run};

/// A folder on the node, as it is made by `DirectoryOrCreate`: of root. Removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(scene: &Scene) -> Folder {
        let path = PathBuf::from("/srv").join(&scene.ns);
        std::fs::create_dir(&path).expect("root may");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("root may");
        Folder(path)
    }

    fn owner(&self) -> (u32, u32) {
        std::fs::metadata(&self.0).map(|of| (of.uid(), of.gid())).expect("a folder")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        run(Command::new("rm").arg("-r").arg(&self.0), "").expect(0);
    }
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn it_is_given_away_where_a_helper_may_mount_it_and_it_is_of_prometheus_alone() {
    let scene = Scene::new("folder");
    let folder = Folder::new(&scene);
    let path = folder.0.display().to_string();
    let install = Install {
        scrapes: false,
        itself: true,
        security: "{runAsUser: 65534, fsGroup: 65534}".into(),
        ..Install::new(Kind::Deployment, "v2.53.3", ROOMY)
    };
    let claim = "persistentVolumeClaim: {claimName: prom}";
    let own = format!("hostPath: {{path: {path}, type: DirectoryOrCreate}}");
    scene.apply(&install.manifest().replace(claim, &own));
    let asks = until_told(&scene, "deploy/prom", &["perms/fsgroup-ignored"]);
    assert_eq!(text(&asks, "/reports/0/blocked/reason"), "needs-inspect", "{asks:#}");

    let blocked = |args: &[&str]| {
        let said = scene.plugin(&[&["perms", "deploy/prom", "-o", "json"], args].concat());
        let report = said.expect(2).json();
        let ways = report.pointer("/reports/0/blocked/ways").expect("ways").to_string();
        assert!(ways.contains(&format!("chown -R 65534:65534 {path}")), "{ways}");
        text(&report, "/reports/0/blocked/why")
    };
    // No pod with a folder of the node is let in any more: nor is a helper.
    let level = "pod-security.kubernetes.io/enforce";
    kubectl(&["label", "namespace", &scene.ns, &format!("{level}=baseline")]).expect(0);
    let mark = Mark::now();
    let why = blocked(&["--inspect"]);
    assert!(why.contains("level baseline lets no new pod mount"), "{why}");
    assert!(mark.rungs(&scene.ns).keys().all(|rung| *rung == Rung::Read), "no helper is tried");
    kubectl(&["label", "namespace", &scene.ns, &format!("{level}-")]).expect(0);
    // Somebody else keeps something there.
    std::fs::write(folder.0.join("passwords"), "").expect("root may");
    let why = blocked(&["--inspect"]);
    assert!(why.contains("(passwords)") && why.contains("not its alone"), "{why}");
    std::fs::remove_file(folder.0.join("passwords")).expect("root may");

    let args = ["perms", "deploy/prom", "--inspect", "-o", "json"];
    let report = scene.plugin(&args).expect(2).json();
    let title = text(&report, "/reports/0/plan/title");
    assert!(title.starts_with("give the files to 65534:65534"), "{report:#}");
    assert!(report.to_string().contains("whether its next pod comes to"), "{report:#}");
    let apply = ["--apply", "--yes", "--settle", "8s", "--timeout", "2m"];
    let applied = scene.plugin(&[&args[..], &apply].concat()).expect(0).json();
    took_samples(&applied);
    assert_eq!(folder.owner(), (65534, 65534));
    scene.plugin(&["undo", "deploy/prom", "--yes"]).expect(0);
    assert_eq!(folder.owner(), (0, 0), "as it was");
    let of_ours = "app.kubernetes.io/managed-by=prom-fix";
    let helpers = scene.kubectl(&["get", "pods", "-l", of_ours, "-o", "name"]).expect(0);
    assert_eq!(helpers.stdout, "");
}
