//! A copy of a data directory, and its files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use prom_fix::walfile::compression::Decompressor;
use prom_fix::walfile::frame::{Frames, Item, PAGE};
use prom_fix::walfile::record::RecordType;

pub struct Dir(pub PathBuf);

pub type Place = (PathBuf, std::ops::Range<usize>);

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

impl Dir {
    /// The files of a folder whose names are numbers, in their order.
    pub fn numbered(&self, folder: &str) -> Vec<(u64, PathBuf)> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.0.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
            if let Ok(number) = name.parse() {
                found.push((number, path));
            }
        }
        found.sort();
        found
    }

    /// The last checkpoint, as a folder of the directory.
    pub fn checkpoint(&self) -> (u64, String) {
        self.last_checkpoint().expect("a checkpoint")
    }

    fn last_checkpoint(&self) -> Option<(u64, String)> {
        let entries = fs::read_dir(self.0.join("wal")).expect("a folder");
        let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("text"));
        let number = |name: String| Some((name.strip_prefix("checkpoint.")?.parse().ok()?, name));
        names.filter_map(number).max().map(|(number, name)| (number, format!("wal/{name}")))
    }

    /// Segments that are read after the checkpoint, without empty ones.
    pub fn segments(&self) -> Vec<PathBuf> {
        let last = self.last_checkpoint().map(|(last, _)| last);
        let read = self.numbered("wal").into_iter().filter(|(number, _)| Some(*number) > last);
        let read = read.map(|(_, path)| path).filter(|path| size(path) > 0);
        read.collect()
    }

    /// The largest with more before and behind it.
    pub fn middle(&self) -> PathBuf {
        let segments = self.segments();
        let [_, middle @ .., _] = segments.as_slice() else { panic!("{segments:?}") };
        let middle = middle.iter().max_by_key(|path| size(path)).expect("three segments").clone();
        assert!(size(&middle) > 2 * PAGE as u64, "{}: {}", middle.display(), size(&middle));
        middle
    }

    pub fn first_of(&self, folder: &str) -> PathBuf {
        let files = self.numbered(folder).into_iter().map(|(_, path)| path);
        files.into_iter().find(|path| size(path) > 0).expect("a file that is not empty")
    }

    /// Where the records of a type lie in a file.
    pub fn records(&self, file: &Path, kind: RecordType) -> Vec<Place> {
        let mut frames = Frames::new(File::open(file).expect("a file"));
        let mut decompressor = Decompressor::default();
        let mut found = Vec::new();
        while let Some(item) = frames.advance() {
            let Item::Record(frame) = item else { panic!("{}: {item:?}", file.display()) };
            let bytes = decompressor.decode(frame.compression, frame.bytes).expect("a record");
            if RecordType::of(bytes.first().copied()) == kind {
                let at = |offset: u64| usize::try_from(offset).expect("small");
                found.push((file.to_owned(), at(frame.offset)..at(frame.end)));
            }
        }
        found
    }

    /// What the record at a place holds: nothing where none is, as at the end of a page.
    pub fn holds(file: &Path, at: usize) -> Vec<u8> {
        let mut frames = Frames::new(File::open(file).expect("a file"));
        let mut decompressor = Decompressor::default();
        while let Some(item) = frames.advance() {
            let Item::Record(frame) = item else { panic!("{}: {item:?}", file.display()) };
            if (frame.offset..frame.end).contains(&(at as u64)) {
                return decompressor
                    .decode(frame.compression, frame.bytes)
                    .expect("whole")
                    .to_vec();
            }
        }
        Vec::new()
    }

    /// A record of a type in the middle of a file, or else in the file of the log that has one.
    pub fn record(&self, file: &Path, kind: RecordType) -> Place {
        let mut records = self.records(file, kind);
        assert!(!records.is_empty(), "{}: no {kind:?}", file.display());
        records.swap_remove(records.len() / 2)
    }
}

pub fn size(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").len()
}

/// Changes the bytes of a file.
pub fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("a file");
    change(&mut bytes);
    fs::write(path, bytes).expect("written");
}
