//! What real Prometheus keeps of a broken data directory, by itself and after a salvage: measured by
//! starting it on both, thrice, and reading every sample of every series through its API. Between the
//! starts series are written that did not exist before, and the head is written to a block.

mod damage;
mod dir;
mod foretold;
pub mod history;
pub mod map;
pub mod server;
mod trial;
pub mod write;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;

use damage::Damage;
use server::Release;
use trial::{Healthy, Row};

/// Each damage with one release, or `PROM_FIX_MATRIX=1`: with every one; `PROM_FIX_ONLY`: those whose
/// names contain it.
#[test]
#[ignore = "starts Prometheus: tests/run, tests/bench/corruptions"]
fn what_prometheus_keeps_by_itself_and_after_a_salvage() {
    let releases = server::releases();
    let folder = tempfile::tempdir().expect("a folder");
    let healthy: BTreeMap<String, Healthy> = std::thread::scope(|scope| {
        let make =
            |release: &Release| Healthy::make(release, &folder.path().join(&release.version));
        let made: Vec<_> = releases.iter().map(|r| (r, scope.spawn(move || make(r)))).collect();
        made.into_iter()
            .map(|(r, thread)| (r.version.clone(), thread.join().expect("made")))
            .collect()
    });
    let tasks = Mutex::new(chosen(&releases).into_iter().enumerate());
    let rows = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = tasks.lock().expect("no thread failed").next();
                    let Some((at, (damage, release))) = next else { return };
                    let place = folder.path().join(format!("{at}"));
                    let row = trial::run(damage, &healthy[&release.version], &place);
                    rows.lock().expect("no thread failed").insert(at, row);
                }
            });
        }
    });
    let rows = rows.into_inner().expect("no thread failed");
    println!("{}", table(rows.values()));
    let wrong: Vec<String> = rows.values().flat_map(Row::wrong).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn chosen(releases: &[Release]) -> Vec<(&'static Damage, &Release)> {
    let set = |name: &str| std::env::var(name).ok();
    let matrix = set("PROM_FIX_MATRIX").is_some_and(|matrix| matrix == "1");
    let only = set("PROM_FIX_ONLY").unwrap_or_default();
    let mut found = Vec::new();
    for (at, damage) in damage::ALL.iter().enumerate() {
        for (number, release) in releases.iter().enumerate() {
            if damage.name.contains(&only) && (matrix || at % releases.len() == number) {
                found.push((damage, release));
            }
        }
    }
    found
}

fn table<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut text = String::from(
        "\n| damage | Prometheus | samples | by itself | after a third start | ours | after a third start | accepted |\n\
         |---|---|--:|--:|--:|--:|--:|---|\n",
    );
    for row in rows {
        writeln!(text, "{row}").expect("a string");
    }
    text
}
