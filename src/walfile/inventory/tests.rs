use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::head;
use super::hours::{Hour, Hours};
use super::identity::Identity;
use super::memory::line;
use super::pairs::Pairs;
use super::ranking::{Rank, Ranks};
use super::{Batch, read};
use crate::walfile::compression::Compression::{self, None as Plain, Snappy, Zstd};
use crate::walfile::record::RecordType;
use crate::walfile::tests::writer::{Writer, samples, text, uvarint, varint};

type Labels = Vec<(String, String)>;

fn record<'a>(series: impl IntoIterator<Item = (u64, &'a Labels)>) -> Vec<u8> {
    let mut out = vec![1];
    for (reference, labels) in series {
        out.extend(reference.to_be_bytes());
        out.extend(uvarint(labels.len() as u64));
        for (name, value) in labels {
            out.extend(text(name));
            out.extend(text(value));
        }
    }
    out
}

fn labels(of: &[(&str, &str)]) -> Labels {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// All files of a log, one after the other.
fn counted(files: &[Vec<u8>], mut identity: Identity, mut pairs: Pairs) -> (Identity, Pairs) {
    for file in files {
        read(file.as_slice(), |batch| {
            let told = identity.tell(batch);
            pairs.count(&told);
            told.emptied()
        });
    }
    (identity, pairs)
}

/// What it comes to without a thought for memory.
fn naive(all: &[Labels], most: usize) -> (u64, Ranks, Vec<(String, u64)>) {
    let distinct: BTreeSet<&Labels> = all.iter().collect();
    let mut pairs: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (name, value) in distinct.iter().flat_map(|labels| labels.iter()) {
        *pairs.entry((name, value)).or_default() += 1;
    }
    let mut values: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, _) in pairs.keys() {
        *values.entry(name).or_default() += 1;
    }
    let top = |of: Option<&str>| {
        let of = pairs.iter().filter(|((name, _), _)| of.is_none_or(|of| of == *name));
        let rank = |((name, value), series): (&(&str, &str), &u64)| Rank {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            series: *series,
            error: 0,
        };
        let mut ranks: Vec<Rank> = of.map(rank).collect();
        ranks.sort_by_key(|rank| std::cmp::Reverse(rank.series));
        ranks.truncate(most);
        ranks
    };
    let ranks = Ranks { metrics: top(Some("__name__")), jobs: top(Some("job")), pairs: top(None) };
    let mut values: Vec<_> = values.into_iter().map(|(name, of)| (name.to_owned(), of)).collect();
    values.sort_by_key(|(_, of)| std::cmp::Reverse(*of));
    values.truncate(most);
    (distinct.len() as u64, ranks, values)
}

fn some_labels() -> impl Strategy<Value = Labels> {
    let name = prop_oneof![Just("__name__"), Just("job"), Just("pod"), Just("le")];
    let value = prop_oneof![3 => "[ab]{0,2}", 1 => "[a-z]{7,9}", 1 => "\\PC{0,20}"];
    // In the order of names, each once, as Prometheus has them.
    prop::collection::btree_map(name.prop_map(str::to_owned), value, 0..5)
        .prop_map(|labels| labels.into_iter().collect())
}

proptest! {
    #[test]
    fn a_log_is_counted_as_a_naive_count_does(
        files in prop::collection::vec(
            prop::collection::vec((prop::collection::vec(some_labels(), 1..40), any::<bool>()), 0..6),
            1..4,
        ),
        most in 1..20_usize,
    ) {
        let mut reference = 0;
        let mut all = Vec::new();
        let mut logs = Vec::new();
        for file in &files {
            let mut log = Writer::default();
            for (series, how) in file {
                let how = if *how { Snappy } else { Plain };
                log.record(how, &record(series.iter().map(|labels| {
                    reference += 1;
                    (reference, labels)
                })));
                log.record(how, &samples(1..50, 0));
                // Whole by its checksum, and cut off inside: nothing of it may stay.
                let cut = record((1..).zip(series));
                log.record(how, &cut[..cut.len() - 1]);
                all.extend(series.iter().cloned());
            }
            logs.push(log.bytes);
        }
        let (identity, pairs) = counted(&logs, Identity::holding(1 << 14), Pairs::holding(1 << 14));
        let (series, ranks, values) = naive(&all, most);
        prop_assert_eq!(identity.len(), series);
        prop_assert_eq!(pairs.ranks(most), ranks);
        let told: Vec<_> = pairs.values(most).into_iter().map(|of| (of.name, of.values)).collect();
        prop_assert_eq!(told, values);
    }

    #[test]
    fn the_start_of_a_block_is_what_decompressing_it_all_gives(
        runs in prop::collection::vec((any::<u8>(), 1..40_usize), 0..40),
    ) {
        let plain: Vec<u8> = runs.iter().flat_map(|(byte, count)| vec![*byte; *count]).collect();
        let block = snap::raw::Encoder::new().compress_vec(&plain).expect("compresses");
        let start = &plain[..plain.len().min(head::MOST)];
        let mut into = [0; head::MOST];
        prop_assert_eq!(head::unsnap(&block, &mut into), Some(start));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 0..14_u8) {
        let _ = head::unsnap(&bytes, &mut [0; head::MOST]);
        let _ = head::time(RecordType::of(Some(kind)), &bytes);
    }
}

#[test]
fn a_block_that_lies_has_no_start() {
    // Copies from before the block, from nowhere, and a literal that the block does not hold.
    for lie in [&[9, 0x01, 0][..], &[9, 0, b'a', 0x01, 2], &[9, 0, b'a', 0x02, 0, 0], &[9, 60 << 2]]
    {
        assert_eq!(head::unsnap(lie, &mut [0; head::MOST]), None, "{lie:?}");
    }
    assert_eq!(head::unsnap(&[], &mut [0; head::MOST]), Some(&[][..]));
}

#[test]
fn series_are_of_the_hour_of_the_samples_behind_them() {
    let one = labels(&[("__name__", "up"), ("n", "1")]);
    let two = labels(&[("__name__", "up"), ("n", "2")]);
    let hour = 3_600_000;
    let v2 = [vec![11], varint(9), varint(5 * hour + 7), varint(0), vec![0; 8]].concat();
    for how in [Plain, Snappy, Zstd] {
        let mut log = Writer::default();
        log.record(how, &samples(1..9, 9 * hour));
        log.record(how, &record([(1, &one), (2, &two)]));
        log.record(how, &[5]);
        log.record(how, &samples(1..9, 2 * hour));
        log.record(how, &samples(1..9, 3 * hour));
        log.record(how, &record([(3, &two)]));
        log.record(how, &v2);
        log.record(how, &record([(4, &one)]));
        let found = read(log.bytes.as_slice(), Batch::emptied);
        let hours = [(2, 2), (5, 1)].map(|(h, series)| Hour { from: h * hour, series });
        assert_eq!(found.hours.last(9), hours, "{how:?}");
        assert_eq!(found.hours.last(1), hours[1..], "{how:?}");
        assert_eq!((found.hours.unknown, found.records, found.series, found.faults), (1, 3, 4, 0));
    }
}

#[test]
fn hours_are_bounded() {
    let mut hours = Hours::default();
    (0..100_000).for_each(|hour| hours.count(hour * 3_600_000, 2));
    let told: u64 = hours.last(usize::MAX).iter().map(|hour| hour.series).sum();
    assert_eq!((told + hours.unknown, told), (200_000, 2 * 24 * 366));
}

#[test]
fn what_is_broken_is_passed_over() {
    let one = labels(&[("__name__", "up"), ("n", "1")]);
    let mut log = Writer::default();
    log.record(Plain, &record([(1, &one)]));
    // Whole by its checksum, and cut off inside: nothing of it is counted.
    let cut = record([(2, &one), (3, &one)]);
    log.record(Plain, &cut[..cut.len() - 1]);
    log.bytes.extend(crate::walfile::tests::writer::fragment(1 | 0x08, &[0xff; 5]));
    log.record(Snappy, &record([(4, &one)]));
    let found = read(log.bytes.as_slice(), Batch::emptied);
    assert_eq!((found.faults, found.records, found.series), (2, 2, 2));
}

/// A write that was under way when its server ended is no damage in the middle.
#[test]
fn a_torn_end_is_told_apart() {
    let one = labels(&[("__name__", "up"), ("n", "1")]);
    let mut log = Writer::default();
    log.record(Plain, &record([(1, &one)]));
    let first = log.bytes.len();
    log.record(Plain, &record([(2, &one)]));
    let told = |bytes: &[u8]| {
        let found = read(bytes, Batch::emptied);
        (found.faults, found.torn_end)
    };
    assert_eq!(told(&log.bytes), (0, false));
    assert_eq!(told(&log.bytes[..log.bytes.len() - 3]), (1, true));
    let mut flipped = log.bytes.clone();
    flipped[first - 1] ^= 1;
    assert_eq!(told(&flipped), (1, false));
    // The one is put right, and the other is the end.
    assert_eq!(told(&flipped[..flipped.len() - 3]), (2, true));
}

/// Of series behind each other only what differs is handed on: not so over the end of a batch, and not
/// where labels come at other places, beyond those that are remembered, or are too long to be counted.
#[test]
fn series_of_one_record_are_counted_as_those_of_many() {
    let pair = |name: String, value: &str| (name, value.to_owned());
    let series: Vec<Labels> = (0..6000)
        .map(|n| {
            let shared = (n / 10 % 3..90)
                .map(|at| pair(format!("a{at:02}"), if at % 7 == 0 { "on" } else { "off" }));
            let long = "x".repeat(if n % 1000 == 7 { 300 << 10 } else { n % 40 });
            let more = [("b", &*long), ("c", &*n.to_string()), ("d", "same")];
            let more = more.map(|(name, value)| pair(name.to_owned(), value));
            shared.take(if n % 50 < 20 { 80 } else { 20 }).chain(more).collect()
        })
        .collect();
    let told = |each: usize| {
        let mut log = Writer::default();
        for series in series.chunks(each) {
            log.record(Snappy, &record((1..).zip(series)));
        }
        let (mut identity, mut pairs) = (Identity::default(), Pairs::default());
        let found = read(log.bytes.as_slice(), |batch| {
            let told = identity.tell(batch);
            pairs.count(&told);
            told.emptied()
        });
        (identity.len(), found.labels_beyond, pairs.ranks(1000), pairs.values(1000))
    };
    let in_one = told(6000);
    assert_eq!((in_one.0, in_one.1), (6000, 6 * 3));
    assert_eq!(in_one, told(1));
}

/// However many labels series have in common, what is held of a batch is bounded by what it hands on.
#[test]
fn what_repeats_at_a_late_place_takes_no_room() {
    let series: Vec<Labels> = (0..2000)
        .map(|n: u64| {
            let shared = (0..1000).map(|at| (format!("a{at:04}"), String::new()));
            std::iter::once(("__name__".to_owned(), n.to_string())).chain(shared).collect()
        })
        .collect();
    let mut log = Writer::default();
    log.record(Snappy, &record((1..).zip(&series)));
    let (mut identity, mut pairs) = (Identity::default(), Pairs::default());
    let mut most = 0;
    read(log.bytes.as_slice(), |batch| {
        let told = identity.tell(batch);
        pairs.count(&told);
        most = most.max(pairs.held());
        told.emptied()
    });
    assert_eq!(identity.len(), 2000);
    assert!(most <= 2000 + 1000, "{most} runs");
}

/// `count` series of one metric; all but the first hundred have a pod of their own.
fn many(count: u64) -> Vec<u8> {
    let series: Vec<Labels> = (0..count)
        .map(|n| {
            let pod = if n < 100 { "main".to_owned() } else { format!("pod-{n}") };
            labels(&[("__name__", "up"), ("n", &(n % 100).to_string()), ("pod", &pod)])
        })
        .collect();
    let mut log = Writer::default();
    for (at, chunk) in (0..).step_by(1000).zip(series.chunks(1000)) {
        log.record(Compression::Snappy, &record((at..).zip(chunk)));
    }
    log.bytes
}

#[test]
fn names_of_pairs_are_bounded_and_those_of_the_largest_are_kept() {
    // Pairs that are not among the first thousands come to be the largest.
    let mut late = Writer::default();
    for n in 0..300 {
        let series: Vec<Labels> = (0..8)
            .map(|s| labels(&[("late", &n.to_string()), ("n", "1"), ("s", &s.to_string())]))
            .collect();
        late.record(Plain, &record((0..).zip(&series)));
    }
    let logs = [many(20_000), late.bytes];
    let (_, pairs) = counted(&logs, Identity::default(), Pairs::default());
    let top = pairs.ranks(500).pairs;
    assert_eq!(top.iter().filter(|rank| rank.name == "late" && rank.series == 8).count(), 300);
    assert_eq!((&*top[0].value, top[0].series), ("up", 20_000));
    assert!(top.is_sorted_by(|a, b| a.series >= b.series));
    assert_eq!(top.len(), 500, "as many as were asked for");
}

#[test]
fn no_pair_is_told_twice() {
    let series =
        |n: &u32| labels(&[("n", &(n / 5000).to_string()), ("pod", &(n % 5000).to_string())]);
    let series: Vec<Labels> = (0..15_000).map(|n| series(&n)).collect();
    let mut log = Writer::default();
    log.record(Snappy, &record((0..).zip(&series)));
    let (_, pairs) = counted(&[log.bytes], Identity::default(), Pairs::default());
    let top = pairs.ranks(1000).pairs;
    assert!(top[3..].iter().all(|rank| rank.series == 3), "each pod came three times");
    let different: BTreeSet<&str> = top[3..].iter().map(|rank| &*rank.value).collect();
    assert_eq!(different.len(), 997);
}

#[test]
fn beyond_its_bound_it_says_how_much_it_may_be_wrong() {
    let (series, room) = (60_000, 1000);
    let logs = [many(series)];
    let (identity, pairs) = counted(&logs, Identity::holding(50_000), Pairs::holding(room));
    assert_eq!((identity.len(), identity.beyond), (series, 10_000));
    let (exact, beyond) = pairs.exact_and_beyond();
    assert_eq!((exact, beyond), (room, series - 100 - (room - 102)));
    let ranks = pairs.ranks(3);
    assert_eq!(ranks.metrics[0].series, series, "what came first goes on to be exact");
    assert_eq!((&*ranks.pairs[1].name, ranks.pairs[1].series), ("n", 600));
    let values = pairs.values(1).remove(0);
    let (wanted, told) = (59_901.0, values.values as f64);
    assert!(values.estimated > 55_000 && (told / wanted - 1.0).abs() < 0.05, "{values:?}");
}

#[test]
fn a_pair_that_is_frequent_beyond_the_bound_is_not_missed() {
    let mut log = Writer::default();
    let series: Vec<Labels> = (20_000..60_000)
        .map(|n| labels(&[("pod", &format!("p{n}")), ("zone", &(n % 3).to_string())]))
        .collect();
    log.record(Snappy, &record((0..).zip(&series)));
    let (_, pairs) = counted(&[log.bytes], Identity::default(), Pairs::holding(1));
    for rank in pairs.ranks(4).pairs.iter().filter(|rank| rank.name == "zone") {
        let wanted = (20_000..60_000).filter(|n| (n % 3).to_string() == rank.value).count() as u64;
        assert!(rank.series <= wanted && wanted <= rank.series + rank.error, "{rank:?}");
        assert!(rank.error < 80_000 / 4096, "{rank:?}");
    }
    assert_eq!(pairs.ranks(4).pairs.iter().filter(|rank| rank.name == "zone").count(), 3);
}

#[test]
fn a_version_has_its_line() {
    let from = |version| line(version).map(|line| line.from);
    let said = ["v2.53.3", "2.42.0", "3.16", "v2.50.0-rc.0", "2.49.1"].map(from);
    assert_eq!(said, [Some("2.50"), Some("2.0"), Some("3.0"), Some("2.50"), Some("2.0")]);
    assert_eq!(["", "3", "latest", "v.1"].map(from), [None; 4]);
}
