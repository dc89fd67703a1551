//! What each kind of damage costs: a table of how a log is broken, where the fault is told, and how
//! many of its records live by each way to go on.

use super::writer::{Writer, fragment, samples, series};
use crate::walfile::compression::Compression;
use crate::walfile::fault::{Costs, FaultKind as K};
use crate::walfile::frame::PAGE;
use crate::walfile::record::RecordType;
use crate::walfile::segment::{Depth, Segment, as_prometheus, is_in_doubt, survey};

/// Some 300 kB: 41 records, most within a page, some over the end of one, two over several.
fn log() -> Writer {
    let mut log = Writer::default();
    log.record(Compression::None, &series(1..1001));
    for time in 0..38 {
        log.record(Compression::None, &samples(1..501, time * 15_000));
    }
    log.record(Compression::None, &samples(1..8001, 600_000));
    log.record(Compression::None, &samples(1..101, 615_000));
    log
}

fn full(bytes: &[u8]) -> Segment {
    survey(bytes, Depth::Full)
}

struct Row {
    name: &'static str,
    bytes: Vec<u8>,
    /// Each fault with its offset.
    faults: Vec<(K, usize)>,
    /// Records kept by Prometheus, page by page, fragment by fragment.
    kept: [u64; 3],
}

/// What is broken within one record, and what of the log lives.
fn within(whole: &Writer) -> Vec<Row> {
    let (starts, healthy) = (&whole.starts, &whole.bytes);
    // A record that lies within its page, with some before and behind it there.
    let tenth = starts[10];
    assert!(tenth % PAGE > 100 && tenth / PAGE == (starts[11] + 100) / PAGE);
    let behind = starts.iter().filter(|s| **s > tenth && **s / PAGE == tenth / PAGE).count();
    let rest_of_page = u64::try_from(behind).expect("few");
    let broken = [
        ("a byte of data", 50, healthy[tenth + 50] ^ 0x10, K::Checksum),
        ("a byte of the checksum", 4, healthy[tenth + 4] ^ 0x10, K::Checksum),
        ("a byte of the length", 1, healthy[tenth + 1] ^ 0x10, K::Checksum),
        ("a length that no page holds", 1, 0xff, K::InvalidSize),
        ("the type made zero", 0, 0, K::NonZeroPadding),
        ("a type that does not exist", 0, 5, K::UnexpectedType),
    ];
    let row = |(name, at, byte, kind)| {
        let mut bytes = healthy.clone();
        bytes[tenth + at] = byte;
        Row { name, bytes, faults: vec![(kind, tenth)], kept: [10, 40 - rest_of_page, 40] }
    };
    broken.into_iter().map(row).collect()
}

fn beyond(whole: &Writer) -> Vec<Row> {
    let (starts, healthy) = (&whole.starts, &whole.bytes);
    let count = |holds: &dyn Fn(usize) -> bool| {
        u64::try_from(starts.iter().filter(|s| holds(**s)).count()).expect("few")
    };
    let last = starts[40];
    let mut zeroed = healthy.clone();
    zeroed[2 * PAGE..3 * PAGE].fill(0);
    let before = count(&|s| s < 2 * PAGE) - 1;
    let after = 40 - count(&|s| s / PAGE == 2);
    let row = |name, bytes: &[u8], faults, kept| Row { name, bytes: bytes.to_vec(), faults, kept };
    let garbage = [healthy.clone(), vec![0xa5; 3000]].concat();
    vec![
        row("healthy", healthy, vec![], [41; 3]),
        row("empty", &[], vec![], [0; 3]),
        row("a torn end", &healthy[..last + 30], vec![(K::Checksum, last)], [40; 3]),
        row("a header cut short", &healthy[..last + 3], vec![(K::Checksum, last)], [40; 3]),
        row("garbage at the end", &garbage, vec![(K::InvalidSize, healthy.len())], [41; 3]),
        // Of the record that goes on into the page the beginning is left; one goes on behind it.
        row(
            "a page of zeros",
            &zeroed,
            vec![(K::MissingFragment, 2 * PAGE)],
            [before, after, after + 1],
        ),
    ]
}

#[test]
fn each_damage_costs_what_the_table_says() {
    let whole = log();
    for row in within(&whole).into_iter().chain(beyond(&whole)) {
        let found = full(&row.bytes);
        let faults: Vec<(K, usize)> = found
            .faults
            .iter()
            .map(|f| (f.kind, usize::try_from(f.offset).expect("small")))
            .collect();
        assert_eq!(faults, row.faults, "{}: faults", row.name);
        let kept = found.kept;
        let kept = [kept.prometheus.records, kept.page.records, kept.fragment.records];
        assert_eq!(kept, row.kept, "{}: kept", row.name);
        assert_eq!(found.size, row.bytes.len() as u64, "{}", row.name);
    }
}

#[test]
fn each_of_several_faults_tells_what_it_costs() {
    let Writer { starts, mut bytes, .. } = log();
    let mut rest_of_page = |at: usize, change: u8| {
        bytes[starts[at] + 50] ^= change;
        let behind = |s: &&usize| **s > starts[at] && **s / PAGE == starts[at] / PAGE;
        starts.iter().filter(behind).count()
    };
    let passed_over = [rest_of_page(10, 0x10), rest_of_page(20, 0x11)];
    let found = full(&bytes);
    let told = |costs: &dyn Fn(&Costs) -> u64| -> Vec<u64> {
        found.faults.iter().map(|fault| costs(&fault.costs.expect("counted"))).collect()
    };
    assert_eq!(told(&|costs| costs.page.records), passed_over.map(|count| count as u64));
    assert_eq!(told(&|costs| costs.page.samples), passed_over.map(|count| 500 * count as u64));
    assert_eq!(told(&|costs| costs.prometheus.records), [29, 20]);
    assert_eq!(told(&|costs| costs.prometheus.samples), [27 * 500 + 8100, 18 * 500 + 8100]);
}

#[test]
fn a_log_cut_at_every_length_loses_its_last_record_only() {
    let mut log = Writer::default();
    for time in 0..8 {
        log.record(Compression::Snappy, &samples(1..150, time * 15_000));
    }
    let ends: Vec<usize> = log.starts.iter().skip(1).copied().chain([log.bytes.len()]).collect();
    for length in 0..=log.bytes.len() {
        let found = full(&log.bytes[..length]);
        // Zeros that were cut off are read all the same.
        let is_whole = |end: &&usize| log.bytes[length.min(**end)..**end].iter().all(|b| *b == 0);
        let whole = ends.iter().filter(is_whole).count() as u64;
        // A type byte alone, with the zeros behind the end of the file, is an empty record: to
        // Prometheus, too, since the checksum of nothing is zero.
        let empty = found.counts.by_type.get(&RecordType::Unknown).map_or(0, |of| of.records);
        assert_eq!(found.kept.fragment.records - empty, whole, "{length}");
        assert!(found.fault_count <= 1, "{length}: {:?}", found.faults);
    }
}

#[test]
fn the_rest_of_a_lost_record_is_no_second_fault() {
    let mut bytes = fragment(2, &[9; 100]);
    bytes.extend(fragment(3, &[9; 100]));
    bytes.extend(fragment(4, &[9; 100]));
    bytes.extend(fragment(1, &series(1..2)));
    bytes[20] ^= 1;
    let found = full(&bytes);
    assert_eq!(found.fault_count, 1, "{:?}", found.faults);
    assert_eq!(found.kept.fragment.records, 1);
}

#[test]
fn a_record_that_begins_inside_another_is_kept() {
    let mut bytes = fragment(2, &[77; 100]);
    bytes.extend(fragment(1, &series(1..2)));
    bytes.extend(fragment(2, &[1]));
    let found = full(&bytes);
    let faults: Vec<(K, u64)> = found.faults.iter().map(|f| (f.kind, f.offset)).collect();
    let second = 107 + 7 + series(1..2).len() as u64;
    assert_eq!(faults, [(K::UnexpectedFull, 0), (K::TornRecord, second)]);
    assert_eq!(found.kept.fragment.records, 1);
    assert_eq!(found.kept.prometheus.records, 0);
}

/// In the words of tsdb/wlog/reader.go: an unexpected first, middle, last fragment; one that its page
/// does not hold.
#[test]
fn a_fragment_where_none_of_its_type_is_due_is_told() {
    let whole = fragment(1, &series(1..2));
    let part = |kind: u8| fragment(kind, &[9; 100]);
    // The file ends with a page, within the fragment that begins 50 bytes before.
    let filled = fragment(1, &vec![77; PAGE - 50 - 7 - whole.len()]);
    let torn = (K::TornFragment, PAGE - 50);
    let rows = [
        ([part(2), part(2), part(4), whole.clone()].concat(), (K::UnexpectedFirst, 0)),
        ([whole.clone(), part(3), whole.clone()].concat(), (K::UnexpectedMiddle, whole.len())),
        ([whole.clone(), part(4), whole.clone()].concat(), (K::UnexpectedLast, whole.len())),
        ([&whole[..], &filled, &part(1)[..50]].concat(), torn),
    ];
    for (bytes, (kind, offset)) in rows {
        let found = full(&bytes);
        let faults: Vec<(K, u64)> = found.faults.iter().map(|f| (f.kind, f.offset)).collect();
        assert!(faults.contains(&(kind, offset as u64)), "{kind:?}: {faults:?}");
        assert!(found.stops.is_some(), "{kind:?}: Prometheus stops at it, too");
        // What is whole behind it is kept.
        assert_eq!(
            found.counts.by_type[&RecordType::Series].records,
            match kind {
                K::UnexpectedFirst | K::TornFragment => 1,
                _ => 2,
            }
        );
    }
}

#[test]
fn a_record_that_cannot_be_decoded_costs_itself() {
    let mut bytes = fragment(1, &series(1..2));
    let broken = fragment(1, &[2, 0, 0]);
    bytes.extend(&broken);
    bytes.extend(fragment(1 | 0x08, &[9, 9, 9]));
    bytes.extend(fragment(1, &samples(1..2, 5)));
    let found = full(&bytes);
    let kinds: Vec<K> = found.faults.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [K::Decoding, K::Compression]);
    assert_eq!(found.kept.fragment.records, 2);
}

/// Prometheus joins what is around a lost page: it sees that only where the whole then does not fit.
#[test]
fn a_page_that_is_lost_inside_a_record_is_in_doubt() {
    let with = |how, record: &[u8]| {
        let mut log = Writer::default();
        log.record(how, &series(1..2));
        log.record(how, record);
        log.record(how, &samples(1..2, 5));
        log.bytes[PAGE..2 * PAGE].fill(0);
        assert!(is_in_doubt(&full(&log.bytes)));
        let (kept, stops) = as_prometheus(log.bytes.as_slice(), Depth::Full);
        (kept.records, stops, log.starts[1] as u64)
    };
    // Of a type that Prometheus passes over: whatever is in it fits.
    let mut state = 1_u32;
    let mut noise: Vec<u8> = Vec::new();
    for _ in 0..100_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push(state.to_be_bytes()[0]);
    }
    noise[0] = 99;
    let (records, stops, _) = with(Compression::None, &noise);
    assert_eq!((records, stops), (3, None));
    let (records, stops, at) = with(Compression::Snappy, &noise);
    assert_eq!((records, stops), (1, Some(at)));
    let markers: Vec<u8> = [5].into_iter().chain(noise.iter().copied().take(16 * 6000)).collect();
    let (records, stops, at) = with(Compression::None, &markers);
    assert_eq!((records, stops), (1, Some(at)));
}

/// Disks that fail: what was read stands, and the fault is not the log's.
#[test]
fn a_disk_that_fails_ends_the_reading() {
    struct Failing(usize);
    impl std::io::Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let log = log().bytes;
            let Some(left) = log.get(self.0..100_000) else {
                return Err(std::io::Error::other("EIO"));
            };
            if left.is_empty() {
                return Err(std::io::Error::other("EIO"));
            }
            let count = left.len().min(into.len());
            into[..count].copy_from_slice(&left[..count]);
            self.0 += count;
            Ok(count)
        }
    }
    let found = survey(Failing(0), Depth::Full);
    let kinds: Vec<(K, u64)> = found.faults.iter().map(|f| (f.kind, f.offset)).collect();
    assert_eq!(kinds, [(K::Io, 100_000)]);
}

/// The checksum holds with the zeros that are read behind the end of a file.
#[test]
fn what_cannot_be_used_ends_where_the_file_does() {
    let bytes = fragment(1, &[2, 0, 0, 0, 0]);
    let bytes = &bytes[..bytes.len() - 3];
    let found = full(bytes);
    let told: Vec<(K, u64)> = found.faults.iter().map(|f| (f.kind, f.skipped)).collect();
    assert_eq!(told, [(K::Decoding, bytes.len() as u64)]);
}
