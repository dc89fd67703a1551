//! Which series were met before. A series is its labels: one that stands in a checkpoint and in a
//! segment is one, and so is one that came back under a new ref, as Prometheus takes them.

use super::Batch;

/// Series that are told apart. A later one is taken for new each time that a record names it.
pub const MOST: u64 = 8 << 20;

/// Series in a bucket, on average, before there are twice as many buckets: two lines of a cache.
const MOST_EACH: u64 = 32;
/// Bits of a hash by which a bucket is chosen at first, and at last: from then on buckets fill.
const FIRST_BITS: u32 = 16;
const LAST_BITS: u32 = 18;

/// Of the upper 48 bits of each series' hash, 32: the bucket has the others. At most 52 MiB.
pub struct Identity {
    buckets: Vec<Vec<u32>>,
    /// How many of the uppermost bits choose the bucket.
    bits: u32,
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
pub struct Told(pub(super) Batch);

impl Told {
    /// The batch, for others.
    #[must_use]
    pub fn emptied(self) -> Batch {
        self.0.emptied()
    }
}

impl Identity {
    /// Remembers so many series.
    #[must_use]
    pub fn holding(most: u64) -> Identity {
        let buckets = vec![Vec::new(); 1 << FIRST_BITS];
        Identity { buckets, bits: FIRST_BITS, len: 0, most, beyond: 0 }
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
    pub fn tell(&mut self, mut batch: Batch) -> Told {
        let buckets = batch.series.iter().map(|series| self.bucket(series.hash));
        fetch(buckets.filter_map(|at| self.buckets.get(at)), |rest| *rest);
        batch.new.clear();
        batch.new.extend(batch.series.iter().map(|series| self.insert(series.hash)));
        Told(batch)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the upper bits")]
    fn bucket(&self, hash: u64) -> usize {
        (hash >> (64 - self.bits)) as usize
    }

    #[expect(clippy::cast_possible_truncation, reason = "32 others of the hash")]
    fn insert(&mut self, hash: u64) -> bool {
        let at = self.bucket(hash);
        let Some(bucket) = self.buckets.get_mut(at) else { return false };
        let rest = (hash >> 16) as u32;
        if contains(bucket, rest) {
            return false;
        }
        if self.len >= self.most {
            self.beyond += 1;
            return true;
        }
        grow(bucket);
        bucket.push(rest);
        self.len += 1;
        if self.len > MOST_EACH << self.bits && self.bits < LAST_BITS {
            self.split();
        }
        true
    }

    /// Twice as many buckets. Which of two a series goes to is told by the next bit of its hash: the
    /// first 16 are not kept, the others are.
    fn split(&mut self) {
        let mut buckets = Vec::with_capacity(self.buckets.len() * 2);
        for bucket in self.buckets.drain(..) {
            let upper = |rest: &u32| rest >> (47 - self.bits) & 1 == 1;
            buckets.push(bucket.iter().copied().filter(|rest| !upper(rest)).collect());
            buckets.push(bucket.into_iter().filter(upper).collect());
        }
        self.buckets = buckets;
        self.bits += 1;
    }
}

/// Eight at once, without a branch for each.
fn contains(bucket: &[u32], rest: u32) -> bool {
    let (eights, others) = bucket.as_chunks::<8>();
    let is_in = |eight: &[u32; 8]| eight.iter().fold(false, |found, one| found | (*one == rest));
    eights.iter().any(is_in) || others.contains(&rest)
}

/// Room for an eighth more, where a vector by itself would take twice as much.
pub(super) fn grow<T>(bucket: &mut Vec<T>) {
    if bucket.len() == bucket.capacity() {
        bucket.reserve_exact(bucket.len() / 8 + 4);
    }
}

/// Looks at buckets before they are searched, so that the memory of many comes at once: each is far from
/// the others, and to wait for them one by one is most of the time.
pub(super) fn fetch<'a, T: 'a>(
    buckets: impl Iterator<Item = &'a Vec<T>> + Clone,
    word: fn(&T) -> u32,
) {
    let lengths = buckets.clone().fold(0, |sum, bucket| sum ^ bucket.len());
    // The lines between them come by themselves.
    let ends = |bucket: &Vec<T>| Some(word(bucket.first()?) ^ word(bucket.last()?));
    let ends = buckets.filter_map(ends).fold(0, |sum, ends| sum ^ ends);
    std::hint::black_box((lengths, ends));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walfile::hash;

    #[test]
    fn series_are_found_again_after_buckets_were_split() {
        let mut identity = Identity::default();
        let many = (MOST_EACH << FIRST_BITS) + 100_000;
        let all = || (0..many).map(|number| hash::join(0, number));
        let new = all().filter(|series| identity.insert(*series)).count() as u64;
        assert_eq!(identity.bits, FIRST_BITS + 1);
        // Of two million, 48 bits take none for another, with these numbers.
        assert_eq!((new, identity.len()), (many, many));
        assert!(!all().any(|series| identity.insert(series)));
    }
}
