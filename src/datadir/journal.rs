//! What a salvage is about to do, written before it does it. Of each step it can be told from where
//! the files lie whether it was done; so there is no second record that could disagree with them,
//! and a run that was killed anywhere goes on, or back, from what it finds.
//!
//! ```text
//! prom-fix-<time>/manifest.json   what follows, as JSON
//! prom-fix-<time>/new/<step>      a new file until its step is done
//! prom-fix-<time>/old/<path>      an old file from then on, until a cleanup frees it
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::disk::{Disk, Done, Failed, Sum};
use super::json;
use super::salvage::Report;

/// Of the form of the manifest; a newer one is not touched.
const VERSION: u32 = 1;
/// A manifest of more bytes was not written by us.
const MOST: u64 = 64 << 20;
/// What Prometheus writes, and we may: nothing else is looked at.
pub const LOGS: [&str; 3] = ["wal", "wbl", "chunks_head"];

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub version: u32,
    pub phase: Phase,
    /// Whether `lock` was not there before.
    pub lock_created: bool,
    pub steps: Vec<Step>,
    /// All that lies in the logs and stays as it is, with its bytes; and what lies in the folders that
    /// are set aside.
    pub untouched: BTreeMap<String, u64>,
    /// CRC-32C of what lies in those folders; of a very large file there is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inside: BTreeMap<String, u64>,
    /// What the salvage says of itself.
    pub report: Report,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// New files are being made; no old one was touched.
    Staging,
    /// Old files are being replaced.
    Swapping,
    Done,
    /// Old files are being put back.
    Restoring,
    /// Old files are being deleted: from here on there is no way back.
    Freeing,
    /// No salvage: what Prometheus wrote after one, set aside when that was put back by force.
    Later,
}

/// One change of one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub path: String,
    pub change: Change,
    /// The name of the file before, where it gets another.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// Of the file that is there now.
    pub old: Option<Sum>,
    /// Of the file that will be; not yet known while staging.
    pub new: Option<Sum>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    Replace,
    Add,
    AddFolder,
    /// A file gets this name, and keeps its bytes.
    Rename,
    /// A file or a folder.
    SetAside,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Before,
    /// The new file is in its place, the old one in the new one's.
    Exchanged,
    /// The old file is away, the new one not yet there.
    Between,
    After,
    /// As before, and the new file is gone.
    Undone,
    /// Something else is there.
    Strange,
}

/// The folder of one salvage.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Below the data directory.
    pub folder: String,
    pub manifest: Manifest,
}

impl Journal {
    pub(super) fn file(&self) -> String {
        format!("{}/manifest.json", self.folder)
    }

    /// Whether it is to be gone on with, or back.
    #[must_use]
    pub fn unfinished(&self) -> bool {
        !matches!(self.manifest.phase, Phase::Done | Phase::Freeing | Phase::Later)
    }

    #[must_use]
    pub fn new_path(&self, step: usize) -> String {
        format!("{}/new/{step}", self.folder)
    }

    #[must_use]
    pub fn old_path(&self, step: &Step) -> String {
        format!("{}/old/{}", self.folder, step.path)
    }

    /// Reads the manifest of a folder; `None` where there is none.
    pub fn read(disk: &Disk, folder: &str) -> Done<Option<Journal>> {
        let path = format!("{folder}/manifest.json");
        if !disk.exists(&path)? {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let read = disk.reader(&path)?.take(MOST).read_to_end(&mut bytes);
        let parsed = read.and_then(|_| {
            let manifest: Manifest = serde_json::from_slice(&bytes)?;
            if manifest.version == VERSION {
                Ok(manifest)
            } else {
                Err(io::Error::other("of a newer prom-fix"))
            }
        });
        match parsed {
            Ok(manifest) => Ok(Some(Journal { folder: folder.to_owned(), manifest })),
            Err(error) => Err(Failed { path: disk.named(&path), error }),
        }
    }

    pub fn begin(folder: &str, lock_created: bool, steps: Vec<Step>) -> Journal {
        let manifest = Manifest {
            version: VERSION,
            phase: Phase::Staging,
            lock_created,
            steps,
            untouched: BTreeMap::new(),
            inside: BTreeMap::new(),
            report: Report::default(),
        };
        Journal { folder: folder.to_owned(), manifest }
    }

    /// Writes the manifest, all of it or none.
    pub fn write(&self, disk: &Disk) -> Done<()> {
        let temporary = format!("{}.tmp", self.file());
        let owner = disk.owner(&self.folder)?.of_file();
        disk.remove_file(&temporary)?;
        disk.create(&temporary, owner, |out| {
            json::write(&mut *out, &self.manifest)?;
            out.write_all(b"\n")
        })?;
        disk.supersede(&temporary, &self.file())
    }

    pub fn enter(&mut self, disk: &Disk, phase: Phase) -> Done<()> {
        self.manifest.phase = phase;
        self.write(disk)
    }

    /// Removes what is left of the folder once nothing of value is in it.
    pub fn remove(&self, disk: &Disk) -> Done<()> {
        for at in 0..self.manifest.steps.len() {
            let path = self.new_path(at);
            if disk.is_folder(&path)? {
                disk.remove_folder(&path)?;
            } else {
                disk.remove_file(&path)?;
            }
        }
        self.remove_folders(disk)?;
        disk.remove_file(&format!("{}.tmp", self.file()))?;
        disk.remove_file(&self.file())?;
        disk.remove_folder(&self.folder)
    }

    /// The empty folders of old and new files.
    fn remove_folders(&self, disk: &Disk) -> Done<()> {
        disk.remove_folder(&format!("{}/new", self.folder))?;
        let mut folders: Vec<String> = self.old_folders();
        folders.reverse();
        folders.iter().try_for_each(|folder| disk.remove_folder(folder))
    }

    /// The folders that old files go to, each after the one that holds it.
    #[must_use]
    pub fn old_folders(&self) -> Vec<String> {
        let mut folders = BTreeSet::from([format!("{}/old", self.folder)]);
        for step in &self.manifest.steps {
            if matches!(step.change, Change::Add | Change::AddFolder | Change::Rename) {
                continue;
            }
            let path = self.old_path(step);
            let mut at = path.as_str();
            while let Some((parent, _)) = at.rsplit_once('/') {
                if parent == self.folder {
                    break;
                }
                folders.insert(parent.to_owned());
                at = parent;
            }
        }
        folders.into_iter().collect()
    }

    /// Whether a step is of this path; of a folder that is set aside also what lies in it. What lies in
    /// one that we added is not ours unless a step says so.
    #[must_use]
    pub fn is_ours(&self, path: &str) -> bool {
        self.manifest.steps.iter().any(|step| match path.strip_prefix(&step.path) {
            _ if step.from == path => true,
            Some("") => true,
            Some(rest) => rest.starts_with('/') && step.change == Change::SetAside,
            None => false,
        })
    }

    /// The two names of what a step only moves.
    fn moved(&self, step: &Step) -> (String, String) {
        if step.from.is_empty() {
            (step.path.clone(), self.old_path(step))
        } else {
            (step.from.clone(), step.path.clone())
        }
    }

    /// Where the old file of a step lies while it is not in its own place.
    #[must_use]
    pub fn away(&self, at: usize, step: &Step, state: State) -> Option<String> {
        match (state, step.change) {
            (State::Exchanged, _) => Some(self.new_path(at)),
            (State::Between, _) | (State::After, Change::Replace | Change::SetAside) => {
                Some(self.old_path(step))
            }
            (State::After, Change::Add | Change::AddFolder | Change::Rename)
            | (State::Before | State::Undone | State::Strange, _) => None,
        }
    }

    /// Whether what lies at a path, with so many bytes, is what was at another in a folder that was set
    /// aside.
    pub fn was_inside(&self, disk: &Disk, was: &str, path: &str, bytes: u64) -> Done<bool> {
        if self.manifest.untouched.get(was) != Some(&bytes) {
            return Ok(false);
        }
        Ok(match self.manifest.inside.get(was) {
            Some(crc32c) => disk.is_file(path)? && u64::from(disk.sum(path)?.crc32c) == *crc32c,
            None => true,
        })
    }

    /// How far a step is, by where its files lie and what they hold.
    pub fn state(&self, disk: &Disk, at: usize, step: &Step) -> Done<State> {
        let here = disk.exists(&step.path)?;
        let new = disk.exists(&self.new_path(at))?;
        let is = |path: &str, sum: Option<Sum>| -> Done<bool> {
            // A folder has none.
            Ok(match sum {
                Some(sum) => disk.exists(path)? && disk.sum(path)? == sum,
                None => true,
            })
        };
        let strange = |fits: bool, state: State| if fits { state } else { State::Strange };
        match step.change {
            Change::Replace => {
                let old = disk.exists(&self.old_path(step))?;
                Ok(match (here, new, old) {
                    (true, true, false) if is(&step.path, step.old)? => {
                        strange(is(&self.new_path(at), step.new)?, State::Before)
                    }
                    (true, true, false) => strange(is(&step.path, step.new)?, State::Exchanged),
                    (false, true, true) => State::Between,
                    (true, false, true) => strange(is(&step.path, step.new)?, State::After),
                    (true, false, false) => strange(is(&step.path, step.old)?, State::Undone),
                    (true, true, true) | (false, _, _) => State::Strange,
                })
            }
            Change::Add | Change::AddFolder => Ok(match (here, new) {
                (false, true) => State::Before,
                (true, false) => strange(is(&step.path, step.new)?, State::After),
                (false, false) => State::Undone,
                (true, true) => State::Strange,
            }),
            Change::SetAside | Change::Rename => {
                let (from, to) = self.moved(step);
                Ok(match (disk.exists(&from)?, disk.exists(&to)?) {
                    (true, false) => strange(is(&from, step.old)?, State::Before),
                    (false, true) => strange(is(&to, step.new)?, State::After),
                    (true, true) | (false, false) => State::Strange,
                })
            }
        }
    }

    /// Does what is left of a step.
    pub fn forward(&self, disk: &Disk, at: usize, step: &Step) -> Done<()> {
        let (new, old) = (self.new_path(at), self.old_path(step));
        match (self.state(disk, at, step)?, step.change) {
            (State::After, _) => Ok(()),
            (State::Before, Change::Replace) => {
                if disk.exchange(&new, &step.path)? {
                    disk.rename(&new, &old)
                } else {
                    disk.rename(&step.path, &old)?;
                    disk.rename(&new, &step.path)
                }
            }
            (State::Exchanged, _) => disk.rename(&new, &old),
            (State::Between, _) => disk.rename(&new, &step.path),
            (State::Before, Change::Add | Change::AddFolder) => disk.rename(&new, &step.path),
            (State::Before, Change::SetAside | Change::Rename) => {
                let (from, to) = self.moved(step);
                disk.rename(&from, &to)
            }
            (State::Undone | State::Strange, _) => Err(self.strange(disk, step)),
        }
    }

    /// Puts back what a step changed.
    pub fn back(&self, disk: &Disk, at: usize, step: &Step) -> Done<()> {
        let (new, old) = (self.new_path(at), self.old_path(step));
        let exchange_back = || {
            if !disk.exchange(&new, &step.path)? {
                disk.rename(&new, &old)?;
                disk.rename(&step.path, &new)?;
                disk.rename(&old, &step.path)?;
            }
            disk.remove_file(&new)
        };
        match (self.state(disk, at, step)?, step.change) {
            (State::Undone, _) => Ok(()),
            (State::Before, Change::SetAside | Change::Rename) => Ok(()),
            (State::Before, Change::AddFolder) => disk.remove_folder(&new),
            (State::Before, Change::Replace | Change::Add) => disk.remove_file(&new),
            (State::Exchanged, _) => exchange_back(),
            (State::Between, _) => {
                disk.rename(&old, &step.path)?;
                disk.remove_file(&new)
            }
            (State::After, Change::Replace) => {
                disk.rename(&old, &new)?;
                exchange_back()
            }
            (State::After, Change::Add) => disk.remove_file(&step.path),
            (State::After, Change::AddFolder) => disk.remove_folder(&step.path),
            (State::After, Change::SetAside | Change::Rename) => {
                let (from, to) = self.moved(step);
                disk.rename(&to, &from)
            }
            (State::Strange, _) => Err(self.strange(disk, step)),
        }
    }

    fn strange(&self, disk: &Disk, step: &Step) -> Failed {
        let error = io::Error::other("is not what the manifest says");
        Failed { path: disk.named(&step.path), error }
    }
}
