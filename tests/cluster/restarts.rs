//! The API server, or the kubelet, is killed and started again while a log is being mended, and while
//! that is taken back: the plugin waits for it, finishes, and nothing is lost or left behind. All
//! scenes of a round stand at a step of their own when it happens; so one restart serves all.
//!
//! Everybody on the cluster is disturbed: `tests/run` runs these alone, and only on its own cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::chaos::{gap, planned};
use super::damage::{Files, files};
use super::keeper;
use super::kill::WAITS;
use super::left::nothing_is_left;
use super::life::until_told;
use super::scene::{Said, Scene, essence, kubectl, until};

const TARGET: &str = "sts/prom";
/// The cluster that the scripts beside this file have made says so here.
const OWN: &str = "/run/prom-fix-cluster/owner";
/// How many scenes stand at once: each is a Prometheus, and a helper beside it.
const AT_ONCE: usize = 6;

/// Steps: hold, delete, wait, agent, helper, wait, helper gone, agent gone, let go, wait.
const MENDING: &[&str] = &[
    "step-1-began",
    "step-2-sent",
    "step-3-began",
    "step-5-sent",
    "step-6-began",
    "step-8-did",
    "journal-created",
    "step-1-sent",
    "step-4-sent",
    "step-7-sent",
    "step-9-sent",
    "step-10-began",
];
/// The plan that takes it back has the same steps; then the rest is undone, last step first.
const TAKING_BACK: &[&str] = &[
    "step-1-sent",
    "step-3-began",
    "step-5-began",
    "step-6-began",
    "step-9-began",
    "undo-5-began",
    "step-2-began",
    "step-4-began",
    "step-7-began",
    "step-8-sent",
    "undo-4-sent",
    "undo-1-began",
];

struct Broken {
    scene: Scene,
    data: PathBuf,
    files: Files,
    set: Value,
}

/// Whether this cluster may be disturbed.
fn is_ours() -> bool {
    let ours = Path::new(OWN).exists() && std::env::var_os("PROM_FIX_NETNS").is_some();
    if !ours {
        eprintln!("skipped: nothing is restarted on a cluster that tests/cluster/up did not make");
    }
    ours
}

fn matrix() -> bool {
    std::env::var("PROM_FIX_MATRIX").is_ok_and(|v| v == "1")
}

/// As many broken sets, at the same time.
fn broken(count: usize) -> Vec<Broken> {
    let one = || {
        let (scene, data, files) = gap("restart");
        let set = essence(&scene.get(TARGET));
        Broken { scene, data, files, set }
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..count).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().expect("it is broken as it should")).collect()
    })
}

/// Where scenes wait for each other.
struct Gate(tempfile::TempDir);

impl Gate {
    fn new() -> Gate {
        Gate(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What the plugin runs at its place: says that it is there, and waits until it may go on.
    fn keeper(&self, place: usize) -> PathBuf {
        let file = self.file(&format!("keeper-{place}"));
        let folder = self.0.path().display();
        let wait = format!(
            "touch {folder}/at-{place}\n\
             for _ in $(seq 2400); do [ -e {folder}/go ] && exit; sleep 0.1; done"
        );
        keeper::write(&file, &wait)
    }

    /// Once all are there: restarts `what`, and lets them go on while it is away.
    fn restart(&self, count: usize, what: &[&str]) {
        until("everyone is at their place", 150, || {
            (0..count).all(|place| self.file(&format!("at-{place}")).exists())
        });
        let log = self.file("restart.log");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/restart");
        let out = fs::File::create(&log).expect("a file");
        let mut restart = Command::new(script);
        restart.args(what).stdin(Stdio::null()).stdout(Stdio::null()).stderr(out);
        let mut restart = restart.spawn().expect("it starts");
        let said = || fs::read_to_string(&log).unwrap_or_default();
        until("it has ended", 90, || said().contains("has ended"));
        if what[0] == "apiserver" {
            is_told_at_once();
        }
        fs::write(self.file("go"), "").expect("written");
        assert!(restart.wait().expect("it ends").success(), "{}", said());
    }
}

/// A diagnosis does not wait for an API server that is away.
fn is_told_at_once() {
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-prom-fix"));
    let said = super::scene::run(command.args(["diagnose", "-n", "default"]), "").expect(1);
    assert!(said.stderr.contains("refused the connection"), "{}", said.stderr);
    assert_eq!((said.stderr.lines().count(), said.stdout.as_str()), (1, ""), "{}", said.stderr);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Everyone does the same, each until a place of their own, when `what` is restarted. What each said.
fn all<T: Sync>(
    scenes: &[(T, &'static str)],
    what: &[&str],
    act: impl Fn(&T, &[(&str, &str)]) -> Said + Sync,
) -> Vec<Said> {
    let gate = Gate::new();
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for (at, (one, place)) in scenes.iter().enumerate() {
            let (keeper, act) = (gate.keeper(at), &act);
            running.push(scope.spawn(move || {
                let keeper = keeper.to_str().expect("a plain path");
                act(one, &[("PROM_FIX_FAULT", place), ("PROM_FIX_FAULT_RUN", keeper)])
            }));
        }
        gate.restart(scenes.len(), what);
        running.into_iter().map(|one| one.join().expect("it ran")).collect()
    })
}

/// One round: mended while `first` is restarted, taken back while `second` is.
fn round(first: &[&str], mending: &[&'static str], second: &[&str], back: &[&'static str]) {
    let began = Instant::now();
    let scenes = broken(mending.len());
    let plans: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = scenes.iter().map(|one| scope.spawn(|| planned(&one.scene))).collect();
        all.into_iter().map(|one| one.join().expect("a plan")).collect()
    });
    eprintln!("{} sets are broken: {} s", scenes.len(), began.elapsed().as_secs());
    let files_of = |one: &Broken| files(&one.data);

    let of: Vec<_> = scenes.iter().zip(&plans).zip(mending.iter().copied()).collect();
    let said = all(&of, first, |(one, plan), env| {
        let path = plan.path().to_str().expect("a plain path");
        let args = [&["apply", "-f", path, "--yes"], &WAITS[..]].concat();
        one.scene.plugin_with(&args, env)
    });
    for (((one, _), place), said) in of.iter().zip(said) {
        let what = format!("{first:?} at {place}");
        assert_eq!(said.code, 0, "{what}\n{}\n{}", said.stdout, said.stderr);
        assert!(one.data.join("wal/00000001").exists(), "{what}: the missing segment is there");
        assert_eq!(essence(&one.scene.get(TARGET)), one.set, "{what}");
        nothing_is_left(&one.scene);
        eprintln!("mended, {what}");
    }
    let at = began.elapsed().as_secs();
    eprintln!("{} mended while {first:?} was restarted: {at} s", of.len());

    let of: Vec<_> = scenes.iter().zip(back.iter().copied()).collect();
    let said = all(&of, second, |one, env| {
        one.scene.plugin_with(&["undo", TARGET, "--yes", "--force"], env)
    });
    for ((one, place), said) in of.iter().zip(said) {
        let what = format!("{second:?} at {place} of the undo");
        assert_eq!(said.code, 0, "{what}\n{}\n{}", said.stdout, said.stderr);
        assert_eq!(files_of(one), one.files, "{what}: to the last byte");
        assert_eq!(essence(&one.scene.get(TARGET)), one.set, "{what}");
        nothing_is_left(&one.scene);
        until_told(&one.scene, TARGET, &["wal/gap"]);
        eprintln!("taken back, {what}");
    }
    let at = began.elapsed().as_secs();
    eprintln!("{} taken back while {second:?} was restarted: {at} s", of.len());
    is_whole();
}

/// The cluster is as it was for whoever comes next.
fn is_whole() {
    until("the node is Ready", 60, || {
        let path = "jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}";
        kubectl(&["get", "nodes", "-o", path]).stdout == "True"
    });
    assert_eq!(kubectl(&["get", "--raw", "/readyz"]).expect(0).stdout, "ok");
}

/// Killed without warning, and ended as an upgrade does it.
const API_SERVER: &[&str] = &["apiserver", "4", "KILL"];
const API_SERVER_ENDS: &[&str] = &["apiserver", "4", "TERM"];
const KUBELET: &[&str] = &["kubelet", "4", "KILL"];

/// The half of the places that always has its turn, or the other.
fn half(all: &'static [&'static str], first: bool) -> &'static [&'static str] {
    let (one, other) = all.split_at(AT_ONCE);
    if first { one } else { other }
}

macro_rules! rounds {
    ($($name:ident: $always:expr, $first:expr, $mending:expr, $second:expr, $back:expr;)*) => {$(
        #[test]
        #[ignore = "restarts parts of the cluster: tests/run"]
        fn $name() {
            if is_ours() && ($always || matrix()) {
                round($first, half(MENDING, $mending), $second, half(TAKING_BACK, $back));
            }
        }
    )*};
}

// All together: each of the two killed at each place, of the mending and of its undo. An API server
// that is ended takes a minute for it, in which it takes no connection.
rounds! {
    a_salvage_and_its_undo_survive_restarts: true, API_SERVER, true, KUBELET, true;
    matrix_2: false, KUBELET, false, API_SERVER, false;
    matrix_3: false, KUBELET, true, API_SERVER, true;
    matrix_4: false, API_SERVER, false, KUBELET, false;
    matrix_5: false, API_SERVER_ENDS, true, API_SERVER_ENDS, false;
}
