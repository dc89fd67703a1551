//! Which run an act on a directory is.

use std::io;
use std::path::Path;

use super::args::Act;
use super::{Ended, Screen, chown, owners, restore, salvage};

pub fn act(dir: &Path, act: &Act, json: bool, screen: &mut Screen<'_>) -> io::Result<Ended> {
    match act {
        Act::Salvage { dry_run: false } => salvage::run(dir, json, screen),
        Act::Salvage { dry_run: true } => salvage::rehearse(dir, json, screen),
        Act::Resume if chown::is_last(dir) => chown::resume(dir, json, screen),
        Act::Restore if chown::is_last(dir) => chown::restore(dir, json, screen),
        Act::Resume => restore::resume(dir, json, screen),
        Act::Restore => restore::restore(dir, json, screen),
        Act::Chown { change, dry_run: false } => chown::run(dir, *change, json, screen),
        Act::Chown { change, dry_run: true } => chown::rehearse(dir, *change, json, screen),
        Act::Owners { user } => owners::run(dir, user.as_ref(), json, screen.out, screen.err),
    }
}
