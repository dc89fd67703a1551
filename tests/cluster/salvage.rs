//! A damaged log is mended on the cluster: what can be read is served again, under its own series and
//! at its own times, and all of it can be taken back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::audit::Mark;
use super::install::{Install, Kind, ROOMY, serve};
use super::life::{first, text, until_told};
use super::scene::{Scene, essence, kubectl, until};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A segment in the middle is gone: no start gets past that.
    Gap,
    /// A file of chunks_head begins with other bytes: no start gets past that either.
    HeadChunks,
    /// A byte in the middle is another: the next start would delete what follows.
    Flip,
    /// The same in a checkpoint: the next start would delete the segments.
    Checkpoint,
}

/// Lives of the server, each of which has a segment of its own.
const LIVES: usize = 3;
const LOAD: u32 = 40;
/// Bytes of the last record of a segment: a part of one scrape.
const CUT: usize = 50;

/// What a Thanos sidecar would note; the block is not here.
const UPLOADED: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// Files of a log by name, with their bytes.
pub type Files = BTreeMap<String, Vec<u8>>;
pub type Samples = BTreeMap<(String, i64), String>;

/// Every sample of the load, by series and time.
pub fn samples(scene: &Scene, pod: &str) -> Samples {
    samples_of(scene, pod, "")
}

/// Of one metric of it: `up` says when it was scraped.
pub fn samples_of(scene: &Scene, pod: &str, metric: &str) -> Samples {
    // metric{job="load"}[30m]
    let query = format!("{metric}%7Bjob%3D%22load%22%7D%5B30m%5D");
    let base = format!("/api/v1/namespaces/{}/pods/{pod}:9090/proxy", scene.ns);
    let said = kubectl(&["get", "--raw", &format!("{base}/api/v1/query?query={query}")]);
    let answer: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
    let mut all = Samples::new();
    let series = answer.pointer("/data/result").and_then(Value::as_array);
    for one in series.into_iter().flatten() {
        for value in one["values"].as_array().into_iter().flatten() {
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds")]
            let at = (value[0].as_f64().unwrap_or(0.0) * 1000.0).round() as i64;
            all.insert((one["metric"].to_string(), at), value[1].to_string());
        }
    }
    all
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("soon")
}

/// A server with a log, and where it is.
pub struct Server<'a> {
    scene: &'a Scene,
    install: Install,
    pub data: PathBuf,
    /// When each of its lives ended.
    ends: Vec<i64>,
}

impl<'a> Server<'a> {
    fn pod(&self) -> String {
        self.install.pods(self.scene).first().cloned().unwrap_or_default()
    }

    /// Until it has taken samples since `from`.
    fn until_taken(&self, from: i64) {
        until("it takes samples", 120, || {
            let newest = samples(self.scene, &self.pod()).keys().map(|(_, at)| *at).max();
            newest.is_some_and(|at| at > from + 3000)
        });
    }

    /// As many lives as segments, and all that it served at the end.
    pub fn with_log(scene: &'a Scene, install: Install) -> (Server<'a>, Samples) {
        install.apply(scene);
        let mut server = Server { scene, install, data: PathBuf::new(), ends: Vec::new() };
        for life in 1..=LIVES {
            server.until_taken(now());
            if life < LIVES {
                scene.kubectl(&["delete", "pod", &server.pod()]).expect(0);
                server.ends.push(now());
            }
        }
        let path = ".spec.volumes[*].persistentVolumeClaim.claimName";
        let claim = scene.field(&format!("pod/{}", server.pod()), path);
        let root = scene.folder(&claim);
        let below = root.join("prometheus-db");
        server.data = if below.exists() { below } else { root };
        let before = samples(scene, &server.pod());
        (server, before)
    }

    fn segment(&self, number: u32) -> PathBuf {
        self.data.join(format!("wal/{number:08}"))
    }

    /// What no start gets past is done while it is stopped; the rest while it is held.
    pub fn damage(&self, damage: Damage) {
        let Server { scene, install, .. } = self;
        let target = install.target();
        match damage {
            Damage::Gap | Damage::HeadChunks => {
                Install { replicas: 0, ..install.clone() }.apply(scene);
                install.until_no_pods(scene);
                if damage == Damage::Gap {
                    let note = format!("{{\"version\": 1, \"uploaded\": [{UPLOADED:?}]}}");
                    fs::write(self.data.join("thanos.shipper.json"), note).expect("written");
                    fs::remove_file(self.segment(1)).expect("a segment in the middle");
                } else {
                    let folder = self.data.join("chunks_head");
                    fs::create_dir_all(&folder).expect("a folder");
                    fs::write(folder.join("000001"), [7; 64]).expect("written");
                }
                install.apply(scene);
            }
            Damage::Flip | Damage::Checkpoint => {
                // It serves, and is to be stopped all the same.
                scene.until_ready(&self.pod(), 60);
                scene.plugin(&["freeze", target, "--yes"]).expect(3);
                scene.plugin(&["freeze", target, "--yes", "--allow-downtime"]).expect(0);
                if damage == Damage::Checkpoint {
                    let folder = self.data.join("wal/checkpoint.00000000");
                    fs::create_dir(&folder).expect("a checkpoint is a folder");
                    let own = fs::metadata(self.segment(0)).expect("a segment");
                    chown(&folder, Some(own.uid()), Some(own.gid())).expect("as Prometheus' own");
                    fs::rename(self.segment(0), folder.join("00000000")).expect("of segments");
                    flip(&folder.join("00000000"));
                } else {
                    flip(&self.segment(1));
                }
            }
        }
    }
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).expect("a segment");
    // In the last of its records, which is of samples.
    let at = bytes.iter().rposition(|byte| *byte != 0).expect("bytes") - 3;
    bytes[at] ^= 0x55;
    fs::write(file, bytes).expect("written");
}

/// Every file of the log with its bytes, but empty segments: each start makes one.
pub fn files(data: &Path) -> Files {
    let mut all = BTreeMap::new();
    for log in ["wal", "chunks_head"] {
        for entry in fs::read_dir(data.join(log)).into_iter().flatten().flatten() {
            let name = format!("{log}/{}", entry.file_name().to_string_lossy());
            match fs::read(entry.path()) {
                Ok(bytes) if !bytes.is_empty() => all.insert(name, bytes),
                _ => None,
            };
        }
    }
    all
}

/// Mended, every sample that could be read is there, and none that was not.
fn served_again(server: &Server<'_>, damage: Damage, before: &Samples) {
    let after = samples(server.scene, &server.pod());
    let last = before.keys().map(|(_, at)| *at).max().expect("samples");
    let old = after.iter().filter(|((_, at), _)| *at <= last);
    let foreign: Vec<_> = old.filter(|(key, value)| before.get(*key) != Some(*value)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    let lost: Vec<i64> =
        before.keys().filter(|key| !after.contains_key(*key)).map(|(_, at)| *at).collect();
    let (from, to) = (server.ends[0], server.ends[1]);
    let kind = server.install.kind;
    match damage {
        Damage::HeadChunks => assert!(lost.is_empty(), "{lost:?}"),
        // Of the segment that was cut, its last scrape.
        Damage::Gap => {
            let gone = |at: &i64| (from..to).contains(at) || kind == Kind::Resource && *at == last;
            assert!(lost.iter().all(gone), "{lost:?}");
        }
        // One record: one scrape at the most.
        Damage::Flip | Damage::Checkpoint => {
            let mut times = lost.clone();
            times.sort_unstable();
            times.dedup();
            assert!(times.len() <= 1, "{times:?}");
        }
    }
    assert!(after.keys().any(|(_, at)| *at > last), "and it takes samples");
}

/// Where the damage is, and of what was uploaded what is noted, before anything moves.
fn told_of_the_files(shown: &Value, damage: Damage, before: &Samples) {
    let directory = shown.pointer("/reports/0/directories/0").expect("it was looked at");
    let rows = directory["map"]["rows"].as_array().expect("a map");
    let odd: Vec<&Value> = rows.iter().filter(|row| row["state"] != "whole").collect();
    let uploads = &directory["uploads"];
    match damage {
        Damage::Gap => {
            assert!(
                odd.iter().any(|row| row["state"] == "missing" && row["first"] == 1),
                "{odd:?}"
            );
            assert_eq!(uploads["newest"]["made"], 1_469_922_850_259_i64, "{uploads}");
            let end = uploads["head"]["last"].as_i64().expect("samples");
            let last = before.keys().map(|(_, at)| *at).max().expect("samples");
            assert!(end >= last, "{end} {last}");
            let data = first(shown, "/plan/impact/data");
            let made = "uploaded was made 2016-07-30 23:54:10Z, and is not here any more; only on \
                        this volume is the log from ";
            assert!(data.contains(made), "{data}");
        }
        Damage::Flip | Damage::Checkpoint => {
            let row = odd.iter().find(|row| row["state"] == "damaged").expect("it is damaged");
            assert_eq!(row["fault"]["kind"], "checksum", "{row}");
            assert!(row["costs"]["unreadableBytes"].as_u64() > Some(0), "{row}");
        }
        Damage::HeadChunks => {
            // Starts that ended before they wrote.
            assert!(odd.iter().all(|row| row["state"] == "empty"), "{odd:?}");
            assert!(uploads.is_null(), "{uploads}");
        }
    }
}

/// From here on the namespace admits no pod that may do more than PodSecurity's strictest allows.
fn restricted(scene: &Scene, install: Install) -> Install {
    let level = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", &scene.ns, level]).expect(0);
    let refused = scene.kubectl(&["run", "other", "--image=busybox:1"]).expect(1);
    assert!(refused.stderr.contains("violates PodSecurity"), "{}", refused.stderr);
    let nothing = "securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}";
    let security = install.security.replace('}', ", seccompProfile: {type: RuntimeDefault}}");
    Install { security, of_container: nothing, ..install }
}

/// A segment loses its end between the plan and its execution: nobody agreed to what a salvage of
/// that would lose. The files as they are now.
fn differs(server: &Server<'_>, digest: &str) -> Files {
    let Server { scene, install, .. } = server;
    let target = install.target();
    let plan = scene.plugin(&["wal", target, "--inspect", "-o", "plan"]).expect(2).stdout;
    assert!(plan.contains(digest), "the same plan comes again: {plan}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), plan).expect("written");
    let path = file.path().to_str().expect("a plain path");
    let segment = server.segment(2);
    let bytes = fs::read(&segment).expect("a segment");
    // Prometheus fills the last page with zeros when it ends.
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("records");
    fs::OpenOptions::new()
        .write(true)
        .open(&segment)
        .and_then(|file| file.set_len((last - CUT) as u64))
        .expect("cut");
    let cut = files(&server.data);

    let said = scene.plugin(&["apply", "-f", path, "--yes"]).expect(5);
    let words = said.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("nothing was written: "), "{}", said.stderr);
    assert!(words.contains("it stays held, and does not start"), "{}", said.stderr);
    let again = format!("kubectl prom-fix wal {target} -n {} --inspect", scene.ns);
    let back = format!("kubectl prom-fix undo {digest} -n {}", scene.ns);
    assert!(words.contains(&again) && words.contains(&back), "{}", said.stderr);
    assert_eq!(files(&server.data), cut, "nothing was written");
    let held = scene.field(&format!("pod/{}", server.pod()), ".metadata.finalizers");
    assert!(held.contains("prom-fix.github.io/hold"), "{held}");
    cut
}

fn run(kind: Kind, image: &str, damage: Damage) {
    let began = std::time::Instant::now();
    let scene = Scene::new("salvage");
    serve(&scene, "load", LOAD);
    let mut install = Install::new(kind, image, ROOMY);
    if (kind, damage) == (Kind::Set, Damage::Gap) {
        install = restricted(&scene, install);
    }
    let (server, before) = Server::with_log(&scene, install);
    let target = server.install.target();
    let whole = essence(&scene.get(target));
    server.damage(damage);
    let told = match damage {
        Damage::Gap => "wal/gap",
        Damage::HeadChunks => "wal/corrupt-head-chunks",
        Damage::Flip | Damage::Checkpoint => "other/repair-unfinished",
    };
    until_told(&scene, target, &[told]);
    let mut broken = files(&server.data);

    // Without consent to a look nothing is planned, and with it all is shown first.
    scene.plugin(&["wal", target, "--apply", "--yes"]).expect(3);
    let mark = Mark::now();
    let shown = scene.plugin(&["wal", target, "--inspect", "-o", "json"]).expect(2).json();
    mark.only_our_own(&scene.ns);
    told_of_the_files(&shown, damage, &before);
    let mut digest = first(&shown, "/plan/digest");
    if (kind, damage) == (Kind::Resource, Damage::Gap) {
        broken = differs(&server, &digest);
        // From where it is held.
        let anew = scene.plugin(&["wal", target, "--inspect", "-o", "json"]).expect(2).json();
        digest = first(&anew, "/plan/digest");
    }
    let args = ["wal", target, "--inspect", "--apply", "--confirm", &digest, "--settle", "6s"];
    let report = scene.plugin(&[&args[..], &["-o", "json"]].concat()).expect(0).json();
    assert_eq!(report.pointer("/reports/0/outcome/proved"), Some(&Value::Bool(true)));
    served_again(&server, damage, &before);
    assert_eq!(essence(&scene.get(target))["spec"], whole["spec"], "its owner is as it was");
    nothing_is_left(&scene);

    let undo = ["undo", &digest, "--yes"];
    let refused = scene.plugin(&undo).expect(3);
    assert!(refused.stderr.contains("has written since"), "{}", refused.stderr);
    scene.plugin(&[&undo[..], &["--force"]].concat()).expect(0);
    if kind == Kind::Deployment && damage == Damage::Flip {
        // What froze it, by its replicas, stands too.
        scene.plugin(&["undo", target, "--yes"]).expect(0);
    }
    assert_eq!(essence(&scene.get(target)), whole, "values and owners are as before");
    if matches!(damage, Damage::Gap | Damage::HeadChunks) {
        assert_eq!(files(&server.data), broken, "to the last byte");
        until_told(&scene, target, &[told]);
    }
    nothing_is_left(&scene);
    eprintln!("{kind:?} {image} {damage:?}: {} s", began.elapsed().as_secs());
}

/// One of two is broken: the other is neither asked nor stopped.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_sibling_serves_throughout() {
    let scene = Scene::new("sibling");
    let install = Install::new(Kind::Set, "v3.16.0", ROOMY);
    let install = Install { replicas: 2, scrapes: false, ..install };
    install.apply(&scene);
    for _ in 0..3 {
        scene.until_ready("prom-0", 60);
        scene.kubectl(&["delete", "pod", "prom-0"]).expect(0);
    }
    scene.until_ready("prom-0", 60);
    scene.until_ready("prom-1", 60);
    let sibling = || {
        let status = ".status.containerStatuses[0]";
        let pod = "pod/prom-1";
        [".metadata.uid".to_owned(), format!("{status}.restartCount"), format!("{status}.ready")]
            .map(|path| scene.field(pod, &path))
    };
    let before = sibling();
    assert_eq!(before[2], "true");
    // The other serves: nobody has to agree to an outage.
    scene.plugin(&["freeze", "pod/prom-0", "--yes"]).expect(0);
    fs::remove_file(scene.folder("data-prom-0").join("wal/00000001")).expect("a segment");
    let args = ["wal", "sts/prom", "--inspect", "--apply", "--yes", "--settle", "4s", "-o", "json"];
    let report = scene.plugin(&args).expect(0).json();
    let outage = first(&report, "/plan/impact/outage");
    assert!(outage.contains("another replica serves throughout"), "{outage}");
    assert_eq!(sibling(), before);
    nothing_is_left(&scene);
}

pub fn nothing_is_left(scene: &Scene) {
    let managed = "app.kubernetes.io/managed-by=prom-fix";
    until("no helper is left", 20, || {
        scene.kubectl(&["get", "pods", "-l", managed, "-o", "name"]).stdout.is_empty()
    });
    let maps = scene.kubectl(&["get", "cm", "-l", managed, "-o", "name"]).stdout;
    assert!(maps.lines().all(|name| !name.contains("agent")), "{maps}");
    let pods = scene.kubectl(&["get", "pods", "-o", "json"]).expect(0).json();
    let held = |pod: &Value| text(pod, "/metadata/finalizers/0").contains("prom-fix");
    let all = pods["items"].as_array().expect("a list");
    assert!(!all.iter().any(held), "nothing is held");
}

macro_rules! salvages {
    ($($name:ident: $kind:expr, $image:expr, $damage:expr;)*) => {$(
        #[test]
        #[ignore = "needs the cluster: tests/run"]
        fn $name() {
            run($kind, $image, $damage);
        }
    )*};
}

salvages! {
    a_gap_in_a_set: Kind::Set, "v3.16.0", Damage::Gap;
    a_gap_in_a_deployment: Kind::Deployment, "v2.53.3", Damage::Gap;
    a_gap_in_a_resource: Kind::Resource, "v2.42.0", Damage::Gap;
    a_flipped_byte_in_a_set: Kind::Set, "v2.42.0-distroless", Damage::Flip;
    a_flipped_byte_in_a_resource: Kind::Resource, "v3.16.0-distroless", Damage::Flip;
    a_flipped_byte_in_a_release: Kind::Release, "v2.53.3", Damage::Flip;
    a_flipped_byte_in_a_deployment: Kind::Deployment, "v3.16.0", Damage::Flip;
    a_torn_checkpoint_in_a_set: Kind::Set, "v2.53.3-distroless", Damage::Checkpoint;
    a_torn_checkpoint_in_a_release: Kind::Release, "v3.16.0", Damage::Checkpoint;
    bad_head_chunks_in_a_deployment: Kind::Deployment, "v2.42.0", Damage::HeadChunks;
    bad_head_chunks_in_a_resource: Kind::Resource, "v2.53.3", Damage::HeadChunks;
    bad_head_chunks_in_a_release: Kind::Release, "v3.16.0", Damage::HeadChunks;
}
