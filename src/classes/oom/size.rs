//! How much memory it needs: from the head that a server counts, else from the log that a helper
//! counted, else from the kill. What a series costs stands in [`memory`], for the agent says the same.

use serde_json::Value;

use super::{inventory, needs};
use crate::model::object::ObjectExt;
use crate::model::quantity::{parse_bytes, round_up, show_bytes, show_count, write_bytes};
use crate::model::{Snapshot, exposition};
use crate::subject::{Subject, Version};
use crate::walfile::inventory::memory::{self, Line, Need};

/// A need with its range, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    pub low: u64,
    pub middle: u64,
    pub high: u64,
    /// `812 000 series x 3.0 kB x 1.5`.
    pub method: String,
    /// The server that counted: `series counted on prometheus-k8s-1: 1.8Gi of 2Gi`; empty where
    /// none did.
    pub source: String,
    pub series: Option<u64>,
    pub measured: bool,
}

/// What `--memory` or the estimate asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub limit: String,
    pub request: Option<String>,
    pub given: bool,
}

/// Estimates the need of the head. `killed_at` is the limit in force at the kill, in bytes.
pub fn estimate(subject: &Subject, seen: &Snapshot, killed_at: Option<u64>) -> Option<Size> {
    let counted = served(subject, seen).or_else(|| logged(subject, seen));
    match (counted, killed_at) {
        (Some(head), limit) => Some(from_head(subject, &head, limit)),
        (None, Some(limit)) => Some(doubled(limit)),
        (None, None) => None,
    }
}

/// A head that was counted.
struct Head {
    series: u64,
    /// By whom, where it was a server that counted its own.
    server: Option<Server>,
}

struct Server {
    pod: String,
    resident: Option<u64>,
    limit: Option<u64>,
}

/// What a helper counted of a log: the head that the next start makes of it.
fn logged(subject: &Subject, seen: &Snapshot) -> Option<Head> {
    let counted = inventory::counted(subject, seen)?;
    Some(Head { series: counted.series, server: None })
}

/// What a server says of its head.
fn served(subject: &Subject, seen: &Snapshot) -> Option<Head> {
    let pod = needs::witness(subject)?;
    let port = subject.flags.port();
    let stats = seen.http(pod, port, &needs::stats_path(subject))?.ok()?;
    let body: Value = serde_json::from_str(stats.1).ok()?;
    let series = body.number("/data/headStats/numSeries")?;
    let metrics = seen.http(pod, port, &subject.flags.below_prefix("/metrics"));
    let resident = metrics
        .and_then(Result::ok)
        .and_then(|(_, text)| exposition::whole(text, "process_resident_memory_bytes"))
        .and_then(|bytes| bytes.try_into().ok());
    let server = Server {
        pod: pod.name().to_owned(),
        resident,
        limit: super::kill::limit(pod, &subject.container).map(|l| l.bytes),
    };
    Some(Head { series: series.try_into().ok()?, server: Some(server) })
}

/// What is known of its release; the dearest where it is none that is known.
pub fn line(version: Option<Version>) -> Line {
    memory::line_or_dearest(version.map(|version| version.to_string()).as_deref())
}

fn from_head(subject: &Subject, head: &Head, killed_at: Option<u64>) -> Size {
    let Need { low, limit, high, .. } = memory::need(line(subject.version), head.series);
    let mut size = Size {
        low,
        middle: limit,
        high,
        method: format!("{} series x 3.0 kB x 1.5 + 64Mi", show_count(head.series)),
        source: head.server.as_ref().map(source).unwrap_or_default(),
        series: Some(head.series),
        measured: true,
    };
    // What a server occupies now, with a quarter on top for what it does between two scrapes.
    if let Some(Server { pod, resident: Some(resident), .. }) = &head.server
        && let resident = resident + resident / 4
        && resident > size.middle
    {
        size.middle = resident;
        size.high = size.high.max(resident + resident / 10);
        size.method = format!("{} resident on {} x 1.25", show_bytes(resident / 5 * 4), pod);
    }
    // The kill itself proves that the limit was too low, whatever the arithmetic says: a head may
    // be counted seconds after a start, before what fills it was scraped.
    if let Some(limit) = killed_at
        && let up = limit.saturating_add(limit / 2)
        && size.high < up
    {
        size = Size {
            low: limit,
            middle: up,
            high: up,
            method: format!("{} is too little, for it was killed: limit x 1.5", size.method),
            ..size
        };
    }
    size
}

fn source(server: &Server) -> String {
    let of = match (server.resident, server.limit) {
        // Pages of mapped files are resident too, and do not count against a limit.
        (Some(resident), Some(limit)) if resident > limit => {
            let (resident, limit) = (show_bytes(resident), show_bytes(limit));
            format!(": {resident} with mapped files, of {limit}")
        }
        (Some(resident), Some(limit)) => {
            format!(": {} of {}", show_bytes(resident), show_bytes(limit))
        }
        (Some(resident), None) => format!(": {} resident", show_bytes(resident)),
        (None, _) => String::new(),
    };
    format!("series counted on {}{of}", server.pod)
}

fn doubled(limit: u64) -> Size {
    Size {
        low: limit,
        middle: limit.saturating_mul(2),
        high: limit.saturating_mul(2),
        method: "twice the limit it was killed at: nothing better is known while it is down".into(),
        source: String::new(),
        series: None,
        measured: false,
    }
}

/// What to set: what was given, else the high end of the estimate, rounded to what people write.
/// The request follows: equal where it was equal, else raised to the low end, never lowered.
pub fn choose(
    size: Option<&Size>,
    given: Option<&str>,
    old_limit: Option<&str>,
    old_request: Option<&str>,
) -> Result<Chosen, String> {
    if let Some(text) = given {
        let (limit, request) =
            text.split_once(',').map_or((text, None), |(l, r)| (l.trim(), Some(r.trim())));
        for part in std::iter::once(limit).chain(request) {
            if parse_bytes(part).is_none_or(|b| b < 1 << 20) {
                return Err(format!("--memory: {part:?} is no memory quantity such as 4Gi"));
            }
        }
        if request.or(old_request).is_some_and(|r| parse_bytes(r) > parse_bytes(limit)) {
            let request = request.or(old_request).unwrap_or("");
            return Err(format!("--memory: the request of {request} exceeds the limit of {limit}"));
        }
        return Ok(Chosen {
            limit: limit.to_owned(),
            request: request.map(str::to_owned),
            given: true,
        });
    }
    let size =
        size.ok_or("no size is known: nothing serves and no limit was set; give --memory")?;
    let limit = if size.measured { round_up(size.high) } else { write_bytes(size.high) };
    let request = old_request.and_then(|old| {
        let equal = old_limit.is_some_and(|l| parse_bytes(l) == parse_bytes(old));
        let wanted = if equal { limit.clone() } else { round_up(size.low) };
        (parse_bytes(&wanted) > parse_bytes(old)).then_some(wanted)
    });
    let request = request.filter(|r| parse_bytes(r) <= parse_bytes(&limit));
    Ok(Chosen { limit, request, given: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_follows_the_limit_and_is_never_lowered() {
        let size = doubled(1 << 30);
        let chosen = |limit, request| choose(Some(&size), None, limit, request).expect("a size");
        assert_eq!(chosen(Some("1Gi"), Some("1Gi")).request.as_deref(), Some("2Gi"));
        assert_eq!(chosen(Some("1Gi"), Some("512Mi")).request.as_deref(), Some("1Gi"));
        assert_eq!(chosen(Some("1Gi"), Some("1536Mi")).request, None);
        assert_eq!(chosen(Some("1Gi"), None).request, None);
    }

    #[test]
    fn a_given_size_must_be_a_quantity() {
        let given = |text| choose(None, Some(text), None, None);
        assert_eq!(given("4Gi,3Gi").map(|c| c.request), Ok(Some("3Gi".into())));
        assert!(given("4GB").is_err());
        assert!(given("2Gi,3Gi").is_err());
    }
}
