//! The part of a file that is held: whole pages, so that a page begins at a multiple of its size.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use super::{HEADER, PAGE};

/// All that is held of a file, but for the record under way. Up to three pages of it are moved to its
/// start before it is filled anew: the larger, the less that costs.
const SIZE: usize = 16 * PAGE;
/// Read at a time: so little that it still lies in the processor's cache when it is looked at.
const CHUNK: usize = 4 * PAGE;
/// A fragment that begins at the end of a page is whole in it.
const AHEAD: usize = 2 * PAGE;

/// Whole pages of a file, but for its last.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub bytes: u64,
    /// It begins on a later page than the first: what is left there of a record from the page before
    /// is no fault.
    pub under_way: bool,
}

impl Part {
    pub const WHOLE: Part = Part { bytes: u64::MAX, under_way: false };
}

/// The file could not be read on.
pub(super) struct Failed;

pub(super) struct Window<R> {
    input: R,
    bytes: Vec<u8>,
    /// What was read into it, and what of that is used up.
    filled: usize,
    at: usize,
    /// Offset in the file of its first byte.
    base: u64,
    /// Bytes that may still be read: all, but for a part of a file.
    most: u64,
    /// Bytes of the file, once its end was reached. The window goes on with zeros to a full page, as
    /// Prometheus' reader of segments does.
    size: Option<u64>,
}

impl<R: Read> Window<R> {
    pub fn new(input: R, most: u64) -> Window<R> {
        Window { input, bytes: vec![0; SIZE], filled: 0, at: 0, base: 0, most, size: None }
    }

    pub fn size(&self) -> Option<u64> {
        self.size
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn pass(&mut self, count: usize) {
        self.at += count;
    }

    /// Offset in the file of what is read next.
    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Offset in the file of what was not read yet.
    pub fn end(&self) -> u64 {
        self.base + self.filled as u64
    }

    pub fn get(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    pub fn left(&self) -> &[u8] {
        self.bytes.get(self.at..self.filled).unwrap_or_default()
    }

    /// From here to the end of the page.
    pub fn page(&self) -> &[u8] {
        let left = self.left();
        left.get(..PAGE - self.at % PAGE).unwrap_or(left)
    }

    /// Sees to it that a whole fragment can be looked at, or the file's last page to its end.
    pub fn fill(&mut self) -> Result<(), Failed> {
        if self.filled - self.at >= AHEAD || self.size.is_some() {
            return Ok(());
        }
        if self.bytes.len() - self.filled < CHUNK {
            // The page before is kept, to compare with.
            let used = (self.at / PAGE).saturating_sub(1) * PAGE;
            self.bytes.copy_within(used..self.filled, 0);
            self.base += used as u64;
            self.at -= used;
            self.filled -= used;
        }
        let until = self.filled + CHUNK;
        while let Some(room) = self.bytes.get_mut(self.filled..until).filter(|r| !r.is_empty()) {
            let most = usize::try_from(self.most).map_or(room.len(), |most| most.min(room.len()));
            match self.input.read(room.get_mut(..most).unwrap_or_default()) {
                Ok(0) => {
                    self.size = Some(self.end());
                    let full = self.filled.next_multiple_of(PAGE);
                    if let Some(rest) = self.bytes.get_mut(self.filled..full) {
                        rest.fill(0);
                    }
                    self.filled = full;
                    return Ok(());
                }
                Ok(count) => {
                    self.filled += count;
                    self.most = self.most.saturating_sub(count as u64);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Failed),
            }
        }
        Ok(())
    }

    /// Whether a page begins here that is the one before it.
    pub fn repeats(&self) -> bool {
        let before = self.at.checked_sub(PAGE).filter(|_| self.at.is_multiple_of(PAGE));
        before.is_some_and(|from| {
            self.left().len() >= PAGE && is_same(self.get(from..self.at), self.page())
        })
    }
}

/// The same fragments: the flags of one, which no checksum covers, may be damaged.
fn is_same(mut one: &[u8], mut other: &[u8]) -> bool {
    while let (Some((type_of, rest)), Some((type_of_other, rest_of_other))) =
        (one.split_first(), other.split_first())
    {
        // Behind the type: length and checksum, and the data.
        let length = match (type_of & 7, rest.first_chunk()) {
            (1.., Some(length)) => HEADER - 1 + usize::from(u16::from_be_bytes(*length)),
            _ => PAGE,
        };
        let cut = length.min(rest.len());
        if (type_of ^ type_of_other) & 7 != 0 || rest.get(..cut) != rest_of_other.get(..cut) {
            return false;
        }
        one = rest.get(cut..).unwrap_or_default();
        other = rest_of_other.get(cut..).unwrap_or_default();
    }
    true
}
