//! Writes a log as Prometheus does (tsdb/wlog/wlog.go `log`): the whole record compressed, cut at
//! the ends of pages.

use crate::walfile::compression::Compression;
use crate::walfile::frame::{HEADER, PAGE};

#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
    /// Offset of each record's first fragment.
    pub starts: Vec<usize>,
}

pub fn fragment(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend(u16::try_from(data.len()).expect("fits a page").to_be_bytes());
    out.extend(crc32c::crc32c(data).to_be_bytes());
    out.extend(data);
    out
}

impl Writer {
    pub fn record(&mut self, how: Compression, record: &[u8]) {
        let (flag, bytes) = match how {
            Compression::None => (0, record.to_vec()),
            Compression::Snappy => {
                (0x08, snap::raw::Encoder::new().compress_vec(record).expect("compresses"))
            }
            Compression::Zstd => {
                use ruzstd::encoding::{CompressionLevel, compress_to_vec};
                (0x10, compress_to_vec(record, CompressionLevel::Fastest))
            }
        };
        let mut left = bytes.as_slice();
        let mut first = true;
        loop {
            let room = PAGE - self.bytes.len() % PAGE;
            if room < HEADER + usize::from(!left.is_empty()) {
                self.bytes.resize(self.bytes.len() + room, 0);
                continue;
            }
            let take = left.len().min(room - HEADER);
            let last = take == left.len();
            let kind = match (first, last) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            if first {
                self.starts.push(self.bytes.len());
            }
            self.bytes.extend(fragment(kind | flag, &left[..take]));
            left = &left[take..];
            first = false;
            if last {
                return;
            }
        }
    }
}

pub fn uvarint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
    out
}

pub fn varint(value: i64) -> Vec<u8> {
    uvarint(((value << 1) ^ (value >> 63)).cast_unsigned())
}

pub fn text(text: &str) -> Vec<u8> {
    [uvarint(text.len() as u64), text.as_bytes().to_vec()].concat()
}

/// A Series record of one series `name{n="ref"}`.
pub fn series(refs: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut out = vec![1];
    for reference in refs {
        out.extend(reference.to_be_bytes());
        out.extend(uvarint(2));
        for word in ["__name__", "up", "n", &reference.to_string()] {
            out.extend(text(word));
        }
    }
    out
}

/// A Samples record of one sample for each ref at a time.
pub fn samples(refs: std::ops::Range<u64>, time: i64) -> Vec<u8> {
    samples_of(refs, time, |reference| (reference as f64).to_bits())
}

/// The same, of these values.
pub fn samples_of(refs: std::ops::Range<u64>, time: i64, value: impl Fn(u64) -> u64) -> Vec<u8> {
    let mut out = vec![2];
    out.extend(refs.start.to_be_bytes());
    out.extend(time.to_be_bytes());
    for reference in refs.clone() {
        out.extend(varint((reference - refs.start).cast_signed()));
        out.extend(varint(0));
        out.extend(value(reference).to_be_bytes());
    }
    out
}
