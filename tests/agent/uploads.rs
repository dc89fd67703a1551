//! What a Thanos sidecar left in a directory, and what may lie there in its stead.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::directory::{everything, folder, healthy, json, put, run};

const NOTE: &str = "thanos.shipper.json";
const WHOLE: &str = "01M827CT0DKCN5KG2K87TH0H4K";
/// Its meta.json cannot be read, and so this exits with 2.
const HALF: &str = "01M827CT0DKCN5KG2K87TH0H4J";

/// The block has a sample, as one that is to be uploaded.
fn with_blocks(root: &Path) {
    healthy(root);
    let stats = json!({"numSamples": 7});
    let meta = json!({"version": 1, "minTime": 0, "maxTime": 7_200_000, "stats": stats,
        "compaction": {"level": 1}});
    put(root, &format!("{WHOLE}/meta.json"), meta.to_string().as_bytes());
}

fn uploads(root: &Path) -> Value {
    json(&run(&["survey", "--json"], root, 2))["uploads"].clone()
}

#[test]
fn what_is_noted_and_what_is_here_alone_is_told() {
    let dir = folder();
    let root = dir.path();
    with_blocks(root);
    assert_eq!(uploads(root), Value::Null, "no sidecar was here");
    let note = json!({"version": 1, "uploaded": [WHOLE]});
    put(root, NOTE, note.to_string().as_bytes());
    let before = everything(root);
    let told = uploads(root);
    assert_eq!(told["listed"], 1);
    let newest = json!({"ulid": WHOLE, "ends": 7_200_000, "made": 1_795_371_198_477_i64});
    assert_eq!(told["newest"], newest);
    assert_eq!((&told["here"][0]["ulid"], &told["hereCount"]), (&json!(HALF), &json!(1)));
    assert_eq!(told["head"], Value::Null, "its log is older than the block");
    let text = run(&["survey"], root, 2);
    assert!(text.contains("Thanos sidecar  1 block noted as uploaded; the newest,"), "{text}");
    assert!(everything(root) == before);

    put(root, NOTE, b"{\"version\": 1, \"uploaded\": null}");
    fs::rename(root.join(WHOLE), root.join("elsewhere")).expect("it was there");
    let told = uploads(root);
    assert_eq!((&told["listed"], &told["newest"]), (&json!(0), &Value::Null));
    assert_eq!(told["head"], json!({"first": 0, "last": 279_000}), "all of the log");
}

#[test]
fn what_is_no_note_is_told_as_unread_and_holds_nobody_up() {
    let dir = folder();
    let root = dir.path();
    with_blocks(root);
    let path = root.join(NOTE);
    let not_json = "not the JSON of a Thanos sidecar";
    let listed = |name: &str| json!({"version": 1, "uploaded": [name]}).to_string().into_bytes();
    let large = [listed(WHOLE), vec![b' '; 1 << 20]].concat();
    for (bytes, why) in [
        (Vec::new(), not_json),
        (vec![0xff; 3000], not_json),
        (b"{\"version\": 1, \"uploaded\": [".repeat(3000), not_json),
        (listed("\u{1b}[2J"), "it lists what is no block"),
        (b"{\"version\": 9}".to_vec(), "of a version that is not known"),
        (large, "larger than a note of it is"),
    ] {
        put(root, NOTE, &bytes);
        let told = uploads(root);
        assert_eq!(told["unread"], why);
        assert_eq!((&told["listed"], &told["hereCount"]), (&json!(0), &json!(2)), "{why}");
        let text = run(&["survey"], root, 2);
        assert!(text.contains("what was uploaded is") && !text.contains('\u{1b}'), "{text}");
    }
    fs::remove_file(&path).expect("it was there");
    symlink("/dev/zero", &path).expect("made");
    assert_eq!(uploads(root)["unread"], "not a file");
    fs::remove_file(&path).expect("it was there");
    let made = Command::new("mkfifo").arg(&path).status().expect("it starts");
    assert!(made.success());
    assert_eq!(uploads(root)["unread"], "not a file");
}
