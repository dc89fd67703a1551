//! The `helm upgrade` that makes a change last.

use serde_json::Value;

use super::values::Values;
use crate::model::plan::Snippet;
use crate::subject::{Install, Manager, Subject};

/// The command line for a release. Quantities stay byte for byte: Helm 4 applies server-side and
/// refuses a value that differs from the live one.
///
/// `--reset-then-reuse-values` (Helm 3.14) keeps the release's values on the chart's own defaults;
/// `--reuse-values` would drop new defaults (helm pkg/cmd/upgrade.go).
pub fn upgrade(subject: &Subject, mark: &Manager, values: &Values) -> Option<Snippet> {
    let Manager::Helm { release, namespace, chart, version } = mark else { return None };
    let known = match subject.install {
        Install::HelmPrometheus | Install::KubePrometheusStack => {
            Some(format!("prometheus-community/{chart}"))
        }
        _ => None,
    };
    let mut argv: Vec<String> = ["helm", "upgrade", release].map(str::to_owned).into();
    let is_known = known.is_some();
    argv.push(known.unwrap_or_else(|| "CHART".into()));
    argv.extend(["-n".into(), namespace.clone()]);
    if !version.is_empty() {
        argv.extend(["--version".into(), version.clone()]);
    }
    argv.push("--reset-then-reuse-values".into());
    for (path, value) in &values.set {
        set(path, value, &mut argv);
    }
    let words: Vec<String> = argv.iter().map(|word| quote(word)).collect();
    let where_from = if is_known {
        String::new()
    } else {
        format!("; put the location of chart {chart} for CHART")
    };
    Some(Snippet {
        title: format!("upgrade of release {release}{where_from}{}", values.caveat()),
        language: "sh".into(),
        text: format!("{}\n", words.join(" ")),
    })
}

/// The arguments that set one value; a map leaf by leaf, so that its other keys stay.
fn set(path: &[String], value: &Value, argv: &mut Vec<String>) {
    let key: Vec<String> =
        path.iter().map(|part| escape(part, &['\\', '.', ',', '=', '['])).collect();
    let key = key.join(".");
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                let mut path = path.to_vec();
                path.push(name.clone());
                set(&path, value, argv);
            }
        }
        Value::Array(_) | Value::Object(_) => {
            argv.extend(["--set-json".into(), format!("{key}={value}")]);
        }
        Value::String(text) => {
            // Helm reads numbers and words as what they look like (helm pkg/strvals).
            let looks_typed = text.parse::<i64>().is_ok()
                || matches!(&**text, "true" | "false" | "null")
                || text.is_empty();
            let flag = if looks_typed { "--set-string" } else { "--set" };
            argv.extend([flag.into(), format!("{key}={}", escape(text, &['\\', ',', '{', '}']))]);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            argv.extend(["--set".into(), format!("{key}={value}")]);
        }
    }
}

fn escape(text: &str, special: &[char]) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A word as a POSIX shell takes it.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
