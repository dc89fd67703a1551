//! What a patch changes, as a person reads it: a dotted path, what was there, what will be.
//! Guards are read for the old values and the names of list elements, and not shown.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::patch::Op;

/// One field and its two values; `None` is unset.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Changed {
    /// `spec.containers[prometheus].resources.limits.memory`.
    pub path: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

/// The fields that these operations change, in their order.
pub(super) fn of(ops: &[Op]) -> Vec<Changed> {
    let mut tested: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut out = Vec::new();
    for op in ops {
        let (path, new) = match op {
            Op::Test { path, value } => {
                tested.insert(path, value);
                continue;
            }
            Op::Add { path, value } | Op::Replace { path, value } => (path.as_str(), Some(value)),
            Op::Remove { path } => (path.as_str(), None),
        };
        let old = tested.get(path).copied().filter(|value| !value.is_null());
        leaves(&dotted(path, &tested), old, new, &mut out);
        // A later operation on the same field starts from what this one leaves.
        match new {
            Some(value) => tested.insert(path, value),
            None => tested.remove(path),
        };
    }
    out
}

/// A JSON pointer with dots; a list element by its name where a guard tells it.
fn dotted(pointer: &str, tested: &BTreeMap<&str, &Value>) -> String {
    let mut out = String::new();
    let mut at = String::new();
    for part in pointer.split('/').skip(1) {
        at = format!("{at}/{part}");
        let name = tested.get(format!("{at}/name").as_str()).and_then(|name| name.as_str());
        let index = part == "-" || part.parse::<usize>().is_ok();
        match name.filter(|_| index) {
            Some(name) => out.push_str(&format!("[{name}]")),
            None if part == "-" => out.push_str("[+]"),
            None if index => out.push_str(&format!("[{part}]")),
            None => out = child(&out, &part.replace("~1", "/").replace("~0", "~")),
        }
    }
    out
}

fn child(path: &str, key: &str) -> String {
    if key.is_empty() || key.contains(['.', '/', '[', ' ']) {
        format!("{path}[{key}]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The smallest fields in which two values differ.
fn leaves(path: &str, old: Option<&Value>, new: Option<&Value>, out: &mut Vec<Changed>) {
    if old == new {
        return;
    }
    if let Some((old, new)) = both(old, new, Value::as_object) {
        let keys: BTreeSet<&String> =
            [old, new].into_iter().flatten().flat_map(|m| m.keys()).collect();
        if !keys.is_empty() {
            for key in keys {
                let value =
                    |map: Option<&'_ serde_json::Map<String, Value>>| map?.get(key).cloned();
                let (old, new) = (value(old), value(new));
                leaves(&child(path, key), old.as_ref(), new.as_ref(), out);
            }
            return;
        }
    }
    if let Some((old, new)) = both(old, new, Value::as_array) {
        let none = Vec::new();
        if elements(path, old.unwrap_or(&none), new.unwrap_or(&none), out) {
            return;
        }
    }
    out.push(Changed { path: path.into(), old: old.cloned(), new: new.cloned() });
}

/// Both values through `as_kind`, where each is of that kind or unset.
fn both<'a, T>(
    old: Option<&'a Value>,
    new: Option<&'a Value>,
    as_kind: impl Fn(&'a Value) -> Option<&'a T>,
) -> Option<(Option<&'a T>, Option<&'a T>)> {
    let fits = |value: Option<&'a Value>| match value {
        Some(value) => as_kind(value).map(Some),
        None => Some(None),
    };
    Some((fits(old)?, fits(new)?))
}

/// List elements: by name where all have one, else by value. False where only their order
/// differs or there are none.
fn elements(path: &str, old: &[Value], new: &[Value], out: &mut Vec<Changed>) -> bool {
    let name = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    let names: Option<Vec<String>> = old.iter().chain(new).map(name).collect();
    if let Some(names) = names.filter(|names| !names.is_empty()) {
        for one in names.iter().collect::<BTreeSet<_>>() {
            let find =
                |list: &[Value]| list.iter().find(|v| name(v).as_ref() == Some(one)).cloned();
            let (old, new) = (find(old), find(new));
            leaves(&format!("{path}[{one}]"), old.as_ref(), new.as_ref(), out);
        }
        return true;
    }
    let gone: Vec<&Value> = old.iter().filter(|value| !new.contains(value)).collect();
    let come: Vec<&Value> = new.iter().filter(|value| !old.contains(value)).collect();
    if gone.is_empty() && come.is_empty() {
        return false;
    }
    for place in 0..gone.len().max(come.len()) {
        let (old, new) = (gone.get(place).copied(), come.get(place).copied());
        let path = format!("{path}[]");
        out.push(Changed { path, old: old.cloned(), new: new.cloned() });
    }
    true
}

/// A value on one line: bare where that cannot be misread, else as JSON.
pub(super) fn show(value: Option<&Value>) -> String {
    match value {
        None => "unset".to_owned(),
        Some(Value::String(text)) if reads_bare(text) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn reads_bare(text: &str) -> bool {
    let known = matches!(text, "" | "true" | "false" | "null" | "unset");
    let odd = |c: char| c.is_control() || c == '"' || c == super::page::GLUE;
    !known && text.trim() == text && !text.contains(odd) && text.parse::<f64>().is_err()
}

/// A scalar as kubectl compares it: a string without quotes, anything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
