//! Records that a fault cuts off: their beginning is kept, and no sample that was never written.

use std::collections::BTreeMap;

use super::writer::{Writer, samples_of, series, text, uvarint, varint};
use crate::walfile::bytes::Cursor;
use crate::walfile::compression::{Compression, Decompressor, cut};
use crate::walfile::contents;
use crate::walfile::fault::FaultKind as K;
use crate::walfile::frame::PAGE;
use crate::walfile::mend::mend;
use crate::walfile::record::{Entry, read};
use crate::walfile::segment::{Depth, survey};

type Samples = BTreeMap<(u64, i64), u64>;

/// The value tells which sample it is.
fn value(reference: u64, time: i64) -> u64 {
    reference.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ time.cast_unsigned().rotate_left(20)
}

fn record(refs: std::ops::Range<u64>, time: i64) -> Vec<u8> {
    samples_of(refs, time, |reference| value(reference, time))
}

/// A log of some pages, of records of about as many samples.
fn log(how: Compression, each: u64) -> Writer {
    let mut log = Writer::default();
    log.record(how, &series(1..each + 1));
    for at in 0.. {
        if log.bytes.len() > 9 * PAGE {
            break;
        }
        // No two begin alike, nor are they as long as each other.
        log.record(how, &record(1 + at..1 + each + at % 7, at.cast_signed() * 15_000));
    }
    log
}

/// The samples of all that can be kept of a log.
fn told(bytes: &[u8]) -> Samples {
    let mut out = Samples::new();
    contents::each(bytes, &mut |content| {
        let Some((2, rest)) = content.bytes.split_first() else { return Ok(()) };
        let mut from = Cursor::new(rest);
        let base = from.be64().expect("a ref");
        let start = from.be64().expect("a time").cast_signed();
        while !from.is_empty() {
            let reference = base.wrapping_add_signed(from.varint().expect("whole"));
            let time = start.wrapping_add(from.varint().expect("whole"));
            out.insert((reference, time), from.be64().expect("whole"));
        }
        Ok(())
    })
    .expect("memory does not fail");
    out
}

/// What is kept of a broken log: of it as it is, and of it mended, the same; all of it true.
#[track_caller]
fn kept(bytes: &[u8]) -> usize {
    let samples = told(bytes);
    let foreign = samples.iter().filter(|((reference, time), v)| value(*reference, *time) != **v);
    assert_eq!(foreign.count(), 0);
    let mut out = Vec::new();
    let counted = mend(bytes, &mut out).expect("memory does not fail");
    assert_eq!(told(&out), samples);
    let found = survey(bytes, Depth::Full);
    assert_eq!((counted, counted.samples), (found.kept.fragment, samples.len() as u64));
    let mended = survey(out.as_slice(), Depth::Full);
    assert_eq!((mended.faults, mended.counts), (vec![], found.counts));
    samples.len()
}

fn kinds(bytes: &[u8]) -> Vec<K> {
    survey(bytes, Depth::Full).faults.iter().map(|fault| fault.kind).collect()
}

#[test]
fn what_stands_before_a_lost_page_is_kept() {
    for (how, each) in [(Compression::None, 500), (Compression::Snappy, 500)] {
        let log = log(how, each);
        let all = kept(&log.bytes);
        let page = 2 * PAGE..3 * PAGE;
        // Whole records in the page, the one that goes on into it, and the one out of it.
        let before = log.starts.iter().filter(|at| **at < page.start).count();
        let cut_off = log.starts[before - 1];
        let broken =
            [log.bytes[..page.start].to_vec(), vec![0; PAGE], log.bytes[page.end..].to_vec()];
        let with = kept(&broken.concat());
        // The same without that beginning.
        let mut without = broken.concat();
        without[cut_off..page.start].fill(0);
        let saved = with - kept(&without);
        let there = (page.start - cut_off - 7) / 11;
        assert!(saved >= there - 2 && saved < 600, "{saved} of {there} of {all}, {how:?}");
    }
}

#[test]
fn a_page_that_stands_twice_loses_nothing() {
    for (how, each) in [(Compression::Snappy, 10), (Compression::Snappy, 700)] {
        let whole = log(how, each).bytes;
        for page in 0..whole.len() / PAGE {
            let (from, to) = (page * PAGE, (page + 1) * PAGE);
            let bytes = [&whole[..to], &whole[from..to], &whole[to..]].concat();
            assert_eq!(kinds(&bytes), [K::RepeatedPage], "{how:?} {page}");
            assert_eq!(kept(&bytes), kept(&whole), "{how:?} {page}");
            // Nor where the flags of one copy are damaged: no other fault is left for a second salvage.
            for (copy, bit) in [(0, 0x20), (1, 0x20), (0, 0x08), (1, 0x08)] {
                let mut bytes = bytes.clone();
                bytes[from + copy * PAGE] ^= bit;
                assert!(kinds(&bytes).contains(&K::RepeatedPage), "{how:?} {page} {copy} {bit}");
                let mut mended = Vec::new();
                mend(&bytes[..], &mut mended).expect("memory takes it");
                assert_eq!(kinds(&mended), [], "{how:?} {page} {copy} {bit}");
            }
        }
    }
    // Of what is not compressed nothing tells whether it belongs together.
    let whole = log(Compression::None, 700).bytes;
    let bytes = [&whole[..2 * PAGE], &whole[PAGE..]].concat();
    assert_eq!(kinds(&bytes), [K::RepeatedPage]);
    assert!(kept(&bytes) + 700 > kept(&whole));
}

#[test]
fn a_page_in_the_place_of_the_next_shows_no_sample_that_was_not_written() {
    for how in [Compression::None, Compression::Snappy, Compression::Zstd] {
        for each in [10, 700, 4000] {
            let whole = log(how, each).bytes;
            for page in 0..whole.len() / PAGE - 1 {
                let (from, to) = (page * PAGE, (page + 1) * PAGE);
                let bytes = [&whole[..to], &whole[from..to], &whole[to + PAGE..]].concat();
                assert_eq!(kinds(&bytes)[0], K::RepeatedPage, "{how:?} {page}");
                kept(&bytes);
            }
        }
    }
}

#[test]
fn a_record_of_any_type_is_cut_behind_an_entry() {
    let histogram = [vec![0], varint(3), vec![0; 8], uvarint(1), uvarint(9), vec![0; 8]].concat();
    let spans = [uvarint(1), varint(0), uvarint(2)].concat();
    let buckets = [uvarint(2), varint(3), varint(-1)].concat();
    let histogram = [histogram, spans.clone(), spans, buckets.clone(), buckets].concat();
    let head = [7_u64.to_be_bytes(), 5000_u64.to_be_bytes()].concat();
    let sample = |start: &[u8]| [varint(1), varint(2), start.to_vec(), vec![1; 8]].concat();
    let of_head = |kind: u8, entry: &[u8]| [vec![kind], head.clone(), entry.repeat(5)].concat();
    let help = [vec![7, 1], uvarint(1), text("HELP"), text("what it is")].concat();
    let label = [vec![1; 8], uvarint(1), text("trace"), text("1f")].concat();
    let records = [
        series(1..6),
        record(1..6, 15_000),
        [vec![3], [vec![0, 0, 0, 0, 0, 0, 0, 1], varint(5), varint(9)].concat().repeat(5)].concat(),
        of_head(4, &[varint(1), varint(2), label].concat()),
        [vec![5], vec![1; 80]].concat(),
        [vec![6], help.repeat(5)].concat(),
        of_head(7, &[varint(1), varint(2), histogram].concat()),
        [vec![11], sample(&varint(4)), sample(&[0]).repeat(2), sample(&[2, 9]).repeat(2)].concat(),
    ];
    let entries = |bytes: &[u8]| {
        let mut all = Vec::new();
        let end = read(bytes, |entry| all.push(format!("{entry:?}")));
        (all, end)
    };
    for record in records {
        let (all, end) = entries(&record);
        assert_eq!((all.len(), end), (5, Ok(())), "{record:?}");
        for length in 1..record.len() {
            let (some, end) = entries(&record[..length]);
            assert_eq!(some, all[..some.len()]);
            let whole = end.map_or_else(|end| end.whole, |()| length);
            assert!(whole <= length);
            if !some.is_empty() {
                assert_eq!(entries(&record[..whole]), (some, Ok(())), "{length} of {record:?}");
            }
        }
    }
}

#[test]
fn a_block_is_cut_anywhere_and_says_the_same() {
    let repeats = [series(1..60), vec![7; 300], record(1..30, 5), b"abc".repeat(70)].concat();
    let block = snap::raw::Encoder::new().compress_vec(&repeats).expect("compresses");
    let mut decompressor = Decompressor::default();
    for there in 1..=block.len() {
        let how = Compression::Snappy;
        let Some(begun) = decompressor.decode_beginning(how, &block[..there]) else { continue };
        let begun = begun.to_vec();
        assert_eq!(begun, repeats[..begun.len()], "{there}");
        assert!(there < 8 || begun.len() + 8 > there.min(repeats.len() / 2) / 2, "{there}");
        for length in [0, begun.len() / 3, begun.len().saturating_sub(1), begun.len()] {
            let made = cut(how, &block[..there], length).expect("it says so much");
            assert!(made.len() <= there + 6, "{} of {there}", made.len());
            let mut other = Decompressor::default();
            assert_eq!(other.decode(how, &made), Some(&begun[..length]), "{length} {there}");
        }
        assert_eq!(cut(how, &block[..there], begun.len() + 1), None);
    }
}

#[test]
fn labels_of_a_cut_off_record_are_whole() {
    let record = series(1..4000);
    for how in [Compression::None, Compression::Snappy] {
        let mut log = Writer::default();
        log.record(how, &record);
        let at = log.bytes.len() - 1;
        log.bytes[at] ^= 1;
        let mut names = 0;
        contents::each(log.bytes.as_slice(), &mut |content| {
            read(content.bytes, |entry| {
                let Entry::Series { reference, labels } = entry else { panic!("{entry:?}") };
                let wanted = reference.to_string();
                assert_eq!(labels.iter().last(), Some((&b"n"[..], wanted.as_bytes())));
                names += 1;
            })
            .expect("whole");
            Ok(())
        })
        .expect("memory does not fail");
        assert!(names > 1000, "{names} {how:?}");
    }
}
