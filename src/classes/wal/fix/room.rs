//! No salvage before there is room for what it writes, and nothing is stopped for one that would be
//! refused: the survey knows.

use serde_json::Value;

use crate::model::object::ObjectExt;
use crate::model::plan::Look;
use crate::model::quantity::show_bytes;
use crate::model::{Blocked, Need, Next, Snapshot};
use crate::subject::errand::Volume;
use crate::subject::{Subject, grow, pod, space};

/// Bytes that a salvage may need, and those that are free, where they are fewer.
fn lacks(survey: &Value) -> Option<(u64, u64)> {
    let bytes = |name: &str| u64::try_from(survey.number(name)?).ok();
    let (needed, free) = (bytes("/needed")?, bytes("/free")?);
    (free < needed).then_some((needed, free))
}

/// Whether its claim may grow.
pub(super) fn needs(seen: &Snapshot, volume: &Volume<'_>) -> Vec<Need> {
    let lacks = seen.inside.surveys.get(&volume.claim).and_then(lacks);
    lacks.map(|_| grow::needs(seen, volume.claim.clone())).unwrap_or_default()
}

/// None where there is room.
pub(super) fn next(
    subject: &Subject,
    seen: &Snapshot,
    volume: &Volume<'_>,
    survey: &Value,
) -> Option<Next> {
    let (needed, free) = lacks(survey)?;
    let claim = volume.claim.short();
    let mut ways = grow::ways(subject, seen, &volume.claim);
    if let Some(look) = space::look(subject, seen, volume.pod) {
        return Some(Next::Look(Look { ways, ..look }));
    }
    // Rounded up: what is free is rounded down.
    let up = |bytes: u64| show_bytes(bytes.next_multiple_of(1 << 20));
    let more = format!("{} more are free", up(needed - free));
    match space::of(subject, seen, volume.pod) {
        // A start before the log is mended may delete what can be read.
        Some(space) => ways.extend(space.ways(volume.pod, &more, "and leave it as it is")),
        None => ways.push("make room:  kubectl prom-fix explain disk/full".into()),
    }
    let of = match volume.pod.name() {
        "" => subject.root.short(),
        _ => pod::reference(volume.pod).short(),
    };
    let namespace = subject.namespace();
    ways.push(format!("once there is room:  kubectl prom-fix wal {of} -n {namespace} --inspect"));
    let why = format!(
        "{claim} has no room for a salvage: up to {} are needed beside the damaged files, and {} are \
         free",
        up(needed),
        show_bytes(free)
    );
    Some(Next::Blocked(Blocked { ways, ..Blocked::no_safe_plan(why, &[]) }))
}
