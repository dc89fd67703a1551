//! Controllers of others that scale a Deployment, as processes of this machine, each of one namespace;
//! and what all of them must show: that they act, that they leave alone what is paused, and that they
//! act again afterwards.
//!
//! They are built for `tests/run --matrix` only: `PROM_FIX_CONTROLLERS` is the folder of them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::install::{Install, Kind, ROOMY, taken};
use super::left::nothing_is_left;
use super::life::{first, text, until_told};
use super::scene::{Scene, essence, until};

pub const TARGET: &str = "deploy/prom";

/// Definitions are of the whole cluster: who brings some of these has them alone.
static KINDS: Mutex<()> = Mutex::new(());

pub fn kinds_alone() -> MutexGuard<'static, ()> {
    KINDS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The folder of one of them, where they were built.
pub fn folder(of: &str) -> Option<PathBuf> {
    let folder = std::env::var("PROM_FIX_CONTROLLERS").ok().map(|all| Path::new(&all).join(of));
    if folder.is_none() {
        eprintln!("left to --matrix: {of}");
    }
    folder
}

/// A running one; it ends with its test.
pub struct Controller {
    process: Child,
    log: PathBuf,
}

impl Controller {
    /// Its log is beside those of the cluster.
    pub fn start(scene: &Scene, name: &str, command: &mut Command) -> Controller {
        let logs = std::env::var("PROM_FIX_CLUSTER_LOGS").expect("of tests/cluster/env");
        let log = PathBuf::from(logs).join(format!("{name}.{}.log", scene.ns));
        let to = File::create(&log).expect("a file");
        command.stdin(Stdio::null()).stdout(to.try_clone().expect("the same file")).stderr(to);
        Controller { process: command.spawn().expect("it starts"), log }
    }

    pub fn has_said(&self, words: &str) -> bool {
        std::fs::read_to_string(&self.log).is_ok_and(|log| log.contains(words))
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An object whose controller has put a finalizer on it: deleted at the end of a test, while that
/// still runs and takes it away; where it has ended, this does.
pub struct Finalized<'a>(pub &'a Scene, pub &'static str);

impl Drop for Finalized<'_> {
    fn drop(&mut self) {
        let Finalized(scene, object) = self;
        let _ = scene.kubectl(&["delete", object, "--ignore-not-found", "--timeout=20s"]);
        let none = r#"--patch={"metadata": {"finalizers": null}}"#;
        let _ = scene.kubectl(&["patch", object, "--type=merge", none]);
    }
}

pub fn install() -> Install {
    let install = Install::new(Kind::Deployment, "v3.16.0", ROOMY);
    Install { scrapes: false, itself: true, ..install }
}

/// Whoever else scales it is put right; says within which time.
fn is_put_right(scene: &Scene) -> Duration {
    let began = Instant::now();
    scene.kubectl(&["scale", TARGET, "--replicas=0"]).expect(0);
    until("it is put right", 60, || scene.field(TARGET, ".spec.replicas") == "1");
    began.elapsed()
}

/// The one pod of it, Ready: one that ends is still listed.
fn pod(scene: &Scene, install: &Install) -> String {
    let mut found = String::new();
    until("one pod of it is Ready", 90, || match install.pods(scene).as_slice() {
        [one] => {
            found.clone_from(one);
            let one = format!("pod/{one}");
            scene.is_ready(&one) && scene.field(&one, ".metadata.deletionTimestamp").is_empty()
        }
        _ => false,
    });
    found
}

/// The longest interval at which one of them looks by itself, as these tests have it look.
const INTERVAL: Duration = Duration::from_secs(5);

/// Waits as long as it took to put another's number right, twice, and two of its intervals; and until
/// `looks` says that it has looked, where it can.
fn had_its_time(took: Duration, looks: &dyn Fn(&str), word: &str) {
    looks(word);
    std::thread::sleep(took.max(INTERVAL) * 2 + Duration::from_secs(1));
    looks(&format!("{word}-again"));
}

/// What somebody renders, and scales, is held, its log mended and taken back, and nobody starts it
/// meanwhile. `looks` asks that somebody to look again.
pub fn is_mended_beside(scene: &Scene, install: &Install, looks: &dyn Fn(&str)) {
    for life in 0..3 {
        let pod = pod(scene, install);
        until("it has samples", 60, || taken(&scene.ns, &pod) > 100.0);
        if life < 2 {
            scene.kubectl(&["delete", "pod", &pod]).expect(0);
        }
    }
    let took = is_put_right(scene);
    pod(scene, install);
    looks("first");
    let before = essence(&scene.get(TARGET));

    let freeze = ["freeze", TARGET, "--yes", "--allow-downtime", "-o", "json"];
    let refused = scene.plugin(&freeze).expect(3).json();
    assert_eq!(text(&refused, "/reports/0/blocked/reason"), "needs-consent");
    let ways = refused.pointer("/reports/0/blocked/ways").expect("ways").to_string();
    assert!(ways.contains("--pause-gitops"), "{ways}");
    assert_eq!(essence(&scene.get(TARGET)), before);

    scene.plugin(&[&freeze[..], &["--pause-gitops"]].concat()).expect(0);
    had_its_time(took, looks, "second");
    assert_eq!(scene.field(TARGET, ".spec.replicas"), "0", "it is left alone");
    let data = scene.folder(&scene.field("pvc", ".items[0].metadata.name"));
    std::fs::remove_file(data.join("wal/00000001")).expect("a segment in the middle");
    until_told(scene, TARGET, &["other/repair-unfinished"]);
    let args = ["wal", TARGET, "--inspect", "--apply", "--yes", "--settle", "4s"];
    let report = scene.plugin(&[&args[..], &["-o", "json"]].concat()).expect(0).json();
    assert!(first(&report, "/plan/title").starts_with("mend the log"));
    assert!(data.join("wal/00000001").exists(), "the missing segment is there");
    nothing_is_left(scene);

    scene.plugin(&["undo", TARGET, "--yes", "--force", "--pause-gitops"]).expect(0);
    scene.plugin(&["undo", TARGET, "--yes"]).expect(0);
    looks("third");
    assert_eq!(essence(&scene.get(TARGET)), before, "values and owners");
    is_put_right(scene);
}
