//! The tests' own programs in Go, built: a file of each test binary that needs one.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Prometheus' own storage and reader, as a library.
pub const WAL: &str = "tests/bench/go/wal";

/// Builds `source`, a folder of this repository, into `folder`. An error where there is no Go.
pub fn build(source: &str, folder: &Path) -> io::Result<PathBuf> {
    let program = folder.join("program-in-go");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-o"]).arg(&program).arg(".").current_dir(source);
    go.envs([("CGO_ENABLED", "0"), ("GOTOOLCHAIN", "local"), ("GOWORK", "off")]);
    assert!(go.status()?.success(), "go build");
    Ok(program)
}
