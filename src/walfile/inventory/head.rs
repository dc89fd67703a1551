//! The first bytes of a record: its type, and of samples the time, without decompressing the rest.

use super::super::bytes::Cursor;
use super::super::record::RecordType;
use super::super::snappy;

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
    let mut next = block.len() - from.len();
    let mut at = 0;
    while at < length {
        if block.get(next)? & 3 == 0 {
            let (bytes, size) = snappy::literal_at(block, next)?;
            let more = size.min(length - at);
            into.get_mut(at..at + more)?.copy_from_slice(block.get(bytes..bytes + more)?);
            at += more;
            next = bytes + size;
        } else {
            let (behind, size, back) = snappy::copy_at(block, next)?;
            if back == 0 {
                return None;
            }
            for _ in 0..size.min(length - at) {
                let byte = *into.get(at.checked_sub(back)?)?;
                *into.get_mut(at)? = byte;
                at += 1;
            }
            next = behind;
        }
    }
    into.get(..at)
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
