//! What ended a run, by its own last words: one table for all classes, so that no two of them
//! claim the same line. Knows texts, no codes: a class maps the signs that are its own.
//!
//! The head of a wrapped error is the same for many faults ("repair corrupted WAL: cannot handle
//! error: …" may end in "permission denied"), so the tail is asked first. Texts: prometheus 2.0 to
//! 3.14, `cmd/prometheus/main.go`, `tsdb/db.go`, `tsdb/head.go`, `tsdb/wlog/`,
//! `tsdb/chunks/head_chunks.go`, `promql/query_logger.go`.

use super::{Line, fatal, last_run};

/// What kind of fault the last words tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Configuration file, rules or flags.
    Config,
    /// The web configuration file: TLS and authentication.
    WebConfig,
    /// The address or port to listen on.
    Listen(Listen),
    /// The lock of the data directory is held.
    Locked,
    /// The file system has no locks, or refuses rename.
    BadFileSystem,
    Full,
    Io,
    /// `read-only file system`, at this path where one is named.
    ReadOnly(String),
    /// `mmap: cannot allocate memory`.
    AddressSpace,
    /// `permission denied`, at this path where one is named.
    Denied(String),
    /// The directory above the data does not exist.
    NoDirectory(String),
    /// A WAL segment number is missing or doubled.
    Gap,
    /// Segments begin above 0 and there is no checkpoint.
    CheckpointLost,
    Checkpoint,
    Segment,
    Wbl,
    HeadChunks,
    Block,
    Overlap,
    /// None of these.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    InUse,
    /// An address that no interface of the pod has.
    NotOurs,
    /// A port below 1024 without the right to it.
    Privileged,
    Malformed,
}

impl Sign {
    /// Whether it can only strike before the replay of the WAL begins: a run that got there has
    /// left it behind.
    pub fn before_replay(&self) -> bool {
        match self {
            Sign::Config
            | Sign::WebConfig
            | Sign::Listen(_)
            | Sign::Locked
            | Sign::NoDirectory(_)
            | Sign::Gap
            | Sign::Block
            | Sign::Overlap => true,
            // queries.active, lock and wal/ are opened before; segments and chunks_head later.
            Sign::Denied(path) | Sign::ReadOnly(path) => {
                path.ends_with("queries.active") || path.ends_with("/lock")
            }
            Sign::BadFileSystem
            | Sign::Full
            | Sign::Io
            | Sign::AddressSpace
            | Sign::CheckpointLost
            | Sign::Checkpoint
            | Sign::Segment
            | Sign::Wbl
            | Sign::HeadChunks
            | Sign::Unknown => false,
        }
    }
}

/// What ended the last run, and the line that says it best; `None` where no line does (killed,
/// stopped, or the log was cut).
pub fn ended_by(lines: &[Line]) -> Option<(Sign, &Line)> {
    let run = last_run(lines);
    let last = fatal(run)?;
    // The panic only repeats what a line before it said with its cause.
    let cause = last.has("active query log").then(|| {
        let first = ["Error opening query log file", "Failed to create directory for logging"];
        run.iter().find(|l| first.iter().any(|t| l.msg().starts_with(t)) && !l.err().is_empty())
    });
    let line = cause.flatten().unwrap_or(last);
    if last.text().starts_with("fatal error: fault") && of_full_disk(run) {
        let shown = run.iter().find(|l| l.text().starts_with("[signal SIGBUS")).unwrap_or(last);
        return Some((Sign::Full, shown));
    }
    Some((sign(line), line))
}

/// A bus error while the file of active queries is mapped: a sparse file on a full volume, 2.12
/// to 3.13.1. The stack names it; where the stack was cut, no storage had been opened yet.
fn of_full_disk(run: &[Line]) -> bool {
    let any = |text: &str| run.iter().any(|l| l.raw().contains(text));
    any("SIGBUS") && (any("ActiveQueryTracker") || !any("component=tsdb") && !any("Starting TSDB"))
}

/// What one line tells of.
pub fn sign(line: &Line) -> Sign {
    let text = line.says();
    let has = |part: &str| text.contains(part);
    of_flags(line, text).or_else(|| of_listener(line, text)).unwrap_or_else(|| {
        if has("resource temporarily unavailable") {
            Sign::Locked
        } else if has("no locks available") || (has("rename ") && has("peration not permitted")) {
            Sign::BadFileSystem
        } else if has("no space left on device") || has("disk quota exceeded") {
            Sign::Full
        } else if has("input/output error")
            || has("stale NFS file handle")
            || has("stale file handle")
        {
            Sign::Io
        } else if has("read-only file system") {
            Sign::ReadOnly(path(text, ": read-only file system"))
        } else if has("cannot allocate memory") {
            Sign::AddressSpace
        } else if has("permission denied") {
            Sign::Denied(path(text, ": permission denied"))
        } else if has("operation not permitted") {
            Sign::Denied(path(text, ": operation not permitted"))
        } else if line.msg().starts_with("Failed to create directory for logging") {
            Sign::NoDirectory(path(text, ": no such file or directory"))
        } else if line.msg().starts_with("Error opening query log file")
            && has("no such file or directory")
        {
            // It makes the directory first, with all above it, and up to 2.5x does not say why it could
            // not (promql/query_logger.go, `MkdirAll`): being refused is by far the most frequent.
            Sign::Denied(path(text, ": no such file or directory"))
        } else {
            of_storage(text)
        }
    })
}

fn of_flags(line: &Line, text: &str) -> Option<Sign> {
    if line.msg().starts_with("Unable to validate web configuration file") {
        return Some(Sign::WebConfig);
    }
    if text.starts_with("Error parsing command line arguments")
        && text.contains("web.listen-address")
        || text.starts_with("parse external URL \"\"")
    {
        return Some(Sign::Listen(Listen::Malformed));
    }
    let config = line.msg().starts_with("Error loading config")
        || text.contains("rror loading config from")
        || text.starts_with("Error loading config")
        || text.starts_with("Error parsing command line arguments")
        || text.starts_with("prometheus: error: ")
        || text.starts_with("parse external URL");
    config.then_some(Sign::Config)
}

fn of_listener(line: &Line, text: &str) -> Option<Sign> {
    let listener = text.contains("listen tcp")
        || line.msg().starts_with("Unable to start web listener")
        || text.starts_with("error starting web server");
    let has = |part: &str| text.contains(part);
    listener.then(|| {
        Sign::Listen(if has("address already in use") || has("Only one usage of each socket") {
            Listen::InUse
        } else if has("cannot assign requested address") {
            Listen::NotOurs
        } else if has("permission denied") {
            Listen::Privileged
        } else {
            Listen::Malformed
        })
    })
}

/// Damage of what is stored, once permissions and the disk are ruled out.
fn of_storage(text: &str) -> Sign {
    let has = |part: &str| text.contains(part);
    let any = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if has("backfill checkpoint") || (has(".repair: no such file") && has("rename ")) {
        Sign::Checkpoint
    } else if any(&["segments are not sequential", "unexpected gap to last checkpoint"]) {
        Sign::Gap
    } else if has("open WAL segment: 0:") && has("no such file") {
        Sign::CheckpointLost
    } else if has("open WAL segment: ") && has("no such file") {
        Sign::Gap
    } else if any(&["chunks_head", "head chunk file"]) {
        Sign::HeadChunks
    } else if any(&["invalid block sequence", "block time ranges overlap"]) {
        Sign::Overlap
    } else if any(BLOCK) {
        Sign::Block
    } else if any(&["repair corrupted WBL", "/wbl/"]) {
        Sign::Wbl
    } else if any(SEGMENT) {
        Sign::Segment
    } else {
        Sign::Unknown
    }
}

/// Texts of a damaged block. 2.49 to 3.9 lose the block's name, so that only the tail is left.
const BLOCK: &[&str] = &[
    "corrupted block",
    "invalid magic number",
    "read TOC",
    "read symbols",
    "try lock file",
    "block dir:",
    "open block ",
    "mmap, size 0",
    "meta.json",
    "unexpected end of JSON input",
    "/chunks: no such file",
    "/index: no such file",
];

const SEGMENT: &[&str] = &[
    "repair corrupted WAL",
    "corruption in segment",
    "read records",
    "read WAL",
    "invalid record type",
    "decode series",
    "decode samples",
];

/// The path before `what`: the last word there.
fn path(text: &str, what: &str) -> String {
    let before = text.split_once(what).map_or("", |(before, _)| before);
    before.rsplit([' ', '(', '"']).next().unwrap_or("").trim_end_matches(')').to_owned()
}
