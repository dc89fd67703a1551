//! What lies in a data directory, by its names alone (prometheus/prometheus tsdb/db.go,
//! tsdb/wlog/wlog.go, tsdb/chunks/head_chunks.go, tsdb/head.go). Nothing is opened, and no link is
//! followed: a name that should be a file and is a link is a stranger.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::walfile::uploads;

/// Where the old files of a salvage are kept: this and a time.
pub const ASIDE: &str = "prom-fix-";

/// A data directory, as a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    pub root: PathBuf,
    pub wal: Log,
    /// By number; Prometheus reads the last only.
    pub checkpoints: Vec<Log>,
    /// Named as checkpoints, and no folders: no start takes that.
    pub odd: Vec<PathBuf>,
    /// The out-of-order log.
    pub wbl: Log,
    /// Completed chunks of the head, by number.
    pub chunks_head: Log,
    /// `chunk_snapshot.NNNNNN.NNNNNNNNNN`, in the order of their names.
    pub snapshots: Vec<Snapshot>,
    /// Folders named by an ULID, in the order of their names.
    pub blocks: Vec<PathBuf>,
    /// What Prometheus left half made, and takes away at its start.
    pub temporary: Vec<PathBuf>,
    /// What was set aside by a salvage.
    pub aside: Vec<PathBuf>,
    /// `lock`, where it is there.
    pub lock: Option<PathBuf>,
}

/// A folder of numbered files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    pub path: PathBuf,
    /// Whether the folder is there.
    pub exists: bool,
    /// Of a checkpoint: the last segment whose place it takes.
    pub number: Option<u64>,
    /// By number, then by name.
    pub files: Vec<Numbered>,
    /// `00000003.repair`: what a repair of a segment left that was not finished, by number.
    pub repairs: Vec<Numbered>,
    /// What else is in the folder; Prometheus passes over it.
    pub strangers: Vec<PathBuf>,
}

/// Why nothing is read of them: see [`Log::posing`].
pub const POSES: &str = "named as a file of the log, and is none";

impl Log {
    /// What Prometheus takes for a file of the log, by its name alone (tsdb/wlog/wlog.go `listSegments`):
    /// a folder, a link, a number with a sign.
    pub fn posing(&self) -> impl Iterator<Item = (u64, &Path)> {
        self.strangers.iter().filter_map(|path| {
            let number: i64 = name(path).parse().ok()?;
            Some((number.unsigned_abs(), path.as_path()))
        })
    }
}

/// A file whose name is a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    pub number: u64,
    /// As it stands on the disk: `3` and `00000003` are the same number.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
}

/// A snapshot of the head that a clean shutdown left: `chunk_snapshot.<segment>.<offset>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub path: PathBuf,
    /// The segment of the WAL, and the offset in it, up to which it replaces a replay.
    pub segment: u64,
    pub offset: u64,
    pub files: Vec<Numbered>,
}

/// Lists a data directory. An error only where the directory itself cannot be listed; what cannot be
/// looked at below it is an error too, for what was not seen must not pass for absent.
pub fn read(root: &Path) -> io::Result<Layout> {
    let mut layout = Layout { root: root.to_owned(), ..Layout::default() };
    layout.wal = log(&root.join("wal"), None)?;
    layout.wbl = log(&root.join("wbl"), None)?;
    layout.chunks_head = log(&root.join("chunks_head"), None)?;
    for path in std::mem::take(&mut layout.wal.strangers) {
        match numbered(&path, "checkpoint.") {
            // Also a half made one, which 2.42 and 2.53 do not take away.
            _ if name(&path).starts_with("checkpoint.") && is_other(&path)? => {
                layout.odd.push(path);
            }
            Some(number) => layout.checkpoints.push(log(&path, Some(number))?),
            _ if is_temporary(&path) => layout.temporary.push(path),
            _ => layout.wal.strangers.push(path),
        }
    }
    layout.checkpoints.sort_by_key(|checkpoint| checkpoint.number);
    for (path, metadata) in entries(root)? {
        let name = name(&path);
        if is_temporary(&path) {
            layout.temporary.push(path);
        } else if name == "lock" {
            layout.lock = Some(path);
        } else if metadata.is_dir() {
            if name.starts_with(ASIDE) {
                layout.aside.push(path);
            } else if let Some((segment, offset)) = snapshot(&name) {
                let files = log(&path, None)?.files;
                layout.snapshots.push(Snapshot { path, segment, offset, files });
            } else if is_ulid(&name) {
                layout.blocks.push(path);
            }
        }
    }
    Ok(layout)
}

/// A folder of numbered files; an empty one that does not exist where it is not there.
pub fn log(path: &Path, number: Option<u64>) -> io::Result<Log> {
    let mut log = Log { path: path.to_owned(), number, ..Log::default() };
    let found = match entries(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(log),
        Err(error) => return Err(error),
    };
    log.exists = true;
    for (path, metadata) in found {
        let size = metadata.len();
        match (numbered(&path, ""), repaired(&path)) {
            (Some(number), _) if metadata.is_file() => {
                log.files.push(Numbered { number, path, size });
            }
            (None, Some(number)) if metadata.is_file() => {
                log.repairs.push(Numbered { number, path, size });
            }
            _ => log.strangers.push(path),
        }
    }
    log.files.sort_by_key(|file| file.number);
    Ok(log)
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// By name, and what each is; the error names the path.
fn entries(folder: &Path) -> io::Result<Vec<(PathBuf, Metadata)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| named(folder, error))? {
        let path = entry.map_err(|error| named(folder, error))?.path();
        match fs::symlink_metadata(&path) {
            Ok(metadata) => found.push((path, metadata)),
            // Gone since it was listed: the Prometheus that owns it runs.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(named(&path, error)),
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Whether it is there, and no folder.
fn is_other(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(!metadata.is_dir()),
        // The Prometheus that owns it runs, and has renamed it since it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(named(path, error)),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The number that a name is, after `prefix`. Go's `strconv.Atoi`, by which Prometheus reads it,
/// takes a sign too; no release writes one.
fn numbered(path: &Path, prefix: &str) -> Option<u64> {
    digits(name(path).strip_prefix(prefix)?)
}

fn repaired(path: &Path) -> Option<u64> {
    digits(name(path).strip_suffix(".repair")?)
}

fn digits(digits: &str) -> Option<u64> {
    let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if all { digits.parse().ok() } else { None }
}

fn snapshot(name: &str) -> Option<(u64, u64)> {
    let (segment, offset) = name.strip_prefix("chunk_snapshot.")?.split_once('.')?;
    Some((segment.parse().ok()?, offset.parse().ok()?))
}

/// What a start takes away (tsdb/db.go `isTmpDir`), and what promtool leaves when it is interrupted.
/// Whatever else ends so is somebody's own.
fn is_temporary(path: &Path) -> bool {
    let name = name(path);
    let endings = [".tmp", ".tmp-for-creation", ".tmp-for-deletion"];
    let stem = endings.iter().find_map(|ending| name.strip_suffix(ending));
    stem.is_some_and(|stem| {
        is_ulid(stem) || stem.starts_with("checkpoint.") || stem.starts_with("chunk_snapshot.")
    }) || name.starts_with("tmp_dbro_sandbox")
}

/// Whether it is the name of something that Prometheus makes right in its data directory
/// (tsdb/db.go; `queries.active` of promql/query_logger.go; `snapshots` of its admin API), or the
/// sidecar of Thanos, which notes there what it has uploaded.
pub fn is_known(name: &str) -> bool {
    let own =
        ["wal", "wbl", "chunks_head", "lock", "queries.active", "snapshots", "thanos.shipper.json"];
    own.contains(&name)
        || is_ulid(name)
        || snapshot(name).is_some()
        || is_temporary(Path::new(name))
}

/// What a block is called.
pub(super) fn is_ulid(name: &str) -> bool {
    uploads::made(name).is_some()
}
