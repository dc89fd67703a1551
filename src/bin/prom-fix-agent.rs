//! See [`prom_fix::agent`].

use std::io::{IsTerminal, stderr, stdout};
use std::process::ExitCode;

use prom_fix::agent::{self, Caller, Screen};

fn main() -> ExitCode {
    #[cfg(feature = "faults")]
    faults::arm();
    let words = std::env::args_os().skip(1);
    let terminal = stderr().is_terminal();
    let (mut out, mut err, mut progress) = (stdout().lock(), stderr(), stderr());
    let mut screen = Screen {
        out: &mut out,
        err: &mut err,
        progress: &mut progress,
        terminal,
        caller: Caller::Agent,
    };
    ExitCode::from(agent::run(words, &mut screen).code())
}

/// Not in what is shipped: `PROM_FIX_FAULT=abort:7` ends the program before the seventh system call
/// that writes, as kill -9 would; `enospc:7` and `eio:7` make it fail; `enospc:7+` that one and all
/// that write data after it; `noexchange` is a file system that cannot exchange names, and goes
/// with another by a comma.
#[cfg(feature = "faults")]
mod faults {
    use std::io;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CALLS: AtomicU64 = AtomicU64::new(0);
    const ENOSPC: i32 = 28;
    const EIO: i32 = 5;

    pub fn arm() {
        prom_fix::agent::BEFORE.get_or_init(|| before);
    }

    fn before(call: &str) -> io::Result<()> {
        let Ok(told) = std::env::var("PROM_FIX_FAULT") else { return Ok(()) };
        let here = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
        for fault in told.split(',') {
            if fault == "noexchange" && call == "exchange" {
                return Err(io::ErrorKind::Unsupported.into());
            }
            let Some((what, at)) = fault.split_once(':') else { continue };
            let on = at.ends_with('+');
            let at: u64 = at.trim_end_matches('+').parse().expect("a number");
            let takes_space = matches!(call, "write" | "mkdir" | "open" | "rename");
            if here != at && !(on && here > at && takes_space) {
                continue;
            }
            match what {
                "abort" => std::process::abort(),
                "enospc" => return Err(io::Error::from_raw_os_error(ENOSPC)),
                "eio" => return Err(io::Error::from_raw_os_error(EIO)),
                _ => return Err(io::Error::other(format!("{fault}: no such fault"))),
            }
        }
        Ok(())
    }
}
