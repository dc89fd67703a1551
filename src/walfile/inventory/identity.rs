//! Which series were met before. A series is its labels: one that stands in a checkpoint and in a
//! segment is one, and so is one that came back under a new ref, as Prometheus takes them.

use super::Batch;

/// Series that are told apart. A later one is taken for new each time that a record names it.
pub const MOST: u64 = 8 << 20;

/// 32 bits of each series, by 16 others: at most 44 MiB.
pub struct Identity {
    buckets: Vec<Vec<u32>>,
    len: u64,
    most: u64,
    /// Series that were counted without being remembered.
    pub beyond: u64,
}

impl Default for Identity {
    fn default() -> Identity {
        Identity::holding(MOST)
    }
}

/// A batch whose series were looked up.
pub struct Told {
    pub(super) batch: Batch,
    /// By series, whether it is new.
    pub(super) new: Vec<bool>,
}

impl Identity {
    /// Remembers so many series.
    #[must_use]
    pub fn holding(most: u64) -> Identity {
        // 65 536 for the default.
        let buckets = usize::try_from(most / 128).unwrap_or_default().clamp(1, 1 << 16);
        Identity { buckets: vec![Vec::new(); buckets.next_power_of_two()], len: 0, most, beyond: 0 }
    }

    /// Distinct series so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len + self.beyond
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells which series of a batch are new.
    pub fn tell(&mut self, batch: Batch) -> Told {
        let new = batch.series.iter().map(|series| self.insert(series.hash)).collect();
        Told { batch, new }
    }

    #[expect(clippy::cast_possible_truncation, reason = "16 bits and 32 others of the hash")]
    fn insert(&mut self, hash: u64) -> bool {
        let at = (hash >> 48) as usize & (self.buckets.len() - 1);
        let Some(bucket) = self.buckets.get_mut(at) else { return false };
        let rest = (hash >> 16) as u32;
        if bucket.contains(&rest) {
            return false;
        }
        if self.len >= self.most {
            self.beyond += 1;
            return true;
        }
        grow(bucket);
        bucket.push(rest);
        self.len += 1;
        true
    }
}

/// Room for an eighth more, where a vector by itself would take twice as much.
pub(super) fn grow<T>(bucket: &mut Vec<T>) {
    if bucket.len() == bucket.capacity() {
        bucket.reserve_exact(bucket.len() / 8 + 4);
    }
}
