//! A page of lines: wraps words with the indent kept, leaves commands whole. Knows no report.

use super::shell::Command;
use super::style::{Role, Style};

/// Holds two words on one line; shown as a space.
pub(super) const GLUE: char = '\u{a0}';

/// No page is narrower, whatever the terminal says.
const NARROWEST: usize = 40;

pub(super) struct Page<'a> {
    out: String,
    style: &'a Style,
}

impl<'a> Page<'a> {
    pub fn new(style: &'a Style) -> Self {
        Page { out: String::new(), style }
    }

    pub fn width(&self) -> usize {
        self.style.width.max(NARROWEST)
    }

    pub fn finish(self) -> String {
        self.out
    }

    /// One empty line between blocks, none at the top.
    pub fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// `lead`, then `text` wrapped at words; further lines start at `indent`.
    pub fn flow(&mut self, lead: &str, role: Role, indent: usize, text: &str) {
        let lines = wrap(text, lead.chars().count(), indent, self.width());
        let mut lines = lines.iter();
        let first = lines.next().map_or("", String::as_str);
        let start = self.style.dress(role, lead);
        // A word too long for the room beside an empty lead begins on the next line at once.
        if !(lead.trim().is_empty() && first.is_empty() && lines.len() > 0) {
            self.out.push_str(format!("{start}{first}").trim_end());
            self.out.push('\n');
        }
        for line in lines {
            self.out.push_str(format!("{:indent$}{line}", "").trim_end());
            self.out.push('\n');
        }
    }

    pub fn line(&mut self, text: &str) {
        self.flow("", Role::Plain, 0, text);
    }

    pub fn command(&mut self, command: &Command) {
        let width = self.width();
        self.out.push_str(&command.lines(width));
    }

    /// A command that came as text, as it stands.
    pub fn command_text(&mut self, text: &str) {
        self.out.push_str(&format!("  {text}\n"));
    }
}

/// Lines of `text`, the first of which starts at column `first`, the others at `indent`.
pub(super) fn wrap(text: &str, first: usize, indent: usize, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut start = first;
    for part in text.split('\n') {
        wrap_line(part, start, indent, width, &mut lines);
        start = indent;
    }
    lines.iter().map(|line: &String| line.replace(GLUE, " ")).collect()
}

fn wrap_line(text: &str, first: usize, indent: usize, width: usize, lines: &mut Vec<String>) {
    let room = width.saturating_sub(indent).max(8);
    let mut line = String::new();
    let mut left = width.saturating_sub(first);
    let mut gap = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if length == 0 {
            gap += 1;
            continue;
        }
        if gap + length <= left {
            line.push_str(&" ".repeat(gap));
            line.push_str(word);
            left -= gap + length;
        } else {
            // The first line may hold nothing but its lead.
            if !line.is_empty() || first != indent || !lines.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line = break_word(word, room, lines);
            left = room.saturating_sub(line.chars().count());
        }
        gap = 1;
    }
    lines.push(line);
}

/// Pushes full lines of a word that is longer than a line; returns what is left of it.
fn break_word(word: &str, room: usize, lines: &mut Vec<String>) -> String {
    let mut rest: Vec<char> = word.chars().collect();
    while rest.len() > room {
        let seam = rest.iter().take(room).rposition(|c| matches!(c, '.' | '/' | ',' | '-'));
        let at = seam.map(|at| at + 1).filter(|at| *at > room / 2).unwrap_or(room);
        let tail = rest.split_off(at);
        lines.push(rest.into_iter().collect());
        rest = tail;
    }
    rest.into_iter().collect()
}
