//! The program of tests/bench/go/wal: Prometheus' own storage and reader, as a library.

use std::path::{Path, PathBuf};
use std::process::Command;

pub fn built(folder: &Path) -> PathBuf {
    let program = folder.join("wal-maker");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/go/wal");
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-o"]).arg(&program).arg(".").current_dir(source);
    go.envs([("CGO_ENABLED", "0"), ("GOTOOLCHAIN", "local"), ("GOWORK", "off")]);
    assert!(go.status().expect("go starts").success(), "go build");
    program
}
