//! A cursor over bytes that may end anywhere: `None` where there is less than was asked for.

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    left: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { left: bytes }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.left.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// All that is left.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.left
    }

    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(count)?;
        self.left = left;
        Some(taken)
    }

    pub fn byte(&mut self) -> Option<u8> {
        let (first, left) = self.left.split_first()?;
        self.left = left;
        Some(*first)
    }

    pub fn be64(&mut self) -> Option<u64> {
        let (taken, left) = self.left.split_first_chunk::<8>()?;
        self.left = left;
        Some(u64::from_be_bytes(*taken))
    }

    /// Go's `binary.Uvarint`: at most ten bytes, the tenth at most 1.
    #[inline]
    pub fn uvarint(&mut self) -> Option<u64> {
        // Lengths of names and values are one byte, as a rule.
        match self.left.split_first() {
            Some((first, left)) if *first < 0x80 => {
                self.left = left;
                Some(u64::from(*first))
            }
            _ => self.long_uvarint(),
        }
    }

    fn long_uvarint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for (at, byte) in self.left.iter().enumerate().take(10) {
            if at == 9 && *byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.left = self.left.get(at + 1..)?;
                return Some(value);
            }
        }
        None
    }

    /// Go's `binary.Varint`: zigzag.
    pub fn varint(&mut self) -> Option<i64> {
        let value = self.uvarint()?;
        Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// A length as uvarint, and that many bytes.
    #[inline]
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.uvarint()?).ok()?;
        self.take(length)
    }
}
