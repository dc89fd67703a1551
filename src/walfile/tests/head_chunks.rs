//! Files of chunks, and how they break.

use crate::walfile::head_chunks::{
    ChunkFault as F, HEADER, HeadChunks, mark_out_of_sequence, mark_with_room, survey,
};

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

fn look(bytes: &[u8]) -> HeadChunks {
    all(&[bytes]).remove(0)
}

fn opened(files: &[&[u8]]) -> impl Fn(usize) -> Option<Box<dyn std::io::Read>> + use<> {
    let files: Vec<Vec<u8>> = files.iter().map(|bytes| bytes.to_vec()).collect();
    move |at: usize| Some(Box::new(std::io::Cursor::new(files.get(at)?.clone())))
}

/// Of files that follow each other.
fn all(files: &[&[u8]]) -> Vec<HeadChunks> {
    let mut found: Vec<HeadChunks> =
        files.iter().map(|bytes| survey(&mut &**bytes, None)).collect();
    let mut each: Vec<_> = found.iter_mut().collect();
    assert_eq!(mark_out_of_sequence(&mut each, None, &opened(files)), Ok(()));
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
        ("empty", vec![], Some(F::Empty), 0),
        ("half a header", HEADER[..5].to_vec(), Some(F::Short), 0),
        ("the magic", with(1, 1), Some(F::Magic), 5),
        ("the version", with(4, 2), Some(F::Version), 5),
        ("data", with(third + 100, 1), Some(F::Checksum), 2),
        ("a ref", with(third + 7, 1), Some(F::Checksum), 2),
        ("a length too large", with(third + 26, 0x7f), Some(F::TornChunk), 2),
        ("a torn end", healthy[..healthy.len() - 1].to_vec(), Some(F::TornChunk), 4),
        ("garbage", [healthy.clone(), vec![0xa5; 400]].concat(), Some(F::TornChunk), 5),
        ("a little garbage", [healthy.clone(), vec![0xa5; 20]].concat(), Some(F::TornHead), 5),
        ("out of sequence", [healthy.clone(), late.clone()].concat(), Some(F::OutOfSequence), 5),
        ("both", [with(1, 1), late.clone(), late].concat(), Some(F::Magic), 5),
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
    let [a, b, c] = [(1, 0, 500), (2, 0, 500), (1, 500, 900)]
        .map(|(reference, first, last)| file(&[chunk(reference, first, last, 1, 9)]));
    let faults: Vec<_> = all(&[&a, &b, &c, &b]).into_iter().map(|file| file.fault).collect();
    assert_eq!(faults, [None, None, Some(F::OutOfSequence), None]);
    let torn = [&b[..], &[7; 20]].concat();
    let faults: Vec<_> = all(&[&a, &torn, &c]).into_iter().map(|file| file.fault).collect();
    assert_eq!(faults, [None, Some(F::TornHead), None], "no further than the first fault");
}

/// Where there is not room for all series at once, too.
#[test]
fn a_chunk_that_begins_before_another_of_its_series_ends_is_found() {
    let whole = |late: &[(u64, u64)]| {
        let mut out = HEADER.to_vec();
        let mut at = Vec::new();
        for round in 0..20 {
            for reference in 1..=300 {
                let is_late = late.contains(&(round, reference));
                let time = (10 * (round - u64::from(is_late))).cast_signed();
                at.extend(is_late.then_some(out.len() as u64));
                out.extend(chunk(reference, time, time + 9, 1, 9));
            }
        }
        (out, at)
    };
    for late in [&[][..], &[(19, 299)], &[(10, 7), (11, 1), (9, 201), (15, 1)]] {
        let (bytes, at) = whole(late);
        for most_places in [2, 16, 256, 1 << 20] {
            let mut found = survey(&mut &bytes[..], None);
            let open = opened(&[&bytes]);
            assert_eq!(mark_with_room(&mut [&mut found], None, most_places, &open), Ok(()));
            let first = at.iter().min();
            assert_eq!(found.fault, first.map(|_| F::OutOfSequence), "{most_places}");
            assert_eq!(found.end, first.copied().unwrap_or(bytes.len() as u64));
            assert_eq!(found.chunks, (found.end - 8) / 39);
        }
    }
}

/// As tsdb/head.go `loadMmappedChunks` passes over them before it asks for their sequence.
#[test]
fn chunks_that_prometheus_does_not_take_are_in_no_sequence() {
    let twice =
        |encoding: u8| file(&[chunk(1, 0, 500, encoding, 9), chunk(1, 400, 900, encoding, 9)]);
    let marked = |bytes: &[u8], valid: Option<i64>| {
        let mut found = survey(&mut &bytes[..], None);
        let open = opened(&[bytes]);
        assert_eq!(mark_out_of_sequence(&mut [&mut found], valid, &open), Ok(()));
        found.fault.is_some()
    };
    assert!([1, 2, 3].iter().all(|encoding| marked(&twice(*encoding), None)));
    assert!(![0, 4, 0x81].iter().any(|encoding| marked(&twice(*encoding), None)));
    let begins = [None, Some(500), Some(501), Some(901)].map(|valid| marked(&twice(1), valid));
    assert_eq!(begins, [true, true, false, false]);
}

#[test]
fn what_was_never_written_is_told_apart() {
    let left_behind = |bytes: &[u8]| look(bytes).fault.is_some_and(F::is_left_behind);
    assert!(left_behind(&[]));
    assert!(left_behind(&[0; 100]));
    assert!(!left_behind(&[1; 100]));
}

/// As tsdb/head.go `loadMmappedChunks` passes over them.
#[test]
fn a_start_takes_up_what_ends_behind_the_blocks_and_what_came_late() {
    let bytes =
        file(&[chunk(3, 0, 900, 1, 20), chunk(9, 0, 400, 0x81, 20), chunk(12, 0, 700, 1, 20)]);
    let taken = |valid| survey(&mut &bytes[..], valid).highest_taken;
    assert_eq!(taken(None), Some(12));
    assert_eq!(taken(Some(700)), Some(12));
    assert_eq!(taken(Some(701)), Some(9));
    assert_eq!(survey(&mut &file(&[chunk(3, 0, 900, 1, 20)])[..], Some(901)).highest_taken, None);
}
