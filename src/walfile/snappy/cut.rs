//! A block of which only the beginning is there: what it says so far, and a block that says a part
//! of that, made of its own elements.

use super::{copy_at, length, literal_at, varint};

/// What the first bytes of a block decompress to.
pub(in super::super) fn beginning(block: &[u8], most: usize) -> Option<Vec<u8>> {
    let (length, _) = length(block)?;
    walk(block, length.min(most)).map(|walk| walk.out)
}

/// A whole block of the first `length` bytes of what `block` says; `None` where it says less. Longer
/// than the part of `block` that says it by five bytes at the most.
pub(in super::super) fn cut(block: &[u8], length: usize) -> Option<Vec<u8>> {
    let (_, from) = super::length(block)?;
    let Walk { out, at, end, back } = walk(block, length)?;
    let mut made = Vec::new();
    varint(&mut made, length)?;
    made.extend_from_slice(block.get(from..at)?);
    let rest = out.get(end..length)?;
    match back {
        Some(back) => copy(&mut made, rest.len(), back)?,
        None => literal(&mut made, rest)?,
    }
    Some(made)
}

struct Walk {
    out: Vec<u8>,
    /// After the last element that is whole and of which all is in `out`: where the block goes on,
    /// and how much was said.
    at: usize,
    end: usize,
    /// How far back the next element reaches, if it is a copy of which a part is in `out`.
    back: Option<usize>,
}

/// Takes elements one by one until `most` bytes are said, or an element is cut off. Of that one,
/// what is there of a literal is taken too.
fn walk(block: &[u8], most: usize) -> Option<Walk> {
    let (_, mut at) = length(block)?;
    let mut out = Vec::new();
    let mut end = 0;
    let mut part = None;
    while out.len() < most
        && let Some(tag) = block.get(at)
    {
        let (next, size) = if tag & 3 == 0 {
            let Some((from, size)) = literal_at(block, at) else { break };
            let there = block.get(from..).unwrap_or_default();
            let there = there.get(..size).unwrap_or(there);
            out.extend_from_slice(there.get(..most - end).unwrap_or(there));
            (from.checked_add(size)?, size)
        } else {
            let Some((next, size, back)) = copy_at(block, at) else { break };
            let from = end.checked_sub(back).filter(|_| back > 0)?;
            for place in from..from + size.min(most - end) {
                out.push(*out.get(place)?);
            }
            part = Some(back);
            (next, size)
        };
        if out.len() - end < size {
            break;
        }
        part = None;
        (at, end) = (next, out.len());
    }
    Some(Walk { out, at, end, back: part })
}

/// Adds a copy of up to 64 bytes, of the kind that reaches far enough.
fn copy(made: &mut Vec<u8>, size: usize, back: usize) -> Option<()> {
    let size = u8::try_from(size.checked_sub(1)?).ok()? << 2;
    match u16::try_from(back) {
        Ok(near) => {
            made.push(size | 2);
            made.extend(near.to_le_bytes());
        }
        Err(_) => {
            made.push(size | 3);
            made.extend(u32::try_from(back).ok()?.to_le_bytes());
        }
    }
    Some(())
}

/// Adds bytes as they are.
fn literal(made: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let Some(last) = bytes.len().checked_sub(1) else { return Some(()) };
    let last = u32::try_from(last).ok()?;
    match u8::try_from(last) {
        Ok(short) if short < 60 => made.push(short << 2),
        _ => {
            // 63: the length stands in four bytes.
            made.push(63 << 2);
            made.extend(last.to_le_bytes());
        }
    }
    made.extend_from_slice(bytes);
    Some(())
}
