//! A set of series refs. Prometheus hands them out from 1 upwards, so they lie close together: by
//! the upper 48 bits, a run of them is a short list, or a map of bits once that is smaller.

use std::collections::BTreeMap;

/// At this many, a list of two bytes each is as large as 65 536 bits.
const LONGEST_LIST: usize = 4096;

#[derive(Clone, Debug)]
enum Run {
    List(Vec<u16>),
    Bits(Box<[u64; 1024]>, u32),
}

/// Holds at most 8 KiB for each 65 536 refs next to each other, and two bytes for each that stands
/// alone.
#[derive(Clone, Debug, Default)]
pub struct Refs {
    runs: BTreeMap<u64, Run>,
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
        self.runs.entry(high).or_insert_with(|| Run::List(Vec::new())).insert(low)
    }

    /// All from `first` to `last`, both of them too: of a batch, which names series in the order in
    /// which they came to be, much quicker than one by one.
    pub fn insert_all(&mut self, first: u64, last: u64) {
        let (mut from, (to, end)) = (split(first), split(last));
        while from.0 < to {
            self.run(from.0).insert_all(from.1, u16::MAX);
            from = (from.0 + 1, 0);
        }
        if from.0 == to && from.1 <= end {
            self.run(to).insert_all(from.1, end);
        }
    }

    fn run(&mut self, high: u64) -> &mut Run {
        self.runs.entry(high).or_insert_with(|| Run::List(Vec::new()))
    }

    #[must_use]
    pub fn contains(&self, reference: u64) -> bool {
        let (high, low) = split(reference);
        self.runs.get(&high).is_some_and(|run| run.contains(low))
    }

    #[must_use]
    pub fn len(&self) -> u64 {
        self.runs.values().map(Run::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
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
        for (high, run) in &other.runs {
            match self.runs.get_mut(high) {
                Some(own) => own.extend(run),
                None => {
                    self.runs.insert(*high, run.clone());
                }
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
        Refs { runs: self.runs.iter().filter_map(left).collect() }
    }

    /// How many are in here and not in the other.
    #[must_use]
    pub fn lacking_in(&self, other: &Refs) -> u64 {
        self.without(other).len()
    }
}
