//! Just enough of Rust to say which paths a file mentions: tokens without comments and strings,
//! the module and the `#[cfg(test)]` a token stands in, and `use` trees taken apart. Knows no rule.

use std::collections::BTreeMap;

#[derive(Debug)]
pub struct Token {
    pub text: String,
    pub line: usize,
    /// Below a `#[cfg(test)]`.
    pub test: bool,
    /// The inline modules around it.
    inside: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Code {
    pub tokens: Vec<Token>,
    /// Line and text of each comment.
    pub comments: Vec<(usize, String)>,
    /// `mod name;`, and whether it is for tests only.
    pub modules: Vec<(String, bool)>,
}

/// A path as the file means it: from `crate`, or from the name of another crate. A glob ends in `*`.
#[derive(Debug, PartialEq)]
pub struct Mention {
    pub path: Vec<String>,
    pub line: usize,
    pub test: bool,
}

impl Code {
    pub fn read(text: &str) -> Code {
        let mut code = Code::default();
        let all: Vec<char> = text.chars().collect();
        let (mut at, mut line) = (0, 1);
        while at < all.len() {
            let rest = &all[at..];
            let (length, token) = match rest {
                ['/', '/', ..] => {
                    (rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()), None)
                }
                ['/', '*', ..] => (block_comment(rest), None),
                [c, ..] if c.is_whitespace() => (1, None),
                ['\'', ..] => quote(rest),
                [':', ':', ..] => (2, Some("::".to_owned())),
                _ => string(rest)
                    .map_or_else(|| word(rest), |length| (length, Some("\"\"".to_owned()))),
            };
            let taken: String = rest[..length].iter().collect();
            if taken.starts_with("//") || taken.starts_with("/*") {
                code.comments
                    .extend(taken.lines().zip(line..).map(|(text, line)| (line, text.to_owned())));
            }
            if let Some(text) = token {
                code.tokens.push(Token { text, line, test: false, inside: Vec::new() });
            }
            line += taken.matches('\n').count();
            at += length;
        }
        code.scope();
        code
    }

    /// Whether the tokens from `at` on read like this.
    pub fn reads(&self, at: usize, like: &[&str]) -> bool {
        self.tokens.get(at..at + like.len()).is_some_and(|t| t.iter().map(|t| &t.text).eq(like))
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// Marks each token with the inline modules and the `#[cfg(test)]` around it.
    fn scope(&mut self) {
        // Of each open brace: its module if it opens one, and whether it is for tests.
        let mut open: Vec<(Option<String>, bool)> = Vec::new();
        let (mut depth, mut for_tests) = (0, false);
        for at in 0..self.tokens.len() {
            for_tests |= self.reads(at, &["#", "[", "cfg", "(", "test", ")", "]"]);
            let test = for_tests || open.last().is_some_and(|scope| scope.1);
            let named = at >= 2 && self.text(at - 2) == "mod";
            match self.text(at) {
                "(" | "[" => depth += 1,
                ")" | "]" => depth -= 1,
                "{" => {
                    open.push((named.then(|| self.text(at - 1).to_owned()), test));
                    for_tests = false;
                }
                "}" => drop(open.pop()),
                ";" if depth == 0 => {
                    if named {
                        self.modules.push((self.text(at - 1).to_owned(), test));
                    }
                    for_tests = false;
                }
                _ => {}
            }
            self.tokens[at].test = test;
            self.tokens[at].inside = open.iter().filter_map(|scope| scope.0.clone()).collect();
        }
    }

    /// Every path of more than one name, and every `use`. `here` is the module the file is.
    pub fn mentions(&self, here: &[&str]) -> Vec<Mention> {
        let mut found = Vec::new();
        // What a first name stands for: a module of this file, or what a `use` bound it to.
        let mut bound: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, _) in &self.modules {
            bound.insert(name.clone(), [own(here), vec![name.clone()]].concat());
        }
        let mut at = 0;
        while at < self.tokens.len() {
            let start = at;
            let mut paths = Vec::new();
            if self.reads(at, &["use"]) && self.text(at + 1) != "<" {
                at = self.tree(at + 1, Vec::new(), &mut paths);
            } else if self.reads(at, &["extern", "crate"]) {
                paths.push((vec![self.text(at + 2).to_owned()], None));
                at += 3;
            } else if is_name(self.text(at)) && self.text(at + 1) == "::" {
                let mut path = vec![self.text(at).to_owned()];
                while self.text(at + 1) == "::" && is_name(self.text(at + 2)) {
                    path.push(self.text(at + 2).to_owned());
                    at += 2;
                }
                paths.push((path, None));
                at += 1;
            } else {
                at += 1;
            }
            let Token { line, test, inside, .. } = &self.tokens[start];
            let module: Vec<&str> =
                here.iter().copied().chain(inside.iter().map(|m| &**m)).collect();
            for (path, alias) in paths {
                let path = resolve(&path, &module, &bound);
                if let Some(name) = alias {
                    bound.insert(name, path.clone());
                }
                found.push(Mention { path, line: *line, test: *test });
            }
        }
        found
    }

    /// Reads a `use` tree; gives where it ends, and adds its paths with the names they get.
    fn tree(
        &self,
        mut at: usize,
        mut path: Vec<String>,
        into: &mut Vec<(Vec<String>, Option<String>)>,
    ) -> usize {
        loop {
            match self.text(at) {
                "{" => {
                    while !matches!(self.text(at), "}" | "") {
                        at += 1;
                        if !matches!(self.text(at), "}" | "," | "") {
                            at = self.tree(at, path.clone(), into);
                        }
                    }
                    return at + 1;
                }
                "::" => at += 1,
                "as" => {
                    into.push((path, Some(self.text(at + 1).to_owned())));
                    return at + 2;
                }
                name if is_name(name) || name == "*" => {
                    path.push(name.to_owned());
                    at += 1;
                }
                _ => {
                    // `a::{self}` means `a`.
                    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                        path.pop();
                    }
                    let name = path.last().cloned();
                    into.push((path, name));
                    return at;
                }
            }
        }
    }
}

/// A path as written, from the crate's root or another crate's.
fn resolve(path: &[String], module: &[&str], bound: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let Some(first) = path.first() else { return Vec::new() };
    let ups = path.iter().take_while(|name| *name == "super" || *name == "self").count();
    if ups > 0 {
        let up = path[..ups].iter().filter(|name| *name == "super").count();
        [&own(&module[..module.len().saturating_sub(up)]), &path[ups..]].concat()
    } else if first == "crate" || first == "prom_fix" {
        [&own(&["crate"]), &path[1..]].concat()
    } else if let Some(known) = bound.get(first) {
        [known, &path[1..]].concat()
    } else {
        path.to_vec()
    }
}

fn own(path: &[&str]) -> Vec<String> {
    path.iter().map(|name| (*name).to_owned()).collect()
}

pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// An identifier, a number, or one sign.
fn word(rest: &[char]) -> (usize, Option<String>) {
    let skip = if matches!(rest, ['r', '#', c, ..] if c.is_alphabetic()) { 2 } else { 0 };
    let length =
        rest[skip..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count().max(1);
    (skip + length, Some(rest[skip..skip + length].iter().collect()))
}

/// A character, which is dropped like a string, or a lifetime.
fn quote(rest: &[char]) -> (usize, Option<String>) {
    match rest {
        [_, '\\', _, more @ ..] => (
            4 + more.iter().position(|c| *c == '\'').unwrap_or(more.len() - 1),
            Some("\"\"".to_owned()),
        ),
        [_, _, '\'', ..] => (3, Some("\"\"".to_owned())),
        _ => {
            let length =
                1 + rest[1..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
            (length, Some(rest[..length].iter().collect()))
        }
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (at, depth) = (at + 2, depth + 1),
            ['*', '/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of the string literal that starts here: plain, byte, C or raw.
fn string(rest: &[char]) -> Option<usize> {
    let prefix = rest.iter().take_while(|c| matches!(c, 'b' | 'c' | 'r')).count();
    let raw = rest[..prefix].contains(&'r');
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    if prefix > 2 || (hashes > 0 && !raw) || rest.get(prefix + hashes) != Some(&'"') {
        return None;
    }
    let mut at = prefix + hashes + 1;
    while at < rest.len() {
        match rest[at] {
            '\\' if !raw => at += 1,
            '"' if rest[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes => {
                return Some(at + 1 + hashes);
            }
            _ => {}
        }
        at += 1;
    }
    Some(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let found = Code::read(text).mentions(&["crate", "classes", "oom", "check"]);
        found.into_iter().map(|mention| mention.path.join("::")).collect()
    }

    #[test]
    fn comments_strings_and_characters_are_no_code() {
        let text = r##"
            // kube::a
            /* kube::b /* kube::c */ kube::d */
            let _ = ("kube::e \" kube::f", r#"kube::g " kube::h"#, b"kube::i", '"', '\'', "k");
            fn f<'a>(x: &'a str) { tokio::j() }
        "##;
        assert_eq!(paths(text), ["tokio::j"]);
        let comments = Code::read("1;\n/* a\nb */ // c").comments;
        assert_eq!(comments, [(2, "/* a".into()), (3, "b */".into()), (3, "// c".into())]);
    }

    #[test]
    fn use_trees_are_taken_apart() {
        let text = "use crate::{model::{self, Code}, subject::*}; pub use kube as k; use r#tar;";
        let expected = ["crate::model", "crate::model::Code", "crate::subject::*", "kube", "tar"];
        assert_eq!(paths(text), expected);
    }

    #[test]
    fn paths_are_resolved_from_where_they_stand() {
        assert_eq!(paths("fn f() { super::super::wal::g() }"), ["crate::classes::wal::g"]);
        assert_eq!(paths("mod t { use super::x; }"), ["crate::classes::oom::check::x"]);
        assert_eq!(paths("mod part; use part::X;"), ["crate::classes::oom::check::part::X"]);
        assert_eq!(paths("use kube as k; fn f() { k::g() }"), ["kube", "kube::g"]);
        assert_eq!(paths("use prom_fix::model; model::f();"), ["crate::model", "crate::model::f"]);
    }

    #[test]
    fn what_is_for_tests_is_known() {
        let code = Code::read(
            "#[cfg(test)] mod away; mod here; #[cfg(test)] mod t { fn f(_: [u8; 2]) { a::b } } fn g() { c::d }",
        );
        assert_eq!(code.modules, [("away".to_owned(), true), ("here".to_owned(), false)]);
        let found: Vec<bool> =
            code.mentions(&["crate"]).iter().map(|mention| mention.test).collect();
        assert_eq!(found, [true, false]);
    }
}
