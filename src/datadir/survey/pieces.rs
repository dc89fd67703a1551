//! A file of a log is read in pieces, so that no core waits where files are few. A piece ends where
//! the first record of the next begins: of a file without a fault, what its pieces hold comes to what
//! the file holds. One with a fault is read as a whole, for a fault may reach over any page, and so is
//! one that has to be looked at as a whole to see whether it has none.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::datadir::layout::Numbered;
use crate::walfile::frame::{PAGE, Part, begins_record};
use crate::walfile::segment::{self, Depth, Pages, Segment};

/// Bytes: a segment of the usual size is four pieces.
pub(super) const SIZE: u64 = 32 << 20;

/// A file and how many pieces it has.
pub(super) struct Split<'a> {
    pub file: &'a Numbered,
    /// Bytes of a piece; whole pages.
    size: u64,
    pieces: u64,
    /// Whoever is the first to find that a piece is not enough reads the whole.
    as_whole: AtomicBool,
}

pub(super) struct Piece<'a> {
    pub of: &'a Split<'a>,
    at: u64,
}

/// What came of one.
pub(super) enum Found {
    Part(Segment),
    Whole(io::Result<Segment>),
    /// Told by another one.
    Nothing,
}

impl<'a> Split<'a> {
    pub fn of(file: &'a Numbered, size: u64) -> Split<'a> {
        let pieces = file.size.div_ceil(size).max(1);
        Split { file, size, pieces, as_whole: AtomicBool::new(false) }
    }

    pub fn pieces(&'a self) -> impl Iterator<Item = Piece<'a>> {
        (0..self.pieces).map(|at| Piece { of: self, at })
    }
}

impl Piece<'_> {
    pub fn is_last(&self) -> bool {
        self.at + 1 == self.of.pieces
    }

    /// `whole` reads all of the file.
    pub fn read(&self, depth: Depth, whole: impl Fn(&Numbered) -> io::Result<Segment>) -> Found {
        let Split { file, as_whole, .. } = self.of;
        if self.of.pieces > 1 {
            if as_whole.load(Ordering::Relaxed) {
                return Found::Nothing;
            }
            match self.part(depth) {
                Ok(part) if part.holds_together() => return Found::Part(part),
                _ if as_whole.swap(true, Ordering::Relaxed) => return Found::Nothing,
                _ => {}
            }
        }
        Found::Whole(whole(file))
    }

    fn part(&self, depth: Depth) -> io::Result<Segment> {
        let Split { file, size, .. } = self.of;
        let mut file = File::open(&file.path)?;
        let from = self.at * size;
        // A file that is written is longer by now than it was.
        let to = if self.is_last() { u64::MAX } else { first_record(&file, from + size)? };
        file.seek(SeekFrom::Start(from))?;
        let part = Part { bytes: to.saturating_sub(from), under_way: self.at > 0 };
        let mut found = segment::survey_part(Pages::new(file, None), part, depth);
        found.size += from;
        Ok(found)
    }
}

/// Where the first record begins that begins on this page or later; else the end of the file. A page
/// that is the one before it is passed over: neither of the two pieces would see that.
fn first_record(file: &File, mut page: u64) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let mut pages = vec![0; 2 * PAGE];
    while page < size {
        let held = file.read_at(&mut pages, page - PAGE as u64)?;
        let (before, after) = pages.get(..held).unwrap_or_default().split_at(held.min(PAGE));
        if let Some(at) = begins_record(after).filter(|_| before != after) {
            return Ok(page + at);
        }
        page += PAGE as u64;
    }
    Ok(size)
}
