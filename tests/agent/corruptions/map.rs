//! All samples of all series, as Prometheus' API tells them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Labels -> time in milliseconds -> value.
pub type Map = BTreeMap<String, BTreeMap<i64, String>>;

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<(f64, String)>,
    #[serde(default)]
    histograms: Vec<(f64, serde_json::Value)>,
}

#[expect(clippy::cast_possible_truncation, reason = "seconds with three digits behind the point")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

/// Of the answer to an instant query for a range of every series.
pub fn read(body: &[u8]) -> Map {
    let answer: Answer = serde_json::from_slice(body).expect("an answer");
    let series = |series: Series| {
        let floats = series.values.into_iter().map(|(time, value)| (milliseconds(time), value));
        let histograms = series.histograms.into_iter();
        let histograms = histograms.map(|(time, value)| (milliseconds(time), value.to_string()));
        (format!("{:?}", series.metric), floats.chain(histograms).collect())
    };
    answer.data.result.into_iter().map(series).collect()
}

pub fn samples(map: &Map) -> usize {
    map.values().map(BTreeMap::len).sum()
}

/// What a server holds of what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Samples that are those of the healthy directory.
    pub kept: usize,
    /// Samples that nobody wrote under that series, at that time, with that value.
    pub foreign: usize,
    /// Of what was written since.
    pub fresh: usize,
}

/// `later`: what is neither counted nor foreign.
pub fn compare(found: &Map, whole: &Map, later: &Map, since: &Map) -> Held {
    let mut held = Held::default();
    for (series, samples) in found {
        for (time, value) in samples {
            let is_in = |map: &Map| map.get(series).and_then(|of| of.get(time)) == Some(value);
            if is_in(whole) {
                held.kept += 1;
            } else if is_in(since) {
                held.fresh += 1;
            } else if !is_in(later) {
                held.foreign += 1;
            }
        }
    }
    held
}
