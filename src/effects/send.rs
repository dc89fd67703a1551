//! One guarded write and its answer. An answer that was lost is looked for in the object itself:
//! the guards make it safe to send again, and tell whether it happened.

use serde_json::{Value, json};

use super::again::{Again, patiently};
use super::cluster::{Cluster, MANAGER};
use super::error::Error;
use super::guards::{Standing, made_from, rebased, standing};
use crate::carried;
use crate::model::object::{ObjectExt, ObjectRef};
use crate::model::patch::Op;

/// The object after a patch was made, whether now or before a crash; `null` where the patch let it
/// go and it is gone.
///
/// With `maybe_made`, the object is looked at first: the patch may have been sent before.
pub(super) async fn patch(
    cluster: &Cluster,
    object: &ObjectRef,
    ops: &[Op],
    maybe_made: bool,
) -> Result<Value, Error> {
    match one(cluster, object, ops, maybe_made).await {
        Err(Error::Moved { .. }) if lets_go(ops) && is_gone(cluster, object, ops).await? => {
            Ok(Value::Null)
        }
        answer => answer,
    }
}

/// Whether a patch only lets go of an object that waits for that to be deleted.
fn lets_go(ops: &[Op]) -> bool {
    let mut writes = ops.iter().filter(|op| !op.is_guard());
    writes.all(|op| matches!(op, Op::Remove { path } if path == "/metadata/finalizers"))
}

/// The object of the uid that the patch is held to.
async fn is_gone(cluster: &Cluster, object: &ObjectRef, ops: &[Op]) -> Result<bool, Error> {
    let live = cluster.get(object).await?;
    Ok(live.is_none_or(|live| matches!(standing(&live, &uid_alone(ops)), Standing::Moved(_))))
}

fn uid_alone(ops: &[Op]) -> Vec<Op> {
    ops.iter().filter(|op| op.path() == "/metadata/uid").cloned().collect()
}

async fn one(
    cluster: &Cluster,
    object: &ObjectRef,
    ops: &[Op],
    maybe_made: bool,
) -> Result<Value, Error> {
    let mut maybe_made = maybe_made;
    let mut again = Again::default();
    loop {
        if maybe_made {
            let live = read(cluster, object).await?;
            match standing(&live, ops) {
                Standing::Fits => {}
                Standing::Done => return Ok(live),
                Standing::Moved(why) => return Err(moved(object, why)),
            }
        }
        match cluster.patch(object, ops, false).await {
            Ok(answer) => return Ok(answer.object),
            // Only we could have made it between two of our own looks.
            Err(error) if error.is_transient() => {
                maybe_made = true;
                again.after(error).await?;
            }
            // What was sent before may have come late, after the look.
            Err(error) if maybe_made && matches!(error.status(), Some(409 | 422)) => {
                let live = read(cluster, object).await?;
                return match standing(&live, ops) {
                    Standing::Done => Ok(live),
                    Standing::Fits => Err(error),
                    Standing::Moved(why) => Err(moved(object, why)),
                };
            }
            Err(Error::Refused { status: 404, .. }) => {
                return Err(moved(object, "it no longer exists".into()));
            }
            Err(error) => return Err(judge(cluster, object, ops, error).await),
        }
    }
}

/// How often another change is let be.
const REBASED: usize = 3;

/// As [`patch`], for a step after the plan's first on this object: a change of another field in
/// between is let be. Says so where there was one.
pub(super) async fn patch_on_top(
    cluster: &Cluster,
    object: &ObjectRef,
    ops: &[Op],
    maybe_made: bool,
) -> Result<(Value, Option<String>), Error> {
    let mut maybe_made = maybe_made;
    let mut ops = ops.to_vec();
    let mut note = None;
    for _ in 0..REBASED {
        let error = match patch(cluster, object, &ops, maybe_made).await {
            Ok(live) => return Ok((live, note)),
            Err(error @ Error::Moved { .. }) => error,
            Err(error) => return Err(error),
        };
        let live = read(cluster, object).await?;
        let Some(moved) = rebased(&live, &ops) else { return Err(error) };
        note = Some(format!("sent on top of another change: {error}"));
        ops = moved;
        // Its old values hold: it was not made.
        maybe_made = false;
    }
    patch(cluster, object, &ops, maybe_made).await.map(|live| (live, note))
}

/// A 422 without causes is a failed test, and one with causes a refused value: the object tells.
async fn judge(cluster: &Cluster, object: &ObjectRef, ops: &[Op], error: Error) -> Error {
    if !matches!(error.status(), Some(409 | 422)) {
        return error;
    }
    match read(cluster, object).await {
        Ok(live) => match standing(&live, ops) {
            Standing::Fits => error,
            Standing::Done => moved(object, "somebody else made the same change".into()),
            Standing::Moved(why) => moved(object, why),
        },
        Err(moved @ Error::Moved { .. }) => moved,
        Err(_) => error,
    }
}

/// Creates an object and returns it; or, where it `may_be` ours from before a crash, the one that
/// is there.
pub(super) async fn create(
    cluster: &Cluster,
    object: &ObjectRef,
    body: &Value,
    maybe_made: bool,
) -> Result<Value, Error> {
    let mut maybe_made = maybe_made;
    let mut again = Again::default();
    loop {
        match cluster.create(object, body, false).await {
            Ok(answer) => return Ok(answer.object),
            Err(error) if error.is_transient() => {
                maybe_made = true;
                again.after(error).await?;
            }
            Err(Error::Refused { status: 409, .. }) => {
                let live = read(cluster, object).await?;
                if maybe_made && is_ours(&live, body) {
                    return Ok(live);
                }
                return Err(moved(object, "it exists already".into()));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether an object is the one that this program would have made from `body`.
pub(super) fn is_ours(live: &Value, body: &Value) -> bool {
    let entries = live.list("/metadata/managedFields");
    let made_by_us = entries.iter().any(|entry| entry.text("/manager") == MANAGER);
    let same = |part: &str, body: &Value| {
        made_from(live.get(part).unwrap_or(&json!({})), body.get(part).unwrap_or(&json!({})))
    };
    // Of our agent, which a plan names by its sum, the bytes.
    made_by_us
        && same("spec", body)
        && carried::filled(body).is_none_or(|filled| same("binaryData", &filled))
}

/// One object that must be there; asked for again where no answer comes.
pub(super) async fn read(cluster: &Cluster, object: &ObjectRef) -> Result<Value, Error> {
    let live = patiently(|| cluster.get(object)).await?;
    live.ok_or_else(|| moved(object, "it no longer exists".into()))
}

pub(super) fn moved(object: &ObjectRef, why: String) -> Error {
    Error::Moved { object: object.short(), why }
}
