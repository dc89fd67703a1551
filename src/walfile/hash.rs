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
    let rest = match bytes.last_chunk() {
        // The last eight, without those that went in already: one by one they come slower.
        Some(last) if !rest.is_empty() => u64::from_le_bytes(*last) >> (8 * (8 - rest.len())),
        _ => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    join(join(hash, rest), bytes.len() as u64)
}

/// Whether they are equal. The library of a static program compares byte by byte.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let ((words, rest), (others, more)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let equal = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b);
    a.len() == b.len()
        && words.iter().zip(others).all(equal)
        && match a.last_chunk().zip(b.last_chunk()) {
            Some(last) => equal(last),
            None => rest.iter().zip(more).all(|(a, b)| a == b),
        }
}

/// A label with its value.
pub fn pair(name: &[u8], value: &[u8]) -> u64 {
    text(text(0, name), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_a_byte_or_their_length_are_not_taken_for_one() {
        let text_of = |length: u8| (1..=length).collect::<Vec<u8>>();
        for length in 0..40 {
            let one = text_of(length);
            assert!(same(&one, &text_of(length)) && !same(&one, &text_of(length + 1)));
            assert_ne!(text(0, &one), text(0, &[&one[..], &[0]].concat()));
            for at in 0..one.len() {
                let mut other = one.clone();
                other[at] ^= 0x80;
                assert!(!same(&one, &other), "{length} {at}");
                assert_ne!(text(0, &one), text(0, &other), "{length} {at}");
            }
        }
    }

    #[test]
    fn a_text_goes_in_by_eight_bytes_the_last_of_them_with_zeros() {
        let bytes = *b"abcdefghijk";
        let words = [*b"abcdefgh", *b"ijk\0\0\0\0\0", 11_u64.to_le_bytes()];
        let words = words.map(u64::from_le_bytes);
        assert_eq!(text(7, &bytes), words.into_iter().fold(7, join));
        let words = [u64::from_le_bytes(*b"abcdefgh"), 0, 8];
        assert_eq!(text(7, b"abcdefgh"), words.into_iter().fold(7, join));
        assert_eq!(text(7, b"abc"), [0x63_62_61, 3].into_iter().fold(7, join));
    }
}
