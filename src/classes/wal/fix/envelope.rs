//! What is agreed to by `--inspect --apply --yes`, before anything is known of the files: no more than
//! what a person would call mending a log. What lies outside asks again.

use serde::Deserialize;
use serde_json::Value;

use crate::classes::wal::check::surveyed;
use crate::model::object::ObjectExt;
use crate::model::quantity::show_bytes;
use crate::walfile::frame::PAGE;
use crate::walfile::map::Map;

/// Of the bytes of a log, the share that no way reads.
const MOST_UNREADABLE_PERCENT: u64 = 10;
/// Of a small log a page is more than that: its files are filled up with zeros to the end of one. So
/// many are seconds of a small server.
const FEW_PAGES: u64 = 8 * PAGE as u64;

/// Said before the look.
pub const SAYS: &str = "--yes agrees to a plan that sets aside files of the log and of the head alone \
                        (wal, wbl, chunks_head, chunk_snapshot; all are kept), and that loses no more \
                        than a tenth of the log, or 256Ki of a small one, which no way reads. Whatever \
                        else the look leads to is shown, and asked about";

/// What of a salvage lies outside of that.
pub fn beyond(survey: &Value) -> Vec<String> {
    let blocks = surveyed::given_up(survey);
    let mut out: Vec<String> =
        blocks.iter().map(|block| format!("it sets aside {block}")).collect();
    for problem in survey.list("/judged/problems") {
        let samples = problem.number("/samples").unwrap_or(0);
        if problem.text("/kind") == "numbersRestart" && samples > 0 {
            out.push(format!("it sets aside {samples} samples that no start reads"));
        }
    }
    let Some(map) = survey.get("map").and_then(|map| Map::deserialize(map).ok()) else {
        out.push("the map of its log could not be read".into());
        return out;
    };
    let bytes: u64 = map.rows.iter().map(|row| row.bytes).sum();
    let unreadable: u64 = map
        .rows
        .iter()
        .filter_map(|row| row.costs.as_ref())
        .map(|costs| costs.unreadable_bytes)
        .sum();
    let share = unreadable.saturating_mul(100) > bytes.saturating_mul(MOST_UNREADABLE_PERCENT);
    if share && unreadable > FEW_PAGES {
        let (unreadable, bytes) = (show_bytes(unreadable), show_bytes(bytes));
        out.push(format!("no way reads {unreadable} of the {bytes} of its log"));
    }
    if map.left_out > 0 {
        out.push(format!("{} runs of files were not looked at one by one", map.left_out));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Of a log of so many bytes, in two files.
    fn of_log(bytes: u64, unreadable: u64, problems: &Value, left_out: u64) -> Vec<String> {
        let row = |costs: Value| {
            json!({"log": "wal", "first": 1, "last": 1, "state": "whole", "fate": "read",
                "bytes": bytes / 2, "holds": {"records": 1, "series": 1, "samples": 1}, "faults": 0,
                "fault": null, "costs": costs, "why": null})
        };
        let kept = json!({"records": 0, "series": 0, "samples": 0});
        let costs = json!({"prometheus": kept, "page": kept, "unreadableBytes": unreadable});
        beyond(&json!({
            "judged": {"problems": problems},
            "map": {"rows": [row(Value::Null), row(costs)], "leftOut": left_out, "starts": true},
        }))
    }

    fn of(unreadable: u64, problems: &Value, left_out: u64) -> Vec<String> {
        of_log(10 << 20, unreadable, problems, left_out)
    }

    #[test]
    fn a_page_of_a_small_log_is_not() {
        let small = |unreadable: u64| of_log(320 << 10, unreadable, &json!([]), 0);
        assert_eq!(small(32 << 10), Vec::<String>::new());
        assert_eq!(small(300 << 10), ["no way reads 300Ki of the 320Ki of its log"]);
    }

    #[test]
    fn a_block_and_a_tenth_of_the_log_are_asked_about() {
        assert_eq!(of(1 << 20, &json!([]), 0), Vec::<String>::new());
        assert_eq!(of(1 << 21, &json!([]), 0), ["no way reads 2Mi of the 10Mi of its log"]);
        assert_eq!(of(0, &json!([]), 2), ["2 runs of files were not looked at one by one"]);
        let block = json!([{
            "kind": "block", "ulid": "01A", "file": "index", "stops": true, "samples": 1500,
            "span": {"first": 1_795_371_198_000_i64, "last": 1_795_378_398_000_i64},
        }]);
        let behind = json!([{"kind": "numbersRestart", "checkpoint": 9, "last": 3, "samples": 12}]);
        assert_eq!(of(0, &behind, 0), ["it sets aside 12 samples that no start reads"]);
        assert_eq!(beyond(&json!({})), ["the map of its log could not be read"]);
        let told = of(0, &block, 0);
        assert!(told.len() == 1 && told[0].starts_with("it sets aside block 01A ("), "{told:?}");
    }
}
