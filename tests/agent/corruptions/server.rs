//! A real Prometheus on a data directory of this machine, and what it says.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::map::{self, Map};
use super::write::Request;

/// A release, and its program.
#[derive(Clone, Debug)]
pub struct Release {
    pub version: String,
    pub program: PathBuf,
}

/// Those that the tests know, oldest first; built where they are missing.
pub fn releases() -> Vec<Release> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/prometheus");
    let output = Command::new(script).output().expect("the script starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tests/cluster/prometheus: {words}");
    let lines = String::from_utf8(output.stdout).expect("text");
    let release = |line: &str| {
        let (version, program) = line.split_once(' ').expect("VERSION PROGRAM");
        Release { version: version.to_owned(), program: program.into() }
    };
    lines.lines().map(release).collect()
}

impl Release {
    /// How it writes its log here: every release another way, so that all are read.
    fn compression(&self) -> &'static str {
        match self.version.split('.').next() {
            Some("3") => "--storage.tsdb.wal-compression-type=zstd",
            _ if self.version.starts_with("2.53") => "--no-storage.tsdb.wal-compression",
            _ => "--storage.tsdb.wal-compression",
        }
    }
}

pub struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
    data: PathBuf,
}

/// It ended before it was ready: its last words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead(pub String);

const CONFIG: &str = "storage: {tsdb: {out_of_order_time_window: 2h}}\n";
const PATIENCE: Duration = Duration::from_secs(60);

impl Server {
    /// Ready, or dead. The log is written beside `data`.
    pub fn start(release: &Release, data: &Path) -> Result<Server, Dead> {
        Server::start_with(release, data, &[])
    }

    /// Also where the lock is off unless it is asked for, as in Debian's 2.42.
    pub fn start_locked(release: &Release, data: &Path) -> Result<Server, Dead> {
        let is_debians = release.version.starts_with("2.42");
        let flags: &[&str] = if is_debians { &["--storage.tsdb.use-lockfile"] } else { &[] };
        Server::start_with(release, data, flags)
    }

    pub fn start_with(release: &Release, data: &Path, flags: &[&str]) -> Result<Server, Dead> {
        let config = data.with_extension("yml");
        fs::write(&config, CONFIG).expect("a config");
        let log = data.with_extension("log");
        // A port of its own may be taken between looking and using it.
        for _ in 0..5 {
            let port = free_port();
            let file = File::create(&log).expect("a log");
            let mut command = Command::new(&release.program);
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--storage.tsdb.path={}", data.display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            command.args([
                release.compression(),
                "--web.enable-remote-write-receiver",
                "--storage.tsdb.retention.time=3650d",
            ]);
            if !flags.iter().any(|flag| flag.starts_with("--enable-feature=")) {
                command.arg("--enable-feature=native-histograms,exemplar-storage");
            }
            command.args(flags);
            command.stdout(file.try_clone().expect("a second handle")).stderr(file);
            let child = command.spawn().expect("Prometheus starts");
            let mut server = Server { child, port, log: log.clone(), data: data.to_owned() };
            if server.is_ready() {
                return Ok(server);
            }
            if !server.words().contains("address already in use") {
                return Err(Dead(server.last_words()));
            }
        }
        panic!("no port is free");
    }

    fn is_ready(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            if self.child.try_wait().expect("a child").is_some() {
                return false;
            }
            if self.is_itself() {
                return true;
            }
            assert!(Instant::now() < end, "not ready: {}", self.words());
            sleep(Duration::from_millis(10));
        }
    }

    /// Whether it answers, which it does not before it is ready: it, and not the server of another
    /// test that was given the same port, before this one sees that the port is taken.
    fn is_itself(&self) -> bool {
        let Some((200, body)) = self.get("/api/v1/status/flags") else { return false };
        let flags: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let path = flags["data"]["storage.tsdb.path"].as_str();
        path.is_some_and(|path| Path::new(path) == self.data)
    }

    /// Asks it to end, and sees that it does. What it complained of since it started.
    pub fn stop(mut self) -> Vec<String> {
        let mut kill = Command::new("kill");
        kill.arg(self.child.id().to_string());
        assert!(kill.status().expect("kill").success(), "it ended by itself: {}", self.words());
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "{status}: {}", self.words());
        self.words().lines().filter(|line| is_complaint(line)).map(str::to_owned).collect()
    }

    fn words(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    /// Why it ended.
    fn last_words(&self) -> String {
        let words = self.words();
        let why = |line: &&str| line.contains("err=") || line.starts_with("panic:");
        let line = words.lines().rfind(why).or(words.lines().last()).unwrap_or_default();
        line.split_once("err=").map_or(line, |(_, error)| error).to_owned()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All samples of all series.
    pub fn map(&self) -> Map {
        // {__name__=~".+"}[30d]
        let query = "%7B__name__%3D~%22.%2B%22%7D%5B30d%5D";
        let time = super::history::START / 1000 + 86_400;
        let path = format!("/api/v1/query?query={query}&time={time}");
        let (status, body) = self.get(&path).expect("an answer");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        map::read(&body)
    }

    pub fn write(&self, request: &Request) {
        let headers = "Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n\
                       X-Prometheus-Remote-Write-Version: 0.1.0\r\n";
        let (status, body) =
            self.ask("POST", "/api/v1/write", headers, &request.body()).expect("an answer");
        assert!(status / 100 == 2, "{status}: {}", String::from_utf8_lossy(&body));
    }

    /// Waits until the head begins at or after a time in milliseconds, for what was before is in
    /// blocks then, and until nothing more is made of it. Whether that came to be, and a block on the
    /// disk reaches to that time.
    #[must_use]
    pub fn wait_for_head(&self, from: i64) -> bool {
        let end = Instant::now() + Duration::from_secs(20);
        let (mut last, mut same) = (None, 0);
        while Instant::now() < end && !self.words().contains("compaction failed") {
            let state = self.head(from);
            same = if state.is_some() && state == last { same + 1 } else { 0 };
            // The block of late samples comes after that of the others.
            if same == 3 {
                return blocks_end(&self.data) >= Some(from);
            }
            last = state;
            sleep(Duration::from_millis(150));
        }
        false
    }

    /// What changes while blocks are made of the head, once it begins late enough.
    fn head(&self, from: i64) -> Option<String> {
        let (_, body) = self.get("/metrics")?;
        let text = String::from_utf8(body).ok()?;
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let begins: f64 = value("prometheus_tsdb_head_min_time ")?.parse().ok()?;
        #[expect(clippy::cast_precision_loss, reason = "Prometheus prints it so")]
        let late_enough = begins >= from as f64;
        let done = ["prometheus_tsdb_compactions_total ", "prometheus_tsdb_reloads_total "];
        late_enough.then(|| done.map(|name| value(name).unwrap_or_default()).concat())
    }

    /// What it says of itself.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, body) = self.get("/metrics").expect("an answer");
        let text = String::from_utf8(body).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name}: {text}")).parse().expect("a number")
    }

    pub fn get(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        self.ask("GET", path, "", &[])
    }

    /// HTTP/1.0: the answer ends where the connection does.
    fn ask(&self, verb: &str, path: &str, headers: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let length = body.len();
        let head = format!("{verb} {path} HTTP/1.0\r\n{headers}Content-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let status = answer.get(9..12).and_then(|s| std::str::from_utf8(s).ok()?.parse().ok())?;
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        Some((status, answer.split_off(head)))
    }
}

/// A test that fails leaves no server behind.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the last block ends, in milliseconds.
fn blocks_end(data: &Path) -> Option<i64> {
    let folders = fs::read_dir(data).expect("a folder");
    let metas = folders.filter_map(|entry| fs::read(entry.ok()?.path().join("meta.json")).ok());
    let end = |meta: Vec<u8>| {
        serde_json::from_slice::<serde_json::Value>(&meta).ok()?.get("maxTime")?.as_i64()
    };
    metas.filter_map(end).max()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A warning or an error, but for those that say nothing of the data, and for the notice that samples
/// of lost series were passed over: they are lost, not in the way. A compaction that is under way
/// when the server is stopped is canceled.
fn is_complaint(line: &str) -> bool {
    let harmless = [
        "Received SIGTERM",
        "Received an OS signal",
        "is a no-op",
        "A lockfile from a previous execution",
        "Unknown series references",
        "context canceled",
        // A file went away while sizes were summed.
        "Failed to calculate size of",
        // Of a page that stands twice.
        "replaying WAL on exemplar record",
        // Those of late samples are such until they are merged.
        "Overlapping blocks found during reloadBlocks",
    ];
    ["level=warn", "level=error", "level=WARN", "level=ERROR"].iter().any(|l| line.contains(l))
        && !harmless.iter().any(|words| line.contains(words))
}
