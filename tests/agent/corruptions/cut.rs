//! A log cut off at each of its lengths, under real Prometheus: what it keeps by itself is what `survey`
//! says, and after a salvage every record before the cut is there, and nothing else.

use std::path::{Path, PathBuf};

use prom_fix::walfile::frame::PAGE;
use prom_fix::walfile::record::RecordType;

use super::dir::{Dir, edit, size};
use super::history::{START, STEP};
use super::server::{self, Release, Server};
use super::trial::{self, Break, Healthy, Row};
use super::write::{Request, Value};
use super::{at_once, is_matrix, table};

/// What a release writes in a minute or two: one segment.
struct Log {
    name: &'static str,
    series: i64,
    steps: i64,
    /// Where it is cut.
    lengths: fn(&Path) -> Vec<usize>,
}

const LOGS: [Log; 2] = [
    Log { name: "short", series: 3, steps: 4, lengths: of_short },
    // The record of its series goes over the end of a page.
    Log { name: "long", series: 700, steps: 2, lengths: of_long },
];

/// No two alike, and hard to compress.
fn word(n: i64) -> String {
    let mixed = |at: i64| {
        let mut mixed = (n * 3 + at + 1).cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 27)
    };
    format!("{:016x}{:016x}{:016x}", mixed(0), mixed(1), mixed(2))
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn scrape(series: i64, step: i64) -> Request {
    let mut request = Request::default();
    for n in 0..series {
        let word = word(n);
        let labels = [("__name__", "cut"), ("n", word.as_str())];
        let value = (n * 1000 + step) as f64 * 1.618_033_988_749_895;
        let value = match n {
            0 => Value::Traced(value),
            1 => Value::Histogram(value),
            _ => Value::Float(value),
        };
        request.add(&labels, START + step * STEP, &value);
    }
    request
}

fn make(release: &Release, log: &Log, folder: &Path) -> Healthy {
    let data = folder.join(format!("{}-{}", release.version, log.name));
    let server = Server::start(release, &data).expect("an own directory");
    (0..log.steps).for_each(|step| server.write(&scrape(log.series, step)));
    assert_eq!(server.stop(), Vec::<String>::new());
    Healthy::read(release, &data, false)
}

fn segment(data: &Path) -> PathBuf {
    let [segment] = Dir(data.to_owned()).segments().try_into().expect("one segment");
    segment
}

fn length(data: &Path) -> usize {
    usize::try_from(size(&segment(data))).expect("small")
}

/// First byte and end of each record.
fn records(data: &Path) -> Vec<(usize, usize)> {
    let kinds = [
        RecordType::Series,
        RecordType::Samples,
        RecordType::Exemplars,
        RecordType::HistogramSamples,
        RecordType::Metadata,
    ];
    let dir = Dir(data.to_owned());
    let places = kinds.into_iter().flat_map(|kind| dir.records(&segment(data), kind));
    let mut found: Vec<_> = places.map(|(_, place)| (place.start, place.end)).collect();
    found.sort_unstable();
    let bytes = std::fs::read(segment(data)).expect("a file");
    let end = found.last().expect("a record").1;
    // A clean stop fills the page.
    assert!(bytes[end..].iter().all(|byte| *byte == 0), "a record is of another type");
    found
}

/// Each up to the last record's end, or those in and around the header of each record, and in its body;
/// some in what fills the page.
fn of_short(data: &Path) -> Vec<usize> {
    let records = records(data);
    let end = records.last().expect("a record").1;
    let is_near = |length: &usize| {
        records.iter().any(|&(start, end)| {
            let places =
                [start, start + 1, start + 6, start + 7, usize::midpoint(start, end), end - 1];
            places.contains(length)
        })
    };
    let lengths = (0..end).filter(|length| is_matrix() || is_near(length));
    lengths.chain([end, end + 1, end + 7, PAGE - 1, PAGE]).collect()
}

/// At the ends of pages, and some others.
fn of_long(data: &Path) -> Vec<usize> {
    let size = length(data);
    assert!(size > PAGE, "{size}");
    let edges = (PAGE..size).step_by(PAGE);
    let near = edges.flat_map(|edge| [edge - 1, edge, edge + 1, edge + 6, edge + 7, edge + 8]);
    let mut lengths: Vec<usize> = near.chain([PAGE / 3, size - 1, size]).collect();
    lengths.retain(|length| *length <= size);
    lengths
}

#[test]
#[ignore = "starts Prometheus: tests/run, tests/bench/corruptions"]
fn a_log_cut_at_every_length_keeps_every_record_before_the_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let releases = server::releases();
    let mut cuts = Vec::new();
    let made: Vec<(usize, Healthy)> = LOGS
        .iter()
        .enumerate()
        .flat_map(|(log, which)| releases.iter().map(move |release| (log, release, which)))
        .map(|(log, release, which)| (log, make(release, which, folder.path())))
        .collect();
    for (number, (log, healthy)) in made.iter().enumerate() {
        let lengths = (LOGS[*log].lengths)(healthy.data());
        // Each release in turn, but for the matrix.
        let turn = number % releases.len();
        let due = |at: usize| is_matrix() || at % releases.len() == turn;
        cuts.extend(
            lengths.into_iter().enumerate().filter(|(at, _)| due(*at)).map(|(_, to)| (healthy, to)),
        );
    }
    let rows = at_once(&cuts, |_, (healthy, length)| {
        let place = tempfile::tempdir().expect("a folder");
        cut(healthy, *length, place.path())
    });
    println!("{}", table(rows.iter()));
    let wrong: Vec<String> = rows.iter().flat_map(Row::wrong).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn cut(healthy: &Healthy, to: usize, place: &Path) -> Row {
    let segment = segment(healthy.data());
    let lost = records(healthy.data()).into_iter().filter(|(_, end)| *end > to);
    let lost: Vec<_> = lost.map(|(start, _)| (segment.clone(), start)).collect();
    let may_cost = healthy.held_at(&lost);
    let does = |data: &Path| edit(&data.join("wal/00000000"), |bytes| bytes.truncate(to));
    let name = format!("cut to {to} of {}", size(&segment));
    trial::run(Break { name, does: &does, may_cost }, healthy, place)
}
