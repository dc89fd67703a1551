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
                        let mut bits = Run::Bits(Box::new([0; 1024]), 0);
                        for one in std::mem::take(list) {
                            bits.insert(one);
                        }
                        bits.insert(low);
                        *self = bits;
                    } else {
                        list.insert(at, low);
                    }
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
}

impl Refs {
    /// Whether it was not in it before.
    pub fn insert(&mut self, reference: u64) -> bool {
        let (high, low) = split(reference);
        self.runs.entry(high).or_insert_with(|| Run::List(Vec::new())).insert(low)
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
                Some(own) => run.lows().for_each(|low| {
                    own.insert(low);
                }),
                None => {
                    self.runs.insert(*high, run.clone());
                }
            }
        }
    }

    /// How many are in here and not in the other.
    #[must_use]
    pub fn lacking_in(&self, other: &Refs) -> u64 {
        self.iter().filter(|reference| !other.contains(*reference)).count() as u64
    }
}
