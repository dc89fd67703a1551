//! Snappy's block format (google/snappy `format_description.txt`), decompressed: nearly all of the
//! time of a survey is spent here. Faster than the `snap` crate on records of samples, by never
//! letting the place of the next element wait for a table, and without `unsafe`: a write may run
//! over its end into room that is kept behind the block, and is written over by what follows.

/// Room behind the block: an element of 64 bytes, and the most that a write runs over.
const SLACK: usize = 96;
/// Enough of the input to hold a tag, an offset, and a literal of 16 bytes.
const AHEAD: usize = 24;
/// The longest literal, and copy, that one write covers.
const AT_ONCE: usize = 16;

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

/// Decompresses a whole block; `None` where it is not one. `out` grows to what is needed, and is not
/// emptied: its bytes from before are of no account.
pub(super) fn decompress<'a>(block: &[u8], out: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let (length, mut at) = length(block)?;
    if out.len() < length + SLACK {
        out.resize(length + SLACK, 0);
    }
    let room = out.get_mut(..length + SLACK)?;
    let mut end = 0;
    while let Some(mut head) = ahead(block, at) {
        // A literal, and then, as a rule, a copy.
        if head[0] & 3 == 0 {
            let short = usize::from(head[0] >> 2) + 1;
            if short > AT_ONCE {
                (at, end) = literal(block, at, room, end)?;
                continue;
            }
            let [_, bytes @ ..] = head;
            *room.get_mut(end..)?.first_chunk_mut::<AT_ONCE>()? = *bytes.first_chunk()?;
            end += short;
            at += 1 + short;
            match ahead(block, at) {
                Some(next) if next[0] & 3 != 0 => head = next,
                Some(_) => continue,
                None => break,
            }
        }
        let (size, back, taken) = copy(*head.first_chunk()?);
        at += taken;
        repeat(room, end, back, size)?;
        end += size;
    }
    while let Some(tag) = block.get(at) {
        if tag & 3 == 0 {
            (at, end) = literal(block, at, room, end)?;
            continue;
        }
        let mut head = [0; 5];
        head.iter_mut().zip(block.get(at..)?).for_each(|(to, from)| *to = *from);
        let (size, back, taken) = copy(head);
        at += taken;
        repeat(room, end, back, size)?;
        end += size;
    }
    // A last element that is cut off leaves `at` behind the end.
    if end == length && at == block.len() { out.get(..length) } else { None }
}

#[inline]
fn ahead(block: &[u8], at: usize) -> Option<&[u8; AHEAD]> {
    block.get(at..)?.first_chunk()
}

/// A literal of any length; where the input and the output go on.
fn literal(block: &[u8], at: usize, room: &mut [u8], end: usize) -> Option<(usize, usize)> {
    let (tag, rest) = block.get(at..)?.split_first()?;
    let (size, taken) = match usize::from(tag >> 2) {
        short @ 0..60 => (short, 1),
        long => {
            let bytes = rest.get(..long - 59)?;
            let size = bytes.iter().rev().fold(0, |size, byte| size << 8 | usize::from(*byte));
            (size, 1 + bytes.len())
        }
    };
    let (from, size) = (at + taken, size.checked_add(1)?);
    let bytes = block.get(from..from.checked_add(size)?)?;
    room.get_mut(end..end.checked_add(size)?)?.copy_from_slice(bytes);
    Some((from + size, end + size))
}

/// How long a copy is, how far back it looks, and the bytes that say so. What the next element's
/// place depends on is guessed by the processor, for nearly all are of the first kind.
#[inline]
fn copy([tag, a, b, c, d]: [u8; 5]) -> (usize, usize, usize) {
    if tag & 2 == 0 {
        let back = usize::from(tag >> 5) << 8 | usize::from(a);
        return (usize::from(tag >> 2 & 7) + 4, back, 2);
    }
    let size = usize::from(tag >> 2) + 1;
    if tag & 1 == 0 {
        return (size, usize::from(u16::from_le_bytes([a, b])), 3);
    }
    (size, usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX), 5)
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
    let word =
        |room: &[u8], at: usize| room.get(at..)?.first_chunk().map(|w| u64::from_le_bytes(*w));
    if back >= 8 {
        for step in (0..size).step_by(8) {
            let bytes = word(room, from + step)?.to_le_bytes();
            *room.get_mut(end + step..)?.first_chunk_mut()? = bytes;
        }
        return Some(());
    }
    // A pattern of fewer bytes than a word: filled up to a word, which is written over and over.
    let Period { mask, times, step } = PERIODS.get(back.checked_sub(1)?)?;
    let bytes = (word(room, from)? & mask).wrapping_mul(*times).to_le_bytes();
    for step in (0..size).step_by(*step) {
        *room.get_mut(end + step..)?.first_chunk_mut()? = bytes;
    }
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
    while at < 8 {
        times |= 1 << (8 * at);
        at += bytes;
    }
    Period { mask: (1 << (8 * bytes)) - 1, times, step: 8 / bytes * bytes }
}

static PERIODS: [Period; 7] =
    [period(1), period(2), period(3), period(4), period(5), period(6), period(7)];
