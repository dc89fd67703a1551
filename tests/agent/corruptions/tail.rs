//! A log that lost its end, as when a node lost its power, while the chunks of the head are kept: they
//! are of series that nothing names any more, and the next new ones get their refs.

use std::fs;
use std::path::Path;

use super::dir::{self, Dir};
use super::history::{self, START, STEP};
use super::map::{self, Map};
use super::server::{self, Release, Server};
use super::write::{Request, Value};
use crate::directory::{json, run};

/// Of each series more than a chunk takes.
const STEPS: i64 = 130;
const SERIES: i64 = 90;

#[expect(clippy::cast_precision_loss, reason = "small")]
fn scrape(series: i64, step: i64) -> Request {
    let mut request = Request::default();
    for n in 0..series {
        let number = n.to_string();
        let labels = [("__name__", "tail"), ("n", number.as_str())];
        let value = Value::Float((n * 1000 + step) as f64);
        request.add(&labels, START + step * STEP, &value);
    }
    request
}

/// Ten series in the first segment, the others in the second.
fn make(release: &Release, data: &Path) {
    for (series, steps) in [(10, 0..5), (SERIES, 5..STEPS)] {
        let server = Server::start(release, data).expect("an own directory");
        steps.for_each(|step| server.write(&scrape(series, step)));
        assert_eq!(server.stop(), Vec::<String>::new());
    }
}

#[test]
#[ignore = "starts Prometheus: tests/run"]
fn chunks_of_a_log_that_lost_its_end_are_given_to_no_other_series() {
    let folder = tempfile::tempdir().expect("a folder");
    for release in server::releases() {
        let made = folder.path().join(format!("{}-made", release.version));
        make(&release, &made);
        let whole = folder.path().join(format!("{}-whole", release.version));
        dir::copy(&made, &whole);
        let server = Server::start(&release, &whole).expect("a healthy directory");
        let all = server.map();
        server.stop();
        run(&["survey"], &made, 0);
        for name in ["own", "ours"] {
            let data = folder.path().join(format!("{}-{name}", release.version));
            dir::copy(&made, &data);
            let (_, last) = Dir(data.clone()).numbered("wal").pop().expect("a segment");
            fs::rename(&last, data.with_extension("lost")).expect("moved");
            let told = json(&run(&["survey", "--json"], &data, 2));
            let problems = &told["judged"]["problems"];
            assert_eq!(problems.as_array().map(Vec::len), Some(1), "{problems}");
            assert_eq!(
                (&problems[0]["kind"], &problems[0]["named"]),
                (&"refsLost".into(), &10.into())
            );
            if name == "ours" {
                run(&["salvage"], &data, 0);
                run(&["survey"], &data, 0);
            }
            let foreign = follow(&release, &data, &all);
            println!("| {} | {name} | {foreign} |", release.version);
            assert_eq!(foreign > 0, name == "own", "{}, {name}: {foreign}", release.version);
        }
    }
}

/// Three starts, with new series after the first: samples that nobody wrote under theirs.
fn follow(release: &Release, data: &Path, all: &Map) -> usize {
    let mut since = Map::new();
    let mut foreign = 0;
    for start in 0..3 {
        let server = Server::start(release, data).expect("it starts");
        let held = map::compare(&server.map(), all, &Map::new(), &since);
        foreign += held.foreign;
        if start == 0 {
            // Soon enough that no block is made meanwhile, with which the chunks would go.
            let (request, written) = history::fresh(-3);
            server.write(&request);
            since = written;
        } else {
            assert_eq!(held.fresh, 600, "{held:?}");
        }
        assert_eq!(server.stop(), Vec::<String>::new());
    }
    foreign
}
