//! JSON values as YAML.

use serde_json::Value;

/// A value as YAML. Text that YAML would read as something else (`1e3`, `true`, `null`) is
/// quoted, so that it reads back as the same value; a property test holds that.
pub fn yaml(value: &Value) -> String {
    // JSON is YAML too: a value that the writer refuses is still written faithfully.
    let mut out = serde_saphyr::to_string(value).unwrap_or_else(|_| format!("{value:#}"));
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}
