//! A fragment of which one byte is wrong, as its checksum tells.
//!
//! A CRC is linear: what is wrong with it depends on the wrong bits alone, and on how far they are
//! from the end. Run backwards from the end, one byte at each step, it comes to a place where one bit
//! explains it; in a short fragment, where one byte does. Where more is wrong than that, one fragment
//! in [`ODDS`] looks as if it were not. So only what proves itself is believed: a record of series that
//! can be decoded to its end, whose refs ascend, and whose labels are sorted text without control
//! characters (prometheus v3.14.0 `tsdb/head.go` `getOrCreateWithID`, `model/labels`). Without it all
//! samples of these series are nobody's; of samples one record is lost.

use std::io::Read;
use std::sync::LazyLock;

use super::fragment::Header;
use super::{Frames, HEADER, MOST_DATA, MOST_RECORD, PAGE, Pending};
use crate::walfile::compression::{Compression, Decompressor, SNAPPY, ZSTD, peek};
use crate::walfile::fault::{Fault, FaultKind};
use crate::walfile::mend::MOST_REF;
use crate::walfile::record::{self, Entry};

/// Ways are tried so far that no more than one in this many wrong fragments fits one of them by chance.
const ODDS: u64 = 1 << 14;
/// Ways that one byte of data can be wrong, and one bit of it.
const OF_BYTE: u64 = 255;
const OF_BIT: u64 = 8;
/// Each costs the time of some checksums; a page that needs more is no page with one wrong bit.
const MOST_TRIES: u8 = 4;

/// Castagnoli's polynomial, its bits reversed (RFC 3720, 12.1).
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// By the highest byte of a sum, which no two have in common: the byte at the end that makes it, and
/// the whole sum.
static LAST: LazyLock<[(u8, u32); 256]> = LazyLock::new(|| {
    let of_bit = |sum: u32, _| (sum >> 1) ^ if sum & 1 == 1 { POLYNOMIAL } else { 0 };
    let all = (0..=u8::MAX).map(|byte| (byte, (0..8).fold(u32::from(byte), of_bit)));
    let all: Vec<(u8, u32)> = all.collect();
    let mut highest = 0;
    std::array::from_fn(|_| {
        let found = all.iter().find(|(_, made)| made >> 24 == highest);
        highest += 1;
        found.copied().unwrap_or_default()
    })
});

/// Each way to put one byte right: its place in the data, and the bits of it; no place where the sum
/// itself is wrong.
fn ways(data: &[u8], sum: u32) -> Vec<(Option<usize>, u8)> {
    let mut difference = crc32c::crc32c(data) ^ sum;
    let mut out = Vec::new();
    if difference.to_be_bytes().iter().filter(|byte| **byte != 0).count() == 1 {
        out.push((None, 0));
    }
    let last = &*LAST;
    let most = |ways: u64| ways.saturating_mul(data.len() as u64) <= (1 << 32) / ODDS;
    let (any_byte, any_bit) = (most(OF_BYTE), most(OF_BIT));
    for at in (0..data.len()).rev().filter(|_| any_bit) {
        let highest = usize::try_from(difference >> 24).unwrap_or(usize::MAX);
        let Some((byte, made)) = last.get(highest).copied() else { break };
        if made == difference && (any_byte || byte.is_power_of_two()) {
            out.push((Some(at), byte));
        }
        difference = ((difference ^ made) << 8) | u32::from(byte);
    }
    out
}

/// Each way to put the data right.
fn right(data: &[u8], sum: u32) -> Vec<Vec<u8>> {
    let put = |(at, bits): (Option<usize>, u8)| {
        let mut data = data.to_vec();
        if let Some(byte) = at.and_then(|at| data.get_mut(at)) {
            *byte ^= bits;
        }
        data
    };
    ways(data, sum).into_iter().map(put).collect()
}

/// The data by each other length that makes the sum hold, where one byte is what differs.
fn of_other_lengths(page: &[u8], wrong: usize, sum: u32) -> Vec<Vec<u8>> {
    let of_low = (0..256).map(|low| (wrong & 0xff00) | low);
    let of_high = (0..128).map(|high| (high << 8) | (wrong & 0xff));
    let found = [holds(page, of_low, sum), holds(page, of_high, sum)].concat();
    let data = |length: usize| page.get(HEADER..HEADER + length).map(<[u8]>::to_vec);
    found.into_iter().filter(|length| *length != wrong).filter_map(data).collect()
}

/// The only one that proves itself.
fn proven(all: Vec<Vec<u8>>, proves: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let mut proven = all.into_iter().filter(|data| proves(data));
    proven.next().filter(|_| proven.next().is_none())
}

/// Those of ascending lengths that make the sum hold, in one pass.
fn holds(page: &[u8], lengths: impl Iterator<Item = usize>, sum: u32) -> Vec<usize> {
    let (mut out, mut behind, mut so_far) = (Vec::new(), 0, 0);
    for length in lengths.take_while(|length| *length <= MOST_DATA) {
        let Some(more) = page.get(HEADER + behind..HEADER + length) else { break };
        so_far = crc32c::crc32c_append(so_far, more);
        behind = length;
        if so_far == sum && length > 0 {
            out.push(length);
        }
    }
    out
}

/// Whether this can only be what was written.
fn is_of_series(bytes: &[u8], flags: u8) -> bool {
    let how = Compression::of(flags);
    if peek(how, bytes).is_some_and(|first| first != 1) {
        return false;
    }
    let mut decompressor = Decompressor::default();
    let Some(bytes) = decompressor.decode(how, bytes) else { return false };
    let (mut last, mut holds) = (0, bytes.first() == Some(&1));
    let mut hear = |entry: Entry<'_>| {
        let Entry::Series { reference, labels } = entry else { return };
        let (mut name_before, mut named) = (&b""[..], false);
        for (name, value) in labels.iter() {
            holds &= name > name_before && is_text(name) && is_text(value);
            (name_before, named) = (name, true);
        }
        // Prometheus ends with a panic over a ref beyond it.
        holds &= named && reference > last && reference < MOST_REF;
        last = reference;
    };
    record::read(bytes, &mut hear).is_ok() && holds && last > 0
}

fn is_text(bytes: &[u8]) -> bool {
    let control = bytes.iter().any(u8::is_ascii_control);
    !bytes.is_empty() && !control && str::from_utf8(bytes).is_ok()
}

impl<R: Read> Frames<R> {
    /// Takes a fragment whose checksum does not hold, where one byte put right makes it hold. The fault
    /// is told; what came of it stands in the record under way, in doubt until it is whole.
    pub(super) fn put_right(&mut self, header: &Header, kind: FaultKind) -> Option<Fault> {
        let goes_on = self.pending.offset.is_some();
        let fits = matches!((header.kind, goes_on), (1 | 2, false) | (3 | 4, true));
        if !fits || self.joins || !self.may_try() {
            return None;
        }
        let page = self.window.page();
        let data = page.get(HEADER..HEADER + header.length);
        let mut all = data.map_or(Vec::new(), |data| right(data, header.sum));
        let data = match header.kind {
            1 => {
                all.extend(of_other_lengths(page, header.length, header.sum));
                proven(all, |data| is_of_series(data, header.flags))?
            }
            4 => {
                all.extend(of_other_lengths(page, header.length, header.sum));
                let Pending { bytes, flags, .. } = &self.pending;
                proven(all, |data| is_of_series(&[bytes.as_slice(), data].concat(), *flags))?
            }
            // They go to the end of their page, and are proven when the last has come.
            _ => proven(all, |data| HEADER + data.len() == page.len())?,
        };
        let room = self.pending.bytes.len() + data.len() <= MOST_RECORD;
        room.then(|| self.take(header, &data, kind))
    }

    /// Takes a fragment that is a whole record, whatever its type says, and of what compression.
    pub(super) fn is_full(&mut self, header: &Header, kind: FaultKind) -> Option<Fault> {
        let data = self.window.left().get(HEADER..HEADER + header.length)?;
        let free = self.pending.offset.is_none() && !self.orphans && !self.joins;
        if !free || data.is_empty() || crc32c::crc32c(data) != header.sum {
            return None;
        }
        let data = data.to_vec();
        let mut flags = [header.flags, 0, SNAPPY, ZSTD].into_iter();
        let flags = flags.find(|flags| is_of_series(&data, *flags)).filter(|_| self.may_try())?;
        let full = Header { kind: 1, flags, ..*header };
        Some(self.take(&full, &data, kind))
    }

    fn may_try(&mut self) -> bool {
        let page = self.window.offset() / PAGE as u64;
        if self.tries.0 != page {
            self.tries = (page, 0);
        }
        self.tries.1 = self.tries.1.saturating_add(1);
        self.tries.1 <= MOST_TRIES
    }

    /// Passes over the rest of a record whose beginning is not there.
    pub(super) fn stray(&mut self, header: &Header, here: u64) -> Option<Fault> {
        let middle = header.kind == 3;
        let kind = if middle { FaultKind::UnexpectedMiddle } else { FaultKind::UnexpectedLast };
        if let Some(fault) = self.is_full(header, kind) {
            return Some(fault);
        }
        self.pass(header.length);
        let is_known = std::mem::replace(&mut self.orphans, true);
        (!is_known).then(|| self.fault(kind, here, self.window.offset()))
    }

    fn take(&mut self, header: &Header, data: &[u8], kind: FaultKind) -> Fault {
        let here = self.window.offset();
        if matches!(header.kind, 1 | 2) {
            self.pending =
                Pending { offset: Some(here), flags: header.flags, ..Pending::default() };
        }
        self.pending.doubt();
        self.pending.bytes.extend_from_slice(data);
        self.pending.put_right = true;
        self.pass(data.len());
        self.pending.end = self.window.offset();
        self.orphans = false;
        // It has proved itself.
        if matches!(header.kind, 1 | 4) {
            self.pending.doubtful = false;
            self.torn = true;
        }
        // Of several fragments it is not known yet whether the record is lost.
        let end = if self.pending.doubtful { self.window.offset() } else { here };
        self.fault(kind, here, end)
    }

    /// The record under way is whole: if it proves itself it is given, else what came before the doubt.
    pub(super) fn end_put_right(&mut self) {
        let Pending { bytes, flags, .. } = &self.pending;
        if is_of_series(bytes, *flags) {
            self.pending.doubtful = false;
        }
        self.torn = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(length: u32) -> Vec<u8> {
        (0..length).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
    }

    #[test]
    fn one_wrong_byte_is_found_at_every_place_and_of_a_long_fragment_one_bit() {
        for (length, all) in [(600, &[0x01, 0x40, 0x55, 0xff][..]), (32_000, &[0x01, 0x80])] {
            let data = some(length);
            let sum = crc32c::crc32c(&data);
            for at in (0..data.len()).step_by(if length > 1000 { 997 } else { 1 }) {
                for bits in all {
                    let mut wrong = data.clone();
                    wrong[at] ^= bits;
                    assert!(right(&wrong, sum).contains(&data), "byte {at}, bits {bits}");
                }
            }
            for byte in 0..4 {
                assert!(right(&data, sum ^ (0x81 << (8 * byte))).contains(&data));
            }
        }
        let (mut wrong, sum) = (some(32_000), crc32c::crc32c(&some(32_000)));
        wrong[5] ^= 0x55;
        assert!(!right(&wrong, sum).contains(&some(32_000)), "of so many ways one fits by chance");
    }

    #[test]
    fn two_wrong_bytes_are_seldom_taken_for_one() {
        let (data, sum) = (some(1000), crc32c::crc32c(&some(1000)));
        let taken = |(at, other): (usize, usize)| {
            let mut wrong = data.clone();
            wrong[at] ^= 0x5a;
            wrong[other] ^= 0x33;
            !right(&wrong, sum).is_empty()
        };
        let pairs = (0..4000).map(|n| (n % 500, 500 + n * 7 % 499));
        assert!(pairs.filter(|pair| taken(*pair)).count() < 4, "one in {ODDS}");
    }

    #[test]
    fn what_is_not_text_or_no_ref_is_not_believed() {
        let record = |reference: u64, labels: &[(&str, &str)]| {
            let mut out = vec![1];
            out.extend(reference.to_be_bytes());
            out.push(u8::try_from(labels.len()).expect("few"));
            for text in labels.iter().flat_map(|(name, value)| [name, value]) {
                out.push(u8::try_from(text.len()).expect("short"));
                out.extend(text.as_bytes());
            }
            out
        };
        let believed = |reference, labels: &[_]| is_of_series(&record(reference, labels), 1);
        assert!(believed(7, &[("__name__", "up"), ("n", "é")]));
        assert!(!believed(0, &[("__name__", "up")]));
        assert!(!believed(MOST_REF, &[("__name__", "up")]));
        assert!(!believed(7, &[]));
        assert!(!believed(7, &[("n", "1"), ("__name__", "up")]));
        assert!(!believed(7, &[("__name__", "u\u{2}")]));
        assert!(!believed(7, &[("__name__", "")]));
    }
}
