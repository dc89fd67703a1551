//! The first bytes of a record: its type, and of samples the time, without decompressing the rest.

use super::super::bytes::Cursor;
use super::super::record::RecordType;

/// Enough for a type, a ref and a time.
pub const MOST: usize = 32;

/// The first bytes that a snappy block holds (google/snappy `format_description.txt`): as many as
/// fit. `None` where they cannot be had.
pub fn unsnap<'a>(block: &[u8], into: &'a mut [u8; MOST]) -> Option<&'a [u8]> {
    let mut from = Cursor::new(block);
    if from.is_empty() {
        return Some(&[]);
    }
    let length = usize::try_from(from.uvarint()?).ok()?.min(MOST);
    let mut at = 0;
    while at < length {
        let tag = usize::from(from.byte()?);
        if tag & 3 == 0 {
            let more = match tag >> 2 {
                short @ 0..60 => short + 1,
                long => number(&mut from, long - 59)? + 1,
            };
            let more = more.min(length - at);
            into.get_mut(at..at + more)?.copy_from_slice(from.take(more)?);
            at += more;
        } else {
            let (more, back) = match tag & 3 {
                1 => (4 + (tag >> 2 & 7), (tag >> 5) << 8 | usize::from(from.byte()?)),
                2 => (1 + (tag >> 2), number(&mut from, 2)?),
                _ => (1 + (tag >> 2), number(&mut from, 4)?),
            };
            if back == 0 {
                return None;
            }
            for _ in 0..more.min(length - at) {
                let byte = *into.get(at.checked_sub(back)?)?;
                *into.get_mut(at)? = byte;
                at += 1;
            }
        }
    }
    into.get(..at)
}

/// Little endian, of so many bytes.
fn number(from: &mut Cursor<'_>, bytes: usize) -> Option<usize> {
    let bytes = from.take(bytes)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// The time that stands at the head of a record of samples, in milliseconds.
#[must_use]
pub fn time(kind: RecordType, start: &[u8]) -> Option<i64> {
    if !kind.holds_samples() {
        return None;
    }
    let mut from = Cursor::new(start.get(1..)?);
    match kind {
        RecordType::SamplesV2
        | RecordType::HistogramSamplesV2
        | RecordType::FloatHistogramSamplesV2 => {
            from.varint()?;
            from.varint()
        }
        _ => {
            from.be64()?;
            Some(from.be64()?.cast_signed())
        }
    }
}
