//! Bundles: our own layout, the ones of others, broken ones, and what is recorded and read again.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::World;
use super::bundle::{Bundle, BundleError, http_name};
use super::record::{RecordError, Recorder};
use crate::model::fact::{Fact, Need, Seen};
use crate::model::object::Kind;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    dir
}

fn open(dir: &tempfile::TempDir) -> Bundle {
    Bundle::open(dir.path()).expect("a bundle")
}

fn ask(bundle: &Bundle, need: Need) -> Fact {
    bundle.read(vec![need]).pop().expect("one answer").1
}

fn unreadable(why: &str) -> Fact {
    Fact::Unreadable(why.into())
}

fn log(container: &str, previous: bool) -> Need {
    Need::Log { namespace: "mon".into(), pod: "p".into(), container: container.into(), previous }
}

fn http(path: &str) -> Need {
    Need::Http { namespace: "mon".into(), pod: "p".into(), port: 9090, path: path.into() }
}

fn may(verb: &'static str) -> Need {
    Need::May { verb, kind: Kind::Pod, subresource: "", namespace: "mon".into() }
}

const POD: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: p, namespace: mon, labels: {app: x}, creationTimestamp: \"2026-01-02T03:04:05Z\"}
  status: {containerStatuses: [{name: c, restartCount: 0}]}
";

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "mon", "labels": {"app": "x"},
            "creationTimestamp": "2026-01-02T03:04:05Z"},
        "status": {"containerStatuses": [{"name": "c", "restartCount": 0}]}})
}

#[test]
fn a_complete_listing_makes_absent_and_a_missing_one_does_not() {
    let dir = folder(&[
        ("objects/pods.yaml", POD),
        (
            "objects/prometheuses.json",
            "{\"kind\":\
        \"List\",\"apiVersion\":\"v1\",\"items\":[]}",
        ),
    ]);
    let bundle = open(&dir);
    let list = |labels: &str| Need::List {
        kind: Kind::Pod,
        namespace: Some("mon".into()),
        labels: labels.into(),
    };
    let rows = [
        (Need::object(Kind::Pod, "mon", "p"), Fact::Known(Seen::Object(pod()))),
        (Need::object(Kind::Pod, "mon", "q"), Fact::Absent),
        (Need::object(Kind::Pod, "other", "q"), unreadable("not recorded")),
        (list(""), Fact::Known(Seen::List(vec![pod()]))),
        (list("app=x"), Fact::Known(Seen::List(vec![pod()]))),
        (list("app=y"), Fact::Known(Seen::List(vec![]))),
        (Need::list_all(Kind::Pod), Fact::Known(Seen::List(vec![pod()]))),
        (Need::list(Kind::Prometheus, "mon"), Fact::Known(Seen::List(vec![]))),
        (Need::list(Kind::RhobsPrometheus, "mon"), unreadable("not recorded")),
        (Need::list(Kind::Service, "mon"), unreadable("not recorded")),
        (Need::object(Kind::Node, "", "a"), unreadable("not recorded")),
        (log("c", true), Fact::Absent),
        (log("c", false), unreadable("not recorded")),
        (may("get"), unreadable("not recorded")),
    ];
    for (need, expected) in rows {
        assert_eq!(ask(&bundle, need.clone()), expected, "{need:?}");
    }
    assert_eq!(bundle.namespace(), "mon");
    assert_eq!(bundle.clock().to_string(), "2026-01-02T03:04:05Z");
    let path = dir.path().display().to_string();
    assert_eq!(bundle.context().flags, ["--bundle".to_owned(), path]);
}

#[test]
fn logs_answers_reviews_and_the_clock() {
    let bundle = open(&folder(&[
        ("clock", "2026-05-01T00:00:00Z\n"),
        ("objects/some.yaml", POD),
        ("logs/mon/p/c.log", "now\n"),
        ("logs/mon/p/c.previous.log", "before\n"),
        ("http/mon/p/9090/_-_ready.503", "Service Unavailable"),
        ("http/mon/p/9090/_api%3Fa%3Db", "{}"),
        ("http/mon/p/9090/_failed", ""),
        ("may.json", "{\"may get v1 Pod mon\": false}"),
        ("data/mon/claim/wal/00000001", "\0"),
    ]));
    let answer = |status, body: &str| Fact::Known(Seen::Http { status, body: body.into() });
    let rows = [
        (log("c", false), Fact::Known(Seen::Log("now\n".into()))),
        (log("c", true), Fact::Known(Seen::Log("before\n".into()))),
        (http("/-/ready"), answer(503, "Service Unavailable")),
        (http("/api?a=b"), answer(200, "{}")),
        (http("/failed"), unreadable("not recorded")),
        (http("/other"), unreadable("not recorded")),
        (may("get"), Fact::Known(Seen::May(false))),
        // `some.yaml` is not named after a kind, so it is no complete listing.
        (Need::object(Kind::Pod, "mon", "q"), unreadable("not recorded")),
    ];
    for (need, expected) in rows {
        assert_eq!(ask(&bundle, need.clone()), expected, "{need:?}");
    }
    assert_eq!(bundle.clock().to_string(), "2026-05-01T00:00:00Z");
}

#[test]
fn answers_have_file_names_that_no_path_escapes() {
    assert_eq!(http_name("/api/v1/a_b?x=../.."), "_api_v1_a%5Fb%3Fx%3D.._..");
    let long = http_name(&format!("/query?q={}", "x".repeat(400)));
    assert_eq!(long.len(), 150 + 1 + 16);
    assert_ne!(long, http_name(&format!("/query?q={}", "x".repeat(401))));
}

#[test]
fn what_does_not_parse_is_named() {
    let rows = [
        ("objects/pods.yaml", "a: [1\n"),
        ("objects/pods.yaml", "just words\n"),
        ("objects/pods.json", "{\"a\": \u{0}"),
        ("clock", "yesterday"),
        ("recorded.json", "{\"namespaces\": 1}"),
    ];
    for (name, text) in rows {
        let dir = folder(&[(name, text), ("objects/nodes.yaml", "")]);
        match Bundle::open(dir.path()) {
            Err(BundleError::NotParsed { file, .. }) => assert_eq!(file, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let missing = Bundle::open(Path::new("/no/such/bundle")).expect_err("missing");
    assert_eq!(missing.to_string(), "bundle /no/such/bundle does not exist");
    let strange = folder(&[("readme.txt", "hello")]);
    assert!(matches!(Bundle::open(strange.path()), Err(BundleError::NoLayout { .. })));
}

#[test]
fn one_file_of_objects_is_complete_for_what_is_in_it() {
    let dir = folder(&[("one.yaml", POD), ("none.yaml", "a: 1\n")]);
    let bundle = Bundle::open(&dir.path().join("one.yaml")).expect("a bundle");
    assert_eq!(ask(&bundle, Need::object(Kind::Pod, "mon", "q")), Fact::Absent);
    assert_eq!(ask(&bundle, Need::list(Kind::Service, "mon")), unreadable("not recorded"));
    let none = Bundle::open(&dir.path().join("none.yaml"));
    assert!(matches!(none, Err(BundleError::NoLayout { .. })));
}

#[test]
fn a_cluster_info_dump_has_pods_and_no_owners() {
    let pods = json!({"kind": "PodList", "apiVersion": "v1",
        "items": [{"metadata": {"name": "p", "namespace": "mon"}}]});
    let logs = "==== START logs for container c of pod mon/p ====\na\nb\n\
                ==== END logs for container c of pod mon/p ====\n\
                ==== START logs for container d of pod mon/p ====\nRequest log error: no\n\
                ==== END logs for container d of pod mon/p ====\n";
    let bundle = open(&folder(&[
        ("dump/nodes.json", "{\"kind\": \"NodeList\", \"apiVersion\": \"v1\", \"items\": null}"),
        ("dump/mon/pods.json", &pods.to_string()),
        ("dump/mon/p/logs.txt", logs),
    ]));
    let object = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "mon"}});
    let rows = [
        (Need::list(Kind::Pod, "mon"), Fact::Known(Seen::List(vec![object]))),
        (Need::list_all(Kind::Node), Fact::Known(Seen::List(vec![]))),
        (Need::list(Kind::StatefulSet, "mon"), unreadable("not recorded")),
        (log("c", false), Fact::Known(Seen::Log("a\nb\n".into()))),
        (log("d", false), unreadable("no")),
    ];
    for (need, expected) in rows {
        assert_eq!(ask(&bundle, need.clone()), expected, "{need:?}");
    }
}

#[test]
fn a_support_bundle_and_a_must_gather_are_read() {
    let pods = json!({"kind": "PodList", "apiVersion": "v1", "items": [pod()]}).to_string();
    let crs = "[{\"apiVersion\": \"monitoring.coreos.com/v1\", \"kind\": \"Prometheus\", \
               \"metadata\": {\"name\": \"k8s\", \"namespace\": \"mon\"}}]";
    let support = folder(&[
        ("sb/cluster-resources/pods/mon.json", &pods),
        ("sb/cluster-resources/pods/logs/mon/p/c.log", "now"),
        ("sb/cluster-resources/pods/logs/mon/p/c-previous.log", "before"),
        ("sb/cluster-resources/pods-errors.json", "[\"x\"]"),
        ("sb/cluster-resources/custom-resources/prometheuses.monitoring.coreos.com/mon.json", crs),
        ("sb/cluster-info/cluster_version.json", "{}"),
    ]);
    let gather = folder(&[
        ("mg/quay/namespaces/mon/core/pods.yaml", &pods),
        ("mg/quay/namespaces/mon/pods/p/c/c/logs/current.log", "now"),
        ("mg/quay/namespaces/mon/pods/p/c/c/logs/previous.log", "before"),
        (
            "mg/quay/namespaces/mon/monitoring.coreos.com/prometheuses/k8s.yaml",
            crs.trim_matches(&['[', ']'][..]),
        ),
        (
            "mg/quay/cluster-scoped-resources/core/nodes/n.yaml",
            "kind: Node\napiVersion: v1\n\
            metadata: {name: n}\n",
        ),
        ("mg/quay/cluster-scoped-resources/core/strange/n.yaml", "a: ["),
    ]);
    for dir in [&support, &gather] {
        let bundle = open(dir);
        assert_eq!(
            ask(&bundle, Need::list(Kind::Pod, "mon")),
            Fact::Known(Seen::List(vec![pod()]))
        );
        assert_eq!(ask(&bundle, log("c", false)), Fact::Known(Seen::Log("now".into())));
        assert_eq!(ask(&bundle, log("c", true)), Fact::Known(Seen::Log("before".into())));
        let prometheus = ask(&bundle, Need::object(Kind::Prometheus, "mon", "k8s"));
        assert!(matches!(prometheus, Fact::Known(_)), "{prometheus:?}");
    }
    assert!(matches!(ask(&open(&gather), Need::object(Kind::Node, "", "n")), Fact::Known(_)));
}

/// A bundle with every kind of answer, and the needs that meet each of them.
fn rich() -> (tempfile::TempDir, Vec<Need>) {
    let recorded = json!({"version": "x", "namespaces": ["mon"], "namespace": "mon",
        "context": {"name": "prod", "server": "https://s", "user": "eve"},
        "lists": ["list v1 Pod mon", "list v1 ConfigMap mon a=b", "list apps/v1 DaemonSet mon"],
        "absent": ["list monitoring.coreos.com/v1 Prometheus mon", "get v1 Node gone",
            "previous mon/p/c"],
        "denied": [{"need": "list v1 Node *", "why": "forbidden: cannot list"}]});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m",
        "namespace": "mon", "labels": {"a": "b"}, "managedFields": [{"manager": "x"}]}});
    let dir = folder(&[
        ("clock", "2026-05-01T00:00:00Z\n"),
        ("recorded.json", &recorded.to_string()),
        ("may.json", "{\"may get v1 Pod mon\": true}"),
        ("rules.json", "{\"rules mon\": {\"resourceRules\": [], \"incomplete\": true}}"),
        ("objects/pods.yaml", POD),
        ("objects/some.json", &map.to_string()),
        ("logs/mon/p/c.log", ""),
        ("http/mon/p/9090/_-_ready.503", "no"),
        ("http/mon/p/9090-loopback/_-_ready.200", "yes"),
    ]);
    let path = "/-/ready".to_owned();
    let forward = Need::Forward { namespace: "mon".into(), pod: "p".into(), port: 9090, path };
    let selected =
        Need::List { kind: Kind::ConfigMap, namespace: Some("mon".into()), labels: "a=b".into() };
    let needs = vec![
        Need::list(Kind::Pod, "mon"),
        Need::object(Kind::Pod, "mon", "p"),
        Need::object(Kind::Pod, "mon", "none"),
        Need::list(Kind::DaemonSet, "mon"),
        Need::list(Kind::Prometheus, "mon"),
        Need::list_all(Kind::Node),
        Need::object(Kind::Node, "", "gone"),
        Need::object(Kind::ConfigMap, "mon", "m"),
        Need::object(Kind::ConfigMap, "mon", "other"),
        selected,
        log("c", false),
        log("c", true),
        log("never", false),
        http("/-/ready"),
        forward,
        may("get"),
        may("patch"),
        Need::Rules { namespace: "mon".into() },
        Need::Rules { namespace: "other".into() },
    ];
    (dir, needs)
}

async fn record(dir: &Path, needs: &[Need], to: &Path) -> (Vec<(Need, Fact)>, Vec<String>) {
    let bundle = World::Bundle(Bundle::open(dir).expect("a bundle"));
    let world = World::Record(Box::new(Recorder::new(bundle)));
    let facts = world.read(needs.to_vec()).await;
    let World::Record(recorder) = world else { panic!("a recorder") };
    (facts, recorder.finish(to).expect("written"))
}

#[tokio::test]
async fn recorded_nodes_are_the_complete_listing() {
    let node = json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n"}});
    let dir = folder(&[
        ("clock", "2026-05-01T00:00:00Z\n"),
        ("objects/nodes.json", &json!({"kind": "List", "items": [node]}).to_string()),
    ]);
    let need = Need::Nodes { labels: vec!["pool".into()] };
    let to = dir.path().join("again");
    let (facts, _) = record(dir.path(), std::slice::from_ref(&need), &to).await;
    assert_eq!(facts, [(need.clone(), Fact::Known(Seen::List(vec![node])))]);
    let again = Bundle::open(&to).expect("a bundle");
    assert_eq!(vec![(need.clone(), ask(&again, need))], facts);
    assert_eq!(ask(&again, Need::object(Kind::Node, "", "other")), Fact::Absent);
}

#[tokio::test]
async fn what_is_recorded_answers_every_need_with_the_same_fact() {
    let (dir, needs) = rich();
    let out = tempfile::tempdir().expect("a directory");
    for name in ["folder", "file.tar.gz", "file.tgz"] {
        let to: PathBuf = out.path().join(name);
        let (facts, lines) = record(dir.path(), &needs, &to).await;
        assert_eq!(lines, Vec::<String>::new());
        let again = Bundle::open(&to).expect("our own bundle");
        assert_eq!(again.read(needs.clone()), facts, "{name}");
        assert_eq!(again.clock().to_string(), "2026-05-01T00:00:00Z");
        assert_eq!(again.namespace(), "mon");
        assert_eq!(again.context().server, "https://s");
    }
    let (_, denied) = &open(&dir).read(vec![Need::list_all(Kind::Node)])[0];
    assert_eq!(*denied, unreadable("forbidden: cannot list"));
}

#[tokio::test]
async fn redactions_are_listed_by_place() {
    let secret = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: \
                  {name: p, namespace: mon}, spec: {containers: [{env: [{name: A, value: b}]}]}}\n\
                  - {apiVersion: v1, kind: Secret, metadata: {name: s, namespace: mon}}\n";
    let dir = folder(&[("objects/pods.yaml", secret)]);
    let out = tempfile::tempdir().expect("a directory");
    let to = out.path().join("b");
    let (_, lines) = record(dir.path(), &[Need::list(Kind::Pod, "mon")], &to).await;
    assert_eq!(lines, ["pod/p -n mon: 1 env values"]);
    let text = std::fs::read_to_string(to.join("objects/pods.json")).expect("written");
    assert!(text.contains("<redacted>") && !text.contains("Secret"), "{text}");

    let bundle = World::Bundle(Bundle::open(dir.path()).expect("a bundle"));
    let error = Recorder::new(bundle).finish(&to).expect_err("exists");
    assert!(matches!(error, RecordError::Exists { .. }), "{error}");
}

#[tokio::test]
async fn an_archive_that_is_cut_short_is_an_error_at_every_length() {
    let (dir, needs) = rich();
    let out = tempfile::tempdir().expect("a directory");
    let to = out.path().join("b.tar.gz");
    record(dir.path(), &needs, &to).await;
    let bytes = std::fs::read(&to).expect("read");
    let cut = out.path().join("cut.tar.gz");
    for length in (10..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        std::fs::write(&cut, &bytes[..length]).expect("written");
        match Bundle::open(&cut) {
            Err(BundleError::Damaged { .. }) => {}
            other => panic!("{length} of {}: {other:?}", bytes.len()),
        }
    }
}

#[test]
fn an_archive_that_leads_out_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("evil.tar");
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    // `append_data` refuses such a name itself, so the bytes of the header are set.
    header.as_mut_bytes()[..10].copy_from_slice(b"../objects");
    header.set_size(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    builder.append(&header, std::io::empty()).expect("appended");
    std::fs::write(&path, builder.into_inner().expect("bytes")).expect("written");
    assert!(matches!(Bundle::open(&path), Err(BundleError::Escapes { .. })));
}

#[test]
fn of_a_definition_in_a_bundle_the_schema_is_let_go() {
    let text = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
                metadata: {name: a.b}\nspec: {versions: [{schema: {}}]}\n";
    let bundle = open(&folder(&[("objects/definition.yaml", text)]));
    let need = Need::object(Kind::CustomResourceDefinition, "", "a.b");
    let object = json!({"apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition", "metadata": {"name": "a.b"}});
    assert_eq!(ask(&bundle, need), Fact::Known(Seen::Object(object)));
}
