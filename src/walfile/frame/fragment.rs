//! One fragment, by its bytes alone.

use super::{HEADER, PAGE};

pub(super) struct Header {
    pub kind: u8,
    pub flags: u8,
    pub length: usize,
    pub sum: u32,
}

pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let [first, l1, l0, c3, c2, c1, c0] = *bytes.first_chunk::<HEADER>()?;
    Some(Header {
        kind: first & 7,
        flags: first,
        length: usize::from(u16::from_be_bytes([l1, l0])),
        sum: u32::from_be_bytes([c3, c2, c1, c0]),
    })
}

/// A fragment at the start of `bytes` whose checksum holds, and which ends in them.
fn proven(bytes: &[u8]) -> bool {
    let Some(header) = header(bytes) else { return false };
    let plausible = (1..=4).contains(&header.kind) && header.flags & 0xe0 == 0;
    let data = bytes.get(HEADER..HEADER + header.length).filter(|data| !data.is_empty());
    plausible && data.is_some_and(|data| crc32c::crc32c(data) == header.sum)
}

/// How far it is from what cannot be used, at the start of the rest of a page, to what can; else to
/// the end of the page.
pub(super) fn resync(page: &[u8]) -> usize {
    debug_assert!(page.len() <= PAGE);
    // A flipped byte in the data leaves the length right: what follows it is proven then.
    let behind = header(page).map_or(page.len(), |h| HEADER + h.length);
    let holds = |at: &usize| page.get(*at..).is_some_and(proven);
    Some(behind).filter(holds).or_else(|| (1..page.len()).find(holds)).unwrap_or(page.len())
}

/// Where the first record begins that begins on a page, by the types and lengths alone.
#[must_use]
pub fn begins_record(page: &[u8]) -> Option<u64> {
    let mut at = 0;
    while let Some(header) = page.get(at..).and_then(header) {
        match header.kind {
            1 | 2 => return Some(at as u64),
            3 | 4 => at += HEADER + header.length,
            _ => return None,
        }
    }
    None
}

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
