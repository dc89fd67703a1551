//! A disk that fails at a read, each of them in turn: what was not read is never taken for absent, and
//! never for damage that a salvage may give up.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::directory::{Everything, agent, damaged, everything, folder, healthy, run, timeless};

/// The agent with a disk that fails at its `at`-th read.
struct Bad {
    library: PathBuf,
    /// It lies here, and what shows that a read failed.
    folder: tempfile::TempDir,
}

impl Bad {
    fn new() -> Bad {
        let folder = crate::directory::folder();
        let library = folder.path().join("eio.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agent/eio.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
        assert!(compiler.status().expect("a C compiler").success());
        Bad { library, folder }
    }

    /// What it said; `None` where it has no such read.
    fn run(&self, at: usize, words: &[&str], dir: &Path) -> Option<Output> {
        let mark = self.folder.path().join(format!("{}-{at}", words.concat()));
        let mut agent = Command::new(env!("CARGO_BIN_EXE_prom-fix-agent"));
        agent.args(words).arg(dir).env("LD_PRELOAD", &self.library);
        agent.env("EIO_AT", at.to_string()).env("EIO_BELOW", dir.canonicalize().expect("a folder"));
        let output = agent.env("EIO_MARK", &mark).output().expect("it starts");
        mark.exists().then_some(output)
    }
}

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

/// Whether it says so.
fn met(output: &Output) -> bool {
    let said = words(output);
    ["cannot read on", "os error 5", "cannot be read", "can be read", "faults in the log"]
        .iter()
        .any(|w| said.contains(w))
}

/// What is whole is not called so where a part of it was not read.
#[test]
fn a_survey_that_could_not_read_something_does_not_find_everything_well() {
    let bad = Bad::new();
    let root = folder();
    healthy(root.path());
    // No block of these is one.
    let aside = folder();
    for entry in std::fs::read_dir(root.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("01")) {
            std::fs::rename(&path, aside.path().join(path.file_name().expect("a name")))
                .expect("aside");
        }
    }
    run(&["survey"], root.path(), 0);
    let before = everything(root.path());
    for depth in [&["survey"][..], &["survey", "--quick"], &["inventory"]] {
        let whole = words(&agent("", depth, root.path()));
        let (mut failed, mut again) = (0, 0);
        while let Some(output) = bad.run(failed + 1, depth, root.path()) {
            failed += 1;
            if output.status.code() == Some(0) {
                // It was read once already, and what was found then is told.
                assert_eq!(words(&output), whole, "{depth:?}, read {failed}");
                again += 1;
                continue;
            }
            assert!(met(&output), "{depth:?}, read {failed}: {}", words(&output));
        }
        assert!(failed > 6 && again < failed / 3, "{depth:?}: {failed} reads, {again} again");
        eprintln!("{depth:?}: {failed} reads, {again} again");
    }
    assert_eq!(everything(root.path()), before);
}

/// All that a salvage leaves, but for the sums of what lies in a folder that is moved as it is: what the
/// disk cannot read of that has none.
fn mended(root: &Path) -> Everything {
    let mut all = timeless(everything(root));
    for (path, (.., bytes)) in &mut all {
        if let Some(bytes) = bytes.as_mut().filter(|_| path.ends_with("manifest.json")) {
            let mut manifest: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
            manifest["inside"] = serde_json::Value::Null;
            *bytes = manifest.to_string().into_bytes();
        }
    }
    all
}

/// It does nothing, or what it does where the disk does not fail.
#[test]
fn a_salvage_gives_up_nothing_that_it_could_not_read() {
    let bad = Bad::new();
    let whole = folder();
    damaged(whole.path());
    let before = everything(whole.path());
    run(&["salvage"], whole.path(), 0);
    let after = mended(whole.path());
    let (mut refused, mut done) = (0, 0);
    for at in 1.. {
        let root = folder();
        damaged(root.path());
        let Some(output) = bad.run(at, &["salvage"], root.path()) else { break };
        if output.status.code() == Some(0) {
            // A read of no account, as that of a file in a folder that is moved as it is.
            assert!(mended(root.path()) == after, "read {at}: {}", words(&output));
            done += 1;
            continue;
        }
        refused += 1;
        // However it ended, all can be put back.
        let back = agent("", &["restore"], root.path());
        let nothing = back.status.code() == Some(3) && words(&back).contains("nothing was");
        assert!(back.status.code() == Some(0) || nothing, "read {at}: {}", words(&back));
        let mut now = everything(root.path());
        now.remove(Path::new("lock"));
        assert!(now == before, "read {at}: {}", words(&output));
    }
    assert!(refused > 20 && done < refused / 10, "{refused} refused, {done} done");
    eprintln!("salvage: {refused} refused, {done} done");
}
