//! The agent that is built for arm64, under qemu's user emulation, against that for amd64: the same
//! bytes, in what they say and in what they leave on the disk.

use std::path::Path;
use std::process::Command;

use crate::directory::{Everything, damaged, everything, folder, timeless, untimed_text};

/// What a run said, and how it ended.
type Said = (Option<i32>, String, String);

fn said(program: &[&str], words: &[&str], dir: &Path) -> Said {
    let (first, more) = program.split_first().expect("a program");
    let output = Command::new(first).args(more).args(words).arg(dir).output().expect("it starts");
    let text = |bytes| roomless(&untimed_text(&String::from_utf8(bytes).expect("text")));
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Others write on the same volume.
fn roomless(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("  \"free\": "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// All that one says of a damaged directory and makes of it; always at the same place, which is named
/// in it.
fn all(program: &[&str], dir: &Path) -> (Vec<Said>, Everything, Everything) {
    std::fs::create_dir(dir).expect("a folder");
    damaged(dir);
    let looks = [
        &["--version"][..],
        &["survey"],
        &["survey", "--json"],
        &["survey", "--quick", "--json"],
        &["inventory", "--json"],
        &["salvage", "--dry-run", "--json"],
        &["salvage", "--json"],
        &["survey", "--json"],
    ];
    let mut found: Vec<Said> = looks.iter().map(|words| said(program, words, dir)).collect();
    let mended = timeless(everything(dir));
    found.push(said(program, &["restore", "--json"], dir));
    let restored = everything(dir);
    let aside = dir.with_extension(program.len().to_string());
    std::fs::rename(dir, aside).expect("the place is free again");
    (found, mended, restored)
}

/// `PROM_FIX_QEMU`: qemu-aarch64, which `tests/run` looks for.
#[test]
#[ignore = "needs qemu-aarch64 and what krew/agent builds: tests/run"]
fn the_agent_for_arm64_does_as_that_for_amd64() {
    let qemu = std::env::var("PROM_FIX_QEMU").expect("PROM_FIX_QEMU: where qemu-aarch64 is");
    let agents = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/agents");
    let [amd64, arm64] = ["x86_64", "aarch64"]
        .map(|machine| agents.join(format!("prom-fix-agent-{machine}")).display().to_string());
    let folder = folder();
    let dir = folder.path().join("data");
    let (here, mended, restored) = all(&[&amd64], &dir);
    assert_eq!(here.iter().map(|said| said.0).collect::<Vec<_>>(), EXITS.map(Some));
    let (there, mended_there, restored_there) = all(&[&qemu, &arm64], &dir);
    for (here, there) in here.iter().zip(&there) {
        assert_eq!(here, there);
    }
    assert!(mended == mended_there && restored == restored_there, "other bytes on the disk");
    let bytes: usize = here.iter().map(|(_, out, _)| out.len()).sum();
    println!("{} runs, {bytes} bytes of words, {} files after a salvage", here.len(), mended.len());
}

/// Of what is run, in that order.
const EXITS: [i32; 9] = [0, 2, 2, 2, 2, 2, 0, 2, 0];
