//! Pages that stand in the wrong places are read as they belong, and only those.

use std::io::Cursor;

use super::writer::{Writer, samples_of, series};
use crate::walfile::compression::Compression;
use crate::walfile::fault::FaultKind as K;
use crate::walfile::frame::PAGE;
use crate::walfile::mend::mend;
use crate::walfile::segment::{Depth, Order, Pages, Segment, survey, survey_in_order};

/// Scrapes of two targets, whose records are of so many series each: some 12 pages.
fn log(how: Compression, targets: [u64; 2]) -> Vec<u8> {
    let mut log = Writer::default();
    log.record(how, &series(1..targets[0] + targets[1] + 1));
    let mut time = 0_i64;
    while log.bytes.len() < 12 * PAGE {
        time += 15_000;
        for refs in [1..targets[0] + 1, targets[0] + 1..targets[0] + targets[1] + 1] {
            // Hard to compress, so that many pages come together.
            let value = |of: u64| {
                ((of * 1_000_003) ^ time.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            };
            log.record(how, &samples_of(refs, time, value));
        }
    }
    // As Prometheus leaves a segment that is followed by another.
    log.bytes.resize(log.bytes.len().next_multiple_of(PAGE), 0);
    log.bytes
}

const HOWS: [Compression; 3] = [Compression::None, Compression::Snappy, Compression::Zstd];

fn looked_at(bytes: &[u8]) -> Segment {
    survey_in_order(&|| Ok(Cursor::new(bytes)), Depth::Full).expect("memory does not fail")
}

fn page(bytes: &[u8], at: usize) -> &[u8] {
    &bytes[at * PAGE..(at + 1) * PAGE]
}

fn swapped(bytes: &[u8], a: usize, b: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[a * PAGE..(a + 1) * PAGE].copy_from_slice(page(bytes, b));
    out[b * PAGE..(b + 1) * PAGE].copy_from_slice(page(bytes, a));
    out
}

/// Nothing is lacking, and what a salvage writes is the log as it was.
fn is_all_there(bytes: &[u8], whole: &[u8], found: &Segment) {
    let healthy = survey(whole, Depth::Full);
    assert!(healthy.is_healthy() && !found.is_healthy());
    assert_eq!(found.counts, healthy.counts);
    assert_eq!(found.kept.fragment, healthy.kept.fragment);
    let mut anew = Vec::new();
    mend(Pages::new(Cursor::new(bytes), found.order), &mut anew).expect("memory does not fail");
    anew.resize(whole.len(), 0);
    assert_eq!(anew, whole);
}

#[test]
fn two_pages_in_each_others_place_are_read_as_they_belong() {
    for how in HOWS {
        // Records of one length, of two, and such that not even one of a page begins at its place.
        for targets in [[150, 150], [1000, 37], [3, 3]] {
            let whole = log(how, targets);
            let last = whole.len() / PAGE - 1;
            for (a, b) in [(0, 1), (2, 3), (0, 10), (1, last), (last - 1, last)] {
                let bytes = swapped(&whole, a, b);
                let found = looked_at(&bytes);
                let expected = Some(Order::Swapped(a as u64, b as u64));
                assert_eq!(found.order, expected, "{how:?} {targets:?}: {:?}", found.faults);
                assert!(found.faults.iter().all(|f| f.kind == K::MisplacedPage && f.skipped == 0));
                assert_eq!(found.fault_count, 2);
                is_all_there(&bytes, &whole, &found);
            }
        }
    }
}

#[test]
fn a_page_that_stands_there_twice_costs_nothing_where_none_is_lost() {
    for how in HOWS {
        for targets in [[150, 40], [1000, 37]] {
            let whole = log(how, targets);
            let mut bytes = whole.clone();
            bytes.splice(3 * PAGE..3 * PAGE, page(&whole, 2).to_vec());
            let found = looked_at(&bytes);
            assert_eq!(found.order, Some(Order::Repeated(3)));
            assert_eq!(found.faults.iter().map(|f| f.kind).collect::<Vec<_>>(), [K::RepeatedPage]);
            is_all_there(&bytes, &whole, &found);
        }
    }
}

/// No order is made up where the page that belongs there is not there.
#[test]
fn a_page_that_is_lost_is_not_made_up_for() {
    for how in HOWS {
        for targets in [[150, 150], [1000, 37]] {
            let whole = log(how, targets);
            for at in [1, 4, 8] {
                let lost = [&whole[..at * PAGE], &whole[(at + 1) * PAGE..]].concat();
                let mut twice = whole.clone();
                twice[(at + 1) * PAGE..(at + 2) * PAGE].copy_from_slice(page(&whole, at));
                let mut other = whole.clone();
                other[at * PAGE..(at + 1) * PAGE].copy_from_slice(page(&whole, (at + 5) % 10));
                for bytes in [lost, twice, other] {
                    assert_eq!(looked_at(&bytes).order, None, "{how:?} {targets:?} {at}");
                }
            }
            assert_eq!(looked_at(&whole).order, None);
        }
    }
}

/// Where scrapes differ nothing can be told by what they name, and nothing is.
#[test]
fn a_log_in_which_no_two_scrapes_are_alike_is_left_as_it_is() {
    let mut log = Writer::default();
    for time in 0..200_u64 {
        let at = i64::try_from(time).expect("small") * 15_000;
        log.record(Compression::None, &samples_of(1 + time..160 + 2 * time, at, |of| of));
    }
    let found = looked_at(&log.bytes);
    assert!(found.is_healthy() && found.order.is_none());
    assert!(!found.holds_together());
}
