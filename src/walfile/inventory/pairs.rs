//! How many series have each pair of a label and its value, and how many values each label has.

use std::collections::HashMap;

use serde::Serialize;

use super::batch::{self, Batch};
use super::identity::Told;
use super::ranking::{Ranking, Ranks, cut};
use super::sketch::{Distinct, Frequent};

/// Pairs that are counted exactly.
pub const MOST: u64 = 6 << 20;
/// Labels that are told apart by name.
const MOST_LABELS: usize = 1 << 12;

/// One pair: 32 bits of its hash, and its series.
#[derive(Clone, Copy)]
struct Pair {
    rest: u32,
    series: u32,
}

/// Series behind each other that have the same pair at the same place among their labels, as most do.
#[derive(Clone, Copy)]
struct Run {
    pair: batch::Pair,
    series: u32,
}

#[derive(Default)]
struct Label {
    values: u64,
    /// Values that are in no bucket.
    beyond: Option<Box<Distinct>>,
}

/// What is counted of all pairs: at most 57 MiB in buckets, and 24 MiB of names and sketches.
pub struct Pairs {
    buckets: Vec<Vec<Pair>>,
    len: u64,
    most: u64,
    /// Of the batch at hand, at each place the pair that came last.
    now: Vec<batch::Pair>,
    /// Of the batch at hand, in the order in which they begin, and at each place the hash of the last
    /// one and which it is. Their room is used again.
    runs: Vec<Run>,
    open: Vec<(u64, usize)>,
    labels: HashMap<Box<[u8]>, Label>,
    /// Label names that were too many, counted each time they came with a new value.
    other_labels: u64,
    rankings: Rankings,
    frequent: Frequent,
}

/// Those of which the names are kept.
struct Rankings {
    all: Ranking,
    metrics: Ranking,
    jobs: Ranking,
}

/// A label and how many values it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Values {
    pub name: String,
    pub values: u64,
    /// Of `values`, how many are estimated: give or take 1.6 % of them (one standard deviation).
    pub estimated: u64,
}

impl Default for Pairs {
    fn default() -> Pairs {
        Pairs::holding(MOST)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "17 bits and 32 others of the hash")]
fn split(hash: u64, buckets: usize) -> (usize, u32) {
    ((hash >> 47) as usize & (buckets - 1), (hash >> 15) as u32)
}

impl Pairs {
    /// Counts so many pairs exactly.
    #[must_use]
    pub fn holding(most: u64) -> Pairs {
        // 131 072 for the default.
        let buckets = usize::try_from(most / 48).unwrap_or_default().clamp(1, 1 << 17);
        Pairs {
            buckets: vec![Vec::new(); buckets.next_power_of_two()],
            len: 0,
            most,
            now: Vec::new(),
            runs: Vec::new(),
            open: Vec::new(),
            labels: HashMap::new(),
            other_labels: 0,
            rankings: Rankings {
                all: Ranking::new(None),
                metrics: Ranking::new(Some(b"__name__")),
                jobs: Ranking::new(Some(b"job")),
            },
            frequent: Frequent::default(),
        }
    }

    /// Counts the series of a batch that are new.
    pub fn count(&mut self, Told(batch): &Told) {
        self.find_runs(batch);
        let runs = std::mem::take(&mut self.runs);
        let buckets = runs.iter().map(|run| split(run.pair.hash, self.buckets.len()).0);
        fetch(buckets.filter_map(|at| self.buckets.get(at)));
        for run in &runs {
            self.add(batch, *run);
        }
        self.runs = runs;
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.runs.len()
    }

    fn find_runs(&mut self, batch: &Batch) {
        self.runs.clear();
        self.open.clear();
        self.now.clear();
        let mut left = batch.pairs.as_slice();
        for (one, new) in batch.series.iter().zip(&batch.new) {
            let Some((fresh, rest)) = left.split_at_checked(one.fresh) else { break };
            left = rest;
            for pair in fresh {
                match self.now.get_mut(pair.place as usize) {
                    Some(now) => *now = *pair,
                    None => self.now.push(*pair),
                }
            }
            if !*new {
                continue;
            }
            for (place, pair) in self.now.iter().take(one.labels).enumerate() {
                match self.open.get_mut(place) {
                    Some((hash, at)) if *hash == pair.hash => {
                        if let Some(run) = self.runs.get_mut(*at) {
                            run.series += 1;
                        }
                        continue;
                    }
                    Some(open) => *open = (pair.hash, self.runs.len()),
                    // At every place: what is not handed on again must not come as many times.
                    None => self.open.push((pair.hash, self.runs.len())),
                }
                self.runs.push(Run { pair: *pair, series: 1 });
            }
        }
    }

    fn add(&mut self, batch: &Batch, run: Run) {
        let hash = run.pair.hash;
        let Some(pair) = self.find(hash) else {
            if let Some(label) = batch.label(run.pair) {
                self.frequent.count(hash, label, run.series);
                self.label(label.0, Some(hash));
            }
            return;
        };
        let before = pair.series;
        pair.series = before.saturating_add(run.series);
        let after = pair.series;
        if before == 0
            && let Some((name, _)) = batch.label(run.pair)
        {
            self.label(name, None);
        }
        let buckets = &self.buckets;
        let count = |hash| lookup(buckets, hash);
        let Rankings { all, metrics, jobs } = &mut self.rankings;
        for ranking in [all, metrics, jobs] {
            if ranking.is_reached(before, after)
                && let Some(label) = batch.label(run.pair)
            {
                ranking.take_up(hash, label, count);
            }
        }
    }

    /// Finds a pair or makes it; `None` where there is no room for more.
    fn find(&mut self, hash: u64) -> Option<&mut Pair> {
        let (bucket, rest) = split(hash, self.buckets.len());
        let bucket = self.buckets.get_mut(bucket)?;
        let at = match bucket.iter().position(|pair| pair.rest == rest) {
            Some(at) => at,
            None if self.len >= self.most => return None,
            None => {
                grow(bucket);
                bucket.push(Pair { rest, series: 0 });
                self.len += 1;
                bucket.len() - 1
            }
        };
        bucket.get_mut(at)
    }

    /// A value of a label: one that is new, or one that may be, by its hash.
    fn label(&mut self, name: &[u8], maybe: Option<u64>) {
        let name = cut(name);
        if !self.labels.contains_key(name) {
            if self.labels.len() >= MOST_LABELS {
                self.other_labels += 1;
                return;
            }
            self.labels.insert(name.into(), Label::default());
        }
        let Some(label) = self.labels.get_mut(name) else { return };
        match maybe {
            None => label.values += 1,
            Some(hash) => label.beyond.get_or_insert_default().add(hash),
        }
    }

    /// The labels with the most values.
    #[must_use]
    pub fn values(&self, most: usize) -> Vec<Values> {
        let values = |name: &[u8], label: &Label| {
            let estimated = label.beyond.as_ref().map_or(0, |distinct| distinct.estimate());
            let values = label.values + estimated;
            Values { name: String::from_utf8_lossy(name).into_owned(), values, estimated }
        };
        let mut all: Vec<Values> =
            self.labels.iter().map(|(name, label)| values(name, label)).collect();
        all.sort_by(|a, b| b.values.cmp(&a.values).then_with(|| a.name.cmp(&b.name)));
        all.truncate(most);
        all
    }

    /// The pairs, metrics and jobs with the most series.
    #[must_use]
    pub fn ranks(&self, most: usize) -> Ranks {
        let count = |hash| lookup(&self.buckets, hash);
        let Rankings { all, metrics, jobs } = &self.rankings;
        let top = |ranking: &Ranking| ranking.top(most, count, &self.frequent);
        Ranks { metrics: top(metrics), jobs: top(jobs), pairs: top(all) }
    }

    /// Distinct pairs that are counted exactly, and how many times a pair came beyond them.
    #[must_use]
    pub fn exact_and_beyond(&self) -> (u64, u64) {
        (self.len, self.frequent.total())
    }

    /// How many label names were too many to be told.
    #[must_use]
    pub fn other_labels(&self) -> u64 {
        self.other_labels
    }
}

fn lookup(buckets: &[Vec<Pair>], hash: u64) -> u32 {
    let (bucket, rest) = split(hash, buckets.len());
    let found = buckets.get(bucket).and_then(|b| b.iter().find(|pair| pair.rest == rest));
    found.map_or(0, |pair| pair.series)
}

/// Room for an eighth more, where a vector by itself would take twice as much.
fn grow(bucket: &mut Vec<Pair>) {
    if bucket.len() == bucket.capacity() {
        bucket.reserve_exact(bucket.len() / 8 + 4);
    }
}

/// Looks at buckets before they are searched, as [`super::identity`] does at its rows.
fn fetch<'a>(buckets: impl Iterator<Item = &'a Vec<Pair>> + Clone) {
    let lengths = buckets.clone().fold(0, |sum, bucket| sum ^ bucket.len());
    // The lines between them come by themselves.
    let ends = |bucket: &Vec<Pair>| Some(bucket.first()?.rest ^ bucket.last()?.rest);
    let ends = buckets.filter_map(ends).fold(0, |sum, ends| sum ^ ends);
    std::hint::black_box((lengths, ends));
}
