//! What a change does to an object, line by line.

use serde_json::Value;
use similar::TextDiff;

use super::clean::clean;
use super::yaml::yaml;

/// A unified diff of two objects as YAML; empty where they are the same.
pub fn unified_diff(before: &Value, after: &Value, name: &str) -> String {
    let (old, new) = (yaml(before), yaml(after));
    let name = clean(name);
    let diff = TextDiff::from_lines(old.as_str(), new.as_str());
    let (from, to) = (format!("{name} (live)"), format!("{name} (with the plan)"));
    let text = diff.unified_diff().context_radius(3).header(&from, &to).to_string();
    text.lines().map(|line| format!("{}\n", clean(line))).collect()
}
