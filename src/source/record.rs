//! Keeps all that was read and writes it as a bundle, so that someone without the cluster sees
//! the same facts. The only files that this room writes, and only where none stands yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::World;
use super::bundle::{Bundle, Contents, Denied, Recorded, RecordedContext, http_name, loopback};
pub use super::commands::record_commands;
use super::failure::ConnectError;
use super::key;
use super::live::Live;
use super::pack::shown;
use super::redact::{self, Counts};
use crate::model::fact::{Fact, Need, Seen};
use crate::model::object::Kind;
use crate::model::report::Context;

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("{path} exists; name a path that does not")]
    Exists { path: String },
    #[error("cannot write {path}")]
    Write { path: String, source: io::Error },
}

enum Of {
    Live(Live),
    Bundle(Bundle),
}

/// Reads through another world.
pub struct Recorder {
    of: Of,
    /// The last time told.
    clock: Mutex<Timestamp>,
    read: Mutex<BTreeMap<Need, Fact>>,
}

impl Recorder {
    /// Recording a recording adds nothing: that one is taken as it is.
    pub fn new(world: World) -> Recorder {
        let clock = world.clock();
        let of = match world {
            World::Live(live) => Of::Live(live.recorded()),
            World::Bundle(bundle) => Of::Bundle(bundle),
            World::Record(recorder) => return *recorder,
        };
        Recorder { of, clock: Mutex::new(clock), read: Mutex::new(BTreeMap::new()) }
    }

    pub async fn read(&self, needs: Vec<Need>) -> Vec<(Need, Fact)> {
        let facts = match &self.of {
            Of::Live(live) => live.read(needs).await,
            Of::Bundle(bundle) => bundle.read(needs),
        };
        if let Ok(mut read) = self.read.lock() {
            read.extend(facts.iter().cloned());
        }
        facts
    }

    /// Everything that was asked, in order.
    pub fn needs(&self) -> Vec<Need> {
        self.read.lock().map(|read| read.keys().cloned().collect()).unwrap_or_default()
    }

    pub fn context(&self) -> &Context {
        match &self.of {
            Of::Live(live) => live.context(),
            Of::Bundle(bundle) => bundle.context(),
        }
    }

    /// What is told here is what the bundle will say: the same facts against the same clock give
    /// the same report.
    pub fn clock(&self) -> Timestamp {
        let now = match &self.of {
            Of::Live(_) => Timestamp::now(),
            Of::Bundle(bundle) => bundle.clock(),
        };
        if let Ok(mut clock) = self.clock.lock() {
            *clock = now;
        }
        now
    }

    pub fn namespace(&self) -> &str {
        match &self.of {
            Of::Live(live) => live.namespace(),
            Of::Bundle(bundle) => bundle.namespace(),
        }
    }

    pub fn requests(&self) -> usize {
        match &self.of {
            Of::Live(live) => live.requests(),
            Of::Bundle(_) => 0,
        }
    }

    pub fn transport_failure(&self) -> Option<ConnectError> {
        match &self.of {
            Of::Live(live) => live.transport_failure(),
            Of::Bundle(_) => None,
        }
    }

    /// Writes the bundle: an archive where the path ends in `.tar.gz` or `.tgz`, else a folder.
    /// Says what was redacted, a line for each place.
    pub fn finish(&self, path: &Path) -> Result<Vec<String>, RecordError> {
        let facts = self.read.lock().map(|read| read.clone()).unwrap_or_default();
        let clock = self.clock.lock().map_or(Timestamp::UNIX_EPOCH, |clock| *clock);
        let mut writing = Writing::new(self, clock);
        for (need, fact) in facts {
            writing.take(&need, fact);
        }
        let (files, lines) = writing.finish();
        let name = path.to_string_lossy();
        let written = if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
            archive(path, &files, clock)
        } else {
            folder(path, &files)
        };
        match written {
            Ok(()) => Ok(lines),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(RecordError::Exists { path: shown(path) })
            }
            Err(source) => Err(RecordError::Write { path: shown(path), source }),
        }
    }
}

type Files = BTreeMap<String, String>;

/// The bundle as it grows.
struct Writing {
    files: Files,
    contents: Contents,
    recorded: Recorded,
    lists: BTreeSet<String>,
    /// Kinds that were listed, also where the list was empty.
    kinds: BTreeSet<Kind>,
    may: BTreeMap<String, bool>,
    rules: BTreeMap<String, Value>,
    addresses: BTreeMap<String, Vec<String>>,
    lines: Vec<String>,
}

impl Writing {
    fn new(of: &Recorder, clock: Timestamp) -> Writing {
        let Context { name, server, user, flags: _, bundle: _, applying: _ } = of.context().clone();
        let recorded = Recorded {
            version: env!("CARGO_PKG_VERSION").into(),
            namespace: Some(of.namespace().into()),
            context: RecordedContext { name, server, user },
            ..Recorded::default()
        };
        Writing {
            files: Files::from([("clock".into(), format!("{clock}\n"))]),
            contents: Contents::default(),
            recorded,
            lists: BTreeSet::new(),
            kinds: BTreeSet::new(),
            may: BTreeMap::new(),
            rules: BTreeMap::new(),
            addresses: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    fn take(&mut self, need: &Need, fact: Fact) {
        // Pods of other people are none of a recording's business.
        if matches!(need, Need::PodsOn { .. } | Need::PodsBut { .. }) {
            return;
        }
        let name = key::of(need);
        let seen = match fact {
            Fact::Known(seen) => seen,
            Fact::Absent => {
                self.recorded.absent.insert(name);
                return;
            }
            Fact::Unreadable(why) => {
                self.recorded.denied.push(Denied { need: name, why });
                return;
            }
        };
        match seen {
            Seen::Object(object) => self.contents.add(object),
            Seen::List(items) => {
                if let Need::List { kind, namespace, .. } = need {
                    self.kinds.insert(*kind);
                    self.contents.namespaces.extend(namespace.clone());
                }
                if let Need::Nodes { .. } = need {
                    self.kinds.insert(Kind::Node);
                }
                self.lists.insert(name);
                items.into_iter().for_each(|item| self.contents.add(item));
            }
            Seen::Log(text) => self.text(&name, log_file(need), text),
            Seen::Http { status, body } => self.text(&name, http_file(need, status), body),
            Seen::May(allowed) => {
                self.may.insert(name, allowed);
            }
            Seen::Rules(status) => {
                self.rules.insert(name, status);
            }
            Seen::Addresses(all) => {
                self.addresses.insert(name, all);
            }
        }
    }

    fn text(&mut self, name: &str, file: Option<String>, mut text: String) {
        let mut counts = Counts::new();
        redact::text(&mut text, &mut counts);
        self.note(name, &counts);
        self.files.extend(file.map(|file| (file, text)));
    }

    fn note(&mut self, place: &str, counts: &Counts) {
        let parts: Vec<String> = counts.iter().map(|(what, n)| format!("{n} {what}")).collect();
        if !parts.is_empty() {
            self.lines.push(format!("{place}: {}", parts.join(", ")));
        }
    }

    fn finish(mut self) -> (Files, Vec<String>) {
        let mut by_kind: BTreeMap<Kind, Vec<Value>> =
            self.kinds.iter().map(|kind| (*kind, Vec::new())).collect();
        for (of, mut object) in std::mem::take(&mut self.contents.objects) {
            let mut counts = Counts::new();
            redact::object(&mut object, &mut counts);
            let place = match of.namespace.as_str() {
                "" => of.short(),
                namespace => format!("{} -n {namespace}", of.short()),
            };
            self.note(&place, &counts);
            by_kind.entry(of.kind).or_default().push(object);
        }
        for (kind, items) in by_kind {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
            self.files.insert(objects_file(kind), pretty(&list));
        }
        self.recorded.namespaces = self.contents.namespaces.into_iter().collect();
        self.recorded.lists = Some(self.lists);
        self.files.insert("recorded.json".into(), pretty(&json!(self.recorded)));
        if !self.may.is_empty() {
            self.files.insert("may.json".into(), pretty(&json!(self.may)));
        }
        if !self.rules.is_empty() {
            self.files.insert("rules.json".into(), pretty(&json!(self.rules)));
        }
        if !self.addresses.is_empty() {
            self.files.insert("addresses.json".into(), pretty(&json!(self.addresses)));
        }
        (self.files, self.lines)
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

pub(super) fn objects_file(kind: Kind) -> String {
    format!("objects/{}.json", plural(kind))
}

/// `pods`, `statefulsets.apps`.
pub(super) fn plural(kind: Kind) -> String {
    let dot = if kind.group().is_empty() { "" } else { "." };
    format!("{}{dot}{}", kind.plural(), kind.group())
}

pub(super) fn log_file(need: &Need) -> Option<String> {
    let Need::Log { namespace, pod, container, previous } = need else { return None };
    let end = if *previous { ".previous.log" } else { ".log" };
    Some(format!("logs/{namespace}/{pod}/{container}{end}"))
}

fn http_file(need: &Need, status: u16) -> Option<String> {
    let (namespace, pod, door, path) = match need {
        Need::Http { namespace, pod, port, path } => (namespace, pod, port.to_string(), path),
        Need::Forward { namespace, pod, port, path } => (namespace, pod, loopback(*port), path),
        _ => return None,
    };
    Some(format!("http/{namespace}/{pod}/{door}/{}.{status}", http_name(path)))
}

/// Refuses a path that exists, also one that appears meanwhile. What was read may be private:
/// others of the machine may not read it.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn folder(path: &Path, files: &Files) -> io::Result<()> {
    fs::create_dir(path)?;
    for (name, text) in files {
        let file = path.join(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        create(&file)?.write_all(text.as_bytes())?;
    }
    Ok(())
}

fn archive(path: &Path, files: &Files, clock: Timestamp) -> io::Result<()> {
    let file = create(path)?;
    let packed = pack(file, files, clock);
    if packed.is_err() {
        // Half an archive must not pass for one; the error to tell is the first.
        let _ = fs::remove_file(path);
    }
    packed
}

fn pack(file: File, files: &Files, clock: Timestamp) -> io::Result<()> {
    let mut builder = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(clock.as_second()).unwrap_or(0));
        builder.append_data(&mut header, name, text.as_bytes())?;
    }
    builder.into_inner()?.finish()?.sync_all()
}
