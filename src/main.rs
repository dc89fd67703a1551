//! Parses, opens the source, calls the app, turns its exit into a number. No logic.

use std::io::Write;
use std::process::ExitCode;

use prom_fix::app::{self, screen::Screen};
use prom_fix::cli;
use prom_fix::exit::Exit;

fn main() -> ExitCode {
    let argv: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if completes(argv.first()) {
        let words: Vec<String> =
            argv.iter().skip(1).map(|w| w.to_string_lossy().into_owned()).collect();
        let _ = std::io::stdout().write_all(cli::complete::complete(&words).as_bytes());
        return ExitCode::SUCCESS;
    }
    let typed = match cli::parse(argv) {
        Ok(typed) => typed,
        Err(error) => {
            // clap's own number for bad usage is 2, which means "fault found" here.
            let exit = if error.use_stderr() { Exit::Error } else { Exit::Healthy };
            let _ = error.print();
            return ExitCode::from(exit.code());
        }
    };
    let screen = Screen::new(&typed.read);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: cannot start: {error}");
            return ExitCode::from(Exit::Error.code());
        }
    };
    let done = runtime.block_on(app::run(&typed, &screen));
    // A closed pipe is the reader's choice, not an error of ours.
    let _ = std::io::stdout().write_all(done.stdout.as_bytes());
    ExitCode::from(done.exit.code())
}

/// Whether kubectl started this program to complete its words.
fn completes(name: Option<&std::ffi::OsString>) -> bool {
    name.is_some_and(|n| {
        std::path::Path::new(n).file_stem().is_some_and(|s| s == "kubectl_complete-prom_fix")
    })
}
