//! Snapshots of the head, which a clean stop leaves where `memory-snapshot-on-shutdown` is on: they
//! stand for the log up to a place in it, so that a start reads on only from there.

use std::fs;
use std::path::{Path, PathBuf};

use super::dir::{self, Dir, edit, size};
use super::history;
use super::map::{self, Held, Map};
use super::server::{self, Release, Server};
use super::write::{Request, Value};
use crate::directory::{json, run};

const ON: &[&str] = &["--enable-feature=memory-snapshot-on-shutdown"];
/// Steps of each run; a segment each.
const RUN: i64 = 12;
/// New in each run.
const SERIES: i64 = 80;

fn snapshots(data: &Path) -> impl Iterator<Item = PathBuf> {
    let entries =
        fs::read_dir(data).expect("a folder").map(|entry| entry.expect("an entry").path());
    let name = |path: &PathBuf| path.to_string_lossy().contains("/chunk_snapshot.");
    entries.filter(name)
}

fn snapshot(data: &Path) -> PathBuf {
    snapshots(data).next().expect("a snapshot")
}

fn in_snapshot(data: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    edit(&snapshot(data).join("00000000"), change);
}

/// Of series of which each run has new ones. No histograms: 2.42 makes no snapshot where it takes them.
#[expect(clippy::cast_precision_loss, reason = "small")]
fn floats(step: i64) -> Request {
    let mut request = Request::default();
    for n in 0..SERIES + step / RUN * SERIES {
        let number = n.to_string();
        let labels = [("__name__", "steady_total"), ("n", number.as_str())];
        let value = Value::Float((n * 1000 + step) as f64 * 1.618_033_988_749_895);
        request.add(&labels, history::START + step * history::STEP, &value);
    }
    request
}

fn make(release: &Release, data: &Path) {
    for from in [0, RUN, 2 * RUN] {
        let server = Server::start_with(release, data, ON).expect("an own directory");
        (from..from + RUN).for_each(|step| server.write(&floats(step)));
        assert_eq!(server.stop(), Vec::<String>::new());
    }
}

struct Row {
    name: &'static str,
    does: fn(&Path),
    /// How often a survey tells of it.
    problems: usize,
    /// What Prometheus says of it on its own.
    says: &'static str,
    /// Whether the snapshot is left by a salvage.
    stays: bool,
    /// Samples that a salvage may lose where the release reads the snapshot, and where it does not.
    costs: [usize; 2],
}

const RECORD: usize = 3 * 80;
const ROWS: &[Row] = &[
    Row { name: "none", does: |_| {}, problems: 0, says: "", stays: true, costs: [0, 0] },
    Row {
        name: "flip in the snapshot",
        does: |data| in_snapshot(data, |bytes| bytes[900] ^= 0x10),
        problems: 1,
        says: "Failed to load chunk snapshot",
        stays: false,
        costs: [0, 0],
    },
    Row {
        name: "snapshot cut",
        does: |data| in_snapshot(data, |bytes| bytes.truncate(bytes.len() / 2)),
        problems: 1,
        says: "Failed to load chunk snapshot",
        stays: false,
        costs: [0, 0],
    },
    Row {
        name: "flip in the log before it",
        does: |data| edit(&data.join("wal/00000001"), |bytes| bytes[3000] ^= 0x10),
        problems: 1,
        says: "",
        stays: true,
        costs: [0, RECORD],
    },
    Row {
        name: "flip in the last Series record",
        does: |data| edit(&last(data), |bytes| bytes[50] ^= 0x10),
        problems: 1,
        says: "",
        stays: true,
        costs: [0, usize::MAX],
    },
    // The refs of the series that are lost with it are known to the snapshot alone.
    Row {
        name: "its segment cut short",
        does: |data| edit(&last(data), |bytes| bytes.truncate(40)),
        problems: 1,
        says: "",
        stays: true,
        costs: [0, usize::MAX],
    },
    Row {
        name: "its segment missing",
        does: |data| fs::remove_file(last(data)).expect("removed"),
        problems: 1,
        says: "",
        stays: true,
        costs: [0, usize::MAX],
    },
    Row {
        name: "two segments missing",
        does: |data| {
            fs::remove_file(last(data)).expect("removed");
            fs::remove_file(last(data)).expect("removed");
        },
        problems: 2,
        says: "Last WAL file is behind snapshot",
        stays: true,
        costs: [0, usize::MAX],
    },
    // Of a server that has run for months.
    Row {
        name: "no log, high numbers",
        does: |data| {
            fs::rename(data.join("wal"), data.with_extension("wal")).expect("moved");
            let old = snapshot(data);
            fs::rename(&old, old.with_file_name("chunk_snapshot.001500.0000032768"))
                .expect("moved");
        },
        problems: 2,
        says: "Last WAL file is behind snapshot",
        stays: true,
        costs: [0, usize::MAX],
    },
    // The common advice: what the log held, the snapshot holds.
    Row {
        name: "no log",
        does: |data| fs::rename(data.join("wal"), data.with_extension("wal")).expect("moved"),
        problems: 2,
        says: "Last WAL file is behind snapshot",
        stays: true,
        costs: [0, usize::MAX],
    },
];

fn last(data: &Path) -> PathBuf {
    Dir(data.to_owned()).numbered("wal").pop().expect("a segment").1
}

/// A start, writes, a kill, and a start: what is held of both.
fn follow(release: &Release, data: &Path, flags: &[&str], whole: &Map) -> (Held, Held, String) {
    let server = Server::start_with(release, data, flags).expect("it starts");
    let first = map::compare(&server.map(), whole, &Map::new(), &Map::new());
    let (request, since) = history::fresh(0);
    server.write(&request);
    let words = fs::read_to_string(data.with_extension("log")).expect("a log");
    // Without a new snapshot.
    drop(server);
    let server = Server::start_with(release, data, flags).expect("it starts");
    let second = map::compare(&server.map(), whole, &Map::new(), &since);
    (first, second, words)
}

#[test]
#[ignore = "starts Prometheus: tests/run"]
fn a_snapshot_of_the_head_loses_no_sample_and_gives_none_to_another_series() {
    let folder = tempfile::tempdir().expect("a folder");
    for release in server::releases() {
        let made = folder.path().join(format!("{}/made", release.version));
        fs::create_dir_all(&made).expect("a folder");
        make(&release, &made);
        let read = folder.path().join(format!("{}/read", release.version));
        dir::copy(&made, &read);
        let server = Server::start_with(&release, &read, ON).expect("a healthy directory");
        let whole = server.map();
        server.stop();
        let all = map::samples(&whole);
        for (number, row) in ROWS.iter().enumerate() {
            let at =
                |name: &str| folder.path().join(format!("{}/{number}/{name}", release.version));
            fs::create_dir_all(at("")).expect("a folder");
            let copy = |name: &str| {
                dir::copy(&made, &at(name));
                (row.does)(&at(name));
                at(name)
            };
            let at_release = format!("{} under {}", row.name, release.version);
            let (own, own_later, words) = follow(&release, &copy("own"), ON, &whole);
            // It does not see that its log is behind: it loads the snapshot, and never again reads
            // what it writes from then on.
            let deaf = release.version.starts_with("2.42") && row.says.starts_with("Last WAL");
            assert!(words.contains(row.says) || deaf, "{at_release}: {words}");
            for (name, flags, cost) in [("on", ON, row.costs[0]), ("off", &[], row.costs[1])] {
                let data = copy(name);
                let told = run(&["survey", "--json"], &data, if row.problems > 0 { 2 } else { 0 });
                let told = json(&told);
                let size = size(&snapshot(&data).join("00000000"));
                assert_eq!(told["snapshots"][0]["size"], size, "{at_release}");
                let problems = told["judged"]["problems"].as_array().map_or(0, Vec::len);
                assert_eq!(problems, row.problems, "{at_release}: {told}");
                let deleted = told["judged"]["deletesSnapshots"].is_array();
                assert_eq!(deleted, row.says.starts_with("Last WAL"), "{at_release}: {told}");
                run(&["salvage"], &data, 0);
                assert_eq!(snapshots(&data).next().is_some(), row.stays, "{at_release}");
                let (first, later, words) = follow(&release, &data, flags, &whole);
                println!(
                    "| {at_release} | {name} | {all} | {} | {} | {} | {} | {} | {} |",
                    own.kept,
                    own_later.kept,
                    own_later.foreign,
                    own_later.fresh,
                    first.kept,
                    later.kept,
                );
                assert!(!words.contains("Failed to load") && !words.contains("behind"), "{words}");
                for held in [first, later] {
                    assert!(
                        held.kept.saturating_add(cost) >= all,
                        "{at_release}, {name}: {held:?}"
                    );
                    assert_eq!(held.foreign, 0, "{at_release}, {name}: {held:?}");
                    assert!(held.kept >= own.kept || name == "off", "{at_release}: {held:?}");
                }
                assert_eq!(later.fresh, 600, "{at_release}, {name}: {later:?}");
            }
        }
    }
}

/// Somebody removed the log and started it without snapshots: what it wrote since is newer than the one
/// that is left, beside which no start would read it.
#[test]
#[ignore = "starts Prometheus: tests/run"]
fn a_log_that_began_anew_is_not_hidden_by_an_older_snapshot() {
    let folder = tempfile::tempdir().expect("a folder");
    for release in server::releases() {
        let data = folder.path().join(&release.version);
        fs::create_dir_all(&data).expect("a folder");
        make(&release, &data);
        for gone in ["wal", "chunks_head"] {
            fs::rename(data.join(gone), data.with_extension(gone)).expect("moved");
        }
        let server = Server::start(&release, &data).expect("it starts");
        let (request, since) = history::fresh(0);
        server.write(&request);
        drop(server);
        run(&["survey"], &data, 2);
        run(&["salvage"], &data, 0);
        assert_eq!(snapshots(&data).next(), None, "{}", release.version);
        run(&["survey"], &data, 0);
        let server = Server::start_with(&release, &data, ON).expect("it starts");
        let held = map::compare(&server.map(), &Map::new(), &Map::new(), &since);
        assert_eq!((held.fresh, held.foreign), (600, 0), "{}: {held:?}", release.version);
    }
}
