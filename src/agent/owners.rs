//! `owners`: whose the files are, in words.

use std::io::{self, Write};
use std::path::Path;

use super::Ended;
use super::words::path;
use crate::datadir::json;
use crate::datadir::owners::{self, Bits, Group, Lack, Offender, Owned, Owners, Unread, User};

pub fn run(
    dir: &Path,
    user: Option<&User>,
    json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Ended> {
    let found = match owners::read(dir, user) {
        Ok(found) => found,
        Err(error) => {
            writeln!(err, "{error}")?;
            return Ok(Ended::Error);
        }
    };
    if json {
        json::write(&mut *out, &found)?;
        writeln!(out)?;
    } else {
        out.write_all(text(&found).as_bytes())?;
    }
    if found.offenders.count > 0 {
        return Ok(Ended::Found);
    }
    if found.unread.count > 0 {
        writeln!(err, "not all could be looked at: run it as root, or as the owner")?;
        return Ok(Ended::Error);
    }
    Ok(Ended::Clean)
}

fn text(found: &Owners) -> String {
    let Owners { root, folders, files, others, left_out, strangers, user, offenders, unread } =
        found;
    let mut lines = vec![path(root)];
    for (kind, groups) in [("folders", folders), ("files", files)] {
        for Group { owned: Owned { uid, gid, mode: Bits(mode) }, count } in groups {
            lines.push(format!("{count:>9} {kind}  {uid}:{gid} {mode:04o}"));
        }
    }
    if *others > 0 {
        lines.push(format!("{others:>9} neither file nor folder"));
    }
    lines.extend(left_out.iter().map(|left| format!("  left out: {}", path(left))));
    if strangers.count > 0 {
        let names: Vec<String> = strangers.first.iter().map(|at| name(at)).collect();
        lines.push(format!("  not of Prometheus: {} ({})", strangers.count, names.join(", ")));
    }
    if let Some(User { uid, gid, groups }) = user {
        let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
        let more = if groups.is_empty() { String::new() } else { format!(" {}", groups.join(",")) };
        lines.push(match offenders.count {
            0 => format!("{uid}:{gid}{more} can read and write all of it"),
            count => format!("{uid}:{gid}{more} lacks what it needs on {count}:"),
        });
    }
    for Offender { path: at, owned: Owned { uid, gid, mode: Bits(mode) }, lacks } in
        &offenders.first
    {
        let words: Vec<&str> = lacks.iter().map(|lack| word(*lack)).collect();
        let at = name(at);
        lines.push(format!("  {at}: {uid}:{gid} {mode:04o}, cannot {}", words.join(", ")));
    }
    for Unread { path: at, why } in &unread.first {
        lines.push(format!("  not looked at: {}: {why}", name(at)));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A path in the directory as it can stand in a line.
pub(super) fn name(at: &Path) -> String {
    if at.as_os_str().is_empty() { ".".to_owned() } else { path(at) }
}

fn word(lack: Lack) -> &'static str {
    match lack {
        Lack::Read => "read",
        Lack::Write => "write",
        Lack::Traverse => "traverse",
    }
}
