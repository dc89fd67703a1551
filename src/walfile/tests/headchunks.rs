//! Files of chunks, and how they break.

use std::collections::BTreeMap;

use crate::walfile::headchunks::{ChunkFault as F, ChunkFile, HEADER, survey};

/// Ref, first time, last time, encoding, bytes of data.
fn chunk(reference: u64, first: i64, last: i64, encoding: u8, data: usize) -> Vec<u8> {
    let mut out = reference.to_be_bytes().to_vec();
    out.extend(first.to_be_bytes());
    out.extend(last.to_be_bytes());
    out.push(encoding);
    out.extend(super::writer::uvarint(data as u64));
    out.extend([0, 120]);
    out.resize(out.len() + data - 2, 7);
    let sum = crc32c::crc32c(&out);
    out.extend(sum.to_be_bytes());
    out
}

fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
    [HEADER.to_vec(), chunks.concat()].concat()
}

fn look(bytes: &[u8]) -> ChunkFile {
    let found = survey(bytes, &mut BTreeMap::new());
    assert_eq!(found.size, bytes.len() as u64);
    found
}

#[test]
fn each_damage_leaves_what_stands_before_it() {
    let chunks: Vec<Vec<u8>> = (0..5)
        .map(|at| chunk(3 + at % 2, at.cast_signed() * 1000, at.cast_signed() * 1000 + 9, 1, 300))
        .collect();
    let healthy = file(&chunks);
    let size = chunks[0].len();
    let with = |at: usize, byte: u8| {
        let mut bytes = healthy.clone();
        bytes[at] ^= byte;
        bytes
    };
    let late = chunk(3, 2000, 9, 1, 20);
    let third = HEADER.len() + 2 * size;
    let rows: Vec<(&str, Vec<u8>, Option<F>, u64)> = vec![
        ("healthy", healthy.clone(), None, 5),
        ("preallocated", [healthy.clone(), vec![0; 5000]].concat(), None, 5),
        ("a few zeros", [healthy.clone(), vec![0; 20]].concat(), None, 5),
        ("a header only", HEADER.to_vec(), None, 0),
        ("empty", vec![], Some(F::NoHeader), 0),
        ("half a header", HEADER[..5].to_vec(), Some(F::NoHeader), 0),
        ("the magic", with(1, 1), Some(F::Magic), 5),
        ("the version", with(4, 2), Some(F::Version), 5),
        ("data", with(third + 100, 1), Some(F::Checksum), 2),
        ("a ref", with(third + 7, 1), Some(F::Checksum), 2),
        ("a length too large", with(third + 26, 0x7f), Some(F::Torn), 2),
        ("a torn end", healthy[..healthy.len() - 1].to_vec(), Some(F::Torn), 4),
        ("garbage", [healthy.clone(), vec![0xa5; 400]].concat(), Some(F::Length), 5),
        ("a little garbage", [healthy.clone(), vec![0xa5; 20]].concat(), Some(F::Torn), 5),
        ("out of sequence", [healthy.clone(), late].concat(), Some(F::OutOfSequence), 5),
        ("late, and meant so", [healthy.clone(), chunk(3, 0, 9, 0x81, 20)].concat(), None, 6),
    ];
    for (name, bytes, fault, count) in rows {
        let found = look(&bytes);
        assert_eq!((found.fault, found.chunks), (fault, count), "{name}");
        assert_eq!(found.samples, count * 120, "{name}");
        if count == 5 {
            assert_eq!(found.end, healthy.len() as u64, "{name}");
        }
    }
}

#[test]
fn a_file_cut_at_every_length_keeps_its_whole_chunks() {
    let chunks: Vec<Vec<u8>> = (1..9).map(|at| chunk(at, 0, 9, 1, 30)).collect();
    let healthy = file(&chunks);
    for length in HEADER.len()..healthy.len() {
        let found = look(&healthy[..length]);
        assert_eq!(found.chunks, ((length - HEADER.len()) / chunks[0].len()) as u64, "{length}");
    }
}

#[test]
fn sequence_goes_on_from_file_to_file() {
    let mut last = BTreeMap::new();
    assert_eq!(survey(file(&[chunk(1, 0, 500, 1, 9)]).as_slice(), &mut last).fault, None);
    assert_eq!(survey(file(&[chunk(2, 0, 500, 1, 9)]).as_slice(), &mut last).fault, None);
    let found = survey(file(&[chunk(1, 500, 900, 1, 9)]).as_slice(), &mut last);
    assert_eq!(found.fault, Some(F::OutOfSequence));
}

#[test]
fn what_was_never_written_is_told_apart() {
    assert!(look(&[]).unwritten);
    assert!(look(&[0; 100]).unwritten);
    assert!(!look(&[1; 100]).unwritten);
}
