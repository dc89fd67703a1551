//! Which run an act on a directory is.

use std::io;
use std::path::Path;

use super::args::Act;
use super::{Ended, Screen, chown, owners, restore, salvage};

pub fn act(dir: &Path, act: &Act, json: bool, screen: &mut Screen<'_>) -> io::Result<Ended> {
    let (out, err) = (&mut *screen.out, &mut *screen.err);
    match act {
        Act::Salvage { dry_run: false } => salvage::run(dir, json, out, err),
        Act::Salvage { dry_run: true } => salvage::rehearse(dir, json, out, err),
        Act::Resume if chown::is_last(dir) => chown::resume(dir, json, (out, err)),
        Act::Restore if chown::is_last(dir) => chown::restore(dir, json, (out, err)),
        Act::Resume => restore::resume(dir, json, out, err),
        Act::Restore => restore::restore(dir, json, out, err),
        Act::Chown { change, dry_run: false } => chown::run(dir, *change, json, (out, err)),
        Act::Chown { change, dry_run: true } => chown::rehearse(dir, *change, json, (out, err)),
        Act::Owners { user } => owners::run(dir, user.as_ref(), json, out, err),
    }
}
