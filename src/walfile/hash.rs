//! 64 bits that tell one text from another: eight bytes at a time, multiplied and folded. Not made
//! to withstand someone who wants two to be taken for one: that would cost only a number its last
//! digit.

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;

/// The 128 bits of the product, upper half onto lower.
#[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Carries on a hash with eight bytes.
pub fn join(hash: u64, word: u64) -> u64 {
    fold(hash ^ word ^ SEED, FACTOR)
}

/// Carries on a hash with a text; its length goes in, so that no two texts run into each other.
pub fn text(mut hash: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = join(hash, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    join(join(hash, u64::from_le_bytes(last)), bytes.len() as u64)
}

/// Whether they are equal. The library of a static program compares byte by byte.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let ((words, rest), (others, more)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let equal = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b);
    a.len() == b.len()
        && words.iter().zip(others).all(equal)
        && rest.iter().zip(more).all(|(a, b)| a == b)
}

/// A label with its value.
pub fn pair(name: &[u8], value: &[u8]) -> u64 {
    text(text(0, name), value)
}
