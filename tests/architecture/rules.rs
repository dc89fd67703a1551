//! The rules, each as what it finds in one file. What is allowed where is the table in the parent.

use super::code::{Code, Mention, is_name};

/// A row of the table.
pub struct Room {
    /// Where it is below `src`.
    pub at: &'static str,
    pub rooms: &'static [&'static str],
    pub crates: &'static [&'static str],
    /// Names, or runs of names, that no path may hold.
    pub never: &'static [&'static str],
    /// May be `async`.
    pub waits: bool,
    pub prints: bool,
    /// May call the verbs of an API that write.
    pub writes: bool,
}

pub struct House {
    pub rooms: &'static [Room],
    pub dependencies: Vec<String>,
    pub classes: Vec<String>,
}

const MOST_LINES: usize = 400;
const NO_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc"];
const MARKS: &[&str] = &["TODO", "FIXME", "XXX"];
const LEFT_BEHIND: &[&str] = &["todo", "unimplemented", "dbg"];
const PRINTS: &[&str] = &["print", "println", "eprint", "eprintln"];
const WRITING_VERBS: &[&str] = &[
    "patch",
    "patch_status",
    "patch_metadata",
    "replace_status",
    "delete",
    "delete_collection",
    "evict",
];
/// What may stand before `[` without being indexed.
const KEYWORDS: &[&str] = &[
    "let", "in", "mut", "return", "match", "if", "else", "as", "ref", "move", "break", "dyn",
    "impl", "const", "static", "for", "while", "where", "box", "yield",
];

/// What breaks a rule in `file`, each as one line that starts with the place.
pub fn check(house: &House, file: &str, text: &str, for_tests: bool) -> Vec<String> {
    let code = Code::read(text);
    let mut breaches = habits(file, text, &code);
    let Some(inside) = file.strip_prefix("src/") else { return breaches };
    let module = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    let fits = |room: &&Room| {
        module.strip_prefix(room.at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let Some(room) = house.rooms.iter().filter(fits).max_by_key(|room| room.at.len()) else {
        breaches.push(format!("{file}: no room of the table; give it a row"));
        return breaches;
    };
    let names: Vec<&str> = module.split('/').collect();
    let here: Vec<&str> = match names[0] {
        "lib" | "main" | "bin" => vec!["crate"],
        _ => [&["crate"], &names[..]].concat(),
    };
    for mention in code.mentions(&here) {
        let found = [
            imports(house, room, &names, &mention),
            touches(room, &mention, mention.test || for_tests),
            classes(house, &names, &mention),
        ];
        let what = mention.path.join("::");
        let lines = found
            .into_iter()
            .flatten()
            .map(|why| format!("{file}:{}: {what}: {why}", mention.line));
        breaches.extend(lines);
    }
    breaches
        .extend(words(room, &code).into_iter().map(|(line, why)| format!("{file}:{line}: {why}")));
    if names[0] == "walfile" && !for_tests {
        breaches
            .extend(panics(&code).into_iter().map(|(line, why)| format!("{file}:{line}: {why}")));
    }
    breaches
}

/// What holds for every file, of tests too.
fn habits(file: &str, text: &str, code: &Code) -> Vec<String> {
    let mut breaches = Vec::new();
    let lines = text.lines().count();
    if lines > MOST_LINES {
        breaches
            .push(format!("{file}: {lines} lines, more than {MOST_LINES}; split it by meaning"));
    }
    if let Some(name) = file.trim_end_matches(".rs").split('/').find(|name| NO_NAMES.contains(name))
    {
        breaches.push(format!("{file}: {name:?} says nothing; name it for what it holds"));
    }
    for (line, comment) in &code.comments {
        let mut words = comment.split(|c: char| !c.is_alphanumeric());
        if let Some(mark) = words.find(|word| MARKS.contains(word)) {
            breaches.push(format!("{file}:{line}: {mark} left in the tree"));
        }
    }
    for (at, token) in code.tokens.iter().enumerate() {
        if LEFT_BEHIND.contains(&&*token.text) && code.reads(at + 1, &["!"]) {
            breaches.push(format!("{file}:{}: {}! left in the tree", token.line, token.text));
        }
    }
    breaches
}

fn imports(house: &House, room: &Room, names: &[&str], mention: &Mention) -> Option<String> {
    let allowed = |list: &[&str], name: &str| list == ["*"] || list.contains(&name);
    match mention.path.first()?.as_str() {
        "crate" => match mention.path.get(1).map(String::as_str) {
            None | Some("*") => Some("say which room".to_owned()),
            Some(other) if other == names[0] || allowed(room.rooms, other) => None,
            Some(other) => Some(format!("{} may not import the room {other}", room.at)),
        },
        "thiserror" => None,
        other if !house.dependencies.iter().any(|name| name == other) => None,
        other if allowed(room.crates, other) => None,
        other => Some(format!("{} may not import the crate {other}", room.at)),
    }
}

fn touches(room: &Room, mention: &Mention, test: bool) -> Option<String> {
    let names: Vec<&str> = mention.path.iter().map(String::as_str).collect();
    let holds = |never: &&&str| {
        let never: Vec<&str> = never.split("::").collect();
        let glob = names
            .split_last()
            .is_some_and(|(last, path)| *last == "*" && path == &never[..never.len() - 1]);
        names.windows(never.len()).any(|run| run == never) || (glob && never.len() > 1)
    };
    let never = room
        .never
        .iter()
        .filter(|never| !(test && matches!(**never, "std::fs" | "std::process")))
        .find(holds)?;
    Some(format!("{} must not touch {never}", room.at))
}

/// Only `classes/mod.rs` names a class, and no class sees another, nor the list of all.
fn classes(house: &House, names: &[&str], mention: &Mention) -> Option<String> {
    let path: Vec<&str> = mention.path.iter().map(String::as_str).collect();
    let ["crate", "classes", other, ..] = path[..] else { return None };
    let is_class = house.classes.iter().any(|class| class == other);
    match names {
        // The tests of all classes together look at what they come to.
        ["classes"] | ["classes", "tests", ..] => None,
        ["classes", mine, ..] if *mine == other => None,
        ["classes", ..] if is_class || other == "ALL" || other == "*" => {
            Some("a class knows no other class".to_owned())
        }
        _ if is_class => Some("only classes/mod.rs names a class".to_owned()),
        _ => None,
    }
}

fn words(room: &Room, code: &Code) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, token) in code.tokens.iter().enumerate() {
        let text = &*token.text;
        if !room.waits && (text == "async" || text == "await") {
            found.push((token.line, format!("{} is synchronous", room.at)));
        }
        if !room.prints && !token.test && PRINTS.contains(&text) && code.reads(at + 1, &["!"]) {
            found.push((token.line, format!("{text}! in {}: main prints", room.at)));
        }
        // A quiet room has no API to write to, and may well delete from a list.
        let verb = WRITING_VERBS.contains(&text) && code.reads(at + 1, &["("]);
        if room.waits && !room.writes && verb && at > 0 && code.reads(at - 1, &["."]) {
            found.push((token.line, format!("{} sends no verb that writes: {text}", room.at)));
        }
    }
    found
}

/// What could panic on the bytes of a file.
fn panics(code: &Code) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, token) in code.tokens.iter().enumerate().skip(1).filter(|(_, token)| !token.test) {
        let before = &*code.tokens[at - 1].text;
        let value =
            is_name(before) && !KEYWORDS.contains(&before) || matches!(before, ")" | "]" | "?");
        if token.text == "[" && value {
            found.push((
                token.line,
                "indexing panics on bytes that are not there; use get".to_owned(),
            ));
        }
        if before == "." && ["unwrap", "expect"].contains(&&*token.text) {
            found.push((token.line, format!("{} panics on bytes that are not there", token.text)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in `text`, standing at `file` in the real house.
    fn found(file: &str, text: &str) -> String {
        let house = House {
            rooms: super::super::ROOMS,
            dependencies: ["kube", "tokio", "clap", "serde", "colored", "tar"]
                .map(str::to_owned)
                .to_vec(),
            classes: ["oom", "wal"].map(str::to_owned).to_vec(),
        };
        check(&house, file, text, false).join("\n")
    }

    /// Where it stands, what is written there, what must be said about it.
    const BREACHES: &[(&str, &str, &str)] = &[
        ("src/model/plan.rs", "use kube::Client;", "model may not import the crate kube"),
        ("src/model/plan.rs", "fn f() { clap::f() }", "model may not import the crate clap"),
        ("src/model/plan.rs", "use crate::subject::Subject;", "may not import the room subject"),
        ("src/model/plan.rs", "use std::{fs, io};", "model must not touch std::fs"),
        ("src/model/plan.rs", "use std::*;", "model must not touch std::fs"),
        ("src/model/plan.rs", "use jiff::Timestamp; fn f() { Timestamp::now() }", "Timestamp::now"),
        ("src/model/plan.rs", "use crate as all;", "say which room"),
        ("src/subject/pod.rs", "async fn f() {}", "subject is synchronous"),
        ("src/subject/pod.rs", "use crate::source::Source;", "may not import the room source"),
        ("src/classes/oom/check.rs", "use tokio::time;", "classes may not import the crate tokio"),
        ("src/classes/oom/check.rs", "use super::super::wal;", "a class knows no other class"),
        (
            "src/classes/oom/check.rs",
            "use crate::classes::wal::Wal;",
            "a class knows no other class",
        ),
        ("src/classes/oom/mod.rs", "use super::*;", "a class knows no other class"),
        ("src/classes/oom/mod.rs", "use super::ALL;", "a class knows no other class"),
        ("src/classes/oom/fix.rs", "use crate::effects;", "may not import the room effects"),
        (
            "src/cli.rs",
            "use crate::classes; fn f() { classes::oom::f() }",
            "only classes/mod.rs names",
        ),
        ("src/source/live.rs", "use crate::effects::f;", "may not import the room effects"),
        ("src/source/live.rs", "use clap::Args;", "source may not import the crate clap"),
        ("src/source/live.rs", "use kube::api::PatchParams;", "source must not touch PatchParams"),
        ("src/source/live.rs", "fn f() { pods.delete(name) }", "sends no verb that writes"),
        ("src/effects/cluster.rs", "use crate::render;", "may not import the room render"),
        ("src/effects/cluster.rs", "use clap::Args;", "effects may not import the crate clap"),
        ("src/render/text.rs", "fn f() { println!() }", "println! in render: main prints"),
        (
            "src/render/text.rs",
            "use std::io; fn f() { io::stdout() }",
            "must not touch std::io::stdout",
        ),
        ("src/walfile/frame.rs", "fn f(b: &[u8]) { b[0] }", "indexing panics"),
        ("src/walfile/frame.rs", "fn f() { g()[1..] }", "indexing panics"),
        ("src/walfile/frame.rs", "fn f() { g().unwrap() }", "unwrap panics"),
        ("src/walfile/frame.rs", "use crate::model;", "may not import the room model"),
        ("src/datadir/walk.rs", "use kube::Client;", "datadir may not import the crate kube"),
        ("src/extra/mod.rs", "", "no room of the table"),
        ("src/model/utils.rs", "", "\"utils\" says nothing"),
        ("tests/common/mod.rs", "", "\"common\" says nothing"),
        ("tests/cases.rs", "// TODO: more", "cases.rs:1: TODO left in the tree"),
        ("src/app.rs", "fn f() {\n todo!() }", "app.rs:2: todo! left in the tree"),
        ("tests/cases.rs", "fn f() { dbg!(1) }", "dbg! left in the tree"),
    ];

    #[test]
    fn each_rule_is_seen_to_fail() {
        let long = "\n".repeat(MOST_LINES + 1);
        let long = ("tests/cases.rs", &*long, "401 lines, more than 400");
        for (file, text, says) in BREACHES.iter().chain([&long]) {
            let found = found(file, text);
            assert!(found.contains(says), "{file}: {text}: {found:?} does not say {says:?}");
        }
    }

    #[test]
    fn what_the_plan_allows_passes() {
        for (file, text) in [
            (
                "src/model/plan.rs",
                "use serde::Serialize; use super::code::Code; // no kube::Client here",
            ),
            ("src/model/plan.rs", "#[cfg(test)] mod tests { use super::*; use std::fs; }"),
            ("src/classes/mod.rs", "pub mod oom; pub const ALL: &[&dyn Class] = &[&oom::Oom];"),
            ("src/classes/oom/mod.rs", "mod check; use super::{Class, Given}; use clap::Command;"),
            (
                "src/classes/oom/check.rs",
                "use crate::subject::Subject; use crate::model::{Code, Need};",
            ),
            ("src/classes/oom/check.rs", "fn f(list: &mut Vec<u8>) { list.delete(1) }"),
            ("src/source/connect.rs", "use clap::Args; use kube::Client; async fn f() {}"),
            (
                "src/walfile/frame.rs",
                "#[derive(Debug)] fn f<'a>(b: &'a [u8]) -> [u8; 4] { let [a] = vec![1]; }",
            ),
            ("src/walfile/frame.rs", "#[cfg(test)] mod tests { fn f() { g()[0].unwrap() } }"),
            ("src/main.rs", "use prom_fix::app; fn main() { println!() }"),
            ("tests/cases.rs", "use prom_fix::model; fn f() { kube::f()[0].unwrap() }"),
        ] {
            assert_eq!(found(file, text), "", "{file}: {text}");
        }
    }
}
