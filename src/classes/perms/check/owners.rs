//! What a look inside told of whose the files are, as evidence.

use serde_json::Value;

use super::Case;
use crate::model::Finding;
use crate::model::object::ObjectExt;
use crate::subject::errand;

/// Kinds of owner and mode that are told; a data directory has few.
const MOST: usize = 6;

/// The finding with what was seen, where its volume was looked into.
pub fn told(case: &Case<'_>, finding: Finding) -> Finding {
    let Ok(volume) = errand::volume_or_folder(case.subject, case.pod) else {
        return finding.with("inferred", "from its log and the objects; no helper can mount it");
    };
    if let Some(why) = case.seen.inside.refused.get(&volume.claim) {
        return finding
            .with("inferred", format!("from its log and the objects; no look inside: {why}"));
    }
    let Some(seen) = case.seen.inside.owners.get(&volume.claim) else {
        return finding.with("inferred", "from its log and the objects; --inspect looks");
    };
    let mut finding = finding.with("folders", counted(seen, "/folders"));
    let files = counted(seen, "/files");
    if !files.is_empty() {
        finding = finding.with("files", files);
    }
    let user = seen.get("user").unwrap_or(&Value::Null);
    let who = format!("{}:{}", number(user, "/uid"), number(user, "/gid"));
    let count = seen.number("/offenders/count").unwrap_or(0);
    if count > 0 {
        let first: Vec<String> = seen.list("/offenders/first").iter().map(offender).collect();
        let more = count.saturating_sub(i64::try_from(first.len()).unwrap_or(i64::MAX));
        let more = if more > 0 { format!("; {more} more") } else { String::new() };
        let label = format!("{count} not for {who}");
        finding = finding.with(&label, format!("{}{more}", first.join("; ")));
    }
    let unread = seen.number("/unread/count").unwrap_or(0);
    if unread > 0 {
        finding = finding.with("not looked into", unread.to_string());
    }
    finding
}

fn number(value: &Value, pointer: &str) -> i64 {
    value.number(pointer).unwrap_or(-1)
}

/// `3 of 0:0 0755, 12 of 65534:65534 0644`.
fn counted(seen: &Value, list: &str) -> String {
    let groups = seen.list(list);
    let one = |group: &Value| {
        let (uid, gid) = (number(group, "/uid"), number(group, "/gid"));
        format!("{} of {uid}:{gid} {}", number(group, "/count"), group.text("/mode"))
    };
    let mut shown: Vec<String> = groups.iter().take(MOST).map(one).collect();
    if groups.len() > MOST {
        shown.push(format!("{} other kinds", groups.len() - MOST));
    }
    shown.join(", ")
}

/// `wal: 0:0 0755, cannot write`.
fn offender(one: &Value) -> String {
    let path = match one.text("/path") {
        "" => ".",
        path => path,
    };
    let lacks: Vec<&str> = one.list("/lacks").iter().filter_map(Value::as_str).collect();
    let (uid, gid) = (number(one, "/uid"), number(one, "/gid"));
    format!("{path}: {uid}:{gid} {}, cannot {}", one.text("/mode"), lacks.join(", "))
}
