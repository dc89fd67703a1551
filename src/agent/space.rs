//! `space`: what takes the volume's room. For the plugin, which words it: always JSON, written by
//! hand, for the agent's size counts.

use std::io::{self, Write};
use std::path::Path;

use super::Ended;
use crate::datadir::json;
use crate::datadir::space::{self, Entry, Space};
use crate::walfile::count::Span;

pub fn run(dir: &Path, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Ended> {
    match space::read(dir) {
        Ok(found) => tell(&found, out).map(|()| Ended::Clean),
        Err(error) => {
            writeln!(err, "{error}")?;
            Ok(Ended::Error)
        }
    }
}

fn tell(found: &Space, out: &mut dyn Write) -> io::Result<()> {
    let Space { volume, unread, entries } = found;
    let unit = volume.f_frsize;
    write!(
        out,
        "{{\"capacity\": {}, \"used\": {}, \"free\": {}, \"inodes\": {}, \"freeInodes\": {}, \
         \"unread\": {unread}, \"entries\": [",
        volume.f_blocks * unit,
        (volume.f_blocks - volume.f_bfree) * unit,
        volume.f_bavail * unit,
        volume.f_files,
        volume.f_favail,
    )?;
    let mut comma = "";
    for Entry { path, bytes, files, span } in entries {
        // A block has times, and nothing else has.
        write!(out, "{comma}\n{{\"path\": ")?;
        json::write(&mut *out, path)?;
        let Span { first, last } = span.unwrap_or(Span { first: 0, last: 0 });
        write!(
            out,
            ", \"bytes\": {bytes}, \"files\": {files}, \"first\": {first}, \"last\": {last}}}"
        )?;
        comma = ",";
    }
    writeln!(out, "]}}")
}
