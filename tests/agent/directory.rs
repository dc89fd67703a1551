//! Data directories with all kinds of damage, and what is in one, to the last bit.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use prom_fix::walfile::compression::Compression;
use prom_fix::walfile::writer::Writer;

/// In memory where there is such a place: what waits for a disk in tests is not the disk.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder")
}

pub fn agent(fault: &str, words: &[&str], dir: &Path) -> Output {
    let mut agent = Command::new(env!("CARGO_BIN_EXE_prom-fix-agent"));
    agent.args(words).arg(dir);
    if !fault.is_empty() {
        agent.env("PROM_FIX_FAULT", fault);
    }
    agent.output().expect("it starts")
}

/// Runs it, and wants this exit.
#[track_caller]
pub fn run(words: &[&str], dir: &Path, exit: i32) -> String {
    let output = agent("", words, dir);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(exit), "{words:?}\n{out}\n{err}");
    if exit == 0 || exit == 2 { out } else { err }
}

/// Mode, owner, group and bytes; what is no file has no bytes.
pub type What = (u32, u32, u32, Option<Vec<u8>>);

/// All below a folder.
pub type Everything = BTreeMap<PathBuf, What>;

pub fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

pub fn everything(root: &Path) -> Everything {
    fn walk(root: &Path, folder: &Path, into: &mut Everything) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is = fs::symlink_metadata(&path).expect("it is there");
            let bytes = is.is_file().then(|| fs::read(&path).expect("its bytes"));
            let name = path.strip_prefix(root).expect("below").to_owned();
            into.insert(name, (is.mode(), is.uid(), is.gid(), bytes));
            if is.is_dir() {
                walk(root, &path, into);
            }
        }
    }
    let mut all = Everything::new();
    walk(root, root, &mut all);
    all
}

/// The same but for the time in the name of the folder of a salvage.
pub fn timeless(all: Everything) -> Everything {
    let name = |path: PathBuf| {
        let mut parts = path.iter();
        let first = parts.next().expect("a name").to_string_lossy().into_owned();
        if first.starts_with("prom-fix-") {
            PathBuf::from("prom-fix").join(parts.as_path())
        } else {
            path
        }
    };
    let untimed = |(mode, uid, gid, bytes): What| {
        let bytes = bytes.map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => untimed_text(&text).into_bytes(),
            Err(error) => error.into_bytes(),
        });
        (mode, uid, gid, bytes)
    };
    all.into_iter().map(|(path, what)| (name(path), untimed(what))).collect()
}

pub fn untimed_text(text: &str) -> String {
    let mut parts = text.split("prom-fix-2");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + "prom-fix-" + part.get(15..).unwrap_or_default())
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).expect("short"));
    out.extend(text.as_bytes());
}

/// A Series record.
pub fn series(refs: std::ops::Range<u64>) -> Vec<u8> {
    let mut out = vec![1];
    for reference in refs {
        out.extend(reference.to_be_bytes());
        out.push(2);
        for word in ["__name__", "up", "n", &reference.to_string()] {
            text(&mut out, word);
        }
    }
    out
}

/// A Samples record: one for each ref at a time, in milliseconds.
pub fn samples(refs: std::ops::Range<u64>, time: i64) -> Vec<u8> {
    let mut out = vec![2];
    out.extend(refs.start.to_be_bytes());
    out.extend(time.to_be_bytes());
    for (at, _) in refs.enumerate() {
        let zigzag = u8::try_from(at * 2).expect("few");
        if zigzag < 0x80 {
            out.push(zigzag);
        } else {
            out.extend([zigzag | 0x80, 1]);
        }
        out.push(0);
        out.extend(1.5_f64.to_be_bytes());
    }
    out
}

pub fn log(records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    for record in records {
        writer.record(Compression::None, record).expect("to memory");
    }
    out
}

/// A file of chunks, one of each ref; each 39 bytes.
pub fn chunks(refs: std::ops::Range<u64>, time: i64) -> Vec<u8> {
    let mut out = prom_fix::walfile::head_chunks::HEADER.to_vec();
    for reference in refs {
        let from = out.len();
        out.extend(reference.to_be_bytes());
        out.extend(time.to_be_bytes());
        out.extend((time + 1000).to_be_bytes());
        out.extend([1, 9, 0, 1, 7, 7, 7, 7, 7, 7, 7]);
        let sum = crc32c::crc32c(&out[from..]);
        out.extend(sum.to_be_bytes());
    }
    out
}

pub fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, bytes).expect("written");
}

pub fn flip(root: &Path, name: &str, at: usize) {
    let path = root.join(name);
    let mut bytes = fs::read(&path).expect("its bytes");
    bytes[at] ^= 0x40;
    fs::write(path, bytes).expect("written");
}

/// The index of a block without series: a head, and a table of contents.
fn index() -> Vec<u8> {
    let toc = [0; 48];
    let sum = crc32c::crc32c(&toc).to_be_bytes();
    [&[0xba, 0xaa, 0xd7, 0, 2], &toc[..], &sum].concat()
}

/// Healthy: a checkpoint, four segments, an out-of-order log, chunks.
pub fn healthy(root: &Path) {
    let some = |segment: i64| -> Vec<Vec<u8>> {
        (0..40).map(|at| samples(1..60, (segment * 40 + at) * 1000)).collect()
    };
    put(root, "wal/checkpoint.00000002/00000000", &log(&[vec![series(1..60)], some(0)].concat()));
    for number in 2_i64..7 {
        let new = u64::try_from(number).expect("small") * 10 + 50;
        let own = samples(new..new + 5, number * 40_000);
        let records = [vec![series(new..new + 10)], some(number), vec![own]].concat();
        put(root, &format!("wal/{number:08}"), &log(&records));
    }
    for number in 0..3 {
        put(root, &format!("wbl/{number:08}"), &log(&some(number)));
    }
    for (number, time) in [(1, 0), (2, 10_000), (3, 20_000)] {
        put(root, &format!("chunks_head/{number:06}"), &chunks(1..50, time));
    }
    put(root, "chunk_snapshot.000005.0009999999/00000000", &log(&[vec![9; 20]]));
    put(root, "queries.active", b"[]");
    let meta = br#"{"version":1,"minTime":0,"maxTime":7200000}"#;
    put(root, "01M827CT0DKCN5KG2K87TH0H4J/meta.json", b"half a meta");
    put(root, "01M827CT0DKCN5KG2K87TH0H4K/meta.json", meta);
    put(root, "01M827CT0DKCN5KG2K87TH0H4K/chunks/000001", &[0x85, 0xbd, 0x40, 0xdd, 1, 0, 0, 0]);
    put(root, "01M827CT0DKCN5KG2K87TH0H4K/index", &index());
}

/// All that can be wrong at once.
pub fn damaged(root: &Path) {
    healthy(root);
    flip(root, "wal/checkpoint.00000002/00000000", 3000);
    flip(root, "wal/00000002", 700);
    flip(root, "wal/00000003", 3000);
    fs::remove_file(root.join("wal/00000004")).expect("it was there");
    // Of a Series record one wrong byte would be put right.
    flip(root, "wal/00000006", 20);
    flip(root, "wal/00000006", 40);
    put(root, "wal/5", b"another");
    // A repair that was ended on its way.
    let some = (0..40).map(|at| samples(1..60, (280 + at) * 1000));
    let records: Vec<Vec<u8>> = std::iter::once(series(1..10)).chain(some).collect();
    put(root, "wal/00000007", &log(&records[..9]));
    put(root, "wal/00000007.repair", &log(&records));
    flip(root, "wal/00000007.repair", 9000);
    put(root, "wal/checkpoint.00000001", b"no folder");
    flip(root, "wbl/00000000", 100);
    fs::remove_file(root.join("wbl/00000001")).expect("it was there");
    fs::rename(root.join("wbl/00000002"), root.join("wbl/2")).expect("it was there");
    flip(root, "chunks_head/000002", 500);
    flip(root, "01M827CT0DKCN5KG2K87TH0H4K/index", 0);
    flip(root, "chunk_snapshot.000005.0009999999/00000000", 8);
    // What a new file has is what the old one had.
    let mode = |name: &str, mode| {
        fs::set_permissions(root.join(name), Permissions::from_mode(mode)).expect("ours");
    };
    mode("wal/00000003", 0o640);
    mode("chunks_head/000002", 0o604);
    if fs::metadata(root).expect("it is there").uid() == 0 {
        for name in ["wal", "wal/00000003", "wbl/00000000", "chunks_head/000002"] {
            std::os::unix::fs::chown(root.join(name), Some(65534), Some(65534)).expect("root may");
        }
    }
}
