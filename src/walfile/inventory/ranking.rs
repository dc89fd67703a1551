//! The pairs with the most series, by name. All pairs are counted by their hash; names are kept of a
//! few thousand only, and those with the most series are always among them:
//!
//! A name is taken up when its count reaches the bar. When the names are too many, the half with the
//! most series stays, and the bar is set just over the largest count that goes. So a pair that has no
//! name has at most as many series as any that stayed.

use std::cmp::Reverse;

use serde::Serialize;

use super::sketch::Frequent;

/// Names that are kept, half of them at the least: more than anyone asks for.
const NAMES: usize = 4096;
/// The most that can be asked for.
pub const MOST: usize = 1000;
/// Bytes of a name or a value that are kept to be printed.
const LONGEST: usize = 512;

pub struct Ranking {
    /// Pairs of this label only.
    of: Option<&'static [u8]>,
    bar: u32,
    names: Vec<Named>,
}

#[derive(Clone)]
pub struct Named {
    hash: u64,
    name: Box<[u8]>,
    value: Box<[u8]>,
}

/// A pair with its series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rank {
    pub name: String,
    pub value: String,
    pub series: u64,
    /// So many more they may be.
    pub error: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ranks {
    /// By metric name.
    pub metrics: Vec<Rank>,
    pub jobs: Vec<Rank>,
    pub pairs: Vec<Rank>,
}

/// As much of a text as is kept.
pub fn cut(text: &[u8]) -> &[u8] {
    text.get(..LONGEST).unwrap_or(text)
}

impl Named {
    pub fn new(hash: u64, (name, value): (&[u8], &[u8])) -> Named {
        Named { hash, name: cut(name).into(), value: cut(value).into() }
    }

    fn rank(&self, series: u64, error: u64) -> Rank {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Rank { name: text(&self.name), value: text(&self.value), series, error }
    }
}

impl Ranking {
    pub fn new(of: Option<&'static [u8]>) -> Ranking {
        Ranking { of, bar: 1, names: Vec::new() }
    }

    /// Whether a pair whose series grew so came to the bar.
    pub fn is_reached(&self, before: u32, after: u32) -> bool {
        before < self.bar && self.bar <= after
    }

    /// A pair that came to the bar.
    pub fn take_up(&mut self, hash: u64, pair: (&[u8], &[u8]), count: impl Fn(u64) -> u32) {
        if self.of.is_some_and(|name| name != pair.0) {
            return;
        }
        self.names.push(Named::new(hash, pair));
        if self.names.len() < NAMES {
            return;
        }
        // One that stayed with a count just under the bar stands here twice once it reaches it.
        self.names.sort_by_key(|named| named.hash);
        self.names.dedup_by_key(|named| named.hash);
        if self.names.len() < NAMES {
            return;
        }
        let mut counted: Vec<(u32, Named)> =
            self.names.drain(..).map(|named| (count(named.hash), named)).collect();
        counted.sort_by_key(|(count, _)| Reverse(*count));
        let gone = counted.split_off(NAMES / 2);
        self.bar = gone.first().map_or(self.bar, |(count, _)| count.saturating_add(1));
        self.names = counted.into_iter().map(|(_, named)| named).collect();
    }

    /// Those with the most series, by name where they have as many.
    pub fn top(&self, most: usize, count: impl Fn(u64) -> u32, more: &Frequent) -> Vec<Rank> {
        let mut names: Vec<&Named> = self.names.iter().collect();
        names.sort_by_key(|named| named.hash);
        names.dedup_by_key(|named| named.hash);
        let exact = names.into_iter().map(|named| named.rank(u64::from(count(named.hash)), 0));
        let of = |named: &Named| self.of.is_none_or(|name| *name == *named.name);
        let beyond = more.all().filter(|(named, _)| of(named));
        let beyond = beyond.map(|(named, series)| named.rank(series, more.error()));
        let mut all: Vec<Rank> = exact.chain(beyond).collect();
        all.sort_by(|a, b| {
            (b.series.cmp(&a.series)).then_with(|| (&a.name, &a.value).cmp(&(&b.name, &b.value)))
        });
        all.truncate(most.min(MOST));
        all
    }
}
