//! Cuts one line: prefixes of runtimes, JSON, logfmt. Knows no message of Prometheus.

use serde_json::{Map, Value};

use super::Line;

/// Keys with which a line of any release begins.
const FIRST_KEYS: &[&str] = &["ts=", "time=", "level=", "caller=", "msg=", "err="];

/// One line, whatever its shape.
pub fn line(raw: &str) -> Line {
    let clean = without_escapes(raw);
    if let Some(inner) = docker(&clean) {
        return Line { raw: clean, ..line(inner.trim_end()) };
    }
    if let Some((text, fields)) = json(&clean).or_else(|| logfmt(&clean)) {
        let of = |key: &str| -> String {
            fields.iter().find(|(k, _)| k == key).map_or(String::new(), |(_, v)| v.clone())
        };
        let ts = if of("ts").is_empty() { of("time") } else { of("ts") };
        let level = of("level").to_ascii_lowercase();
        return Line { level, msg: of("msg"), err: of("err"), ts, text, raw: clean, fields };
    }
    let text = without_prefix(&clean).trim_end().to_owned();
    Line { text, raw: clean, ..Line::default() }
}

/// Terminal escapes (CSI, OSC) and other control characters out; a tab becomes a space.
fn without_escapes(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // An OSC ends with BEL or ESC \.
                Some(']') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                Some(_) | None => {}
            },
            '\t' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// The text inside docker's `{"log":"…\n","stream":"stderr","time":"…"}`.
fn docker(text: &str) -> Option<String> {
    if !text.starts_with("{\"log\":") {
        return None;
    }
    let object: Map<String, Value> = serde_json::from_str(text).ok()?;
    object.get("log")?.as_str().map(str::to_owned)
}

type Cut = (String, Vec<(String, String)>);

/// A JSON object with a message or an error, after whatever stands before it.
fn json(text: &str) -> Option<Cut> {
    let own = text.get(text.find("{\"")?..)?.trim_end();
    let object: Map<String, Value> = serde_json::from_str(own).ok()?;
    if !(object.contains_key("msg") || object.contains_key("err")) {
        return None;
    }
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    let fields = object.iter().map(|(key, value)| (key.clone(), plain(value))).collect();
    Some((own.to_owned(), fields))
}

/// `key=value key="value" …` from the first key that a line begins with.
fn logfmt(text: &str) -> Option<Cut> {
    let begins = |at: &usize| {
        let before = text.get(..*at).and_then(|b| b.chars().next_back());
        before.is_none_or(|c| c.is_whitespace() || c == '|')
    };
    let first = FIRST_KEYS
        .iter()
        .filter_map(|key| text.match_indices(key).map(|(at, _)| at).find(begins))
        .min()?;
    let own = text.get(first..)?.trim_end();
    let fields = pairs(own);
    let has = |key: &str| fields.iter().any(|(k, _)| k == key);
    (has("level") && (has("msg") || has("err"))).then(|| (own.to_owned(), fields))
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(end) = rest.find(['=', ' ']) else { return out };
        let (key, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, after) = after.split_at(after.find(' ').unwrap_or(after.len()));
                (value.to_owned(), after)
            }
        };
        out.push((key.to_owned(), value));
        rest = after;
    }
}

/// The text up to the closing quote, escapes undone, and what follows. A line that was cut off
/// ends its last value.
fn unquote(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok();
                    out.push(code.and_then(char::from_u32).unwrap_or('\u{fffd}'));
                }
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    (out, chars.as_str())
}

/// Plain text without what runtimes put before it: times of `--timestamps` and CRI, names of
/// compose and of `--prefix`, the header of journald.
fn without_prefix(text: &str) -> &str {
    let mut rest = text;
    while let Some(shorter) = one_prefix(rest) {
        rest = shorter;
    }
    rest
}

fn one_prefix(text: &str) -> Option<&str> {
    let named = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if let Some((name, rest)) = text.split_once(" | ")
        && named(name.trim_end())
    {
        return Some(rest);
    }
    if let Some((_, rest)) = text.strip_prefix("[pod/").and_then(|t| t.split_once("] ")) {
        return Some(rest);
    }
    if let Some((stamp, rest)) = text.split_once(' ')
        && is_time(stamp)
    {
        let cri = ["stdout F ", "stderr F ", "stdout P ", "stderr P "];
        return Some(cri.iter().find_map(|c| rest.strip_prefix(c)).unwrap_or(rest));
    }
    let (head, rest) = text.split_once("]: ")?;
    let (_, pid) = head.rsplit_once('[')?;
    (!pid.is_empty() && pid.chars().all(|c| c.is_ascii_digit())).then_some(rest)
}

/// `2026-11-22T17:49:58.643Z` and the like.
fn is_time(word: &str) -> bool {
    let (Some(date), Some(rest)) = (word.get(..10), word.get(10..)) else { return false };
    let digits = |c: char| c.is_ascii_digit() || "-:.+Z".contains(c);
    rest.len() >= 9 && rest.starts_with('T') && date.chars().chain(rest.chars().skip(1)).all(digits)
}

/// Seconds of a Go duration (`1m2.5s`, `29.4ms`, `260ns`); of a bare number, which is
/// nanoseconds: so JSON writes one.
pub fn seconds(text: &str) -> Option<f64> {
    if let Ok(nanos) = text.parse::<f64>() {
        return Some(nanos / 1e9);
    }
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| c.is_alphabetic())?);
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let scale = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "µs" | "μs" | "us" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    Some(total)
}
