//! A directory that is broken in one way, under one release.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use prom_fix::walfile::record::{self, Entry};

use super::damage::{At, Costs, Damage, is_unknown_to};
use super::dir::{self, Dir};
use super::history::{self, START};
use super::map::{self, Held, Map};
use super::replay::{self, Foretold};
use super::server::{Dead, Release, Server};

/// A directory, and all that a release reads in it.
pub struct Healthy {
    release: Release,
    data: PathBuf,
    /// Whether Prometheus' storage made it as a library.
    pub library: bool,
    whole: Map,
    /// What it shows only once the head was written to a block: late samples that were deleted.
    later: Map,
}

impl Healthy {
    /// One that a release wrote itself.
    pub fn written(release: &Release, folder: &Path) -> Healthy {
        let data = folder.join(&release.version);
        history::make(release, &data);
        let healthy = Healthy::read(release, &data, false);
        assert!(healthy.samples() > 20_000, "{}", healthy.samples());
        healthy
    }

    /// One that the storage of 3.16 made as a library.
    pub fn made(release: &Release, data: &Path) -> Healthy {
        let mut healthy = Healthy::read(release, data, true);
        assert!(healthy.samples() > 20_000, "{}", healthy.samples());
        let place = place_of(release, data);
        follow(&healthy, &place);
        let server = Server::start(release, &place).expect("a healthy directory");
        healthy.later = server.map();
        healthy.later.retain(|series, _| !series.contains("fresh"));
        server.stop();
        healthy
    }

    /// What a release shows of a directory: of a copy.
    pub fn read(release: &Release, data: &Path, library: bool) -> Healthy {
        let place = place_of(release, data);
        dir::copy(data, &place);
        let server = Server::start(release, &place).expect("a healthy directory");
        let whole = server.map();
        server.stop();
        let (release, data) = (release.clone(), data.to_owned());
        Healthy { release, data, library, whole, later: Map::new() }
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    fn samples(&self) -> usize {
        map::samples(&self.whole)
    }

    /// The samples in the records at these places, and all of the series that are named there.
    pub fn held_at(&self, places: &[At]) -> usize {
        let mut samples = 0;
        let mut named = BTreeSet::new();
        for (file, at) in places {
            record::read(&Dir::holds(file, *at), |entry| match entry {
                Entry::Series { labels, .. } => {
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
                    let labels: BTreeMap<String, String> =
                        labels.iter().map(|(name, value)| (text(name), text(value))).collect();
                    named.insert(format!("{labels:?}"));
                }
                Entry::Sample { .. } => samples += 1,
                _ => {}
            })
            .expect("a whole record");
        }
        let all = |series: &String| self.whole.get(series).map_or(0, BTreeMap::len);
        samples + named.iter().map(all).sum::<usize>()
    }
}

fn place_of(release: &Release, data: &Path) -> PathBuf {
    data.with_extension(format!("read-by-{}", release.version))
}

/// A way to break a directory.
pub struct Break<'a> {
    pub name: String,
    pub does: &'a (dyn Fn(&Path) + Sync),
    /// Samples that may be lost of it.
    pub may_cost: usize,
}

/// What one start showed: what was held, or why it ended.
#[derive(Debug)]
struct Start {
    held: Result<Held, Dead>,
    /// Series that it made, and where its head begins.
    head: [f64; 2],
    complaints: Vec<String>,
    /// The head was to go to blocks, and did not.
    kept_in_head: bool,
}

/// How often a start is tried that ends by itself: the loop of a crashing pod.
const TRIES: usize = 3;
/// How often on a log that is destroyed before a start comes up: one more for each missing segment.
const MOST_STARTS: usize = 6;

#[derive(Debug)]
pub struct Row {
    name: String,
    version: String,
    library: bool,
    samples: usize,
    /// Of them.
    may_cost: usize,
    foretold: Foretold,
    own: Vec<Start>,
    /// With the report of the salvage.
    ours: Result<(Value, Vec<Start>), String>,
}

/// One of the damages.
pub fn of_damage(damage: &Damage, healthy: &Healthy, place: &Path) -> Row {
    let may_cost = match damage.costs {
        Costs::Nothing => 0,
        Costs::OneRecord => history::MOST_OF_RECORD,
        Costs::Records(at) => healthy.held_at(&at(&Dir(healthy.data.clone()))),
        Costs::More => healthy.samples(),
    };
    let does = |data: &Path| break_it(damage, &healthy.release, data);
    run(Break { name: damage.name.to_owned(), does: &does, may_cost }, healthy, place)
}

pub fn run(how: Break<'_>, healthy: &Healthy, place: &Path) -> Row {
    let Break { name, does, may_cost } = how;
    let data = |name: &str| {
        let data = place.join(name);
        dir::copy(&healthy.data, &data);
        does(&data);
        data
    };
    let Healthy { release, whole, library, .. } = healthy;
    let mut foretold =
        replay::compare(release, &data("told"), whole, &place.join("bare"), MOST_STARTS);
    if is_unknown_to(release, &name) {
        foretold.wrong.clear();
    }
    let own = follow(healthy, &data("own"));
    let salvaged = data("ours");
    let promise = salvage(&salvaged);
    let ours = promise.map(|promise| (promise, follow(healthy, &salvaged)));
    Row {
        name,
        version: release.version.clone(),
        library: *library,
        samples: healthy.samples(),
        may_cost,
        foretold,
        own,
        ours,
    }
}

/// Does the damage, and the starts that go with it.
pub fn break_it(damage: &Damage, release: &Release, data: &Path) {
    (damage.does)(&Dir(data.to_owned()));
    if damage.starts {
        let up = (0..TRIES).find_map(|_| Server::start(release, data).ok());
        up.expect("it comes up in the end").stop();
    }
}

fn salvage(data: &Path) -> Result<Value, String> {
    let mut agent = Command::new(env!("CARGO_BIN_EXE_prom-fix-agent"));
    let output = agent.args(["salvage", "--json"]).arg(data).output().expect("the agent starts");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).expect("JSON")),
        false => Err(format!("{}: {words}", output.status)),
    }
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
                starts.push(Start {
                    held: Err(dead),
                    head: [0.0; 2],
                    complaints: Vec::new(),
                    kept_in_head: false,
                });
                if starts.len() == TRIES {
                    return starts;
                }
                continue;
            }
        };
        let held = map::compare(&server.map(), &healthy.whole, &healthy.later, &since);
        let metrics =
            ["prometheus_tsdb_head_series_created_total", "prometheus_tsdb_head_min_time"];
        let head = metrics.map(|name| server.metric(name));
        let (request, written) = history::fresh(hours);
        if starts.len() < 2 {
            server.write(&request);
            for (series, samples) in written {
                since.entry(series).or_default().extend(samples);
            }
        }
        let kept_in_head = hours == 4 && !server.wait_for_head(START + 3 * 7_200_000);
        starts.push(Start { held: Ok(held), head, complaints: server.stop(), kept_in_head });
    }
    starts
}

impl Row {
    /// What is not as it should be, a line each.
    pub fn wrong(&self) -> Vec<String> {
        let at = format!("{} under {}", self.name, self.prometheus());
        let (promise, ours) = match &self.ours {
            Ok((promise, starts)) => (promise, starts),
            Err(error) => return vec![format!("{at}: salvage: {error}")],
        };
        let mut wrong: Vec<String> =
            self.foretold.wrong.iter().map(|words| format!("{at}: {words}")).collect();
        wrong.extend(
            ours.first()
                .and_then(|start| Row::broken(promise, start))
                .map(|w| format!("{at}: {w}")),
        );
        let own: Vec<&Held> = self.own.iter().filter_map(|s| s.held.as_ref().ok()).collect();
        let kept = own.iter().map(|held| held.kept).max().unwrap_or_default();
        for (number, start) in ours.iter().enumerate() {
            let at = format!("{at}, start {}", number + 1);
            let held = match &start.held {
                Ok(held) => held,
                Err(Dead(words)) => {
                    wrong.push(format!("{at}: it ended: {words}"));
                    continue;
                }
            };
            if held.kept < kept {
                wrong.push(format!("{at}: kept {}, Prometheus by itself {kept}", held.kept));
            }
            if held.foreign > 0 {
                wrong.push(format!("{at}: {} samples under foreign series", held.foreign));
            }
            if held.fresh != number * 600 {
                wrong.push(format!("{at}: {} of {} new samples", held.fresh, number * 600));
            }
            if held.kept + self.may_cost < self.samples {
                wrong.push(format!("{at}: {} samples lost", self.samples - held.kept));
            }
            if start.kept_in_head {
                wrong.push(format!("{at}: its head was not written to blocks"));
            }
            wrong.extend(start.complaints.iter().map(|line| format!("{at}: {line}")));
        }
        wrong
    }

    /// What a proof on the cluster holds a start to, and is not so at the first one.
    fn broken(promise: &Value, start: &Start) -> Option<String> {
        let [made, begins] = start.head;
        let told = |name: &str| promise[name].as_f64();
        let exact = promise["outcome"] != "salvaged" || told("headSeries") == Some(made);
        let early = told("begins").is_none_or(|promised| begins <= promised);
        (!exact || !early).then(|| {
            format!(
                "{made} series from {begins} on, of {} by {}",
                promise["headSeries"], promise["begins"]
            )
        })
    }

    /// Which release, on whose directory.
    fn prometheus(&self) -> String {
        let whose = if self.library { " (library)" } else { "" };
        format!("{}{whose}", self.version)
    }

    fn accepted(&self) -> &'static str {
        let is_accepted = |(_, starts): &(Value, Vec<Start>)| {
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
        let Row { samples, own, ours, .. } = self;
        let Foretold { told, due, shown, .. } = self.foretold;
        let ours = ours.as_ref().map(|(_, starts)| starts.as_slice()).unwrap_or_default();
        write!(
            out,
            "| {} | {} | {samples} | {told} | {due} | {shown} | {} | {} | {} | {} | {} |",
            self.name,
            self.prometheus(),
            cell(own.first()),
            cell(own.last()),
            cell(ours.first()),
            cell(ours.last()),
            self.accepted(),
        )
    }
}
