//! An API server in memory, as far as this room uses one: json patches with their tests,
//! resourceVersion, generation, managedFields, uid preconditions, dry runs, the pod proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

use super::super::cluster::Cluster;
use super::plans;
use crate::model::object::{ObjectExt, ObjectRef};

#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<State>>);

pub(crate) struct State {
    /// By REST path.
    pub objects: BTreeMap<String, Value>,
    /// `PATCH /apis/…`: every request that came, reads left out.
    pub writes: Vec<String>,
    /// `(verb, part of a path, message)`: answered with 403.
    pub forbidden: Vec<(&'static str, &'static str, &'static str)>,
    /// Answered with 503 and done all the same, once: an answer that got lost.
    pub lose: Option<(&'static str, &'static str)>,
    /// From which write on there is no answer, to how many, and whether the first of them is done.
    /// Reads are ridden out below this room.
    pub away: Option<Away>,
    /// What a new pod looks like.
    pub new_pod: Value,
    /// Who else acts, before each request is answered.
    pub meanwhile: Option<Meanwhile>,
    /// Where copies of receipts go.
    pub keep: Option<std::path::PathBuf>,
    version: u64,
    samples: u64,
}

pub(crate) struct Away {
    pub from: usize,
    pub writes: usize,
    pub done: bool,
}

impl Away {
    /// Whether the write of this number is left without an answer; and whether it is done.
    fn takes(&mut self, number: usize) -> Option<bool> {
        if self.writes == 0 || number < self.from {
            return None;
        }
        self.writes -= 1;
        Some(number == self.from && self.done)
    }
}

type Reply = (u16, Value);
type Meanwhile = Box<dyn FnMut(&str, &mut BTreeMap<String, Value>) + Send>;

impl World {
    pub fn new() -> Self {
        let ready = json!({
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "prometheus", "ready": true, "restartCount": 0}],
        });
        let world = World(Arc::new(Mutex::new(State {
            objects: BTreeMap::new(),
            writes: Vec::new(),
            forbidden: Vec::new(),
            lose: None,
            away: None,
            new_pod: ready,
            meanwhile: None,
            keep: None,
            version: 100,
            samples: 0,
        })));
        world.put(&super::set(), plans::workload());
        let system = json!({"metadata": {"name": "kube-system", "uid": "cluster-uid"}});
        world.state().objects.insert("/api/v1/namespaces/kube-system".into(), system);
        let pod = json!({
            "metadata": {"name": "prom-0", "namespace": "mon", "uid": "pod-uid", "resourceVersion": "7"},
            "spec": {"containers": [{"name": "prometheus"}]},
        });
        world.put(&super::pod(), pod);
        world
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds it")
    }

    pub fn put(&self, of: &ObjectRef, object: Value) {
        self.state().objects.insert(of.path(), object);
    }

    pub fn object(&self, of: &ObjectRef) -> Value {
        self.state().objects.get(&of.path()).cloned().unwrap_or_default()
    }

    /// The receipts in the cluster.
    pub fn maps(&self) -> Vec<Value> {
        let state = self.state();
        let maps = state.objects.iter().filter(|(path, _)| path.contains("/configmaps/"));
        maps.map(|(_, map)| map.clone()).collect()
    }

    /// A client of its own: each run of the program has one.
    pub fn cluster(&self) -> Cluster {
        let world = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let world = world.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect_bytes().await?;
                let body = serde_json::from_slice(&bytes).unwrap_or_default();
                let path = parts.uri.path().to_owned();
                let query = parts.uri.query().unwrap_or("").to_owned();
                let (status, body) =
                    world.state().answer(parts.method.as_str(), &path, &query, body);
                let body = match body {
                    Value::String(text) => text,
                    body => body.to_string(),
                };
                Ok::<_, kube::Error>(
                    Response::builder()
                        .status(status)
                        .body(Body::from(body.into_bytes()))
                        .expect("a valid response"),
                )
            }
        });
        let keep = self.state().keep.clone();
        Cluster::keeping(kube::Client::new(service, "default"), keep)
    }
}

fn refusal(status: u16, message: &str) -> Reply {
    (status, json!({"kind": "Status", "code": status, "message": message}))
}

impl State {
    fn answer(&mut self, verb: &str, path: &str, query: &str, body: Value) -> Reply {
        if let Some(mut meanwhile) = self.meanwhile.take() {
            meanwhile(&format!("{verb} {path}"), &mut self.objects);
            self.meanwhile = Some(meanwhile);
        }
        let dry = query.contains("dryRun=All") || body.pointer("/dryRun").is_some();
        if verb != "GET" && !dry {
            self.writes.push(format!("{verb} {path}"));
        }
        let writes = self.writes.len();
        let away = self.away.as_mut().filter(|_| verb != "GET" && !dry);
        let away = away.and_then(|away| away.takes(writes));
        if away == Some(false) {
            return refusal(503, "away");
        }
        for (wanted, part, message) in &self.forbidden {
            if verb == *wanted && path.contains(part) {
                return refusal(403, message);
            }
        }
        let before = dry.then(|| self.objects.clone());
        let reply = match verb {
            "GET" => self.get(path, query),
            "POST" => self.post(path, body),
            "PUT" => self.put(path, body),
            "PATCH" => self.patch(path, &body),
            _ => self.delete(path, &body),
        };
        if let Some(before) = before {
            self.objects = before;
        }
        if away.is_some() {
            return refusal(503, "away");
        }
        match self.lose {
            Some((wanted, part)) if verb == wanted && path.contains(part) => {
                self.lose = None;
                refusal(503, "etcd leader changed")
            }
            _ => reply,
        }
    }

    fn get(&mut self, path: &str, query: &str) -> Reply {
        if path.contains("/proxy/metrics") {
            self.samples += 10;
            let text = format!(
                "prometheus_tsdb_head_samples_appended_total{{type=\"float\"}} {}\n\
                 prometheus_target_scrape_pool_targets{{scrape_job=\"a\"}} 1\n",
                self.samples
            );
            return (200, Value::String(text));
        }
        if let Some(object) = self.objects.get(path) {
            return (200, object.clone());
        }
        let last = path.rsplit('/').next().unwrap_or("");
        if !["configmaps", "statefulsets", "pods"].contains(&last) {
            return refusal(404, "not found");
        }
        let ours = query.contains("managed-by");
        let items: Vec<&Value> = self
            .objects
            .iter()
            .filter(|(at, _)| match path.contains("/namespaces/") {
                true => at.starts_with(&format!("{path}/")),
                false => at.contains(&format!("/{last}/")),
            })
            .map(|(_, object)| object)
            .filter(|o| !ours || o.label("app.kubernetes.io/managed-by") == Some("prom-fix"))
            .collect();
        (200, json!({"items": items, "metadata": {}}))
    }

    fn post(&mut self, path: &str, mut body: Value) -> Reply {
        let at = format!("{path}/{}", body.name());
        if self.objects.contains_key(&at) {
            return refusal(409, "already exists");
        }
        self.version += 1;
        body["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        body["metadata"]["resourceVersion"] = json!(self.version.to_string());
        body["metadata"]["managedFields"] = json!([{"manager": "prom-fix", "operation": "Update"}]);
        self.objects.insert(at, body.clone());
        (201, body)
    }

    fn put(&mut self, path: &str, mut body: Value) -> Reply {
        let Some(live) = self.objects.get(path) else { return refusal(404, "not found") };
        let version = |of: &Value| of.text("/metadata/resourceVersion").to_owned();
        if version(live) != version(&body) {
            return refusal(409, "the object has been modified");
        }
        self.version += 1;
        body["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path.into(), body.clone());
        (200, body)
    }

    fn patch(&mut self, path: &str, ops: &Value) -> Reply {
        let Some(live) = self.objects.get(path) else { return refusal(404, "not found") };
        let mut after = live.clone();
        let mut sets_managers = false;
        for op in ops.as_array().expect("a json patch") {
            let target = op.text("/path");
            let absent = after.pointer(target).is_none();
            if op.text("/op") == "test" && absent && op["value"].is_null() {
                continue;
            }
            sets_managers |= op.text("/op") != "test" && target == "/metadata/managedFields";
            let one: json_patch::Patch =
                serde_json::from_value(json!([op])).expect("an operation of RFC 6902");
            if json_patch::patch(&mut after, &one).is_err() {
                return refusal(
                    422,
                    "the server rejected our request due to an error in our request",
                );
            }
        }
        canonical(&mut after);
        if !sets_managers {
            own(live, &mut after);
        }
        if live["spec"] != after["spec"] {
            let generation = live.number("/metadata/generation").unwrap_or(0) + 1;
            after["metadata"]["generation"] = json!(generation);
            after["status"]["observedGeneration"] = json!(generation);
        }
        self.version += 1;
        after["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path.into(), after.clone());
        let stopping = after.pointer("/metadata/deletionTimestamp").is_some();
        if stopping && after.list("/metadata/finalizers").is_empty() {
            self.remove(path);
        }
        (200, after)
    }

    fn delete(&mut self, path: &str, options: &Value) -> Reply {
        let Some(live) = self.objects.get(path).cloned() else { return refusal(404, "not found") };
        if live.uid() != options.text("/preconditions/uid") {
            return refusal(409, "the UID in the precondition does not match");
        }
        if !live.list("/metadata/finalizers").is_empty() {
            let mut held = live.clone();
            held["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            self.objects.insert(path.into(), held.clone());
            return (200, held);
        }
        self.remove(path);
        (200, live)
    }

    /// What is gone is gone; a pod is made anew by its controller.
    fn remove(&mut self, path: &str) {
        let Some(mut pod) = self.objects.remove(path).filter(|_| path.contains("/pods/")) else {
            return;
        };
        self.version += 1;
        let metadata = pod["metadata"].as_object_mut().expect("every object has metadata");
        metadata.retain(|key, _| {
            ["name", "namespace", "labels", "ownerReferences"].contains(&key.as_str())
        });
        pod["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        pod["status"] = self.new_pod.clone();
        self.objects.insert(path.into(), pod);
    }
}

/// Quantities come back in their canonical form.
fn canonical(object: &mut Value) {
    if let Some(memory) = object.pointer_mut(plans::MEMORY)
        && memory == "2048Mi"
    {
        *memory = json!("2Gi");
    }
}

/// Changed fields of the spec change hands; a field is named one level deep, as an atomic one is.
fn own(before: &Value, after: &mut Value) {
    let keys = |of: &Value| -> BTreeSet<String> {
        of["spec"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    let all: BTreeSet<String> = keys(before).union(&keys(after)).cloned().collect();
    let changed: Vec<&String> =
        all.iter().filter(|key| before["spec"].get(*key) != after["spec"].get(*key)).collect();
    let left: Vec<String> = changed
        .iter()
        .filter(|key| after["spec"].get(**key).is_some())
        .map(|k| format!("f:{k}"))
        .collect();
    let mut ours = json!({});
    let mut entries = Vec::new();
    for mut entry in before.list("/metadata/managedFields").to_vec() {
        if let Some(fields) = entry.pointer_mut("/fieldsV1/f:spec").and_then(Value::as_object_mut) {
            fields.retain(|field, _| !changed.iter().any(|key| *field == format!("f:{key}")));
        }
        match entry.text("/manager") {
            "prom-fix" => ours = entry["fieldsV1"]["f:spec"].clone(),
            _ => entries.push(entry),
        }
    }
    for field in left {
        ours[field] = json!({});
    }
    if ours.as_object().is_some_and(|fields| !fields.is_empty()) {
        entries.push(json!({"manager": "prom-fix", "operation": "Update", "apiVersion": "apps/v1",
            "fieldsV1": {"f:spec": ours}}));
    }
    after["metadata"]["managedFields"] = json!(entries);
}
