//! Files beside the log: chunks of the head, and the heads of a block's files.

use super::writer::uvarint;
use crate::walfile::block::{self, BlockFault};
use crate::walfile::count::{RefRange, Span};
use crate::walfile::head_chunks::{ChunkFault, HeadChunks, survey};

fn chunk(reference: u64, first: i64, last: i64, encoding: u8, data: &[u8]) -> Vec<u8> {
    let mut out = reference.to_be_bytes().to_vec();
    out.extend(first.to_be_bytes());
    out.extend(last.to_be_bytes());
    out.push(encoding);
    out.extend(uvarint(data.len() as u64));
    out.extend(data);
    out.extend(crc32c::crc32c(&out).to_be_bytes());
    out
}

/// Three chunks, one of them longer than what is read at once, and room to grow.
fn healthy() -> (Vec<u8>, [usize; 4]) {
    let mut out = vec![0x01, 0x30, 0xbc, 0x91, 1, 0, 0, 0];
    let mut starts = [0; 4];
    let long: Vec<u8> = [0, 7].into_iter().chain((0..=250).cycle().take(200_000)).collect();
    let data: [(u64, u8, &[u8]); 3] =
        [(9, 1, &[0, 120, 1, 2, 3]), (4, 0x81, &long), (70_000, 2, &[1, 0, 9, 9, 9, 9, 9])];
    for (at, (reference, encoding, data)) in data.into_iter().enumerate() {
        starts[at] = out.len();
        let time = i64::try_from(at).unwrap() * 1000;
        out.extend(chunk(reference, time, time + 500, encoding, data));
    }
    starts[3] = out.len();
    out.resize(out.len() + 5000, 0);
    (out, starts)
}

#[test]
fn chunks_are_counted_to_the_zeros_behind_them() {
    let (bytes, starts) = healthy();
    let whole = HeadChunks {
        chunks: 3,
        samples: 120 + 7 + 256,
        out_of_order: 1,
        span: Some(Span { first: 0, last: 2500 }),
        refs: Some(RefRange { first: 4, last: 70_000 }),
        highest_taken: Some(70_000),
        fault: None,
        offset: starts[3] as u64,
        end: starts[3] as u64,
    };
    assert_eq!(survey(&mut bytes.as_slice(), None), whole);
    assert_eq!(survey(&mut &bytes[..starts[3]], None), whole);
    assert_eq!(survey(&mut &bytes[..starts[3] + 33], None), whole, "too few zeros for a chunk");
}

#[test]
fn a_broken_file_of_chunks_is_told_by_its_first_fault() {
    let (whole, [first, second, third, end]) = healthy();
    let set = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    let cases = [
        ("nothing", Vec::new(), Some(ChunkFault::Empty), 0, 0),
        ("three bytes", whole[..3].to_vec(), Some(ChunkFault::Empty), 0, 0),
        ("half a header", whole[..6].to_vec(), Some(ChunkFault::Short), 0, 0),
        ("only zeros", vec![0; 4096], Some(ChunkFault::Unwritten), 0, 0),
        ("another magic number", set(0, 7), Some(ChunkFault::Magic), 3, 0),
        ("another version", set(4, 2), Some(ChunkFault::Version), 3, 0),
        ("only a header", whole[..8].to_vec(), None, 0, first),
        ("a flipped byte", set(second + 1000, 0xff), Some(ChunkFault::Checksum), 1, second),
        ("a flipped checksum", set(end - 1, 0xff), Some(ChunkFault::Checksum), 2, third),
        (
            "cut in the data",
            whole[..second + 70_000].to_vec(),
            Some(ChunkFault::TornChunk),
            1,
            second,
        ),
        ("cut in the head", whole[..second + 20].to_vec(), Some(ChunkFault::TornHead), 1, second),
        (
            "cut in the checksum",
            whole[..third - 2].to_vec(),
            Some(ChunkFault::TornChunk),
            1,
            second,
        ),
        ("a length past the end", set(first + 25, 0x7f), Some(ChunkFault::Checksum), 0, first),
    ];
    for (what, bytes, fault, chunks, offset) in cases {
        let found = survey(&mut bytes.as_slice(), None);
        assert_eq!(
            (found.fault, found.chunks, found.offset),
            (fault, chunks, offset as u64),
            "{what}"
        );
    }
}

#[test]
fn no_flip_of_a_bit_in_chunks_goes_unseen() {
    let mut bytes = vec![0x01, 0x30, 0xbc, 0x91, 1, 0, 0, 0];
    for reference in 1..5 {
        bytes.extend(chunk(reference, 1, 2, 1, &[0, 2, 5, 5, 5, 5, 5, 5, 5, 5, 5]));
    }
    for bit in (0..bytes.len() * 8).filter(|bit| !(40..64).contains(bit)) {
        let mut broken = bytes.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        assert!(survey(&mut broken.as_slice(), None).fault.is_some(), "bit {bit}");
    }
}

fn index() -> Vec<u8> {
    let mut out = vec![0xba, 0xaa, 0xd7, 0x00, 2];
    out.resize(300, 1);
    let offsets: Vec<u8> =
        [5_u64, 50, 0, 100, 200, 250].iter().flat_map(|o| o.to_be_bytes()).collect();
    out.extend(&offsets);
    out.extend(crc32c::crc32c(&offsets).to_be_bytes());
    out
}

#[test]
fn the_heads_of_a_block_are_checked_as_prometheus_does() {
    let whole = index();
    let check = |bytes: &[u8]| {
        let head = &bytes[..bytes.len().min(block::INDEX_HEAD)];
        let toc = &bytes[bytes.len().saturating_sub(block::TOC)..];
        block::index(head, toc, bytes.len() as u64)
    };
    let set = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(check(&whole), Ok(()));
    let cases = [
        ("nothing", Vec::new(), BlockFault::Empty),
        ("three bytes", whole[..3].to_vec(), BlockFault::Short),
        ("only a head", whole[..5].to_vec(), BlockFault::Short),
        ("another magic number", set(1, 0), BlockFault::Magic),
        ("version 4", set(4, 4), BlockFault::Version),
        ("cut", whole[..whole.len() - 1].to_vec(), BlockFault::Checksum),
        ("a flipped offset", set(301, 9), BlockFault::Checksum),
    ];
    for (what, bytes, fault) in cases {
        assert_eq!(check(&bytes), Err(fault), "{what}");
    }
    let toc = &whole[whole.len() - block::TOC..];
    assert_eq!(block::index(&whole[..5], toc, 240), Err(BlockFault::Range));

    assert_eq!(block::chunks(&[0x85, 0xbd, 0x40, 0xdd, 1, 0, 0, 0]), Ok(()));
    assert_eq!(block::chunks(&[0x85, 0xbd, 0x40, 0xdd, 2, 0, 0, 0]), Err(BlockFault::Version));
    assert_eq!(block::chunks(&[0x85, 0xbd, 0x40, 0xde, 1, 0, 0, 0]), Err(BlockFault::Magic));
    assert_eq!(block::chunks(&[0x85, 0xbd, 0x40, 0xdd, 1]), Err(BlockFault::Short));
}

#[test]
fn tombstones_are_checked_by_their_sum() {
    let stones = [0, 0, 0, 9, 2, 4];
    let whole =
        [&[0x01, 0x30, 0xba, 0x30, 1][..], &stones[..], &crc32c::crc32c(&stones).to_be_bytes()[..]]
            .concat();
    assert_eq!(block::tombstones(whole.as_slice()), Ok(()));
    let mut broken = whole.clone();
    broken[7] = 1;
    assert_eq!(block::tombstones(broken.as_slice()), Err(BlockFault::Checksum));
    assert_eq!(block::tombstones(&whole[..6]), Err(BlockFault::Short));
    assert_eq!(block::tombstones(&[0; 20][..]), Err(BlockFault::Magic));
}
