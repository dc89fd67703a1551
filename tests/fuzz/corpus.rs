//! Whole logs and files of chunks: our own, of every kind of record and compression, and, where Go is
//! there, those that Prometheus' own storage makes (tests/bench/go/wal).

use std::fs;
use std::path::Path;
use std::process::Command;

use prom_fix::walfile::compression::{Compression, Decompressor};
use prom_fix::walfile::frame::{Frames, HEADER, Item, PAGE};
use prom_fix::walfile::head_chunks;
use prom_fix::walfile::writer::Writer;

use super::chance::{Chance, change};
use super::go;

#[derive(Default)]
pub struct Corpus {
    logs: Vec<Log>,
    records: Vec<Vec<u8>>,
    blocks: Vec<(Compression, Vec<u8>)>,
    chunks: Vec<Vec<u8>>,
}

struct Log {
    bytes: Vec<u8>,
    /// Where the headers of its fragments are.
    fragments: Vec<usize>,
}

/// Of a file no more is taken: a case is to be quick, and over the end of a page there is all.
const MOST_LOG: usize = PAGE + PAGE / 4;
/// Of a few files: pages that change places.
const MOST_PAGES: usize = 4 * PAGE;

impl Corpus {
    pub fn make() -> Corpus {
        let mut corpus = Corpus::default();
        for how in [Compression::None, Compression::Snappy, Compression::Zstd] {
            corpus.own(how);
        }
        corpus.prometheus();
        corpus
    }

    pub fn len(&self) -> usize {
        self.logs.len() + self.records.len() + self.blocks.len() + self.chunks.len()
    }

    fn own(&mut self, how: Compression) {
        let mut records: Vec<Vec<u8>> = (1..=13_u8).flat_map(records_of).collect();
        // Over the ends of pages.
        records.push([vec![2], vec![0; 16], samples(5000)].concat());
        records.push(vec![99, 1, 2, 3]);
        records.push(Vec::new());
        let mut all = Vec::new();
        let mut writer = Writer::new(&mut all);
        for record in &records {
            writer.record(how, &compressed(how, record)).expect("memory");
        }
        self.add_log(&all);
        // One that is short: most of its bytes are headers.
        let mut short = Vec::new();
        let mut writer = Writer::new(&mut short);
        for record in records.iter().filter(|record| record.len() < 60) {
            writer.record(how, &compressed(how, record)).expect("memory");
        }
        self.add_log(&short);
        self.chunks.push(chunk_file());
    }

    /// What a server leaves that ran for a while, its segments small.
    fn prometheus(&mut self) {
        let folder = tempfile::tempdir().expect("a folder");
        let Ok(program) = go::build(go::WAL, folder.path()) else {
            return println!("no Go: without the logs that Prometheus' storage makes");
        };
        for how in ["none", "snappy", "zstd", "st"] {
            let data = folder.path().join(how);
            let mut make = Command::new(&program);
            make.arg("make").arg(&data).args(["-series", "60", "-samples", "130"]);
            make.args(["-segment", "131072"]);
            if how == "st" {
                make.arg("-st")
            } else {
                make.args(["-compression", how])
            };
            assert!(make.output().expect("it starts").status.success(), "{how}");
            for folder in ["wal", "wbl", "chunks_head"] {
                self.add_folder(&data.join(folder));
            }
        }
    }

    fn add_folder(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
            if folder.ends_with("chunks_head") {
                self.chunks.push(bytes[..bytes.len().min(MOST_LOG)].to_vec());
            } else if !bytes.is_empty() {
                let most = if self.logs.len().is_multiple_of(8) { MOST_PAGES } else { MOST_LOG };
                self.add_log(&bytes[..bytes.len().min(most)]);
            }
        }
    }

    fn add_log(&mut self, bytes: &[u8]) {
        let mut frames = Frames::new(bytes);
        let mut decompressor = Decompressor::default();
        while let Some(item) = frames.advance() {
            let Item::Record(frame) = item else { continue };
            let record = decompressor.decode(frame.compression, frame.bytes).expect("whole");
            self.records.push(record.to_vec());
            if frame.compression != Compression::None {
                self.blocks.push((frame.compression, frame.bytes.to_vec()));
            }
        }
        let fragments = fragments(bytes);
        self.logs.push(Log { bytes: bytes.to_vec(), fragments });
    }

    /// A log, broken here and there: its bytes, its pages, or a record inside a fragment whose
    /// checksum is right.
    pub fn log(&self, chance: &mut Chance) -> Vec<u8> {
        let log = &self.logs[chance.below(self.logs.len())];
        let mut bytes = log.bytes.clone();
        for _ in 0..chance.below(4) {
            let at = log.fragments[chance.below(log.fragments.len())];
            resum(&mut bytes, at, chance);
        }
        for _ in 0..chance.below(4) {
            if chance.below(5) == 0 {
                change_pages(&mut bytes, chance);
            } else if chance.below(2) == 0 {
                // At a header: there a change says most.
                let at = log.fragments[chance.below(log.fragments.len())] + chance.below(HEADER);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = chance.byte();
                }
            } else {
                change(&mut bytes, chance);
            }
        }
        bytes
    }

    pub fn record(&self, chance: &mut Chance) -> Vec<u8> {
        changed(&self.records[chance.below(self.records.len())], chance)
    }

    pub fn block(&self, chance: &mut Chance) -> (Compression, Vec<u8>) {
        let (how, bytes) = &self.blocks[chance.below(self.blocks.len())];
        (*how, changed(bytes, chance))
    }

    pub fn chunks(&self, chance: &mut Chance) -> Vec<u8> {
        changed(&self.chunks[chance.below(self.chunks.len())], chance)
    }
}

fn changed(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=chance.below(3) {
        change(&mut bytes, chance);
    }
    bytes
}

/// Changes the data of a fragment, and its checksum so that it holds.
fn resum(bytes: &mut [u8], at: usize, chance: &mut Chance) {
    let Some([head, l1, l0]) = bytes.get(at..).and_then(|b| b.first_chunk::<3>()).copied() else {
        return;
    };
    let length = usize::from(u16::from_be_bytes([l1, l0]));
    let Some(data) = bytes.get_mut(at + HEADER..at + HEADER + length) else { return };
    if let Some(byte) = data.get_mut(chance.below(length)) {
        *byte ^= 1 << chance.below(8);
    }
    let sum = crc32c::crc32c(data).to_be_bytes();
    bytes[at + 3..at + HEADER].copy_from_slice(&sum);
    if chance.below(4) == 0 {
        // Another type, or another compression.
        bytes[at] = head ^ (1 << chance.below(5));
    }
}

fn change_pages(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let pages = bytes.len() / PAGE;
    let page = |n: usize| n * PAGE..(n + 1) * PAGE;
    if pages < 2 {
        return;
    }
    let (one, other) = (chance.below(pages), chance.below(pages));
    match chance.below(4) {
        0 => bytes[page(one)].fill(0),
        1 => bytes.copy_within(page(one), other * PAGE),
        2 => {
            bytes.drain(page(one));
        }
        _ => {
            let copy = bytes[page(one)].to_vec();
            bytes.splice(other * PAGE..other * PAGE, copy);
        }
    }
}

fn fragments(bytes: &[u8]) -> Vec<usize> {
    let mut found = vec![0];
    let mut at = 0;
    while let Some([head, l1, l0]) = bytes.get(at..).and_then(|b| b.first_chunk::<3>()).copied() {
        if head & 7 == 0 {
            at = (at / PAGE + 1) * PAGE;
            continue;
        }
        found.push(at);
        at += HEADER + usize::from(u16::from_be_bytes([l1, l0]));
        if PAGE - at % PAGE < HEADER {
            at = at.next_multiple_of(PAGE);
        }
    }
    found
}

fn compressed(how: Compression, record: &[u8]) -> Vec<u8> {
    match how {
        Compression::None => record.to_vec(),
        Compression::Snappy => snap::raw::Encoder::new().compress_vec(record).expect("small"),
        Compression::Zstd => {
            use ruzstd::encoding::{CompressionLevel, compress_to_vec};
            compress_to_vec(record, CompressionLevel::Fastest)
        }
    }
}

/// Steps of one ref and no time, each with a value.
fn samples(count: u32) -> Vec<u8> {
    (0..count).flat_map(|n| [vec![2, 0], f64::from(n).to_be_bytes().to_vec()].concat()).collect()
}

/// A record of a type without entries, and one with bytes that fit most types.
fn records_of(kind: u8) -> [Vec<u8>; 2] {
    let label = b"\x01\x08__name__\x02up";
    let series = [&[0, 0, 0, 0, 0, 0, 0, 7][..], label].concat();
    let body = match kind {
        1 => series.repeat(20),
        3 => [&series[..8], &[2, 4]].concat().repeat(5),
        4 => [vec![0; 16], [&[2, 0][..], &[0; 8], label].concat().repeat(4)].concat(),
        5 => vec![3; 64],
        6 => b"\x07\x01\x01\x04HELP\x02no".repeat(6),
        11 => [vec![14, 20, 0], vec![0; 8], [&[2, 2, 0][..], &[1; 8]].concat().repeat(9)].concat(),
        2 => [vec![0; 16], samples(40)].concat(),
        _ => {
            let spans = [1, 0, 2, 0, 2, 2, 2, 0];
            let one = [&[2, 0, 0, 2][..], &[1; 8], &[1, 3], &[1; 8], &spans].concat();
            [vec![0; 16], one.repeat(4)].concat()
        }
    };
    [vec![kind], [vec![kind], body].concat()]
}

/// A few chunks, one of them out of order.
fn chunk_file() -> Vec<u8> {
    let mut bytes = head_chunks::HEADER.to_vec();
    for n in 0..40_u8 {
        let mut chunk = vec![0, 0, 0, 0, 0, 0, 0, n % 7 + 1];
        chunk.extend((u64::from(n) * 100).to_be_bytes());
        chunk.extend((u64::from(n) * 100 + 99).to_be_bytes());
        chunk.push(if n == 9 { 0x81 } else { 1 });
        chunk.push(20 + n);
        chunk.extend(vec![n; usize::from(20 + n)]);
        let sum = crc32c::crc32c(&chunk);
        bytes.extend(chunk);
        bytes.extend(sum.to_be_bytes());
    }
    bytes.extend([0; 64]);
    bytes
}
