//! `cleanup`: what was set aside, and that it is gone. Always JSON, written by hand: the plugin words
//! it, and the agent's size counts.

use std::io;
use std::path::Path;

use super::{Ended, Screen, salvage};
use crate::datadir::cleanup::{Found, cleanup};
use crate::datadir::json;
use crate::datadir::salvage::NotDone;
use crate::datadir::terms;

pub fn run(dir: &Path, terms: &terms::Cleanup, screen: &mut Screen<'_>) -> io::Result<Ended> {
    match cleanup(dir, terms) {
        Ok(all) => {
            let out = &mut *screen.out;
            write!(out, "{{\"entries\": [")?;
            let mut comma = "";
            for Found { path, bytes, ours } in all {
                write!(out, "{comma}\n{{\"path\": ")?;
                json::write(&mut *out, &path)?;
                write!(out, ", \"bytes\": {bytes}, \"ours\": {ours}}}")?;
                comma = ",";
            }
            writeln!(out, "]}}")?;
            Ok(Ended::Clean)
        }
        Err(NotDone::Unfinished(failed)) => {
            writeln!(screen.err, "{failed}; not all is free: the same again goes on")?;
            Ok(Ended::Unfinished)
        }
        Err(not_done) => salvage::refused(dir, &not_done, screen),
    }
}
