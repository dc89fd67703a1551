//! Series on their way from a file to the counts, in pieces of one size whatever a record holds.

use super::super::bytes::Cursor;
use super::super::{hash, record};

/// Series are handed on once this many bytes of labels have come together.
const FULL: usize = 256 << 10;

/// A name and its value.
type Label<'a> = (&'a [u8], &'a [u8]);

/// Labels of a series, at the most, as a rule.
const PLACES: usize = 64;

/// Bytes of a label and its value, at the most, as a rule.
const SHORT: usize = 32;

/// Labels of one series that are counted each on its own, and their bytes: Prometheus itself has no
/// bound. All of them tell the series from others; those beyond are only told to be so many.
pub const MOST_LABELS: usize = 1 << 12;
const MOST_BYTES: usize = FULL;

/// Series, and what tells them and their labels apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Names and values of the pairs, one behind the other, each with its length.
    pub(super) labels: Vec<u8>,
    pub(super) series: Vec<Hashed>,
    /// Of each series in turn, those that did not come last at their places: most did, for series of one
    /// target follow each other, and what is not handed on costs no thread any time.
    pub(super) pairs: Vec<Pair>,
    /// By series, whether it was not met before; once that is told.
    pub(super) new: Vec<bool>,
}

/// A series by its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hashed {
    pub(super) hash: u64,
    pub(super) labels: usize,
    /// How many of them are among the batch's pairs. The others are what came last at their places.
    pub(super) fresh: usize,
}

/// A label and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) hash: u64,
    /// Where it stands in the batch's bytes.
    at: u32,
    /// Which of its series' labels it is.
    pub(super) place: u32,
}

/// What a record came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) series: u64,
    /// Labels beyond [`MOST_LABELS`].
    pub(super) labels_beyond: u64,
}

impl Batch {
    /// A label and its value, by their own text.
    pub(super) fn label(&self, pair: Pair) -> Option<Label<'_>> {
        let mut from = Cursor::new(self.labels.get(usize::try_from(pair.at).ok()?..)?);
        Some((from.text()?, from.text()?))
    }

    /// Its room, for others: to ask for it anew costs more than to fill it.
    #[must_use]
    pub fn emptied(mut self) -> Batch {
        self.labels.clear();
        self.series.clear();
        self.pairs.clear();
        self.new.clear();
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Labels may be of no bytes, and series of no labels.
    pub(super) fn is_full(&self) -> bool {
        self.labels.len() >= FULL || self.pairs.len() >= FULL / 4 || self.series.len() >= FULL / 64
    }

    /// Adds the series of a record, each time to an empty batch once one is full. `None`, and nothing
    /// is added, where the record cannot be decoded to its end.
    pub(super) fn add(
        &mut self,
        record: &[u8],
        give: &mut dyn FnMut(Batch) -> Batch,
    ) -> Option<Added> {
        // What was handed on cannot be taken back.
        let is_long = record.len() > FULL;
        if is_long {
            record::read(record, |_| {}).ok()?;
        }
        let (labels, series, pairs) = (self.labels.len(), self.series.len(), self.pairs.len());
        let mut added = Added::default();
        let mut last = Vec::with_capacity(PLACES);
        let mut from = record::entries(record);
        while !from.is_empty() {
            let Some(beyond) = self.series(&mut from, &mut last) else {
                self.labels.truncate(labels);
                self.series.truncate(series);
                self.pairs.truncate(pairs);
                return None;
            };
            added.series += 1;
            added.labels_beyond += beyond;
            if is_long && self.is_full() {
                *self = give(std::mem::take(self));
                // Of a batch everything is told by itself.
                last.clear();
            }
        }
        Some(added)
    }

    /// Adds one series; how many of its labels are beyond. `last`: at each place among the labels, the
    /// last one that was added, as it is written, with its hash.
    fn series<'a>(
        &mut self,
        from: &mut Cursor<'a>,
        last: &mut Vec<(&'a [u8], u64)>,
    ) -> Option<u64> {
        let (_, count) = record::series(from)?;
        let (all, before) = (from.len(), self.pairs.len());
        let (mut hash, mut labels) = (0, 0);
        for place in 0..usize::try_from(count).ok()? {
            let here = from.rest();
            let starts =
                |label: &[u8]| here.get(..label.len()).is_some_and(|h| hash::same(h, label));
            let known = last.get(place).filter(|(label, _)| starts(label)).copied();
            let own = match known {
                Some((label, own)) => {
                    from.take(label.len())?;
                    own
                }
                None => hash::pair(from.text()?, from.text()?),
            };
            hash = hash::join(hash, own);
            if place >= MOST_LABELS || all - from.len() > MOST_BYTES {
                continue;
            }
            labels += 1;
            if known.is_some() {
                continue;
            }
            let label = here.get(..here.len() - from.len())?;
            let at = u32::try_from(self.labels.len()).ok()?;
            self.pairs.push(Pair { hash: own, at, place: u32::try_from(place).ok()? });
            // A number of bytes that is no constant is copied by a call, which costs more than the bytes.
            match here.first_chunk::<SHORT>() {
                Some(short) if label.len() <= SHORT => {
                    let end = self.labels.len() + label.len();
                    self.labels.extend_from_slice(short);
                    self.labels.truncate(end);
                }
                _ => self.labels.extend_from_slice(label),
            }
            match last.get_mut(place) {
                Some(last) => *last = (label, own),
                None => last.push((label, own)),
            }
        }
        self.series.push(Hashed { hash, labels, fresh: self.pairs.len() - before });
        Some(count - labels as u64)
    }
}
