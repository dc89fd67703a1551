//! Makes text of others safe to show, and times readable.

use std::iter::Peekable;
use std::str::Chars;

use jiff::Timestamp;

use crate::marks::is_invisible;

const ESC: char = '\u{1b}';
const BEL: char = '\u{7}';

/// Text of others without what a terminal would obey: escape sequences and invisible marks are
/// taken out, line breaks and tabs become a space, other control characters `\u{fffd}`.
pub fn clean(untrusted: &str) -> String {
    let mut out = String::with_capacity(untrusted.len());
    let mut rest = untrusted.chars().peekable();
    while let Some(one) = rest.next() {
        match one {
            ESC => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\n' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push(' '),
            // Before a line feed it is the line's end; elsewhere it would overwrite the line.
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => out.push(' '),
            _ if is_invisible(one) => {}
            _ if one.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(one),
        }
    }
    out
}

fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(rest),
        // Two-character sequences, such as a reset.
        Some(one) if one.is_ascii_graphic() => {
            rest.next();
        }
        Some(_) | None => {}
    }
}

/// Parameters and intermediates, then one final character.
fn skip_control_sequence(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
    rest.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
}

/// A string up to its terminator. One without an end hides nothing: only its opening goes.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    ahead.next();
    while let Some(one) = ahead.next() {
        let ended = one == BEL
            || one == '\u{9c}'
            || (one == ESC && ahead.next_if(|next| *next == '\\').is_some());
        if ended {
            *rest = ahead;
            return;
        }
    }
    rest.next();
}

/// At most `most` characters, with an ellipsis where something was cut.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// `3 min ago`; `in 3 min` for what lies ahead.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second());
    let span = span(seconds.unsigned_abs());
    match seconds {
        0 => "just now".to_owned(),
        1.. => format!("{span} ago"),
        _ => format!("in {span}"),
    }
}

/// `40 s`, `12 min`, `5 h`, `3 days`.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A time as a receipt wrote it, absolute and relative; as it stands where it is none.
pub(super) fn when(written: &str, now: Timestamp) -> String {
    match written.parse::<Timestamp>() {
        Ok(at) => format!("{} ({})", at.strftime("%Y-%m-%d %H:%M:%SZ"), ago(at, now)),
        Err(_) => clean(written),
    }
}
