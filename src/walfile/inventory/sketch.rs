//! What stands in for a count where there is no room to count: how often something came, give or
//! take, and how many different ones there were.

use std::collections::HashMap;

use super::ranking::Named;

/// Pairs that are followed, at the least; twice as many at the most.
const FOLLOWED: usize = 1 << 12;

/// How often pairs came, of those that came most often (Misra and Gries, "Finding repeated
/// elements", 1982): each is told too low by at most [`Frequent::error`], which is at most the total
/// divided by [`FOLLOWED`], and none that came more often than that is missing.
#[derive(Default)]
pub struct Frequent {
    followed: HashMap<u64, (u64, Named)>,
    total: u64,
    error: u64,
}

impl Frequent {
    pub fn count(&mut self, hash: u64, pair: (&[u8], &[u8]), times: u32) {
        let times = u64::from(times);
        self.total += times;
        if let Some((count, _)) = self.followed.get_mut(&hash) {
            *count += times;
            return;
        }
        if self.followed.len() >= 2 * FOLLOWED {
            let mut counts: Vec<u64> = self.followed.values().map(|(count, _)| *count).collect();
            let (_, less, _) = counts.select_nth_unstable_by(FOLLOWED, |a, b| b.cmp(a));
            let less = *less;
            self.followed.retain(|_, (count, _)| {
                *count = count.saturating_sub(less);
                *count > 0
            });
            self.error += less;
        }
        self.followed.insert(hash, (times, Named::new(hash, pair)));
    }

    pub fn all(&self) -> impl Iterator<Item = (&Named, u64)> {
        self.followed.values().map(|(count, named)| (named, *count))
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// How much too low a count may be.
    pub fn error(&self) -> u64 {
        self.error
    }
}

const REGISTERS: usize = 1 << 12;

/// How many different hashes came (Flajolet and others, "HyperLogLog", 2007), give or take 1.04 /
/// sqrt(4096) = 1.6 %.
pub struct Distinct {
    registers: [u8; REGISTERS],
}

impl Default for Distinct {
    fn default() -> Distinct {
        Distinct { registers: [0; REGISTERS] }
    }
}

impl Distinct {
    #[expect(clippy::cast_possible_truncation, reason = "12 bits, and a count of at most 52")]
    pub fn add(&mut self, hash: u64) {
        // The buckets of pairs take their bits from the other end.
        let at = hash as usize % REGISTERS;
        let rank = ((hash >> 12) | 1 << 52).trailing_zeros() as u8 + 1;
        if let Some(register) = self.registers.get_mut(at) {
            *register = rank.max(*register);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate"
    )]
    pub fn estimate(&self) -> u64 {
        let size = REGISTERS as f64;
        let sum: f64 = self.registers.iter().map(|rank| 2_f64.powi(-i32::from(*rank))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / size) * size * size / sum;
        let empty = self.registers.iter().filter(|rank| **rank == 0).count();
        if raw <= 2.5 * size && empty > 0 {
            (size * (size / empty as f64).ln()).round() as u64
        } else {
            raw.round() as u64
        }
    }
}
