//! Directories that real releases wrote, each its own: what a survey counts in them, against what
//! Prometheus' own reader does; and the lock, which is one for both.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use prom_fix::datadir::lock::Lock;
use prom_fix::walfile::count::Counts;
use serde_json::Value;

use crate::corruptions::history;
use crate::corruptions::server::{self, Dead, Server};
use crate::directory::{self as d, everything, json, run};
use crate::go;

/// What its reader gives of each file of a log, by the name of the file.
pub fn by_prometheus(program: &Path, log: &Path) -> BTreeMap<String, Counts> {
    let output = Command::new(program).arg("count").arg(log).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("counts")
}

/// What is told of each file of a log, by its name.
fn told(files: &Value) -> BTreeMap<String, Counts> {
    let file = |file: &Value| {
        let counts = serde_json::from_value(file["counts"].clone()).expect("counts");
        (format!("{:08}", file["number"].as_u64().expect("a number")), counts)
    };
    files.as_array().expect("a list").iter().map(file).collect()
}

/// Records and entries by type, the time of the samples, the refs of the series.
#[test]
#[ignore = "starts Prometheus, needs Go: tests/run"]
fn a_survey_says_of_each_file_what_prometheus_own_reader_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = go::build(go::WAL, folder.path()).expect("go starts");
    for release in server::releases() {
        let data = folder.path().join(&release.version);
        history::make(&release, &data);
        let survey = json(&run(&["survey", "--json"], &data, 0));
        let checkpoint = &survey["checkpoints"][0];
        let path = PathBuf::from(checkpoint["path"].as_str().expect("a checkpoint"));
        for (log, files) in [
            (data.join("wal"), &survey["segments"]),
            (path, &checkpoint["files"]),
            (data.join("wbl"), &survey["wbl"]),
        ] {
            let theirs = by_prometheus(&program, &log);
            let spans = theirs.values().filter(|counts| counts.entries.span.is_some()).count();
            let refs = theirs.values().filter(|counts| counts.entries.refs.is_some()).count();
            println!("{}: {} files, times in {spans}, refs in {refs}", log.display(), theirs.len());
            assert!(spans + refs > 0 && (spans * refs > 0 || !log.ends_with("wal")), "{theirs:?}");
            assert_eq!(told(files), theirs, "{}", log.display());
        }
        beside_the_log(&survey, &data);
    }
}

/// Each block as its meta.json has it, and the bytes of its files; of chunks of the head the bytes, too.
fn beside_the_log(survey: &Value, data: &Path) {
    let size = |path: &Path| fs::metadata(path).expect("a file").len();
    let blocks = survey["blocks"].as_array().expect("a list");
    assert!(!blocks.is_empty(), "{survey:#}");
    for block in blocks {
        let at = data.join(block["ulid"].as_str().expect("a name"));
        let meta = json(&fs::read_to_string(at.join("meta.json")).expect("a block"));
        let stats = &meta["stats"];
        assert_eq!(block["samples"], stats["numSamples"]);
        assert_eq!(block["series"], stats["numSeries"]);
        assert_eq!(
            block["span"],
            serde_json::json!({"first": meta["minTime"], "last": meta["maxTime"]})
        );
        assert_eq!(block["level"], meta["compaction"]["level"]);
        let chunks = fs::read_dir(at.join("chunks")).expect("a folder");
        let chunks: Vec<u64> = chunks.map(|file| size(&file.expect("a file").path())).collect();
        assert_eq!(block["chunkFiles"], chunks.len());
        assert_eq!(block["size"], chunks.iter().sum::<u64>() + size(&at.join("index")));
    }
    let files = survey["chunksHead"].as_array().expect("a list");
    assert!(!files.is_empty(), "{survey:#}");
    for file in files {
        let name = format!("chunks_head/{:06}", file["number"].as_u64().expect("a number"));
        assert_eq!(file["size"], size(&data.join(name)));
    }
}

/// A salvage that ended before its end: there is something to resume and to restore.
fn half_salvaged(data: &Path) {
    d::flip(data, "wal/00000000", 100);
    run(&["salvage"], data, 0);
    let all = everything(data);
    let manifest = all.keys().find(|path| path.ends_with("manifest.json")).expect("a manifest");
    let text = fs::read_to_string(data.join(manifest)).expect("JSON");
    let text = text.replace("\"phase\": \"done\"", "\"phase\": \"swapping\"");
    fs::write(data.join(manifest), text).expect("written");
}

/// Both take the same lock, each in its own way: the agent's is taken here as the agent takes it.
#[test]
#[ignore = "starts Prometheus: tests/run"]
fn prometheus_and_the_agent_refuse_while_the_other_has_the_lock() {
    let folder = tempfile::tempdir().expect("a folder");
    for release in server::releases() {
        let data = folder.path().join(&release.version);
        d::put(&data, "wal/00000000", &d::log(&[d::series(1..60), d::samples(1..60, 1000)]));
        half_salvaged(&data);
        let server = Server::start_locked(&release, &data).expect("nobody has it");
        let before = everything(&data.join("wal"));
        let survey = json(&run(&["survey", "--json"], &data, 0));
        assert_eq!(survey["lock"], serde_json::json!({"state": "held", "pid": server.pid()}));
        for words in [
            &["salvage"][..],
            &["resume"],
            &["restore"],
            &["restore", "--force"],
            &["chown", "--uid", "65534", "--gid", "65534"],
            &["chown", "--uid", "65534", "--gid", "65534", "--prove"],
        ] {
            let refused = run(words, &data, 3);
            assert!(refused.contains("held by a Prometheus that runs"), "{words:?}: {refused}");
            assert_eq!(everything(&data.join("wal")), before, "{words:?}");
        }
        server.stop();

        let lock = Lock::take(&data).expect("nobody has it");
        let before = everything(&data.join("wal"));
        let Err(Dead(why)) = Server::start_locked(&release, &data) else {
            panic!("{} started under a lock", release.version)
        };
        assert!(why.contains("lock DB directory: resource temporarily unavailable"), "{why}");
        assert_eq!(everything(&data.join("wal")), before);
        drop(lock);
        Server::start_locked(&release, &data).expect("nobody has it any more").stop();
    }
}

/// A number in a log is a segment to Prometheus, whatever it is: at a folder it cuts the log, and
/// deletes what comes after it.
#[test]
#[ignore = "starts Prometheus: tests/run"]
fn a_folder_named_as_a_file_of_the_log_costs_what_the_survey_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = |refs| d::log(&[d::series(refs), d::samples(1..60, 1000)]);
    let told = |data: &Path| {
        let text = run(&["survey"], data, 2);
        assert!(text.contains("No salvage begins before every file of it can be read"), "{text}");
        run(&["salvage"], data, 1);
        json(&run(&["survey", "--json"], data, 2))["judged"].clone()
    };
    for release in server::releases() {
        let data = folder.path().join(format!("wal-{}", release.version));
        d::put(&data, "wal/00000000", &log(1..60));
        fs::create_dir_all(data.join("wal/00000001")).expect("made");
        d::put(&data, "wal/00000002", &log(60..90));
        let judged = told(&data);
        assert_eq!(judged["problems"][0]["kind"], "closed");
        let next = &judged["nextStart"];
        assert_eq!((&next["does"], &next["number"]), (&Value::from("repairs"), &Value::from(1)));
        assert_eq!(next["deletes"], Value::from(vec![2]));
        Server::start(&release, &data).expect("it cuts the log").stop();
        assert_ne!(fs::read(data.join("wal/00000002")).unwrap_or_default(), log(60..90));

        let data = folder.path().join(format!("chunks-{}", release.version));
        d::put(&data, "wal/00000000", &log(1..60));
        fs::create_dir_all(data.join("chunks_head/000001")).expect("made");
        let judged = told(&data);
        assert_eq!(judged["problems"][0]["kind"], "headChunks");
        assert_eq!(judged["nextStart"]["does"], "fails");
        let Err(Dead(said)) = Server::start(&release, &data) else { panic!("it starts") };
        assert!(said.contains("opening storage failed"), "{said}");
    }
}
