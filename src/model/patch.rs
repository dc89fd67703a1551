//! RFC 6902 patches that guard themselves: each carries the uid, generation and old values it was
//! made from, so that the API server refuses it when the object has moved.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::object::ObjectExt;

/// One operation of RFC 6902; `test`, `add`, `replace` and `remove` are all we send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Op {
    Test { path: String, value: Value },
    Add { path: String, value: Value },
    Replace { path: String, value: Value },
    Remove { path: String },
}

impl Op {
    pub fn path(&self) -> &str {
        match self {
            Op::Test { path, .. }
            | Op::Add { path, .. }
            | Op::Replace { path, .. }
            | Op::Remove { path } => path,
        }
    }

    /// Whether this operation only guards.
    pub fn is_guard(&self) -> bool {
        matches!(self, Op::Test { .. })
    }
}

/// What the API server counts up at each write: a guard against any change at all.
pub const COUNTERS: [&str; 2] = ["/metadata/generation", "/metadata/resourceVersion"];

/// A JSON pointer of these parts, escaped (RFC 6901).
pub fn pointer<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for part in parts {
        out.push('/');
        out.push_str(&part.replace('~', "~0").replace('/', "~1"));
    }
    out
}

/// One wanted value: `None` removes the field.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub pointer: String,
    pub value: Option<Value>,
}

impl Change {
    pub fn set(pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        Change { pointer: pointer.into(), value: Some(value.into()) }
    }

    pub fn unset(pointer: impl Into<String>) -> Self {
        Change { pointer: pointer.into(), value: None }
    }
}

/// A patch and the one that takes it back.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    pub ops: Vec<Op>,
    /// Takes the change back from an object that carries it; guarded by uid and by the new values.
    pub undo: Vec<Op>,
    /// The object as it will be, without what the server fills in.
    pub after: Value,
}

/// Makes the guarded patch that brings `changes` to `object`, an object as served.
///
/// `generation_ahead` counts the spec patches of the same plan that come before this one: each
/// raises `metadata.generation` by one, and the guard must expect that.
///
/// Parents that are missing are added with the value in one operation at the topmost missing
/// level, guarded by a test for absence (`null`), which the API server accepts where the parent
/// exists.
pub fn guarded(object: &Value, changes: &[Change], generation_ahead: i64) -> Patch {
    let mut ops = vec![Op::Test { path: "/metadata/uid".into(), value: json!(object.uid()) }];
    let mut undo = ops.clone();
    match object.number("/metadata/generation") {
        Some(generation) => ops.push(Op::Test {
            path: "/metadata/generation".into(),
            value: json!(generation + generation_ahead),
        }),
        None => ops.push(Op::Test {
            path: "/metadata/resourceVersion".into(),
            value: json!(object.text("/metadata/resourceVersion")),
        }),
    }
    let mut after = object.clone();
    let mut back = Vec::new();
    for change in changes {
        add_name_guards(&after, change, &mut ops, &mut undo);
        let Some((op, old)) = one(&after, change) else { continue };
        let path = op.path().to_owned();
        ops.push(guard_of(&after, &path, old.as_ref()));
        let new = match &op {
            Op::Add { value, .. } | Op::Replace { value, .. } => Some(value.clone()),
            Op::Test { .. } | Op::Remove { .. } => None,
        };
        apply(&mut after, std::slice::from_ref(&op));
        back.push((guard_of_undo(&after, &path, new.as_ref()), path, old, new));
        ops.push(op);
    }
    for (guard, path, old, new) in back.into_iter().rev() {
        undo.push(guard);
        undo.push(match (old, new) {
            (Some(value), Some(_)) => Op::Replace { path, value },
            (Some(value), None) => Op::Add { path, value },
            (None, _) => Op::Remove { path },
        });
    }
    Patch { ops, undo, after }
}

/// The test that holds an operation to what was seen. Past the end of a list there is nothing to
/// test for absence (the API server answers an error, not null): its last element is tested.
fn guard_of(object: &Value, path: &str, old: Option<&Value>) -> Op {
    let (parent, place) = path.rsplit_once('/').unwrap_or(("", path));
    let list = object.pointer(parent).and_then(Value::as_array);
    let before = place.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    if let (None, Some(list), Some(before)) = (old, list, before)
        && let Some(last) = list.get(before)
    {
        let at = format!("{parent}/{before}");
        return match last.get("name") {
            Some(name) => Op::Test { path: format!("{at}/name"), value: name.clone() },
            None => Op::Test { path: at, value: last.clone() },
        };
    }
    Op::Test { path: path.to_owned(), value: old.cloned().unwrap_or(Value::Null) }
}

/// The test that holds the way back to what was left. Where an element was taken out of a list
/// another stands at its index, or none: the list is tested.
fn guard_of_undo(after: &Value, path: &str, new: Option<&Value>) -> Op {
    let (parent, _) = path.rsplit_once('/').unwrap_or(("", path));
    let list = after.pointer(parent).filter(|list| list.is_array());
    match (new, list) {
        (None, Some(list)) => Op::Test { path: parent.to_owned(), value: list.clone() },
        (new, _) => Op::Test { path: path.to_owned(), value: new.cloned().unwrap_or(Value::Null) },
    }
}

/// A list element is addressed by index: a test of its name holds the index to the element meant.
fn add_name_guards(object: &Value, change: &Change, ops: &mut Vec<Op>, undo: &mut Vec<Op>) {
    let path = &change.pointer;
    let mut at = String::new();
    let mut here = object;
    for part in path.split('/').skip(1) {
        at = format!("{at}/{part}");
        let Some(next) = here.pointer(&format!("/{part}")) else { return };
        if here.is_array()
            && let Some(name) = next.get("name")
        {
            let guard = Op::Test { path: format!("{at}/name"), value: name.clone() };
            if !ops.contains(&guard) {
                ops.push(guard.clone());
                // What is taken away is not there on the way back.
                if change.value.is_some() || at != *path {
                    undo.push(guard);
                }
            }
        }
        here = next;
    }
}

/// The operation of one change, and the value that stood at its path.
fn one(object: &Value, change: &Change) -> Option<(Op, Option<Value>)> {
    let old = object.pointer(&change.pointer).cloned();
    let path = change.pointer.clone();
    match (&change.value, old) {
        (None, None) => None,
        (None, Some(old)) => Some((Op::Remove { path }, Some(old))),
        (Some(value), Some(old)) if *value == old => None,
        (Some(value), Some(old)) => Some((Op::Replace { path, value: value.clone() }, Some(old))),
        (Some(value), None) => {
            let mut path = path;
            let mut value = value.clone();
            while let Some((parent, last)) = path.rsplit_once('/') {
                if parent.is_empty() || object.pointer(parent).is_some() {
                    break;
                }
                value = json!({ unescape(last): value });
                path = parent.to_owned();
            }
            Some((Op::Add { path, value }, None))
        }
    }
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Applies operations to a value in memory; guards are not checked here.
pub fn apply(object: &mut Value, ops: &[Op]) {
    let changes: Vec<&Op> = ops.iter().filter(|op| !op.is_guard()).collect();
    let patch =
        serde_json::to_value(&changes).and_then(serde_json::from_value::<json_patch::Patch>);
    if let Ok(patch) = patch {
        // An operation that does not fit leaves the value as it was: `json_patch` rolls back.
        let _ = json_patch::patch(object, &patch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Value {
        json!({
            "metadata": {"uid": "u", "generation": 3},
            "spec": {"containers": [{"name": "a"}, {"name": "p", "resources": {"limits": {"memory": "1Gi"}}}]},
        })
    }

    #[test]
    fn a_replaced_value_is_guarded_by_uid_generation_name_and_old_value() {
        let change = Change::set("/spec/containers/1/resources/limits/memory", "2Gi");
        let patch = guarded(&set(), &[change], 1);
        let memory = "/spec/containers/1/resources/limits/memory";
        assert_eq!(
            serde_json::to_value(&patch.ops).expect("values"),
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/metadata/generation", "value": 4},
                {"op": "test", "path": "/spec/containers/1/name", "value": "p"},
                {"op": "test", "path": memory, "value": "1Gi"},
                {"op": "replace", "path": memory, "value": "2Gi"},
            ])
        );
        let mut back = patch.after.clone();
        apply(&mut back, &patch.undo);
        assert_eq!(back, set());
    }

    #[test]
    fn a_missing_parent_is_added_once_and_guarded_by_absence() {
        let changes = [
            Change::set("/spec/resources/limits/memory", "2Gi"),
            Change::set("/spec/resources/requests/memory", "2Gi"),
        ];
        let patch = guarded(&set(), &changes, 0);
        assert!(
            patch.ops.contains(&Op::Test { path: "/spec/resources".into(), value: Value::Null })
        );
        assert_eq!(
            patch.after.pointer("/spec/resources"),
            Some(&json!({"limits": {"memory": "2Gi"}, "requests": {"memory": "2Gi"}}))
        );
        let mut back = patch.after.clone();
        apply(&mut back, &patch.undo);
        assert_eq!(back, set());
    }

    #[test]
    fn what_is_added_at_the_end_of_a_list_is_guarded_by_the_last_element() {
        let patch = guarded(&set(), &[Change::set("/spec/containers/2", json!({"name": "x"}))], 0);
        let last = Op::Test { path: "/spec/containers/1/name".into(), value: json!("p") };
        assert!(patch.ops.contains(&last), "{:?}", patch.ops);
        assert!(!patch.ops.iter().any(|op| op.is_guard() && op.path() == "/spec/containers/2"));
        let mut back = patch.after.clone();
        apply(&mut back, &patch.undo);
        assert_eq!(back, set());
    }

    #[test]
    fn elements_that_are_taken_out_of_a_list_go_back_where_they_were() {
        let object = json!({
            "metadata": {"uid": "u", "generation": 3},
            "spec": {"args": ["a", "b", "c"], "extra": [{"name": "x", "value": "1"}]},
        });
        let taken = ["/spec/args/1", "/spec/args/0", "/spec/extra/0"]
            .map(|at| Change::unset(at.to_owned()));
        let patch = guarded(&object, &taken, 0);
        assert_eq!(patch.after.pointer("/spec"), Some(&json!({"args": ["c"], "extra": []})));
        let mut back = patch.after.clone();
        for op in &patch.undo {
            if let Op::Test { path, value } = op {
                let stands = back.pointer(path).unwrap_or(&Value::Null);
                assert_eq!(stands, value, "{path}");
            }
            apply(&mut back, std::slice::from_ref(op));
        }
        assert_eq!(back, object);
    }

    #[test]
    fn pointers_escape() {
        assert_eq!(pointer(["metadata", "annotations", "a/b~c"]), "/metadata/annotations/a~1b~0c");
    }
}
