//! The API server asked without a start of kubectl, which costs as much of a core as fifty such
//! questions: what tests wait for is asked several times a second, by all of them at once.

use std::cell::RefCell;
use std::time::Duration;

use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// Applies objects server-side, as the manager `helm`, as kubectl does it; `None` where one is of a kind
/// that only kubectl knows the place of.
pub fn apply(namespace: &str, yaml: &str) -> Option<Result<(), String>> {
    let documents = yaml.split("\n---").map(str::trim).filter(|text| !text.is_empty());
    let placed: Option<Vec<_>> =
        documents.map(|text| Some((place(namespace, text)?, text))).collect();
    let one = |(path, text): (String, &str)| {
        let path = format!("{path}?fieldManager=helm&fieldValidation=Strict");
        let sent = patiently("PATCH", &path, "application/apply-patch+yaml", text.as_bytes());
        sent.map_err(|why| format!("{path}: {why}"))
    };
    Some(placed?.into_iter().try_for_each(one))
}

/// What is not asked again by whoever waits for it: a server that is busy is given some seconds.
pub fn patiently(method: &str, path: &str, of: &str, body: &[u8]) -> Result<(), String> {
    let mut tries = 0;
    loop {
        tries += 1;
        match send(method, path, of, body.to_vec()) {
            Ok(_) => return Ok(()),
            Err(why) if tries < 10 && is_passing(&why) => std::thread::sleep(PAUSE),
            Err(why) => return Err(why),
        }
    }
}

fn is_passing(why: &str) -> bool {
    let busy = ["TooManyRequests", "ServiceUnavailable", "ServerTimeout", "429", "503"];
    let away = ["client error", "onnection refused", "onnection reset", "no answer in"];
    busy.iter().chain(&away).any(|words| why.contains(words))
}

/// Where an object of a document is.
fn place(namespace: &str, text: &str) -> Option<String> {
    let object: Value = serde_saphyr::from_str(text).ok()?;
    let word = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (api, kind, name) = (word("/apiVersion")?, word("/kind")?, word("/metadata/name")?);
    let (_, plural) = APPLIED.iter().find(|(known, _)| *known == kind)?;
    let namespace = word("/metadata/namespace").unwrap_or(namespace);
    let group = if api.contains('/') { "apis" } else { "api" };
    Some(format!("/{group}/{api}/namespaces/{namespace}/{plural}/{name}"))
}

/// What tests apply, all of it in a namespace.
const APPLIED: &[(&str, &str)] = &[
    ("ConfigMap", "configmaps"),
    ("Deployment", "deployments"),
    ("Ingress", "ingresses"),
    ("LimitRange", "limitranges"),
    ("NetworkPolicy", "networkpolicies"),
    ("PersistentVolumeClaim", "persistentvolumeclaims"),
    ("Pod", "pods"),
    ("Prometheus", "prometheuses"),
    ("ResourceQuota", "resourcequotas"),
    ("Role", "roles"),
    ("RoleBinding", "rolebindings"),
    ("Secret", "secrets"),
    ("Service", "services"),
    ("ServiceAccount", "serviceaccounts"),
    ("StatefulSet", "statefulsets"),
];

const PAUSE: Duration = Duration::from_secs(1);
/// One answer may hold every sample of a load.
const PATIENCE: Duration = Duration::from_secs(60);

/// Words of kubectl for a kind, and where its objects are: before the namespace, and after it.
const KINDS: &[(&str, &str, &str)] = &[
    ("pod", "/api/v1", "pods"),
    ("pvc", "/api/v1", "persistentvolumeclaims"),
    ("configmap", "/api/v1", "configmaps"),
    ("svc", "/api/v1", "services"),
    ("netpol", "/apis/networking.k8s.io/v1", "networkpolicies"),
    ("sts", "/apis/apps/v1", "statefulsets"),
    ("deploy", "/apis/apps/v1", "deployments"),
    ("prometheus", "/apis/monitoring.coreos.com/v1", "prometheuses"),
];

thread_local! {
    /// A connection belongs to what drives it, and that to its thread.
    static ASKER: RefCell<Option<(Runtime, Client)>> = const { RefCell::new(None) };
}

/// What is at a path; the error is in the words of the server, or of the connection.
pub fn get(path: &str) -> Result<String, String> {
    send("GET", path, "", Vec::new())
}

/// Makes an object, or deletes one, or posts to what is behind a proxy.
pub fn send(method: &str, path: &str, of: &str, body: Vec<u8>) -> Result<String, String> {
    let mut request = http::Request::builder().method(method).uri(path);
    if !of.is_empty() {
        request = request.header("content-type", of);
    }
    let request = request.body(body).expect("a path");
    ASKER.with_borrow_mut(|asker| {
        let (runtime, client) = asker.get_or_insert_with(connect);
        let asked = async { tokio::time::timeout(PATIENCE, client.request_text(request)).await };
        match runtime.block_on(asked) {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(e)) => Err(e.to_string()),
            Err(_) => Err(format!("no answer in {PATIENCE:?}")),
        }
    })
}

fn connect() -> (Runtime, Client) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = runtime.block_on(async {
        let mut config = Config::infer().await.expect("of KUBECONFIG");
        // A server that is not ready answers 503, and is asked again by whoever waits for it.
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    });
    (runtime, client)
}

pub fn get_json(path: &str) -> Result<Value, String> {
    get(path).and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string()))
}

/// The path of `pod/prom-0`, or of all `pod`; none where the kind is not one of those asked often.
pub fn path(namespace: &str, what: &str) -> Option<String> {
    let (kind, name) = what.split_once('/').map_or((what, None), |(kind, name)| (kind, Some(name)));
    let (_, group, plural) = KINDS.iter().find(|(word, ..)| *word == kind)?;
    let all = format!("{group}/namespaces/{namespace}/{plural}");
    Some(name.map_or_else(|| all.clone(), |name| format!("{all}/{name}")))
}

/// The names of pods that a selector selects, in order; none where nobody answers.
pub fn pods(namespace: &str, selector: &str) -> Vec<String> {
    let selector = selector.replace('=', "%3D").replace('/', "%2F");
    let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={selector}");
    let found = get_json(&path).unwrap_or_default();
    let all = found.pointer("/items").and_then(Value::as_array).into_iter().flatten();
    let mut names: Vec<String> =
        all.filter_map(|pod| pod.pointer("/metadata/name")?.as_str().map(str::to_owned)).collect();
    names.sort();
    names
}

/// The last lines of a pod's log; nothing where it has none.
pub fn log(namespace: &str, pod: &str, lines: usize) -> String {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?tailLines={lines}");
    get(&path).unwrap_or_default()
}

/// One value by kubectl's path to it, as kubectl prints it: `.items[0].metadata.name`,
/// `.metadata.annotations.a\.b/c`, `.status.conditions[?(@.type=="Ready")].status`. Empty where there
/// is none; of several, the first.
pub fn value(object: &Value, path: &str) -> String {
    match follow(object, &steps(path)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn follow<'a>(at: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(at) };
    match step {
        Step::Field(name) => follow(at.get(name)?, rest),
        Step::Index(index) => follow(at.get(index)?, rest),
        Step::Each => at.as_array()?.iter().find_map(|one| follow(one, rest)),
        Step::Where(field, is) => {
            let mut all = at.as_array()?.iter();
            follow(all.find(|one| one.get(field).is_some_and(|value| *value == *is))?, rest)
        }
    }
}

enum Step {
    Field(String),
    Index(usize),
    Each,
    Where(String, String),
}

fn steps(path: &str) -> Vec<Step> {
    let mut out = Vec::new();
    let mut letters = path.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '[' {
            let inside: String = letters.by_ref().take_while(|letter| *letter != ']').collect();
            out.push(bracket(&inside));
            continue;
        }
        assert_eq!(letter, '.', "a dot before a name: {path}");
        let mut name = String::new();
        while let Some(letter) = letters.next_if(|letter| !matches!(letter, '.' | '[')) {
            let escaped = letter == '\\';
            name.extend(if escaped { letters.next() } else { Some(letter) });
        }
        out.push(Step::Field(name));
    }
    out
}

fn bracket(inside: &str) -> Step {
    if inside == "*" {
        return Step::Each;
    }
    if let Ok(index) = inside.parse() {
        return Step::Index(index);
    }
    let condition = inside.strip_prefix("?(@.").and_then(|rest| rest.strip_suffix(')'));
    let (field, value) = condition.and_then(|c| c.split_once("==")).expect("a field and its value");
    Step::Where(field.to_owned(), value.trim_matches('"').to_owned())
}

#[test]
fn a_path_is_followed_as_kubectl_follows_it() {
    let object = serde_json::json!({
        "items": [{"metadata": {"name": "a", "annotations": {"x.y/z": "1"}, "finalizers": ["f"]}}],
        "conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}],
        "number": 3,
    });
    for (path, is) in [
        (".items[0].metadata.name", "a"),
        (".items[0].metadata.annotations.x\\.y/z", "1"),
        (".items[0].metadata.finalizers", r#"["f"]"#),
        (".items[1].metadata.name", ""),
        (".conditions[?(@.type==\"Ready\")].status", "True"),
        (".conditions[?(@.type==\"None\")].status", ""),
        (".conditions[*].status", "False"),
        (".conditions[*].absent", ""),
        (".number", "3"),
        (".absent.below", ""),
    ] {
        assert_eq!(value(&object, path), is, "{path}");
    }
}
