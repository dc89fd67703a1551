//! A data directory as a server leaves it that ran for five hours and was started anew every half
//! hour: a block, a checkpoint, segments, an out-of-order log, chunks of the head. Time is written,
//! not spent: what makes the head move on are the times of the samples.

use std::path::Path;

use super::map::Map;
use super::server::{Release, Server};
use super::write::{Request, Value};

/// The beginning of a block.
pub const START: i64 = 244_445 * 7_200_000;
pub const STEP: i64 = 30_000;
const STEPS: i64 = 560;
/// Steps between two starts.
const RUN: i64 = 57;

const STEADY: i64 = 150;
/// Samples of one scrape: one record.
pub const MOST_OF_RECORD: usize = 160;

/// Different for each series and each time, so that a sample under a foreign series shows; and hard to
/// compress, so that a short log has many pages.
#[expect(clippy::cast_precision_loss, reason = "small")]
fn value(series: i64, step: i64) -> f64 {
    (series * 1000 + step) as f64 * 1.618_033_988_749_895
}

/// All that is scraped at one time.
pub fn scrape(step: i64) -> Request {
    let mut request = Request::default();
    let time = START + step * STEP;
    // Each begins a little later, so that their chunks are not all complete at the same time.
    for n in 0..STEADY.min(step + 1) {
        let number = n.to_string();
        let labels = [("__name__", "steady_total"), ("instance", "10.0.0.1:9100"), ("n", &number)];
        let value = value(n, step);
        let value = if n == 0 { Value::Traced(value) } else { Value::Float(value) };
        request.add(&labels, time, &value);
    }
    // Pods that come and go.
    let generation = step / 20;
    for n in 0..10 {
        let pod = format!("app-{generation}-{n}");
        let labels = [("__name__", "churning"), ("pod", pod.as_str())];
        request.add(&labels, time, &Value::Float(value(1000 + generation * 10 + n, step)));
    }
    for n in 0..4 {
        let number = n.to_string();
        let labels = [("__name__", "native"), ("n", number.as_str())];
        request.add(&labels, time, &Value::Histogram(value(5000 + n, step)));
    }
    request
}

/// Samples of half an hour before: out of order.
fn late(step: i64) -> Request {
    let mut request = Request::default();
    let time = START + (step - 60) * STEP + 7000;
    for n in 0..20 {
        let number = n.to_string();
        let labels = [("__name__", "steady_total"), ("instance", "10.0.0.1:9100"), ("n", &number)];
        request.add(&labels, time, &Value::Float(value(8000 + n, step)));
    }
    request
}

/// Series that came to be in each hour.
pub const CREATED: [u64; 5] = [120 + 60 + 4, 30 + 60, 60, 60, 40];

/// Makes it with a release.
pub fn make(release: &Release, data: &Path) {
    for from in (0..STEPS).step_by(usize::try_from(RUN).expect("small")) {
        let server = Server::start(release, data).expect("an own directory");
        for step in from..(from + RUN).min(STEPS) {
            server.write(&scrape(step));
            if step > 100 && step % 4 == 0 {
                server.write(&late(step));
            }
            // Three hours are full: the first two are written to a block. Nothing else is written
            // meanwhile: a late sample could then be in the wbl and in a block, or in one of the two.
            // (In both, and with chunks_head gone, a replay may drop it: a marker of chunk 0, which a
            // new chunk writes, means to it that all before is in a chunk. tsdb/head_wal.go, `loadWBL`.)
            if step == 10_800_000 / STEP + 1 {
                assert!(server.wait_for_head(START + 7_200_000), "no block was made");
            }
        }
        assert_eq!(server.stop(), Vec::<String>::new());
    }
}

/// Series that did not exist before, more than a segment holds: what a start hands out again of refs
/// that were lost is theirs. A sample of each at `hours` after the end.
pub fn fresh(hours: i64) -> (Request, Map) {
    let mut request = Request::default();
    let mut map = Map::new();
    let time = START + STEPS * STEP + hours * 3_600_000;
    for n in 0..600_i64 {
        let number = n.to_string();
        let labels = [("__name__", "fresh"), ("n", number.as_str())];
        let value = -n - hours * 1000 - 1;
        #[expect(clippy::cast_precision_loss, reason = "small")]
        request.add(&labels, time, &Value::Float(value as f64));
        let labels: std::collections::BTreeMap<&str, &str> = labels.into_iter().collect();
        map.entry(format!("{labels:?}")).or_default().insert(time, value.to_string());
    }
    (request, map)
}
