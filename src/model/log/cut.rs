//! Cuts one line: prefixes of runtimes, JSON, logfmt. Knows no message of Prometheus.

use serde_json::{Map, Value};

use super::Line;

/// Keys with which a line of any release begins.
const FIRST_KEYS: &[&str] = &["ts=", "time=", "level=", "caller=", "msg=", "err="];

/// A part of a line's buffer, from and to.
pub type Span = (u32, u32);

type Fields = Vec<(Span, Span)>;

fn span(from: usize, length: usize) -> Span {
    let of = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (of(from), of(from + length))
}

/// The text of a part.
pub fn part(own: &str, (from, to): Span) -> &str {
    own.get(from as usize..to as usize).unwrap_or("")
}

fn find<'a>(own: &'a str, fields: &Fields, key: &str) -> Option<&'a str> {
    fields.iter().find(|(name, _)| part(own, *name) == key).map(|(_, value)| part(own, *value))
}

/// Puts text behind what a buffer holds.
fn add(own: &mut String, text: &str) -> Span {
    own.push_str(text);
    span(own.len() - text.len(), text.len())
}

/// One line, whatever its shape.
pub fn line(raw: &str) -> Line {
    let mut own = without_escapes(raw);
    let length = own.len();
    if let Some(inner) = docker(&own) {
        let cut = line(inner.trim_end());
        let mut both = String::from(cut.own);
        let raw = add(&mut both, &own);
        return Line { own: both.into(), raw, ..cut };
    }
    let (text, fields) = json(&mut own).or_else(|| logfmt(&mut own)).unwrap_or_else(|| {
        let text = without_prefix(&own);
        (span(length - text.len(), text.trim_end().len()), Vec::new())
    });
    let level = find(&own, &fields, "level").unwrap_or("").to_ascii_lowercase();
    let level = add(&mut own, &level);
    Line { raw: span(0, length), text, level, fields: fields.into(), own: own.into() }
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

type Cut = (Span, Fields);

/// A JSON object with a message or an error, after whatever stands before it.
fn json(own: &mut String) -> Option<Cut> {
    let begin = own.find("{\"")?;
    let text = own.get(begin..)?.trim_end();
    let length = text.len();
    let object: Map<String, Value> = serde_json::from_str(text).ok()?;
    if !(object.contains_key("msg") || object.contains_key("err")) {
        return None;
    }
    let mut put = |(key, value): (String, Value)| {
        let key = add(own, &key);
        let value = match value {
            Value::String(text) => add(own, &text),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => add(own, &value.to_string()),
        };
        (key, value)
    };
    let fields = object.into_iter().map(&mut put).collect();
    Some((span(begin, length), fields))
}

/// `key=value key="value" …` from the first key that a line begins with.
fn logfmt(own: &mut String) -> Option<Cut> {
    let begins = |at: &usize| {
        let before = own.get(..*at).and_then(|b| b.chars().next_back());
        before.is_none_or(|c| c.is_whitespace() || c == '|')
    };
    let first = FIRST_KEYS
        .iter()
        .filter_map(|key| own.match_indices(key).map(|(at, _)| at).find(begins))
        .min()?;
    let text = own.get(first..)?.trim_end();
    let length = text.len();
    let mut undone = String::new();
    let fields = pairs(text, first, own.len(), &mut undone);
    let has = |key: &str| fields.iter().any(|(name, _)| part(own, *name) == key);
    if !(has("level") && (has("msg") || has("err"))) {
        return None;
    }
    own.push_str(&undone);
    Some((span(first, length), fields))
}

/// The pairs of a text that begins at `base` of a buffer. Values whose escapes had to be undone go
/// to `undone`, which will stand at `behind`.
fn pairs(text: &str, base: usize, behind: usize, undone: &mut String) -> Fields {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = |rest: &str| base + text.len() - rest.len();
        let Some(end) = rest.find(['=', ' ']) else { return out };
        let (word, after) = rest.split_at(end);
        let key = span(at(rest), word.len());
        let Some(after) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let quoted = after.strip_prefix('"').unwrap_or(after);
        let plain = match quoted.len() == after.len() {
            true => Some((after.find(' ').unwrap_or(after.len()), 0)),
            // A line that was cut off ends its last value.
            false => match quoted.find(['"', '\\']) {
                None => Some((quoted.len(), 0)),
                Some(end) => {
                    quoted.get(end..).is_some_and(|q| q.starts_with('"')).then_some((end, 1))
                }
            },
        };
        let value = match plain {
            Some((end, quote)) => {
                rest = quoted.get(end + quote..).unwrap_or("");
                span(at(quoted), end)
            }
            None => {
                let before = undone.len();
                rest = unquote(quoted, undone);
                span(behind + before, undone.len() - before)
            }
        };
        out.push((key, value));
    }
}

/// Puts the text up to the closing quote into `out`, escapes undone; returns what follows.
fn unquote<'a>(text: &'a str, out: &mut String) -> &'a str {
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
    chars.as_str()
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
