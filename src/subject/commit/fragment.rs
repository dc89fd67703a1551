//! The part of an object that changes, as a merge patch: what kustomize takes, and what a reader
//! puts into a manifest.

use serde_json::{Value, json};

use crate::model::Kind;
use crate::model::object::ObjectExt;
use crate::model::patch::Change;

/// The changed part with the object's identity. Built-in lists with names merge by name; lists of
/// custom resources have no merge keys to kustomize, so they stand whole.
pub fn of(object: &Value, after: &Value, changes: &[Change]) -> Value {
    let kind = Kind::of(object.text("/apiVersion"), object.text("/kind"));
    let by_name = !kind.is_some_and(|k| k.is_operator_resource() || k == Kind::MonitoringStack);
    let mut out = json!({
        "apiVersion": object.text("/apiVersion"),
        "kind": object.text("/kind"),
        "metadata": {"name": object.name(), "namespace": object.namespace()},
    });
    for change in changes {
        let parts: Vec<String> = parts(&change.pointer);
        let removed = object.pointer(&change.pointer).and_then(|old| old.get("name"));
        let value = match (&change.value, removed) {
            (Some(value), _) => whole(value, object.pointer(&change.pointer)),
            (None, Some(name)) if by_name => json!({"$patch": "delete", "name": name}),
            (None, _) => Value::Null,
        };
        // An element that goes is found by its name in the object as it was.
        let here = if change.value.is_none() && by_name { object } else { after };
        insert(&mut out, here, &parts, value, by_name);
    }
    out
}

/// A map that takes another's place: merged into it, it would keep what is to go, as `rollingUpdate`
/// beside `type: Recreate`, which the API server refuses. Null takes it away.
pub fn whole(value: &Value, old: Option<&Value>) -> Value {
    let mut out = value.clone();
    if let (Some(new), Some(Value::Object(old))) = (out.as_object_mut(), old) {
        for key in old.keys() {
            new.entry(key.clone()).or_insert(Value::Null);
        }
    }
    out
}

/// The parts of a JSON pointer.
pub fn parts(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|p| p.replace("~1", "/").replace("~0", "~")).collect()
}

fn insert(into: &mut Value, here: &Value, parts: &[String], value: Value, by_name: bool) {
    let Some((part, rest)) = parts.split_first() else {
        *into = value;
        return;
    };
    if let Value::Array(items) = here {
        let index = if part == "-" { items.len().checked_sub(1) } else { part.parse().ok() };
        let item = index.and_then(|index| items.get(index));
        let name = item.and_then(|item| item.get("name")).filter(|_| by_name);
        let (Some(item), Some(name)) = (item, name) else {
            *into = here.clone();
            return;
        };
        if !into.is_array() {
            *into = json!([]);
        }
        let Some(list) = into.as_array_mut() else { return };
        if !list.iter().any(|known| known.get("name") == Some(name)) {
            list.push(json!({ "name": name }));
        }
        if let Some(slot) = list.iter_mut().find(|known| known.get("name") == Some(name)) {
            insert(slot, item, rest, value, by_name);
        }
        return;
    }
    if !into.is_object() {
        *into = json!({});
    }
    if let Some(map) = into.as_object_mut() {
        let slot = map.entry(part.clone()).or_insert(Value::Null);
        insert(slot, here.get(part).unwrap_or(&Value::Null), rest, value, by_name);
    }
}
