//! See [`prom_fix::agent`].

use std::io::{IsTerminal, stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1);
    let terminal = stderr().is_terminal();
    let (mut out, mut err) = (stdout().lock(), stderr().lock());
    ExitCode::from(prom_fix::agent::run(words, &mut out, &mut err, terminal).code())
}
