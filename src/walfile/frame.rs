//! Pages and fragments (tsdb/wlog/wlog.go `page`, `log`; tsdb/wlog/reader.go `nextNew`).
//!
//! A file is a run of pages of 32 KiB. A record is one fragment, or several, none longer than a
//! page; what is left of a page after the last fragment in it is zero. Each fragment has a header:
//!
//! ```text
//! byte 0    bits 0-2 type: 0 rest of the page is zero, 1 full, 2 first, 3 middle, 4 last
//!           bit 3 snappy, bit 4 zstd
//! byte 1-2  length of the data, big endian
//! byte 3-6  CRC-32C of the data, big endian
//! ```
//! After a fault the reader goes on with the next bytes of the page that are a fragment by their
//! checksum, else with the next page.

mod fragment;
mod single;
mod window;

use std::io::Read;

pub use fragment::begins_record;
use fragment::{Header, header, is_zero, resync};
pub use window::Part;
use window::{Failed, Window};

use super::compression::Compression;
use super::fault::{Fault, FaultKind};

pub const PAGE: usize = 32 << 10;
pub const HEADER: usize = 7;
/// The most data that a fragment holds.
pub const MOST_DATA: usize = PAGE - HEADER;
/// A record whose fragments come to more is taken for damaged, so that no file can make the reader
/// hold it whole: see [`super::compression::MOST`].
const MOST_RECORD: usize = super::compression::MOST;

/// A record as it stands in the file, not decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub bytes: &'a [u8],
    pub compression: Compression,
    /// Offset of its first fragment's header.
    pub offset: u64,
    /// Offset of the byte after its last fragment.
    pub end: u64,
    /// So many of its first bytes are of one record for certain. That fragments which follow each
    /// other belong together is told by their types alone, and no checksum covers more than one.
    pub sure: usize,
    /// A fault inside of it was told already; whether it is one record, only its content can tell.
    pub doubtful: bool,
}

impl<'a> Frame<'a> {
    /// What is left of it where its content does not hold: fragments that do not belong together
    /// were joined.
    #[must_use]
    pub fn beginning(&self) -> Option<Frame<'a>> {
        let bytes = self.bytes.get(..self.sure).filter(|sure| sure.len() < self.bytes.len())?;
        Some(Frame { bytes, ..*self })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    Record(Frame<'a>),
    Fault(Fault),
    /// What came of a record before the fault that took the rest of it; told behind that fault.
    Beginning(Frame<'a>),
}

/// The fragments so far of a record that goes on.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// Of the first fragment; `None` while no record is under way.
    offset: Option<u64>,
    /// Offset of the byte after the last fragment so far.
    end: u64,
    /// Of the first fragment.
    flags: u8,
    /// See [`Frame`].
    sure: usize,
    doubtful: bool,
    /// A byte of it was wrong.
    put_right: bool,
}

impl Pending {
    /// Keeps the room, for the next record.
    fn forget(&mut self) {
        self.bytes.clear();
        *self = Pending { bytes: std::mem::take(&mut self.bytes), ..Pending::default() };
    }

    /// The page that came last comes once more: what follows it may not belong here.
    fn doubt(&mut self) {
        if !self.doubtful {
            self.sure = self.bytes.len();
        }
        self.doubtful = true;
    }
}

/// Reads one file from its first page on.
pub struct Frames<R> {
    window: Window<R>,
    failed: bool,
    pending: Pending,
    /// What was given last is to be forgotten when more is asked for.
    given: bool,
    /// The rest of the record under way is lost: its beginning is given next.
    torn: bool,
    /// After a fault: the rest of a record that lost its beginning is no fault of its own.
    orphans: bool,
    /// A page, and how often something in it was to be put right.
    tries: (u64, u8),
    /// Passes over zeros inside a record, as Prometheus' reader does, and joins what is around them.
    joins: bool,
}

impl<R: Read> Frames<R> {
    pub fn new(input: R) -> Frames<R> {
        Frames::part(input, Part::WHOLE)
    }

    /// Reads a part of a file, from where the input stands.
    pub fn part(input: R, part: Part) -> Frames<R> {
        Frames {
            window: Window::new(input, part.bytes),
            failed: false,
            pending: Pending::default(),
            given: false,
            torn: false,
            orphans: part.under_way,
            tries: (0, 0),
            joins: false,
        }
    }

    /// Reads what Prometheus' reader would, up to the first fault that it sees.
    pub fn as_prometheus(input: R) -> Frames<R> {
        Frames { joins: true, ..Frames::new(input) }
    }

    /// Bytes of the file, once all was read.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.window.size()
    }

    /// The next record or fault; `None` at the end. No iterator: a record is lent.
    pub fn advance(&mut self) -> Option<Item<'_>> {
        if std::mem::take(&mut self.given) {
            self.pending.forget();
        }
        loop {
            if std::mem::take(&mut self.torn) {
                return Some(Item::Beginning(self.give_beginning()));
            }
            if self.failed {
                return None;
            }
            if let Err(Failed) = self.window.fill() {
                self.failed = true;
                let end = self.window.end();
                return Some(Item::Fault(self.fault(FaultKind::Io, end, end)));
            }
            if self.window.left().is_empty() {
                let offset = self.pending.offset?;
                self.torn = true;
                if self.pending.doubtful {
                    continue;
                }
                let end = self.size().unwrap_or(offset);
                return Some(Item::Fault(self.fault(FaultKind::TornRecord, offset, end)));
            }
            match self.fragment() {
                Ok(None) => {}
                Ok(Some(found)) => return Some(Item::Record(self.give(found))),
                Err(fault) => return Some(Item::Fault(fault)),
            }
        }
    }

    /// Looks at what stands here and passes over it: a record that it ends, if it does.
    fn fragment(&mut self) -> Result<Option<Whole>, Fault> {
        if self.is_repeated() {
            return Err(self.pass_repeated());
        }
        let left = self.window.left();
        let Some(header) = header(left) else {
            // The last bytes of the last page, fewer than a header.
            if left.first().is_some_and(|first| first & 7 != 0) {
                return Err(self.lose(FaultKind::TornFragment));
            }
            return self.padding().map(|()| None);
        };
        if header.kind == 0 {
            let full = self.is_full(&header, FaultKind::NonZeroPadding);
            return full.map_or_else(|| self.padding().map(|()| None), Err);
        }
        let data = left.get(HEADER..HEADER + header.length);
        let wrong = match data {
            _ if header.length > MOST_DATA => FaultKind::InvalidSize,
            None => FaultKind::TornFragment,
            Some(data) if crc32c::crc32c(data) != header.sum => FaultKind::Checksum,
            Some(_) => return self.join(&header, self.window.offset()),
        };
        let fault = self.put_right(&header, wrong);
        Err(fault.unwrap_or_else(|| self.lose(wrong)))
    }

    /// What a whole fragment is to the record under way.
    fn join(&mut self, header: &Header, here: u64) -> Result<Option<Whole>, Fault> {
        let length = header.length;
        let goes_on = self.pending.offset.is_some();
        match (header.kind, goes_on) {
            (1, false) => {
                let start = self.window.at() + HEADER;
                self.pass(length);
                self.orphans = false;
                Ok(Some(Whole { start: Some(start), length, offset: here, flags: header.flags }))
            }
            (2, false) => {
                self.pending.offset = Some(here);
                self.pending.flags = header.flags;
                self.pending.sure = length;
                self.append(length);
                self.orphans = false;
                Ok(None)
            }
            (3, true) => {
                self.append(length);
                self.too_much(here)
            }
            (4, true) => {
                self.append(length);
                self.too_much(here)?;
                if self.pending.put_right {
                    self.end_put_right();
                    return Ok(None);
                }
                // Numbers behind each other are decoded wherever they are cut.
                if self.pending.doubtful && Compression::of(header.flags) == Compression::None {
                    self.torn = true;
                    return Ok(None);
                }
                let offset = self.pending.offset.unwrap_or(here);
                let length = self.pending.bytes.len();
                Ok(Some(Whole { start: None, length, offset, flags: header.flags }))
            }
            // The rest of the record under way is lost; this one is looked at again without it.
            (1 | 2, true) => {
                self.torn = true;
                // That it was in doubt was told.
                if self.pending.doubtful {
                    return Ok(None);
                }
                let offset = self.pending.offset.unwrap_or(here);
                let full = header.kind == 1;
                let kind =
                    if full { FaultKind::UnexpectedFull } else { FaultKind::UnexpectedFirst };
                Err(self.fault(kind, offset, here))
            }
            (3 | 4, false) => self.stray(header, here).map_or(Ok(None), Err),
            _ => {
                let kind = FaultKind::UnexpectedType;
                Err(self.is_full(header, kind).unwrap_or_else(|| self.lose(kind)))
            }
        }
    }

    /// Takes `length` bytes of data behind a header into the record under way.
    fn append(&mut self, length: usize) {
        let from = self.window.at() + HEADER;
        self.pending.bytes.extend_from_slice(self.window.get(from..from + length));
        self.pass(length);
        self.pending.end = self.window.offset();
    }

    fn pass(&mut self, length: usize) {
        self.window.pass(HEADER + length);
    }

    fn too_much(&mut self, here: u64) -> Result<Option<Whole>, Fault> {
        if self.pending.bytes.len() <= MOST_RECORD {
            return Ok(None);
        }
        let offset = self.pending.offset.take().unwrap_or(here);
        self.pending = Pending::default();
        self.orphans = true;
        Err(self.fault(FaultKind::InvalidSize, offset, self.window.offset()))
    }

    /// Zeros are for others to judge.
    fn is_repeated(&self) -> bool {
        let begins = self.window.left().first().is_some_and(|first| first & 7 != 0);
        begins && !self.joins && self.window.repeats()
    }

    /// Whether it stands in the place of a page that is lost, or between pages of which none is, only
    /// the content of a record that goes on behind it can tell.
    fn pass_repeated(&mut self) -> Fault {
        let offset = self.window.offset();
        self.window.pass(PAGE);
        if self.pending.offset.is_some() {
            self.pending.doubt();
        }
        self.orphans = true;
        self.fault(FaultKind::RepeatedPage, offset, self.window.offset())
    }

    /// The rest of the page, which must be zero.
    fn padding(&mut self) -> Result<(), Fault> {
        let page = self.window.page();
        let rest = page.len();
        // The type byte may carry flags: Prometheus looks at its low bits only.
        let clean = page.get(1..).is_none_or(is_zero);
        if self.pending.offset.is_some() && !self.joins {
            // Not so at the end, where the page goes on with zeros that are not in the file.
            if self.size().is_none_or(|size| self.window.offset() < size) {
                return Err(self.lose(FaultKind::MissingFragment));
            }
        } else if !clean {
            return Err(self.lose(FaultKind::NonZeroPadding));
        }
        self.window.pass(rest);
        Ok(())
    }

    /// Nothing here can be used: ends the record under way and goes to the next place in the page
    /// that can, else to the next page.
    fn lose(&mut self, kind: FaultKind) -> Fault {
        self.torn = self.pending.offset.is_some();
        self.orphans = true;
        let skip = resync(self.window.page());
        let offset = self.window.offset();
        self.window.pass(skip);
        // The place is where the bytes are wrong, not where the record began.
        self.fault(kind, offset, self.window.offset())
    }

    fn fault(&self, kind: FaultKind, offset: u64, end: u64) -> Fault {
        let end = self.size().map_or(end, |size| end.min(size.max(offset)));
        Fault::new(kind, offset, end - offset)
    }

    /// Zeros at the end of its last page may be missing in the file.
    fn in_file(&self, end: u64) -> u64 {
        self.size().map_or(end, |size| size.min(end))
    }

    fn give(&mut self, found: Whole) -> Frame<'_> {
        self.given = true;
        let end = self.in_file(self.window.offset());
        let bytes = match found.start {
            Some(start) => self.window.get(start..start + found.length),
            None => self.pending.bytes.get(..found.length).unwrap_or_default(),
        };
        let sure = if found.start.is_some() { bytes.len() } else { self.pending.sure };
        Frame {
            bytes,
            compression: Compression::of(found.flags),
            offset: found.offset,
            end,
            sure,
            doubtful: self.pending.doubtful,
        }
    }

    /// What came of the record under way, as far as it is in no doubt.
    fn give_beginning(&mut self) -> Frame<'_> {
        self.given = true;
        let Pending { bytes, offset, end, flags, sure, doubtful, .. } = &self.pending;
        let sure = if *doubtful { *sure } else { bytes.len() };
        Frame {
            bytes: bytes.get(..sure).unwrap_or_default(),
            compression: Compression::of(*flags),
            offset: offset.unwrap_or(*end),
            end: self.in_file(*end),
            sure,
            doubtful: *doubtful,
        }
    }
}

/// Where a whole record lies: in the window from `start` on, else in the pending bytes.
struct Whole {
    start: Option<usize>,
    length: usize,
    offset: u64,
    flags: u8,
}
