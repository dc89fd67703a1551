//! What can be wrong with a log, and where.

use std::io;

use serde::{Deserialize, Serialize};

use super::count::Kept;
use super::frame::PAGE;

/// What Prometheus' reader finds wrong, but for [`FaultKind::MissingFragment`],
/// [`FaultKind::RepeatedPage`] and [`FaultKind::MisplacedPage`] (tsdb/wlog/reader.go `nextNew`,
/// tsdb/wlog/wlog.go `validateRecord`, tsdb/record/record.go), in the order in which it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The file could not be read any further: the disk, not the log.
    Io,
    /// After a zero type byte the page is not zero to its end.
    NonZeroPadding,
    /// A length that no page holds.
    InvalidSize,
    /// The file ends inside a fragment.
    TornFragment,
    /// The bytes of a fragment are not those that were summed.
    Checksum,
    /// A whole record where the rest of another was due.
    UnexpectedFull,
    /// A record begins where the rest of another was due.
    UnexpectedFirst,
    /// The middle of a record that did not begin.
    UnexpectedMiddle,
    /// The end of a record that did not begin.
    UnexpectedLast,
    /// A fragment of a type that does not exist (5, 6, 7).
    UnexpectedType,
    /// Zeros where the rest of a record is due. A record is cut only where its page is full, so a page
    /// was lost here; Prometheus' reader passes over it, and joins what does not belong together.
    MissingFragment,
    /// A page is, byte for byte, the one before it. Prometheus' reader reads it again, and joins the
    /// record that goes on behind the first with the end of the one that goes on into it.
    RepeatedPage,
    /// A page whose place is another one, see [`super::segment::Order`]. Prometheus' reader sees of it
    /// what does not fit at its ends.
    MisplacedPage,
    /// The segment ends while the rest of a record is due.
    TornRecord,
    /// The record cannot be decompressed as its flags say. It is kept where they alone are wrong.
    Compression,
    /// The record's fields do not fit its bytes.
    Decoding,
}

/// One place where the log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    pub kind: FaultKind,
    /// Offset in the file, in bytes, of the first byte that cannot be used: of the fragment's
    /// header, or for a record (torn, compression, decoding) of its first fragment.
    pub offset: u64,
    /// Pages of 32 KiB before the one that holds it.
    pub page: u64,
    /// Bytes from there to the next that can be used: what it costs a reader that goes on with the next
    /// fragment.
    pub skipped: u64,
    /// Of a survey, which counts; nobody reads them back.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub costs: Option<Costs>,
}

/// What a fault costs, of what can be read in its file, where one goes on in another way than with the
/// next fragment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// All behind it: Prometheus' repair cuts at the first fault that it meets. (It deletes the later
    /// files, too.)
    pub prometheus: Kept,
    /// What is passed over, because of it, on the way to the next page.
    pub page: Kept,
}

impl Fault {
    pub fn new(kind: FaultKind, offset: u64, skipped: u64) -> Fault {
        let page = offset / PAGE as u64;
        Fault { kind, offset, page, skipped, costs: None }
    }

    /// Where what it costs is told of the whole file, or is of no matter.
    #[must_use]
    pub fn without_costs(&self) -> Fault {
        Fault { costs: None, ..self.clone() }
    }

    /// An error where it is the disk that ends the reading: what was not read must not pass for lost.
    pub fn lets_go_on(&self) -> io::Result<()> {
        match self.kind {
            FaultKind::Io => Err(io::Error::other(format!("cannot be read at {}", self.offset))),
            _ => Ok(()),
        }
    }
}
