use super::writer::{Writer, samples, series, text, uvarint, varint};
use crate::walfile::compression::{Compression, peek};
use crate::walfile::count::{OfType, RefRange, Span};
use crate::walfile::mend::Traces;
use crate::walfile::record::{Entry, RecordType, Undecodable, read};
use crate::walfile::refs::Refs;
use crate::walfile::segment::{Depth, survey};

fn told(record: &[u8]) -> Result<Vec<Entry<'_>>, Undecodable> {
    let mut out = Vec::new();
    read(record, |entry| out.push(entry)).map(|()| out)
}

#[test]
fn every_way_to_compress_is_read_the_same() {
    for how in [Compression::None, Compression::Snappy, Compression::Zstd] {
        let mut log = Writer::default();
        log.record(how, &series(1..4001));
        log.record(how, &[]);
        for time in 0..50 {
            log.record(how, &samples(1..4001, time * 15_000));
        }
        let found = survey(log.bytes.as_slice(), Depth::Full);
        assert_eq!((found.size, &found.faults), (log.bytes.len() as u64, &Vec::new()), "{how:?}");
        assert_eq!(found.counts.records, 52);
        assert_eq!(found.counts.entries.series, 4000);
        assert_eq!(found.counts.entries.samples, 200_000);
        assert_eq!(found.counts.entries.span, Some(Span { first: 0, last: 735_000 }));
        assert_eq!(found.counts.entries.refs, Some(RefRange { first: 1, last: 4000 }));
        let of = |kind| found.counts.by_type.get(&kind).copied().unwrap_or_default();
        assert_eq!(of(RecordType::Samples), OfType { records: 50, entries: 200_000 });
        assert_eq!(of(RecordType::Unknown), OfType { records: 1, entries: 0 });
        assert_eq!(found.kept.prometheus, found.kept.fragment);
        assert_eq!(found.refs.len(), 4000);

        let quick = survey(log.bytes.as_slice(), Depth::Quick);
        let records = |s: &crate::walfile::segment::Segment| -> Vec<(RecordType, u64)> {
            s.counts.by_type.iter().map(|(kind, of)| (*kind, of.records)).collect()
        };
        assert_eq!(records(&quick), records(&found), "{how:?}");
        assert_eq!(quick.counts.entries.samples, 0, "not decoded");
    }
}

#[test]
fn the_type_is_told_from_the_first_literal_of_a_snappy_block() {
    for length in [1, 2, 59, 60, 61, 62, 255, 256, 257, 70_000] {
        // Not to be compressed: one literal of that length.
        let mut noise: Vec<u8> =
            (0..length).map(|n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
        noise[0] = 7;
        let block = snap::raw::Encoder::new().compress_vec(&noise).expect("compresses");
        assert_eq!(peek(Compression::Snappy, &block), Some(7), "{length}");
    }
    // A length, and then nothing.
    assert_eq!(peek(Compression::Snappy, &[0x80]), None);
    assert_eq!(peek(Compression::Snappy, &[3]), None);
    // A copy where nothing is yet to copy.
    assert_eq!(peek(Compression::Snappy, &[3, 0x01, 0]), None);
}

#[test]
fn a_size_that_no_snappy_block_can_have_is_not_allocated() {
    let mut log = Writer::default();
    // Claims 4 GiB.
    let block = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1];
    log.bytes.extend(super::writer::fragment(1 | 0x08, &block));
    let found = survey(log.bytes.as_slice(), Depth::Full);
    let kinds: Vec<_> = found.faults.iter().map(|fault| fault.kind).collect();
    assert_eq!(kinds, [crate::walfile::fault::FaultKind::Compression]);
}

#[test]
fn entries_of_the_second_form_are_differences_from_the_one_before() {
    let entry = |reference: i64, time: i64, start: &[u8]| {
        [varint(reference), varint(time), start.to_vec(), 1.5_f64.to_be_bytes().to_vec()].concat()
    };
    let record = [
        vec![11],
        entry(100, 5000, &varint(4000)),
        entry(-3, 10, &[0]),
        entry(5, 20, &[1]),
        entry(1, 30, &[vec![2], varint(-7)].concat()),
    ]
    .concat();
    let wanted = [(100, 5000), (97, 5010), (102, 5020), (103, 5030)]
        .map(|(reference, time)| Entry::Sample { reference, time });
    assert_eq!(told(&record), Ok(wanted.to_vec()));
    assert!(told(&record[..record.len() - 1]).is_err());
    assert_eq!(told(&[11]), Ok(vec![]));
}

#[test]
fn labels_are_given_in_order() {
    let record = series(7..8);
    let entries = told(&record).expect("whole");
    let [Entry::Series { reference: 7, labels }] = entries[..] else { panic!("{entries:?}") };
    let pairs: Vec<(&[u8], &[u8])> = labels.iter().collect();
    assert_eq!(pairs, [(&b"__name__"[..], &b"up"[..]), (b"n", b"7")]);
}

#[test]
fn histograms_are_passed_over_to_their_last_byte() {
    let spans = [uvarint(1), varint(0), uvarint(2)].concat();
    let body = |schema: i64, custom: &[u8]| {
        let buckets = [uvarint(2), varint(3), varint(-1)].concat();
        let head = [vec![0], varint(schema), vec![0; 8], uvarint(1), uvarint(9), vec![0; 8]];
        [head.concat(), spans.clone(), spans.clone(), buckets.clone(), buckets, custom.to_vec()]
            .concat()
    };
    let two_bounds = [uvarint(2), vec![0; 16]].concat();
    let head = [100_u64.to_be_bytes().to_vec(), 5000_i64.to_be_bytes().to_vec()].concat();
    let sample = |body: &[u8]| [varint(1), varint(2), body.to_vec()].concat();
    let record = [
        vec![7],
        head,
        sample(&body(3, &[])),
        // A schema that no release knows is passed over with a warning.
        sample(&body(99, &[])),
        sample(&body(-53, &two_bounds)),
    ]
    .concat();
    let one = Entry::Sample { reference: 101, time: 5002 };
    assert_eq!(told(&record), Ok(vec![one, one]));
    assert!(told(&record[..record.len() - 1]).is_err());
}

#[test]
fn a_count_that_claims_more_than_there_is_ends_with_the_bytes() {
    let record = [vec![6], uvarint(1), vec![1], uvarint(u64::MAX), text("HELP")].concat();
    assert_eq!(told(&record), Err(Undecodable { whole: 1 }));
}

#[test]
fn samples_without_a_series_are_counted() {
    let mut log = Writer::default();
    log.record(Compression::Snappy, &series(1..11));
    log.record(Compression::Snappy, &samples(1..21, 1000));
    let known = survey(log.bytes.as_slice(), Depth::Full).refs;
    let mut found = Traces::default();
    found.read(log.bytes.as_slice(), &known).expect("memory");
    assert_eq!((found.orphans, found.orphan_refs.len()), (10, 10));
    assert_eq!(found.orphan_refs.iter().collect::<Vec<u64>>(), (11..21).collect::<Vec<u64>>());
}

#[test]
fn refs_near_and_far_are_a_set() {
    let mut refs = Refs::default();
    let all = (0..200_000_u64).map(|n| n * 3).chain([u64::MAX, u64::MAX - 70_000]);
    for reference in all.clone() {
        assert!(refs.insert(reference), "{reference}");
        assert!(!refs.insert(reference), "{reference}");
    }
    assert_eq!(refs.len(), 200_002);
    assert!(refs.contains(u64::MAX) && !refs.contains(4) && !refs.contains(1 << 40));
    let mut wanted: Vec<u64> = all.collect();
    wanted.sort_unstable();
    assert_eq!(refs.iter().collect::<Vec<u64>>(), wanted);
    let mut other = Refs::default();
    other.insert(4);
    other.extend(&refs);
    assert_eq!(other.len(), 200_003);
    assert_eq!((other.lacking_in(&refs), refs.lacking_in(&other)), (1, 0));
}
