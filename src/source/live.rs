//! A cluster through its API server. Untyped: objects pass as served, so a field that this
//! program has never heard of still reaches the patch that must test it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::connect::Connected;
use super::failure::{ConnectError, Failure, dial_error, first_line};
use super::fetch::{ANSWER_CAP, Answer, Fetch, PAGE_CAP, encode, encode_path, refusal};
use super::listing::Page;
use super::objects;
use super::project::{self, Keep};
use super::secret;
use crate::model::fact::{Fact, Need, Seen};
use crate::model::object::{Kind, ObjectRef};
use crate::model::report::Context;

/// Requests under way at once. API servers grant a person tens of seats; a report needs about a
/// dozen requests a round.
const AT_ONCE: usize = 16;

const PAGE: usize = 500;
/// A listing longer than this is not of one installation; the person must narrow it.
const LIST_CAP: usize = 50_000;

/// The kubelet first selects the last `tailLines`, then cuts the *end* of those at `limitBytes`:
/// too many lines within too few bytes would lose the newest ones, which hold the cause. Lines of
/// Prometheus are 120 to 250 bytes, so 1500 of them fit into 1 MiB nearly three times, and a
/// start-up (about 200 lines with its replay) is whole many times over.
const LOG_LINES: usize = 1500;
const LOG_BYTES: usize = 1 << 20;
/// Asked for where the longer tail was cut: few enough for lines of 4 kB.
const FEW_LOG_LINES: usize = 250;

pub struct Live {
    fetch: Arc<Fetch>,
    context: Context,
    namespace: String,
    /// When the client certificate ends.
    ends: Option<Timestamp>,
    keep: Keep,
}

impl Live {
    pub fn new(connected: Connected) -> Self {
        let Connected { client, context, namespace, ends, timeout, outage } = connected;
        let fetch = Fetch::new(client, timeout, outage, &context.server, &context.user);
        Live { fetch: Arc::new(fetch), context, namespace, ends, keep: Keep::Checked }
    }

    /// For a recording, which people and later releases read: of listed objects stays what no
    /// check of this release needs.
    #[must_use]
    pub fn recorded(self) -> Live {
        Live { keep: Keep::Readable, ..self }
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn requests(&self) -> usize {
        self.fetch.sent()
    }

    pub fn transport_failure(&self) -> Option<ConnectError> {
        let failure = self.fetch.transport_failure()?;
        Some(failure.of_expired(&self.context.user, self.ends, Timestamp::now()))
    }

    /// Reads all needs, 16 at once; the answers keep the order of the needs.
    pub async fn read(&self, needs: Vec<Need>) -> Vec<(Need, Fact)> {
        let mut facts: Vec<Option<Fact>> = vec![None; needs.len()];
        let mut waiting = needs.iter().cloned().enumerate();
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE {
                let Some((at, need)) = waiting.next() else { break };
                let (fetch, keep) = (Arc::clone(&self.fetch), self.keep);
                running.spawn(async move { (at, one(&fetch, &need, keep).await) });
            }
            let Some(done) = running.join_next().await else { break };
            if let Ok((at, fact)) = done
                && let Some(slot) = facts.get_mut(at)
            {
                *slot = Some(fact);
            }
        }
        let lost = || Fact::Unreadable("the request was lost".into());
        needs.into_iter().zip(facts).map(|(n, fact)| (n, fact.unwrap_or_else(lost))).collect()
    }
}

/// The short reason for which a request failed.
pub fn classify(error: &kube::Error) -> String {
    Failure::of(error).text()
}

async fn one(fetch: &Fetch, need: &Need, keep: Keep) -> Fact {
    let outcome = match need {
        Need::Object(of) => object(fetch, of).await,
        Need::List { kind, namespace, labels } => {
            let item = |item: &[u8]| keep.read(*kind, item);
            let mut found = Err(Failure::NotFound);
            for version in std::iter::once(kind.api_version()).chain(kind.elsewhere()) {
                let first = kind.path_of(version, namespace.as_deref());
                found = list(fetch, &listing(first, labels), &item).await;
                if !matches!(found, Err(Failure::NotFound)) {
                    break;
                }
            }
            found
        }
        Need::Nodes { labels } => {
            let path = listing(Kind::Node.path(None), "");
            list(fetch, &path, &|item| keep.node(labels, item)).await
        }
        Need::PodsOn { node } => {
            list(fetch, &pods_where(&[format!("={node}")]), &project::asking_pod).await
        }
        Need::PodsBut { nodes } => {
            // Without a node are those that wait for one.
            let others = nodes.iter().map(String::as_str).chain([""]);
            let terms: Vec<String> = others.map(|node| format!("!={node}")).collect();
            list(fetch, &pods_where(&terms), &project::asking_pod).await
        }
        Need::Log { namespace, pod, container, previous } => {
            log(fetch, &pod_path(namespace, pod), container, *previous).await
        }
        Need::Http { namespace, pod, port, path } => {
            let pod = format!("{}:{port}", pod_path(namespace, pod));
            let asked = format!("{pod}/proxy/{}", encode_path(path.trim_start_matches('/')));
            match patience(path) {
                Some(limit) => within(limit, http(fetch, &asked)).await,
                None => http(fetch, &asked).await,
            }
        }
        Need::Forward { namespace, pod, port, path } => {
            let pod = ObjectRef::new(Kind::Pod, namespace, pod);
            within(KNOCK, forward(fetch, &pod, *port, path)).await
        }
        Need::May { .. } => may(fetch, need).await,
        Need::Rules { namespace } => rules(fetch, namespace).await,
        Need::Addresses { namespace, secret } => addresses(fetch, namespace, secret).await,
    };
    match outcome {
        Ok(fact) => fact,
        Err(Failure::NotFound) => Fact::Absent,
        Err(failure) => Fact::Unreadable(failure.text()),
    }
}

fn pod_path(namespace: &str, pod: &str) -> String {
    ObjectRef::new(Kind::Pod, namespace, pod).path()
}

fn parse(bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::Other(format!("not JSON: {error}")))
}

async fn object(fetch: &Fetch, of: &ObjectRef) -> Result<Fact, Failure> {
    // An empty name would read as a listing.
    if of.name.is_empty() {
        return Ok(Fact::Absent);
    }
    let mut value = if of.kind == Kind::CustomResourceDefinition {
        // Whole it is a megabyte of schema, of which nothing is read.
        json!({"metadata": parse(&fetch.get_metadata(&of.path()).await?)?.get("metadata")})
    } else {
        parse(&fetch.get(&of.path(), ANSWER_CAP).await?)?
    };
    objects::name_kind(&mut value, of.kind);
    Ok(Fact::Known(Seen::Object(value)))
}

fn listing(mut path: String, labels: &str) -> String {
    path.push_str(&format!("?limit={PAGE}"));
    if !labels.is_empty() {
        path.push_str(&format!("&labelSelector={}", encode(labels)));
    }
    path
}

type Read<'a> = &'a (dyn Fn(&[u8]) -> serde_json::Result<Value> + Send + Sync);

/// A 404 here means that the API is not installed, which the caller makes `Absent`.
async fn list(fetch: &Fetch, first: &str, item: Read<'_>) -> Result<Fact, Failure> {
    let items = match pages(fetch, first, item).await {
        // The server dropped the state between two pages; one new start is enough, for what is
        // expired is minutes old.
        Err(Failure::Gone) => pages(fetch, first, item).await?,
        // It went away in the middle of one, and is waited for.
        Err(failure) if fetch.rides(&failure) => pages(fetch, first, item).await?,
        other => other?,
    };
    Ok(Fact::Known(Seen::List(items)))
}

/// Pods of all namespaces by their node.
fn pods_where(terms: &[String]) -> String {
    let terms: Vec<String> = terms.iter().map(|term| format!("spec.nodeName{term}")).collect();
    let selector = encode(&terms.join(","));
    format!("{}?limit={PAGE}&fieldSelector={selector}", Kind::Pod.path(None))
}

async fn pages(fetch: &Fetch, first: &str, item: Read<'_>) -> Result<Vec<Value>, Failure> {
    let broken = |error| Failure::Other(format!("not JSON: {error}"));
    let mut items = Vec::new();
    let mut path = first.to_owned();
    loop {
        let mut page = Page::new(item);
        fetch.stream(&path, PAGE_CAP, &mut |bytes| page.take(bytes).map_err(broken)).await?;
        let (more, token) = page.end().map_err(broken)?;
        items.extend(more);
        if items.len() > LIST_CAP {
            let many = format!("the listing has more than {LIST_CAP} objects; narrow it with -n");
            return Err(Failure::Other(many));
        }
        if token.is_empty() {
            return Ok(items);
        }
        path = format!("{first}&continue={}", encode(&token));
    }
}

async fn log(fetch: &Fetch, pod: &str, container: &str, previous: bool) -> Result<Fact, Failure> {
    let mut text = String::new();
    for lines in [LOG_LINES, FEW_LOG_LINES] {
        let path = format!(
            "{pod}/log?container={}&previous={previous}&tailLines={lines}&limitBytes={LOG_BYTES}",
            encode(container)
        );
        let bytes = match fetch.get(&path, ANSWER_CAP).await {
            Err(Failure::Api { code: 400, message }) if never_ran(&message) => {
                return Ok(Fact::Absent);
            }
            other => other?,
        };
        let whole = bytes.len() < LOG_BYTES;
        text = lossy(bytes);
        if whole {
            break;
        }
    }
    // The runtime's refusal comes as text with status 200 once the file is gone.
    if text.starts_with("unable to retrieve container logs") {
        return Err(Failure::Other(first_line(&text)));
    }
    Ok(Fact::Known(Seen::Log(text)))
}

/// Copied only where it is not text.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Whether a 400 of the log endpoint says that there is no such run of the container.
fn never_ran(message: &str) -> bool {
    ["previous terminated container", "is waiting to start", "is not valid for pod"]
        .iter()
        .any(|words| message.contains(words))
}

/// The proxy hands on what the process answers; its own failures are told by their body.
async fn http(fetch: &Fetch, path: &str) -> Result<Fact, Failure> {
    let answer = fetch.get_any(path, ANSWER_CAP).await?;
    if let Some(failure) = proxy_failure(&answer) {
        return Err(failure);
    }
    let Answer { status, body } = answer;
    Ok(Fact::Known(Seen::Http { status, body: lossy(body) }))
}

/// Longer nobody waits for whether anything answers at all: what a policy keeps away from a pod's
/// address gets no answer, and the API server waits half a minute for it.
const KNOCK: Duration = Duration::from_secs(3);

/// How long a replay is, its log says too, and what fills a head no verdict waits for: a server that
/// hangs, or that the API server cannot reach, is not waited for. The API server gives up on a
/// connection after half a minute.
const STATUS: Duration = Duration::from_secs(8);

/// A proof goes by what it counts: a server that is busy has longer.
const SUMS: Duration = Duration::from_secs(15);

fn patience(path: &str) -> Option<Duration> {
    let ends = |end: &str| path.ends_with(end);
    let tells = ends("/api/v1/status/walreplay") || path.contains("/api/v1/status/tsdb?");
    if ends("/metrics") {
        return Some(SUMS);
    }
    match (ends("/-/ready"), tells) {
        (true, _) => Some(KNOCK),
        (false, true) => Some(STATUS),
        (false, false) => None,
    }
}

async fn within(
    limit: Duration,
    asking: impl Future<Output = Result<Fact, Failure>>,
) -> Result<Fact, Failure> {
    tokio::time::timeout(limit, asking).await.unwrap_or(Err(Failure::TimedOut))
}

async fn forward(fetch: &Fetch, pod: &ObjectRef, port: u16, path: &str) -> Result<Fact, Failure> {
    let Answer { status, body } = fetch.forward(pod, port, &encode_path(path)).await?;
    Ok(Fact::Known(Seen::Http { status, body: lossy(body) }))
}

fn proxy_failure(answer: &Answer) -> Option<Failure> {
    if answer.status < 400 {
        return None;
    }
    let by_api_server = serde_json::from_slice::<Value>(&answer.body).is_ok_and(|body| {
        let says =
            |field: &str, value: &str| body.get(field).and_then(Value::as_str) == Some(value);
        says("kind", "Status") && says("apiVersion", "v1") && says("status", "Failure")
    });
    let text = String::from_utf8_lossy(&answer.body);
    let by_transport = text.contains("rying to reach service")
        || (text.starts_with("Error: '") && text.contains("Trying to reach: '"));
    if by_transport {
        let text = text.split("Trying to reach: '").next().unwrap_or("");
        let message = serde_json::from_slice::<Value>(&answer.body)
            .ok()
            .and_then(|body| Some(body.get("message")?.as_str()?.to_owned()))
            .unwrap_or_else(|| text.trim().trim_start_matches("Error: ").to_owned());
        return Some(Failure::Other(dial_error(&message)));
    }
    by_api_server.then(|| refusal(answer))
}

async fn may(fetch: &Fetch, need: &Need) -> Result<Fact, Failure> {
    let Need::May { verb, kind, subresource, namespace } = need else {
        return Ok(Fact::Absent);
    };
    let namespace = if kind.namespaced() { namespace.as_str() } else { "" };
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "group": kind.group(),
            "namespace": namespace,
            "resource": kind.plural(),
            "subresource": subresource,
            "verb": verb,
        }},
    });
    let answer = parse(&fetch.review("access", review.to_string().into_bytes()).await?)?;
    let allowed = answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(false);
    Ok(Fact::Known(Seen::May(allowed)))
}

async fn rules(fetch: &Fetch, namespace: &str) -> Result<Fact, Failure> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    });
    let answer = parse(&fetch.review("rules", review.to_string().into_bytes()).await?)?;
    let rules = answer.pointer("/status/resourceRules").cloned().unwrap_or_else(|| json!([]));
    // Where nothing says that the list is whole, it is not taken for whole.
    let incomplete = answer.pointer("/status/incomplete").and_then(Value::as_bool);
    let status = json!({"resourceRules": rules, "incomplete": incomplete.unwrap_or(true)});
    Ok(Fact::Known(Seen::Rules(status)))
}

/// A Secret is read whole and let go here; names of objects need no escape.
async fn addresses(fetch: &Fetch, namespace: &str, name: &str) -> Result<Fact, Failure> {
    let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
    // Its text must not stand in an error.
    let read: Result<Value, _> = serde_json::from_slice(&fetch.get(&path, ANSWER_CAP).await?);
    let secret = read.map_err(|_| Failure::Other("the answer is not JSON".into()))?;
    Ok(Fact::Known(Seen::Addresses(secret::addresses(&secret))))
}
