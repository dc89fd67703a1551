//! The ways in which a data directory is broken: one each.

use std::fs;
use std::path::{Path, PathBuf};

use prom_fix::walfile::frame::PAGE;
use prom_fix::walfile::record::RecordType;

use super::dir::{self, Dir, edit};
use super::server::Release;

/// A byte of a file.
pub type At = (PathBuf, usize);

#[derive(Debug)]
pub struct Damage {
    pub name: &'static str,
    pub does: fn(&Dir),
    /// What may be lost of it.
    pub costs: Costs,
    /// Whether it is also done to what Prometheus' storage makes as a library, which has neither
    /// checkpoint nor much of chunks_head.
    pub of_log: bool,
    /// Whether starts follow before anybody looks, until one comes up.
    pub starts: bool,
}

/// The bit that is flipped says "zstd"; releases before 2.46 do not know it, and read on.
pub fn is_unknown_to(release: &Release, name: &str) -> bool {
    name == "flip in a type" && release.version.starts_with("2.42")
}

#[derive(Clone, Copy, Debug)]
pub enum Costs {
    /// Nothing: all of it is elsewhere too.
    Nothing,
    /// The samples of one record.
    OneRecord,
    /// What is in the records at these places of a directory that is whole: samples, and those of the
    /// series that are named there.
    Records(fn(&Dir) -> Vec<At>),
    /// No bound but what Prometheus keeps by itself.
    More,
}

const fn damage(name: &'static str, does: fn(&Dir)) -> Damage {
    Damage { name, does, costs: Costs::More, of_log: false, starts: false }
}

const fn of_log(name: &'static str, does: fn(&Dir)) -> Damage {
    Damage { of_log: true, ..damage(name, does) }
}

const fn one_record(name: &'static str, does: fn(&Dir)) -> Damage {
    Damage { costs: Costs::OneRecord, ..of_log(name, does) }
}

const fn records(damage: Damage, at: fn(&Dir) -> Vec<At>) -> Damage {
    Damage { costs: Costs::Records(at), ..damage }
}

const fn nothing(name: &'static str, does: fn(&Dir)) -> Damage {
    Damage { costs: Costs::Nothing, ..damage(name, does) }
}

pub const ALL: &[Damage] = &[
    Damage { of_log: true, ..nothing("none", |_| {}) },
    // One byte of the log.
    one_record("flip in a Samples record", |d| flip(d, RecordType::Samples, 40)),
    records(of_log("flip in a Series record", |d| flip(d, RecordType::Series, 40)), |d| {
        vec![in_record(d, RecordType::Series, 40)]
    }),
    one_record("flip in a checksum", |d| flip(d, RecordType::Samples, 4)),
    one_record("flip in a length", |d| flip(d, RecordType::Samples, 1)),
    one_record("flip in a type", |d| flip(d, RecordType::Samples, 0)),
    records(damage("flips in three segments", flips), |d| {
        d.segments()[1..4].iter().map(|segment| in_middle(d, segment)).collect()
    }),
    // Pages.
    of_log("page of zeros", |d| edit(&d.middle(), |b| b[PAGE..2 * PAGE].fill(0))),
    of_log("page twice", |d| edit(&d.middle(), |b| b.copy_within(PAGE..2 * PAGE, 2 * PAGE))),
    Damage { of_log: true, ..nothing("page inserted again", |d| edit(&d.middle(), insert_page)) },
    Damage { of_log: true, ..nothing("pages swapped", |d| edit(&d.middle(), |b| swap_pages(b))) },
    Damage {
        of_log: true,
        ..nothing("pages swapped, far apart", |d| edit(&d.middle(), |b| swap_far(b)))
    },
    of_log("garbage in a page", |d| edit(&d.middle(), |b| garbage(&mut b[PAGE + 900..2 * PAGE]))),
    // Ends.
    of_log("last record torn", |d| edit(&last(d), |b| b.truncate(b.len() - 9))),
    damage("last segment cut in a header", |d| edit(&last(d), cut_in_header)),
    nothing("garbage at the end of the last", |d| edit(&last(d), append_garbage)),
    of_log("garbage at the end of a middle one", |d| edit(&d.middle(), append_garbage)),
    nothing("zeros at the end of a middle one", |d| edit(&d.middle(), |b| b.extend([0; 9000]))),
    of_log("middle segment cut in half", |d| edit(&d.middle(), |b| b.truncate(b.len() / 2))),
    of_log("middle segment empty", |d| edit(&d.middle(), Vec::clear)),
    damage("middle segment all garbage", |d| edit(&d.middle(), |b| garbage(b))),
    // Segments.
    damage("first segment missing", |d| remove(&d.segments()[0])),
    of_log("middle segment missing", |d| remove(&d.middle())),
    damage("two middle segments missing", |d| {
        remove(&d.middle());
        remove(&d.middle());
    }),
    damage("last segment missing", |d| remove(&last(d))),
    of_log("all segments missing", |d| d.numbered("wal").iter().for_each(|(_, p)| remove(p))),
    of_log("wal missing", |d| remove_folder(d, "wal")),
    Damage { of_log: true, ..nothing("a number twice", number_twice) },
    nothing("a number without its zeros", |d| {
        let middle = d.middle();
        fs::rename(&middle, without_zeros(&middle)).expect("renamed");
    }),
    // Checkpoints.
    records(damage("flip in the checkpoint", |d| flip_checkpoint(d, 3)), |d| {
        vec![in_checkpoint(d, 3)]
    }),
    records(damage("flip at the end of the checkpoint", |d| flip_checkpoint(d, 1)), |d| {
        vec![in_checkpoint(d, 1)]
    }),
    damage("checkpoint torn", |d| {
        edit(&d.first_of(&d.checkpoint().1), |b| b.truncate(b.len() / 2 + 11));
    }),
    damage("checkpoint missing", |d| remove_folder(d, &d.checkpoint().1)),
    damage("checkpoint without files", |d| {
        let (_, folder) = d.checkpoint();
        remove_folder(d, &folder);
        fs::create_dir(d.0.join(folder)).expect("a folder");
    }),
    damage("checkpoint of no bytes", |d| edit(&d.first_of(&d.checkpoint().1), Vec::clear)),
    records(
        damage("flip in checkpoint and segment", |d| {
            flip_checkpoint(d, 2);
            flip(d, RecordType::Samples, 40);
        }),
        |d| vec![in_checkpoint(d, 2), in_record(d, RecordType::Samples, 40)],
    ),
    nothing("a file named as a checkpoint", |d| {
        fs::write(d.0.join("wal/checkpoint.00000001.bak"), "kept").expect("written");
    }),
    damage("numbers begin again", begin_again),
    Damage { starts: true, ..damage("starts on a flipped checkpoint", |d| flip_checkpoint(d, 3)) },
    // The out-of-order log.
    records(damage("flip in the wbl", |d| flip_in(d, &d.first_of("wbl"))), |d| {
        vec![in_middle(d, &d.first_of("wbl"))]
    }),
    damage("wbl torn", |d| edit(&d.first_of("wbl"), |b| b.truncate(b.len() / 2 + 3))),
    damage("wbl segment missing", |d| {
        let files = d.numbered("wbl");
        remove(&files[files.len() / 2].1);
    }),
    damage("wbl number without its zeros", |d| {
        let file = d.first_of("wbl");
        fs::rename(&file, without_zeros(&file)).expect("renamed");
    }),
    damage("wbl missing", |d| remove_folder(d, "wbl")),
    // Chunks of the head.
    nothing("chunk out of sequence", |d| edit(&chunks(d, 1), append_first_chunk)),
    nothing("chunks_head magic", |d| edit(&chunks(d, 1), |b| b[0] ^= 0xff)),
    nothing("chunks_head version", |d| edit(&chunks(d, 1), |b| b[4] = 9)),
    nothing("flip in a chunk", |d| edit(&chunks(d, 1), |b| b[60] ^= 0x10)),
    nothing("flip in the ref of a chunk", |d| edit(&chunks(d, 1), |b| b[15] ^= 0x10)),
    nothing("chunks_head cut", |d| edit(&chunks(d, 1), |b| b.truncate(100))),
    nothing("chunks_head middle missing", |d| remove(&chunks(d, 1))),
    nothing("chunks_head middle empty", |d| edit(&chunks(d, 1), Vec::clear)),
    nothing("chunks_head last empty", |d| edit(&chunks(d, usize::MAX), Vec::clear)),
    nothing("chunks_head missing", |d| remove_folder(d, "chunks_head")),
    damage("flip in a chunk and a Series record", |d| {
        edit(&chunks(d, 1), |b| b[60] ^= 0x10);
        flip(d, RecordType::Series, 40);
    }),
    // Left by hands (real case C4), or by a start that was killed.
    nothing("two generations", generations),
    nothing("checkpoint half made", |d| {
        let (number, from) = d.checkpoint();
        let to = d.0.join(format!("wal/checkpoint.{:08}.tmp", number + 1));
        dir::copy(&d.0.join(from), &to);
    }),
    nothing("repair begun", |d| {
        let middle = d.middle();
        fs::rename(&middle, middle.with_extension("repair")).expect("renamed");
    }),
    damage("repair begun, later ones deleted", |d| repair_begun(d, 0)),
    damage("repair ended midway", |d| repair_begun(d, 2 * PAGE)),
];

/// What is left where Prometheus was ended during a repair: the later segments are deleted, the damaged
/// one is renamed, and of the new one so many bytes are written.
fn repair_begun(dir: &Dir, bytes: usize) {
    flip(dir, RecordType::Samples, 40);
    let damaged = dir.middle();
    let later = dir.segments().into_iter().filter(|segment| *segment > damaged);
    later.for_each(|segment| remove(&segment));
    let whole = fs::read(&damaged).expect("a segment");
    fs::rename(&damaged, damaged.with_extension("repair")).expect("renamed");
    if bytes > 0 {
        fs::write(&damaged, &whole[..bytes]).expect("written");
    }
}

fn last(dir: &Dir) -> std::path::PathBuf {
    dir.segments().pop().expect("a segment")
}

fn chunks(dir: &Dir, at: usize) -> std::path::PathBuf {
    let files = dir.numbered("chunks_head");
    assert!(files.len() > 2, "{files:?}");
    files[at.min(files.len() - 1)].1.clone()
}

fn remove(path: &Path) {
    fs::remove_file(path).expect("removed");
}

/// Out of the way, not removed.
fn remove_folder(dir: &Dir, folder: &str) {
    let away = dir.0.with_extension(folder.replace('/', "-"));
    fs::rename(dir.0.join(folder), away).expect("renamed");
}

fn flip_at((file, at): At) {
    edit(&file, |bytes| bytes[at] ^= 0x10);
}

fn flip(dir: &Dir, kind: RecordType, behind: usize) {
    flip_at(in_record(dir, kind, behind));
}

fn flip_in(dir: &Dir, file: &Path) {
    flip_at(in_middle(dir, file));
}

/// In a record of a type, so many bytes behind the head of its first fragment; one from the middle of
/// the log on, where there is one.
fn in_record(dir: &Dir, kind: RecordType, behind: usize) -> At {
    let segments = dir.segments();
    let (before, from) = segments.split_at(segments.len() / 2);
    let records: Vec<_> =
        from.iter().chain(before).flat_map(|segment| dir.records(segment, kind)).collect();
    let whole_in_page = |at: &std::ops::Range<usize>| at.start / PAGE == (at.end - 1) / PAGE;
    let mut fit = records.iter().filter(|(_, at)| whole_in_page(at) && at.len() > behind);
    let (file, at) = fit.next().expect("a record within a page");
    (file.clone(), at.start + behind)
}

/// In the samples in the middle of a file.
fn in_middle(dir: &Dir, file: &Path) -> At {
    let (file, at) = dir.record(file, RecordType::Samples);
    (file, at.start + 20)
}

/// After one part of so many of its bytes.
fn in_checkpoint(dir: &Dir, part: usize) -> At {
    let file = dir.first_of(&dir.checkpoint().1);
    let size = usize::try_from(dir::size(&file)).expect("small");
    (file, (size / part).min(size - 5))
}

fn flips(dir: &Dir) {
    for segment in &dir.segments()[1..4] {
        flip_in(dir, segment);
    }
}

fn flip_checkpoint(dir: &Dir, part: usize) {
    flip_at(in_checkpoint(dir, part));
}

fn insert_page(bytes: &mut Vec<u8>) {
    let page = bytes[PAGE..2 * PAGE].to_vec();
    bytes.splice(2 * PAGE..2 * PAGE, page);
}

fn swap_pages(bytes: &mut [u8]) {
    swap(bytes, 1, 2);
}

/// The first with the last that is full.
fn swap_far(bytes: &mut [u8]) {
    let last = bytes.len() / PAGE - 1;
    assert!(last > 2, "{last}: too few pages");
    swap(bytes, 0, last);
}

fn swap(bytes: &mut [u8], a: usize, b: usize) {
    let (first, second) = bytes.split_at_mut(b * PAGE);
    first[a * PAGE..(a + 1) * PAGE].swap_with_slice(&mut second[..PAGE]);
}

/// The same bytes at each run, and no fragment among them.
fn garbage(bytes: &mut [u8]) {
    let mut state = 0x2545_f491_u32;
    for byte in bytes {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *byte = state.to_le_bytes()[1];
    }
}

fn append_garbage(bytes: &mut Vec<u8>) {
    let length = bytes.len();
    bytes.resize(length + 3000, 0);
    garbage(&mut bytes[length..]);
}

fn cut_in_header(bytes: &mut Vec<u8>) {
    bytes.truncate(bytes.len() / PAGE * PAGE + 3);
}

/// `3` beside `00000003`, as a tool for copies may leave it.
fn number_twice(dir: &Dir) {
    let middle = dir.middle();
    fs::copy(&middle, without_zeros(&middle)).expect("a copy");
}

/// `3` for `00000003`.
fn without_zeros(file: &Path) -> std::path::PathBuf {
    let name = file.file_name().and_then(|n| n.to_str()).expect("a name");
    let short = name.trim_start_matches('0');
    file.with_file_name(if short.is_empty() { "0" } else { short })
}

/// What two starts on a damaged checkpoint leave: no segment but new ones, from 0 on.
fn begin_again(dir: &Dir) {
    let (last, _) = dir.checkpoint();
    assert!(last > 1, "{last}: a new one would be read");
    dir.numbered("wal").iter().for_each(|(_, path)| remove(path));
    fs::write(dir.0.join("wal/00000000"), []).expect("written");
}

/// Once more, behind the last.
fn append_first_chunk(bytes: &mut Vec<u8>) {
    let whole = prom_fix::walfile::head_chunks::survey(&mut bytes.as_slice(), None);
    let end = usize::try_from(whole.offset).expect("small");
    let ends = |at: &usize| {
        let found = prom_fix::walfile::head_chunks::survey(&mut &bytes[..*at], None);
        found.chunks == 1 && found.fault.is_none()
    };
    let first = (9..end).find(ends).expect("a chunk");
    let first = bytes[8..first].to_vec();
    bytes.splice(end..end, first);
}

/// A backup was put back over a younger log: low numbers of a server of its own, whose refs mean other
/// series.
fn generations(dir: &Dir) {
    let (last, _) = dir.checkpoint();
    assert!(last > 2, "{last}: the old numbers would be read");
    let other = dir.0.ancestors().nth(2).expect("where all are made").join("library/wal");
    for number in [1, 2] {
        let to = dir.0.join(format!("wal/{number:08}"));
        assert!(!to.exists(), "{}", to.display());
        fs::copy(other.join(format!("{:08}", number - 1)), to).expect("a copy");
    }
}
