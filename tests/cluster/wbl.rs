//! The log of samples that came out of order (`wbl`) is damaged: 2.39 to 2.47 answer by cutting the
//! healthy log beside it, at every start; later ones cut only that.

use serde_json::Value;

use super::api;
use super::damage::{Samples, flip, now, samples_of};
use super::install::{Install, Kind, ROOMY};
use super::left::nothing_is_left;
use super::life::{first, until_told};
use super::scene::Scene;

const RECEIVES: &[&str] = &["--web.enable-remote-write-receiver"];
const SERIES: u32 = 20;
/// Requests with samples of the past, each a record of its own.
const LATE: u32 = 8;

/// A request of remote write (prometheus prompb/remote.proto): one sample of each series.
fn request(time: i64) -> Vec<u8> {
    let one = |number: u32| {
        let label = |name: &str, value: &str| {
            message(1, &[message(1, name.as_bytes()), message(2, value.as_bytes())].concat())
        };
        let labels =
            [label("__name__", "late"), label("job", "load"), label("n", &number.to_string())];
        let value = [&[1 << 3 | 1][..], &f64::from(number).to_le_bytes()].concat();
        let time = [&[2 << 3][..], &varint(time.cast_unsigned())].concat();
        message(1, &[labels.concat(), message(2, &[value, time].concat())].concat())
    };
    let body: Vec<u8> = (0..SERIES).flat_map(one).collect();
    snap::raw::Encoder::new().compress_vec(&body).expect("it fits")
}

fn message(field: u8, value: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2][..], &varint(value.len() as u64), value].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
    out
}

fn send(scene: &Scene, time: i64) {
    let path = format!("/api/v1/namespaces/{}/pods/prom-0:9090/proxy/api/v1/write", scene.ns);
    api::send("POST", &path, "", request(time)).expect("it is taken");
}

fn with_late(scene: &Scene, image: &str) -> Samples {
    let install = Install::new(Kind::Set, image, ROOMY);
    let install = Install { scrapes: false, arguments: RECEIVES, ..install };
    let window = "{storage: {tsdb: {out_of_order_time_window: 1h}}, global:";
    scene.apply(&install.manifest().replace("{global:", window));
    scene.until_ready("prom-0", 60);
    let newest = now();
    send(scene, newest);
    for late in 1..=LATE {
        send(scene, newest - i64::from(late) * 60_000);
    }
    let taken = samples_of(scene, "prom-0", "late");
    let all = (u64::from(LATE) + 1) * u64::from(SERIES);
    assert_eq!(taken.len() as u64, all);
    taken
}

/// In the last record of the log that is not of this start.
fn damaged(scene: &Scene, target: &str) {
    scene.plugin(&["freeze", target, "--yes", "--allow-downtime"]).expect(0);
    flip(&scene.folder("data-prom-0").join("wbl/00000000"));
}

/// Mended as it was shown; of one request the samples are lost, and of what came in order none.
fn mended(scene: &Scene, more: &[&str], before: &Samples) {
    let shown = scene.plugin(&["wal", "sts/prom", "--inspect", "-o", "json"]).expect(2).json();
    let digest = first(&shown, "/plan/digest");
    let args = ["wal", "sts/prom", "--inspect", "--apply", "--confirm", &digest, "--settle", "4s"];
    let report = scene.plugin(&[&args[..], &["-o", "json"], more].concat()).expect(0).json();
    assert_eq!(report.pointer("/reports/0/outcome/proved"), Some(&Value::Bool(true)));
    nothing_is_left(scene);
    let after = samples_of(scene, "prom-0", "late");
    let mut lost: Vec<i64> =
        before.keys().filter(|key| !after.contains_key(*key)).map(|(_, at)| *at).collect();
    lost.dedup();
    lost.sort_unstable();
    lost.dedup();
    let oldest = before.keys().map(|(_, at)| *at).min().expect("samples");
    assert_eq!(lost, [oldest], "of {} samples {} are there", before.len(), after.len());
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_damaged_log_of_late_samples_is_mended_while_it_is_held() {
    let scene = Scene::new("wbl");
    let before = with_late(&scene, "v3.16.0");
    damaged(&scene, "sts/prom");
    until_told(&scene, "sts/prom", &["other/repair-unfinished"]);
    mended(&scene, &[], &before);
    let said = scene.kubectl(&["logs", "prom-0", "-c", "prometheus"]).stdout;
    assert!(!said.contains("attempting repair"), "{said}");
}

/// It serves, and cuts its healthy log at each start.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_damaged_log_of_late_samples_that_costs_the_healthy_one_is_mended() {
    let scene = Scene::new("wbl");
    let before = with_late(&scene, "v2.42.0");
    damaged(&scene, "sts/prom");
    scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0);
    until_told(&scene, "sts/prom", &["wal/corrupt-wbl"]);
    let said = scene.plugin(&["diagnose", "sts/prom"]).expect(2).stdout;
    assert!(said.starts_with("DANGER  do not restart or delete pod/prom-0"), "{said}");
    mended(&scene, &["--allow-downtime"], &before);
    scene.plugin(&["diagnose", "sts/prom"]).expect(0);
}
