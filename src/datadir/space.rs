//! What a data directory takes on its volume, name by name, and what room the volume has. Of all
//! files only the small ones that tell the times of a block are opened.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{self, FileType, Mode, OFlags, Stat, StatVfs};

use super::layout::ASIDE;
use super::owners::{Seen, walk};
use super::survey::blocks;
use crate::walfile::count::Span;

/// `stat` counts in these, whatever the file system does.
const SECTOR: u64 = 512;

/// No map and no derived form: this is for the agent, whose size counts.
pub struct Space {
    pub volume: StatVfs,
    /// What could not be looked into: what is in it is not counted.
    pub unread: u64,
    /// In the order of the walk.
    pub entries: Vec<Entry>,
}

/// Of one name in the directory, or of a checkpoint.
pub struct Entry {
    pub path: String,
    /// On the disk: what a file has not written it does not take.
    pub bytes: u64,
    pub files: u64,
    /// The times of a block.
    pub span: Option<Span>,
}

/// Counts everything below a directory.
pub fn read(root: &Path) -> io::Result<Space> {
    let volume = fs::fstatvfs(fs::open(root, OFlags::DIRECTORY, Mode::empty())?)?;
    let mut found = Space { volume, unread: 0, entries: Vec::new() };
    let mut asides = vec![PathBuf::new()];
    while let Some(below) = asides.pop() {
        walk(&root.join(&below), &mut |path, seen| match seen {
            Seen::Entry(stat) => found.count(&below.join(path), stat),
            Seen::Unread(_) => found.unread += 1,
            Seen::LeftOut => asides.extend(path.to_str().filter(is_aside).map(PathBuf::from)),
        })?;
    }
    for one in &mut found.entries {
        one.span = blocks::span(&root.join(&one.path));
    }
    Ok(found)
}

fn is_aside(name: &&str) -> bool {
    name.starts_with(ASIDE)
}

impl Space {
    fn count(&mut self, path: &Path, stat: &Stat) {
        let path = path.to_string_lossy();
        let name = name(&path);
        if name.is_empty() {
            return;
        }
        // Of the same name as the one before, as a rule.
        let at = self.entries.iter().rposition(|one| one.path == name).unwrap_or_else(|| {
            self.entries.push(Entry { path: name.to_owned(), bytes: 0, files: 0, span: None });
            self.entries.len() - 1
        });
        if let Some(one) = self.entries.get_mut(at) {
            let folder = FileType::from_raw_mode(stat.st_mode).is_dir();
            one.bytes += u64::try_from(stat.st_blocks).unwrap_or_default() * SECTOR;
            one.files += u64::from(!folder);
        }
    }
}

/// The first part of a path, and of one in `wal/` the checkpoint.
fn name(path: &str) -> &str {
    let from = if path.starts_with("wal/checkpoint.") { "wal/".len() } else { 0 };
    let end = path.bytes().skip(from).position(|byte| byte == b'/');
    end.and_then(|end| path.get(..from + end)).unwrap_or(path)
}
