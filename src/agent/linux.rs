//! Which run an act on a directory is.

use std::io;
use std::path::Path;

use super::args::Act;
use super::{Ended, Screen, chown, cleanup, owners, reach, restore, salvage, space};
use crate::datadir::terms;

pub fn act(dir: &Path, act: &Act, json: bool, screen: &mut Screen<'_>) -> io::Result<Ended> {
    match act {
        Act::Salvage { dry_run: false, terms } => salvage::run(dir, terms, json, screen),
        Act::Salvage { dry_run: true, .. } => salvage::rehearse(dir, json, screen),
        Act::Resume if chown::is_last(dir) => chown::resume(dir, json, screen),
        Act::Resume => restore::resume(dir, json, screen),
        Act::Restore(terms) => put_back(dir, terms, json, screen),
        Act::Cleanup(terms) => cleanup::run(dir, terms, screen),
        Act::Chown { change, how } => chown::run(dir, *change, *how, json, screen),
        Act::Reach => reach::run(dir, screen),
        Act::Space => space::run(dir, screen.out, screen.err),
        Act::Owners { user } => owners::run(dir, user.as_ref(), json, screen.out, screen.err),
    }
}

/// `--of chown` is the last change of owner, and no salvage before it.
fn put_back(
    dir: &Path,
    terms: &terms::Restore,
    json: bool,
    screen: &mut Screen<'_>,
) -> io::Result<Ended> {
    let owners = terms.of.as_deref() == Some("chown");
    if (owners || terms.of.is_none()) && chown::is_last(dir) {
        chown::restore(dir, json, screen)
    } else if owners {
        restore::nothing("restore", json, screen.out)
    } else {
        restore::restore(dir, terms, json, screen)
    }
}
