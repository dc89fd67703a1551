//! Does the new size fit? A pod that no node, quota or range admits stays Pending, which is worse
//! than a crash loop: it does not even start.

use serde_json::Value;

use super::kill::quantity_text;
use super::room;
use super::size::Chosen;
use crate::model::finding::Unknown;
use crate::model::object::{Kind, ObjectExt};
use crate::model::plan::Blocked;
use crate::model::quantity::{parse_bytes, show_bytes};
use crate::model::{Got, Snapshot};
use crate::subject::Subject;

/// Blocked with numbers, or what could not be checked.
pub fn check(
    subject: &Subject,
    seen: &Snapshot,
    container: &str,
    chosen: &Chosen,
) -> Result<Vec<Unknown>, Blocked> {
    let unknown = fits(subject, seen, container, chosen)?;
    autoscaler(subject, seen)?;
    Ok(unknown)
}

/// The part of it that another size may change.
pub fn fits(
    subject: &Subject,
    seen: &Snapshot,
    container: &str,
    chosen: &Chosen,
) -> Result<Vec<Unknown>, Blocked> {
    let mut unknown = Vec::new();
    let limit = parse_bytes(&chosen.limit).unwrap_or(0);
    let request = request_after(subject, container, chosen).unwrap_or(limit);
    let needed = request + others(subject, container);
    room::check(subject, seen, needed, &mut unknown)?;
    quota(subject, seen, container, limit, request, &mut unknown)?;
    range(subject, seen, limit, request, &mut unknown)?;
    Ok(unknown)
}

/// Memory at a pointer of a container's resources.
pub(super) fn bytes(container: &Value, pointer: &str) -> Option<u64> {
    parse_bytes(&quantity_text(container.pointer(pointer)?)?)
}

/// The request after the change: what is set, what was, or the limit (the API server fills a
/// missing request from it).
fn request_after(subject: &Subject, container: &str, chosen: &Chosen) -> Option<u64> {
    if let Some(request) = &chosen.request {
        return parse_bytes(request);
    }
    let spec = subject.pod_spec();
    let own = spec.list("/containers").iter().find(|c| c.text("/name") == container)?;
    bytes(own, "/resources/requests/memory").or_else(|| parse_bytes(&chosen.limit))
}

/// Sum of requests of a pod's other containers.
fn others(subject: &Subject, container: &str) -> u64 {
    let containers = subject.pod_spec().list("/containers");
    let rest = containers.iter().filter(|c| c.text("/name") != container);
    rest.filter_map(|c| {
        bytes(c, "/resources/requests/memory").or_else(|| bytes(c, "/resources/limits/memory"))
    })
    .sum()
}

pub(super) fn unread(what: &str, why: &str, says: String) -> Unknown {
    Unknown {
        need: says,
        why: format!("{what}: {why}"),
        get: format!("the verbs get and list on {what}"),
        vital: false,
    }
}

/// Used less the old pods' share plus the new one must stay within every quota on memory.
fn quota(
    subject: &Subject,
    seen: &Snapshot,
    container: &str,
    limit: u64,
    request: u64,
    unknown: &mut Vec<Unknown>,
) -> Result<(), Blocked> {
    if let Got::Unreadable(why) = seen.list(Kind::ResourceQuota, subject.namespace()) {
        unknown.push(unread("resourcequotas", why, "the quota of the namespace".into()));
    }
    let count = u64::from(subject.wanted.max(1));
    let own = subject.pod_spec().list("/containers").iter().find(|c| c.text("/name") == container);
    let old_limit = own.and_then(|c| bytes(c, "/resources/limits/memory"));
    let old_request = own.and_then(|c| bytes(c, "/resources/requests/memory")).or(old_limit);
    for quota in seen.items(Kind::ResourceQuota, subject.namespace()) {
        let rows = [
            ("limits.memory", limit, old_limit),
            ("requests.memory", request, old_request),
            ("memory", request, old_request),
        ];
        for (resource, new, old) in rows {
            let read = |part: &str| bytes(quota, &format!("/status/{part}/{resource}"));
            let (Some(hard), Some(used)) = (read("hard"), read("used")) else { continue };
            let after = (used + new * count).saturating_sub(old.unwrap_or(0) * count);
            if after > hard {
                return Err(Blocked::no_safe_plan(
                    format!(
                        "ResourceQuota {} allows {} of {resource}; it would be {} with {} now in use",
                        quota.name(),
                        show_bytes(hard),
                        show_bytes(after),
                        show_bytes(used)
                    ),
                    &["raise the quota", "--memory with a size that fits it"],
                ));
            }
        }
    }
    Ok(())
}

/// A LimitRange's maximum and its ratio of limit to request.
fn range(
    subject: &Subject,
    seen: &Snapshot,
    limit: u64,
    request: u64,
    unknown: &mut Vec<Unknown>,
) -> Result<(), Blocked> {
    if let Got::Unreadable(why) = seen.list(Kind::LimitRange, subject.namespace()) {
        unknown.push(unread("limitranges", why, "the limit ranges of the namespace".into()));
    }
    for range in seen.items(Kind::LimitRange, subject.namespace()) {
        for rule in range.list("/spec/limits").iter().filter(|r| r.text("/type") == "Container") {
            if let Some(max) = bytes(rule, "/max/memory").filter(|max| limit > *max) {
                return Err(Blocked::no_safe_plan(
                    format!(
                        "LimitRange {} allows a container {} of memory; it would be {}",
                        range.name(),
                        show_bytes(max),
                        show_bytes(limit)
                    ),
                    &["raise the range's max.memory", "--memory with a size that fits it"],
                ));
            }
            let ratio = rule.pointer("/maxLimitRequestRatio/memory").and_then(quantity_text);
            let ratio = ratio.and_then(|r| parse_bytes(&r));
            if let Some(ratio) = ratio.filter(|r| limit > request.saturating_mul(*r)) {
                return Err(Blocked::no_safe_plan(
                    format!(
                        "LimitRange {} allows a limit of at most {ratio} times the request of {}",
                        range.name(),
                        show_bytes(request)
                    ),
                    &["--memory LIMIT,REQUEST with a larger request"],
                ));
            }
        }
    }
    Ok(())
}

/// A VerticalPodAutoscaler that acts would write its own number over ours at every restart.
pub fn autoscaler(subject: &Subject, seen: &Snapshot) -> Result<(), Blocked> {
    let names: Vec<&str> = std::iter::once(subject.root.name.as_str())
        .chain(subject.workloads.iter().map(ObjectExt::name))
        .collect();
    let acting = seen.items(Kind::VerticalPodAutoscaler, subject.namespace()).find(|vpa| {
        names.contains(&vpa.text("/spec/targetRef/name"))
            && !matches!(vpa.text("/spec/updatePolicy/updateMode"), "Off")
    });
    match acting {
        None => Ok(()),
        Some(vpa) => Err(Blocked::no_safe_plan(
            format!("VerticalPodAutoscaler {} sets this pod's memory at every start", vpa.name()),
            &["raise its spec.resourcePolicy.containerPolicies[].minAllowed.memory instead"],
        )),
    }
}
