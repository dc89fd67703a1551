//! What is written for speed, against what is written to be plain: blocks of snappy against the
//! `snap` crate, batches of samples against the reader of records.

use proptest::prelude::*;

use super::writer::{samples, varint};
use crate::walfile::batch;
use crate::walfile::count::Entries;
use crate::walfile::record::{Entry, read};
use crate::walfile::refs::{Refs, Rows};
use crate::walfile::snappy;

fn by_snap(block: &[u8]) -> Option<Vec<u8>> {
    // A length that is a lie is met before.
    let length = snap::raw::decompress_len(block).ok().filter(|length| *length < 1 << 20)?;
    let mut out = vec![0; length];
    let written = snap::raw::Decoder::new().decompress(block, &mut out).ok()?;
    (written == length).then_some(out)
}

/// In a buffer that holds what was there before.
fn ours(block: &[u8]) -> Option<Vec<u8>> {
    let length = snappy::length(block)?.0;
    let mut out = vec![0xaa; 300];
    if length < 1 << 20 { snappy::decompress(block, &mut out).map(<[u8]>::to_vec) } else { None }
}

/// Elements with all that can be said of them, true or not.
fn element() -> impl Strategy<Value = Vec<u8>> {
    let literal = (1..70_usize, any::<u8>()).prop_map(|(size, byte)| {
        let bytes = (0..size).map(|at| byte.wrapping_add(u8::try_from(at * at % 251).unwrap()));
        let tag = match u8::try_from(size).unwrap() {
            short @ ..=60 => vec![(short - 1) << 2],
            long => vec![60 << 2, long - 1],
        };
        tag.into_iter().chain(bytes).collect()
    });
    let near = (0..8_u8, 0..40_u8).prop_map(|(size, back)| vec![size << 2 | 1, back]);
    let far = (0..64_u8, 0..300_u16)
        .prop_map(|(size, back)| [vec![size << 2 | 2], back.to_le_bytes().to_vec()].concat());
    let farther = (0..64_u8, 0..300_u32)
        .prop_map(|(size, back)| [vec![size << 2 | 3], back.to_le_bytes().to_vec()].concat());
    prop_oneof![6 => literal, 4 => near, 2 => far, 1 => farther]
}

fn size(elements: &[Vec<u8>]) -> usize {
    let one = |bytes: &Vec<u8>| match bytes[0] & 3 {
        0 if bytes[0] >> 2 == 60 => usize::from(bytes[1]) + 1,
        1 => usize::from(bytes[0] >> 2 & 7) + 4,
        _ => usize::from(bytes[0] >> 2) + 1,
    };
    elements.iter().map(one).sum()
}

fn entries(record: &[u8]) -> Option<(Entries, Vec<u64>)> {
    let (mut counts, mut refs) = (Entries::default(), Refs::default());
    let read = read(record, |entry| {
        counts.count(entry);
        if let Entry::Sample { reference, .. } = entry {
            refs.insert(reference);
        }
    });
    read.ok().map(|()| (counts, refs.iter().collect()))
}

fn batched(record: &[u8]) -> Option<(Entries, Vec<u64>)> {
    let (mut rows, mut refs) = (Rows::default(), Refs::default());
    let found = batch::count(&record[1..], &mut rows)?;
    refs.take(&mut rows);
    let counts = Entries { samples: found.samples, span: found.span, ..Entries::default() };
    Some((counts, refs.iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_block_is_decompressed_as_snap_does(elements in prop::collection::vec(element(), 0..40)) {
        let mut block = super::writer::uvarint(size(&elements) as u64);
        block.extend(elements.concat());
        prop_assert_eq!(ours(&block), by_snap(&block));
    }

    #[test]
    fn a_broken_block_is_refused_as_snap_does(
        text in prop::collection::vec(0..4_u8, 0..2000),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut block = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        prop_assert_eq!(ours(&block), Some(text));
        for (at, byte) in flips {
            let at = at.index(block.len());
            block[at] = byte;
        }
        prop_assert_eq!(ours(&block), by_snap(&block));
        block.truncate(cut.index(block.len() + 1));
        prop_assert_eq!(ours(&block), by_snap(&block));
    }

    #[test]
    fn a_batch_is_counted_as_it_is_read(
        steps in prop::collection::vec((0..3_u8, any::<i16>(), 0..3_u8, any::<i64>()), 0..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut record = vec![2];
        record.extend(50_000_u64.to_be_bytes());
        record.extend(1_000_000_u64.to_be_bytes());
        let mut step = -40_i64;
        for (kind, far, late, wild) in steps {
            step = match kind { 0 | 1 => step + 1, _ => i64::from(far) };
            record.extend(varint(step));
            record.extend(varint(match late { 0 | 1 => 0, _ => wild % 100_000 }));
            record.extend(wild.to_be_bytes());
        }
        prop_assert_eq!(batched(&record), entries(&record));
        record.truncate(1 + cut.index(record.len()));
        prop_assert_eq!(batched(&record), entries(&record));
    }
}

#[test]
fn long_batches_are_counted_as_they_are_read() {
    for base in [1, 200_000] {
        let record = samples(base..base + 30_000, 7);
        assert_eq!(batched(&record), entries(&record));
    }
    // At the ends of what a ref and a step can be.
    for steps in [[-2, -1, 0, 1], [i64::MAX - 1, i64::MAX, i64::MIN, 5], [i64::MIN, -1, -1, 0]] {
        let mut record = vec![2];
        record.extend((1_u64 << 63).to_be_bytes());
        record.extend([0; 8]);
        for step in steps {
            record.extend([varint(step), varint(i64::MAX), vec![0; 8]].concat());
        }
        assert_eq!(batched(&record), entries(&record), "{steps:?}");
    }
}

/// Bytes that would be three more samples of the next refs if the low bits of a ref ran over into the
/// high ones, and are four shorter ones.
#[test]
fn samples_that_look_alike_across_the_bytes_of_a_ref_are_told_apart() {
    let mut record = vec![2];
    record.extend(50_000_u64.to_be_bytes());
    record.extend(1_000_000_u64.to_be_bytes());
    for step in [190, 191] {
        record.extend([varint(step), varint(0), vec![0; 8]].concat());
    }
    record.extend([0, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
    record.extend([0, 2, 3, 0, 0, 0, 0, 0, 0, 0]);
    record.extend([0, 0, 4, 3, 0, 0, 0, 0, 0, 0]);
    record.extend([0; 10]);
    assert_eq!(entries(&record).map(|(counts, _)| counts.samples), Some(6));
    assert_eq!(batched(&record), entries(&record));
}
