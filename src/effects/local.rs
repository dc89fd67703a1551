//! Copies of receipts on this machine: for `receipts` without a cluster, and the only ones where
//! ConfigMaps may not be created.

use std::path::{Path, PathBuf};

use super::error::Error;
use crate::model::receipt::{self, Receipt};

/// `$PROM_FIX_HOME`, else `$XDG_STATE_HOME/kubectl-prom-fix`, else
/// `~/.local/state/kubectl-prom-fix`.
pub(super) fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("PROM_FIX_HOME")
        .or_else(|| Some(set("XDG_STATE_HOME")?.join("kubectl-prom-fix")))
        .or_else(|| Some(set("HOME")?.join(".local/state/kubectl-prom-fix")))
        .or_else(|| Some(set("USERPROFILE")?.join(".local/state/kubectl-prom-fix")))
}

/// The receipts kept on this machine, newest first. What does not parse is not one.
pub fn local_receipts() -> Vec<Receipt> {
    folder().map(|folder| read_all(&folder)).unwrap_or_default()
}

pub(super) fn read_all(folder: &Path) -> Vec<Receipt> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut receipts: Vec<Receipt> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .filter_map(|path| std::fs::read(path).ok())
        .filter_map(|bytes| serde_json::from_slice(&bytes).ok())
        .collect();
    sort(&mut receipts);
    receipts
}

/// Newest first; the digest decides between equal times, so that the order is the same each time.
pub(super) fn sort(receipts: &mut [Receipt]) {
    receipts.sort_by(|a, b| b.began.cmp(&a.began).then_with(|| a.digest.cmp(&b.digest)));
}

/// Writes a copy by rename, so that a kill leaves the old one or the new one.
pub(super) fn write(folder: &Path, of: &Receipt) -> Result<(), Error> {
    let path = folder.join(format!("{}.json", receipt::name(&of.digest)));
    let at = |source| Error::Local { path: path.display().to_string(), source };
    let text = serde_json::to_vec_pretty(of).map_err(|e| at(e.into()))?;
    std::fs::create_dir_all(folder).map_err(at)?;
    let part = path.with_extension("part");
    std::fs::write(&part, text).map_err(at)?;
    std::fs::rename(&part, &path).map_err(at)
}

pub(super) fn read(folder: &Path, digest: &str) -> Option<Receipt> {
    let path = folder.join(format!("{}.json", receipt::name(digest)));
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Takes away the copy of a receipt that never counted.
pub(super) fn remove(folder: &Path, digest: &str) {
    // A copy that stays behind is closed anyway: it says so itself.
    let _ = std::fs::remove_file(folder.join(format!("{}.json", receipt::name(digest))));
}
