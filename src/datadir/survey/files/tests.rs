//! A file that is read in pieces is told as one that is read as a whole.

use std::fs;
use std::path::Path;

use super::*;
use crate::walfile::compression::Compression;
use crate::walfile::frame::{HEADER, PAGE};
use crate::walfile::writer::Writer;

/// Records of Series, a sample for each of them, some over several pages.
fn write(path: &Path) {
    let mut out = Writer::new(fs::File::create(path).unwrap());
    let mut reference = 0_u64;
    for record in 0..200_u64 {
        let count = if record % 20 == 7 { 5000 } else { 40 + record % 11 };
        let (mut series, mut samples) = (vec![1], vec![2]);
        samples.extend(reference.to_be_bytes());
        samples.extend(1_700_000_000_000_u64.to_be_bytes());
        for step in 0..count {
            series.extend((reference + step).to_be_bytes());
            series.extend(b"\x01\x01a\x01b");
            let mut zigzag = step * 2;
            while zigzag >= 0x80 {
                samples.push(u8::try_from(zigzag & 0x7f).unwrap() | 0x80);
                zigzag >>= 7;
            }
            samples.extend([u8::try_from(zigzag).unwrap(), 0]);
            samples.extend((record * step).to_be_bytes());
        }
        reference += count;
        let snappy = snap::raw::Encoder::new().compress_vec(&series).unwrap();
        out.record(Compression::Snappy, &snappy).unwrap();
        out.record(Compression::None, &samples).unwrap();
    }
}

fn told(path: &Path, size: u64, depth: Depth) -> String {
    let file =
        Numbered { number: 3, path: path.to_owned(), size: fs::metadata(path).unwrap().len() };
    let mut told = Vec::new();
    in_pieces(&[file.clone(), file], size, depth, &mut |_, read| {
        let found = read.unwrap();
        if let Some(costs) = found.faults.first().map(|first| first.costs.expect("counted")) {
            let kept = &found.kept;
            assert_eq!(costs.prometheus, kept.fragment.without(&kept.prometheus), "of the file");
        }
        let refs = |refs: &Refs| (refs.len(), refs.last());
        let (series, sampled) = (refs(&found.refs), refs(&found.sampled));
        told.push(format!("{} {series:?} {sampled:?}", serde_json::to_string(&found).unwrap()));
    });
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], told[1]);
    told.remove(0)
}

#[test]
fn pieces_come_to_the_whole_with_and_without_faults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("00000003");
    write(&path);
    let healthy = fs::read(&path).unwrap();
    let pages = healthy.len() / PAGE;
    assert!(pages > 18, "{pages}");
    let same = |bytes: &[u8], why: &str| {
        fs::write(&path, bytes).unwrap();
        for depth in [Depth::Full, Depth::Quick] {
            let whole = told(&path, u64::MAX, depth);
            for pages in [1, 7] {
                assert_eq!(told(&path, pages * PAGE as u64, depth), whole, "{why}, {pages} pages");
            }
        }
    };
    same(&healthy, "healthy");
    for at in (0..pages).step_by(5) {
        let mut flipped = healthy.clone();
        flipped[at * PAGE + at * 700 % PAGE] ^= 0x10;
        same(&flipped, &format!("a flip in page {at}"));
    }
    let mut twice = healthy.clone();
    for at in [6, 13, 17] {
        twice.copy_within(at * PAGE..(at + 1) * PAGE, (at + 1) * PAGE);
        same(&twice, &format!("page {at} twice"));
        twice.clone_from(&healthy);
    }
    // Pages that end with a record.
    let mut out = Writer::new(fs::File::create(&path).unwrap());
    for record in 0..30 {
        out.record(Compression::None, &[record; PAGE - HEADER]).unwrap();
    }
    let mut full = fs::read(&path).unwrap();
    same(&full, "full pages");
    full.copy_within(6 * PAGE..7 * PAGE, 7 * PAGE);
    same(&full, "a full page twice");
    same(&healthy[..healthy.len() - 5], "torn");
    same(&[healthy.as_slice(), &[0; 3 * PAGE]].concat(), "zeros behind it");
    same(&[], "empty");
}

#[test]
fn results_are_told_in_the_order_of_the_items() {
    let items: Vec<u64> = (0..500).collect();
    let work = |item: &u64| {
        std::thread::sleep(std::time::Duration::from_micros(item * 7919 % 200));
        item * 2
    };
    let mut told = Vec::new();
    in_order(&items, work, &mut |item, twice| told.push((*item, twice)));
    assert_eq!(told, items.iter().map(|item| (*item, item * 2)).collect::<Vec<_>>());
    in_order(&[] as &[u64], work, &mut |_, _| panic!("nothing to tell"));
}
