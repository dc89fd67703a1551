//! What real Prometheus keeps of a broken data directory, by itself and after a salvage: measured by
//! starting it on both, thrice, and reading every sample of every series through its API. Between the
//! starts series are written that did not exist before, and the head is written to a block.

mod cut;
mod damage;
mod dir;
mod foretold;
pub mod history;
pub mod map;
mod replay;
pub mod server;
mod snapshots;
mod tail;
mod trial;
pub mod write;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use damage::Damage;
use server::Release;
use trial::{Healthy, Row};

use crate::go;

/// Each damage with one release, or `PROM_FIX_MATRIX=1`: with every one; `PROM_FIX_ONLY`: those whose
/// names contain it.
#[test]
#[ignore = "starts Prometheus: tests/run, tests/bench/corruptions"]
fn what_prometheus_keeps_by_itself_and_after_a_salvage() {
    let releases = server::releases();
    let folder = tempfile::tempdir().expect("a folder");
    let healthy = healthy(&releases, folder.path());
    let chosen = chosen(&healthy, |healthy| healthy.library);
    let rows = at_once(&chosen, |at, (damage, healthy)| {
        trial::of_damage(damage, healthy, &folder.path().join(format!("{at}")))
    });
    println!("{}", table(rows.iter()));
    let wrong: Vec<String> = rows.iter().flat_map(Row::wrong).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Two at a time, since a start mostly waits; in their order.
fn at_once<T: Sync, R: Send>(tasks: &[T], each: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let left = Mutex::new(tasks.iter().enumerate());
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = left.lock().expect("no thread failed").next();
                    let Some((at, task)) = next else { return };
                    let made = each(at, task);
                    done.lock().expect("no thread failed").insert(at, made);
                }
            });
        }
    });
    done.into_inner().expect("no thread failed").into_values().collect()
}

/// Directories that each release wrote, then those that the storage of 3.16 made, as each reads them.
fn healthy(releases: &[Release], folder: &Path) -> Vec<Healthy> {
    let made = library(folder);
    std::thread::scope(|scope| {
        let written: Vec<_> =
            releases.iter().map(|r| scope.spawn(move || Healthy::written(r, folder))).collect();
        let written = written.into_iter().map(|thread| thread.join().expect("made"));
        written.chain(releases.iter().map(|r| Healthy::made(r, &made))).collect()
    })
}

/// What the storage of 3.16 makes as a library; one of the damages takes segments of it.
fn library(folder: &Path) -> std::path::PathBuf {
    let made = folder.join("library");
    let mut make = Command::new(go::build(go::WAL, folder).expect("go starts"));
    make.arg("make").arg(&made).args(["-series", "150", "-samples", "150", "-segment", "131072"]);
    assert!(make.output().expect("it starts").status.success(), "{make:?}");
    made
}

fn is_matrix() -> bool {
    std::env::var("PROM_FIX_MATRIX").is_ok_and(|matrix| matrix == "1")
}

/// Each damage with what it is to be done to, of all that there is.
fn chosen<T>(healthy: &[T], library: fn(&T) -> bool) -> Vec<(&'static Damage, &T)> {
    let only = std::env::var("PROM_FIX_ONLY").unwrap_or_default();
    let mut found = Vec::new();
    for (at, damage) in damage::ALL.iter().enumerate() {
        if !damage.name.contains(&only) {
            continue;
        }
        let fit = healthy.iter().filter(|healthy| damage.of_log || !library(healthy));
        let fit: Vec<&T> = fit.collect();
        let one = at % fit.len();
        let chosen =
            fit.into_iter().enumerate().filter(|(number, _)| is_matrix() || *number == one);
        found.extend(chosen.map(|(_, healthy)| (damage, healthy)));
    }
    found
}

fn table<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut text = String::from(
        "\n| damage | Prometheus | samples | of the log: told | due | shown | by itself \
         | after a third start | ours | after a third start | accepted |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for row in rows {
        writeln!(text, "{row}").expect("a string");
    }
    text
}
