//! Objects as text and as values: YAML and JSON in, lists taken apart, kinds filled in, label
//! selectors. Input is not trusted: every limit is an error, none a crash.

use serde_json::{Map, Value};

use crate::model::object::{Kind, ObjectExt};

/// A file that is neither YAML nor JSON, or not of objects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotObjects {
    pub why: String,
}

/// The documents of a text. JSON is tried first where it can be: its parser is ten times as fast.
pub fn documents(text: &str) -> Result<Vec<Value>, NotObjects> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with(['{', '[']) {
        let stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        match stream.collect::<Result<Vec<Value>, _>>() {
            Ok(values) => return Ok(values),
            // A flow mapping of YAML starts with a brace too; JSON of this size is never YAML.
            Err(error) if text.len() > 1 << 16 => {
                return Err(NotObjects { why: error.to_string() });
            }
            Err(_) => {}
        }
    }
    yaml(text)
}

/// The default budgets of the parser are for configuration files: 250 000 nodes are 4 MB of
/// objects. What bounds memory here is the size of the file. Depth stays bounded, and aliases are
/// bounded further: no tool that writes objects writes any.
fn yaml(text: &str) -> Result<Vec<Value>, NotObjects> {
    let budget = serde_saphyr::budget! {
        max_events: 40_000_000,
        max_nodes: 20_000_000,
        max_total_scalar_bytes: 256 << 20,
        max_documents: 100_000,
        max_reader_input_bytes: None,
        max_recorded_anchor_events: 50_000,
    };
    // As Go's parser does it: a node named `n` or `on` keeps its name.
    let options =
        serde_saphyr::options! { budget: budget, with_snippet: false, strict_booleans: true };
    let values: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| NotObjects { why: super::failure::first_line(&error.to_string()) })?;
    Ok(values.into_iter().filter(|value| !value.is_null()).collect())
}

/// What a document is.
pub enum Document {
    /// A list; its kind where it is typed (`PodList`) and one of ours.
    List {
        kind: Option<Kind>,
        items: Vec<Value>,
    },
    Object(Value),
    /// Not made of objects.
    Other,
}

pub fn sort_out(mut document: Value) -> Document {
    if let Value::Array(items) = document {
        return Document::List { kind: None, items };
    }
    let (version, kind) = (document.text("/apiVersion"), document.text("/kind"));
    let Some(item_kind) = kind.strip_suffix("List") else {
        let named = !kind.is_empty() && !document.name().is_empty();
        return if named { Document::Object(document) } else { Document::Other };
    };
    let (version, item_kind) = (version.to_owned(), item_kind.to_owned());
    let mut items = take_items(&mut document);
    for item in items.iter_mut().filter(|_| !item_kind.is_empty()) {
        fill(item, &version, &item_kind);
    }
    Document::List { kind: Kind::of(&version, &item_kind), items }
}

/// The items of a list; `items: null` is an empty one.
pub fn take_items(list: &mut Value) -> Vec<Value> {
    match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// Items of typed lists come without their kind.
pub fn name_kind(object: &mut Value, kind: Kind) {
    fill(object, kind.api_version(), kind.name());
}

fn fill(object: &mut Value, version: &str, kind: &str) {
    if let Value::Object(fields) = object {
        let missing = |fields: &Map<String, Value>, key: &str| {
            fields.get(key).and_then(Value::as_str).is_none_or(str::is_empty)
        };
        if missing(fields, "apiVersion") {
            fields.insert("apiVersion".into(), version.into());
        }
        if missing(fields, "kind") {
            fields.insert("kind".into(), kind.into());
        }
    }
}

/// Whether an object's labels meet a selector in kubectl's syntax. A selector that cannot be
/// read is none: the caller says so rather than to answer with too much.
pub fn selected(object: &Value, selector: &str) -> Option<bool> {
    let mut all = true;
    for term in terms(selector) {
        all &= meets(object, term.trim())?;
    }
    Some(all)
}

/// Splits at commas outside of parentheses.
fn terms(selector: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    selector
        .split(move |c: char| {
            inside = match c {
                '(' => true,
                ')' => false,
                _ => inside,
            };
            c == ',' && !inside
        })
        .filter(|term| !term.trim().is_empty())
}

fn meets(object: &Value, term: &str) -> Option<bool> {
    for (word, wanted) in [(" notin ", false), (" in ", true)] {
        if let Some((key, set)) = term.split_once(word) {
            let set = set.trim().strip_prefix('(')?.strip_suffix(')')?;
            let label = object.label(key.trim());
            let found = label.is_some_and(|l| set.split(',').any(|value| value.trim() == l));
            return Some(found == wanted);
        }
    }
    for (sign, wanted) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((key, value)) = term.split_once(sign) {
            return Some((object.label(key.trim()) == Some(value.trim())) == wanted);
        }
    }
    let (key, wanted) = term.strip_prefix('!').map_or((term, true), |key| (key.trim(), false));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    key.chars().all(plain).then(|| object.label(key).is_some() == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_mean_what_kubectl_means() {
        let object = json!({"metadata": {"labels": {"app": "x", "a.b/c": "1"}}});
        let rows = [
            ("", Some(true)),
            ("app=x", Some(true)),
            ("app==x,a.b/c=1", Some(true)),
            ("app=x,a.b/c=2", Some(false)),
            ("app!=y", Some(true)),
            ("none!=y", Some(true)),
            ("app in (y, x),app", Some(true)),
            ("app notin (y,x)", Some(false)),
            ("none notin (y)", Some(true)),
            ("!none", Some(true)),
            ("!app", Some(false)),
            ("app in y", None),
            ("a b", None),
        ];
        for (selector, expected) in rows {
            assert_eq!(selected(&object, selector), expected, "{selector:?}");
        }
    }

    #[test]
    fn documents_of_yaml_and_json() {
        let values = documents("a: 1\n---\n---\nb: 2\n").expect("yaml");
        assert_eq!(values, [json!({"a": 1}), json!({"b": 2})]);
        assert_eq!(documents("{\"a\": 1}\n{\"b\": 2}").expect("json").len(), 2);
        assert_eq!(documents("{a: n}").expect("flow yaml"), [json!({"a": "n"})]);
        assert_eq!(documents("").expect("nothing"), Vec::<Value>::new());
        let error = documents("a: [1\nb: 2\n").expect_err("not yaml");
        assert!(error.why.contains("line"), "{}", error.why);
    }

    #[test]
    fn a_large_file_is_within_budget_and_a_bomb_is_not() {
        let mut text = String::from("apiVersion: v1\nkind: List\nitems:\n");
        for n in 0..30_000 {
            text.push_str(&format!("- kind: Pod\n  metadata: {{name: p{n}, labels: {{a: b}}}}\n"));
        }
        let values = documents(&text).expect("large");
        assert_eq!(values[0].list("/items").len(), 30_000);
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let before = n - 1;
            let refs = vec![format!("*a{before}"); 9].join(", ");
            bomb.push_str(&format!("a{n}: &a{n} [{refs}]\n"));
        }
        assert!(documents(&bomb).is_err());
        assert!(documents(&"[".repeat(100_000)).is_err());
        assert!(documents(&"{\"a\":".repeat(100_000)).is_err());
    }

    #[test]
    fn items_of_typed_lists_get_their_kind() {
        let list = json!({"apiVersion": "apps/v1", "kind": "DaemonSetList",
            "items": [{"metadata": {"name": "a"}}]});
        let Document::List { kind, items } = sort_out(list) else { panic!("a list") };
        assert_eq!(kind, Some(Kind::DaemonSet));
        assert_eq!(items[0].text("/kind"), "DaemonSet");
    }
}
