//! Commands to paste into a POSIX shell. Words only, never a shell string of others.

use crate::marks::is_invisible;
use crate::model::ObjectRef;
use crate::model::report::Context;

/// The words of a command, each quoted where a POSIX shell needs it.
pub fn shell_quote(argv: &[String]) -> String {
    argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut out = String::from("'");
    for one in word.chars() {
        match one {
            '\'' => out.push_str("'\\''"),
            '\n' => out.push('\n'),
            // A terminal would obey it when the command is shown: the shell makes it instead.
            _ if one.is_control() || is_invisible(one) => {
                let mut bytes = [0; 4];
                out.push_str("'\"$(printf '");
                for byte in one.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&format!("\\{byte:03o}"));
                }
                out.push_str("')\"'");
            }
            _ => out.push(one),
        }
    }
    out.push('\'');
    out
}

/// A command in pieces that stay on one line: a flag and its value, a program and its verb.
#[derive(Clone, Debug, Default)]
pub(super) struct Command(Vec<String>);

impl Command {
    /// Starts with words that stay together.
    pub fn new(words: &[&str]) -> Self {
        Command::default().piece(words)
    }

    /// Adds words that stay together.
    pub fn piece(mut self, words: &[&str]) -> Self {
        if !words.is_empty() {
            self.0.push(words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "));
        }
        self
    }

    /// Adds words, a flag kept with its value.
    pub fn words(mut self, words: &[String]) -> Self {
        let mut rest = words.iter().map(String::as_str).peekable();
        while let Some(word) = rest.next() {
            let value = rest.next_if(|next| word.starts_with('-') && !next.starts_with('-'));
            self = match value {
                Some(value) => self.piece(&[word, value]),
                None => self.piece(&[word]),
            };
        }
        self
    }

    /// Adds the namespace of an object that has one, and the flags that reach the same cluster.
    pub fn place(self, object: &ObjectRef, context: &Context) -> Self {
        let within =
            if object.namespace.is_empty() { self } else { self.piece(&["-n", &object.namespace]) };
        // kubectl itself reads no bundle: where the cluster is, its own context is current.
        let kubectls = !within.whole().starts_with("kubectl prom-fix");
        if context.bundle && kubectls { within } else { within.words(&context.flags) }
    }

    /// On one line.
    pub fn whole(&self) -> String {
        self.0.join(" ")
    }

    /// Two columns in; longer than `width`, it goes on after a backslash, four columns in.
    pub fn lines(&self, width: usize) -> String {
        let mut out = String::new();
        let mut line = String::from(" ");
        let count = self.0.len();
        for (place, piece) in self.0.iter().enumerate() {
            let tail = if place + 1 == count { 0 } else { 2 };
            let long = line.chars().count() + 1 + piece.chars().count() + tail > width;
            if long && place > 0 {
                out.push_str(&line);
                out.push_str(" \\\n");
                line = "   ".to_owned();
            }
            line.push(' ');
            line.push_str(piece);
        }
        out.push_str(&line);
        out.push('\n');
        out
    }
}
