//! What a survey tells of what lies beside the log, and what a salvage takes from there.

use std::path::Path;

use serde_json::json;

use crate::directory::{self as d, folder, json, run};

#[test]
fn what_a_start_takes_away_is_told_and_is_no_fault() {
    let folder = folder();
    let root = folder.path();
    d::put(root, "wal/00000000", &d::log(&[d::series(1..60), d::samples(1..60, 1000)]));
    let temporary = [
        "01M827CT0DKCN5KG2K87TH0H4J.tmp-for-creation/index",
        "01M827CT0DKCN5KG2K87TH0H4K.tmp-for-deletion/index",
        "chunk_snapshot.000005.0009999999.tmp/00000000",
        "wal/checkpoint.00000004.tmp/00000000",
    ];
    for name in temporary {
        d::put(root, name, b"half");
    }
    // Of somebody else: it stays.
    d::put(root, "notes.tmp", b"mine");
    let survey = json(&run(&["survey", "--json"], root, 0));
    let mut told: Vec<&str> = survey["temporary"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|path| path.as_str().expect("text"))
        .collect();
    told.sort_unstable();
    let folders =
        temporary.map(|name| root.join(name).parent().map(Path::to_owned).expect("a folder"));
    assert_eq!(told, folders.each_ref().map(|path| path.to_str().expect("text")));
    assert_eq!(survey["judged"]["problems"], json!([]));
    let text = run(&["survey"], root, 0);
    assert!(text.contains("left half made, taken away at the next start"), "{text}");
}

/// No segment, checkpoint or chunk names a ref as high: only a late sample does, of a series whose
/// record was lost.
#[test]
fn the_guard_is_above_a_ref_that_the_out_of_order_log_alone_names() {
    let folder = folder();
    let root = folder.path();
    d::healthy(root);
    d::flip(root, "wal/00000006", 3000);
    d::put(root, "wbl/00000003", &d::log(&[d::samples(700..710, 1000)]));
    let report = json(&run(&["salvage", "--json"], root, 0));
    let file = &report["files"][0];
    assert_eq!((&file["path"], &file["act"]), (&json!("wal/00000007"), &json!({"guard": 710})));
}

#[test]
fn each_of_several_faults_in_a_file_says_what_it_costs() {
    let folder = folder();
    let root = folder.path();
    let scrape = |time: i64| d::samples(1..60, time * 1000);
    d::put(
        root,
        "wal/00000000",
        &d::log(&[vec![d::series(1..60)], (0..6).map(scrape).collect()].concat()),
    );
    let (head, each) = (d::log(&[d::series(1..60)]).len(), d::log(&[scrape(0)]).len());
    for record in [1, 4] {
        d::flip(root, "wal/00000000", head + record * each + 20);
        d::flip(root, "wal/00000000", head + record * each + 120);
    }
    let survey = json(&run(&["survey", "--json"], root, 2));
    let costs = |records: u64| json!({"records": records, "series": 0, "samples": 59 * records});
    for (at, page, prometheus) in [(0, 2, 3), (1, 1, 1)] {
        let told = &survey["segments"][0]["faults"][at]["costs"];
        assert_eq!(told["prometheus"], costs(prometheus), "{survey:#}");
        assert_eq!(told["page"], costs(page), "{survey:#}");
    }
    let text = run(&["survey"], root, 2);
    let first = "page by page 118 samples more, by a repair that cuts here 177 samples";
    let second = "page by page 59 samples more, by a repair that cuts here 59 samples";
    assert!(text.contains(first) && text.contains(second), "{text}");
}
