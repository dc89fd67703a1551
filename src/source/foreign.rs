//! The layouts of a bundle, told apart by their folders: ours, `kubectl cluster-info dump
//! --output-directory`, a troubleshoot support bundle, an OpenShift must-gather.

use std::path::Path;

use serde_json::Value;

use super::bundle::{Contents, Recorded, http_name};
use super::failure::first_line;
use super::key;
use super::objects::{self, Document};
use super::pack::{BundleError, Files, shown};
use crate::model::fact::{Fact, Need, Seen};
use crate::model::object::{Kind, ObjectExt};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Own,
    SupportBundle,
    MustGather,
    Dump,
}

/// One file of objects. Its kinds are complete for the namespaces that appear in it.
pub fn single(path: &Path, name: &str, bytes: &[u8]) -> Result<Contents, BundleError> {
    let mut contents = Contents::default();
    let mut kinds = Vec::new();
    for document in parse(path, name, bytes)? {
        match objects::sort_out(document) {
            Document::List { kind, items } => {
                kinds.extend(kind);
                items.into_iter().for_each(|item| contents.add(item));
            }
            Document::Object(object) => contents.add(object),
            Document::Other => {}
        }
    }
    kinds.extend(contents.objects.keys().map(|of| of.kind));
    if kinds.is_empty() {
        return Err(BundleError::NoLayout { path: shown(path) });
    }
    kinds.into_iter().for_each(|kind| contents.complete(kind));
    Ok(contents)
}

pub fn tree(path: &Path, files: Files) -> Result<Contents, BundleError> {
    let Some((layout, root)) = detect(&files) else {
        return Err(BundleError::NoLayout { path: shown(path) });
    };
    let mut reading = Reading { path, contents: Contents::default(), listed: Vec::new() };
    if layout == Layout::Own {
        reading.control(&files, &root)?;
    }
    let strict = !reading.contents.recorded.version.is_empty();
    for (name, bytes) in &files {
        let Some(inner) = name.strip_prefix(&root) else { continue };
        if bytes.is_empty() && !strict {
            continue;
        }
        let parts: Vec<&str> = inner.split('/').collect();
        match layout {
            Layout::Own => reading.own(name, &parts, bytes)?,
            Layout::SupportBundle => reading.support(name, &parts, bytes)?,
            Layout::MustGather => reading.must_gather(name, &parts, bytes)?,
            Layout::Dump => reading.dump(name, &parts, bytes)?,
        }
    }
    Ok(reading.finish())
}

/// The layout and the folder that it starts in, the shallowest first: archives often hold
/// everything in one folder more.
fn detect(files: &Files) -> Option<(Layout, String)> {
    let mut found: Vec<(usize, usize, Layout, String)> = Vec::new();
    for name in files.keys() {
        let parts: Vec<&str> = name.split('/').collect();
        for depth in 0..parts.len().min(5) {
            let (before, rest) = parts.split_at(depth);
            if let Some((rank, layout)) = mark(rest) {
                let root: String = before.iter().map(|part| format!("{part}/")).collect();
                found.push((depth, rank, layout, root));
                break;
            }
        }
    }
    found.sort_by(|a, b| (a.0, a.1, &a.3).cmp(&(b.0, b.1, &b.3)));
    found.into_iter().next().map(|(_, _, layout, root)| (layout, root))
}

fn mark(rest: &[&str]) -> Option<(usize, Layout)> {
    match rest {
        ["recorded.json" | "clock"] | ["objects" | "logs" | "http", _, ..] => {
            Some((0, Layout::Own))
        }
        ["cluster-resources", _, ..] => Some((1, Layout::SupportBundle)),
        ["cluster-scoped-resources", _, ..] | ["namespaces", _, _, ..] => {
            Some((2, Layout::MustGather))
        }
        ["nodes.json" | "nodes.yaml"] | [_, "pods.json" | "pods.yaml"] => Some((3, Layout::Dump)),
        _ => None,
    }
}

fn parse(path: &Path, file: &str, bytes: &[u8]) -> Result<Vec<Value>, BundleError> {
    let not_parsed = |why| BundleError::NotParsed { path: shown(path), file: file.into(), why };
    let text =
        std::str::from_utf8(bytes).map_err(|error| not_parsed(format!("not text: {error}")))?;
    let values = objects::documents(text).map_err(|error| not_parsed(error.why))?;
    if let Some(bare) = values.iter().find(|value| !value.is_object() && !value.is_array()) {
        let start: String = bare.to_string().chars().take(40).collect();
        return Err(not_parsed(format!("{start} is no object")));
    }
    Ok(values)
}

/// The kind that a file or folder is named after: `pods`, `prometheuses.monitoring.coreos.com`.
fn kind_named(stem: &str) -> Option<Kind> {
    let full = |kind: &Kind| {
        let rest = stem.strip_prefix(kind.plural());
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('.').is_some_and(|group| group == kind.group())
        })
    };
    Kind::all().find(full)
}

fn stem(file: &str) -> Option<&str> {
    let (stem, end) = file.rsplit_once('.')?;
    matches!(end, "yaml" | "yml" | "json").then_some(stem)
}

struct Reading<'a> {
    path: &'a Path,
    contents: Contents,
    /// Kinds listed in all recorded namespaces, known once all files are read.
    listed: Vec<Kind>,
}

impl Reading<'_> {
    fn finish(mut self) -> Contents {
        let recorded = &mut self.contents.recorded;
        self.contents.namespaces.extend(recorded.namespaces.iter().cloned());
        match recorded.lists.take() {
            Some(lists) => self.contents.lists = lists,
            None => self.listed.into_iter().for_each(|kind| self.contents.complete(kind)),
        }
        self.contents
    }

    fn control(&mut self, files: &Files, root: &str) -> Result<(), BundleError> {
        let get = |name: &str| files.get_key_value(&format!("{root}{name}"));
        if let Some((name, bytes)) = get("recorded.json") {
            self.contents.recorded = self.json::<Recorded>(name, bytes)?;
        }
        if let Some((name, bytes)) = get("may.json") {
            self.contents.may = self.json(name, bytes)?;
        }
        if let Some((name, bytes)) = get("rules.json") {
            self.contents.rules = self.json(name, bytes)?;
        }
        if let Some((name, bytes)) = get("addresses.json") {
            self.contents.addresses = self.json(name, bytes)?;
        }
        if let Some((name, bytes)) = get("clock") {
            let text = String::from_utf8_lossy(bytes);
            let time =
                text.trim().parse().map_err(|error: jiff::Error| BundleError::NotParsed {
                    path: shown(self.path),
                    file: name.clone(),
                    why: first_line(&error.to_string()),
                })?;
            self.contents.clock = Some(time);
        }
        Ok(())
    }

    fn json<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        bytes: &[u8],
    ) -> Result<T, BundleError> {
        serde_json::from_slice(bytes).map_err(|error| BundleError::NotParsed {
            path: shown(self.path),
            file: name.into(),
            why: error.to_string(),
        })
    }

    fn own(&mut self, name: &str, parts: &[&str], bytes: &[u8]) -> Result<(), BundleError> {
        match parts {
            ["objects", folder @ .., file] => {
                let Some(stem) = stem(file) else { return Ok(()) };
                let listed = self.take(name, bytes)?;
                match (kind_named(stem).filter(|_| listed), folder) {
                    (Some(kind), []) => self.listed.push(kind),
                    (Some(kind), [namespace]) => self.complete_in(kind, namespace),
                    _ => {}
                }
            }
            ["logs", namespace, pod, file] => {
                if let Some(container) = file.strip_suffix(".previous.log") {
                    self.log([namespace, pod, container], true, bytes);
                } else if let Some(container) = file.strip_suffix(".log") {
                    self.log([namespace, pod, container], false, bytes);
                }
            }
            ["http", namespace, pod, port, file] => self.http(&[namespace, pod, port], file, bytes),
            _ => {}
        }
        Ok(())
    }

    /// `cluster-resources/KIND/NAMESPACE.json`, `…/custom-resources/PLURAL.GROUP/NAMESPACE.json`,
    /// `…/pods/logs/NAMESPACE/POD/CONTAINER[-previous].log`.
    fn support(&mut self, name: &str, parts: &[&str], bytes: &[u8]) -> Result<(), BundleError> {
        match parts {
            ["cluster-resources", "pods", "logs", namespace, pod, file] => {
                let Some(container) = file.strip_suffix(".log") else { return Ok(()) };
                match container.strip_suffix("-previous") {
                    Some(container) => self.log([namespace, pod, container], true, bytes),
                    None => self.log([namespace, pod, container], false, bytes),
                }
            }
            ["cluster-resources", folder @ .., file] => {
                let Some(stem) = stem(file).filter(|stem| !stem.ends_with("-errors")) else {
                    return Ok(());
                };
                let custom = folder.first() == Some(&"custom-resources");
                let of_folder = folder.last().filter(|_| custom).and_then(|f| kind_named(f));
                if !custom || of_folder.is_some() {
                    self.listing(name, of_folder, Some(stem), bytes)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// `namespaces/NS/GROUP/PLURAL.yaml`, `…/PLURAL/NAME.yaml`, `namespaces/NS/pods/POD/…` and
    /// `cluster-scoped-resources/GROUP/PLURAL/NAME.yaml`. Only what is named after one of our
    /// kinds is parsed: a gather holds thousands of other objects.
    fn must_gather(&mut self, name: &str, parts: &[&str], bytes: &[u8]) -> Result<(), BundleError> {
        match parts {
            ["namespaces", namespace, "pods", pod, container, .., file] => {
                let previous = matches!(*file, "previous.log" | "previous.insecure.log");
                if previous || *file == "current.log" {
                    self.log([namespace, pod, container], previous, bytes);
                }
            }
            ["namespaces", _, "pods", _, _] => {
                self.take(name, bytes)?;
            }
            ["namespaces", namespace, _, file] => {
                if let Some(kind) = stem(file).and_then(kind_named) {
                    self.listing(name, Some(kind), Some(namespace), bytes)?;
                }
            }
            ["namespaces", _, _, plural, _] | ["cluster-scoped-resources", _, plural, _]
                if kind_named(plural).is_some() =>
            {
                self.take(name, bytes)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// `nodes.json`, `NAMESPACE/KIND.json`, `NAMESPACE/POD/logs.txt`.
    fn dump(&mut self, name: &str, parts: &[&str], bytes: &[u8]) -> Result<(), BundleError> {
        match parts {
            [namespace, pod, "logs.txt"] => self.dumped_logs(namespace, pod, bytes),
            [namespace, file] if stem(file).is_some() => {
                self.listing(name, None, Some(namespace), bytes)?;
            }
            [file] if stem(file).is_some() => self.listing(name, None, None, bytes)?,
            _ => {}
        }
        Ok(())
    }

    /// One file with the logs of all containers, each between a START and an END line.
    fn dumped_logs(&mut self, namespace: &str, pod: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let mut open: Option<(String, String)> = None;
        for line in text.split_inclusive('\n') {
            if let Some(rest) = line.strip_prefix("==== START logs for container ") {
                let container = rest.split(' ').next().unwrap_or("");
                open = Some((container.to_owned(), String::new()));
            } else if line.starts_with("==== END logs for container ") {
                if let Some((container, log)) = open.take() {
                    self.log([namespace, pod, &container], false, log.as_bytes());
                }
            } else if let Some((_, log)) = &mut open {
                log.push_str(line);
            }
        }
    }

    /// A file that holds all objects of one kind in one namespace (none: of the cluster).
    fn listing(
        &mut self,
        name: &str,
        kind: Option<Kind>,
        namespace: Option<&str>,
        bytes: &[u8],
    ) -> Result<(), BundleError> {
        for document in parse(self.path, name, bytes)? {
            let Document::List { kind: typed, items } = objects::sort_out(document) else {
                continue;
            };
            let of = |item: &Value| Kind::of(item.text("/apiVersion"), item.text("/kind"));
            let kind = typed.or(kind).or_else(|| items.first().and_then(of));
            let Some(kind) = kind else { continue };
            for mut item in items {
                objects::name_kind(&mut item, kind);
                self.contents.add(item);
            }
            match namespace.filter(|_| kind.namespaced()) {
                Some(namespace) => self.complete_in(kind, namespace),
                None => self.listed.push(kind),
            }
        }
        Ok(())
    }

    /// Takes in all objects of a file; whether there was a list.
    fn take(&mut self, name: &str, bytes: &[u8]) -> Result<bool, BundleError> {
        let mut listed = false;
        for document in parse(self.path, name, bytes)? {
            match objects::sort_out(document) {
                Document::List { items, .. } => {
                    listed = true;
                    items.into_iter().for_each(|item| self.contents.add(item));
                }
                Document::Object(object) => self.contents.add(object),
                Document::Other => {}
            }
        }
        Ok(listed)
    }

    fn complete_in(&mut self, kind: Kind, namespace: &str) {
        self.contents.namespaces.insert(namespace.into());
        self.contents.lists.insert(key::list(kind, Some(namespace), ""));
    }

    fn log(&mut self, [namespace, pod, container]: [&str; 3], previous: bool, bytes: &[u8]) {
        let need = Need::Log {
            namespace: namespace.into(),
            pod: pod.into(),
            container: container.into(),
            previous,
        };
        let text = String::from_utf8_lossy(bytes).into_owned();
        // What `cluster-info dump` writes in place of a log that it could not get.
        let failed = ["Request log error: ", "Create log error: "]
            .iter()
            .find_map(|start| text.strip_prefix(start));
        let fact = match failed {
            Some(why) => Fact::Unreadable(first_line(why)),
            None => Fact::Known(Seen::Log(text)),
        };
        self.contents.logs.insert(key::of(&need), fact);
    }

    /// The need is known by its escaped name only; see [`http_key`].
    fn http(&mut self, place: &[&str], file: &str, bytes: &[u8]) {
        let status = file.rsplit_once('.').and_then(|(name, end)| {
            let digits = end.len() == 3 && end.bytes().all(|byte| byte.is_ascii_digit());
            Some((name, end.parse::<u16>().ok().filter(|_| digits)?))
        });
        let (name, status) = status.unwrap_or((file, 200));
        let body = String::from_utf8_lossy(bytes).into_owned();
        self.contents.http.insert(format!("{}/{name}", place.join("/")), (status, body));
    }
}

/// Under which name an answer of a pod is found.
pub fn http_key(namespace: &str, pod: &str, port: &str, path: &str) -> String {
    format!("{namespace}/{pod}/{port}/{}", http_name(path))
}
