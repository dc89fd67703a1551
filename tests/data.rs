//! `--data DIR` as a process: a data directory on this machine is judged, mended and put back, and
//! no cluster is looked for.

use std::fs;
use std::path::Path;
use std::process::Command;

use prom_fix::walfile::compression::Compression;
use prom_fix::walfile::writer::Writer;

/// One run, without a home, a kubeconfig or a terminal.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(words: &str, dir: &Path) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-prom-fix"))
        .args(words.split_whitespace())
        .arg("--data")
        .arg(dir)
        .env_remove("KUBECONFIG")
        .env("HOME", "/nonexistent")
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

/// A log of one segment that names a series and of more that hold a hundred samples each.
fn made(segments: u8) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("wal")).expect("made");
    let series = [&[1, 0, 0, 0, 0, 0, 0, 0, 7, 1, 8][..], b"__name__", b"\x02up"].concat();
    for segment in 0..segments {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        if segment == 0 {
            writer.record(Compression::None, &series).expect("to memory");
        }
        for at in 0..100_u8 {
            let time = (i64::from(segment) * 100 + i64::from(at)) * 1000;
            let head = [&[2, 0, 0, 0, 0, 0, 0, 0, 7][..], &time.to_be_bytes()].concat();
            let one = [&head[..], &[0, 0], &1.5_f64.to_be_bytes()].concat();
            writer.record(Compression::None, &one).expect("to memory");
        }
        fs::write(folder.path().join(format!("wal/{segment:08}")), bytes).expect("written");
    }
    folder
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir.join("wal")).expect("a folder");
    let mut all: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name(), fs::read(entry.path()).expect("its bytes")))
        .map(|(name, bytes)| (name.into_string().expect("text"), bytes))
        .collect();
    all.sort();
    all
}

#[test]
fn a_healthy_directory_is_told_and_left_alone() {
    let folder = made(2);
    let before = files(folder.path());
    let told = run("wal", folder.path());
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{}", told.out);
    assert!(told.out.starts_with("NO FAULT"), "{}", told.out);
    let survey = run("wal -o json", folder.path());
    assert_eq!(json(&survey.out)["judged"]["problems"], serde_json::json!([]));
    for words in ["wal --apply", "wal --dry-run=client", "resume --yes"] {
        assert_eq!(run(words, folder.path()).code, Some(0), "{words}");
    }
    assert_eq!(run("undo --yes", folder.path()).code, Some(3), "nothing was done");
    assert_eq!(files(folder.path()), before);
    let head = run("oom -o json", folder.path());
    assert_eq!((head.code, &json(&head.out)["series"]), (Some(0), &1.into()));
    let owners = run("perms -o json", folder.path());
    assert_eq!(owners.code, Some(0), "{}", owners.err);
    assert!(json(&owners.out)["files"].is_array(), "{}", owners.out);
}

/// Names of the damage, the samples of three hundred that live, and what the map says of it.
fn damaged() -> Vec<(&'static str, tempfile::TempDir, u64, &'static str)> {
    let flipped = made(3);
    let path = flipped.path().join("wal/00000001");
    let mut bytes = fs::read(&path).expect("its bytes");
    bytes[50] ^= 0x40;
    fs::write(path, bytes).expect("written");
    let gap = made(3);
    fs::remove_file(gap.path().join("wal/00000001")).expect("it was there");
    vec![
        ("a flipped byte", flipped, 299, " x 1  damaged at byte 34 (page 0): wrong checksum\n"),
        ("a gap", gap, 200, " ! 1  missing: what was in it, no way brings back\n"),
    ]
}

#[test]
fn damage_is_told_mended_when_told_to_and_put_back() {
    for (name, folder, kept, row) in damaged() {
        let dir = folder.path();
        let before = files(dir);
        let told = run("wal", dir);
        assert_eq!(told.code, Some(2), "{name}");
        let mend = format!("  kubectl prom-fix wal --data {} --apply\n", dir.display());
        assert!(told.out.starts_with("FAULTS") && told.out.ends_with(&mend), "{}", told.out);
        assert!(!told.out.contains("prom-fix-agent"), "{}", told.out);
        assert!(told.out.contains(row), "{name}: {}", told.out);
        let planned = run("wal --dry-run=client -o json", dir);
        assert_eq!(planned.code, Some(2), "{name}");
        assert_eq!(json(&planned.out)["kept"]["samples"], kept, "{name}");

        let refused = run("wal --apply", dir);
        let why = "refused, nothing was changed: no terminal to ask on: add --yes";
        assert_eq!((refused.code, refused.err.trim_end()), (Some(3), why), "{name}");
        assert_eq!(files(dir), before, "{name}");

        let mended = run("wal --apply --yes", dir);
        assert_eq!(mended.code, Some(0), "{name}: {}", mended.err);
        assert!(mended.err.contains("would be changed"), "it is shown first: {}", mended.err);
        let undo = format!("  kubectl prom-fix undo --data {}\n", dir.display());
        assert!(mended.out.ends_with(&undo), "{}", mended.out);
        let survey = run("wal -o json", dir);
        assert_eq!(survey.code, Some(0), "{name}: {}", survey.out);

        assert_eq!(run("undo", dir).code, Some(3), "{name}: nobody was asked");
        let back = run("undo --yes -o json", dir);
        assert_eq!(back.code, Some(0), "{name}: {}", back.err);
        assert_eq!(json(&back.out)["outcome"], "restored", "{name}");
        assert_eq!(files(dir), before, "{name}");
    }
}

#[test]
fn what_prometheus_wrote_since_goes_aside_when_it_is_forced() {
    let (_, folder, ..) = damaged().remove(0);
    let dir = folder.path();
    let before = files(dir);
    assert_eq!(run("wal --apply --yes", dir).code, Some(0));
    fs::write(dir.join("wal/00000003"), b"of a start since").expect("written");
    let after = files(dir);
    let refused = run("undo --yes", dir);
    assert_eq!(refused.code, Some(3));
    assert!(refused.err.contains("--force sets aside what it wrote"), "{}", refused.err);
    assert_eq!(files(dir), after);
    let back = run("undo --yes --force", dir);
    assert_eq!(back.code, Some(0), "{}", back.err);
    assert_eq!(files(dir), before);
}

#[test]
fn a_script_is_told_why_in_json() {
    let (_, folder, ..) = damaged().remove(0);
    let rows = [
        ("wal --apply -o json", folder.path().to_owned(), 3, "add --yes"),
        ("wal -o json", folder.path().join("none"), 1, "none"),
        ("oom -o json", folder.path().join("none"), 1, "none"),
    ];
    for (words, dir, code, why) in rows {
        let ran = run(words, &dir);
        assert_eq!(ran.code, Some(code), "{words}: {}", ran.err);
        let report = json(&ran.out);
        assert_eq!((&report["kind"], &report["exit"]), (&"Report".into(), &code.into()));
        let message = report["message"].as_str().expect("a text");
        assert!(message.contains(why) && ran.err.contains(message), "{words}: {message}");
    }
}

#[test]
fn while_a_prometheus_holds_the_lock_nothing_is_written() {
    let (_, folder, ..) = damaged().remove(0);
    let before = files(folder.path());
    let lock = fs::File::create(folder.path().join("lock")).expect("made");
    lock.try_lock().expect("nobody has it");
    let refused = run("wal --apply --yes", folder.path());
    assert_eq!(refused.code, Some(3), "{}", refused.out);
    assert!(refused.err.contains("held by a Prometheus that runs"), "{}", refused.err);
    assert_eq!(files(folder.path()), before);
}
