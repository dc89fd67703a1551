//! A server with a log of several segments, and what is done to it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::api;
use super::install::{Install, Kind};
use super::life::until_told;
use super::scene::{Scene, until};

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
    /// The same where nobody held it: that start has deleted them, and ended over the damage.
    Crash,
}

/// Lives of the server, each of which has a segment of its own.
const LIVES: usize = 3;
pub const LOAD: u32 = 40;

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
    // metric{job="load"}[3h]
    let query = format!("{metric}%7Bjob%3D%22load%22%7D%5B3h%5D");
    let base = format!("/api/v1/namespaces/{}/pods/{pod}:9090/proxy", scene.ns);
    let answer = api::get_json(&format!("{base}/api/v1/query?query={query}")).unwrap_or_default();
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

/// Times of what was served and is no more; of what was before, nothing that is served is another.
#[track_caller]
pub fn lost(before: &Samples, after: &Samples) -> Vec<i64> {
    let last = before.keys().map(|(_, at)| *at).max().expect("samples");
    let old = after.iter().filter(|((_, at), _)| *at <= last);
    let foreign: Vec<_> = old.filter(|(key, value)| before.get(*key) != Some(*value)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    before.keys().filter(|key| !after.contains_key(*key)).map(|(_, at)| *at).collect()
}

pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("soon")
}

/// A server with a log, and where it is.
pub struct Server<'a> {
    pub scene: &'a Scene,
    pub install: Install,
    pub data: PathBuf,
    /// When each of its lives ended.
    pub ends: Vec<i64>,
}

impl<'a> Server<'a> {
    pub fn pod(&self) -> String {
        self.install.pods(self.scene).first().cloned().unwrap_or_default()
    }

    /// Until it has taken samples since `from`.
    pub fn until_taken(&self, from: i64) {
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
        server.data = data_of(scene, &server.pod());
        let before = samples(scene, &server.pod());
        (server, before)
    }

    pub fn segment(&self, number: u32) -> PathBuf {
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
            Damage::Crash => self.crashes(),
            Damage::Flip | Damage::Checkpoint => {
                // It serves, and is to be stopped all the same.
                scene.until_ready(&self.pod(), 60);
                scene.plugin(&["freeze", target, "--yes"]).expect(3);
                scene.plugin(&["freeze", target, "--yes", "--allow-downtime"]).expect(0);
                if damage == Damage::Checkpoint {
                    self.tear_checkpoint();
                } else {
                    flip(&self.segment(1));
                }
            }
        }
    }

    fn tear_checkpoint(&self) {
        let folder = self.data.join("wal/checkpoint.00000000");
        fs::create_dir(&folder).expect("a checkpoint is a folder");
        let own = fs::metadata(self.segment(0)).expect("a segment");
        chown(&folder, Some(own.uid()), Some(own.gid())).expect("as Prometheus' own");
        fs::rename(self.segment(0), folder.join("00000000")).expect("of segments");
        flip(&folder.join("00000000"));
    }

    /// Its start has deleted the segments, ended over the damage, and the next would come up without
    /// most of the checkpoint. It is stopped before that.
    fn crashes(&self) {
        let Server { scene, install, .. } = self;
        let (pod, target) = (self.pod(), install.target());
        let name = if install.kind == Kind::Release { "prometheus-server" } else { "prometheus" };
        let status = format!(".status.containerStatuses[?(@.name==\"{name}\")]");
        let of = |path: &str| scene.field(&format!("pod/{pod}"), &format!("{status}.{path}"));
        let starts = || of("restartCount").parse::<u32>().unwrap_or(0);
        let told = || quit(scene, &pod);
        // So often that the kubelet waits 20 s for the next start, and 40 s for that after it. Its answer
        // may be lost with it: then it is told once more, and may start once more than was meant.
        for times in 1..=2 {
            let mut is_told = false;
            until("it is ended, and started again", 120, || {
                is_told = is_told || told();
                starts() >= times
            });
        }
        let end = || of("lastState.terminated.finishedAt");
        let last = end();
        until("it has run to be ended, and waits", 180, || {
            let _ = told();
            of("state.waiting.reason") == "CrashLoopBackOff" && end() != last
        });
        self.tear_checkpoint();
        until_told(scene, target, &["wal/corrupt-checkpoint"]);
        // The kubelet may not have told yet that it ended.
        let mut words = String::new();
        until("the time until its next start is told", 30, || {
            let told = scene.plugin(&["diagnose", target]).expect(2).stdout;
            words = told.split_whitespace().collect::<Vec<_>>().join(" ");
            words.contains("its next start (in about ")
        });
        let first = format!("DANGER do not restart or delete pod/{pod}: its next start (in about ");
        assert!(words.starts_with(&first), "{words}");
        assert!(words.contains("comes up without most of WAL checkpoint 0"), "{words}");
        scene.plugin(&["freeze", target, "--yes"]).expect(0);
    }
}

/// Where a pod has its data.
pub fn data_of(scene: &Scene, pod: &str) -> PathBuf {
    let path = ".spec.volumes[*].persistentVolumeClaim.claimName";
    let root = scene.folder(&scene.field(&format!("pod/{pod}"), path));
    let below = root.join("prometheus-db");
    if below.exists() { below } else { root }
}

/// Asks a pod's server to quit. Whether it said that it will: it may be gone before its answer is.
pub fn quit(scene: &Scene, pod: &str) -> bool {
    let path = format!("/api/v1/namespaces/{}/pods/{pod}:9090/proxy/-/quit", scene.ns);
    api::send("POST", &path, "", Vec::new()).is_ok()
}

pub fn flip(file: &Path) {
    let mut bytes = fs::read(file).expect("a segment");
    // In the last of its records, which is of samples.
    let at = bytes.iter().rposition(|byte| *byte != 0).expect("bytes") - 3;
    bytes[at] ^= 0x55;
    fs::write(file, bytes).expect("written");
}

/// Every file of the log and its checkpoints with its bytes, but empty segments: each start makes one.
pub fn files(data: &Path) -> Files {
    let mut all = BTreeMap::new();
    let mut folders = vec!["wal".to_owned(), "chunks_head".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(data.join(&folder)).into_iter().flatten().flatten() {
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            match fs::read(entry.path()) {
                _ if entry.path().is_dir() => folders.push(name),
                Ok(bytes) if !bytes.is_empty() => drop(all.insert(name, bytes)),
                Ok(_) | Err(_) => {}
            }
        }
    }
    all
}
