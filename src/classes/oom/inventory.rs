//! A look at the log of a server that is down: how many series a start would load, and whose they
//! are. Asked for only where no server answers, for what one says of its head is better.

use serde_json::Value;

use super::size;
use crate::model::Snapshot;
use crate::model::finding::Unknown;
use crate::model::object::ObjectExt;
use crate::model::plan::{Look, Tells};
use crate::model::quantity::{show_bytes, show_count};
use crate::subject::Subject;
use crate::subject::errand::{self, Errand, Volume};
use crate::subject::identity::Who;
use crate::walfile::inventory::memory;

/// What the agent counted in the log of one pod (`prom-fix-agent inventory --json`).
#[derive(Clone, Copy)]
pub struct Counted<'a> {
    pub pod: &'a Value,
    pub series: u64,
    pub report: &'a Value,
}

/// How a guessed size can be made one that is counted.
#[derive(Debug)]
pub enum Better {
    /// By a look, which is allowed.
    Look(Box<Look>),
    /// Not in this run: by which command, or why not at all.
    Unread(Unknown),
}

/// The log with the most series: one limit is for all pods.
pub fn counted<'a>(subject: &'a Subject, seen: &'a Snapshot) -> Option<Counted<'a>> {
    let of = |pod: &'a Value| {
        let volume = errand::volume(subject, pod).ok()?;
        let report = seen.inside.inventories.get(&volume.claim)?;
        Some(Counted { pod, series: series(report)?, report })
    };
    subject.pods.iter().filter_map(of).max_by_key(|counted| counted.series)
}

fn series(report: &Value) -> Option<u64> {
    report.number("/series")?.try_into().ok()
}

/// What these series take once they are loaded, before anything is scraped or asked.
pub fn at_ready(subject: &Subject, counted: &Counted<'_>) -> u64 {
    memory::need(size::line(subject.version), counted.series).at_ready
}

/// Who counted, as evidence about `pod`.
pub fn says(subject: &Subject, seen: &Snapshot, pod: &Value) -> Option<String> {
    let counted = counted(subject, seen)?;
    let Counted { pod: of, series, report } = counted;
    let log = match of.uid() == pod.uid() {
        true => "its WAL".to_owned(),
        false => format!("the WAL of {}", of.name()),
    };
    let mut says = format!(
        "{} series in {log}, counted by the agent; {} once replayed",
        show_count(series),
        show_bytes(at_ready(subject, &counted))
    );
    match report.number("/faults") {
        None | Some(0) => {}
        Some(1) => says.push_str("; past 1 fault in it"),
        Some(faults) => says.push_str(&format!("; past {faults} faults in it")),
    }
    Some(says)
}

const NEED: &str = "the series in its WAL";

/// What leads to a better size for a pod than its kill alone. `None` where nothing would, or where
/// the count is in.
pub fn better(subject: &Subject, seen: &Snapshot, pod: &Value) -> Option<Better> {
    // An agent holds no samples of its series: what these cost was not measured.
    if subject.agent || counted(subject, seen).is_some() {
        return None;
    }
    let allowed = seen.inside.consented;
    let unread = |why: String, get: String| {
        Some(Better::Unread(Unknown { need: NEED.into(), why, get, vital: false }))
    };
    let volume = match errand::volume(subject, pod) {
        Ok(volume) => volume,
        // Who did not ask for a look is not told why there is none.
        Err(blocked) => return allowed.then(|| unread(blocked.why, String::new())).flatten(),
    };
    if let Some(why) = seen.inside.refused.get(&volume.claim) {
        return unread(format!("no look inside: {why}"), String::new());
    }
    if seen.inside.inventories.contains_key(&volume.claim) {
        return unread("the agent's report has no count of them".into(), String::new());
    }
    match errand::reader(subject, pod) {
        None if allowed => unread("it runs as root, and no helper does".into(), String::new()),
        None => None,
        Some(reader) if allowed => {
            Some(Better::Look(Box::new(look(subject, seen, &volume, reader))))
        }
        Some(_) => {
            let get = format!("kubectl prom-fix oom {} --inspect", subject.root.short());
            unread("without them the size is a guess".into(), get)
        }
    }
}

fn look(subject: &Subject, seen: &Snapshot, volume: &Volume<'_>, run_as: Who) -> Look {
    let version = subject.version.map(|v| ["--prometheus-version".to_owned(), v.to_string()]);
    let asked = Errand {
        volume,
        name: "count",
        command: "inventory",
        arguments: version.into_iter().flatten().collect(),
        run_as,
        writes: false,
        back: None,
        why: format!("count the series in the log on {}", volume.claim.short()),
    };
    let why = "while it is down, only its log tells how many series it loads".to_owned();
    errand::look(subject, seen, &asked, Tells::Inventory, why)
}
