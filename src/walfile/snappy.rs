//! Snappy's block format (google/snappy `format_description.txt`), decompressed: nearly all of the
//! time of a survey is spent here. Faster than the `snap` crate on records of samples, by never
//! letting the place of the next element wait for a table, and without `unsafe`: a write may run
//! over its end into room that is kept behind the block, and is written over by what follows.

mod cut;

pub(super) use cut::{beginning, cut};

/// Room behind the block: an element of 64 bytes, and the most that a write runs over.
const SLACK: usize = 96;
/// Enough of the input to hold a tag, an offset, and a literal of 16 bytes.
const AHEAD: usize = 24;
/// The longest literal, and copy, that one write covers.
const AT_ONCE: usize = 16;
const WORD: usize = 8;
/// Tags from here on are of literals longer than one write covers.
const SHORT: u8 = 0x40;

/// How long the block is once decompressed, and where its first element stands.
pub(super) fn length(block: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0_u64;
    for (at, byte) in block.iter().enumerate().take(5) {
        length |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            // 32 bits, as Go's decoder has it.
            let length = u32::try_from(length).ok()?;
            return Some((usize::try_from(length).ok()?, at + 1));
        }
    }
    None
}

/// The length of a block, as it begins.
fn varint(out: &mut Vec<u8>, length: usize) -> Option<()> {
    let mut left = u32::try_from(length).ok()?;
    while left >= 0x80 {
        out.push(u8::try_from(left & 0x7f).ok()? | 0x80);
        left >>= 7;
    }
    out.push(u8::try_from(left).ok()?);
    Some(())
}

/// Decompresses a whole block; `None` where it is not one. `out` grows to what is needed, and is not
/// emptied: its bytes from before are of no account.
pub(super) fn decompress<'a>(block: &[u8], out: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let (length, at) = length(block)?;
    if out.len() < length + SLACK {
        out.resize(length + SLACK, 0);
    }
    let room = out.get_mut(..length + SLACK)?;
    let (left, end) = elements(block.get(at..)?, room, 0)?;
    // What is left is too short to look ahead in. Behind it are so many zeros that the last element
    // is read as well, and none of them.
    let mut padded = [0; 2 * AHEAD];
    padded.get_mut(..left.len())?.copy_from_slice(left);
    let (left, end) = elements(padded.get(..left.len() + AHEAD - 1)?, room, end)?;
    // A last element that is cut off leads behind the end.
    if end == length && left.len() == AHEAD - 1 { out.get(..length) } else { None }
}

/// Elements up to where the input is too short to look ahead in: what is left of it, and where the
/// output goes on.
fn elements<'a>(mut left: &'a [u8], room: &mut [u8], mut end: usize) -> Option<(&'a [u8], usize)> {
    while let Some([tag, bytes @ ..]) = left.first_chunk::<AHEAD>() {
        if tag & 3 != 0 {
            let Copy { size, back, taken } = Copy::of(*tag, bytes.first_chunk()?)?;
            repeat(room, end, back, size)?;
            left = left.get(taken..)?;
            end += size;
            continue;
        }
        if *tag >= SHORT {
            (left, end) = literal(left, room, end)?;
            continue;
        }
        // A literal, and then, as a rule, a short copy from far back: the room of both is looked at
        // once, and that there is enough of the input for both is known.
        let short = usize::from(tag >> 2 & 15) + 1;
        let free: &mut [u8; 2 * AT_ONCE] = room.get_mut(end..)?.first_chunk_mut()?;
        *free.first_chunk_mut::<AT_ONCE>()? = *bytes.first_chunk()?;
        let [tag, low, ..] = *bytes.get(short..)?.first_chunk::<2>()?;
        end += short;
        if tag & 3 == 1 {
            let back = usize::from(tag >> 5) << 8 | usize::from(low);
            // So far back that all of it is whole.
            if back >= AT_ONCE {
                let (done, free) = room.split_at_mut_checked(end)?;
                let from = done.get(end.checked_sub(back)?..)?.first_chunk::<AT_ONCE>()?;
                *free.first_chunk_mut()? = *from;
                end += usize::from(tag >> 2 & 7) + 4;
                left = left.get(short + 3..)?;
                continue;
            }
        }
        left = left.get(short + 1..)?;
    }
    Some((left, end))
}

/// A copy: how many bytes, from how far back, and how long the element is.
struct Copy {
    size: usize,
    back: usize,
    taken: usize,
}

impl Copy {
    /// Where the next element stands is guessed by the processor: nearly all copies are of the first
    /// kind. A table would make each element wait for the one before.
    #[inline]
    fn of(tag: u8, offset: &[u8; 4]) -> Option<Copy> {
        let [a, b, ..] = *offset;
        let long = usize::from(tag >> 2) + 1;
        Some(match tag & 3 {
            1 => {
                let back = usize::from(tag >> 5) << 8 | usize::from(a);
                Copy { size: usize::from(tag >> 2 & 7) + 4, back, taken: 2 }
            }
            2 => Copy { size: long, back: usize::from(u16::from_le_bytes([a, b])), taken: 3 },
            _ => {
                let back = usize::try_from(u32::from_le_bytes(*offset)).ok()?;
                Copy { size: long, back, taken: 5 }
            }
        })
    }
}

/// A literal of any length: what is left of the input, and where the output goes on. Kept out of the
/// loop of [`elements`], which has no registers to spare.
#[cold]
#[inline(never)]
fn literal<'a>(left: &'a [u8], room: &mut [u8], end: usize) -> Option<(&'a [u8], usize)> {
    let (from, size) = literal_at(left, 0)?;
    let (bytes, left) = left.get(from..)?.split_at_checked(size)?;
    room.get_mut(end..end.checked_add(size)?)?.copy_from_slice(bytes);
    Some((left, end + size))
}

/// Where the bytes of a literal stand, and how many there should be.
pub(super) fn literal_at(block: &[u8], at: usize) -> Option<(usize, usize)> {
    let (tag, rest) = block.get(at..)?.split_first()?;
    let (size, taken) = match usize::from(tag >> 2) {
        short @ 0..60 => (short, 1),
        long => {
            let bytes = rest.get(..long - 59)?;
            let size = bytes.iter().rev().fold(0, |size, byte| size << 8 | usize::from(*byte));
            (size, 1 + bytes.len())
        }
    };
    Some((at + taken, size.checked_add(1)?))
}

/// Where the element behind a copy stands, its length and how far back it reaches; `None` where it is
/// cut off.
pub(super) fn copy_at(block: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    let (tag, rest) = block.get(at..)?.split_first()?;
    let mut offset = [0; 4];
    let there = rest.len().min(offset.len());
    offset.get_mut(..there)?.copy_from_slice(rest.get(..there)?);
    let Copy { size, back, taken } = Copy::of(*tag, &offset)?;
    (taken <= there + 1).then_some((at + taken, size, back))
}

/// Writes at `end` what stands `back` before it, which may be the very bytes that are written.
#[inline]
fn repeat(room: &mut [u8], end: usize, back: usize, size: usize) -> Option<()> {
    let from = end.checked_sub(back)?;
    if back >= AT_ONCE && size <= AT_ONCE {
        let bytes: [u8; AT_ONCE] = *room.get(from..)?.first_chunk()?;
        *room.get_mut(end..)?.first_chunk_mut()? = bytes;
        return Some(());
    }
    // Loops by hand: with iterators the registers do not suffice for the loop around.
    let mut done = 0;
    if back >= WORD {
        while done < size {
            put(room, end + done, word(room, from + done)?)?;
            done += WORD;
        }
        return Some(());
    }
    // A pattern of fewer bytes than a word: filled up to a word, which is written over and over.
    let Period { mask, times, step } = PERIODS.get(back.checked_sub(1)?)?;
    let filled = (word(room, from)? & mask).wrapping_mul(*times);
    while done < size {
        put(room, end + done, filled)?;
        done += step;
    }
    Some(())
}

#[inline]
fn word(room: &[u8], at: usize) -> Option<u64> {
    room.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

#[inline]
fn put(room: &mut [u8], at: usize, word: u64) -> Option<()> {
    *room.get_mut(at..)?.first_chunk_mut()? = word.to_le_bytes();
    Some(())
}

/// How a pattern of so many bytes fills a word.
struct Period {
    mask: u64,
    times: u64,
    /// The bytes of the whole patterns in a word.
    step: usize,
}

const fn period(bytes: usize) -> Period {
    let (mut times, mut at) = (0, 0);
    while at < WORD {
        times |= 1 << (8 * at);
        at += bytes;
    }
    Period { mask: (1 << (8 * bytes)) - 1, times, step: WORD / bytes * bytes }
}

static PERIODS: [Period; 7] =
    [period(1), period(2), period(3), period(4), period(5), period(6), period(7)];
