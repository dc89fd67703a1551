//! Samples of the first form (tsdb/record/record.go `samplesV1`), which are nearly all of a log,
//! counted at the speed at which they can be decompressed. What [`super::record`] tells of them one
//! by one is the same; a test holds the two together.

use super::bytes::Cursor;
use super::count::Span;

/// The samples of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    pub samples: u64,
    pub span: Option<Span>,
}

/// Bytes that hold a ref and a time of at most three and two bytes, and a value.
const WINDOW: usize = 16;
const VALUE: usize = 8;

/// Counts what follows the type byte of a Samples record. To `runs` come the refs, those that follow
/// each other as one pair of the first and the last. `None` where a sample is cut off.
pub(super) fn count(entries: &[u8], runs: &mut Vec<(u64, u64)>) -> Option<Batch> {
    if entries.is_empty() {
        return Some(Batch::default());
    }
    let mut from = Cursor::new(entries);
    let base = from.be64()?;
    let start = from.be64()?.cast_signed();
    let mut left = from.rest();
    let mut samples = 0;
    let mut span: Option<Span> = None;
    let mut run: Option<(u64, u64)> = None;
    // Times are compared as differences first: most batches have one time only.
    let mut step = None;
    while !left.is_empty() {
        let (ref_step, time_step, size) = match left.first_chunk::<WINDOW>().and_then(steps) {
            Some(found) => found,
            None => slow(left)?,
        };
        left = left.get(size..)?;
        samples += 1;
        let reference = base.wrapping_add_signed(ref_step);
        match &mut run {
            Some((_, last)) if last.checked_add(1) == Some(reference) => *last = reference,
            _ => runs.extend(run.replace((reference, reference))),
        }
        if step != Some(time_step) {
            step = Some(time_step);
            let time = start.wrapping_add(time_step);
            let wide = span.get_or_insert(Span { first: time, last: time });
            wide.first = wide.first.min(time);
            wide.last = wide.last.max(time);
        }
    }
    runs.extend(run);
    Some(Batch { samples, span })
}

/// The steps of ref and time of a sample, and how long it is; `None` where they are long.
#[inline]
fn steps(window: &[u8; WINDOW]) -> Option<(i64, i64, usize)> {
    let [a, b, c, d, e, ..] = *window;
    if a < 0x80 {
        let (time, more) = short(b, c)?;
        return Some((zigzag(u64::from(a)), time, 1 + more + VALUE));
    }
    let low = u64::from(a & 0x7f);
    if b < 0x80 {
        let (time, more) = short(c, d)?;
        return Some((zigzag(low | u64::from(b) << 7), time, 2 + more + VALUE));
    }
    if c < 0x80 {
        let (time, more) = short(d, e)?;
        let high = u64::from(b & 0x7f) << 7 | u64::from(c) << 14;
        return Some((zigzag(low | high), time, 3 + more + VALUE));
    }
    None
}

/// A number of one byte or two.
#[inline]
fn short(a: u8, b: u8) -> Option<(i64, usize)> {
    if a < 0x80 {
        return Some((zigzag(u64::from(a)), 1));
    }
    (b < 0x80).then(|| (zigzag(u64::from(a & 0x7f) | u64::from(b) << 7), 2))
}

#[inline]
const fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cold]
fn slow(left: &[u8]) -> Option<(i64, i64, usize)> {
    let mut from = Cursor::new(left);
    let (ref_step, time_step) = (from.varint()?, from.varint()?);
    from.take(VALUE)?;
    Some((ref_step, time_step, left.len() - from.len()))
}
