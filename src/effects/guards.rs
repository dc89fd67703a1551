//! Does a patch fit an object, does an object carry a patch already? Pure. The API server judges
//! every patch itself; this is for saying why it refused, and for finding out after a crash
//! whether a patch was made.

use serde_json::Value;

use crate::model::object::ObjectExt;
use crate::model::patch::{COUNTERS, Op};
use crate::model::quantity::parse_bytes;

/// How an object stands to a patch.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// Every guard holds: it can be sent.
    Fits,
    /// Every value it writes is there already.
    Done,
    /// Somebody else was here; says what is not as expected.
    Moved(String),
}

pub(super) fn standing(object: &Value, ops: &[Op]) -> Standing {
    let same_uid = |op: &Op| match op {
        Op::Test { path, value } if path == "/metadata/uid" => object.uid() == value,
        _ => true,
    };
    if !ops.iter().all(same_uid) {
        return Standing::Moved("it was deleted and made anew".into());
    }
    match first_failed(object, ops) {
        None => Standing::Fits,
        Some(_) if carries(object, ops) => Standing::Done,
        Some(why) => Standing::Moved(why),
    }
}

/// The patch with its test of the generation moved to the live one, where that alone fails: uid,
/// names and every old value still hold. Only for a step after the plan's first on this object:
/// somebody changed another field in between, and that must not end the plan for ever.
pub(super) fn rebased(object: &Value, ops: &[Op]) -> Option<Vec<Op>> {
    let moved = ops.iter().map(|op| match op {
        Op::Test { path, .. } if COUNTERS.contains(&path.as_str()) => Op::Test {
            path: path.clone(),
            value: object.pointer(path).cloned().unwrap_or_default(),
        },
        op => op.clone(),
    });
    let moved: Vec<Op> = moved.collect();
    (moved != ops && standing(object, &moved) == Standing::Fits).then_some(moved)
}

/// Whether every value that a patch writes is there.
pub(super) fn carries(object: &Value, ops: &[Op]) -> bool {
    ops.iter().all(|op| match op {
        Op::Test { .. } => true,
        Op::Add { path, value } => at(object, path).is_some_and(|live| holds(live, value)),
        Op::Replace { path, value } => object.pointer(path).is_some_and(|live| holds(live, value)),
        Op::Remove { path } => object.pointer(path).is_none(),
    })
}

/// The value an `add` to this path made; `/-` is the end of a list.
fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    match path.strip_suffix("/-") {
        Some(list) => object.pointer(list)?.as_array()?.last(),
        None => object.pointer(path),
    }
}

/// The first guard that does not hold, in words. Guards are read against the object as the
/// operations before them leave it, as RFC 6902 has it.
fn first_failed(object: &Value, ops: &[Op]) -> Option<String> {
    let mut here = object.clone();
    // The object's own values say more than a generation that moved; a generation alone is told
    // only when every value still stands.
    let mut generation = None;
    for op in ops {
        let Op::Test { path, value } = op else {
            crate::model::patch::apply(&mut here, std::slice::from_ref(op));
            continue;
        };
        let live = here.pointer(path);
        if live.unwrap_or(&Value::Null) == value {
            continue;
        }
        let why = says(path, live, value);
        if !COUNTERS.contains(&path.as_str()) {
            return Some(why);
        }
        generation = Some(why);
    }
    generation
}

/// `/spec/paused is true, expected unset`.
pub(super) fn says(path: &str, live: Option<&Value>, expected: &Value) -> String {
    format!("{path} is {}, expected {}", show(live), show(Some(expected)))
}

fn show(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "unset".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Whether two values are one to the API server, which rewrites `1024Mi` as `1Gi` in built-in
/// kinds.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(a), Value::String(b)) => {
            a == b || parse_bytes(a).is_some_and(|bytes| Some(bytes) == parse_bytes(b))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => one == other,
    }
}

/// Whether `live` holds all of `wanted`; the server may have filled in more.
pub(super) fn holds(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| live.get(key).is_some_and(|live| holds(live, wanted)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(l, w)| holds(l, w))
        }
        _ => same(live, wanted),
    }
}

/// Whether `live` can have been made from `body`: the server leaves out what is empty or false, fills
/// in more, and adds tolerations to a pod.
pub(super) fn made_from(live: &Value, body: &Value) -> bool {
    let left_out = |said: &Value| match said {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    };
    let tolerated = |live: &Value, said: &Value| match (live, said) {
        (Value::Array(live), Value::Array(said)) => said.iter().all(|one| live.contains(one)),
        _ => false,
    };
    match (live, body) {
        (Value::Object(live), Value::Object(body)) => {
            body.iter().all(|(key, said)| match live.get(key) {
                None => left_out(said),
                Some(live) if key == "tolerations" => tolerated(live, said),
                Some(live) => made_from(live, said),
            })
        }
        (Value::Array(live), Value::Array(body)) => {
            live.len() == body.len() && live.iter().zip(body).all(|(l, b)| made_from(l, b))
        }
        _ => same(live, body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::patch::{Change, guarded};
    use serde_json::json;

    fn set(memory: &str, generation: u64) -> Value {
        json!({
            "metadata": {"uid": "u", "generation": generation},
            "spec": {"resources": {"limits": {"memory": memory}}},
        })
    }

    #[test]
    fn what_the_server_leaves_out_and_fills_in_makes_no_other_object() {
        let body = json!({"spec": {
            "tolerations": [{"key": "a"}], "imagePullSecrets": [], "affinity": null,
            "containers": [{"command": ["x"], "volumeMounts": [{"name": "d", "readOnly": false}]}],
        }});
        let live = json!({"spec": {
            "tolerations": [{"key": "not-ready"}, {"key": "a"}], "schedulerName": "default",
            "containers": [{"command": ["x"], "volumeMounts": [{"name": "d"}], "tty": false}],
        }});
        assert!(made_from(&live, &body));
        for (pointer, other) in [
            ("/spec/tolerations", json!([{"key": "not-ready"}])),
            ("/spec/containers/0/command", json!(["y"])),
            ("/spec/containers/0/volumeMounts/0/readOnly", json!(true)),
            ("/spec/containers", json!([])),
        ] {
            let mut changed = live.clone();
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            changed.pointer_mut(parent).expect("it is there")[key] = other;
            assert!(!made_from(&changed, &body), "{pointer}");
        }
    }

    #[test]
    fn a_patch_fits_is_done_or_came_too_late() {
        let before = set("1Gi", 3);
        let ops =
            guarded(&before, &[Change::set("/spec/resources/limits/memory", "2048Mi")], 0).ops;
        let moved = "/spec/resources/limits/memory is 3Gi, expected 1Gi";
        let generation = "/metadata/generation is 4, expected 3";
        for (live, expected) in [
            (before, Standing::Fits),
            (set("2Gi", 4), Standing::Done),
            (set("3Gi", 4), Standing::Moved(moved.into())),
            (set("1Gi", 4), Standing::Moved(generation.into())),
            (json!({}), Standing::Moved("it was deleted and made anew".into())),
        ] {
            assert_eq!(standing(&live, &ops), expected, "{live}");
        }
    }

    #[test]
    fn a_generation_is_moved_only_where_it_alone_fails() {
        let before = set("1Gi", 3);
        let change = [Change::set("/spec/resources/limits/memory", "2048Mi")];
        let ops = guarded(&before, &change, 0).ops;
        assert_eq!(rebased(&before, &ops), None);
        assert_eq!(rebased(&set("1Gi", 5), &ops), Some(guarded(&set("1Gi", 5), &change, 0).ops));
        assert_eq!(rebased(&set("3Gi", 5), &ops), None);
        assert_eq!(rebased(&json!({}), &ops), None);
    }

    #[test]
    fn what_the_server_filled_in_does_not_hide_what_was_written() {
        let ops =
            [Op::Add { path: "/spec/updateStrategy".into(), value: json!({"type": "OnDelete"}) }];
        let live = json!({"spec": {"updateStrategy": {"type": "OnDelete", "filled": 0}}});
        assert!(carries(&live, &ops));
        assert!(!carries(&json!({"spec": {}}), &ops));
    }
}
