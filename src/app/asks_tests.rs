//! What a run costs: each fact is one request. Read from a recording, so that it holds without a
//! cluster: the numbers here may only fall.

use serde_json::{Value, json};

use super::{Ask, asks};
use crate::classes::Given;
use crate::model::{Fact, Kind, Need, Seen, Snapshot};
use crate::source::bundle::Bundle;
use crate::source::{self, World};
use crate::subject::discover::Target;

const CLOCK: &str = "2026-11-22T18:00:00Z";
const SERVING: &str = "level=info msg=\"Server is ready to receive web requests.\"\n";

/// A recording of two replicas in `mon`, of which the first has trouble.
struct Recording {
    dir: tempfile::TempDir,
    pods: [Value; 2],
    above: Vec<Value>,
    /// What no recording holds.
    known: Vec<(Need, Fact)>,
}

fn of_controller(name: &str, controller: &Value) -> Value {
    let owner = json!([{"apiVersion": controller["apiVersion"], "kind": controller["kind"],
        "name": controller["metadata"]["name"], "uid": controller["metadata"]["uid"],
        "controller": true}]);
    json!({"name": name, "namespace": "mon", "uid": name, "generation": 1,
        "labels": {"app": "p", "pod-template-hash": "abc"}, "ownerReferences": owner})
}

fn spec() -> Value {
    json!({"nodeName": "n1",
        "containers": [{"name": "prometheus", "image": "quay.io/prometheus/prometheus:v3.5.3",
            "args": ["--config.file=/c", "--storage.tsdb.path=/prometheus"],
            "ports": [{"name": "web", "containerPort": 9090}],
            "resources": {"limits": {"memory": "1Gi"}},
            "volumeMounts": [{"name": "data", "mountPath": "/prometheus"}]}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]})
}

fn workload(kind: &str, metadata: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata,
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "p"}},
            "template": {"metadata": {"labels": {"app": "p"}}, "spec": spec()}}})
}

fn plain(name: &str) -> Value {
    json!({"name": name, "namespace": "mon", "uid": name, "generation": 1})
}

fn pod(name: &str, controller: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": of_controller(name, controller),
        "spec": spec(),
        "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "prometheus", "ready": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-11-22T10:00:00Z"}}}]}})
}

impl Recording {
    /// Of workloads, with nodes whose pods nobody recorded: all are asked for.
    fn of(mut above: Vec<Value>, controller: &Value) -> Recording {
        above.extend(["n1", "n2", "n3"].map(|name| {
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
                "status": {"allocatable": {"memory": "64Gi"}}})
        }));
        let pods = ["p-0", "p-1"].map(|name| pod(name, controller));
        Recording { dir: tempfile::tempdir().expect("a directory"), pods, above, known: Vec::new() }
    }

    fn set() -> Recording {
        let set = workload("StatefulSet", plain("p"));
        Recording::of(vec![set.clone()], &set)
    }

    fn deployment() -> Recording {
        let deployment = workload("Deployment", plain("p"));
        let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "p-abc", "uid": "rs"}});
        Recording::of(vec![deployment], &set)
    }

    /// Of a resource, with an operator in another namespace that is found by `label`.
    fn operated(label: &str, value: &str, tag: &str) -> Recording {
        let resource = json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
            "metadata": plain("k8s"), "spec": {"replicas": 2}});
        let set = workload("StatefulSet", of_controller("prometheus-k8s", &resource));
        let operator = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "operator", "namespace": "ops", "labels": {label: value}},
            "spec": {"template": {"spec": {"containers": [{"name": "o",
                "image": format!("quay.io/prometheus-operator/prometheus-operator:{tag}")}]}}},
            "status": {"readyReplicas": 1}});
        Recording::of(vec![resource, set.clone(), operator], &set)
    }

    /// The first replica's last run ended so, and it waits, or runs again.
    fn ended(mut self, reason: &str, code: i64, running: bool) -> Recording {
        let state = match running {
            true => json!({"running": {"startedAt": "2026-11-22T17:59:30Z"}}),
            false => json!({"waiting": {"reason": "CrashLoopBackOff"}}),
        };
        let end = json!({"terminated": {"reason": reason, "exitCode": code,
            "startedAt": "2026-11-22T17:50:00Z", "finishedAt": "2026-11-22T17:59:00Z"}});
        self.pods[0]["status"]["conditions"][0]["status"] = json!("False");
        let status = &mut self.pods[0]["status"]["containerStatuses"][0];
        status["ready"] = json!(false);
        status["restartCount"] = json!(6);
        status["state"] = state;
        status["lastState"] = end;
        self
    }

    fn logged(self, file: &str, text: &str) -> Recording {
        self.write(&format!("logs/mon/p-0/{file}.log"), text);
        self
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    fn with(mut self, objects: &[Value]) -> Recording {
        self.above.extend_from_slice(objects);
        self
    }

    /// Requests, rounds and facts of a run; panics where something was cut off.
    async fn cost(&self, class: Option<&'static str>, target: &str, all: bool) -> Cost {
        self.cost_of((class, target), (!all).then_some("mon"), false).await
    }

    async fn cost_of(
        &self,
        (class, target): (Option<&'static str>, &str),
        scope: Option<&str>,
        proving: bool,
    ) -> Cost {
        self.write("clock", CLOCK);
        for kind in Kind::all() {
            let dot = if kind.group().is_empty() { "" } else { "." };
            let is = |o: &&Value| o["kind"] == kind.name() && o["apiVersion"] == kind.api_version();
            let items: Vec<&Value> = self.above.iter().chain(&self.pods).filter(is).collect();
            let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
            let file = format!("objects/{}{dot}{}.json", kind.plural(), kind.group());
            self.write(&file, &list.to_string());
        }
        let target = match target.split_once('/') {
            Some((kind, name)) => {
                let kind = Kind::all().find(|k| k.short() == kind).expect("a kind");
                Target::Named { kind, name: name.into() }
            }
            None => Target::All { labels: String::new() },
        };
        let given = Given::new();
        let ask = Ask { class, target: &target, word: None, given: &given, proving };
        let world = World::Bundle(Bundle::open(self.dir.path()).expect("a bundle"));
        let mut seen = Snapshot::new(CLOCK.parse().expect("a time"));
        seen.facts.extend(self.known.clone());
        let rounds =
            source::gather(&world, &mut seen, &mut |seen| asks::of(&ask, scope, seen)).await;
        let left: Vec<Need> =
            asks::of(&ask, scope, &seen).into_iter().filter(|n| !seen.asked(n)).collect();
        assert!(left.is_empty(), "cut off after {rounds} rounds: {left:?}");
        Cost { requests: seen.facts.len(), rounds, seen }
    }
}

struct Cost {
    requests: usize,
    rounds: usize,
    seen: Snapshot,
}

impl Cost {
    fn asked(&self, need: &Need) -> bool {
        matches!(
            self.seen.facts.get(need),
            Some(Fact::Known(_) | Fact::Absent | Fact::Unreadable(_))
        )
    }
}

const ALLOWED: &str = r#"{"rules mon": {"incomplete": false, "resourceRules": [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}}"#;

/// What each run may cost at most: requests, rounds.
#[tokio::test]
async fn a_run_stays_cheap() {
    let component = ("app.kubernetes.io/component", "controller");
    let operated = || Recording::operated(component.0, component.1, "v0.85.0");
    let newer = || Recording::operated(component.0, component.1, "v0.92.0");
    let other_label = || Recording::operated("app", "kube-prometheus-stack-operator", "v0.85.0");
    let oom = |r: Recording| r.ended("OOMKilled", 137, false).logged("prometheus", SERVING);
    let rows = [
        ("set", oom(Recording::set()), Some("oom"), "sts/p", false, (16, 3)),
        ("pod of a set", oom(Recording::set()), Some("oom"), "pod/p-0", false, (16, 3)),
        ("deployment", oom(Recording::deployment()), Some("oom"), "deploy/p", false, (16, 3)),
        ("its pod", oom(Recording::deployment()), Some("oom"), "pod/p-0", false, (17, 3)),
        ("operator", oom(operated()), Some("oom"), "prometheus/k8s", false, (18, 3)),
        ("newer operator", oom(newer()), Some("oom"), "prometheus/k8s", false, (19, 3)),
        ("its other label", oom(other_label()), Some("oom"), "prometheus/k8s", false, (19, 3)),
        (
            "between kills",
            operated().ended("OOMKilled", 137, true).logged("prometheus", SERVING),
            Some("oom"),
            "prometheus/k8s",
            false,
            // Three nodes without room are counted here; each node with room ends the count.
            (19, 3),
        ),
        (
            "between kills, its other label",
            other_label().ended("OOMKilled", 137, true).logged("prometheus", SERVING),
            Some("oom"),
            "prometheus/k8s",
            false,
            (20, 3),
        ),
        (
            "no log",
            operated().ended("OOMKilled", 137, false),
            Some("oom"),
            "prometheus/k8s",
            false,
            (19, 3),
        ),
        ("another class", oom(operated()), Some("wal"), "prometheus/k8s", false, (12, 2)),
        ("diagnose", oom(operated()), None, "", false, (23, 3)),
        ("everywhere", oom(operated()), None, "", true, (22, 4)),
        // Without its log a server is asked what it has counted.
        ("healthy", operated(), None, "", false, (19, 3)),
    ];
    for (name, recording, class, target, all, (requests, rounds)) in rows {
        recording.write("rules.json", ALLOWED);
        let cost = recording.cost(class, target, all).await;
        let needs: Vec<&Need> = cost.seen.facts.keys().collect();
        assert!(cost.requests <= requests, "{name}: {} requests: {needs:#?}", cost.requests);
        assert!(cost.rounds <= rounds, "{name}: {} rounds", cost.rounds);
    }
}

/// Every few seconds after a repair: no way, no plan, no room on nodes, nothing of others.
#[tokio::test]
async fn a_look_of_a_proof_reads_the_pods_and_little_else() {
    let component = ("app.kubernetes.io/component", "controller");
    let rows = [
        ("oom", Recording::set().ended("OOMKilled", 137, false), "sts/p", 7),
        ("bind", Recording::set(), "sts/p", 7),
        ("bind", Recording::operated(component.0, component.1, "v0.92.0"), "prometheus/k8s", 9),
    ];
    for (class, recording, target, most) in rows {
        let whole = recording.cost(Some(class), target, false).await.requests;
        let brief = recording.cost_of((Some(class), target), Some("mon"), true).await;
        let needs: Vec<&Need> = brief.seen.facts.keys().collect();
        assert!(brief.requests <= most, "{class}: {} of {whole}: {needs:#?}", brief.requests);
        let http = needs.iter().any(|need| matches!(need, Need::Http { .. } | Need::Nodes { .. }));
        assert!(!http && brief.requests + 4 < whole, "{class}: {} of {whole}", brief.requests);
    }
}

/// How far a replay is decides nothing about a pod that was killed for memory a minute ago.
#[tokio::test]
async fn the_replay_is_asked_about_unless_a_kill_is_the_news() {
    for (reason, code, asked) in [("OOMKilled", 137, false), ("Error", 2, true)] {
        let recording = Recording::set().ended(reason, code, true).logged("prometheus", SERVING);
        let cost = recording.cost(Some("wal"), "sts/p", false).await;
        let path = "/api/v1/status/walreplay";
        assert_eq!(cost.asked(&Need::http(&recording.pods[0], 9090, path)), asked, "{reason}");
    }
}

/// Pods of other nodes only where the node of the broken pod has no room left, and then those of
/// all in one.
#[tokio::test]
async fn the_node_of_the_broken_pod_is_looked_at_first() {
    let on = |node: &str| Need::PodsOn { node: node.into() };
    let other = |memory: &str| {
        json!({"metadata": {"uid": "other"}, "spec": {"nodeName": "n1", "containers": [
            {"resources": {"requests": {"memory": memory}}}]}})
    };
    for (memory, others) in [("1Gi", false), ("63Gi", true)] {
        let mut recording = Recording::set().ended("OOMKilled", 137, false);
        recording.known = vec![(on("n1"), Fact::Known(Seen::List(vec![other(memory)])))];
        let recording = recording.logged("prometheus", SERVING);
        recording.write("rules.json", ALLOWED);
        let cost = recording.cost(Some("oom"), "sts/p", false).await;
        let but = Need::PodsBut { nodes: vec!["n1".into()] };
        assert_eq!(cost.asked(&but), others, "{memory}");
        assert!(!cost.asked(&on("n2")) && !cost.asked(&on("n3")), "{memory}");
    }
}

/// One question about several nodes names all others: of many it would be too long.
#[tokio::test]
async fn among_many_nodes_each_is_asked_about_by_itself() {
    let closed = |n| {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("closed-{n:02}")},
            "spec": {"unschedulable": true}})
    };
    let on = |node: &str| Need::PodsOn { node: node.into() };
    // n1 is left out as well.
    for (many, together) in [(19, true), (20, false)] {
        let nodes: Vec<Value> = (0..many).map(closed).collect();
        let recording = Recording::set().ended("OOMKilled", 137, false).with(&nodes);
        let recording = recording.logged("prometheus", SERVING);
        recording.write("rules.json", ALLOWED);
        let cost = recording.cost(Some("oom"), "sts/p", false).await;
        assert_eq!([cost.asked(&on("n2")), cost.asked(&on("n3"))], [!together; 2], "{many}");
    }
}

/// Single questions only where the rules leave one open.
#[tokio::test]
async fn rights_are_asked_one_by_one_only_where_the_list_is_incomplete() {
    let incomplete = r#"{"rules mon": {"incomplete": true, "resourceRules": []}}"#;
    for (rules, singles) in [(ALLOWED, false), (incomplete, true)] {
        let recording = Recording::set().ended("OOMKilled", 137, false);
        let recording = recording.logged("prometheus", SERVING);
        recording.write("rules.json", rules);
        let cost = recording.cost(Some("oom"), "sts/p", false).await;
        let asked = cost.seen.facts.keys().any(|n| matches!(n, Need::May { .. }));
        assert_eq!(asked, singles, "{rules}");
        assert!(cost.requests <= 20 && cost.rounds <= 4);
    }
}

/// From "permission denied" to the driver's policy, which decides what heals it.
#[tokio::test]
async fn the_driver_behind_a_refused_directory_is_read() {
    let denied = "level=error err=\"opening storage failed: open /prometheus/queries.active: \
                  permission denied\"\n";
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "mon",
            "annotations": {"volume.kubernetes.io/storage-provisioner": "csi.example.com"}},
        "spec": {"volumeName": "pv1"}});
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "pv1"}, "spec": {"csi": {"driver": "csi.example.com"}}});
    for (target, all) in [("sts/p", false), ("", true)] {
        let recording = Recording::set().ended("Error", 1, false).logged("prometheus", denied);
        let recording = recording.with(&[claim.clone(), volume.clone()]);
        let cost = recording.cost(Some("perms"), target, all).await;
        let driver = Need::object(Kind::CsiDriver, "", "csi.example.com");
        assert!(cost.asked(&driver), "{:#?}", cost.seen.facts.keys());
        assert!(cost.asked(&Need::list(Kind::ControllerRevision, "mon")), "who it ran as before");
        assert!(cost.requests <= 21, "{}", cost.requests);
    }
}
