//! What the plugin runs where a test stops it, to look at or to change what is there just then.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A program in a folder of its own, and what it left there.
pub struct Keeper(tempfile::TempDir);

impl Keeper {
    /// Of lines of a shell; `$here` is its folder.
    pub fn new(lines: &str) -> Keeper {
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder.path().join("keeper"), &format!("here={:?}\n{lines}", folder.path()));
        Keeper(folder)
    }

    pub fn program(&self) -> String {
        self.0.path().join("keeper").display().to_string()
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A file that it wrote.
    #[track_caller]
    pub fn left(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect("the place was reached")
    }
}

/// A program of lines of a shell.
pub fn write(file: &Path, lines: &str) -> PathBuf {
    fs::write(file, format!("#!/bin/sh\n{lines}\n")).expect("written");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("it is ours");
    file.to_owned()
}
