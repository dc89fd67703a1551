//! Numbers by chance, the same for the same seed, and what chance does to bytes.

/// SplitMix64, by Steele, Lea and Flood.
pub struct Chance(u64);

impl Chance {
    pub fn of(seed: u64, case: u64) -> Chance {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ case);
        chance.next();
        chance
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = (end as u64).max(1);
        usize::try_from(self.next() % end).expect("less than a size")
    }

    pub fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// A range of at most `most` bytes.
    pub fn range(&mut self, length: usize, most: usize) -> std::ops::Range<usize> {
        let from = self.below(length);
        from..length.min(from + 1 + self.below(most))
    }
}

/// Bytes that lie at the edges of types, lengths and flags.
const EDGES: [u8; 12] = [0, 1, 2, 3, 4, 5, 0x7f, 0x80, 0xff, 0x09, 0x11, 0x1c];

/// One small change.
pub fn change(bytes: &mut Vec<u8>, chance: &mut Chance) {
    if bytes.is_empty() {
        bytes.push(chance.byte());
        return;
    }
    let at = chance.below(bytes.len());
    match chance.below(10) {
        0..3 => bytes[at] ^= 1 << chance.below(8),
        3 => bytes[at] = EDGES[chance.below(EDGES.len())],
        4 => bytes[at] = chance.byte(),
        5 => {
            let range = chance.range(bytes.len(), 40);
            bytes[range].fill(if chance.below(2) == 0 { 0 } else { 0xff });
        }
        6 => bytes.truncate(at),
        7 => {
            let range = chance.range(bytes.len(), 300);
            let to = chance.below(bytes.len() - range.len() + 1);
            bytes.copy_within(range, to);
        }
        8 => {
            let more: Vec<u8> = (0..chance.below(20)).map(|_| chance.byte()).collect();
            bytes.splice(at..at, more);
        }
        _ => {
            bytes.drain(chance.range(bytes.len(), 20));
        }
    }
}
