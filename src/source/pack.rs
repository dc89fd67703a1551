//! The files of a folder or an archive, bounded in size. What is in them is not trusted: a path
//! that leads out of the archive is refused, a link is not followed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// What is wrong with a bundle, and in which file.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("bundle {path} does not exist")]
    Missing { path: String },
    #[error("bundle {path}: {file} cannot be read: {why}")]
    Unreadable { path: String, file: String, why: String },
    #[error("bundle {path} is cut short or damaged: {why}; copy it again")]
    Damaged { path: String, why: String },
    #[error("bundle {path} is refused: {file:?} leads out of it")]
    Escapes { path: String, file: String },
    #[error("bundle {path} is refused: {file} is larger than {} MiB", cap >> 20)]
    TooLarge { path: String, file: String, cap: u64 },
    #[error("bundle {path}: {file} does not parse: {why}")]
    NotParsed { path: String, file: String, why: String },
    #[error(
        "{path} is no bundle: it holds neither objects/, nor a cluster-info dump, a support \
         bundle or a must-gather"
    )]
    NoLayout { path: String },
}

const FILE_CAP: u64 = 64 << 20;
const TOTAL_CAP: u64 = 512 << 20;
/// What an archive may grow to with the files of volumes, which are passed over: the end of what
/// a few bytes can make this program unpack.
const UNPACKED_CAP: u64 = 32 << 30;
/// Folders within folders; must-gathers have nine.
const DEEPEST: usize = 24;

/// Files by their path with `/`, whatever the system writes.
pub type Files = BTreeMap<String, Vec<u8>>;

pub enum Pack {
    Tree(Files),
    /// One file of objects, with its name.
    Single(String, Vec<u8>),
}

struct Taking<'a> {
    path: &'a Path,
    files: Files,
    total: u64,
}

pub fn open(path: &Path) -> Result<Pack, BundleError> {
    let kind = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BundleError::Missing { path: shown(path) },
        _ => unreadable(path, path, &error),
    })?;
    let mut taking = Taking { path, files: Files::new(), total: 0 };
    if kind.is_dir() {
        taking.folder(path, "", 0)?;
        return Ok(Pack::Tree(taking.files));
    }
    let mut file = BufReader::new(File::open(path).map_err(|e| unreadable(path, path, &e))?);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let start = io::BufRead::fill_buf(&mut file).map_err(|e| unreadable(path, path, &e))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        taking.archive(MultiGzDecoder::new(file))?;
    } else if name.ends_with(".tar") {
        taking.archive(file)?;
    } else {
        taking.keep(name.clone(), file, |e| unreadable(path, path, &e))?;
        let bytes = taking.files.remove(&name).unwrap_or_default();
        return Ok(Pack::Single(name, bytes));
    }
    Ok(Pack::Tree(taking.files))
}

/// Whether a file can matter. Files of a volume, archives and images in a bundle do not, and may
/// be large.
fn wanted(name: &str) -> bool {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    if file.starts_with("._") || folder.split('/').any(|part| part == "data") {
        return false;
    }
    let end = file.rsplit_once('.').map_or("", |(_, end)| end);
    matches!(end, "yaml" | "yml" | "json" | "log" | "txt")
        || file == "clock"
        || folder.split('/').any(|part| part == "http")
}

impl Taking<'_> {
    fn folder(&mut self, at: &Path, under: &str, depth: usize) -> Result<(), BundleError> {
        let bundle = self.path;
        let entries = fs::read_dir(at).map_err(|e| unreadable(bundle, at, &e))?;
        for entry in entries {
            let entry = entry.map_err(|e| unreadable(bundle, at, &e))?;
            let kind = entry.file_type().map_err(|e| unreadable(bundle, &entry.path(), &e))?;
            let name = format!("{under}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() && depth < DEEPEST {
                self.folder(&entry.path(), &format!("{name}/"), depth + 1)?;
            } else if kind.is_file() && wanted(&name) {
                let path = entry.path();
                let file = File::open(&path).map_err(|e| unreadable(bundle, &path, &e))?;
                self.keep(name, file, |e| unreadable(bundle, &path, &e))?;
            }
        }
        Ok(())
    }

    fn archive(&mut self, reader: impl Read) -> Result<(), BundleError> {
        let bundle = self.path;
        let damaged =
            |error: io::Error| BundleError::Damaged { path: shown(bundle), why: error.to_string() };
        let mut archive = tar::Archive::new(reader.take(UNPACKED_CAP));
        for entry in archive.entries().map_err(damaged)? {
            let entry = entry.map_err(damaged)?;
            let raw = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some(name) = inside(&raw) else {
                return Err(BundleError::Escapes { path: shown(bundle), file: raw });
            };
            if entry.header().entry_type().is_file() && wanted(&name) {
                self.keep(name, entry, damaged)?;
            }
        }
        // The checksum of the compression stands behind the last entry.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
        Ok(())
    }

    fn keep(
        &mut self,
        name: String,
        from: impl Read,
        failed: impl Fn(io::Error) -> BundleError,
    ) -> Result<(), BundleError> {
        let too_large =
            |cap| BundleError::TooLarge { path: shown(self.path), file: name.clone(), cap };
        let mut bytes = Vec::new();
        let read = from.take(FILE_CAP + 1).read_to_end(&mut bytes).map_err(failed)? as u64;
        if read > FILE_CAP {
            return Err(too_large(FILE_CAP));
        }
        self.total += read;
        if self.total > TOTAL_CAP {
            let file = "what it holds".to_owned();
            return Err(BundleError::TooLarge { path: shown(self.path), file, cap: TOTAL_CAP });
        }
        self.files.insert(name, bytes);
        Ok(())
    }
}

/// The path of an entry with `/`, or none where it leads out.
fn inside(raw: &str) -> Option<String> {
    let path = PathBuf::from(raw.replace('\\', "/"));
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?.to_owned()),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

fn unreadable(bundle: &Path, file: &Path, error: &io::Error) -> BundleError {
    BundleError::Unreadable { path: shown(bundle), file: shown(file), why: error.to_string() }
}

pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_out_are_none() {
        assert_eq!(inside("./a/./b").as_deref(), Some("a/b"));
        for bad in ["/etc/passwd", "../a", "a/../../b", "a\\..\\..\\b"] {
            assert_eq!(inside(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_of_a_volume_are_not_read() {
        assert!(wanted("objects/pods.yaml"));
        assert!(wanted("http/mon/p/9090/_-_ready.503"));
        assert!(!wanted("data/mon/claim/wal/00000001"));
        assert!(!wanted("data/mon/claim/01AB/meta.json"));
        assert!(!wanted("objects/._pods.yaml"));
    }
}
