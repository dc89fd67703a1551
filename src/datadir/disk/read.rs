//! What is read of a directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};

use super::{Disk, Done, FOLDER, Owner, Sum, Summing};

impl Disk {
    /// Opens a file to read it.
    pub fn reader(&self, path: &str) -> Done<File> {
        let open = || -> io::Result<File> {
            let (folder, name) = self.parent(path)?;
            // Without waiting, should it be a pipe.
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let file = File::from(fs::openat(folder, name, flags, Mode::empty())?);
            if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a file")) }
        };
        open().map_err(|error| self.failed(path, error))
    }

    /// What is there, if anything; of a link, the link.
    pub fn stat(&self, path: &str) -> Done<Option<Stat>> {
        let look = || -> io::Result<Stat> {
            if path.is_empty() {
                return Ok(fs::fstat(&self.root)?);
            }
            let (folder, name) = self.parent(path)?;
            Ok(fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?)
        };
        match look() {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    pub fn exists(&self, path: &str) -> Done<bool> {
        self.stat(path).map(|found| found.is_some())
    }

    pub fn is_folder(&self, path: &str) -> Done<bool> {
        Ok(self.stat(path)?.is_some_and(|s| FileType::from_raw_mode(s.st_mode).is_dir()))
    }

    /// Every file and folder below a folder, with the bytes of a file, in the order of their paths.
    /// What is neither has no size.
    pub fn walk(&self, folder: &str, into: &mut BTreeMap<String, u64>) -> Done<()> {
        if !self.is_folder(folder)? {
            return Ok(());
        }
        let names = || -> io::Result<Vec<String>> {
            let (parent, name) = self.parent(folder)?;
            let open = fs::openat(parent, name, FOLDER, Mode::empty())?;
            let mut names = Vec::new();
            for entry in fs::Dir::read_from(open)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            Ok(names)
        };
        for name in names().map_err(|error| self.failed(folder, error))? {
            if name == "." || name == ".." {
                continue;
            }
            let path = format!("{folder}/{name}");
            let Some(stat) = self.stat(&path)? else { continue };
            let kind = FileType::from_raw_mode(stat.st_mode);
            into.insert(path.clone(), if kind.is_file() { stat.st_size.unsigned_abs() } else { 0 });
            if kind.is_dir() {
                self.walk(&path, into)?;
            }
        }
        Ok(())
    }

    pub fn owner(&self, path: &str) -> Done<Owner> {
        let found = self.stat(path)?;
        found.map(|s| Owner::of(&s)).ok_or_else(|| self.failed(path, io::ErrorKind::NotFound))
    }

    pub fn is_file(&self, path: &str) -> Done<bool> {
        Ok(self.stat(path)?.is_some_and(|s| FileType::from_raw_mode(s.st_mode).is_file()))
    }

    /// Reads a file to its end.
    pub fn sum(&self, path: &str) -> Done<Sum> {
        let mut file = self.reader(path)?;
        let mut summing = Summing { out: io::sink(), sum: Sum { size: 0, crc32c: 0 } };
        io::copy(&mut file, &mut summing).map_err(|error| self.failed(path, error))?;
        Ok(summing.sum)
    }

    /// Bytes that may still be written.
    pub fn space(&self) -> Done<u64> {
        let found = fs::fstatvfs(&self.root).map_err(|error| self.failed("", error))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}
