//! Notes as Thanos writes them, and all else that may be in their place.

use std::fs;

use super::{look, parsed};
use crate::datadir::survey::{BlockSurvey, Contents, SegmentFile};
use crate::walfile::block::BlockFault;
use crate::walfile::count::Span;
use crate::walfile::uploads::{Here, Uploaded, Uploads};

const FIRST: &str = "01M827CT0DKCN5KG2K87TH0H4J";
const SECOND: &str = "01M827CT0DKCN5KG2K87TH0H4K";
const THIRD: &str = "01M827CT0DKCN5KG2K87TH0H4M";
const MADE: i64 = 1_795_371_198_477;

#[test]
fn a_note_is_read_as_thanos_reads_it() {
    let whole = format!("{{\n\t\"version\": 1,\n\t\"uploaded\": [\n\t\t\"{FIRST}\"\n\t]\n}}\n");
    assert_eq!(parsed(whole.as_bytes()), Ok(vec![FIRST.to_owned()]));
    // Written where nothing was uploaded yet.
    assert_eq!(parsed(b"{\"version\": 1, \"uploaded\": null}"), Ok(Vec::new()));
    let json = Err("not the JSON of a Thanos sidecar");
    let torn = &whole.as_bytes()[..30];
    for broken in [&b""[..], torn, b"\xff\xfe", b"[]", b"{\"version\": \"1\"}", b"{}"] {
        assert_eq!(parsed(broken), json, "{broken:?}");
    }
    let deep = format!("{{\"version\": 1, \"x\": {}", "[".repeat(100_000));
    assert_eq!(parsed(deep.as_bytes()), json);
    assert_eq!(parsed(b"{\"version\": 2}"), Err("of a version that is not known"));
    let other = parsed(b"{\"version\": 1, \"uploaded\": [\"../../etc\"]}");
    assert_eq!(other, Err("it lists what is no block"));
}

fn block(ulid: &str, first: i64) -> BlockSurvey {
    let span = Some(Span { first, last: first + 100 });
    BlockSurvey { ulid: ulid.to_owned(), samples: 7, level: 1, span, ..BlockSurvey::default() }
}

/// Two blocks up to 200, and a log from 150 to 250.
fn contents() -> Contents {
    let mut log = SegmentFile::default();
    log.found.counts.entries.span = Some(Span { first: 150, last: 250 });
    Contents {
        blocks: vec![block(FIRST, 0), block(SECOND, 100)],
        segments: vec![log],
        ..Contents::default()
    }
}

fn found(note: &str, contents: &Contents) -> Option<Uploads> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("thanos.shipper.json"), note).expect("written");
    look(folder.path(), contents)
}

fn listing(names: &[&str]) -> String {
    format!("{{\"version\": 1, \"uploaded\": {names:?}}}")
}

#[test]
fn what_is_not_listed_is_here_alone() {
    let here = Here { ulid: SECOND.into(), span: Some(Span { first: 100, last: 200 }), level: 1 };
    let expected = Uploads {
        unread: None,
        listed: 1,
        newest: Some(Uploaded { ulid: FIRST.into(), ends: Some(100), made: MADE }),
        here: vec![here],
        here_count: 1,
        head: Some(Span { first: 200, last: 250 }),
    };
    assert_eq!(found(&listing(&[FIRST]), &contents()), Some(expected));
}

#[test]
fn the_newest_that_is_here_ends_when_it_says_and_another_was_made_when_its_name_says() {
    let newest = |names: &[&str]| found(&listing(names), &contents()).and_then(|u| u.newest);
    let ends = |names| newest(names).map(|newest| (newest.ulid, newest.ends));
    // A later name is no later block.
    assert_eq!(ends(&[THIRD, SECOND, FIRST]), Some((SECOND.to_owned(), Some(200))));
    assert_eq!(ends(&[THIRD]), Some((THIRD.to_owned(), None)));
    assert_eq!(newest(&[]), None);
}

#[test]
fn of_an_empty_block_and_of_one_that_another_was_made_of_nothing_is_said() {
    let mut contents = contents();
    contents.blocks[0].samples = 0;
    contents.blocks[1].replaced = true;
    let mut unread = block(THIRD, 0);
    (unread.span, unread.samples, unread.unread) = (None, 0, Some(BlockFault::Json));
    contents.blocks.push(unread);
    let here: Vec<String> =
        found(&listing(&[]), &contents).expect("a note").here.into_iter().map(|h| h.ulid).collect();
    assert_eq!(here, [THIRD]);
}

#[test]
fn of_a_note_that_cannot_be_read_only_what_is_here_is_known() {
    let told = found("{", &contents()).expect("a note");
    assert_eq!(told.unread.as_deref(), Some("not the JSON of a Thanos sidecar"));
    assert_eq!((told.listed, told.newest, told.here_count), (0, None, 2));
    let large = format!("{}{}", listing(&[FIRST]), " ".repeat(1 << 20));
    let told = found(&large, &contents()).expect("a note");
    assert_eq!(told.unread.as_deref(), Some("larger than a note of it is"));

    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(look(folder.path(), &contents()), None);
    fs::create_dir(folder.path().join("thanos.shipper.json")).expect("made");
    let told = look(folder.path(), &contents()).expect("something");
    assert_eq!(told.unread.as_deref(), Some("not a file"));
}

#[test]
fn a_log_without_samples_behind_the_blocks_holds_nothing_alone() {
    let mut contents = contents();
    contents.segments[0].found.counts.entries.span = Some(Span { first: 150, last: 199 });
    assert_eq!(found(&listing(&[]), &contents).expect("a note").head, None);
    contents.segments.clear();
    assert_eq!(found(&listing(&[]), &contents).expect("a note").head, None);
}
