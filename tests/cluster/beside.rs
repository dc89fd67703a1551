//! What is damaged beside the segments: blocks and checkpoints of a server that makes one every 20
//! seconds, as others do every two hours.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::damage::{self, Samples, samples};
use super::install::{Install, Kind, ROOMY, serve};
use super::left::nothing_is_left;
use super::life::{first, until_told};
use super::scene::{Scene, until};

const QUICK: &[&str] =
    &["--storage.tsdb.min-block-duration=20s", "--storage.tsdb.max-block-duration=20s"];

/// One that has made a block and two checkpoints, and where its data is.
fn grown(scene: &Scene, image: &str) -> (Install, PathBuf) {
    serve(scene, "load", 40);
    let install = Install { arguments: QUICK, ..Install::new(Kind::Set, image, ROOMY) };
    install.apply(scene);
    scene.until_ready("prom-0", 60);
    let data = scene.folder("data-prom-0");
    until("it has made a checkpoint", 180, || checkpoint(&data) > 0 && !blocks(&data).is_empty());
    (install, data)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The number of the last checkpoint; 0 without one.
fn checkpoint(data: &Path) -> u64 {
    let numbers = names(&data.join("wal"));
    let whole = numbers.iter().filter_map(|name| name.strip_prefix("checkpoint.")?.parse().ok());
    whole.max().unwrap_or(0)
}

fn blocks(data: &Path) -> Vec<String> {
    // An ULID of this century.
    names(data).into_iter().filter(|name| name.len() == 26 && name.starts_with("01")).collect()
}

/// While it is stopped.
fn damaged(scene: &Scene, install: &Install, damage: impl Fn()) {
    Install { replicas: 0, ..install.clone() }.apply(scene);
    install.until_no_pods(scene);
    damage();
    install.apply(scene);
}

/// Looked at, mended as it was shown, and proved; the digest of what was done.
fn mended(scene: &Scene, more: &[&str]) -> String {
    let shown = scene.plugin(&["wal", "sts/prom", "--inspect", "-o", "json"]).expect(2).json();
    let digest = first(&shown, "/plan/digest");
    let args = ["wal", "sts/prom", "--inspect", "--apply", "--confirm", &digest, "--settle", "4s"];
    let args = [&args[..], &["-o", "json"], more].concat();
    let said = scene.plugin(&args);
    // Where a machine is slow a block of 20 seconds is cut before the proof looks, and that is not told
    // from a loss: then all that was promised but this is held to.
    let cut = "begins with this start: either all of them are older than its newest block";
    let is_cut = said.stderr.contains(cut);
    let report = said.expect(if is_cut { 124 } else { 0 }).json();
    let outcome = report.pointer("/reports/0/outcome").expect("an outcome");
    assert_eq!(outcome["proved"], Value::Bool(!is_cut), "{outcome}");
    nothing_is_left(scene);
    digest
}

/// Times of what it served and serves no more, once it takes samples again.
fn lost(scene: &Scene, before: &Samples) -> Vec<i64> {
    let last = before.keys().map(|(_, at)| *at).max().expect("samples");
    let mut after = Samples::new();
    until("it serves old samples and new ones", 90, || {
        after = samples(scene, "prom-0");
        after.keys().any(|(_, at)| *at > last)
    });
    damage::lost(before, &after)
}

/// From when to when a block holds samples, by its meta.json.
fn span(data: &Path, block: &str) -> std::ops::Range<i64> {
    let meta = fs::read(data.join(block).join("meta.json")).expect("a block");
    let meta: Value = serde_json::from_slice(&meta).expect("JSON");
    let time = |name: &str| meta[name].as_i64().expect("a time");
    time("minTime")..time("maxTime")
}

fn last_words(scene: &Scene) -> String {
    scene.kubectl(&["logs", "prom-0", "-c", "prometheus"]).stdout
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn one_block_that_cannot_be_opened_is_moved_aside() {
    let scene = Scene::new("block");
    let (install, data) = grown(&scene, "v2.42.0");
    let bad = blocks(&data).remove(0);
    let index = data.join(&bad).join("index");
    let whole = fs::read(&index).expect("an index");
    let (before, of_block) = (samples(&scene, "prom-0"), span(&data, &bad));
    damaged(&scene, &install, || fs::write(&index, &whole[..40]).expect("written"));
    until_told(&scene, "sts/prom", &["wal/corrupt-block"]);

    let shown = scene.plugin(&["wal", "sts/prom", "--inspect"]).expect(2).stdout;
    let said = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(&format!("moved aside, and not served: block {bad} (")), "{shown}");
    let others: Vec<String> = blocks(&data).into_iter().filter(|other| *other != bad).collect();
    // Who agrees before the look agrees to no such thing.
    let refused = scene.plugin(&["wal", "sts/prom", "--inspect", "--apply", "--yes"]).expect(3);
    assert!(refused.stderr.contains("--yes agrees to a plan that "), "{}", refused.stderr);
    let said = refused.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let beyond = format!("a --yes before the look does not cover that it sets aside block {bad} (");
    assert!(said.contains(&beyond), "{}", refused.stdout);
    assert!(blocks(&data).contains(&bad));
    let digest = mended(&scene, &[]);
    let left = blocks(&data);
    assert!(!left.contains(&bad) && others.iter().all(|other| left.contains(other)), "{left:?}");
    let lost = lost(&scene, &before);
    assert!(lost.iter().all(|at| of_block.contains(at)), "{lost:?} of {of_block:?}");

    // Whatever was written since: a block fits beside any log.
    scene.plugin(&["undo", &digest, "--yes", "--force"]).expect(0);
    assert_eq!(fs::read(&index).expect("it is back"), &whole[..40]);
    until_told(&scene, "sts/prom", &["wal/corrupt-block"]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_log_whose_checkpoint_is_gone_is_read_all_the_same() {
    let scene = Scene::new("lost");
    let (install, data) = grown(&scene, "v2.53.3");
    let gone = data.join(format!("wal/checkpoint.{:08}", checkpoint(&data)));
    let before = samples(&scene, "prom-0");
    damaged(&scene, &install, || fs::rename(&gone, data.join("gone")).expect("renamed"));
    until_told(&scene, "sts/prom", &["wal/checkpoint-lost"]);
    let in_blocks = blocks(&data).iter().map(|block| span(&data, block).end).max().unwrap_or(0);
    mended(&scene, &[]);
    // The checkpoint alone named them: of the head nothing says of which series it is.
    let lost = lost(&scene, &before);
    assert!(lost.iter().all(|at| *at >= in_blocks), "{lost:?} before {in_blocks}");
    assert!(before.keys().any(|(_, at)| *at < in_blocks), "and of blocks there are some");
    assert!(!last_words(&scene).contains("attempting repair"));
}

/// It serves, and would lose the log at its next start: nothing is done that nobody agreed to.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_server_that_cannot_write_a_checkpoint_writes_one_again() {
    let scene = Scene::new("failing");
    let (_, data) = grown(&scene, "v3.16.0");
    // The newest that is full: the next checkpoint but one has to read it.
    let wal = data.join("wal");
    let mut segments = names(&wal);
    segments.retain(|name| name.parse::<u64>().is_ok());
    let segment = wal.join(&segments[segments.len() - 2]);
    let mut bytes = fs::read(&segment).expect("a segment");
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("records");
    bytes[last - 3] ^= 0x55;
    fs::write(&segment, bytes).expect("written");

    until("its checkpoint fails", 120, || {
        let said = scene.plugin(&["diagnose", "sts/prom", "-o", "json"]);
        said.code == 2 && said.stdout.contains("wal/checkpoint-failing")
    });
    let said = scene.plugin(&["diagnose", "sts/prom"]).expect(2).stdout;
    assert!(said.starts_with("DANGER  do not restart or delete pod/prom-0"), "{said}");
    scene.until_ready("prom-0", 5);
    scene.plugin(&["wal", "sts/prom", "--inspect", "--apply", "--yes"]).expect(3);
    scene.until_ready("prom-0", 5);

    let (before, served) = (checkpoint(&data), samples(&scene, "prom-0"));
    mended(&scene, &["--allow-downtime"]);
    let mut lost = lost(&scene, &served);
    lost.sort_unstable();
    lost.dedup();
    assert!(lost.len() <= 1, "a record, which is of one scrape: {lost:?}");
    until("it writes the next", 120, || checkpoint(&data) > before);
    let said = last_words(&scene);
    assert!(!said.contains("compaction failed") && !said.contains("attempting repair"), "{said}");
    scene.plugin(&["diagnose", "sts/prom"]).expect(0);
}
