//! A healthy Prometheus of one replica, to break one thing of.

use serde_json::{Value, json};

use crate::classes::{ALL, Given, stage};
use crate::model::finding::Danger;
use crate::model::object::Owner;
use crate::model::{
    Fact, Finding, Kind, Need, Next, ObjectRef, Path, Seen, Severity, Snapshot, Unknown, fold,
};
use crate::subject::{Flags, Install, Subject};

pub const CLOCK: &str = "2026-11-22T18:00:00Z";

pub struct World {
    pub subject: Subject,
    pub seen: Snapshot,
    events: Vec<Value>,
}

pub fn healthy() -> World {
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "p", "namespace": "mon", "uid": "set"},
        "spec": {"replicas": 1, "serviceName": "p"},
    });
    let subject = Subject {
        root: ObjectRef::new(Kind::StatefulSet, "mon", "p"),
        root_object: set.clone(),
        owner: Owner {
            api_version: "apps/v1".into(),
            kind: "StatefulSet".into(),
            name: "p".into(),
            uid: "set".into(),
        },
        workloads: vec![set],
        pods: vec![pod()],
        container: "prometheus".into(),
        wanted: 1,
        version: None,
        flags: Flags {
            all: vec![("storage.tsdb.path".into(), "/prometheus".into())],
            ..Flags::default()
        },
        agent: false,
        install: Install::Plain,
        managers: Vec::new(),
    };
    let seen = Snapshot::new(CLOCK.parse().expect("a time"));
    World { subject, seen, events: Vec::new() }
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p-0", "namespace": "mon", "uid": "u1", "labels": {"app": "p"}},
        "spec": {
            "nodeName": "n1",
            "terminationGracePeriodSeconds": 600,
            "securityContext": {"fsGroup": 65534},
            "containers": [{
                "name": "prometheus", "image": "prom/prometheus:v3.5.3",
                "ports": [{"name": "web", "containerPort": 9090}],
                "volumeMounts": [{"name": "data", "mountPath": "/prometheus"}],
                "startupProbe": {
                    "httpGet": {"path": "/-/ready", "port": "web"},
                    "periodSeconds": 15, "failureThreshold": 60,
                },
                "readinessProbe": {"httpGet": {"path": "/-/ready", "port": "web"}},
            }],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-p-0"}}],
        },
        "status": {
            "phase": "Running", "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{
                "name": "prometheus", "ready": true, "restartCount": 0, "image": "i",
                "state": {"running": {"startedAt": "2026-11-22T10:00:00Z"}},
            }],
        },
    })
}

impl World {
    pub fn pod(&mut self) -> &mut Value {
        &mut self.subject.pods[0]
    }

    /// Sets a value of the pod.
    pub fn set(mut self, pointer: &str, value: Value) -> World {
        put(self.pod(), pointer, value);
        self
    }

    pub fn not_ready(self) -> World {
        self.set("/status/conditions/0/status", json!("False"))
            .set("/status/containerStatuses/0/ready", json!(false))
    }

    /// The last run ended a minute ago, and the container waits to be started again.
    pub fn crashed(self, exit: i64, reason: &str, log: &str) -> World {
        let end = json!({
            "exitCode": exit, "reason": reason,
            "startedAt": "2026-11-22T17:40:00Z", "finishedAt": "2026-11-22T17:59:00Z",
        });
        self.not_ready()
            .set("/status/containerStatuses/0/restartCount", json!(6))
            .set("/status/containerStatuses/0/lastState", json!({"terminated": end}))
            .set(
                "/status/containerStatuses/0/state",
                json!({"waiting": {"reason": "CrashLoopBackOff"}}),
            )
            .log(false, log)
            .log(true, log)
    }

    /// It is not ready and runs again since `since`, with this log.
    pub fn running(self, since: &str, log: &str) -> World {
        self.not_ready()
            .set("/status/containerStatuses/0/state", json!({"running": {"startedAt": since}}))
            .log(false, log)
    }

    /// It became ready again after its last end.
    pub fn recovered(self, log: &str) -> World {
        self.running("2026-11-22T17:59:10Z", log)
            .set("/status/conditions/0/status", json!("True"))
            .set("/status/containerStatuses/0/ready", json!(true))
            .set("/status/containerStatuses/0/restartCount", json!(1))
    }

    pub fn log(mut self, previous: bool, text: &str) -> World {
        let need = Need::log(&self.subject.pods[0], "prometheus", previous);
        self.seen.facts.insert(need, Fact::Known(Seen::Log(text.into())));
        self
    }

    pub fn unreadable_log(mut self, previous: bool) -> World {
        let need = Need::log(&self.subject.pods[0], "prometheus", previous);
        self.seen.facts.insert(need, Fact::Unreadable("forbidden".into()));
        self
    }

    pub fn event(mut self, kind: &str, name: &str, reason: &str, message: &str) -> World {
        self.events.push(json!({
            "involvedObject": {"kind": kind, "name": name, "namespace": "mon"},
            "metadata": {"namespace": "mon"}, "reason": reason, "message": message,
            "lastTimestamp": "2026-11-22T17:59:00Z",
        }));
        let events = self.events.clone();
        self.list(Kind::Event, events)
    }

    pub fn pod_event(self, reason: &str, message: &str) -> World {
        self.event("Pod", "p-0", reason, message)
    }

    pub fn list(mut self, kind: Kind, items: Vec<Value>) -> World {
        self.seen.facts.insert(Need::list(kind, "mon"), Fact::Known(Seen::List(items)));
        self
    }

    pub fn object(mut self, kind: Kind, name: &str, value: Value) -> World {
        let need = Need::Object(ObjectRef::new(kind, "mon", name));
        self.seen.facts.insert(need, Fact::Known(Seen::Object(value)));
        self
    }

    pub fn walreplay(mut self, body: &str) -> World {
        let need = Need::http(&self.subject.pods[0], 9090, "/api/v1/status/walreplay");
        let answer = Seen::Http { status: 200, body: body.into() };
        self.seen.facts.insert(need, Fact::Known(answer));
        self
    }

    pub fn fact(mut self, need: Need, fact: Fact) -> World {
        self.seen.facts.insert(need, fact);
        self
    }

    pub fn flag(mut self, name: &str, value: &str) -> World {
        self.subject.flags.all.push((name.into(), value.into()));
        self
    }

    /// The ways to its pods, with what was given on the command line.
    pub fn paths(&self, given: &Given) -> Vec<Path> {
        let (_, findings, _) = self.diagnose_with(given);
        ALL.iter().flat_map(|c| c.job(&self.subject, given).paths(&self.seen, &findings)).collect()
    }

    /// Every class's findings, joined, and the code of the root cause.
    pub fn diagnose(&self) -> (Option<&'static str>, Vec<Finding>, Vec<Unknown>) {
        self.diagnose_with(&Given::new())
    }

    pub fn diagnose_with(
        &self,
        given: &Given,
    ) -> (Option<&'static str>, Vec<Finding>, Vec<Unknown>) {
        let (mut findings, mut unknown) = (Vec::new(), Vec::new());
        for class in ALL {
            let verdict = class.job(&self.subject, given).check(&self.seen);
            findings.extend(verdict.findings);
            unknown.extend(verdict.unknown);
        }
        let root = fold::join(&mut findings, &stage);
        (root.map(|code| code.0), findings, unknown)
    }

    /// What the class of the root cause would do.
    pub fn next(&self) -> Next {
        let (root, findings, _) = self.diagnose();
        let class = root.and_then(|root| root.split_once('/')).map(|(class, _)| class);
        let class = ALL
            .iter()
            .find(|c| class.is_some_and(|name| c.docs().iter().any(|d| d.code.class() == name)));
        let given = Given::new();
        let class = class.expect("a class of the root cause");
        class.job(&self.subject, &given).next(&self.seen, &findings)
    }

    /// What every class asks for beside, once there is a root.
    pub fn needs_to_fix(&self) -> Vec<Need> {
        let given = Given::new();
        let (_, findings, _) = self.diagnose();
        let jobs = ALL.iter().map(|class| class.job(&self.subject, &given));
        jobs.flat_map(|job| job.needs_to_fix(&self.seen, &findings)).collect()
    }

    /// An object of the whole cluster.
    pub fn of_cluster(mut self, kind: Kind, name: &str, value: Value) -> World {
        let need = Need::object(kind, "", name);
        self.seen.facts.insert(need, Fact::Known(Seen::Object(value)));
        self
    }

    /// All findings as `severity code`.
    pub fn told(&self) -> Vec<String> {
        let word = |s| match s {
            Severity::Error => "error",
            Severity::Warn => "warn",
            Severity::Info => "info",
        };
        let (_, findings, _) = self.diagnose();
        findings.iter().map(|f| format!("{} {}", word(f.severity), f.code)).collect()
    }

    /// What the report says above all else.
    pub fn danger(&self) -> Option<Danger> {
        let given = Given::new();
        let all = ALL.iter().map(|class| class.job(&self.subject, &given).check(&self.seen).danger);
        all.flatten().next()
    }

    /// A replica of the first pod, as it is now.
    pub fn replica(mut self, name: &str) -> World {
        let mut other = self.pod().clone();
        put(&mut other, "/metadata/name", json!(name));
        put(&mut other, "/metadata/uid", json!(name));
        self.subject.pods.push(other);
        self
    }

    pub fn needs(&self) -> Vec<Need> {
        let given = Given::new();
        let jobs = ALL.iter().map(|class| class.job(&self.subject, &given).needs(&self.seen));
        let mut all: Vec<Need> = jobs.flatten().collect();
        all.sort();
        all.dedup();
        all
    }
}

/// Sets a value at a pointer, making the objects on the way.
pub fn put(value: &mut Value, pointer: &str, new: Value) {
    let mut at = value;
    for part in pointer.trim_start_matches('/').split('/') {
        at = match at {
            Value::Array(items) => &mut items[part.parse::<usize>().expect("an index")],
            other => {
                if !other.is_object() {
                    *other = json!({});
                }
                other.as_object_mut().expect("an object").entry(part).or_insert(Value::Null)
            }
        };
    }
    *at = new;
}

/// What the agent told of a log with a gap.
pub fn gap_survey() -> Value {
    let kept = json!({"records": 1, "series": 1, "samples": 100});
    json!({
        "judged": {
            "problems": [{"kind": "gap", "log": "wal", "after": 0, "next": 2}],
            "nextStart": {"does": "fails", "why": {"because": "notSequential"}},
            "kept": {"prometheus": kept, "page": kept, "fragment": kept},
        },
        "agreement": "0:1",
    })
}
