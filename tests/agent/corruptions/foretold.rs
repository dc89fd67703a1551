//! What `survey` says of the next start, against that start.

use std::collections::BTreeMap;
use std::path::Path;

use prom_fix::datadir::salvage;
use prom_fix::datadir::survey::fold::{LogName, NextStart};
use prom_fix::datadir::survey::{self, Survey};
use prom_fix::walfile::segment::Depth;

use super::damage::{Damage, is_unknown_to};
use super::dir::{self, Dir};
use super::server::{self, Dead, Release, Server};
use super::trial::break_it;
use super::{chosen, history};

#[test]
#[ignore = "starts Prometheus: tests/run, tests/bench/corruptions"]
fn the_next_start_is_as_survey_foretells_it() {
    let releases = server::releases();
    let folder = tempfile::tempdir().expect("a folder");
    for release in &releases {
        history::make(release, &folder.path().join(&release.version));
    }
    super::library(folder.path());
    let mut wrong = Vec::new();
    for (at, (damage, release)) in chosen(&releases, |_| false).into_iter().enumerate() {
        if is_unknown_to(release, damage.name) {
            continue;
        }
        let data = folder.path().join(format!("{at}/data"));
        dir::copy(&folder.path().join(&release.version), &data);
        break_it(damage, release, &data);
        let told = survey::read(&data, Depth::Full, &mut |_| {}).expect("a directory");
        if let Err(why) = is_so(&told, &data, release) {
            let says = &told.judged.next_start;
            let Damage { name, .. } = damage;
            wrong.push(format!("{name} under {}: {why}; told was {says:?}", release.version));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Not one is passed over in silence, and of none is more told than can be mended.
#[test]
#[ignore = "starts Prometheus: tests/run, tests/bench/corruptions"]
fn a_survey_finds_something_wherever_a_salvage_does() {
    let release = server::releases().pop().expect("a release");
    let folder = tempfile::tempdir().expect("a folder");
    history::make(&release, &folder.path().join("made"));
    super::library(folder.path());
    let mut wrong = Vec::new();
    for (at, damage) in super::damage::ALL.iter().enumerate() {
        let data = folder.path().join(format!("{at}/data"));
        dir::copy(&folder.path().join("made"), &data);
        break_it(damage, &release, &data);
        let salvage::Report { files: planned, extra_bytes, .. } =
            salvage::rehearse(&data).expect("it can be mended");
        let told = survey::read(&data, Depth::Full, &mut |_| {}).expect("a directory");
        let problems = told.judged.problems;
        if told.needed < extra_bytes + (1 << 20) {
            let (needed, name) = (told.needed, damage.name);
            wrong.push(format!("{name}: {needed} are needed, and it writes {extra_bytes}"));
        }
        if problems.is_empty() != planned.is_empty() {
            wrong.push(format!("{}: {problems:?}, {planned:?}", damage.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// A start, by what it did: whether it came up, whether it repaired, and which segments are gone or
/// were made anew.
#[derive(Debug, PartialEq, Eq)]
struct Did {
    came_up: bool,
    repaired: bool,
    rewritten: Vec<u64>,
}

fn start(data: &Path, release: &Release) -> Did {
    let segments = || match data.join("wal").is_dir() {
        true => Dir(data.to_owned()).numbered("wal"),
        false => Vec::new(),
    };
    let sizes = || segments().into_iter().map(|(number, path)| (number, dir::size(&path)));
    let before: Vec<(u64, u64)> = sizes().collect();
    let (came_up, words) = match Server::start(release, data) {
        Ok(server) => (true, server.stop().join("\n")),
        Err(Dead(words)) => (false, words),
    };
    let after: BTreeMap<u64, u64> = sizes().collect();
    let changed = |(number, size): &(u64, u64)| after.get(number).is_none_or(|now| now < size);
    let rewritten = before.into_iter().filter(changed).map(|(number, _)| number).collect();
    Did { came_up, repaired: words.contains("corruption repair"), rewritten }
}

fn is_so(told: &Survey, data: &Path, release: &Release) -> Result<(), String> {
    let did = start(data, release);
    let is = |right: bool| if right { Ok(()) } else { Err(format!("{did:?}")) };
    match &told.judged.next_start {
        NextStart::Starts => is(did.came_up && !did.repaired && did.rewritten.is_empty()),
        NextStart::Fails { .. } => is(!did.came_up && did.rewritten.is_empty()),
        // What 2.39 to 2.47 make of a wbl is worse than what is told, and told beside it.
        NextStart::Repairs { log: LogName::Wbl, .. } if release.version.starts_with("2.42") => {
            Ok(())
        }
        NextStart::Repairs { log: LogName::Wbl, .. } => {
            is(did.came_up && did.repaired && did.rewritten.is_empty())
        }
        NextStart::Repairs { number, deletes, .. } => {
            let gone = |number: &u64| did.rewritten.contains(number) || is_empty(told, *number);
            let others = did.rewritten.iter().all(|n| n == number || deletes.contains(n));
            is(did.came_up && did.repaired && deletes.iter().all(gone) && others)
        }
        NextStart::DestroysLog { deletes, comes_up_at, .. } => {
            let gone = |number: &u64| did.rewritten.contains(number) || is_empty(told, *number);
            is(deletes.iter().all(gone) && did.came_up == (*comes_up_at == 1))?;
            for number in 2..=*comes_up_at {
                let did = start(data, release);
                if did.came_up != (number == *comes_up_at) {
                    return Err(format!("start {number}: {did:?}"));
                }
            }
            Ok(())
        }
    }
}

fn is_empty(told: &Survey, number: u64) -> bool {
    let segments = told.contents.segments.iter();
    segments.filter(|file| file.number == number).all(|file| file.found.size == 0)
}
