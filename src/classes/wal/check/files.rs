//! What the next start would delete, by what a look inside saw of the files: it may come to damage
//! that no log tells of, for it ended before it.

use serde_json::Value;

use super::damage::Loss;
use crate::model::Snapshot;
use crate::model::object::ObjectExt;
use crate::subject::{Subject, Version, errand};

/// The first release that repairs the out-of-order log itself, and leaves the WAL alone
/// (prometheus `tsdb/db.go`, v2.48.0).
pub const REPAIRS_WBL: Version = Version::new(2, 48, 0);
/// The first release that deletes a snapshot which the log is behind (v2.43.0; `tsdb/head.go`, `Init`):
/// those before load it.
const DELETES_SNAPSHOTS: Version = Version::new(2, 43, 0);
const READS_SNAPSHOTS: &str = "memory-snapshot-on-shutdown";

/// What a start on the files of this pod's volume takes away that can be read. None also where nobody
/// looked.
pub fn told(subject: &Subject, seen: &Snapshot, pod: &Value) -> Option<Loss> {
    let claim = errand::volume(subject, pod).ok()?.claim;
    match seen.inside.surveys.get(&claim) {
        Some(survey) => by_survey(survey, subject.version).or_else(|| snapshot(subject, survey)),
        None => seen.inside.log_faults(&claim).filter(|faults| *faults > 0).map(Loss::Faults),
    }
}

/// Of the survey's list only what may be nowhere else, and only where this server reads snapshots.
fn snapshot(subject: &Subject, survey: &Value) -> Option<Loss> {
    let deleted = survey.list("/judged/deletesSnapshots");
    let ahead = deleted.iter().any(|snapshot| snapshot.is_true("/ahead"));
    let deletes = subject.version.is_none_or(|version| version >= DELETES_SNAPSHOTS)
        && subject.flags.has_feature(READS_SNAPSHOTS)
        && !subject.agent;
    (ahead && deletes).then_some(Loss::Snapshot)
}

fn by_survey(survey: &Value, version: Option<Version>) -> Option<Loss> {
    let start = survey.pointer("/judged/nextStart")?;
    let number = |at: &str| u64::try_from(start.number(at)?).ok();
    let records = |of: &str| survey.number(&format!("/judged/kept/{of}/records")).unwrap_or(0);
    if (start.text("/does"), start.text("/log")) == ("repairs", "wbl")
        && version.is_none_or(|version| version < REPAIRS_WBL)
    {
        // Of the WAL segments go that are whole, whatever the damage is in.
        return Some(Loss::ByWbl { at: number("/number")? });
    }
    // The torn end of what was written last, say: nothing that is whole comes behind it.
    if records("prometheus") >= records("fragment") {
        return None;
    }
    let last = start.list("/deletes").iter().filter_map(Value::as_u64).max();
    match (start.text("/does"), start.text("/log")) {
        ("repairs", "wal") => {
            let at = number("/number")?;
            Some(Loss::After { at, last: Some(last.unwrap_or(at)) })
        }
        ("repairs", "wbl") => Some(Loss::Wbl { at: number("/number")? }),
        ("destroysLog", _) => {
            let checkpoint = number("/checkpoint");
            Some(match last {
                Some(_) => Loss::AllSegments { checkpoint },
                None => Loss::Checkpoint { checkpoint },
            })
        }
        // It starts and deletes nothing, or ends and leaves all as it is.
        _ => None,
    }
}
