//! How much of what a log holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::{Entry, RecordType};

/// Entries of records, and the time they span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entries {
    pub series: u64,
    pub samples: u64,
    pub tombstones: u64,
    pub exemplars: u64,
    pub markers: u64,
    pub metadata: u64,
    /// Of samples, in milliseconds.
    pub span: Option<Span>,
    /// Of Series records.
    pub refs: Option<RefRange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub first: i64,
    pub last: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefRange {
    pub first: u64,
    pub last: u64,
}

impl Entries {
    pub fn count(&mut self, entry: Entry<'_>) {
        match entry {
            Entry::Series { reference, .. } => {
                self.series += 1;
                self.refs =
                    Some(self.refs.map_or(RefRange { first: reference, last: reference }, |r| {
                        RefRange { first: r.first.min(reference), last: r.last.max(reference) }
                    }));
            }
            Entry::Sample { time, .. } => {
                self.samples += 1;
                let span = self.span.get_or_insert(Span { first: time, last: time });
                span.first = span.first.min(time);
                span.last = span.last.max(time);
            }
            Entry::Tombstone { .. } => self.tombstones += 1,
            Entry::Exemplar { .. } => self.exemplars += 1,
            Entry::Marker { .. } => self.markers += 1,
            Entry::Metadata { .. } => self.metadata += 1,
        }
    }

    /// Of all types.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Entries { series, samples, tombstones, exemplars, markers, metadata, .. } = *self;
        series + samples + tombstones + exemplars + markers + metadata
    }

    pub fn add(&mut self, other: &Entries) {
        let Entries { series, samples, tombstones, exemplars, markers, metadata, span, refs } =
            *other;
        self.series += series;
        self.samples += samples;
        self.tombstones += tombstones;
        self.exemplars += exemplars;
        self.markers += markers;
        self.metadata += metadata;
        self.span = match (self.span, span) {
            (Some(a), Some(b)) => {
                Some(Span { first: a.first.min(b.first), last: a.last.max(b.last) })
            }
            (a, b) => a.or(b),
        };
        self.refs = match (self.refs, refs) {
            (Some(a), Some(b)) => {
                Some(RefRange { first: a.first.min(b.first), last: a.last.max(b.last) })
            }
            (a, b) => a.or(b),
        };
    }
}

/// Records of one type, and what they come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfType {
    pub records: u64,
    /// 0 where records were not decoded.
    pub entries: u64,
}

/// Records by type, with what is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    pub records: u64,
    pub by_type: BTreeMap<RecordType, OfType>,
    pub entries: Entries,
}

impl Counts {
    pub fn record(&mut self, kind: RecordType, entries: &Entries) {
        self.records += 1;
        let of_type = self.by_type.entry(kind).or_default();
        of_type.records += 1;
        of_type.entries += entries.total();
        self.entries.add(entries);
    }

    pub fn add(&mut self, other: &Counts) {
        self.records += other.records;
        for (kind, more) in &other.by_type {
            let of_type = self.by_type.entry(*kind).or_default();
            of_type.records += more.records;
            of_type.entries += more.entries;
        }
        self.entries.add(&other.entries);
    }
}

/// What a way to read on after faults keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub records: u64,
    pub series: u64,
    pub samples: u64,
}

impl Kept {
    pub fn record(&mut self, entries: &Entries) {
        self.records += 1;
        self.series += entries.series;
        self.samples += entries.samples;
    }

    pub fn add(&mut self, other: &Kept) {
        self.records += other.records;
        self.series += other.series;
        self.samples += other.samples;
    }

    /// What is in here and not in a part of it.
    #[must_use]
    pub fn without(&self, part: &Kept) -> Kept {
        Kept {
            records: self.records.saturating_sub(part.records),
            series: self.series.saturating_sub(part.series),
            samples: self.samples.saturating_sub(part.samples),
        }
    }
}
