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

use super::chaos::{is_served, planned_for, with_gap};
use super::damage::{Files, Samples, Server, files};
use super::install::{Install, Kind};
use super::keeper;
use super::kill::WAITS;
use super::left::nothing_is_left;
use super::life::until_told;
use super::scene::{Said, Scene, essence, kubectl, until};
use super::turns::matrix;

/// The cluster that the scripts beside this file have made says so here.
const OWN: &str = "/run/prom-fix-cluster/owner";
/// Where one stands at a restart while it mends, and where at the next, while that is taken back.
type Places = (Kind, &'static str, &'static str);

/// Two of a set, of a Deployment and of a resource, which always have their turn. Steps of a set and of a resource: hold, delete,
/// wait, agent, helper, wait, helper gone, agent gone, let go, wait; of a Deployment: to none, wait,
/// agent, helper, wait, helper gone, agent gone, to as many as before, wait. The plan that takes it
/// back has the same steps; then the rest is undone, last step first.
const ALWAYS: &[Places] = &[
    (Kind::Set, "step-2-sent", "step-5-began"),
    (Kind::Set, "step-6-began", "step-9-began"),
    (Kind::Deployment, "step-1-sent", "step-8-sent"),
    (Kind::Deployment, "step-4-sent", "step-4-began"),
    (Kind::Resource, "step-3-began", "step-6-began"),
    (Kind::Resource, "step-9-sent", "step-1-sent"),
];
const OF_SETS: &[Places] = &[
    (Kind::Set, "step-1-began", "step-1-sent"),
    (Kind::Set, "step-3-began", "step-3-began"),
    (Kind::Set, "step-5-sent", "step-6-began"),
    (Kind::Set, "step-8-did", "undo-5-began"),
    (Kind::Set, "journal-created", "step-2-began"),
    (Kind::Set, "step-9-sent", "undo-1-began"),
];
const MORE_OF_SETS: &[Places] = &[
    (Kind::Set, "step-1-sent", "step-4-began"),
    (Kind::Set, "step-4-sent", "step-7-began"),
    (Kind::Set, "step-7-sent", "step-8-sent"),
    (Kind::Set, "step-10-began", "undo-4-sent"),
    (Kind::Release, "step-2-sent", "step-2-began"),
    (Kind::Release, "step-5-sent", "step-9-began"),
];
const OF_OTHERS: &[Places] = &[
    (Kind::Deployment, "journal-created", "step-1-sent"),
    (Kind::Deployment, "step-2-began", "step-6-began"),
    (Kind::Deployment, "step-5-began", "undo-1-began"),
    (Kind::Deployment, "step-9-began", "step-3-sent"),
    (Kind::Resource, "step-1-sent", "step-9-sent"),
    (Kind::Resource, "step-6-began", "undo-4-sent"),
];

struct Broken {
    places: Places,
    scene: Scene,
    target: &'static str,
    install: Install,
    data: PathBuf,
    /// When each of its lives ended, and what it served.
    ends: Vec<i64>,
    samples: Samples,
    files: Files,
    owner: Value,
}

impl Broken {
    fn server(&self) -> Server<'_> {
        let Broken { scene, install, data, ends, .. } = self;
        Server { scene, install: install.clone(), data: data.clone(), ends: ends.clone() }
    }
}

/// Whether this cluster may be disturbed.
fn is_ours() -> bool {
    let ours = Path::new(OWN).exists() && std::env::var_os("PROM_FIX_NETNS").is_some();
    if !ours {
        eprintln!("skipped: nothing is restarted on a cluster that tests/cluster/up did not make");
    }
    ours
}

/// All of them at the same time.
fn broken(all: &[Places]) -> Vec<Broken> {
    let one = |places: Places| {
        let scene = Scene::new("restart");
        let (server, samples) = with_gap(&scene, places.0, "v3.16.0");
        let Server { install, data, ends, .. } = server;
        let target = install.target();
        let (files, owner) = (files(&data), essence(&scene.get(target)));
        Broken { places, scene, target, install, data, ends, samples, files, owner }
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = all.iter().map(|places| scope.spawn(|| one(*places))).collect();
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
fn round(first: &[&str], second: &[&str], places: &[Places]) {
    let began = Instant::now();
    let scenes = broken(places);
    let plans: Vec<_> = std::thread::scope(|scope| {
        let plan = |one: &Broken| planned_for(&one.scene, one.target);
        let all: Vec<_> = scenes.iter().map(|one| scope.spawn(move || plan(one))).collect();
        all.into_iter().map(|one| one.join().expect("a plan")).collect()
    });
    eprintln!("{} are broken: {} s", scenes.len(), began.elapsed().as_secs());

    let of: Vec<_> = scenes.iter().zip(&plans).map(|of| (of, of.0.places.1)).collect();
    let said = all(&of, first, |(one, plan), env| {
        let path = plan.path().to_str().expect("a plain path");
        let args = [&["apply", "-f", path, "--yes"], &WAITS[..]].concat();
        one.scene.plugin_with(&args, env)
    });
    for (((one, _), place), said) in of.iter().zip(said) {
        let what = format!("{first:?} at {place} of {}", one.target);
        assert_eq!(said.code, 0, "{what}\n{}\n{}", said.stdout, said.stderr);
        is_served(&one.server(), &one.samples);
        let (mut now, mut then) = (essence(&one.scene.get(one.target)), one.owner.clone());
        if one.places.0 == Kind::Deployment {
            // Who scaled it back owns its replicas, until the undo.
            for of in [&mut now, &mut then] {
                of["metadata"]["managedFields"] = Value::Null;
            }
        }
        assert_eq!(now, then, "{what}");
        nothing_is_left(&one.scene);
        eprintln!("mended, {what}");
    }
    let at = began.elapsed().as_secs();
    eprintln!("{} mended while {first:?} was restarted: {at} s", of.len());

    let of: Vec<_> = scenes.iter().map(|one| (one, one.places.2)).collect();
    let said = all(&of, second, |one, env| {
        one.scene.plugin_with(&["undo", one.target, "--yes", "--force"], env)
    });
    for ((one, place), said) in of.iter().zip(said) {
        let what = format!("{second:?} at {place} of the undo of {}", one.target);
        assert_eq!(said.code, 0, "{what}\n{}\n{}", said.stdout, said.stderr);
        assert_eq!(files(&one.data), one.files, "{what}: to the last byte");
        assert_eq!(essence(&one.scene.get(one.target)), one.owner, "{what}");
        nothing_is_left(&one.scene);
        until_told(&one.scene, one.target, &["wal/gap"]);
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

macro_rules! rounds {
    ($($name:ident: $always:expr, $first:expr, $second:expr, $places:expr;)*) => {$(
        #[test]
        #[ignore = "restarts parts of the cluster: tests/run"]
        fn $name() {
            if is_ours() && ($always || matrix()) {
                round($first, $second, $places);
            }
        }
    )*};
}

// All together: each of the two killed at each place, of the mending and of its undo. An API server
// that is ended takes a minute for it, in which it takes no connection.
rounds! {
    a_salvage_and_its_undo_survive_restarts: true, API_SERVER, KUBELET, ALWAYS;
    matrix_2: false, KUBELET, API_SERVER, ALWAYS;
    matrix_3: false, API_SERVER, KUBELET, OF_SETS;
    matrix_4: false, KUBELET, API_SERVER, OF_SETS;
    matrix_5: false, API_SERVER, KUBELET, MORE_OF_SETS;
    matrix_6: false, KUBELET, API_SERVER, MORE_OF_SETS;
    matrix_7: false, API_SERVER, KUBELET, OF_OTHERS;
    matrix_8: false, KUBELET, API_SERVER, OF_OTHERS;
    matrix_9: false, API_SERVER_ENDS, API_SERVER_ENDS, MORE_OF_SETS;
}
