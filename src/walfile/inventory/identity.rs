//! Which series were met before. A series is its labels: one that stands in a checkpoint and in a
//! segment is one, and so is one that came back under a new ref, as Prometheus takes them.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Batch;
use super::batch::Hashed;

/// Series that are told apart. A later one is taken for new each time that a record names it.
pub const MOST: u64 = 8 << 20;

/// Series that a row has room for: two lines of a cache, which come together.
const ROOM: usize = 32;
/// Rows at first. With fewer, a row would not tell the 16 bits of a hash that are not kept.
const FIRST_ROWS: usize = 1 << 16;
/// Series in a row, on average, before there are half as many rows again. By then one in a hundred
/// finds its row full. With [`MOST`] that came four times.
const MOST_EACH: usize = 26;
/// Series whose row is full. Chance brings 100 000 at the most: more were made to share one.
const MOST_OTHERS: usize = 1 << 17;
/// Rows that are looked at before they are searched: as many as fit the nearest cache.
const AT_ONCE: usize = 256;

/// Of the upper 48 bits of each series' hash, 32: its row has the others. At most 45 MiB.
pub struct Identity {
    /// Each of [`ROOM`], filled from its start; what is free is 0.
    rows: Vec<u32>,
    /// Series whose row is full, by those 48 bits. A set would do, in 1 kB more of a file that has 700 at
    /// the most.
    others: BTreeMap<u64, u64>,
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
        let rows = vec![0; FIRST_ROWS * ROOM];
        Identity { rows, others: BTreeMap::new(), len: 0, most, beyond: 0 }
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
        batch.new.clear();
        for series in batch.series.chunks(AT_ONCE) {
            self.fetch(series);
            batch.new.extend(series.iter().map(|series| self.insert(series.hash)));
        }
        Told(batch)
    }

    /// Looks at rows before they are searched, so that the memory of many comes at once: each is far from
    /// the others, and to wait for them one by one is most of the time.
    fn fetch(&self, series: &[Hashed]) {
        let rows = series.iter().filter_map(|series| self.rows.get(row(series.hash, &self.rows)));
        let words = rows.filter_map(|row| Some(row.first()? ^ row.last()?));
        std::hint::black_box(words.fold(0, |sum, word| sum ^ word));
    }

    fn insert(&mut self, hash: u64) -> bool {
        let (rest, has_room) = (rest(hash), self.len < self.most);
        let row = row(hash, &self.rows);
        let row = self.rows.get_mut(row).unwrap_or_default();
        match row.iter_mut().find(|slot| **slot == rest || **slot == 0) {
            Some(slot) if *slot == rest => return false,
            Some(slot) if has_room => *slot = rest,
            None if self.others.contains_key(&(hash >> 16)) => return false,
            None if has_room && self.others.len() < MOST_OTHERS => {
                *self.others.entry(hash >> 16).or_default() = hash;
            }
            _ => {
                self.beyond += 1;
                return true;
            }
        }
        self.len += 1;
        if self.len > (self.rows.len() / ROOM * MOST_EACH) as u64 {
            self.grow();
        }
        true
    }

    /// Makes half as many rows again, in place, for there is no room for both: from the last on, what a
    /// row holds goes to rows behind it, which were emptied before.
    fn grow(&mut self) {
        let rows = self.rows.len() / ROOM;
        self.rows.reserve_exact(rows / 2 * ROOM);
        self.rows.resize((rows + rows / 2) * ROOM, 0);
        self.len = 0;
        let others = std::mem::take(&mut self.others);
        for at in (0..rows).rev() {
            let mut row = [0; ROOM];
            if let Some(from) = self.rows.get_mut(at * ROOM..(at + 1) * ROOM) {
                row.swap_with_slice(from);
            }
            for rest in row.into_iter().filter(|rest| *rest != 0) {
                self.insert(whole(at as u64, rows as u64, rest));
            }
        }
        for hash in others.into_values() {
            self.insert(hash);
        }
    }
}

/// Where the row of a hash is, by its upper 32 bits.
fn row(hash: u64, rows: &[u32]) -> Range<usize> {
    let at = ((hash >> 32) * (rows.len() / ROOM) as u64) >> 32;
    let at = at as usize * ROOM;
    at..at + ROOM
}

/// The 32 bits that are kept; none is 0.
#[expect(clippy::cast_possible_truncation, reason = "32 bits of the hash")]
fn rest(hash: u64) -> u32 {
    ((hash >> 16) as u32).max(1)
}

/// The upper 48 bits of a hash again. The upper 32 of all in a row are less than 2^16 from the first,
/// so that the lower 16 of those tell which it is.
fn whole(at: u64, rows: u64, rest: u32) -> u64 {
    let (first, rest) = ((at << 32) / rows, u64::from(rest));
    let upper = first + ((rest >> 16).wrapping_sub(first) & 0xffff);
    upper << 32 | (rest & 0xffff) << 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walfile::hash;

    #[test]
    fn series_are_found_again_after_rows_were_made() {
        let mut identity = Identity::default();
        let many = (FIRST_ROWS * MOST_EACH) as u64 + 100_000;
        let all = || (0..many).map(|number| hash::join(0, number));
        let new = all().filter(|series| identity.insert(*series)).count() as u64;
        assert_eq!(identity.rows.len(), (FIRST_ROWS + FIRST_ROWS / 2) * ROOM);
        // Of two million, 48 bits take none for another, with these numbers.
        assert_eq!((new, identity.len()), (many, many));
        assert!(!all().any(|series| identity.insert(series)));
    }

    /// The upper 48 bits of all are told again by a row and what is kept there.
    #[test]
    fn a_hash_is_told_again_by_its_row() {
        for rows in [FIRST_ROWS, FIRST_ROWS / 2 * 3, FIRST_ROWS / 16 * 81] {
            let some = (0..100_000).map(|number| hash::join(0, number));
            let ends = (0..rows as u64).flat_map(|at| {
                let first = (at << 32).div_ceil(rows as u64) << 32;
                [first | 1 << 16, first.wrapping_sub(1)]
            });
            let empty = vec![0; rows * ROOM];
            for hash in some.chain(ends) {
                let at = row(hash, &empty).start / ROOM;
                assert_eq!(whole(at as u64, rows as u64, rest(hash)), hash >> 16 << 16);
            }
        }
    }

    #[test]
    fn series_that_share_a_row_are_told_apart_until_too_many_do() {
        let mut identity = Identity::default();
        let alike = |count: usize| (1..=count as u64).map(|number| number << 16);
        let most = ROOM + MOST_OTHERS;
        assert!(alike(most).all(|series| identity.insert(series)));
        assert!(!alike(most).any(|series| identity.insert(series)));
        identity.grow();
        assert_eq!((identity.len(), identity.beyond), (most as u64, 0));
        assert!(!alike(most).any(|series| identity.insert(series)));
        assert!(alike(most + 10).skip(most).all(|series| identity.insert(series)));
        assert_eq!((identity.len(), identity.beyond), (most as u64 + 10, 10));
    }
}
