//! What holds whatever the bytes are.

use std::io::{Cursor, Read};

use prom_fix::walfile::block as heads;
use prom_fix::walfile::compression::{Compression, Decompressor, MOST, cut, peek};
use prom_fix::walfile::count::Kept;
use prom_fix::walfile::fault::FaultKind;
use prom_fix::walfile::frame::{Frames, Item, PAGE};
use prom_fix::walfile::head_chunks::{self, ChunkFault};
use prom_fix::walfile::inventory;
use prom_fix::walfile::inventory::identity::Identity;
use prom_fix::walfile::inventory::pairs::Pairs;
use prom_fix::walfile::mend::{self, Traces};
use prom_fix::walfile::record::{self, Entry, RecordType, Undecodable};
use prom_fix::walfile::refs::Refs;
use prom_fix::walfile::segment::{Depth, Pages, Policies, Segment, survey, survey_in_order};

use super::chance::Chance;

pub fn log(bytes: &[u8], chance: &mut Chance) {
    let full = survey(bytes, Depth::Full);
    judged(&full, bytes);
    let quick = survey(bytes, Depth::Quick);
    judged(&quick, bytes);
    shallow(&quick, &full, bytes);
    lent(bytes);
    match chance.below(5) {
        4 => inventoried(bytes, &full, chance),
        0 => {
            assert_eq!(text(&survey(Bits(bytes, chance), Depth::Full)), text(&full), "short reads");
        }
        1 => lost(bytes, &full),
        2 => mended(bytes, &full),
        _ => in_order(bytes),
    }
}

fn text(segment: &Segment) -> String {
    serde_json::to_string(segment).expect("JSON")
}

/// A report agrees with itself.
fn judged(found: &Segment, bytes: &[u8]) {
    let size = bytes.len() as u64;
    assert_eq!(found.size, size);
    assert_eq!(found.counts.records, found.kept.fragment.records);
    let by_type: u64 = found.counts.by_type.values().map(|of| of.records).sum();
    assert_eq!(found.counts.records, by_type);
    let kept = found.kept;
    for (less, more) in [(kept.prometheus, kept.page), (kept.page, kept.fragment)] {
        let Kept { records, series, samples } = less;
        assert!(records <= more.records && series <= more.series, "{kept:?}");
        assert!(samples <= more.samples, "{kept:?}");
    }
    assert_eq!(found.is_healthy(), found.faults.is_empty());
    if found.is_healthy() {
        assert_eq!(kept.prometheus, kept.fragment);
    }
    let mut before = 0;
    let mut skipped = 0;
    for fault in &found.faults {
        assert!(fault.offset >= before, "{:?}", found.faults);
        assert!(fault.offset + fault.skipped <= size, "{fault:?} of {size}");
        assert_eq!(fault.page, fault.offset / PAGE as u64);
        before = fault.offset;
        skipped += fault.skipped;
    }
    assert!(skipped <= size, "{skipped} of {size}: {:?}", found.faults);
    cost(found);
}

/// What each fault costs comes to what its file costs.
fn cost(found: &Segment) {
    let Policies { prometheus, page, fragment } = &found.kept;
    let costs = || found.faults.iter().map(|fault| fault.costs.expect("counted"));
    let first = costs().next().unwrap_or_default();
    assert_eq!(first.prometheus, fragment.without(prometheus), "{:?}", found.faults);
    let mut passed_over = Kept::default();
    costs().for_each(|costs| passed_over.add(&costs.page));
    assert_eq!(passed_over, fragment.without(page), "{:?}", found.faults);
    for (before, behind) in costs().zip(costs().skip(1)) {
        let more = behind.prometheus.without(&before.prometheus);
        assert_eq!(more, Kept::default(), "{:?}", found.faults);
    }
}

/// A quick look sees the same frames.
fn shallow(quick: &Segment, full: &Segment, bytes: &[u8]) {
    let deep = |kind| matches!(kind, FaultKind::Compression | FaultKind::Decoding);
    let framed = |of: &Segment| -> Vec<u64> {
        of.faults.iter().filter(|f| !deep(f.kind)).map(|f| f.offset).collect()
    };
    assert_eq!(framed(quick), framed(full));
    let unreadable = full.faults.iter().filter(|f| deep(f.kind)).count() as u64;
    let (beginnings, doubtful) = cut_off(bytes);
    // Of what cannot be read as it says, a full look may know better.
    assert!(quick.counts.records + beginnings + unreadable >= full.counts.records);
    assert!(quick.counts.records <= full.counts.records + unreadable + doubtful);
    if unreadable + beginnings + doubtful == 0 {
        let types = |of: &Segment| -> Vec<(RecordType, u64)> {
            of.counts.by_type.iter().map(|(kind, of)| (*kind, of.records)).collect()
        };
        assert_eq!(types(quick), types(full));
    }
}

/// Records of which a fault took the rest, and those with a fault inside.
fn cut_off(bytes: &[u8]) -> (u64, u64) {
    let mut frames = Frames::new(bytes);
    let (mut beginnings, mut doubtful) = (0, 0);
    while let Some(item) = frames.advance() {
        match item {
            Item::Beginning(_) => beginnings += 1,
            Item::Record(frame) => doubtful += u64::from(frame.doubtful),
            Item::Fault(_) => {}
        }
    }
    (beginnings, doubtful)
}

/// Records lie in the file one behind the other, and nothing is in two of them.
fn lent(bytes: &[u8]) {
    let mut frames = Frames::new(bytes);
    let mut end = 0;
    while let Some(item) = frames.advance() {
        if let Item::Record(frame) | Item::Beginning(frame) = item {
            assert!(frame.offset >= end && frame.offset < frame.end, "{} {end}", frame.offset);
            // Zeros at the end of its last page may be missing in the file.
            let last = frame.end == bytes.len() as u64;
            let read = if last { frame.end.next_multiple_of(PAGE as u64) } else { frame.end };
            assert!(frame.bytes.len() as u64 <= read - frame.offset);
            end = frame.end;
        }
    }
    assert!(end <= bytes.len().next_multiple_of(PAGE) as u64);
}

/// With no series known all samples are orphans; with all that are met, none.
fn lost(bytes: &[u8], full: &Segment) {
    let orphans = |known: &Refs| {
        let mut found = Traces::default();
        found.read(bytes, known).expect("memory");
        found
    };
    let all = orphans(&Refs::default());
    assert_eq!(all.orphans, full.counts.entries.samples);
    assert_eq!(orphans(&all.orphan_refs).orphans, 0);
}

/// What is written anew has no fault, all that was kept, and is written anew the same.
fn mended(bytes: &[u8], full: &Segment) {
    let mut out = Vec::new();
    let kept = mend::mend(bytes, &mut out).expect("memory");
    assert_eq!(kept, full.kept.fragment);
    let found = survey(&out[..], Depth::Full);
    assert_eq!(found.faults, []);
    assert_eq!(found.counts, full.counts);
    let mut again = Vec::new();
    mend::mend(&out[..], &mut again).expect("memory");
    assert_eq!(again, out);
}

/// Where pages are read in another order than they stand in, nothing is wrong in that order.
fn in_order(bytes: &[u8]) {
    let open = || Ok(Cursor::new(bytes));
    let found = survey_in_order(&open, Depth::Full).expect("memory");
    if let Some(order) = found.order {
        let read = survey(Pages::new(Cursor::new(bytes), Some(order)), Depth::Full);
        assert_eq!((read.faults, &read.counts), (Vec::new(), &found.counts));
    }
}

/// The inventory names series that the survey counts, and all of them where nothing is wrong.
fn inventoried(bytes: &[u8], full: &Segment, chance: &mut Chance) {
    let mut identity = Identity::holding(1 << 12);
    let mut pairs = Pairs::holding(1 << 12);
    let found = inventory::read(Bits(bytes, chance), |batch| {
        let told = identity.tell(batch);
        pairs.count(&told);
        told.emptied()
    });
    let series = full.counts.entries.series;
    assert_eq!(found.size, full.size);
    assert!(identity.len() <= found.series, "{} of {}", identity.len(), found.series);
    assert!(found.series <= series, "{} of {series}", found.series);
    if full.is_healthy() {
        assert_eq!((found.series, found.faults), (series, 0));
    }
}

/// What is read of a block is told whatever it is.
pub fn beside(bytes: &[u8], chance: &mut Chance) {
    let size = bytes.len() as u64;
    let toc = &bytes[bytes.len().saturating_sub(heads::TOC)..];
    let _ = (heads::index(bytes, toc, size), heads::chunks(bytes), heads::tombstones(bytes));
    let mut stones = [&[0x01, 0x30, 0xba, 0x30, 1], bytes].concat();
    let sum = crc32c::crc32c(&stones[5..]).to_be_bytes();
    stones.extend(sum);
    let whole = heads::tombstones(&stones[..]);
    stones[5 + chance.below(bytes.len().max(1))] ^= 1 << chance.below(8);
    assert!(whole.is_err() || heads::tombstones(&stones[..]).is_err());
}

pub fn record(bytes: &[u8]) {
    let mut entries = 0;
    let mut labels = 0;
    let read = record::read(bytes, |entry| {
        entries += 1;
        if let Entry::Series { labels: of, .. } = entry {
            labels += of.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>();
        }
    });
    assert!(entries <= bytes.len() && labels <= bytes.len(), "{entries} {labels}");
    if RecordType::of(bytes.first().copied()) == RecordType::Unknown {
        assert_eq!((read, entries), (Ok(()), 0));
    }
    // What stands before the fault is a record by itself.
    if let (Err(Undecodable { whole }), 1..) = (read, entries) {
        let mut again = 0;
        assert_eq!(record::read(&bytes[..whole], |_| again += 1), Ok(()));
        assert_eq!(again, entries);
    }
}

pub fn block((how, bytes): &(Compression, Vec<u8>), chance: &mut Chance) {
    let mut decompressor = Decompressor::default();
    // One that was used for another record says the same.
    let mut used = Decompressor::default();
    if chance.below(2) == 0 {
        used.decode(*how, &bytes[..bytes.len() / 2]);
    }
    let begun = used.decode_beginning(*how, bytes).map(<[u8]>::to_vec);
    if let Some(begun) = &begun {
        let length = chance.below(begun.len() + 1);
        let part = cut(*how, bytes, length).expect("no more than it says");
        assert!(part.len() <= bytes.len() + 6);
        assert_eq!(decompressor.decode(*how, &part), Some(&begun[..length]));
    }
    let whole = decompressor.decode(*how, bytes);
    assert_eq!(whole, used.decode(*how, bytes));
    if let (Some(begun), Some(whole)) = (begun, whole) {
        assert_eq!(begun, whole);
    }
    if let Some(record) = whole {
        assert!(record.len() <= MOST);
        if let Some(first) = peek(*how, bytes).filter(|_| !bytes.is_empty()) {
            assert_eq!(record.first(), Some(&first));
        }
    }
}

pub fn chunks(bytes: &[u8], chance: &mut Chance) {
    let open = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        move |_: usize| Some(Box::new(std::io::Cursor::new(bytes.clone())) as Box<dyn Read>)
    };
    let size = bytes.len() as u64;
    let read = head_chunks::survey(&mut &*bytes, None);
    assert_eq!(head_chunks::survey(&mut Bits(bytes, chance), None), read);
    let mut found = read.clone();
    let marked = head_chunks::mark_out_of_sequence(&mut [&mut found], None, &open(bytes));
    assert_eq!(marked, Ok(()));
    for found in [&read, &found] {
        assert!(found.end <= size && found.offset <= found.end, "{found:?}");
        assert!(found.chunks * 30 <= size && found.samples <= found.chunks * 0xffff, "{found:?}");
    }
    assert!(found.chunks <= read.chunks && found.end <= read.end);
    // Up to the first fault it is whole.
    let end = usize::try_from(found.end).expect("small");
    if !found.fault.is_some_and(ChunkFault::is_of_header) {
        let mut again = head_chunks::survey(&mut &bytes[..end], None);
        let marked =
            head_chunks::mark_out_of_sequence(&mut [&mut again], None, &open(&bytes[..end]));
        assert_eq!((marked, again.fault, again.chunks), (Ok(()), None, found.chunks));
        assert_eq!(again.end, found.end);
    }
}

/// Gives fewer bytes at once than were asked for.
struct Bits<'a>(&'a [u8], &'a mut Chance);

impl Read for Bits<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = 1 + self.1.below(20_000);
        let Bits(bytes, _) = self;
        let count = into.len().min(bytes.len()).min(most);
        let (now, later) = bytes.split_at(count);
        into[..count].copy_from_slice(now);
        *bytes = later;
        Ok(count)
    }
}
