//! A set of series refs. Prometheus hands them out from 1 upwards, so they lie close together: by
//! the upper 48 bits, a run of them is a short list, or a map of bits once that is smaller.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// At this many, a list of two bytes each is as large as 65 536 bits.
const LONGEST_LIST: usize = 4096;

#[derive(Clone, Debug)]
enum Run {
    List(Vec<u16>),
    Bits(Box<[u64; 1024]>, u32),
}

/// Runs that are held, each of 65 536 refs. Series that a log names lie in fewer: so many runs are
/// handed out in a year at 1000 new series a second. Refs that all lie in runs of their own, as only
/// somebody who means harm writes them, take 40 MiB.
const MOST_RUNS: usize = 1 << 19;

/// Holds at most 8 KiB for each 65 536 refs next to each other, and two bytes for each that stands
/// alone.
#[derive(Clone, Debug, Default)]
pub struct Refs {
    runs: BTreeMap<u64, Run>,
    /// Refs for which there was no run left, each time that they came: they count as some that no
    /// other set has, so that what lacks its series is told to be more, and never less.
    beyond: u64,
}

/// Refs of a record: the first and the last of those that follow each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    rows: Vec<(u64, u64)>,
    beyond: u64,
    highest_beyond: Option<u64>,
}

/// Rows of one record that are held: 64 MiB. A record that Prometheus writes is of a scrape.
const MOST_ROWS: usize = 4 << 20;

impl Rows {
    pub fn push(&mut self, first: u64, last: u64) {
        if self.rows.len() < MOST_ROWS {
            self.rows.push((first, last));
        } else {
            self.beyond = self.beyond.saturating_add(last - first).saturating_add(1);
            self.highest_beyond = self.highest_beyond.max(Some(last));
        }
    }

    pub fn highest(&self) -> Option<u64> {
        self.rows.iter().map(|(_, last)| *last).max().max(self.highest_beyond)
    }

    /// The next ref.
    pub fn follow(&mut self, reference: u64) {
        match self.rows.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(reference) => *last = reference,
            _ => self.push(reference, reference),
        }
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        (self.beyond, self.highest_beyond) = (0, None);
    }

    pub fn all(&self) -> &[(u64, u64)] {
        &self.rows
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower 16 bits are meant")]
fn split(reference: u64) -> (u64, u16) {
    (reference >> 16, reference as u16)
}

impl Run {
    fn insert(&mut self, low: u16) -> bool {
        match self {
            Run::List(list) => match list.binary_search(&low) {
                Ok(_) => false,
                Err(at) => {
                    if list.len() == LONGEST_LIST {
                        self.widen();
                        return self.insert(low);
                    }
                    list.insert(at, low);
                    true
                }
            },
            Run::Bits(bits, count) => {
                let bit = 1_u64 << (low % 64);
                let Some(word) = bits.get_mut(usize::from(low / 64)) else { return false };
                let new = *word & bit == 0;
                *word |= bit;
                *count += u32::from(new);
                new
            }
        }
    }

    /// All from `first` to `last`, both of them too.
    fn insert_all(&mut self, first: u16, last: u16) {
        let many = usize::from(last - first) + 1;
        if let Run::List(list) = self {
            if list.len() + many <= LONGEST_LIST {
                if list.last().is_none_or(|highest| *highest < first) {
                    list.extend(first..=last);
                } else if list.binary_search(&first).is_err() || many > 1 {
                    (first..=last).for_each(|low| {
                        self.insert(low);
                    });
                }
                return;
            }
            self.widen();
        }
        let Run::Bits(bits, count) = self else { return };
        let (from, to) = (usize::from(first / 64), usize::from(last / 64));
        for (at, word) in bits.iter_mut().enumerate().take(to + 1).skip(from) {
            let low = if at == from { u64::MAX << (first % 64) } else { u64::MAX };
            let high = if at == to { u64::MAX >> (63 - last % 64) } else { u64::MAX };
            *count += (low & high & !*word).count_ones();
            *word |= low & high;
        }
    }

    /// From a list to bits.
    fn widen(&mut self) {
        if let Run::List(list) = self {
            let mut bits = Run::Bits(Box::new([0; 1024]), 0);
            for one in std::mem::take(list) {
                bits.insert(one);
            }
            *self = bits;
        }
    }

    fn contains(&self, low: u16) -> bool {
        match self {
            Run::List(list) => list.binary_search(&low).is_ok(),
            Run::Bits(bits, _) => {
                bits.get(usize::from(low / 64)).is_some_and(|word| word & (1 << (low % 64)) != 0)
            }
        }
    }

    fn len(&self) -> u64 {
        match self {
            Run::List(list) => list.len() as u64,
            Run::Bits(_, count) => u64::from(*count),
        }
    }

    fn lows(&self) -> Box<dyn Iterator<Item = u16> + '_> {
        match self {
            Run::List(list) => Box::new(list.iter().copied()),
            Run::Bits(..) => Box::new((0..=u16::MAX).filter(|low| self.contains(*low))),
        }
    }

    fn extend(&mut self, other: &Run) {
        if let Run::Bits(more, _) = other {
            self.widen();
            let Run::Bits(bits, count) = self else { return };
            for (word, more) in bits.iter_mut().zip(more.iter()) {
                *count += (more & !*word).count_ones();
                *word |= more;
            }
        } else {
            other.lows().for_each(|low| {
                self.insert(low);
            });
        }
    }

    /// What is not in the other; `None` where that is nothing.
    fn without(&self, other: &Run) -> Option<Run> {
        if let (Run::Bits(own, _), Run::Bits(bits, _)) = (self, other)
            && own.iter().zip(bits.iter()).all(|(own, other)| own & !other == 0)
        {
            return None;
        }
        let mut left = Run::List(Vec::new());
        for low in self.lows().filter(|low| !other.contains(*low)) {
            left.insert(low);
        }
        (left.len() > 0).then_some(left)
    }
}

impl Refs {
    /// Whether it was not in it before.
    pub fn insert(&mut self, reference: u64) -> bool {
        let (high, low) = split(reference);
        match self.run(high) {
            Some(run) => run.insert(low),
            None => {
                self.beyond += 1;
                true
            }
        }
    }

    /// All of a record.
    pub(super) fn take(&mut self, rows: &mut Rows) {
        rows.rows.drain(..).for_each(|(first, last)| self.insert_all(first, last));
        self.beyond = self.beyond.saturating_add(std::mem::take(&mut rows.beyond));
    }

    /// All from `first` to `last`, both of them too: of a batch, which names series in the order in
    /// which they came to be, much quicker than one by one.
    pub fn insert_all(&mut self, first: u64, last: u64) {
        let (mut from, (to, end)) = (split(first), split(last));
        while from.0 < to {
            self.insert_in(from.0, from.1, u16::MAX);
            from = (from.0 + 1, 0);
        }
        if from.0 == to && from.1 <= end {
            self.insert_in(to, from.1, end);
        }
    }

    fn insert_in(&mut self, high: u64, first: u16, last: u16) {
        match self.run(high) {
            Some(run) => run.insert_all(first, last),
            None => self.beyond += u64::from(last - first) + 1,
        }
    }

    /// `None` where there is no room for one more.
    fn run(&mut self, high: u64) -> Option<&mut Run> {
        let is_full = self.runs.len() >= MOST_RUNS;
        match self.runs.entry(high) {
            Entry::Vacant(_) if is_full => None,
            entry => Some(entry.or_insert_with(|| Run::List(Vec::new()))),
        }
    }

    #[must_use]
    pub fn contains(&self, reference: u64) -> bool {
        let (high, low) = split(reference);
        self.runs.get(&high).is_some_and(|run| run.contains(low))
    }

    #[must_use]
    pub fn len(&self) -> u64 {
        self.runs.values().map(Run::len).fold(self.beyond, u64::saturating_add)
    }

    /// Whether so many runs are held that no second set should be beside it for long.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.runs.len() > MOST_RUNS >> 6
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.beyond == 0
    }

    /// The highest of all.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        let (high, run) = self.runs.last_key_value()?;
        run.lows().last().map(|low| high << 16 | u64::from(low))
    }

    /// From the lowest on.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let all = |(high, run): (&u64, &'_ Run)| {
            let high = *high << 16;
            run.lows().map(move |low| high | u64::from(low)).collect::<Vec<u64>>()
        };
        self.runs.iter().flat_map(all)
    }

    pub fn extend(&mut self, other: &Refs) {
        self.beyond = self.beyond.saturating_add(other.beyond);
        for (high, run) in &other.runs {
            match self.run(*high) {
                Some(own) if own.len() == 0 => *own = run.clone(),
                Some(own) => own.extend(run),
                None => self.beyond = self.beyond.saturating_add(run.len()),
            }
        }
    }

    /// Those that are in here and not in the other.
    #[must_use]
    pub fn without(&self, other: &Refs) -> Refs {
        let left = |(high, run): (&u64, &Run)| match other.runs.get(high) {
            Some(theirs) => run.without(theirs).map(|left| (*high, left)),
            None => Some((*high, run.clone())),
        };
        Refs { runs: self.runs.iter().filter_map(left).collect(), beyond: self.beyond }
    }

    /// How many are in here and not in the other.
    #[must_use]
    pub fn lacking_in(&self, other: &Refs) -> u64 {
        self.without(other).len()
    }
}
