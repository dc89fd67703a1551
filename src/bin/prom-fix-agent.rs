//! See [`prom_fix::agent`].

use std::io::{stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1);
    ExitCode::from(prom_fix::agent::run(words, &mut stdout().lock(), &mut stderr().lock()).code())
}
