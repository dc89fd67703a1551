//! Records are compressed whole, before they are cut into fragments (tsdb/wlog/wlog.go `log`).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::snappy;

/// How a record is compressed, by the flags of its last fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Snappy,
    Zstd,
}

/// Flags in the type byte of a fragment (tsdb/wlog/wlog.go).
pub(super) const SNAPPY: u8 = 0x08;
pub(super) const ZSTD: u8 = 0x10;

/// A record larger than this once decompressed is taken for damaged. Prometheus writes records of
/// a scrape or of one batch, a few MiB at the most; a segment of the largest kind is 256 MiB.
pub const MOST: usize = 256 << 20;

/// A snappy element of three bytes yields at most 64 (google/snappy `format_description.txt`), so a
/// length over this many times the input is a lie that must not be allocated.
const SNAPPY_RATIO: usize = 22;

impl Compression {
    /// Snappy wins where both flags are set, as it does for Prometheus.
    #[must_use]
    pub fn of(header: u8) -> Compression {
        if header & SNAPPY != 0 {
            Compression::Snappy
        } else if header & ZSTD != 0 {
            Compression::Zstd
        } else {
            Compression::None
        }
    }
}

/// Decompresses records one after the other into one buffer.
#[derive(Default)]
pub struct Decompressor {
    out: Vec<u8>,
    zstd: Option<ruzstd::decoding::FrameDecoder>,
}

impl Decompressor {
    /// The record's own bytes; `None` where they cannot be had.
    pub fn decode<'a>(&'a mut self, how: Compression, bytes: &'a [u8]) -> Option<&'a [u8]> {
        match how {
            Compression::None => Some(bytes),
            // As Prometheus' compression.Decode: nothing is nothing.
            Compression::Snappy | Compression::Zstd if bytes.is_empty() => Some(bytes),
            Compression::Snappy => self.snappy(bytes),
            Compression::Zstd => self.zstd(bytes),
        }
    }

    /// What the first bytes of a record say, as far as they say it by themselves; `None` where they say
    /// nothing. A block of zstd says nothing before its end.
    pub fn decode_beginning<'a>(
        &'a mut self,
        how: Compression,
        bytes: &'a [u8],
    ) -> Option<&'a [u8]> {
        match how {
            Compression::None => Some(bytes),
            Compression::Snappy => {
                let most = MOST.min(bytes.len().saturating_mul(SNAPPY_RATIO));
                self.out = snappy::beginning(bytes, most)?;
                Some(&self.out)
            }
            Compression::Zstd => None,
        }
    }

    fn snappy(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        let (length, _) = snappy::length(bytes)?;
        if length > MOST || length > bytes.len().saturating_mul(SNAPPY_RATIO) {
            return None;
        }
        snappy::decompress(bytes, &mut self.out)
    }

    fn zstd(&mut self, mut bytes: &[u8]) -> Option<&[u8]> {
        use ruzstd::decoding::BlockDecodingStrategy::UptoBytes;
        let decoder = self.zstd.get_or_insert_with(ruzstd::decoding::FrameDecoder::new);
        decoder.reset(&mut bytes).ok()?;
        self.out.clear();
        while !decoder.is_finished() {
            decoder.decode_blocks(&mut bytes, UptoBytes(1 << 20)).ok()?;
            decoder.collect_to_writer(&mut self.out).ok()?;
            if self.out.len() > MOST {
                return None;
            }
        }
        decoder.collect_to_writer(&mut self.out).ok()?;
        // Prometheus' library writes it, and ends where it does not hold.
        let told = decoder.get_checksum_from_data();
        let holds = told.is_none() || told == decoder.get_calculated_checksum();
        holds.then_some(&*self.out)
    }
}

/// Compressed as they are, the first bytes of a record, cut so that they say no more than `length`
/// bytes of it.
#[must_use]
pub fn cut(how: Compression, bytes: &[u8], length: usize) -> Option<Cow<'_, [u8]>> {
    match how {
        Compression::None => bytes.get(..length).map(Cow::Borrowed),
        Compression::Snappy => snappy::cut(bytes, length).map(Cow::Owned),
        Compression::Zstd => None,
    }
}

/// The first byte of a record, without decompressing it where that can be told: a snappy block
/// begins with its length and then, as a rule, with a literal.
#[must_use]
pub fn peek(how: Compression, bytes: &[u8]) -> Option<u8> {
    match how {
        Compression::None => bytes.first().copied(),
        Compression::Zstd => None,
        Compression::Snappy => {
            let mut at = bytes.iter().position(|b| *b < 0x80)? + 1;
            let tag = *bytes.get(at)?;
            // A block cannot begin with a copy: there is nothing yet to copy.
            if tag & 3 != 0 {
                return None;
            }
            // Lengths over 60 stand in 1 to 4 bytes more.
            at += 1 + usize::from((tag >> 2).saturating_sub(59));
            bytes.get(at).copied()
        }
    }
}
