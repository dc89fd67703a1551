//! A log written anew: clean, in order, and with all that could be read.

use proptest::prelude::*;

use super::writer::{Writer, samples, series};
use crate::walfile::compression::{Compression, Decompressor};
use crate::walfile::count::Kept;
use crate::walfile::frame::{Frames, Item, PAGE};
use crate::walfile::mend::{GUARD, Traces, guard, mend};
use crate::walfile::record::{Entry, read};
use crate::walfile::refs::Refs;
use crate::walfile::segment::{Depth, survey};

fn mended(bytes: &[u8]) -> (Vec<u8>, Kept) {
    let mut out = Vec::new();
    let kept = mend(bytes, &mut out).expect("memory does not fail");
    (out, kept)
}

/// Each record that stands in the log, or begins there, with how it is compressed: as it stands
/// there, and what it says as far as it can be read.
fn records(bytes: &[u8]) -> Vec<(Compression, Vec<u8>, Vec<u8>)> {
    let mut frames = Frames::new(bytes);
    let mut decompressor = Decompressor::default();
    let mut all = Vec::new();
    while let Some(item) = frames.advance() {
        if let Item::Record(frame) | Item::Beginning(frame) = item {
            let how = frame.compression;
            let says = match decompressor.decode(how, frame.bytes) {
                Some(whole) => whole.to_vec(),
                None => {
                    decompressor.decode_beginning(how, frame.bytes).unwrap_or_default().to_vec()
                }
            };
            all.push((how, frame.bytes.to_vec(), says));
        }
    }
    all
}

fn how(at: usize) -> Compression {
    [Compression::None, Compression::Snappy, Compression::Zstd][at % 3]
}

/// A log of records of these sizes.
fn log(sizes: &[u16]) -> Writer {
    let mut log = Writer::default();
    for (at, size) in sizes.iter().enumerate() {
        let size = u64::from(*size);
        log.record(
            how(at),
            &if at % 7 == 0 {
                series(1..size / 20 + 2)
            } else {
                samples(1..size + 2, i64::try_from(at).expect("few") * 15_000)
            },
        );
    }
    log
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(usize, u8),
    Zero(usize, usize),
    Cut(usize),
    Repeat(usize, usize),
    Insert(usize, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = || any::<prop::sample::Index>().prop_map(|at| at.index(1 << 17));
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), 0..2 * PAGE).prop_map(|(at, count)| Damage::Zero(at, count)),
        at().prop_map(Damage::Cut),
        (at(), 0..PAGE + 1).prop_map(|(at, count)| Damage::Repeat(at, count)),
        (at(), prop::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(at, b)| Damage::Insert(at, b)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match damage {
        Damage::Flip(at, bit) => bytes[at % length] ^= 1 << bit,
        Damage::Zero(at, count) => {
            let from = at % length;
            bytes[from..(from + count).min(length)].fill(0);
        }
        Damage::Cut(at) => bytes.truncate(at % length),
        Damage::Repeat(at, count) => {
            let from = at % length;
            let part = bytes[from..(from + count).min(length)].to_vec();
            bytes.splice(from..from, part);
        }
        Damage::Insert(at, more) => {
            let from = at % length;
            bytes.splice(from..from, more.clone());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_left_is_clean_and_all_that_could_be_read(
        sizes in prop::collection::vec(0..2000_u16, 1..20),
        damages in prop::collection::vec(damage(), 0..6),
    ) {
        let mut bytes = log(&sizes).bytes;
        for damage in &damages {
            apply(&mut bytes, damage);
        }
        let before = survey(bytes.as_slice(), Depth::Full);
        let (out, kept) = mended(&bytes);
        let after = survey(out.as_slice(), Depth::Full);
        prop_assert_eq!(after.faults, vec![]);
        prop_assert_eq!(kept, before.kept.fragment);
        prop_assert_eq!(&after.counts, &before.counts);
        // Those that are left stand in the order in which they stood, byte for byte, or say what one
        // that was cut off begins with.
        let mut all = records(&bytes).into_iter();
        for (how, record, says) in records(&out) {
            let is_kept = all.any(|(other, stood, said)| {
                // How a record is compressed may be told wrongly, where it stood.
                record == stood || (how == other && says.len() > 1 && said.starts_with(&says))
            });
            prop_assert!(is_kept);
        }
        // What is mended is not mended again.
        prop_assert_eq!(&mended(&out).0, &out);
        prop_assert!(out_fits(&bytes, out.len() as u64));
    }
}

/// Pages may be cut elsewhere: a header more for each, at most.
fn out_fits(bytes: &[u8], length: u64) -> bool {
    length <= bytes.len() as u64 + 7 * (bytes.len() / PAGE + 1) as u64
}

#[test]
fn a_healthy_log_is_written_anew_as_it_was() {
    for sizes in [vec![100; 30], vec![3000; 60], vec![0, 1, 2], vec![]] {
        let bytes = log(&sizes).bytes;
        assert_eq!(mended(&bytes).0, bytes, "{sizes:?}");
    }
}

#[test]
fn a_disk_that_fails_is_not_taken_for_a_log_that_ends() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("EIO"))
        }
    }
    let mut out = Vec::new();
    let error = mend(Failing, &mut out).expect_err("it fails");
    assert_eq!(error.to_string(), "cannot be read at 0");
}

#[test]
fn a_guard_is_one_series_of_that_ref() {
    let mut out = Vec::new();
    guard(77, &mut out).expect("to memory");
    let all = records(&out);
    let [(Compression::None, record, _)] = all.as_slice() else { panic!("{all:?}") };
    let mut told = Vec::new();
    read(record, |entry| {
        if let Entry::Series { reference, labels } = entry {
            let labels: Vec<_> = labels.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
            told.push((reference, labels));
        }
    })
    .expect("it can be decoded");
    assert_eq!(told, [(77, vec![(b"__name__".to_vec(), GUARD.as_bytes().to_vec())])]);
}

#[test]
fn samples_without_their_series_are_counted_by_ref() {
    let mut log = Writer::default();
    log.record(Compression::None, &series(1..3));
    log.record(Compression::Snappy, &samples(1..6, 0));
    log.record(Compression::None, &samples(4..9, 15_000));
    let mut known = Refs::default();
    for reference in [1, 2] {
        known.insert(reference);
    }
    let mut traces = Traces::default();
    traces.read(log.bytes.as_slice(), &known).expect("memory");
    traces.see(7);
    let named: Vec<(u64, u64)> = traces.named.into_iter().collect();
    assert_eq!(named, [(3, 1), (4, 2), (5, 2), (6, 1), (7, 1), (8, 1)]);
    assert_eq!((traces.orphans, traces.orphan_refs.len(), traces.highest), (8, 6, 8));
}

/// The flags of a fragment are the one thing in it that no checksum covers.
#[test]
fn a_record_of_wrong_flags_is_read_as_what_it_is() {
    let flags = |how| match how {
        Compression::None => 0x00,
        Compression::Snappy => 0x08,
        Compression::Zstd => 0x10,
    };
    for at in 0..3 {
        let mut log = Writer::default();
        for time in 0..3 {
            log.record(how(at), &samples(1..900, time * 15_000));
        }
        let middle = log.starts[1];
        for wrong in [0x00, 0x08, 0x10, 0x18] {
            let mut bytes = log.bytes.clone();
            bytes[middle] = 1 | wrong;
            let found = survey(bytes.as_slice(), Depth::Full);
            let is_meant = Compression::of(wrong) == how(at);
            let faults: Vec<u64> = found.faults.iter().map(|fault| fault.offset).collect();
            let told = if is_meant { vec![] } else { vec![middle as u64] };
            assert_eq!(faults, told, "{:?} {wrong:x}", how(at));
            assert_eq!(found.counts.entries.samples, 3 * 899, "{:?} {wrong:x}", how(at));
            assert_eq!(found.kept.prometheus.records, if is_meant { 3 } else { 1 });
            let (out, kept) = mended(&bytes);
            assert_eq!(kept.samples, 3 * 899);
            assert_eq!(out[middle], 1 | flags(how(at)), "it is written as it is");
        }
    }
}
