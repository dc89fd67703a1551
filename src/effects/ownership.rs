//! Field ownership after an undo: as if prom-fix had never written. Without this, the next
//! server-side apply of the real owner is told of a conflict with a manager that owns values it
//! only put back.

use serde_json::{Map, Value, json};

use super::again::Again;
use super::cluster::{Cluster, MANAGER};
use super::error::Error;
use super::send;
use crate::model::object::{ObjectExt, ObjectRef};
use crate::model::patch::Op;

/// How often somebody else may be faster.
const OVERTAKEN: usize = 9;

/// Gives back what prom-fix owns on an object of this uid to those who owned it `before`.
///
/// A patch of its own: sent together with the values, the entry would stay, since the server
/// computes ownership of the values after reading the list.
pub(super) async fn restore(
    cluster: &Cluster,
    object: &ObjectRef,
    uid: &str,
    before: &Value,
) -> Result<(), Error> {
    let mut again = Again::default();
    // Controllers write status all the time: each such write moves the resourceVersion.
    let mut overtaken = 0;
    loop {
        let Some(live) = cluster.get(object).await?.filter(|live| live.uid() == uid) else {
            return Ok(());
        };
        let Some(fields) = given_back(live.list("/metadata/managedFields"), before) else {
            return Ok(());
        };
        let test = |path: &str, value: &str| Op::Test { path: path.into(), value: json!(value) };
        let ops = [
            test("/metadata/uid", uid),
            test("/metadata/resourceVersion", live.text("/metadata/resourceVersion")),
            Op::Replace { path: "/metadata/managedFields".into(), value: json!(fields) },
        ];
        match cluster.patch(object, &ops, false).await {
            Ok(answer) if answer.object.get("spec") == live.get("spec") => return Ok(()),
            Ok(_) => return Err(send::moved(object, "giving back its fields changed it".into())),
            Err(Error::Refused { status: 404, .. }) => return Ok(()),
            Err(error) if matches!(error.status(), Some(409 | 422)) => {
                overtaken += 1;
                if overtaken == OVERTAKEN {
                    return Err(error);
                }
            }
            Err(error) => again.after(error).await?,
        }
    }
}

/// The list of managers without prom-fix: each manager of `before` gets back those of its fields
/// that prom-fix holds now, and keeps what it came to own meanwhile. None where prom-fix holds
/// nothing.
fn given_back(now: &[Value], before: &Value) -> Option<Vec<Value>> {
    let is_ours =
        |entry: &Value| entry.text("/manager") == MANAGER && entry.text("/subresource").is_empty();
    let ours: Vec<&Value> = now.iter().filter(|entry| is_ours(entry)).collect();
    if ours.is_empty() {
        return None;
    }
    let held = ours.iter().filter_map(|entry| entry.get("fieldsV1"));
    let held = held.fold(json!({}), |all, fields| union(&all, fields));
    let mut left: Vec<Value> = now.iter().filter(|entry| !is_ours(entry)).cloned().collect();
    let former = before.as_array().map_or(&[][..], Vec::as_slice).iter();
    for (place, former) in former.filter(|f| f.text("/subresource").is_empty()).enumerate() {
        if is_ours(former) {
            continue;
        }
        let Some(fields) = former.get("fieldsV1") else { continue };
        let same = left.iter_mut().find(|entry| who(entry) == who(former));
        match same {
            Some(entry) => {
                let merged = back(entry.get("fieldsV1"), fields, &held);
                if merged == *fields {
                    // As it was, to the timestamp.
                    *entry = former.clone();
                } else if let Some(entry) = entry.as_object_mut() {
                    entry.insert("fieldsV1".into(), merged);
                }
            }
            None => {
                let merged = back(None, fields, &held);
                if merged.as_object().is_some_and(|fields| !fields.is_empty()) {
                    let mut entry = former.clone();
                    if let Some(entry) = entry.as_object_mut() {
                        entry.insert("fieldsV1".into(), merged);
                    }
                    left.insert(place.min(left.len()), entry);
                }
            }
        }
    }
    Some(left)
}

/// What tells one entry of managedFields from another.
fn who(entry: &Value) -> [&str; 4] {
    ["/manager", "/operation", "/apiVersion", "/subresource"].map(|pointer| entry.text(pointer))
}

fn union(one: &Value, other: &Value) -> Value {
    let mut all = one.as_object().cloned().unwrap_or_default();
    for (key, fields) in other.as_object().into_iter().flatten() {
        let merged = all.get(key).map_or_else(|| fields.clone(), |here| union(here, fields));
        all.insert(key.clone(), merged);
    }
    Value::Object(all)
}

/// `now` and, of `former`, what is in `held`.
///
/// In fieldsV1 a field is owned by itself where its value is empty, or holds the key `.`; the
/// other keys are its children.
fn back(now: Option<&Value>, former: &Value, held: &Value) -> Value {
    let empty = Map::new();
    let mut fields = now.and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, former) in former.as_object().unwrap_or(&empty) {
        let here = fields.get(key);
        let merged = match held.get(key) {
            // A leaf that prom-fix holds, or all that lies below it.
            Some(held) if is_leaf(held) || is_leaf(former) => Some(former.clone()),
            Some(held) => Some(back(here, former, held)),
            None => None,
        };
        if let Some(merged) = merged
            && (here.is_some() || is_leaf(former) || !is_leaf(&merged))
        {
            fields.insert(key.clone(), merged);
        }
    }
    // Taking the last child of a map takes the map itself from its owner too (seen on 1.34:
    // `f:limits` with `f:memory` alone), though the taker is not said to hold it.
    let returned =
        former.as_object().unwrap_or(&empty).keys().any(|k| k != "." && held.get(k).is_some());
    if let Some(own) = former.get(".").filter(|_| returned) {
        fields.insert(".".into(), own.clone());
    }
    Value::Object(fields)
}

fn is_leaf(fields: &Value) -> bool {
    fields.as_object().is_none_or(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": fields})
    }

    fn helm() -> Value {
        entry(
            "helm",
            json!({"f:spec": {"f:replicas": {}, "f:resources": {
                ".": {}, "f:limits": {".": {}, "f:memory": {}},
            }}}),
        )
    }

    #[test]
    fn the_owner_gets_its_field_back_as_it_was() {
        let robbed = entry(
            "helm",
            json!({"f:spec": {"f:replicas": {}, "f:resources": {
                ".": {}, "f:limits": {".": {}},
            }}}),
        );
        let ours =
            entry(MANAGER, json!({"f:spec": {"f:resources": {"f:limits": {"f:memory": {}}}}}));
        let now = [robbed, ours];
        assert_eq!(given_back(&now, &json!([helm()])), Some(vec![helm()]));
    }

    #[test]
    fn a_map_whose_only_child_was_taken_comes_back_with_it() {
        let robbed = entry("helm", json!({"f:spec": {"f:replicas": {}, "f:resources": {".": {}}}}));
        let ours =
            entry(MANAGER, json!({"f:spec": {"f:resources": {"f:limits": {"f:memory": {}}}}}));
        assert_eq!(given_back(&[robbed, ours], &json!([helm()])), Some(vec![helm()]));
    }

    #[test]
    fn an_owner_of_nothing_else_comes_back() {
        let hpa = entry("hpa", json!({"f:spec": {"f:replicas": {}}}));
        let ours = entry(MANAGER, json!({"f:spec": {"f:replicas": {}, "f:x": {}}}));
        assert_eq!(given_back(&[ours], &json!([hpa.clone()])), Some(vec![hpa]));
    }

    #[test]
    fn what_changed_hands_otherwise_stays_where_it_went() {
        let other = entry("other", json!({"f:spec": {"f:replicas": {}}}));
        let mut kept = helm();
        kept["fieldsV1"]["f:spec"].as_object_mut().expect("fields").remove("f:replicas");
        kept["fieldsV1"]["f:spec"]["f:new"] = json!({});
        let ours = entry(MANAGER, json!({"f:metadata": {"f:labels": {"f:a": {}}}}));
        let now = [kept.clone(), other.clone(), ours];
        assert_eq!(given_back(&now, &json!([helm()])), Some(vec![kept, other]));
    }

    #[test]
    fn without_an_entry_of_ours_there_is_nothing_to_do() {
        assert_eq!(given_back(&[helm()], &json!([])), None);
    }
}
