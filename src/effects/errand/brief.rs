//! What is kept of a helper's report: as much as a receipt can hold.

use serde_json::{Map, Value};

use crate::model::object::ObjectExt;
use crate::model::receipt::ASIDE_BYTES;
use crate::model::report::Directory;

/// Files of a salvage that are kept.
const FILES: usize = 50;

/// Names in a directory that are kept.
const NAMES: usize = 1000;

/// Of each list of an inventory, what is kept: the largest come first.
const LARGEST: usize = 10;

pub(super) fn brief(mut report: Value) -> Value {
    if let Some(fields) = report.as_object_mut() {
        if fields.contains_key("judged") {
            brief_survey(fields);
        } else if fields.contains_key("churn") {
            fields.values_mut().for_each(brief_list);
        } else if let Some(entries) = fields.get_mut("entries").and_then(Value::as_array_mut) {
            // By name, and so the oldest blocks first: a directory has a few dozen.
            entries.truncate(NAMES);
        } else {
            brief_salvage(fields);
        }
    }
    report
}

fn brief_list(value: &mut Value) {
    match value {
        Value::Array(rows) => rows.truncate(LARGEST),
        // Hours lie in time, and the last tell of what grows.
        Value::Object(fields) => {
            if let Some(hours) = fields.get_mut("hours").and_then(Value::as_array_mut) {
                hours.drain(..hours.len().saturating_sub(LARGEST));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The first files, without their faults; of all of them, the bytes that were set aside.
fn brief_salvage(fields: &mut Map<String, Value>) {
    let aside = fields.get("files").and_then(Value::as_array).map(|files| {
        let gone = |file: &&Value| {
            matches!(file.text("/act"), "rewrite" | "set-aside")
                || file.get("act").is_some_and(|act| act.get("shorten").is_some())
        };
        let sizes = files.iter().filter(gone).filter_map(|file| file.number("/was"));
        sizes.filter_map(|bytes| u64::try_from(bytes).ok()).sum::<u64>()
    });
    if let Some(bytes) = aside {
        fields.insert(ASIDE_BYTES.into(), bytes.into());
    }
    if let Some(files) = fields.get_mut("files").and_then(Value::as_array_mut) {
        files.truncate(FILES);
        for file in files.iter_mut().filter_map(Value::as_object_mut) {
            file.remove("faults");
        }
    }
    if let Some(orphans) = fields.get_mut("orphans").and_then(Value::as_object_mut) {
        orphans.remove("named");
    }
}

/// The verdict, the map, which is small however many files there are, and the first faults.
fn brief_survey(fields: &mut Map<String, Value>) {
    const KEPT: [&str; 13] = [
        "root",
        "judged",
        "map",
        "uploads",
        "lock",
        "agreement",
        "inventory",
        "free",
        "needed",
        "checkpoints",
        "segments",
        "wbl",
        "orphans",
    ];
    fields.retain(|name, _| KEPT.contains(&name.as_str()));
    let mut room = Directory::MOST_FAULTS;
    // A start reads the last one alone.
    if let Some(checkpoints) = fields.get_mut("checkpoints").and_then(Value::as_array_mut) {
        checkpoints.drain(..checkpoints.len().saturating_sub(1));
        let all = checkpoints.iter_mut().filter_map(Value::as_object_mut);
        all.for_each(|checkpoint| damaged_alone(checkpoint, "files", &mut room));
    }
    ["segments", "wbl"].iter().for_each(|log| damaged_alone(fields, log, &mut room));
    if let Some(inventory) = fields.get_mut("inventory").and_then(Value::as_object_mut) {
        inventory.values_mut().for_each(brief_list);
    }
}

/// Of a list of files the damaged ones, each with its number and its faults.
fn damaged_alone(fields: &mut Map<String, Value>, list: &str, room: &mut usize) {
    let Some(files) = fields.get_mut(list).and_then(Value::as_array_mut) else { return };
    files.retain_mut(|file| {
        let Some(file) = file.as_object_mut() else { return false };
        file.retain(|name, _| matches!(name.as_str(), "number" | "faults"));
        let faults = file.get_mut("faults").and_then(Value::as_array_mut);
        faults.is_some_and(|faults| {
            faults.truncate(*room);
            *room -= faults.len();
            !faults.is_empty()
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_an_inventory_the_largest_are_kept() {
        let rows: Vec<Value> = (0..50).map(|n| json!({"value": n})).collect();
        let kept = brief(json!({
            "series": 7, "metrics": rows, "pairs": rows, "churn": {"hours": rows, "earlier": 1},
        }));
        assert_eq!(
            kept,
            json!({
                "series": 7, "metrics": rows[..10], "pairs": rows[..10],
                "churn": {"hours": rows[40..], "earlier": 1},
            })
        );
    }

    #[test]
    fn of_a_survey_the_first_faults_are_kept_and_no_whole_file() {
        let file = |number: u64, faults: usize| json!({"number": number, "size": 9, "faults": vec![json!({"offset": 1}); faults]});
        let kept = brief(json!({
            "judged": {}, "free": 1, "needed": 2, "blocks": [], "orphans": {"samples": 3},
            "checkpoints": [{"files": [file(0, 9)]}, {"number": 7, "files": [file(0, 1), file(1, 0)]}],
            "segments": [file(8, 150), file(9, 0), file(10, 150), file(11, 1)],
            "wbl": [file(0, 1)],
        }));
        let file = |number: u64, faults: usize| json!({"number": number, "faults": vec![json!({"offset": 1}); faults]});
        let want = json!({
            "judged": {}, "free": 1, "needed": 2, "orphans": {"samples": 3},
            "checkpoints": [{"number": 7, "files": [file(0, 1)]}],
            "segments": [file(8, 150), file(10, 49)],
            "wbl": [],
        });
        assert_eq!(kept, want);
    }
}
