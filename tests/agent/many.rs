//! A log of thousands of segments, as one is left whose head compaction fails for weeks.

use std::time::{Duration, Instant};

use crate::directory::{self as d, folder, json};
use crate::hostile::{MIB, run};

const SEGMENTS: u64 = 5000;

#[test]
fn thousands_of_segments_take_no_more_memory_than_a_few() {
    let folder = folder();
    let root = folder.path();
    for number in 0..SEGMENTS {
        let refs = number * 10..number * 10 + 10;
        let time = i64::try_from(number).expect("small") * 60_000;
        let records = [d::series(refs.clone()), d::samples(refs, time)];
        d::put(root, &format!("wal/{number:08}"), &d::log(&records));
    }
    // Every hundredth is damaged; what lies behind the first fault, Prometheus would delete.
    for number in (50..SEGMENTS).step_by(100) {
        d::flip(root, &format!("wal/{number:08}"), 20);
    }
    for (words, exit) in [
        (&["survey", "--json"][..], 2),
        (&["survey", "--quick", "--json"], 2),
        (&["inventory", "--json", "--top=1"], 2),
        (&["salvage", "--json"], 0),
        (&["restore", "--json"], 0),
    ] {
        let began = Instant::now();
        let (code, out, peak) = run(words, root);
        let took = began.elapsed();
        println!("{words:?}: {took:?}, {} MiB", peak / MIB);
        assert_eq!(code, Some(exit), "{words:?}");
        assert!(peak <= 64 * MIB, "{words:?} took {} MiB", peak / MIB);
        assert!(took < Duration::from_secs(60), "{words:?} took {took:?}");
        let told = json(&out);
        if words == ["salvage", "--json"] {
            // The last names the highest ref: no guard.
            assert_eq!(told["files"].as_array().map(Vec::len), Some(50));
            // One wrong byte of a Series record is put right.
            assert_eq!(told["kept"]["series"], SEGMENTS * 10);
        }
    }
}
