//! `reach`: whether a server takes connections from where it is. For the plugin: always JSON, written
//! by hand, as for `space`.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::{Ended, Screen};
use crate::dial;

/// Whom it asked, since when, and of each try the number of its error, 0 where it was taken; ends as
/// the last one did.
pub fn run(address: &Path, screen: &mut Screen<'_>) -> io::Result<Ended> {
    let Some(at) = address.to_str().and_then(|text| text.parse::<SocketAddr>().ok()) else {
        writeln!(screen.err, "{}: not ADDRESS:PORT", address.display())?;
        return Ok(Ended::Error);
    };
    write!(screen.out, "{{\"at\": \"{at}\", \"since\": {}, \"tries\": ", dial::now())?;
    let mut before = "[";
    let last = dial::until_taken(&at, &mut |errno| {
        write!(screen.out, "{before}{errno}")?;
        before = ", ";
        Ok(())
    })?;
    writeln!(screen.out, "]}}")?;
    Ok(if last == 0 { Ended::Clean } else { Ended::Found })
}
