//! What a look inside saw, as text and as JSON.

use serde_json::{Value, json};

use super::report::shown;
use super::sample;
use crate::model::report::{Directory, Inventory, Memory, Place, Report};
use crate::model::{Kind, ObjectRef};
use crate::render::{self, Head};

fn kept(samples: u64) -> Value {
    json!({"records": samples / 100, "series": 0, "samples": samples})
}

/// A segment in the middle is damaged, and those behind it would be deleted.
fn map() -> Value {
    let whole = |first: u64, last: u64, fate: &str, samples: u64| {
        json!({
            "log": "wal", "first": first, "last": last, "state": "whole", "fate": fate,
            "bytes": 1 << 20, "holds": kept(samples), "faults": 0,
            "fault": null, "costs": null, "why": null,
        })
    };
    let damaged = json!({
        "log": "wal", "first": 8, "last": 8, "state": "damaged", "fate": "read",
        "bytes": 1 << 20, "holds": kept(900), "faults": 2,
        "fault": {"kind": "checksum", "offset": 1_234_567, "page": 37, "skipped": 500},
        "costs": {"prometheus": kept(700), "page": kept(400), "unreadableBytes": 500},
        "why": null,
    });
    let rows = [whole(3, 7, "read", 5000), damaged, whole(9, 2011, "deleted", 200_300)];
    json!({"rows": rows, "leftOut": 0, "starts": true})
}

fn looked_at() -> Report {
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, "monitoring", "data-prometheus-k8s-0");
    let map = serde_json::from_value(map()).expect("a map");
    Report {
        directories: vec![Directory {
            claim,
            map,
            faults: Vec::new(),
            uploads: None,
            inventory: None,
        }],
        ..sample()
    }
}

#[test]
fn what_was_seen_inside_is_a_map_of_few_lines() {
    let text = shown(&looked_at());
    let want = "

Map of the log on pvc/data-prometheus-k8s-0, by number
   3-7     whole, 1.0 MiB, 5 000 samples
 x 8       damaged at byte 1 234 567 (page 37): wrong checksum; 2 faults in all
           lost by a salvage (by fragment): 500 B that no way reads
           lost page by page: 400 samples more
           lost by Prometheus' repair: 201 000 samples more, with 2 003 files
           behind it
   9-2011  whole, 1.0 MiB, 200 300 samples; the next start deletes it

Plan ";
    assert!(text.contains(want), "{text}");
}

#[test]
fn what_was_uploaded_is_told_behind_the_map() {
    let mut report = looked_at();
    let uploads = json!({
        "unread": null, "listed": 12,
        "newest": {"ulid": "01M827CT0DKCN5KG2K87TH0H4J", "ends": 7_200_000, "made": 0},
        "here": [], "hereCount": 0, "head": {"first": 7_200_000, "last": 7_260_000},
    });
    let uploads = serde_json::from_value(uploads).expect("what was uploaded");
    report.directories[0].uploads = Some(uploads);
    let want = "; the next start deletes it

Thanos sidecar  12 blocks noted as uploaded; the newest,
                01M827CT0DKCN5KG2K87TH0H4J, ends 1970-01-01 02:00:00Z
  only here     the log behind the blocks, 1970-01-01 02:00:00Z to 1970-01-01
                02:01:00Z

Plan ";
    let text = shown(&report);
    assert!(text.contains(want), "{text}");
}

#[test]
fn who_fills_the_head_is_told_behind_the_map() {
    let mut report = looked_at();
    let memory = Memory { at_ready: 2 << 30, limit: 4 << 30, low: 3 << 30, high: 5 << 30 };
    let metrics = vec![("http_requests_total".to_owned(), 700_000), ("up\u{1b}[2J".into(), 12)];
    let jobs = vec![("api".to_owned(), 700_000)];
    let pairs = vec![("job=api".to_owned(), 700_000)];
    let labels = ["path", "instance", "code", "le"].map(|name| (name.to_owned(), 9)).to_vec();
    report.directories[0].inventory =
        Some(Inventory { series: 812_000, metrics, jobs, pairs, labels, memory: Some(memory) });
    let want = "; the next start deletes it

Head of pvc/data-prometheus-k8s-0, by its log: 812 000 series
  memory  2Gi once replayed; limit 4Gi (3Gi-5Gi)
  most        700 000  http_requests_total
                   12  up
  by job      700 000  api
  values            9  path
                    9  instance
                    9  code

Plan ";
    let text = shown(&report);
    assert!(text.contains(want), "{text}");
    let head = Head { command: "wal", exit: 2, context: None, message: None };
    let value = render::json(&head, &[report]);
    let values = ["path", "instance", "code", "le"].map(|name| json!({"name": name, "values": 9}));
    let want = json!({
        "series": 812_000,
        "metrics": [
            {"name": "http_requests_total", "series": 700_000},
            {"name": "up\u{1b}[2J", "series": 12},
        ],
        "jobs": [{"name": "api", "series": 700_000}],
        "pairs": [{"name": "job=api", "series": 700_000}],
        "labels": values,
        "memory": {"atReady": 2_u64 << 30, "limit": 4_u64 << 30, "low": 3_u64 << 30, "high": 5_u64 << 30},
    });
    assert_eq!(value["reports"][0]["directories"][0]["inventory"], want);
}

#[test]
fn a_script_finds_the_places_and_what_they_cost() {
    let head = Head { command: "wal", exit: 2, context: None, message: None };
    let mut report = looked_at();
    let fault = json!({"kind": "checksum", "offset": 1_234_567, "page": 37, "skipped": 500});
    report.directories[0].faults = vec![Place {
        log: serde_json::from_value(json!("wal")).expect("a log"),
        number: 8,
        fault: serde_json::from_value(fault.clone()).expect("a fault"),
    }];
    let value = render::json(&head, &[report]);
    let want = json!([{
        "claim": "pvc/data-prometheus-k8s-0",
        "map": map(),
        "faults": [{"log": "wal", "number": 8, "fault": fault}],
        "uploads": null,
        "inventory": null,
    }]);
    assert_eq!(value["reports"][0]["directories"], want);
}
