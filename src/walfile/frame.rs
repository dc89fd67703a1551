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

use std::io::Read;

use super::compression::Compression;
use super::fault::{Fault, FaultKind};

pub const PAGE: usize = 32 << 10;
pub const HEADER: usize = 7;
/// The most data that a fragment holds.
pub const MOST_DATA: usize = PAGE - HEADER;
/// Read at once; all that is held of a file, but for the record under way.
const WINDOW: usize = 4 * PAGE;
/// A fragment that begins at the end of a page of the window is whole in it.
const AHEAD: usize = 2 * PAGE;
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
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    Record(Frame<'a>),
    Fault(Fault),
}

/// The fragments so far of a record that goes on.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// Of the first fragment; `None` while no record is under way.
    offset: Option<u64>,
}

impl Pending {
    /// Keeps the room, for the next record.
    fn forget(&mut self) {
        self.offset = None;
        self.bytes.clear();
    }
}

/// Reads one file from its first page on.
pub struct Frames<R> {
    input: R,
    window: Vec<u8>,
    /// What of the window was read, and what of that is used up.
    filled: usize,
    at: usize,
    /// Offset in the file of the window's first byte.
    base: u64,
    /// Bytes of the file, once its end was reached. The window goes on with zeros to a full page,
    /// as Prometheus' reader of segments does.
    size: Option<u64>,
    failed: bool,
    pending: Pending,
    /// What was given last is to be forgotten when more is asked for.
    given: bool,
    /// After a fault: the rest of a record that lost its beginning is no fault of its own.
    orphans: bool,
    /// Passes over zeros inside a record, as Prometheus' reader does, and joins what is around them.
    joins: bool,
}

struct Header {
    kind: u8,
    flags: u8,
    length: usize,
    sum: u32,
}

fn header(bytes: &[u8]) -> Option<Header> {
    let [first, l1, l0, c3, c2, c1, c0] = *bytes.first_chunk::<HEADER>()?;
    Some(Header {
        kind: first & 7,
        flags: first,
        length: usize::from(u16::from_be_bytes([l1, l0])),
        sum: u32::from_be_bytes([c3, c2, c1, c0]),
    })
}

/// A fragment at the start of `bytes` whose checksum holds, and which ends in them.
fn proven(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let header = header(bytes)?;
    let plausible = (1..=4).contains(&header.kind) && header.flags & 0xe0 == 0;
    let data = bytes.get(HEADER..HEADER + header.length)?;
    (plausible && !data.is_empty() && crc32c::crc32c(data) == header.sum).then_some((header, data))
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

impl<R: Read> Frames<R> {
    pub fn new(input: R) -> Frames<R> {
        Frames {
            input,
            window: vec![0; WINDOW],
            filled: 0,
            at: 0,
            base: 0,
            size: None,
            failed: false,
            pending: Pending::default(),
            given: false,
            orphans: false,
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
        self.size
    }

    fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    fn left(&self) -> &[u8] {
        self.window.get(self.at..self.filled).unwrap_or_default()
    }

    /// Bytes from here to the end of the page.
    fn of_page(&self) -> usize {
        PAGE - self.at % PAGE
    }

    /// Sees to it that a whole fragment can be looked at, or the file's last page to its end.
    fn fill(&mut self) -> Result<(), FaultKind> {
        if self.filled - self.at >= AHEAD || self.size.is_some() {
            return Ok(());
        }
        // Whole pages are dropped, so that a page begins at a multiple of its size.
        let used = self.at / PAGE * PAGE;
        self.window.copy_within(used..self.filled, 0);
        self.base += used as u64;
        self.at -= used;
        self.filled -= used;
        while let Some(room) = self.window.get_mut(self.filled..).filter(|r| !r.is_empty()) {
            match self.input.read(room) {
                Ok(0) => {
                    self.size = Some(self.base + self.filled as u64);
                    let full = self.filled.next_multiple_of(PAGE);
                    if let Some(rest) = self.window.get_mut(self.filled..full) {
                        rest.fill(0);
                    }
                    self.filled = full;
                    return Ok(());
                }
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Err(FaultKind::Io),
            }
        }
        Ok(())
    }

    /// The next record or fault; `None` at the end. No iterator: a record is lent.
    pub fn advance(&mut self) -> Option<Item<'_>> {
        if std::mem::take(&mut self.given) {
            self.pending.forget();
        }
        loop {
            if self.failed {
                return None;
            }
            if let Err(kind) = self.fill() {
                self.failed = true;
                let end = self.base + self.filled as u64;
                return Some(Item::Fault(self.fault(kind, end, end)));
            }
            if self.left().is_empty() {
                let offset = self.pending.offset.take()?;
                let end = self.size.unwrap_or(offset);
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
        let Some(header) = header(self.left()) else {
            // The last bytes of the last page, fewer than a header.
            if self.left().first().is_some_and(|first| first & 7 != 0) {
                return Err(self.lose(FaultKind::TornFragment));
            }
            return self.padding().map(|()| None);
        };
        if header.kind == 0 {
            return self.padding().map(|()| None);
        }
        let here = self.offset();
        if header.length > MOST_DATA {
            return Err(self.lose(FaultKind::InvalidSize));
        }
        let Some(data) = self.left().get(HEADER..HEADER + header.length) else {
            return Err(self.lose(FaultKind::TornFragment));
        };
        if crc32c::crc32c(data) != header.sum {
            return Err(self.lose(FaultKind::Checksum));
        }
        self.join(&header, here)
    }

    /// What a whole fragment is to the record under way.
    fn join(&mut self, header: &Header, here: u64) -> Result<Option<Whole>, Fault> {
        let length = header.length;
        let goes_on = self.pending.offset.is_some();
        match (header.kind, goes_on) {
            (1, false) => {
                let start = self.at + HEADER;
                self.pass(length);
                self.orphans = false;
                Ok(Some(Whole { start: Some(start), length, offset: here, flags: header.flags }))
            }
            (2, false) => {
                self.pending.offset = Some(here);
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
                let offset = self.pending.offset.unwrap_or(here);
                let length = self.pending.bytes.len();
                Ok(Some(Whole { start: None, length, offset, flags: header.flags }))
            }
            // The record under way is lost; this one is looked at again without it.
            (1 | 2, true) => {
                let offset = self.pending.offset.unwrap_or(here);
                self.pending.forget();
                let full = header.kind == 1;
                let kind =
                    if full { FaultKind::UnexpectedFull } else { FaultKind::UnexpectedFirst };
                Err(self.fault(kind, offset, here))
            }
            (3 | 4, false) => {
                self.pass(length);
                if self.orphans {
                    return Ok(None);
                }
                self.orphans = true;
                let middle = header.kind == 3;
                let kind =
                    if middle { FaultKind::UnexpectedMiddle } else { FaultKind::UnexpectedLast };
                Err(self.fault(kind, here, self.offset()))
            }
            _ => Err(self.lose(FaultKind::UnexpectedType)),
        }
    }

    /// Takes `length` bytes of data behind a header into the record under way.
    fn append(&mut self, length: usize) {
        let from = self.at + HEADER;
        let data = self.window.get(from..from + length).unwrap_or_default();
        self.pending.bytes.extend_from_slice(data);
        self.pass(length);
    }

    fn pass(&mut self, length: usize) {
        self.at += HEADER + length;
    }

    fn too_much(&mut self, here: u64) -> Result<Option<Whole>, Fault> {
        if self.pending.bytes.len() <= MOST_RECORD {
            return Ok(None);
        }
        let offset = self.pending.offset.take().unwrap_or(here);
        self.pending.bytes = Vec::new();
        self.orphans = true;
        Err(self.fault(FaultKind::InvalidSize, offset, self.offset()))
    }

    /// The rest of the page, which must be zero.
    fn padding(&mut self) -> Result<(), Fault> {
        let rest = self.of_page().min(self.left().len());
        if self.pending.offset.is_some() && !self.joins {
            // Not so at the end, where the page goes on with zeros that are not in the file.
            let ends = self.size.is_some_and(|size| self.offset() >= size);
            return if ends {
                self.pass_page(rest)
            } else {
                Err(self.lose(FaultKind::MissingFragment))
            };
        }
        // The type byte may carry flags: Prometheus looks at its low bits only.
        let clean = self.left().get(1..rest).is_none_or(is_zero);
        if clean { self.pass_page(rest) } else { Err(self.lose(FaultKind::NonZeroPadding)) }
    }

    fn pass_page(&mut self, rest: usize) -> Result<(), Fault> {
        self.at += rest;
        Ok(())
    }

    /// Nothing here can be used: forgets the record under way and goes to the next place in the
    /// page that can, else to the next page.
    fn lose(&mut self, kind: FaultKind) -> Fault {
        self.pending.forget();
        self.orphans = true;
        let rest = self.of_page().min(self.left().len());
        let page = self.left().get(..rest).unwrap_or_default();
        // A flipped byte in the data leaves the length right: what follows it is proven then.
        let behind = header(page).map_or(rest, |h| HEADER + h.length);
        let follows = page.get(behind..).is_some_and(|bytes| proven(bytes).is_some());
        let skip = if follows {
            behind
        } else {
            (1..rest).find(|at| page.get(*at..).and_then(proven).is_some()).unwrap_or(rest)
        };
        let offset = self.offset();
        self.at += skip;
        // The place is where the bytes are wrong, not where the record began.
        self.fault(kind, offset, self.offset())
    }

    fn fault(&self, kind: FaultKind, offset: u64, end: u64) -> Fault {
        let end = self.size.map_or(end, |size| end.min(size.max(offset)));
        Fault { kind, offset, page: offset / PAGE as u64, skipped: end - offset }
    }

    fn give(&mut self, found: Whole) -> Frame<'_> {
        self.given = true;
        // Zeros at the end of its last page may be missing in the file.
        let end = self.size.map_or(self.offset(), |size| self.offset().min(size));
        let bytes = match found.start {
            Some(start) => self.window.get(start..start + found.length),
            None => self.pending.bytes.get(..found.length),
        };
        Frame {
            bytes: bytes.unwrap_or_default(),
            compression: Compression::of(found.flags),
            offset: found.offset,
            end,
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
