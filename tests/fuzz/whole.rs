//! What holds of a data directory, whatever its files are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use prom_fix::datadir::salvage::salvage;
use prom_fix::datadir::survey::fold::Problem;
use prom_fix::datadir::{inventory, restore, survey, terms};
use prom_fix::walfile::segment::Depth;

use super::chance::{Chance, change};
use super::corpus::Corpus;

const BLOCK: &str = "01M827CT0DKCN5KG2K87TH0H4J";

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, bytes).expect("written");
}

/// Some are there, and some are broken.
fn made(root: &Path, corpus: &Corpus, chance: &mut Chance) {
    let first = chance.below(3);
    fs::create_dir(root.join("wal")).expect("a folder");
    for number in first..first + 4 {
        if chance.below(8) > 0 {
            put(root, &format!("wal/{number:08}"), &corpus.log(chance));
        }
    }
    if first > 0 && chance.below(4) > 0 {
        put(root, &format!("wal/checkpoint.{:08}/00000000", first - 1), &corpus.log(chance));
    }
    for number in 0..chance.below(3) {
        put(root, &format!("wbl/{number:08}"), &corpus.log(chance));
    }
    for number in 1..=chance.below(4) {
        put(root, &format!("chunks_head/{number:06}"), &corpus.chunks(chance));
    }
    if chance.below(3) == 0 {
        put(root, "chunk_snapshot.000001.0000000100/00000000", &corpus.log(chance));
    }
    let toc = [0; 48];
    let index = [&[0xba, 0xaa, 0xd7, 0, 2], &toc[..], &crc32c::crc32c(&toc).to_be_bytes()].concat();
    let meta = br#"{"version":1,"minTime":0,"maxTime":7200000,"stats":{"numSamples":7}}"#.to_vec();
    let stones = [0x01, 0x30, 0xba, 0x30, 1, 0, 0, 0, 0].to_vec();
    let head = [0x85, 0xbd, 0x40, 0xdd, 1, 0, 0, 0].to_vec();
    for (name, mut bytes) in
        [("meta.json", meta), ("index", index), ("tombstones", stones), ("chunks/000001", head)]
    {
        if chance.below(3) == 0 {
            change(&mut bytes, chance);
        }
        if chance.below(9) > 0 {
            put(root, &format!("{BLOCK}/{name}"), &bytes);
        }
    }
}

fn files(root: &Path, folder: &Path, into: &mut Files) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(root, &path, into);
        } else {
            let name = path.strip_prefix(root).expect("below").to_owned();
            into.insert(name, fs::read(&path).expect("its bytes"));
        }
    }
}

fn all(root: &Path) -> Files {
    let mut found = Files::new();
    files(root, root, &mut found);
    found
}

/// A salvage leaves nothing to salvage and loses nothing that can be read, and all of it goes back;
/// and a manifest that somebody changed leads to no other file.
pub fn directory(corpus: &Corpus, chance: &mut Chance) {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.expect("a folder");
    let (root, beside) = (folder.path().join("data"), folder.path().join("beside"));
    fs::create_dir(&root).expect("a folder");
    fs::write(&beside, b"of somebody else").expect("written");
    made(&root, corpus, chance);
    let before = all(&root);

    let told = survey::read(&root, Depth::Full, &mut |_| {}).expect("a directory");
    let quick = survey::read(&root, Depth::Quick, &mut |_| {}).expect("a directory");
    assert!(quick.judged.problems.is_empty() || !told.judged.problems.is_empty());
    let counted = inventory::read(&root, 10, &mut |_| {}).expect("a directory");
    assert!(counted.series <= counted.records, "{counted:?}");
    assert_eq!(all(&root), before, "reading writes nothing");

    let report = salvage(&root, &terms::Salvage::default(), &mut |_| {}).expect("there is room");
    let mut left = survey::read(&root, Depth::Full, &mut |_| {}).expect("a directory");
    // What no start loads stays.
    left.judged.problems.retain(|problem| !matches!(problem, Problem::Block { stops: false, .. }));
    assert_eq!(left.judged.problems, [], "{:?}", told.judged.problems);
    let [kept, was] = [&left, &told].map(|survey| survey.judged.kept.fragment);
    assert!(kept.samples >= was.samples, "{kept:?} of {was:?}: {:?}", report.files);
    if report.files.is_empty() {
        return assert_eq!(all(&root), before);
    }
    if chance.below(2) == 0 {
        let put_back = restore::restore(&root, &terms::Restore::default()).expect("all is there");
        assert!(put_back.is_some());
        return assert_eq!(all(&root), before);
    }
    let after = all(&root);
    let manifest = after.keys().find(|path| path.ends_with("manifest.json")).expect("it is there");
    let mut bytes = after[manifest].clone();
    (0..=chance.below(3)).for_each(|_| change(&mut bytes, chance));
    fs::write(root.join(manifest), bytes).expect("written");
    let _ = restore::restore(&root, &terms::Restore::default());
    let _ = restore::resume(&root, false);
    assert_eq!(fs::read(&beside).expect("untouched"), b"of somebody else");
    // Nothing is ever deleted but what the salvage itself wrote.
    let now = all(&root);
    let lives = |bytes: &Vec<u8>| now.values().any(|one| one == bytes);
    assert!(before.values().all(lives), "a file is gone");
}
