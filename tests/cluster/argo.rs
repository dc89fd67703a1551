//! Argo CD for real: its controller heals a Deployment that is in a repository, and leaves it alone
//! while its log is mended; and what makes its applications takes back a pause of one.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use super::controllers::{Controller, TARGET, folder, install, is_mended_beside, kinds_alone};
use super::definitions::Written;
use super::install::Install;
use super::life::text;
use super::scene::{Scene, essence, run, until};

const KINDS: [&str; 3] =
    ["applications.argoproj.io", "applicationsets.argoproj.io", "appprojects.argoproj.io"];

/// Its controllers, what renders for them, and their cache, of one namespace.
struct Argo {
    _all: Vec<Controller>,
    _kinds: Vec<Written>,
    _temporary: tempfile::TempDir,
    repository: tempfile::TempDir,
}

impl Argo {
    fn new(scene: &Scene, folder: &Path, install: &Install) -> Argo {
        let definition =
            |name: &'static str| Written::new(name, &folder.join(format!("{name}.yaml")));
        let kinds = KINDS.map(definition).into();
        scene.apply(SETTINGS);
        let repository = tempfile::tempdir().expect("a folder");
        commit(repository.path(), &install.manifest());
        let program = folder.join("argo-cd");
        let temporary = tempfile::tempdir().expect("a folder");
        let start = |words: String| start(scene, &program, temporary.path(), &words);
        let [cache, repositories, metrics] = ports();
        let mut all = vec![start(format!("cache 127.0.0.1:{cache}"))];
        answers(cache);
        all.push(start(format!(
            "repo-server --redis=127.0.0.1:{cache} --address=127.0.0.1 --port={repositories} \
             --metrics-address=127.0.0.1 --metrics-port={metrics} --disable-tls"
        )));
        answers(repositories);
        let ns = &scene.ns;
        all.push(start(format!(
            "application-controller --redis=127.0.0.1:{cache} --repo-server=127.0.0.1:{repositories} \
             --repo-server-plaintext --namespace={ns} --metrics-port=0 --app-resync=5 \
             --self-heal-backoff-timeout-seconds=1 --self-heal-backoff-cap-seconds=1"
        )));
        all.push(start(format!(
            "applicationset-controller --argocd-repo-server=127.0.0.1:{repositories} \
             --repo-server-plaintext --namespace={ns} --metrics-addr=127.0.0.1:0 \
             --probe-addr=127.0.0.1:0 --webhook-addr=127.0.0.1:0"
        )));
        Argo { _all: all, _kinds: kinds, _temporary: temporary, repository }
    }

    /// What an application says of this repository, in the flow style of YAML.
    fn spec(&self, scene: &Scene) -> String {
        format!(
            "{{project: default, source: {{repoURL: \"file://{}\", path: ., targetRevision: HEAD}}, \
             destination: {{server: \"https://kubernetes.default.svc\", namespace: {}}}, \
             syncPolicy: {{automated: {{selfHeal: true}}}}}}",
            self.repository.path().display(),
            scene.ns
        )
    }
}

/// Tracks by an annotation, as it does unasked since 3.0, and looks at nothing that is not here.
const SETTINGS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, labels: {app.kubernetes.io/part-of: argocd}}
data:
  application.resourceTrackingMethod: annotation
  resource.inclusions: |
    - {apiGroups: ["", apps], kinds: [ConfigMap, Service, Pod, PersistentVolumeClaim, Deployment, ReplicaSet]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-rbac-cm, labels: {app.kubernetes.io/part-of: argocd}}
---
apiVersion: v1
kind: Secret
metadata: {name: argocd-secret, labels: {app.kubernetes.io/part-of: argocd}}
stringData: {server.secretkey: "only of a test"}
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: default}
spec:
  sourceRepos: ["*"]
  destinations: [{namespace: "*", server: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
"#;

/// One of its programs, with its flags.
fn start(scene: &Scene, program: &Path, temporary: &Path, words: &str) -> Controller {
    let name = words.split(' ').next().expect("a program");
    Controller::start(
        scene,
        &format!("argo-{name}"),
        Command::new(program)
            .args(words.split_whitespace())
            // It clones into there.
            .env("TMPDIR", temporary)
            .env("ARGOCD_FAKE_IN_CLUSTER", "true")
            .env("ARGOCD_GPG_ENABLED", "false")
            .env("ARGOCD_CONTROLLER_REPLICAS", "1")
            .env("ARGOCD_CONTROLLER_SHARD", "0")
            .env("POD_NAMESPACE", &scene.ns),
    )
}

/// A repository of this one file.
fn commit(folder: &Path, manifest: &str) {
    std::fs::write(folder.join("all.yaml"), manifest).expect("written");
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
        run(Command::new("git").arg("-C").arg(folder).args(who).args(args), "").expect(0);
    };
    git(&["init", "--quiet"]);
    git(&["add", "all.yaml"]);
    git(&["commit", "--quiet", "--message", "all of it"]);
}

/// Free ones, as far as one can tell.
fn ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|one| one.local_addr().expect("bound").port())
}

fn answers(port: u16) {
    until("it listens", 30, || TcpStream::connect(("127.0.0.1", port)).is_ok());
}

/// Asks for another comparison, and waits for it.
fn looks_again(scene: &Scene) {
    let refresh = "argocd.argoproj.io/refresh";
    scene.kubectl(&["annotate", "application/all", &format!("{refresh}=normal")]).expect(0);
    until("Argo CD has looked again", 60, || {
        let path = format!(".metadata.annotations.{}", refresh.replace('.', "\\."));
        scene.field("application/all", &path).is_empty()
    });
    let healed = || {
        scene.field("application/all", ".spec.syncPolicy.automated").is_empty()
            || scene.field("application/all", ".status.sync.status") == "Synced"
    };
    until("it is as in the repository", 60, healed);
}

#[test]
#[ignore = "needs the cluster, and a controller: tests/run --matrix"]
fn what_an_application_renders_is_left_alone_while_its_log_is_mended() {
    let Some(folder) = folder("argo-cd") else { return };
    let _alone = kinds_alone();
    let scene = Scene::new("argo");
    let install = install();
    let argo = Argo::new(&scene, &folder, &install);
    scene.apply(&format!(
        "{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: all}}, spec: {}}}",
        argo.spec(&scene)
    ));
    is_mended_beside(&scene, &install, &|_| looks_again(&scene));
}

#[test]
#[ignore = "needs the cluster, and a controller: tests/run --matrix"]
fn an_application_that_a_set_makes_is_not_paused_in_vain() {
    let Some(folder) = folder("argo-cd") else { return };
    let _alone = kinds_alone();
    let scene = Scene::new("argo-set");
    let install = install();
    let argo = Argo::new(&scene, &folder, &install);
    scene.apply(&format!(
        "{{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {{name: every}}, spec: \
         {{syncPolicy: {{preserveResourcesOnDeletion: true}}, generators: [{{list: {{elements: \
         [{{name: all}}]}}}}], template: {{metadata: {{name: \
         \"{{{{name}}}}\"}}, spec: {}}}}}}}",
        argo.spec(&scene)
    ));
    until("it has a pod", 90, || !install.pods(&scene).is_empty());
    let before = essence(&scene.get(TARGET));
    let freeze = ["freeze", TARGET, "--yes", "--allow-downtime", "--pause-gitops", "-o", "json"];
    let refused = scene.plugin(&freeze).expect(3).json();
    let why = text(&refused, "/reports/0/blocked/why");
    assert!(why.contains("ApplicationSet every") && why.contains("take a pause"), "{why}");
    assert_eq!(essence(&scene.get(TARGET)), before);
    // As it says.
    let patch = r#"[{"op": "remove", "path": "/spec/syncPolicy/automated"}]"#;
    scene.kubectl(&["patch", "application/all", "--type=json", "--patch", patch]).expect(0);
    until("the set has put it right", 60, || {
        scene.field("application/all", ".spec.syncPolicy.automated.selfHeal") == "true"
    });
}
