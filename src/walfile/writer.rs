//! Writes a log page by page, as [`super::frame`] reads it (tsdb/wlog/wlog.go `log`). Records are
//! taken as they stood in another log: compressed already, not looked into.

use std::io::{self, Write};

use super::compression::Compression;
use super::frame::{HEADER, PAGE};

/// Bits of a fragment's first byte.
const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
const SNAPPY: u8 = 0x08;
const ZSTD: u8 = 0x10;

/// A log under way. Its last page is left short, as Prometheus leaves its newest.
pub struct Writer<W> {
    out: W,
    /// Bytes used of the page.
    at: usize,
}

impl<W: Write> Writer<W> {
    pub fn new(out: W) -> Writer<W> {
        Writer { out, at: 0 }
    }

    pub fn record(&mut self, how: Compression, bytes: &[u8]) -> io::Result<()> {
        let flag = match how {
            Compression::None => 0,
            Compression::Snappy => SNAPPY,
            Compression::Zstd => ZSTD,
        };
        let mut left = bytes;
        let mut begins = true;
        loop {
            // A fragment without data is written only where the record has none.
            let least = HEADER + usize::from(!left.is_empty());
            if PAGE - self.at < least {
                self.pad()?;
            }
            let (data, rest) = left.split_at(left.len().min(PAGE - self.at - HEADER));
            let kind = match (begins, rest.is_empty()) {
                (true, true) => FULL,
                (true, false) => FIRST,
                (false, false) => MIDDLE,
                (false, true) => LAST,
            };
            self.fragment(kind | flag, data)?;
            if rest.is_empty() {
                return Ok(());
            }
            left = rest;
            begins = false;
        }
    }

    fn fragment(&mut self, head: u8, data: &[u8]) -> io::Result<()> {
        let length = u16::try_from(data.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let [l1, l0] = length.to_be_bytes();
        let [c3, c2, c1, c0] = crc32c::crc32c(data).to_be_bytes();
        self.out.write_all(&[head, l1, l0, c3, c2, c1, c0])?;
        self.out.write_all(data)?;
        self.at = (self.at + HEADER + data.len()) % PAGE;
        Ok(())
    }

    fn pad(&mut self) -> io::Result<()> {
        const ZEROS: [u8; HEADER] = [0; HEADER];
        let rest = PAGE - self.at;
        self.out.write_all(ZEROS.get(..rest).ok_or(io::ErrorKind::InvalidInput)?)?;
        self.at = 0;
        Ok(())
    }
}
