//! Holds the house to its plan: the table of rooms below, and the habits in `rules`. A rule that
//! hurts is changed here, in one commit; the code does not go around it.

mod code;
mod rules;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use code::Code;
use rules::{House, Room};

/// Crates and rooms of those that may use all.
const ANY: &[&str] = &["*"];
/// What a room that only decides must not touch.
const WORLD: &[&str] = &[
    "std::fs",
    // An address is a value.
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::process",
    "std::env",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
];
/// What only `effects` needs of kube.
const WRITES: &[&str] = &[
    "PatchParams",
    "DeleteParams",
    "EvictParams",
    "Method::POST",
    "Method::PUT",
    "Method::PATCH",
    "Method::DELETE",
];
const QUIET: Room = Room {
    at: "",
    rooms: &[],
    crates: &[],
    never: WORLD,
    waits: false,
    prints: false,
    writes: false,
};
const BUSY: Room = Room { waits: true, writes: true, never: &[], ..QUIET };

/// Who may import what. The longest `at` that fits a file is its row. `std`, `thiserror` and the
/// room itself are free; a dependency that no row names is for `main`, `cli` and `app` only.
const ROOMS: &[Room] = &[
    Room { at: "walfile", crates: &["serde", "crc32c", "snap", "ruzstd", "zstd"], ..QUIET },
    Room {
        at: "datadir",
        rooms: &["walfile"],
        crates: &["rustix", "serde", "serde_json", "crc32c"],
        never: &["std::net", "std::process", "std::env"],
        ..QUIET
    },
    Room {
        at: "model",
        rooms: &["walfile"],
        crates: &["serde", "serde_json", "json_patch", "sha2", "jiff", "k8s_openapi"],
        ..QUIET
    },
    // YAML: a ConfigMap may hold a manifest as text, and what to commit is YAML.
    Room {
        at: "subject",
        rooms: &["model"],
        crates: &["serde", "serde_json", "serde_saphyr", "jiff", "ipnet"],
        ..QUIET
    },
    Room {
        at: "classes",
        rooms: &["model", "subject", "walfile"],
        crates: &["clap", "serde", "serde_json", "jiff"],
        ..QUIET
    },
    Room { at: "source", crates: SOURCE, ..SOURCE_ROOM },
    Room { at: "source/connect", crates: CONNECT, ..SOURCE_ROOM },
    Room { at: "source/outage", crates: OUTAGE, ..SOURCE_ROOM },
    // An access review is a POST that stores nothing.
    Room { at: "source/fetch", crates: SOURCE, never: &[], ..SOURCE_ROOM },
    Room {
        at: "carried",
        rooms: &["model"],
        crates: &["flate2", "k8s_openapi", "serde_json", "sha2"],
        never: &["std::net", "std::process"],
        ..QUIET
    },
    Room {
        at: "effects",
        rooms: &["carried", "model"],
        crates: &[
            "kube",
            "tokio",
            "k8s_openapi",
            "http",
            "serde",
            "serde_json",
            "json_patch",
            "jiff",
            "sha2",
            "indicatif",
            "futures",
            // Its tests' API server.
            "tower",
        ],
        ..BUSY
    },
    Room {
        at: "render",
        // What a helper pod saw is told in the lines in which the agent tells it.
        rooms: &["agent", "marks", "model"],
        crates: &["colored", "similar", "serde", "serde_json", "serde_saphyr", "jiff"],
        ..QUIET
    },
    Room { at: "dial", crates: &["rustix"], never: &["std::fs", "std::process"], ..QUIET },
    Room { at: "exit", ..QUIET },
    Room { at: "marks", ..QUIET },
    Room { at: "app", rooms: ANY, crates: ANY, ..BUSY },
    Room { at: "cli", rooms: ANY, crates: ANY, ..BUSY },
    Room { at: "main", rooms: ANY, crates: ANY, prints: true, ..BUSY },
    Room { at: "lib", ..QUIET },
    Room {
        at: "agent",
        rooms: &["datadir", "dial", "marks", "walfile"],
        crates: &["serde", "serde_json"],
        ..QUIET
    },
    Room { at: "bin", rooms: &["agent"], prints: true, never: &["std::net", "std::fs"], ..QUIET },
];
const SOURCE_ROOM: Room =
    Room { rooms: &["model", "datadir"], never: WRITES, writes: false, ..BUSY };
#[rustfmt::skip]
const SOURCE: &[&str] = &[
    "kube", "tokio", "k8s_openapi", "http", "serde", "serde_json", "serde_saphyr", "jiff", "flate2",
    "tar", "futures", "sha2", "http_body_util",
];
/// Stands between a client and its requests.
const OUTAGE: &[&str] = &["kube", "tokio", "http", "tower"];
/// Also the options that say which cluster.
#[rustfmt::skip]
const CONNECT: &[&str] = &["kube", "tokio", "k8s_openapi", "http", "serde", "serde_json", "jiff", "clap"];

#[test]
fn every_file_keeps_to_its_room() {
    let (house, files) = (house(), files());
    let reached = reached(&files);
    let mut breaches = Vec::new();
    for (file, text) in &files {
        let for_tests = reached.contains(&(file.clone(), true));
        breaches.extend(rules::check(&house, file, text, for_tests));
    }
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn every_file_is_reached_by_a_mod() {
    let files = files();
    let reached: BTreeSet<String> = reached(&files).into_iter().map(|(file, _)| file).collect();
    let orphans: Vec<&String> =
        files.iter().map(|(file, _)| file).filter(|file| !reached.contains(*file)).collect();
    assert!(orphans.is_empty(), "no mod line leads to {orphans:?}");
}

#[test]
fn a_file_is_reached_only_by_a_mod() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let files = [
        file("src/lib.rs", "pub mod model; #[cfg(test)] mod tests; // mod lost;"),
        file("src/model/mod.rs", "mod plan;"),
        file("src/model/plan.rs", "mod step;"),
        file("src/model/plan/step.rs", ""),
        file("src/model/lost.rs", ""),
        file("src/lost.rs", ""),
        file("src/tests.rs", ""),
    ];
    let reached = reached(&files);
    let names: Vec<(&str, bool)> = reached.iter().map(|(file, test)| (&**file, *test)).collect();
    let expected = [
        ("src/lib.rs", false),
        ("src/model/mod.rs", false),
        ("src/model/plan.rs", false),
        ("src/model/plan/step.rs", false),
        ("src/tests.rs", true),
    ];
    assert_eq!(names, expected);
}

/// The files that `mod` lines lead to, and whether only tests see them.
fn reached(files: &[(String, String)]) -> BTreeSet<(String, bool)> {
    let is_root = |file: &&(String, String)| {
        let path = Path::new(&file.0);
        ["src/lib.rs", "src/main.rs"].contains(&&*file.0)
            || path.starts_with("tests") && path.ends_with("main.rs")
            || path.parent() == Some(Path::new("src/bin"))
    };
    let mut found = BTreeSet::new();
    let mut open: Vec<(String, bool)> =
        files.iter().filter(is_root).map(|(file, _)| (file.clone(), false)).collect();
    while let Some((file, for_tests)) = open.pop() {
        let Some((_, text)) = files.iter().find(|(name, _)| *name == file) else { continue };
        let (folder, name) = file.rsplit_once('/').unwrap();
        let folder = match name {
            "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
            _ => file.trim_end_matches(".rs").to_owned(),
        };
        for (module, test) in Code::read(text).modules {
            let test = test || for_tests;
            open.push((format!("{folder}/{module}.rs"), test));
            open.push((format!("{folder}/{module}/mod.rs"), test));
        }
        found.insert((file, for_tests));
    }
    found
}

/// Every Rust file of `src` and `tests`, in order.
fn files() -> Vec<(String, String)> {
    fn walk(folder: &str, into: &mut Vec<(String, String)>) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&path, into);
            } else if path.ends_with(".rs") {
                into.push((path, fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    let mut files = Vec::new();
    walk("src", &mut files);
    walk("tests", &mut files);
    files.sort();
    assert!(files.len() > 10, "the walk found next to nothing: {files:?}");
    files
}

fn house() -> House {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let dependencies: Vec<String> = section
        .lines()
        .filter_map(|line| line.split_once([' ', '=', '.']))
        .map(|(name, _)| name.replace('-', "_"))
        .filter(|name| !name.starts_with('#'))
        .collect();
    assert!(dependencies.contains(&"kube".to_owned()), "{dependencies:?}");
    let classes = fs::read_dir(root.join("src/classes"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    House { rooms: ROOMS, dependencies, classes }
}
