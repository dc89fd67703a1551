//! Samples of the first form (tsdb/record/record.go `samplesV1`), which are nearly all of a log,
//! counted at the speed at which they can be decompressed. What [`super::record`] tells of them one
//! by one is the same; a test holds the two together.

use super::bytes::Cursor;
use super::count::Span;
use super::refs::Rows;

/// The samples of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    pub samples: u64,
    pub span: Option<Span>,
}

/// Bytes that hold a ref of at most three bytes, a time of one, and a value.
const WINDOW: usize = 12;
const VALUE: usize = 8;

/// Counts what follows the type byte of a Samples record, and puts its refs into `rows`. `None` where a
/// sample is cut off.
pub(super) fn count(entries: &[u8], rows: &mut Rows) -> Option<Batch> {
    if entries.is_empty() {
        return Some(Batch::default());
    }
    let mut from = Cursor::new(entries);
    let base = from.be64()?;
    let start = from.be64()?.cast_signed();
    let mut left = from.rest();
    let mut samples = 0;
    let mut span: Option<Span> = None;
    let (mut first, mut length) = (0_u64, 0_u64);
    // As they are written, zigzag: the step of the ref that would follow the one before, and the
    // time of the one before. Most samples meet both.
    let (mut due, mut time) = (0, None);
    while !left.is_empty() {
        let (ref_step, time_step, size) = match left.first_chunk::<WINDOW>().and_then(short) {
            Some(found) => found,
            None => long(left)?,
        };
        left = left.get(size..)?;
        if ref_step == due && length > 0 {
            length += 1;
        } else {
            if length > 0 {
                end(rows, first, length);
                samples += length;
            }
            first = base.wrapping_add_signed(zigzag(ref_step));
            length = 1;
        }
        due = match ref_step {
            1 => 0,
            even if even & 1 == 0 => even.saturating_add(2),
            odd => odd - 2,
        };
        if time != Some(time_step) {
            time = Some(time_step);
            let time = start.wrapping_add(zigzag(time_step));
            let wide = span.get_or_insert(Span { first: time, last: time });
            wide.first = wide.first.min(time);
            wide.last = wide.last.max(time);
        }
        let (more, rest) = alike(left, due, time_step);
        left = rest;
        due += 2 * more;
        length += more;
    }
    if length > 0 {
        end(rows, first, length);
        samples += length;
    }
    Some(Batch { samples, span })
}

/// Refs wrap as they do for Prometheus.
fn end(rows: &mut Rows, first: u64, length: u64) {
    let last = first.wrapping_add(length - 1);
    if last < first {
        rows.push(first, u64::MAX);
        rows.push(0, last);
    } else {
        rows.push(first, last);
    }
}

/// A sample whose ref is written in two bytes and its time in one.
const SIZE: usize = 2 + 1 + VALUE;
/// So many of them are looked at together, where the refs of all differ in their low seven bits only.
const ABREAST: usize = 4;
const LAST: u64 = 0x7f - 2 * (ABREAST as u64 - 1);

/// How many samples are each of the next ref and at the same time, where that is written in two
/// bytes and one; and what follows them.
#[inline]
fn alike(mut left: &[u8], mut due: u64, time: u64) -> (u64, &[u8]) {
    let mut more = 0;
    if time >= 0x80 || due & 1 != 0 {
        return (more, left);
    }
    while (0x80..0x4000).contains(&due) {
        let written = due & 0x7f | 0x80 | due >> 7 << 8 | time << 16;
        let samples = left.first_chunk::<{ ABREAST * SIZE }>().filter(|_| due & 0x7f <= LAST);
        let count = if samples.is_some_and(|samples| begin(samples, written)) {
            ABREAST
        } else if left.first_chunk::<SIZE>().is_some_and(|one| differs(one, 0, written) == 0) {
            1
        } else {
            break;
        };
        left = left.get(count * SIZE..).unwrap_or_default();
        due += 2 * count as u64;
        more += count as u64;
    }
    (more, left)
}

/// Whether the first of the samples begins so, and each of the others is of the next ref.
#[inline]
fn begin(samples: &[u8; ABREAST * SIZE], written: u64) -> bool {
    let at = |which: usize| differs(samples, which, written);
    at(0) | at(1) | at(2) | at(3) == 0
}

#[inline]
fn differs(samples: &[u8], which: usize, written: u64) -> u64 {
    let sample = samples.get(which * SIZE..).and_then(<[u8]>::first_chunk);
    let begins = sample.map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
    u64::from(begins & 0xff_ffff) ^ (written + 2 * which as u64)
}

/// The steps of ref and time of a sample, and how long it is; `None` where one of them is long.
#[inline]
fn short(window: &[u8; WINDOW]) -> Option<(u64, u64, usize)> {
    let [a, b, c, d, ..] = *window;
    let low = u64::from(a & 0x7f);
    if a >= 0x80 && b < 0x80 && c < 0x80 {
        return Some((low | u64::from(b) << 7, u64::from(c), 3 + VALUE));
    }
    if a < 0x80 && b < 0x80 {
        return Some((low, u64::from(b), 2 + VALUE));
    }
    if c < 0x80 && d < 0x80 && a >= 0x80 && b >= 0x80 {
        let high = u64::from(b & 0x7f) << 7 | u64::from(c) << 14;
        return Some((low | high, u64::from(d), 4 + VALUE));
    }
    None
}

fn long(left: &[u8]) -> Option<(u64, u64, usize)> {
    let mut from = Cursor::new(left);
    let (ref_step, time_step) = (from.uvarint()?, from.uvarint()?);
    from.take(VALUE)?;
    Some((ref_step, time_step, left.len() - from.len()))
}

const fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}
