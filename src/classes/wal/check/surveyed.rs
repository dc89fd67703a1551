//! What a survey of the files told, as evidence.

use serde::Deserialize;
use serde_json::Value;

use crate::classes::wal::docs::is_damage;
use crate::model::object::ObjectExt;
use crate::model::quantity::{show_count, show_time};
use crate::model::report::{Directory, Inventory, Memory, Place};
use crate::model::{Finding, Severity, Snapshot};
use crate::subject::{Subject, errand, frozen};
use crate::walfile::count::Kept;
use crate::walfile::fault::{Costs, Fault};
use crate::walfile::inventory::memory::{self, Need};
use crate::walfile::map::{Log, Map};
use crate::walfile::uploads::Uploads;

/// What is wrong beside damaged files, which the map tells: so much of it one by one.
const MOST: usize = 5;

/// The findings of damage with what is known of the files, where they were looked at.
pub fn told(subject: &Subject, seen: &Snapshot, findings: Vec<Finding>) -> Vec<Finding> {
    let stand_in = frozen::pod(subject);
    let one = |finding: Finding| {
        if finding.severity != Severity::Error {
            return finding;
        }
        let pod = match finding.object == subject.root {
            true => stand_in.as_ref(),
            false => subject.pods.iter().find(|p| p.name() == finding.object.name),
        };
        let Some(pod) = pod else { return finding };
        let volume = errand::volume(subject, pod).ok();
        match volume.and_then(|volume| seen.inside.surveys.get(&volume.claim)) {
            Some(survey) => with(finding, survey),
            None if is_damage(finding.code) => super::uploads::inferred(finding, pod),
            None => finding,
        }
    };
    findings.into_iter().map(one).collect()
}

/// What was seen of each volume that was looked at.
pub fn directories(subject: &Subject, seen: &Snapshot) -> Vec<Directory> {
    let stand_in = frozen::pod(subject);
    let pods = subject.pods.iter().chain(stand_in.as_ref());
    let mut found: Vec<Directory> = Vec::new();
    for volume in pods.filter_map(|pod| errand::volume(subject, pod).ok()) {
        let claim = volume.claim;
        let Some(survey) = seen.inside.surveys.get(&claim) else { continue };
        if found.iter().all(|one| one.claim != claim) {
            let map = survey.get("map").and_then(|map| Map::deserialize(map).ok());
            let map = map.unwrap_or_default();
            let inventory = inventory(subject, survey);
            let (faults, uploads) = (faults(survey), uploads(survey));
            found.push(Directory { claim, map, faults, uploads, inventory });
        }
    }
    found
}

/// The faults of the newest checkpoint, of the log and of the out-of-order log, one by one.
fn faults(survey: &Value) -> Vec<Place> {
    let mut all = Vec::new();
    if let Some(checkpoint) = survey.list("/checkpoints").last() {
        let log = u64::try_from(checkpoint.number("/number").unwrap_or(0)).map(Log::Checkpoint);
        log.into_iter().for_each(|log| places(log, checkpoint.list("/files"), &mut all));
    }
    places(Log::Wal, survey.list("/segments"), &mut all);
    places(Log::Wbl, survey.list("/wbl"), &mut all);
    all.truncate(Directory::MOST_FAULTS);
    all
}

fn places(log: Log, files: &[Value], into: &mut Vec<Place>) {
    let kept = |fault: &Value, way: &str| Kept::deserialize(fault.get("costs")?.get(way)?).ok();
    for file in files {
        let Some(number) = file.number("/number").and_then(|n| u64::try_from(n).ok()) else {
            continue;
        };
        for told in file.list("/faults") {
            let Ok(mut fault) = Fault::deserialize(told) else { continue };
            fault.costs = kept(told, "prometheus")
                .zip(kept(told, "page"))
                .map(|(prometheus, page)| Costs { prometheus, page });
            into.push(Place { log, number, fault });
        }
    }
}

/// What a Thanos sidecar noted there.
pub fn uploads(survey: &Value) -> Option<Uploads> {
    survey.get("uploads").and_then(|uploads| Uploads::deserialize(uploads).ok())
}

/// Of metrics, jobs, pairs and labels, how many are named.
const NAMED: usize = 5;

/// What its start loads, where the survey has counted that.
fn inventory(subject: &Subject, survey: &Value) -> Option<Inventory> {
    let counted = survey.get("inventory")?;
    let series = u64::try_from(counted.number("/series")?).ok()?;
    let named = |list: &str, name: &dyn Fn(&Value) -> String, of: &str| -> Vec<(String, u64)> {
        let all = counted.list(list).iter();
        let one = |rank: &Value| Some((name(rank), u64::try_from(rank.number(of)?).ok()?));
        all.filter_map(one).take(NAMED).collect()
    };
    let value = |rank: &Value| rank.text("/value").to_owned();
    let name = |rank: &Value| rank.text("/name").to_owned();
    let pair = |rank: &Value| format!("{}={}", name(rank), value(rank));
    let memory = || {
        let version = subject.version.map(|version| version.to_string());
        let Need { line: _, at_ready, low, limit, high } =
            memory::need(memory::line_or_dearest(version.as_deref()), series);
        Memory { at_ready, limit, low, high }
    };
    Some(Inventory {
        series,
        metrics: named("/metrics", &value, "/series"),
        jobs: named("/jobs", &value, "/series"),
        pairs: named("/pairs", &pair, "/series"),
        labels: named("/labels", &name, "/values"),
        memory: (!subject.agent).then(memory),
    })
}

/// A number of a survey as it is shown.
pub fn count(value: &Value, pointer: &str) -> String {
    show_count(u64::try_from(value.number(pointer).unwrap_or(0)).unwrap_or(0))
}

fn with(mut finding: Finding, survey: &Value) -> Finding {
    for problem in survey.list("/judged/problems").iter().take(MOST) {
        if let Some(words) = words(problem) {
            finding = finding.with("found", words);
        }
    }
    let kept = |policy: &str| count(survey, &format!("/judged/kept/{policy}/samples"));
    finding = finding
        .with("kept by Prometheus' repair", format!("{} samples", kept("prometheus")))
        .with("kept page by page", format!("{} samples", kept("page")))
        .with("kept by a salvage", format!("{} samples", kept("fragment")));
    if let Some(of_these) = nameless(survey) {
        finding = finding.with("of these", of_these);
    }
    finding.with("its next start", next_start(survey))
}

/// Samples that can be read, and of which no record that is left says of which series they are.
pub fn nameless(survey: &Value) -> Option<String> {
    let samples = survey.number("/orphans/samples").filter(|samples| *samples > 0)?;
    let samples = show_count(u64::try_from(samples).ok()?);
    let series = count(survey, "/orphans/series");
    Some(format!("{samples} are of {series} series whose record is lost: no way serves them"))
}

/// What is wrong besides faults in a file (prom-fix-agent's `judged.problems`).
fn words(problem: &Value) -> Option<String> {
    let number = |field: &str| problem.number(&format!("/{field}")).unwrap_or(0);
    let log = problem.text("/log");
    Some(match problem.text("/kind") {
        "damaged" => return None,
        "gap" => format!("{log} goes from segment {} to {}", number("after"), number("next")),
        "duplicate" => format!("{log} has number {} twice", number("number")),
        "oddName" => {
            let name = problem.text("/name");
            format!("{log}/{name}, where Prometheus looks for {:08}", number("number"))
        }
        "notAFolder" => {
            format!("wal/{} is named as a checkpoint and is no folder", problem.text("/name"))
        }
        "numbersRestart" => format!(
            "no segment above checkpoint {}: each restart loses the head; of {} samples below it, \
             which no start reads, it is not known whose they are: a salvage sets them aside",
            number("checkpoint"),
            count(problem, "/samples")
        ),
        "refsLost" => {
            let named = problem.number("/named").map_or("no Series record".to_owned(), |named| {
                format!("the log names series up to {named} only")
            });
            let highest = number("highest");
            format!(
                "chunks or late samples of refs up to {highest}, and {named}: new series would be given them"
            )
        }
        "checkpointLost" => format!("no checkpoint before segment {}", number("first")),
        "gapAfterCheckpoint" => {
            format!(
                "nothing between checkpoint {} and segment {}",
                number("checkpoint"),
                number("first")
            )
        }
        "closed" => {
            format!("{log} {} cannot be opened: {}", number("number"), problem.text("/why"))
        }
        "repairUnfinished" => {
            let number = number("number");
            format!("{number:08}.repair, left by a repair that was not finished")
        }
        "snapshot" => match number("faults") {
            0 => format!("{} is empty, or for a segment behind the last", problem.text("/name")),
            faults => format!("{} has {faults} faults", problem.text("/name")),
        },
        "headChunks" => {
            format!("chunks_head {} is damaged at {}", number("number"), number("offset"))
        }
        "block" => {
            let named = format!("block {}: {}", problem.text("/ulid"), problem.text("/file"));
            match in_block(problem) {
                Some(holds) => format!("{named}; it holds {holds}"),
                None => named,
            }
        }
        kind => kind.to_owned(),
    })
}

/// What a block holds beside which no server starts.
fn in_block(problem: &Value) -> Option<String> {
    let samples = count(problem, "/samples");
    let span = problem.number("/span/first").zip(problem.number("/span/last"));
    problem.is_true("/stops").then(|| match span {
        Some((first, last)) => {
            format!("{samples} samples, {} to {}", show_time(first), show_time(last))
        }
        None => format!("{samples} samples"),
    })
}

/// What a salvage moves aside that is served no longer.
pub fn given_up(survey: &Value) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for problem in survey.list("/judged/problems") {
        let Some(holds) = in_block(problem) else { continue };
        let says = format!("block {} ({holds})", problem.text("/ulid"));
        // Two files of it may be damaged.
        if !blocks.contains(&says) {
            blocks.push(says);
        }
    }
    blocks
}

fn next_start(survey: &Value) -> String {
    let Some(start) = survey.pointer("/judged/nextStart") else { return "not known".into() };
    let log = start.text("/log");
    let does = match start.text("/does") {
        "repairs" => {
            let deletes = start.list("/deletes").len();
            format!(
                "cuts {log} {} at byte {} and deletes {deletes} segments behind it",
                start.number("/number").unwrap_or(0),
                start.number("/offset").unwrap_or(0)
            )
        }
        "fails" => format!("ends by itself: {}", spaced(start.text("/why/because"))),
        other => spaced(other),
    };
    let deleted = survey.list("/judged/deletesSnapshots").iter().map(|one| one.text("/name"));
    let deleted: Vec<&str> = deleted.collect();
    if deleted.is_empty() {
        return does;
    }
    let names = deleted.join(" and ");
    format!("{does}; it deletes {names} (2.43 and later, where it reads snapshots)")
}

/// `notSequential` as a person reads it.
fn spaced(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push(' ');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_block_that_is_given_up_is_told_once_with_what_it_holds() {
        let file = |file: &str, stops: bool| {
            json!({
                "kind": "block", "ulid": "01A", "file": file, "stops": stops, "samples": 1500,
                "span": {"first": 1_795_371_198_000_i64, "last": 1_795_378_398_000_i64},
            })
        };
        let survey = |files: [Value; 2]| json!({"judged": {"problems": files}});
        let told = "1 500 samples, 2026-11-22 18:13:18Z to 2026-11-22 20:13:18Z";
        let stops = survey([file("index", true), file("chunks/000001", true)]);
        assert_eq!(given_up(&stops), [format!("block 01A ({told})")]);
        assert_eq!(words(&file("index", true)), Some(format!("block 01A: index; it holds {told}")));
        // A server starts without one whose meta.json it cannot read.
        let passed_over = survey([file("meta.json", false), file("index", false)]);
        assert_eq!(given_up(&passed_over), Vec::<String>::new());
        assert_eq!(words(&file("meta.json", false)), Some("block 01A: meta.json".to_owned()));
    }

    #[test]
    fn a_name_is_read_as_words() {
        assert_eq!(spaced("notSequential"), "not sequential");
        assert_eq!(spaced("whole"), "whole");
    }
}
