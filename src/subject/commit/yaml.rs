//! JSON values as YAML in block style: enough for what is committed, and the same bytes each time.

use serde_json::Value;

/// The text of a value, with a line feed at its end.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&format!("{indent}{}:", scalar(key)));
                below(value, depth, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut text = String::new();
                block(item, depth + 1, &mut text);
                let text = text.get(indent.len() + 2..).unwrap_or("");
                out.push_str(&format!("{indent}- {text}"));
            }
        }
        other => out.push_str(&format!("{indent}{}\n", plain(other))),
    }
}

/// What follows `key:`.
fn below(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            block(value, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            block(value, depth, out);
        }
        other => out.push_str(&format!(" {}\n", plain(other))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        // Null, numbers, booleans and empty collections are written as in JSON.
        other => other.to_string(),
    }
}

/// A string, quoted where a reader could take it for something else.
pub(super) fn scalar(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let is_quantity = text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(['i', 'k', 'M', 'G', 'T', 'P', 'm'])
        && text.chars().filter(|c| *c != '.').all(|c| c.is_ascii_alphanumeric());
    let lower = text.to_ascii_lowercase();
    let is_other = matches!(
        &*lower,
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n" | "nan" | "inf"
    );
    if (starts_well || is_quantity) && text.chars().all(is_word) && !is_other {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Between double quotes, as JSON, and in ASCII alone: YAML takes some characters for the end of a
/// line, knows no pairs of surrogates, and a screen may hide one that the name of a metric holds.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let mut out = String::with_capacity(json.len());
    for one in json.chars() {
        match u32::from(one) {
            0x20..0x7f => out.push(one),
            code @ 0..=0xffff => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::write;
    use serde_json::{Value, json};

    #[test]
    fn what_is_written_reads_back_as_it_was() {
        let value = json!({
            "a": {"b": [{"name": "x", "l": ["--a=b", "1"], "e": {}}, []], "t": "true", "n": null},
            "memory": "8Gi", "bytes": "1073741824", "number": 3600, "web.listen-address": ":9090",
            "text": "two\nlines # not a comment: \"quoted\"", "empty": "", "e": "1e3", "k": "500m",
            "marks": "\u{7f}\u{85}\u{2028}\u{202e}\u{feff}", "beyond": "größe 東京 \u{1f525}",
            "\t\\'{}[],&*?|>%@`": "- a: b",
        });
        let text = write(&value);
        let back: Value = serde_saphyr::from_str(&text).expect("YAML");
        assert_eq!(back, value, "{text}");
        assert!(text.contains("memory: 8Gi\n"), "{text}");
        assert!(text.is_ascii(), "{text}");
    }
}
