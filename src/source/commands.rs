//! A bundle made by hand: plain kubectl commands for someone who may not run this program where
//! the cluster is.

use std::collections::BTreeSet;

use super::bundle::http_name;
use super::fetch::encode_path;
use super::record::{log_file, plural};
use crate::model::fact::Need;
use crate::model::object::{Kind, ObjectRef};

/// Where the commands write.
const FOLDER: &str = "prom-fix-bundle";

/// The commands that write what was asked into a folder in our layout, then pack it. `flags` are
/// kubectl's own, to reach the same cluster.
///
/// A command that fails leaves an empty file, which is read as "not recorded". Access reviews
/// are left out: they tell about whoever runs the commands. kubectl redacts nothing, and the
/// first line says so.
pub fn record_commands(needs: &[Need], flags: &[String]) -> Vec<String> {
    let needs: BTreeSet<&Need> = needs.iter().collect();
    let mut steps = Vec::new();
    for need in needs {
        steps.extend(step(need));
    }
    steps.sort();
    steps.dedup();
    let folders: BTreeSet<&str> =
        steps.iter().filter_map(|(file, _)| Some(file.rsplit_once('/')?.0)).collect();
    let mut lines = vec![
        "# Nothing is redacted: env values and annotations stand in these files.".to_owned(),
        format!("mkdir -p {FOLDER}"),
    ];
    lines.extend(folders.iter().map(|f| format!("mkdir -p {}", quote(format!("{FOLDER}/{f}")))));
    lines.push(format!("date -u +%Y-%m-%dT%H:%M:%SZ > {FOLDER}/clock"));
    for (file, words) in &steps {
        let kubectl = std::iter::once("kubectl").chain(flags.iter().map(String::as_str));
        let words: Vec<String> =
            kubectl.chain(words.iter().map(String::as_str)).map(quote).collect();
        lines.push(format!("{} > {}", words.join(" "), quote(format!("{FOLDER}/{file}"))));
    }
    lines.push(format!("tar czf {FOLDER}.tar.gz {FOLDER}"));
    lines
}

/// The file that a need becomes, and the words after `kubectl`.
fn step(need: &Need) -> Option<(String, Vec<String>)> {
    match need {
        Need::Object(of) => Some(object(of)),
        Need::List { kind, namespace, labels } => Some(list(*kind, namespace.as_deref(), labels)),
        Need::Nodes { .. } => Some(list(Kind::Node, None, "")),
        Need::Log { namespace, pod, container, previous } => {
            let mut words = owned(&["logs", "-n", namespace, pod, "-c", container, "--tail=1500"]);
            if *previous {
                words.push("--previous".into());
            }
            Some((log_file(need)?, words))
        }
        Need::Http { namespace, pod, port, path } => {
            let pod_path = ObjectRef::new(Kind::Pod, namespace, pod).path();
            let url = format!("{pod_path}:{port}/proxy{}", encode_path(path));
            let file = format!("http/{namespace}/{pod}/{port}/{}", http_name(path));
            Some((file, owned(&["get", "--raw", &url])))
        }
        // Others' pods, what the person may do, Secrets, and what no single command writes.
        Need::PodsOn { .. }
        | Need::PodsBut { .. }
        | Need::Forward { .. }
        | Need::May { .. }
        | Need::Rules { .. }
        | Need::Addresses { .. } => None,
    }
}

fn object(of: &ObjectRef) -> (String, Vec<String>) {
    let kind = plural(of.kind);
    let mut words = owned(&["get", &kind, &of.name]);
    let mut file = "objects/one".to_owned();
    if !of.namespace.is_empty() {
        words.extend(owned(&["-n", &of.namespace]));
        file.push_str(&format!("/{}", of.namespace));
    }
    words.extend(owned(&["-o", "json", "--show-managed-fields"]));
    // A folder below `objects` that is no namespace of a listing: an object alone is none.
    (format!("{file}/{kind}/{}.json", of.name), words)
}

fn list(kind: Kind, namespace: Option<&str>, labels: &str) -> (String, Vec<String>) {
    let plural = plural(kind);
    let mut words = owned(&["get", &plural]);
    let mut file = "objects".to_owned();
    match namespace.filter(|_| kind.namespaced()) {
        Some(namespace) => {
            words.extend(owned(&["-n", namespace]));
            file.push_str(&format!("/{namespace}"));
        }
        None if kind.namespaced() => words.push("-A".into()),
        None => {}
    }
    words.extend(owned(&["-o", "json", "--show-managed-fields"]));
    if labels.is_empty() {
        return (format!("{file}/{plural}.json"), words);
    }
    // A selection is no complete listing, so the file must not have the name of one.
    words.extend(owned(&["-l", labels]));
    (format!("{file}/{plural}-selected.json"), words)
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// A word as a POSIX shell reads it back unchanged.
fn quote(word: impl AsRef<str>) -> String {
    let word = word.as_ref();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_paste_as_they_are() {
        let query = Need::Http {
            namespace: "mon".into(),
            pod: "p".into(),
            port: 9090,
            path: "/api/v1/query?query=up{a='b'}".into(),
        };
        let log = Need::Log {
            namespace: "mon".into(),
            pod: "p".into(),
            container: "c".into(),
            previous: true,
        };
        let set = Need::object(Kind::StatefulSet, "mon", "k8s");
        let flags = ["--context".to_owned(), "my prod".to_owned()];
        let lines = record_commands(&[query, log, set, Need::list(Kind::Pod, "mon")], &flags);
        let expected = [
            "# Nothing is redacted: env values and annotations stand in these files.",
            "mkdir -p prom-fix-bundle",
            "mkdir -p prom-fix-bundle/http/mon/p/9090",
            "mkdir -p prom-fix-bundle/logs/mon/p",
            "mkdir -p prom-fix-bundle/objects/mon",
            "mkdir -p prom-fix-bundle/objects/one/mon/statefulsets.apps",
            "date -u +%Y-%m-%dT%H:%M:%SZ > prom-fix-bundle/clock",
            "kubectl --context 'my prod' get --raw \
             '/api/v1/namespaces/mon/pods/p:9090/proxy/api/v1/query?query=up%7Ba='\\''b'\\''%7D' > \
             prom-fix-bundle/http/mon/p/9090/_api_v1_query%3Fquery%3Dup%7Ba%3D%27b%27%7D",
            "kubectl --context 'my prod' logs -n mon p -c c --tail=1500 --previous > \
             prom-fix-bundle/logs/mon/p/c.previous.log",
            "kubectl --context 'my prod' get pods -n mon -o json --show-managed-fields > \
             prom-fix-bundle/objects/mon/pods.json",
            "kubectl --context 'my prod' get statefulsets.apps k8s -n mon -o json \
             --show-managed-fields > \
             prom-fix-bundle/objects/one/mon/statefulsets.apps/k8s.json",
            "tar czf prom-fix-bundle.tar.gz prom-fix-bundle",
        ];
        assert_eq!(lines, expected);
    }
}
