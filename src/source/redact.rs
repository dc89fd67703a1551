//! Takes out of what is recorded all that may be a secret: values of environment variables,
//! credentials in arguments and configuration, passwords in URLs, and the annotations that repeat
//! a whole object. Names stay, so a reader sees that something stood there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::object::{Kind, ObjectExt};

pub const REDACTED: &str = "<redacted>";

/// What was taken out, and how often.
pub type Counts = BTreeMap<&'static str, usize>;

pub fn object(value: &mut Value, counts: &mut Counts) {
    if Kind::of(value.text("/apiVersion"), value.text("/kind")) == Some(Kind::ConfigMap) {
        for part in ["data", "binaryData"] {
            config_data(value.get_mut(part), counts);
        }
    }
    walk(value, counts);
}

fn config_data(data: Option<&mut Value>, counts: &mut Counts) {
    let Some(Value::Object(files)) = data else { return };
    for (name, text) in files {
        let Value::String(text) = text else { continue };
        // One line under a key that names a credential, or a file of many.
        if sensitive(name) && !text.contains('\n') {
            replace(text, "credentials in configuration", counts);
        } else {
            *text = text.split_inclusive('\n').map(|line| config_line(line, counts)).collect();
        }
    }
}

/// `  password: hunter2` without its value; every other line as it is.
fn config_line(line: &str, counts: &mut Counts) -> String {
    let Some((key, value)) = line.split_once(':') else { return line.to_owned() };
    let name = key.trim().trim_start_matches("- ").trim_matches(['"', '\'']);
    let plain = value.trim();
    if !sensitive(name) || plain.is_empty() || matches!(plain, "|" | ">" | "|-" | ">-" | "{") {
        return line.to_owned();
    }
    *counts.entry("credentials in configuration").or_default() += 1;
    let end = if line.ends_with('\n') { "\n" } else { "" };
    format!("{key}: {REDACTED}{end}")
}

fn walk(value: &mut Value, counts: &mut Counts) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Object(annotations)) = fields.get_mut("annotations") {
                let before = annotations.len();
                annotations.retain(|key, _| !repeats_object(key));
                count(counts, "last-applied annotations", before - annotations.len());
            }
            let named = fields.get("name").and_then(Value::as_str).is_some_and(sensitive);
            for (key, inner) in fields.iter_mut() {
                match (key.as_str(), inner) {
                    // Field ownership holds names of fields only, and is large.
                    ("managedFields", _) => {}
                    ("env", Value::Array(variables)) => env(variables, counts),
                    ("args" | "command", Value::Array(words)) => arguments(words, counts),
                    ("value", Value::String(text)) if named => {
                        replace(text, "credentials in arguments", counts);
                    }
                    (key, Value::String(text)) if is_credential_field(key) => {
                        replace(text, "credentials in fields", counts);
                    }
                    (_, inner) => walk(inner, counts),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, counts)),
        Value::String(text) => urls(text, counts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn count(counts: &mut Counts, what: &'static str, times: usize) {
    if times > 0 {
        *counts.entry(what).or_default() += times;
    }
}

fn replace(text: &mut String, what: &'static str, counts: &mut Counts) {
    if !text.is_empty() && text != REDACTED {
        *text = REDACTED.into();
        count(counts, what, 1);
    }
}

/// kubectl's annotation, and those of tools that keep the same elsewhere.
fn repeats_object(key: &str) -> bool {
    key.ends_with("/last-applied-configuration")
        || key.ends_with("/last-applied")
        || key == "objectset.rio.cattle.io/applied"
}

fn env(variables: &mut [Value], counts: &mut Counts) {
    for variable in variables {
        if let Some(Value::String(text)) = variable.get_mut("value") {
            replace(text, "env values", counts);
        }
    }
}

fn arguments(words: &mut [Value], counts: &mut Counts) {
    let mut next_is_secret = false;
    for word in words {
        let Value::String(text) = word else { continue };
        let secret = std::mem::take(&mut next_is_secret) && !text.starts_with('-');
        if secret {
            replace(text, "credentials in arguments", counts);
        } else if text.starts_with('-') {
            match text.split_once('=') {
                Some((flag, value)) if sensitive(flag) && !value.is_empty() => {
                    *text = format!("{flag}={REDACTED}");
                    count(counts, "credentials in arguments", 1);
                }
                Some(_) => urls(text, counts),
                None => next_is_secret = sensitive(text),
            }
        } else {
            urls(text, counts);
        }
    }
}

/// Whether a name is that of a credential. A path to one, or the name of the Secret that holds
/// it, is none.
fn sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let holds =
        ["password", "passwd", "token", "secret", "bearer", "credential", "api_key", "headervalue"];
    let known = ["api_url", "service_key", "routing_key", "webhook_url", "authorization"];
    let harmless = ["file", "path", "dir", "name", "_url", "-url", "namespace", "ttl", "expiry"];
    known.contains(&name.as_str())
        || (holds.iter().any(|word| name.contains(word))
            && !harmless.iter().any(|end| name.ends_with(end)))
}

fn is_credential_field(key: &str) -> bool {
    ["password", "bearertoken", "token", "authorization", "credentials", "clientsecret"]
        .contains(&key.to_ascii_lowercase().as_str())
}

/// Free text: logs and answers.
pub fn text(text: &mut String, counts: &mut Counts) {
    urls(text, counts);
    bearers(text, counts);
}

/// `https://user:password@host` without the user and password.
fn urls(text: &mut String, counts: &mut Counts) {
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let ends = |c: char| c.is_whitespace() || "/?#\"'\\,<>".contains(c);
        let authority = after.split(ends).next().unwrap_or("");
        rest = match authority.rsplit_once('@') {
            Some((who, host)) if !who.is_empty() => {
                out.push_str(&format!("{REDACTED}@{host}"));
                count(counts, "credentials in URLs", 1);
                after.strip_prefix(authority).unwrap_or("")
            }
            _ => after,
        };
    }
    if !out.is_empty() {
        out.push_str(rest);
        *text = out;
    }
}

fn bearers(text: &mut String, counts: &mut Counts) {
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("Bearer ") {
        out.push_str(before);
        out.push_str("Bearer ");
        let token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
        let tail = after.trim_start_matches(token);
        // Shorter ones are words: "Bearer token".
        rest = if after.len() - tail.len() >= 16 {
            out.push_str(REDACTED);
            count(counts, "bearer tokens", 1);
            tail
        } else {
            after
        };
    }
    if !out.is_empty() {
        out.push_str(rest);
        *text = out;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_go_and_names_stay() {
        let mut pod = json!({"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": "a", "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}", "keep": "1"}},
            "spec": {"containers": [{
                "args": ["--web.x=1", "--auth.password=p", "--bearer-token", "t", "--next",
                    "--token-file=/a", "--url=http://u:p@h:1/x"],
                "env": [{"name": "A", "value": "v"},
                    {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]}]}});
        let expected = json!({"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": "a", "annotations": {"keep": "1"}},
            "spec": {"containers": [{
                "args": ["--web.x=1", "--auth.password=<redacted>", "--bearer-token",
                    "<redacted>", "--next", "--token-file=/a", "--url=http://<redacted>@h:1/x"],
                "env": [{"name": "A", "value": "<redacted>"},
                    {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]}]}});
        let mut counts = Counts::new();
        object(&mut pod, &mut counts);
        assert_eq!(pod, expected);
        let counted: Vec<_> = counts.into_iter().collect();
        assert_eq!(
            counted,
            [
                ("credentials in URLs", 1),
                ("credentials in arguments", 2),
                ("env values", 1),
                ("last-applied annotations", 1)
            ]
        );
    }

    #[test]
    fn configuration_loses_passwords_only() {
        let text = "remote_write:\n- url: https://u:p@h/w\n  basic_auth:\n    password: x\n    \
                    password_file: /p\n  bearer_token: 'abc'\n    httpHeaderValue1: x\n";
        let mut map =
            json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {"a.yml": text, "token": "t"}});
        object(&mut map, &mut Counts::new());
        let expected = "remote_write:\n- url: https://<redacted>@h/w\n  basic_auth:\n    \
                        password: <redacted>\n    password_file: /p\n  bearer_token: <redacted>\n    \
                        httpHeaderValue1: <redacted>\n";
        assert_eq!(map.text("/data/a.yml"), expected);
        assert_eq!(map.text("/data/token"), REDACTED);
    }

    #[test]
    fn free_text_loses_tokens() {
        let mut log = "get https://a@b:c@host/x Bearer abcdefghijklmnop, Bearer token".to_owned();
        text(&mut log, &mut Counts::new());
        assert_eq!(log, "get https://<redacted>@host/x Bearer <redacted>, Bearer token");
    }
}
