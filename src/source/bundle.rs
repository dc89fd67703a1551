//! A recorded cluster: a folder, an archive or one file of objects.
//!
//! # Our own layout
//!
//! | path | holds |
//! |---|---|
//! | `objects/*.yaml`, `.json` | objects: any `List`, or many documents |
//! | `objects/PLURAL[.GROUP].yaml` with a `List` | *all* objects of the kind in the recorded namespaces |
//! | `objects/NAMESPACE/PLURAL[.GROUP].yaml` with a `List` | the same for one namespace |
//! | `logs/NAMESPACE/POD/CONTAINER.log`, `….previous.log` | logs |
//! | `http/NAMESPACE/POD/PORT/NAME[.STATUS]` | the body of an answer of the pod |
//! | `data/NAMESPACE/CLAIM/…` | files of a volume; not read here |
//! | `clock` | when it was recorded, RFC 3339 |
//! | `recorded.json` | see [`Recorded`]; may be missing |
//! | `may.json` | access reviews by name: `{"may patch apps/v1 StatefulSet mon": true}` |
//! | `rules.json` | the `status` of rules reviews by name: `{"rules mon": {…}}` |
//! | `addresses.json` | data sources of Secrets: `{"addresses mon/grafana": ["http://prom:9090"]}` |
//!
//! `NAME` is the requested path with its query, in which `/` is written `_`, and every byte other
//! than letters, digits, `-` and `.` is written `%XX`: `/-/ready` is `_-_ready`, and
//! `/api/v1/query?query=up` is `_api_v1_query%3Fquery%3Dup`. A name over 180 bytes keeps 150 of
//! them and ends in `~` and 16 hexadecimal digits of its SHA-256. Without `.STATUS` it was 200.
//!
//! What a complete listing lacks is Absent; what no file tells is Unreadable (`not recorded`). An
//! empty file beside no `recorded.json` is what a shell leaves of a command that failed: it tells
//! nothing. Without `clock`, the time is the newest one that stands in an object, since an age
//! against today would be wrong by weeks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::pack::{self, Pack, shown};
use super::{foreign, key, objects, project};
use crate::model::fact::{Fact, Need, Seen};
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::report::Context;

pub use super::pack::BundleError;

/// `recorded.json`: what the files alone cannot say. Needs are written as in `source::key`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recorded {
    /// The version of the program that recorded.
    pub version: String,
    pub namespaces: Vec<String>,
    /// The namespace meant where none is given.
    pub namespace: Option<String>,
    pub context: RecordedContext,
    /// The complete listings. Where this is missing, file names tell them.
    pub lists: Option<BTreeSet<String>>,
    /// What was looked for and is not there.
    pub absent: BTreeSet<String>,
    /// What could not be read.
    pub denied: Vec<Denied>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordedContext {
    pub name: String,
    pub server: String,
    pub user: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    pub need: String,
    pub why: String,
}

/// What the files of any layout amount to.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub objects: BTreeMap<ObjectRef, Value>,
    /// Names of complete listings.
    pub lists: BTreeSet<String>,
    pub namespaces: BTreeSet<String>,
    /// By the name of their need.
    pub logs: BTreeMap<String, Fact>,
    /// By [`foreign::http_key`]: an escaped path does not always lead back to the path.
    pub http: BTreeMap<String, (u16, String)>,
    pub may: BTreeMap<String, bool>,
    pub rules: BTreeMap<String, Value>,
    pub addresses: BTreeMap<String, Vec<String>>,
    pub recorded: Recorded,
    pub clock: Option<Timestamp>,
}

impl Contents {
    /// Takes in an object if it is of a kind that can be asked for. Two versions of one object
    /// are one that was listed, without field ownership, and one that was read whole.
    pub fn add(&mut self, mut object: Value) {
        let Some(kind) = Kind::of(object.text("/apiVersion"), object.text("/kind")) else { return };
        if kind == Kind::CustomResourceDefinition {
            project::definition(&mut object);
        }
        let of = ObjectRef::new(kind, object.namespace(), object.name());
        if !of.namespace.is_empty() {
            self.namespaces.insert(of.namespace.clone());
        }
        let whole = |value: &Value| value.pointer("/metadata/managedFields").is_some();
        if self.objects.get(&of).is_some_and(|old| whole(old) && !whole(&object)) {
            return;
        }
        self.objects.insert(of, object);
    }

    /// Marks a kind as listed in all namespaces that were recorded.
    pub fn complete(&mut self, kind: Kind) {
        if self.namespaces.is_empty() || !kind.namespaced() {
            self.lists.insert(key::list(kind, None, ""));
        }
        for namespace in &self.namespaces {
            self.lists.insert(key::list(kind, Some(namespace), ""));
        }
    }
}

#[derive(Debug)]
pub struct Bundle {
    contents: Box<Contents>,
    denied: BTreeMap<String, String>,
    context: Context,
    namespace: String,
    clock: Timestamp,
}

const NOT_RECORDED: &str = "not recorded";

impl Bundle {
    /// Reads the whole of a bundle. The first file that does not parse is the error: a part of
    /// the facts must not pass for all of them.
    pub fn open(path: &Path) -> Result<Bundle, BundleError> {
        let contents = match pack::open(path)? {
            Pack::Single(name, bytes) => foreign::single(path, &name, &bytes)?,
            Pack::Tree(files) => foreign::tree(path, files)?,
        };
        Ok(Bundle::new(path, contents))
    }

    fn new(path: &Path, contents: Contents) -> Bundle {
        let recorded = &contents.recorded;
        let mut all = contents.namespaces.iter();
        let single = all.next().filter(|_| all.next().is_none()).cloned();
        let namespace = recorded.namespace.clone().or(single).unwrap_or_else(|| "default".into());
        let context = Context {
            name: shown(path),
            server: recorded.context.server.clone(),
            user: recorded.context.user.clone(),
            flags: vec!["--bundle".into(), shown(path)],
            bundle: true,
            applying: false,
        };
        let denied = recorded.denied.iter().map(|d| (d.need.clone(), d.why.clone())).collect();
        let clock = contents.clock.unwrap_or_else(|| newest(contents.objects.values()));
        Bundle { contents: Box::new(contents), denied, context, namespace, clock }
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn read(&self, needs: Vec<Need>) -> Vec<(Need, Fact)> {
        let answer = |need: Need| {
            let fact = self.answer(&need);
            (need, fact)
        };
        needs.into_iter().map(answer).collect()
    }

    fn answer(&self, need: &Need) -> Fact {
        let name = key::of(need);
        if let Some(why) = self.denied.get(&name) {
            return Fact::Unreadable(why.clone());
        }
        if self.contents.recorded.absent.contains(&name) {
            return Fact::Absent;
        }
        let known = match need {
            Need::Object(of) => return self.object(of),
            Need::List { kind, namespace, labels } => {
                return self.list(*kind, namespace.as_deref(), labels);
            }
            Need::Nodes { .. } => return self.list(Kind::Node, None, ""),
            Need::Log { namespace, pod, previous, .. } => {
                let recorded = self.contents.logs.get(&name).cloned();
                return recorded.unwrap_or_else(|| self.no_log(namespace, pod, *previous));
            }
            Need::Http { namespace, pod, port, path } => self
                .contents
                .http
                .get(&foreign::http_key(namespace, pod, &port.to_string(), path))
                .map(|(status, body)| Seen::Http { status: *status, body: body.clone() }),
            Need::Forward { namespace, pod, port, path } => self
                .contents
                .http
                .get(&foreign::http_key(namespace, pod, &loopback(*port), path))
                .map(|(status, body)| Seen::Http { status: *status, body: body.clone() }),
            Need::PodsOn { .. } | Need::PodsBut { .. } => None,
            Need::May { .. } => self.contents.may.get(&name).copied().map(Seen::May),
            Need::Rules { .. } => self.contents.rules.get(&name).cloned().map(Seen::Rules),
            Need::Addresses { .. } => {
                self.contents.addresses.get(&name).cloned().map(Seen::Addresses)
            }
        };
        known.map_or_else(|| Fact::Unreadable(NOT_RECORDED.into()), Fact::Known)
    }

    fn object(&self, of: &ObjectRef) -> Fact {
        if let Some(object) = self.contents.objects.get(of) {
            return Fact::Known(Seen::Object(object.clone()));
        }
        let api_absent =
            |namespace| self.contents.recorded.absent.contains(&key::list(of.kind, namespace, ""));
        let namespace = Some(of.namespace.as_str());
        if self.listed(of.kind, namespace, "") || api_absent(namespace) || api_absent(None) {
            return Fact::Absent;
        }
        Fact::Unreadable(NOT_RECORDED.into())
    }

    fn list(&self, kind: Kind, namespace: Option<&str>, labels: &str) -> Fact {
        if !self.listed(kind, namespace, labels) {
            return Fact::Unreadable(NOT_RECORDED.into());
        }
        let namespace = namespace.filter(|_| kind.namespaced());
        let mut items = Vec::new();
        for (of, object) in &self.contents.objects {
            if of.kind != kind || namespace.is_some_and(|wanted| of.namespace != wanted) {
                continue;
            }
            match objects::selected(object, labels) {
                Some(false) => continue,
                Some(true) => {}
                None => return Fact::Unreadable(format!("selector {labels:?} not understood")),
            }
            let mut item = object.clone();
            project::lighten(&mut item, kind);
            items.push(item);
        }
        Fact::Known(Seen::List(items))
    }

    /// Whether a complete listing covers this one.
    fn listed(&self, kind: Kind, namespace: Option<&str>, labels: &str) -> bool {
        let covers =
            |namespace, labels| self.contents.lists.contains(&key::list(kind, namespace, labels));
        let within = |namespace| covers(namespace, "") || covers(namespace, labels);
        if within(None) || (namespace.is_some() && within(namespace)) {
            return true;
        }
        // "All namespaces" of a bundle are those that were recorded.
        let all = &self.contents.namespaces;
        namespace.is_none() && !all.is_empty() && all.iter().all(|n| within(Some(n)))
    }

    /// A log of which there is no file. A container that never restarted has no previous one.
    fn no_log(&self, namespace: &str, pod: &str, previous: bool) -> Fact {
        match self.object(&ObjectRef::new(Kind::Pod, namespace, pod)) {
            Fact::Absent => return Fact::Absent,
            Fact::Known(Seen::Object(pod)) if previous => {
                let of = |kind: &str| pod.list(&format!("/status/{kind}")).to_vec();
                let all = [of("containerStatuses"), of("initContainerStatuses")].concat();
                if !all.is_empty() && all.iter().all(|s| s.number("/restartCount") == Some(0)) {
                    return Fact::Absent;
                }
            }
            _ => {}
        }
        Fact::Unreadable(NOT_RECORDED.into())
    }
}

/// Beside the folder of a port, that of the same port of the pod's loopback.
pub(super) fn loopback(port: u16) -> String {
    format!("{port}-loopback")
}

/// The file name of an answer of a pod, without its status.
pub(super) fn http_name(path: &str) -> String {
    let mut name = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' => name.push('_'),
            b'-' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() <= 180 {
        return name;
    }
    let digest = Sha256::digest(path.as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    // Only ASCII so far, so every cut is a character boundary.
    name.truncate(150);
    format!("{name}~{hex}")
}

/// The newest time that stands in an object; the epoch where there is none.
fn newest<'a>(objects: impl Iterator<Item = &'a Value>) -> Timestamp {
    let mut newest = Timestamp::UNIX_EPOCH;
    let mut left: Vec<&Value> = objects.collect();
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(items),
            Value::Object(fields) => left.extend(fields.values()),
            Value::String(text) if text.len() >= 20 && text.ends_with('Z') => {
                newest = text.parse().map_or(newest, |time| newest.max(time));
            }
            _ => {}
        }
    }
    newest
}
