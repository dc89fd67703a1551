//! `metadata.managedFields`: which managers own a JSON pointer (structured-merge-diff's FieldsV1,
//! k8s.io/apimachinery, sigs.k8s.io/structured-merge-diff fieldpath/serialize.go).

use serde_json::Value;

use crate::model::object::ObjectExt;

pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A manager that owns a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub manager: String,
    /// Server-side apply.
    pub applies: bool,
}

/// The names of all managers of an object's fields, its status aside.
pub fn managers(object: &Value) -> Vec<&str> {
    entries(object).map(|entry| entry.text("/manager")).collect()
}

/// Argo CD's controller, today's name and the one before 2.5 (argo-cd common/common.go).
pub fn is_argocd(manager: &str) -> bool {
    matches!(manager, "argocd-controller" | "argocd-application-controller")
}

/// Whether the object says at all who owns what.
pub fn is_told(object: &Value) -> bool {
    entries(object).next().is_some()
}

fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    let all = object.list("/metadata/managedFields");
    all.iter().filter(|entry| entry.text("/subresource").is_empty())
}

/// The managers that own the value at a pointer, something below it, or a list or map above it
/// that is owned as a whole.
pub fn holders(object: &Value, pointer: &str) -> Vec<Holder> {
    let parts: Vec<String> =
        pointer.split('/').skip(1).map(|p| p.replace("~1", "/").replace("~0", "~")).collect();
    let found = entries(object).filter(|entry| {
        let Some(fields) = entry.get("fieldsV1") else { return false };
        match reach(fields, object, &parts) {
            Reach::Owned => true,
            // An owned map without a listing of its keys: atomic, or emptied by another manager
            // that took the keys over.
            Reach::Above(at) => !entries(object).any(|other| {
                let taken = other
                    .get("fieldsV1")
                    .map(|f| reach(f, object, parts.get(..=at).unwrap_or(&[])));
                taken == Some(Reach::Owned)
            }),
            Reach::Free => false,
        }
    });
    found
        .map(|entry| Holder {
            manager: entry.text("/manager").into(),
            applies: entry.text("/operation") == "Apply",
        })
        .collect()
}

/// How far an entry's fields go towards a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Owned,
    /// The map before this part is owned, and nothing is said of its keys.
    Above(usize),
    Free,
}

fn reach(fields: &Value, object: &Value, parts: &[String]) -> Reach {
    let mut node = fields;
    let mut here = Some(object);
    for (at, part) in parts.iter().enumerate() {
        if at > 0 && node.as_object().is_some_and(serde_json::Map::is_empty) {
            return match here {
                // A list that is not split into elements is one value.
                Some(Value::Array(_)) => Reach::Owned,
                Some(Value::Object(map)) if !map.is_empty() => Reach::Above(at),
                // An empty struct: what is put into it is nobody's yet.
                _ => Reach::Free,
            };
        }
        let next = match here {
            Some(Value::Array(items)) => {
                let item = part.parse::<usize>().ok().and_then(|i| items.get(i));
                here = item;
                item.and_then(|item| element(node, item, part))
            }
            Some(value) => {
                here = value.get(part);
                node.get(format!("f:{part}"))
            }
            None => node.get(format!("f:{part}")),
        };
        match next {
            Some(next) => node = next,
            None => return Reach::Free,
        }
    }
    Reach::Owned
}

/// The node of a list's element: by key fields, by value, or by index.
fn element<'a>(node: &'a Value, item: &Value, index: &str) -> Option<&'a Value> {
    let entries = node.as_object()?;
    let found = entries.iter().find(|(name, _)| {
        if let Some(key) = name.strip_prefix("k:") {
            let key: Value = serde_json::from_str(key).unwrap_or(Value::Null);
            key.as_object().is_some_and(|key| {
                // A key field that is defaulted may be unset on the element.
                key.iter().all(|(k, v)| item.get(k).is_none_or(|have| have == v))
                    && key.iter().any(|(k, v)| item.get(k) == Some(v))
            })
        } else if let Some(value) = name.strip_prefix("v:") {
            serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item)
        } else {
            name.strip_prefix("i:") == Some(index)
        }
    });
    found.map(|(_, node)| node)
}

/// Whether the manifest that `kubectl apply` keeps on the object holds a pointer's value; `None`
/// where there is no such record.
pub fn last_applied(object: &Value, pointer: &str) -> Option<bool> {
    let text = object.annotation(LAST_APPLIED)?;
    let manifest: Value = serde_json::from_str(text).ok()?;
    let mut live = Some(object);
    let mut here = &manifest;
    for part in pointer.split('/').skip(1).map(|p| p.replace("~1", "/").replace("~0", "~")) {
        let next = match (here, live) {
            (Value::Array(items), Some(Value::Array(served))) => {
                let at = part.parse::<usize>().ok();
                let item = at.and_then(|at| served.get(at));
                live = item;
                match item.and_then(|item| item.get("name")) {
                    Some(name) => items.iter().find(|i| i.get("name") == Some(name)),
                    // Without names a list is one value.
                    None => return Some(true),
                }
            }
            (Value::Array(_), _) => return Some(true),
            _ => {
                live = live.and_then(|live| live.get(&part));
                here.get(&part)
            }
        };
        match next {
            Some(next) => here = next,
            None => return Some(false),
        }
    }
    Some(true)
}
