//! What the plugin asked of the API server, from the server's own audit log: by verb, subresource
//! and dryRun, not by verb alone (a dry run is logged as `patch`, an access review as `create`).

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use serde_json::Value;

/// A place in the audit log from which to read on.
pub struct Mark {
    path: String,
    offset: u64,
}

impl Mark {
    pub fn now() -> Mark {
        let path = std::env::var("PROM_FIX_AUDIT_LOG").expect("tests/cluster/env names it");
        let offset = std::fs::metadata(&path).map_or(0, |m| m.len());
        Mark { path, offset }
    }

    /// Requests of the plugin about a namespace (or about none) since then, by rung.
    pub fn rungs(&self, ns: &str) -> BTreeMap<Rung, Vec<String>> {
        let mut out: BTreeMap<Rung, Vec<String>> = BTreeMap::new();
        for event in self.events() {
            let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("");
            let of = text("/objectRef/namespace");
            let ours = text("/userAgent").starts_with("kubectl-prom_fix");
            if !ours || text("/stage") != "ResponseComplete" || !(of == ns || of.is_empty()) {
                continue;
            }
            // The server says what a thing that is created is called.
            let uri = text("/requestURI");
            let (path, question) = uri.split_once('?').unwrap_or((uri, ""));
            let made = match (text("/verb"), text("/objectRef/name")) {
                ("create", name) if !name.is_empty() && !path.contains(name) => format!("/{name}"),
                _ => String::new(),
            };
            let line = format!("{} {path}{made}?{question}", text("/verb"));
            out.entry(rung(&event)).or_default().push(line);
        }
        out
    }

    /// The same, where one of them is due: the log of a busy server comes late.
    pub fn rungs_with(&self, ns: &str, due: Rung) -> BTreeMap<Rung, Vec<String>> {
        let began = std::time::Instant::now();
        loop {
            let rungs = self.rungs(ns);
            if rungs.contains_key(&due) || began.elapsed().as_secs() > 20 {
                return rungs;
            }
        }
    }

    /// Whoever was not given `--inspect` or `--apply` reads, and nothing else.
    #[track_caller]
    pub fn only_reads(&self, ns: &str) {
        let rungs = self.rungs(ns);
        assert!(rungs.contains_key(&Rung::Read), "its requests are seen in the audit log");
        assert!(rungs.keys().all(|rung| *rung == Rung::Read), "{rungs:#?}");
    }

    /// A look inside makes and removes a helper, what it runs, and its receipt; it writes nothing else.
    #[track_caller]
    pub fn only_our_own(&self, ns: &str) {
        let rungs = self.rungs(ns);
        assert!(rungs.keys().all(|r| matches!(r, Rung::Read | Rung::Write)), "{rungs:#?}");
        let written = rungs.get(&Rung::Write).expect("a helper was made");
        for line in written {
            let object = line.split('?').next().unwrap_or("");
            assert!(object.contains("/prom-fix-"), "{line}");
        }
    }

    fn events(&self) -> Vec<Value> {
        // The server writes its log through a buffer of its own; what is asked last comes late.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let mut file = std::fs::File::open(&self.path).expect("the audit log is readable");
        let end = file.metadata().map_or(0, |m| m.len());
        let from = if end < self.offset { 0 } else { self.offset };
        file.seek(SeekFrom::Start(from)).expect("a plain file");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("the log is text");
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// The rungs of the consent ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// get, list, watch, pod proxy GET, self access reviews.
    Read,
    /// A write with dryRun=All.
    Rehearsal,
    /// exec, port-forward.
    Inside,
    Write,
}

fn rung(event: &Value) -> Rung {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    let subresource = text("/objectRef/subresource");
    if matches!(subresource, "exec" | "attach" | "portforward") {
        return Rung::Inside;
    }
    let review = matches!(
        text("/objectRef/resource"),
        "selfsubjectaccessreviews" | "selfsubjectrulesreviews"
    );
    let dry = text("/requestURI").contains("dryRun=All")
        || event.pointer("/requestObject/dryRun/0").and_then(Value::as_str) == Some("All");
    match text("/verb") {
        "get" | "list" | "watch" => Rung::Read,
        "create" if review => Rung::Read,
        _ if dry => Rung::Rehearsal,
        _ => Rung::Write,
    }
}
