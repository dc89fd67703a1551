use std::fs;
use std::path::Path;

use crate::datadir::disk::Disk;
use crate::datadir::{salvage, survey};
use crate::walfile::compression::Compression;
use crate::walfile::head_chunks;
use crate::walfile::segment::Depth;
use crate::walfile::writer::Writer;

/// A Series record of some refs, and one that is cut.
fn log() -> Vec<u8> {
    let mut record = vec![1];
    for reference in 1..2000_u64 {
        record.extend(reference.to_be_bytes());
        record.extend([1, 1, b'n', 1, b'v']);
    }
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    for _ in 0..6 {
        writer.record(Compression::None, &record).expect("to memory");
    }
    out
}

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("below")).expect("made");
    fs::write(path, bytes).expect("written");
}

/// Several bits of two places.
fn broken() -> Vec<u8> {
    let mut log = log();
    log[70..90].fill(0x5a);
    log[100_000..100_020].fill(0x5a);
    log
}

type Named = (&'static str, Vec<u8>);

/// What is told, and what a salvage asks for.
fn both(files: &[Named]) -> (u64, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    files.iter().for_each(|(name, bytes)| put(root, name, bytes));
    let told = survey::read(root, Depth::Full, &mut |_| {}).expect("a directory");
    let disk = Disk::open(root).expect("a directory");
    let prepared = salvage::prepare(&disk, root);
    let prepared = prepared.unwrap_or_else(|why| panic!("{why:?}: {:?}", told.judged.problems));
    assert!(!prepared.report.files.is_empty(), "there is something to do");
    (told.needed, salvage::need(&prepared))
}

#[test]
fn no_salvage_needs_more_than_is_told_and_few_need_much_less() {
    let old = "wal/checkpoint.00000001/00000000";
    let new = "wal/checkpoint.00000003/00000000";
    let header = [&[0x7f; 8], &[0; 3 << 20][..]].concat();
    let chunks = head_chunks::HEADER.to_vec();
    let rows: Vec<(&str, Vec<Named>)> = vec![
        ("a gap", vec![("wal/00000000", log()), ("wal/00000002", log())]),
        ("many", vec![("wal/00000000", log()), ("wal/00000900", log())]),
        ("damaged", vec![("wal/00000000", log()), ("wal/00000001", broken())]),
        ("twice", vec![("wal/00000000", log()), ("wal/1", log()), ("wal/00000001", log())]),
        ("another name", vec![("wal/00000000", log()), ("wal/1", log())]),
        ("another name, damaged", vec![("wal/00000000", log()), ("wal/1", broken())]),
        ("an old checkpoint", vec![(old, broken()), (new, log()), ("wal/00000005", log())]),
        ("behind it", vec![(new, log()), ("wal/00000003", broken()), ("wal/00000004", log())]),
        ("the newest", vec![(old, log()), (new, broken()), ("wal/00000004", log())]),
        ("out of order", vec![("wal/00000000", log()), ("wbl/00000000", broken())]),
        ("no chunk", vec![("wal/00000000", log()), ("chunks_head/000001", header)]),
        ("no repair", vec![("wal/00000000", log()), ("wal/00000001.repair", broken())]),
        (
            "both",
            vec![
                ("wal/00000000", log()),
                ("wal/00000001", broken()),
                ("chunks_head/000002", chunks),
                ("wal/00000004", broken()),
            ],
        ),
    ];
    for (name, files) in rows {
        let (told, needed) = both(&files);
        assert!(told >= needed, "{name}: {told} of {needed}");
        assert!(told <= needed + (256 << 10), "{name}: {told} of {needed}");
    }
}
