//! A volume that is really full: figures, what may go, the line that grows the claim.

use std::fs;
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::api;
use super::audit::Mark;
use super::install::{Install, Kind, ROOMY};
use super::life::{text, until_told};
use super::scene::{Scene, kubectl, kubectl_in, run, until};

const MIB: usize = 1 << 20;
const LEFTOVER: &str = "01M827CT0DKCN5KG2K87TH0H4J.tmp-for-creation";
const ASIDE: &str = "prom-fix-20261125T081500Z";

/// A file system in memory of 24 MiB behind a claim, of a class that lets it grow.
struct Small {
    name: String,
    folder: PathBuf,
}

impl Small {
    fn new(scene: &Scene) -> Small {
        let name = scene.ns.clone();
        let class = format!(
            "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {{name: {name}}}\n\
             provisioner: kubernetes.io/no-provisioner\nallowVolumeExpansion: true\n"
        );
        kubectl_in(&["create", "-f", "-"], &class).expect(0);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/volume");
        let claim = format!("{name}/data-prom-0");
        let args = [&name, "24Mi", "tmpfs", "65534:65534:0755", "--claim", &claim];
        let said = run(Command::new(script).args(args), "").expect(0);
        let of_class = format!(r#"{{"spec": {{"storageClassName": "{name}"}}}}"#);
        kubectl(&["patch", "pv", &name, "-p", &of_class]).expect(0);
        Small { folder: PathBuf::from(said.stdout.trim()), name }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = kubectl(&["delete", "pv,sc", &self.name, "--wait=false"]);
        // Until the kubelet lets go of it, the mount stays with whoever uses it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
        let _ = fs::remove_dir(&self.folder);
    }
}

fn put(path: &Path, bytes: usize) {
    fs::create_dir_all(path.parent().expect("below")).expect("a folder");
    fs::write(path, vec![1; bytes]).expect("room");
}

/// Blocks of so many hours ago, made by Prometheus' own tool; the names of all that are there, the
/// older first.
pub fn blocks(folder: &Path, hours: &[u64]) -> Vec<String> {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let line = |hours: &u64| format!("old_metric {hours} {}", now - hours * 3600);
    let lines: Vec<String> = hours.iter().map(line).collect();
    let made = tempfile::tempdir().expect("a folder");
    let (metrics, out) = (made.path().join("metrics"), made.path().join("out"));
    fs::write(&metrics, format!("# TYPE old_metric gauge\n{}\n# EOF\n", lines.join("\n")))
        .expect("room");
    let mut promtool = Command::new("promtool");
    promtool.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(&metrics).arg(&out);
    run(&mut promtool, "").expect(0);
    // Not at once where they are to be: a block's writer asks for 512 MiB first.
    run(Command::new("cp").arg("-r").arg(out.join(".")).arg(folder), "").expect(0);
    let mut all: Vec<(i64, String)> = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let Ok(meta) = fs::read(path.join("meta.json")) else { continue };
        let meta: Value = serde_json::from_slice(&meta).expect("JSON");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        all.push((meta["minTime"].as_i64().expect("a time"), name));
    }
    all.sort();
    all.into_iter().map(|(_, name)| name).collect()
}

fn owned_by_prometheus(path: &Path) {
    chown(path, Some(65534), Some(65534)).expect("root may");
    for entry in fs::read_dir(path).into_iter().flatten() {
        owned_by_prometheus(&entry.expect("an entry").path());
    }
}

/// To the last byte.
fn fill(file: &Path) {
    let mut file = fs::OpenOptions::new().append(true).open(file).expect("it is there");
    for size in [MIB, 4096] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

fn ways(report: &Value) -> Vec<String> {
    let list = report.pointer("/reports/0/blocked/ways").and_then(Value::as_array);
    let list = list.unwrap_or_else(|| panic!("{report:#}"));
    list.iter().map(|way| way.as_str().unwrap_or("").to_owned()).collect()
}

fn evidence<'a>(report: &'a Value, field: &str) -> &'a str {
    let all = report.pointer("/reports/0/findings/0/evidence").and_then(Value::as_array);
    let one = all.into_iter().flatten().find(|one| one["field"] == field);
    one.and_then(|one| one["value"].as_str()).unwrap_or_else(|| panic!("{field}: {report:#}"))
}

/// A Prometheus on a small volume, that is stopped after `lives` of its own.
struct Server<'a> {
    scene: &'a Scene,
    small: Small,
    install: Install,
}

impl<'a> Server<'a> {
    fn new(scene: &'a Scene, lives: usize) -> Server<'a> {
        let security = "{runAsUser: 65534}".to_owned();
        let install =
            Install { scrapes: false, security, ..Install::new(Kind::Set, "v3.16.0", ROOMY) };
        let server = Server { scene, small: Small::new(scene), install };
        server.run(1);
        for life in 0..lives {
            scene.until_ready("prom-0", 60);
            if life + 1 < lives {
                scene.kubectl(&["delete", "pod", "prom-0"]).expect(0);
            }
        }
        server.run(0);
        server.install.until_no_pods(scene);
        server
    }

    fn run(&self, replicas: u32) {
        let of_class = format!("spec: {{storageClassName: {}, accessModes", self.small.name);
        let manifest = Install { replicas, ..self.install.clone() }.manifest();
        let manifest = manifest.replace("storage: 1Gi", "storage: 24Mi");
        self.scene.apply(&manifest.replace("spec: {accessModes", &of_class));
    }
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_full_volume_is_told_with_figures_and_starts_once_what_costs_nothing_is_gone() {
    let scene = Scene::new("full");
    let server = Server::new(&scene, 1);
    let small = &server.small;
    let blocks = blocks(&small.folder, &[40, 30]);
    // Empty pages, which a replay passes over.
    fs::write(small.folder.join("wal/00000000"), vec![0; 96 << 10]).expect("room");
    put(&small.folder.join(ASIDE).join("old/wal/00000000"), 2 * MIB);
    put(&small.folder.join(LEFTOVER).join("index"), MIB);
    let _ = fs::remove_file(small.folder.join("queries.active"));
    owned_by_prometheus(&small.folder);
    fill(&small.folder.join(LEFTOVER).join("index"));
    server.run(1);

    let asks = until_told(&scene, "sts/prom", &["disk/full"]);
    assert_eq!(text(&asks, "/reports/0/blocked/reason"), "needs-inspect", "{asks:#}");
    let mark = Mark::now();
    let report =
        scene.plugin(&["diagnose", "sts/prom", "--inspect", "-o", "json"]).expect(2).json();
    mark.only_our_own(&scene.ns);
    assert_eq!(evidence(&report, "volume"), "24Mi of 24Mi used, 0Ki free");
    let holds = evidence(&report, "it holds");
    assert!(
        holds.starts_with("wal 96Ki, ")
            && holds.contains("set aside 2Mi")
            && holds.contains("blocks (2) "),
        "{holds}"
    );
    // All but 2 MiB and what Prometheus and its blocks take, which is some 100 KiB.
    assert!(holds.contains("leftovers 21Mi"), "{holds}");
    let told = ways(&report);
    let places: Vec<usize> = [LEFTOVER, ASIDE, &blocks[0], &blocks[1], "never wal"]
        .iter()
        .map(|name| told.iter().position(|way| way.contains(name)).expect("it is named"))
        .collect();
    assert!(places.is_sorted(), "{told:#?}");

    // The line is one that the server takes, and what it did is told from then on.
    let grow = told.first().expect("a line");
    assert!(grow.starts_with("kubectl patch pvc/data-prom-0 "), "{told:#?}");
    run(Command::new("sh").args(["-c", &format!("{grow} --dry-run=server")]), "").expect(0);
    run(Command::new("sh").args(["-c", grow]), "").expect(0);
    let again = scene.plugin(&["diagnose", "sts/prom", "-o", "json"]).expect(2).json();
    let under_way = "pvc/data-prom-0 asks for 48Mi already and has 24Mi";
    assert!(ways(&again).iter().any(|way| way.starts_with(under_way)), "{again:#}");
    let left = scene.kubectl(&["get", "pods", "-l", "app.kubernetes.io/managed-by=prom-fix"]);
    assert_eq!(left.expect(0).stdout, "", "the helper is gone");

    // What costs nothing goes, and nothing is missed.
    fs::remove_file(small.folder.join(LEFTOVER).join("index")).expect("ours");
    fs::remove_dir(small.folder.join(LEFTOVER)).expect("ours");
    scene.until_ready("prom-0", 120);
    until("both blocks are served", 30, || {
        let path = format!("/api/v1/namespaces/{}/pods/prom-0:9090/proxy/metrics", scene.ns);
        let metrics = api::get(&path).unwrap_or_default();
        metrics.lines().any(|line| line == "prometheus_tsdb_blocks_loaded 2")
    });
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_salvage_without_room_is_refused_and_says_what_may_go() {
    let scene = Scene::new("tight");
    let server = Server::new(&scene, 3);
    let folder = &server.small.folder;
    fs::remove_file(folder.join("wal/00000001")).expect("a segment in the middle");
    server.run(1);
    until_told(&scene, "sts/prom", &["wal/gap"]);
    let plan = scene.plugin(&["wal", "sts/prom", "--inspect", "-o", "plan"]).expect(2).stdout;
    // Room for a start, and not for what a salvage writes. A leftover of Prometheus itself would not
    // last: its start takes it away.
    put(&folder.join("filler"), 600 << 10);
    put(&folder.join(ASIDE).join("index"), MIB);
    owned_by_prometheus(folder);
    fill(&folder.join(ASIDE).join("index"));
    fs::remove_file(folder.join("filler")).expect("ours");
    // A start while it was full has ended for that.
    until_told(&scene, "sts/prom", &["wal/gap"]);

    let args = ["wal", "sts/prom", "--inspect", "--apply", "--yes", "--settle", "8s"];
    // Nothing is stopped for a salvage that has no room.
    let refused = scene.plugin(&[&args[..], &["-o", "json"]].concat()).expect(3).json();
    let why = text(&refused, "/reports/0/blocked/why");
    assert!(why.contains("no room for a salvage: up to 1Mi are needed"), "{refused:#}");
    let told = ways(&refused);
    let places: Vec<usize> = ["kubectl patch pvc/data-prom-0 ", "1. prom-fix-", "never wal"]
        .iter()
        .map(|name| told.iter().position(|way| way.contains(name)).expect("it is named"))
        .collect();
    assert!(places.is_sorted(), "{told:#?}");
    let pod = scene.get("pod/prom-0");
    assert_eq!(text(&pod, "/metadata/finalizers/0"), "", "it is not held");

    // Where it went between the plan and its execution, the helper writes nothing.
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), plan).expect("written");
    let path = file.path().to_str().expect("a plain path");
    let refused = scene.plugin(&["apply", "-f", path, "--yes"]).expect(5).stderr;
    for words in
        ["bytes are needed", &format!("may go: {ASIDE}"), "explain disk/full", "stays held"]
    {
        assert!(refused.contains(words), "{words}\n{refused}");
    }
    assert!(!folder.join("wal/00000001").exists(), "nothing was written");
    // As told: without it the same is done.
    fs::remove_file(folder.join(ASIDE).join("index")).expect("ours");
    scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0);
    until_told(&scene, "sts/prom", &["wal/gap"]);
    scene.plugin(&args).expect(0);
    assert!(folder.join("wal/00000001").exists(), "it was mended");
}
