//! One damage under one release.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::damage::Damage;
use super::dir::{self, Dir};
use super::history::{self, START};
use super::map::{self, Held, Map};
use super::server::{Dead, Release, Server};

/// A directory that a release wrote, and all that is in it.
pub struct Healthy {
    release: Release,
    data: PathBuf,
    whole: Map,
}

impl Healthy {
    pub fn make(release: &Release, data: &Path) -> Healthy {
        history::make(release, data);
        let place = data.with_extension("read");
        dir::copy(data, &place);
        let server = Server::start(release, &place).expect("a healthy directory");
        let whole = server.map();
        server.stop();
        assert!(map::samples(&whole) > 50_000, "{}", map::samples(&whole));
        Healthy { release: release.clone(), data: data.to_owned(), whole }
    }
}

/// What one start showed: what was held, or why it ended.
#[derive(Debug)]
struct Start {
    held: Result<Held, Dead>,
    complaints: Vec<String>,
}

/// How often a start is tried that ends by itself: the loop of a crashing pod.
const TRIES: usize = 3;

#[derive(Debug)]
pub struct Row {
    damage: &'static str,
    one_record: bool,
    version: String,
    samples: usize,
    own: Vec<Start>,
    ours: Result<Vec<Start>, String>,
}

pub fn run(damage: &'static Damage, healthy: &Healthy, place: &Path) -> Row {
    let data = |name: &str| {
        let data = place.join(name);
        dir::copy(&healthy.data, &data);
        (damage.does)(&Dir(data.clone()));
        data
    };
    let own = follow(healthy, &data("own"));
    let salvaged = data("ours");
    let ours = salvage(&salvaged).map(|()| follow(healthy, &salvaged));
    Row {
        damage: damage.name,
        one_record: damage.one_record,
        version: healthy.release.version.clone(),
        samples: map::samples(&healthy.whole),
        own,
        ours,
    }
}

fn salvage(data: &Path) -> Result<(), String> {
    let mut agent = Command::new(env!("CARGO_BIN_EXE_prom-fix-agent"));
    let output = agent.args(["salvage"]).arg(data).output().expect("the agent starts");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{}: {words}", output.status)) }
}

/// Three starts, each with what the ones before wrote: a minute after the end of what was there, then
/// four hours after it, so that what was there goes to blocks.
fn follow(healthy: &Healthy, data: &Path) -> Vec<Start> {
    let mut starts = Vec::new();
    let mut since = Map::new();
    for hours in [0, 4, 0] {
        let server = match Server::start(&healthy.release, data) {
            Ok(server) => server,
            Err(dead) => {
                starts.push(Start { held: Err(dead), complaints: Vec::new() });
                if starts.len() == TRIES {
                    return starts;
                }
                continue;
            }
        };
        let held = map::compare(&server.map(), &healthy.whole, &since);
        let (request, written) = history::fresh(hours);
        if starts.len() < 2 {
            server.write(&request);
            for (series, samples) in written {
                since.entry(series).or_default().extend(samples);
            }
        }
        if hours == 4 {
            server.wait_for_head(START + 3 * 7_200_000);
        }
        starts.push(Start { held: Ok(held), complaints: server.stop() });
    }
    starts
}

impl Row {
    /// What is not as it should be, a line each.
    pub fn wrong(&self) -> Vec<String> {
        let at = format!("{} under {}", self.damage, self.version);
        let ours = match &self.ours {
            Ok(ours) => ours,
            Err(error) => return vec![format!("{at}: salvage: {error}")],
        };
        let mut wrong = Vec::new();
        let own = self.own.iter().filter_map(|start| start.held.as_ref().ok());
        let own = own.map(|held| held.kept).max().unwrap_or_default();
        for (number, start) in ours.iter().enumerate() {
            let at = format!("{at}, start {}", number + 1);
            let held = match &start.held {
                Ok(held) => held,
                Err(Dead(words)) => {
                    wrong.push(format!("{at}: it ended: {words}"));
                    continue;
                }
            };
            if held.kept < own {
                wrong.push(format!("{at}: kept {}, Prometheus by itself {own}", held.kept));
            }
            if held.foreign > 0 {
                wrong.push(format!("{at}: {} samples under foreign series", held.foreign));
            }
            if held.fresh != number * 600 {
                wrong.push(format!("{at}: {} of {} new samples", held.fresh, number * 600));
            }
            if self.one_record && held.kept + 170 < self.samples {
                wrong.push(format!("{at}: {} lost for one byte", self.samples - held.kept));
            }
            wrong.extend(start.complaints.iter().map(|line| format!("{at}: {line}")));
        }
        wrong
    }

    fn accepted(&self) -> &'static str {
        let is_accepted = |starts: &Vec<Start>| {
            starts.iter().all(|start| start.held.is_ok() && start.complaints.is_empty())
        };
        if self.ours.as_ref().is_ok_and(is_accepted) { "yes" } else { "no" }
    }
}

/// What is held, and in brackets what is foreign.
fn cell(start: Option<&Start>) -> String {
    match start.map(|start| &start.held) {
        Some(Ok(held)) if held.foreign > 0 => format!("{} (+{} foreign)", held.kept, held.foreign),
        Some(Ok(held)) => held.kept.to_string(),
        Some(Err(_)) => "ends".to_owned(),
        None => "-".to_owned(),
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { damage, version, samples, own, ours, .. } = self;
        let ours = ours.as_deref().unwrap_or_default();
        write!(
            out,
            "| {damage} | {version} | {samples} | {} | {} | {} | {} | {} |",
            cell(own.first()),
            cell(own.last()),
            cell(ours.first()),
            cell(ours.last()),
            self.accepted(),
        )
    }
}
