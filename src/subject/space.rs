//! What a look inside told of the room on a volume (`prom-fix-agent space`): figures, and what each
//! name in the data directory is. Names: prometheus tsdb/db.go, tsdb/wlog, v3.5.

use jiff::Timestamp;
use serde_json::Value;

use super::errand::{self, Errand};
use super::{Subject, hold, pod};
use crate::model::object::ObjectExt;
use crate::model::plan::{Look, Tells};
use crate::model::quantity::show_bytes;
use crate::model::{Finding, Snapshot};

/// What a name stands for, in the order in which it may go: what loses least comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// Half made, or half deleted: Prometheus takes it away at its start.
    Leftover,
    /// The old files of a salvage, or what files were before a change of owner.
    Aside,
    Block,
    /// Written nowhere else.
    Wal,
    Checkpoint,
    OutOfOrder,
    HeadChunks,
    Snapshot,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub holds: Holds,
    pub bytes: u64,
    pub files: u64,
    /// The first and last time of a block, in milliseconds.
    pub times: Option<(i64, i64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    pub capacity: u64,
    pub used: u64,
    pub free: u64,
    pub inodes: u64,
    pub free_inodes: u64,
    pub unread: u64,
    pub entries: Vec<Entry>,
}

/// Names that are told, of what may be moved away.
const MOST: usize = 6;

/// A look at what takes the room, where none was made and one can be.
pub fn look(subject: &Subject, seen: &Snapshot, pod: &Value) -> Option<Look> {
    let volume = errand::volume(subject, pod).ok()?;
    let inside = &seen.inside;
    if inside.spaces.contains_key(&volume.claim) || inside.refused.contains_key(&volume.claim) {
        return None;
    }
    let asked = Errand {
        volume: &volume,
        name: "space",
        command: "space",
        arguments: Vec::new(),
        run_as: errand::reader(subject, pod)?,
        writes: false,
        back: None,
        why: format!("count what takes the room on {}", volume.claim.short()),
    };
    let why = "how much is used by what, and what may go, only the volume tells".to_owned();
    Some(errand::look(subject, seen, &asked, Tells::Space, why))
}

/// What is known of the volume of a pod.
pub fn of(subject: &Subject, seen: &Snapshot, pod: &Value) -> Option<Space> {
    let volume = errand::volume(subject, pod).ok()?;
    read(seen.inside.spaces.get(&volume.claim)?)
}

fn read(told: &Value) -> Option<Space> {
    let number = |of: &Value, pointer: &str| u64::try_from(of.number(pointer)?).ok();
    let entry = |one: &Value| {
        let (bytes, files) = (number(one, "/bytes")?, number(one, "/files")?);
        let times = (one.number("/first")?, one.number("/last")?);
        let name = one.text("/path").to_owned();
        let (holds, times) = (holds(&name), Some(times).filter(|times| *times != (0, 0)));
        Some(Entry { name, holds, bytes, files, times })
    };
    Some(Space {
        capacity: number(told, "/capacity")?,
        used: number(told, "/used")?,
        free: number(told, "/free")?,
        inodes: number(told, "/inodes")?,
        free_inodes: number(told, "/freeInodes")?,
        unread: number(told, "/unread")?,
        entries: told.list("/entries").iter().filter_map(entry).collect(),
    })
}

fn holds(path: &str) -> Holds {
    let name = path.strip_prefix("wal/").unwrap_or(path);
    let (stem, rest) = name.split_once('.').unwrap_or((name, ""));
    let known = is_ulid(stem) || matches!(stem, "checkpoint" | "chunk_snapshot");
    let half = ["tmp", "tmp-for-creation", "tmp-for-deletion"];
    let half = half.iter().any(|end| rest == *end || rest.ends_with(&format!(".{end}")));
    match name {
        _ if (known && half) || name.starts_with("tmp_dbro_sandbox") => Holds::Leftover,
        "wal" => Holds::Wal,
        "wbl" => Holds::OutOfOrder,
        "chunks_head" => Holds::HeadChunks,
        _ if name != path => Holds::Checkpoint,
        _ if name.starts_with("prom-fix-") => Holds::Aside,
        _ if is_ulid(name) => Holds::Block,
        _ if stem == "chunk_snapshot" => Holds::Snapshot,
        _ => Holds::Other,
    }
}

/// 26 letters of Crockford's base 32.
fn is_ulid(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() && !b"ILOUilou".contains(&b);
    name.len() == 26 && name.bytes().all(letter)
}

impl Space {
    /// What may be moved away, what loses least first: leftovers, what was set aside, then blocks
    /// by their time.
    pub fn movable(&self) -> Vec<&Entry> {
        let may = |one: &&Entry| one.holds <= Holds::Block && (one.bytes > 0 || one.files > 0);
        let mut all: Vec<&Entry> = self.entries.iter().filter(may).collect();
        all.sort_by_key(|one| (one.holds, one.times.map(|(first, _)| first), one.name.clone()));
        all
    }

    /// What may be moved away, in order, `until` there is room, and what to do `then`; nothing by a plan:
    /// it would have to leave the volume, and where to is for a person to say.
    pub fn ways(&self, pod: &Value, until: &str, then: &str) -> Vec<String> {
        let all = self.movable();
        if all.is_empty() {
            return vec![
                "nothing here may go: what the log holds is written nowhere else. Only a larger \
                 volume helps"
                    .into(),
            ];
        }
        let mount =
            format!("mount its claim in a pod of your own, move away in this order until {until}");
        // One that is frozen by its replicas has no pod.
        let mut out = if hold::is_held(pod) || pod.name().is_empty() {
            vec![format!("or make room: {mount}, {then}")]
        } else {
            let name = pod::reference(pod).short();
            vec![
                format!("or make room: keep {name} from starting, {mount}, {then}"),
                format!("kubectl prom-fix freeze {name} -n {}", pod.namespace()),
            ]
        };
        let costs = all.iter().take(MOST).enumerate();
        out.extend(costs.map(|(at, one)| format!("{}. {}", at + 1, one.costs())));
        if let Some(more) = all.len().checked_sub(MOST).filter(|more| *more > 0) {
            let bytes: u64 = all.iter().skip(MOST).map(|one| one.bytes).sum();
            out.push(format!("then {more} later blocks, {}, by their time", show_bytes(bytes)));
        }
        out.push("never wal, wbl or chunks_head: the newest samples are nowhere else".into());
        out
    }

    /// Room enough for a start: its query log, a file of head chunks, a segment of the log.
    pub fn has_room(&self) -> bool {
        const START: u64 = 64 << 20;
        let inodes = self.inodes == 0 || self.free_inodes > 100;
        self.free >= START.min(self.capacity / 10) && inodes
    }

    /// The finding with the figures.
    pub fn told(&self, finding: Finding) -> Finding {
        let volume = format!(
            "{} of {} used, {} free",
            show_bytes(self.used),
            show_bytes(self.capacity),
            show_bytes(self.free)
        );
        let mut finding = finding.with("volume", volume);
        // Some file systems make them as they go, and tell of none.
        if self.inodes > 0 {
            let files = format!("{} of {} inodes free", self.free_inodes, self.inodes);
            finding = finding.with("files", files);
        }
        finding = finding.with("it holds", self.parts());
        let own: u64 = self.entries.iter().map(|one| one.bytes).sum();
        let beside = self.used.saturating_sub(own);
        // A file system's own tables take a few hundredths of it.
        if beside > self.capacity / 10 {
            let beside = format!("{} are not of this data directory", show_bytes(beside));
            finding = finding.with("beside it", beside);
        }
        if self.unread > 0 {
            finding = finding.with("not counted", format!("{} closed folders", self.unread));
        }
        finding
    }

    /// `wal 12Mi, checkpoints 1Mi, blocks (3) 40Mi`.
    fn parts(&self) -> String {
        let words = [
            (Holds::Wal, "wal"),
            (Holds::Checkpoint, "checkpoints"),
            (Holds::OutOfOrder, "wbl"),
            (Holds::HeadChunks, "chunks_head"),
            (Holds::Snapshot, "snapshots"),
            (Holds::Block, "blocks"),
            (Holds::Leftover, "leftovers"),
            (Holds::Aside, "set aside"),
            (Holds::Other, "other"),
        ];
        let mut told = Vec::new();
        for (holds, word) in words {
            let of: Vec<&Entry> = self.entries.iter().filter(|one| one.holds == holds).collect();
            let bytes: u64 = of.iter().map(|one| one.bytes).sum();
            if bytes > 0 {
                let many = if of.len() > 1 { format!(" ({})", of.len()) } else { String::new() };
                told.push(format!("{word}{many} {}", show_bytes(bytes)));
            }
        }
        if told.is_empty() { "nothing".into() } else { told.join(", ") }
    }
}

impl Entry {
    /// Its name, its size, and what it costs to be without it.
    pub fn costs(&self) -> String {
        let Entry { name, holds, bytes, times, .. } = self;
        let cost = match holds {
            Holds::Leftover => "costs nothing: a start that has room removes it".to_owned(),
            Holds::Aside => "costs the way back from that change, undo".to_owned(),
            _ => match times.and_then(|(first, last)| Some((utc(first)?, utc(last)?))) {
                Some((first, last)) => format!("costs {first} to {last}"),
                None => "costs a block whose times could not be read".to_owned(),
            },
        };
        format!("{name}, {}: {cost}", show_bytes(*bytes))
    }
}

/// To the minute: the times of blocks are whole hours.
fn utc(milliseconds: i64) -> Option<String> {
    let at = Timestamp::from_millisecond(milliseconds).ok()?;
    Some(at.strftime("%Y-%m-%d %H:%MZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_loses_least_goes_first_and_the_log_never() {
        let entry = |path: &str, first: i64| json!({"path": path, "bytes": 1 << 20, "files": 1, "first": first, "last": first + 1});
        let told = json!({
            "capacity": 100 << 20, "used": 100 << 20, "free": 0, "inodes": 0, "freeInodes": 0,
            "unread": 0,
            "entries": [
                entry("01M827CT0DKCN5KG2K87TH0H4J", 7_200_000),
                entry("01M827CT0DKCN5KG2K87TH0H4K", 3_600_000),
                entry("01M827CT0DKCN5KG2K87TH0H4Z.tmp-for-creation", 0),
                entry("01M827CT0DKCN5KG2K87TH0H4Z.old", 0),
                entry("chunk_snapshot.000004.0000000100", 0), entry("chunks_head", 0),
                entry("lost.tmp", 0), entry("prom-fix-20261125T081500Z", 0), entry("wal", 0),
                entry("wal/checkpoint.00000003", 0), entry("wal/checkpoint.00000004.tmp", 0),
                entry("wbl", 0),
            ],
        });
        let space = read(&told).expect("a report");
        let names: Vec<String> = space.movable().iter().map(|one| one.costs()).collect();
        let nothing = "1Mi: costs nothing: a start that has room removes it";
        assert_eq!(
            names,
            [
                format!("01M827CT0DKCN5KG2K87TH0H4Z.tmp-for-creation, {nothing}"),
                format!("wal/checkpoint.00000004.tmp, {nothing}"),
                "prom-fix-20261125T081500Z, 1Mi: costs the way back from that change, undo".into(),
                "01M827CT0DKCN5KG2K87TH0H4K, 1Mi: costs 1970-01-01 01:00Z to 1970-01-01 01:00Z"
                    .into(),
                "01M827CT0DKCN5KG2K87TH0H4J, 1Mi: costs 1970-01-01 02:00Z to 1970-01-01 02:00Z"
                    .into(),
            ]
        );
        assert_eq!(
            space.parts(),
            "wal 1Mi, checkpoints 1Mi, wbl 1Mi, chunks_head 1Mi, snapshots 1Mi, blocks (2) 2Mi, \
             leftovers (2) 2Mi, set aside 1Mi, other (2) 2Mi"
        );
        assert!(!space.has_room());
        assert!(Space { free: 11 << 20, ..space.clone() }.has_room());
        let closed = Space { free: 11 << 20, inodes: 500, free_inodes: 0, ..space };
        assert!(!closed.has_room(), "no file can be made");
        assert_eq!(read(&json!({})), None, "what was not told is not zero");
    }
}
