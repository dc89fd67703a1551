//! What a record says (tsdb/record/record.go): a type byte, then entries to its end. Sums and refs
//! only; values and labels are handed on as bytes.

use serde::{Deserialize, Serialize};

use super::bytes::Cursor;
use super::histogram;

/// The types that 3.14 knows; releases that know fewer pass over the others in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub enum RecordType {
    Series = 1,
    Samples = 2,
    Tombstones = 3,
    Exemplars = 4,
    MmapMarkers = 5,
    Metadata = 6,
    HistogramSamples = 7,
    FloatHistogramSamples = 8,
    CustomBucketsHistogramSamples = 9,
    CustomBucketsFloatHistogramSamples = 10,
    SamplesV2 = 11,
    HistogramSamplesV2 = 12,
    FloatHistogramSamplesV2 = 13,
    /// Any other first byte, and a record without one.
    Unknown = 0,
}

impl RecordType {
    pub const ALL: [RecordType; 14] = [
        RecordType::Unknown,
        RecordType::Series,
        RecordType::Samples,
        RecordType::Tombstones,
        RecordType::Exemplars,
        RecordType::MmapMarkers,
        RecordType::Metadata,
        RecordType::HistogramSamples,
        RecordType::FloatHistogramSamples,
        RecordType::CustomBucketsHistogramSamples,
        RecordType::CustomBucketsFloatHistogramSamples,
        RecordType::SamplesV2,
        RecordType::HistogramSamplesV2,
        RecordType::FloatHistogramSamplesV2,
    ];

    #[must_use]
    pub fn of(first: Option<u8>) -> RecordType {
        let index = first.map_or(0, usize::from);
        RecordType::ALL.get(index).copied().unwrap_or(RecordType::Unknown)
    }

    /// Whether its entries are samples of series.
    #[must_use]
    pub fn holds_samples(self) -> bool {
        use RecordType as T;
        match self {
            T::Samples
            | T::SamplesV2
            | T::HistogramSamples
            | T::FloatHistogramSamples
            | T::CustomBucketsHistogramSamples
            | T::CustomBucketsFloatHistogramSamples
            | T::HistogramSamplesV2
            | T::FloatHistogramSamplesV2 => true,
            T::Unknown
            | T::Series
            | T::Tombstones
            | T::Exemplars
            | T::MmapMarkers
            | T::Metadata => false,
        }
    }
}

/// One entry of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    Series {
        reference: u64,
        labels: Labels<'a>,
    },
    /// A float or a histogram at a time in milliseconds.
    Sample {
        reference: u64,
        time: i64,
    },
    Tombstone {
        reference: u64,
    },
    Exemplar {
        reference: u64,
    },
    /// All out-of-order samples so far are in chunks_head at `chunk`, file number << 32 | offset.
    Marker {
        reference: u64,
        chunk: u64,
    },
    Metadata {
        reference: u64,
    },
}

impl Entry<'_> {
    #[must_use]
    pub fn reference(&self) -> u64 {
        match *self {
            Entry::Series { reference, .. }
            | Entry::Sample { reference, .. }
            | Entry::Tombstone { reference }
            | Entry::Exemplar { reference }
            | Entry::Marker { reference, .. }
            | Entry::Metadata { reference } => reference,
        }
    }
}

/// The labels of a series, checked to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels<'a> {
    count: u64,
    bytes: &'a [u8],
}

/// The entries of a Series record, for who reads each label only once: what [`read`] tells was passed
/// over before to see that it is whole.
pub(super) fn entries(series: &[u8]) -> Cursor<'_> {
    Cursor::new(series.get(1..).unwrap_or_default())
}

/// The ref of a series, and how many labels follow: a name and a value each.
pub(super) fn series(from: &mut Cursor<'_>) -> Option<(u64, u64)> {
    Some((from.be64()?, from.uvarint()?))
}

impl<'a> Labels<'a> {
    /// Reads over so many; `None` where they do not fit the bytes.
    fn read(count: u64, from: &mut Cursor<'a>) -> Option<Labels<'a>> {
        let mut end = *from;
        for _ in 0..count {
            end.text()?;
            end.text()?;
        }
        let bytes = from.take(from.len() - end.len())?;
        Some(Labels { count, bytes })
    }

    /// Each name with its value, in the order of names.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut from = Cursor::new(self.bytes);
        (0..self.count).map_while(move |_| Some((from.text()?, from.text()?)))
    }
}

/// The fields do not fit the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// Bytes before the entry that cannot be decoded: a record of the entries before it, if there are
    /// any.
    pub whole: usize,
}

/// Tells `each` every entry of a record; an error where Prometheus' decoder has one, after the
/// entries before it.
pub fn read<'a>(record: &'a [u8], mut each: impl FnMut(Entry<'a>)) -> Result<(), Undecodable> {
    use RecordType as T;
    let mut from = Cursor::new(record);
    let kind = T::of(from.byte());
    let read = match kind {
        T::Unknown => Ok(()),
        T::Series => all(&mut from, |f| {
            let (reference, labels) = series(f)?;
            each(Entry::Series { reference, labels: Labels::read(labels, f)? });
            Some(())
        }),
        T::Tombstones => all(&mut from, |f| {
            let reference = f.be64()?;
            f.varint()?;
            f.varint()?;
            each(Entry::Tombstone { reference });
            Some(())
        }),
        T::MmapMarkers => all(&mut from, |f| {
            each(Entry::Marker { reference: f.be64()?, chunk: f.be64()? });
            Some(())
        }),
        T::Metadata => all(&mut from, |f| {
            let reference = f.uvarint()?;
            f.byte()?;
            for _ in 0..f.uvarint()? {
                f.text()?;
                f.text()?;
            }
            each(Entry::Metadata { reference });
            Some(())
        }),
        T::Exemplars => from_base(&mut from, |f, reference, _| {
            f.be64()?;
            let labels = f.uvarint()?;
            Labels::read(labels, f)?;
            each(Entry::Exemplar { reference });
            Some(())
        }),
        _ => samples(kind, &mut from, |reference, time| each(Entry::Sample { reference, time })),
    };
    read.map_err(|Rest(left)| Undecodable { whole: record.len().saturating_sub(left) })
}

/// Bytes of a record from the entry that cannot be decoded to its end.
struct Rest(usize);

/// Tells ref and time of every sample.
fn samples(
    kind: RecordType,
    from: &mut Cursor<'_>,
    mut each: impl FnMut(u64, i64),
) -> Result<(), Rest> {
    use RecordType as T;
    // Whether what follows ref and time is a value that Prometheus keeps.
    let value: fn(&mut Cursor<'_>) -> Option<bool> = match kind {
        T::Samples | T::SamplesV2 => |f| f.be64().map(|_| true),
        T::HistogramSamples | T::CustomBucketsHistogramSamples | T::HistogramSamplesV2 => {
            histogram::skip
        }
        T::FloatHistogramSamples
        | T::CustomBucketsFloatHistogramSamples
        | T::FloatHistogramSamplesV2 => histogram::skip_float,
        T::Unknown | T::Series | T::Tombstones | T::Exemplars | T::MmapMarkers | T::Metadata => {
            return Err(Rest(from.len()));
        }
    };
    let entry = |f: &mut Cursor<'_>, reference: u64, time: i64| {
        if value(f)? {
            each(reference, time);
        }
        Some(())
    };
    match kind {
        T::SamplesV2 | T::HistogramSamplesV2 | T::FloatHistogramSamplesV2 => {
            from_previous(from, entry)
        }
        _ => from_base(from, entry),
    }
}

fn all<'a>(
    from: &mut Cursor<'a>,
    mut entry: impl FnMut(&mut Cursor<'a>) -> Option<()>,
) -> Result<(), Rest> {
    while !from.is_empty() {
        let left = from.len();
        entry(from).ok_or(Rest(left))?;
    }
    Ok(())
}

/// Entries that tell ref and time as differences from those at the record's head.
fn from_base<'a>(
    from: &mut Cursor<'a>,
    mut entry: impl FnMut(&mut Cursor<'a>, u64, i64) -> Option<()>,
) -> Result<(), Rest> {
    if from.is_empty() {
        return Ok(());
    }
    let left = Rest(from.len());
    let (Some(base), Some(start)) = (from.be64(), from.be64()) else { return Err(left) };
    all(from, |f| {
        let reference = base.wrapping_add_signed(f.varint()?);
        let time = start.cast_signed().wrapping_add(f.varint()?);
        entry(f, reference, time)
    })
}

/// The second form: refs are differences from the entry before, times from the first, and each
/// entry may have a start time.
fn from_previous<'a>(
    from: &mut Cursor<'a>,
    mut entry: impl FnMut(&mut Cursor<'a>, u64, i64) -> Option<()>,
) -> Result<(), Rest> {
    let mut before: Option<(u64, i64)> = None;
    all(from, |f| {
        let (reference, time, first) = match before {
            None => {
                let reference = f.varint()?.cast_unsigned();
                let first = f.varint()?;
                f.varint()?;
                (reference, first, first)
            }
            Some((reference, first)) => {
                let reference = reference.wrapping_add_signed(f.varint()?);
                let time = first.wrapping_add(f.varint()?);
                // record.go readSTMarker: 0 none, 1 as the one before, else a difference follows.
                if f.byte()? > 1 {
                    f.varint()?;
                }
                (reference, time, first)
            }
        };
        before = Some((reference, first));
        entry(f, reference, time)
    })
}
