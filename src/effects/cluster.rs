//! Requests to the API server, untyped: objects go in and come out as served. This file holds
//! every request that writes, and what all of them carry.

use std::path::PathBuf;
use std::time::Duration;

use http::{Method, Request};
use kube::client::Body;
use serde_json::{Value, json};

use super::again::Again;
use super::error::Error;
use super::local;
use crate::carried;
use crate::model::object::{Kind, ObjectExt, ObjectRef};
use crate::model::patch::Op;

/// The name under which writes are recorded in managedFields. Never one that starts with
/// `kubectl`: the API server would migrate it into client-side apply.
pub const MANAGER: &str = "prom-fix";

/// A cluster, as one person may change it.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    /// Where copies of receipts are kept on this machine.
    pub(super) keep: Option<PathBuf>,
}

/// An object as the API server returned it, with the warnings that came along.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub object: Value,
    pub warnings: Vec<String>,
}

/// What came of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Deleted,
    /// There was nothing of that uid: a controller was faster.
    Gone,
}

/// What a pod answered through the pod proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxied {
    Http {
        status: u16,
        body: String,
    },
    /// The API server itself says that it may not, or cannot, reach the pod.
    Unreachable(String),
}

/// One request: its verb, where to, and what is being done in words for an error.
struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    content: Option<(&'static str, Value)>,
    doing: String,
}

/// How long a pod is waited for: the API server waits half a minute for one that a policy keeps away.
const PATIENCE: Duration = Duration::from_secs(15);

/// An answer before it is judged.
struct Raw {
    status: u16,
    warnings: Vec<String>,
    body: Vec<u8>,
}

const JSON: &str = "application/json";
const JSON_PATCH: &str = "application/json-patch+json";

impl Cluster {
    pub fn new(client: kube::Client) -> Self {
        Cluster { client, keep: local::folder() }
    }

    /// As [`Cluster::new`], with copies of receipts kept in another folder, or nowhere.
    pub fn keeping(client: kube::Client, keep: Option<PathBuf>) -> Self {
        Cluster { client, keep }
    }

    /// One object; `None` where there is none (or no such API).
    pub async fn get(&self, of: &ObjectRef) -> Result<Option<Value>, Error> {
        let call = Call::new(Method::GET, of.path(), format!("read {}", of.short()));
        match self.answer(&call).await {
            Ok(answer) => Ok(Some(answer.object)),
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind that carry `labels` (`a=b,c=d`), in one namespace or in all.
    pub async fn list(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        let mut more = String::new();
        loop {
            let doing = format!("list {}", kind.plural());
            let mut call = Call::new(Method::GET, kind.path(namespace), doing);
            call.query.push(("limit", "500".into()));
            if !labels.is_empty() {
                call.query.push(("labelSelector", labels.into()));
            }
            if !more.is_empty() {
                call.query.push(("continue", more));
            }
            let page = self.answer(&call).await?.object;
            items.extend(page.list("/items").iter().cloned());
            more = page.text("/metadata/continue").to_owned();
            if more.is_empty() {
                return Ok(items);
            }
        }
    }

    /// All of a container's log, as it is now.
    pub async fn log(&self, pod: &ObjectRef, container: &str) -> Result<String, Error> {
        self.log_of(pod, container, &[]).await
    }

    /// Its last lines.
    pub async fn log_tail(&self, pod: &ObjectRef, container: &str) -> Result<String, Error> {
        self.log_of(pod, container, &[("tailLines", "5"), ("limitBytes", "4096")]).await
    }

    async fn log_of(
        &self,
        pod: &ObjectRef,
        container: &str,
        part: &[(&'static str, &str)],
    ) -> Result<String, Error> {
        let path = format!("{}/log", pod.path());
        let mut call = Call::new(Method::GET, path, format!("read the log of {}", pod.short()));
        call.query.push(("container", container.into()));
        call.query.extend(part.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let Raw { status, body, .. } = self.send(&call).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        match status {
            200 => Ok(text),
            403 => Err(Error::Forbidden { doing: call.doing, message: clean(&text) }),
            _ => Err(Error::Refused { doing: call.doing, status, message: clean(&text) }),
        }
    }

    pub async fn patch(&self, of: &ObjectRef, ops: &[Op], dry: bool) -> Result<Answer, Error> {
        let call = Call::new(Method::PATCH, of.path(), format!("patch {}", of.short()));
        self.answer(&call.writes(dry).with(JSON_PATCH, json!(ops))).await
    }

    pub async fn create(&self, of: &ObjectRef, body: &Value, dry: bool) -> Result<Answer, Error> {
        let path = of.kind.path(Some(&of.namespace));
        let call = Call::new(Method::POST, path, format!("create {}", of.short()));
        let body = carried::filled(body).ok_or_else(|| Error::NoAgent { object: of.short() })?;
        self.answer(&call.writes(dry).with(JSON, body)).await
    }

    /// Replaces a whole object. `body` carries the resourceVersion it was made from: 409 if the
    /// object moved.
    pub async fn replace(&self, of: &ObjectRef, body: &Value) -> Result<Answer, Error> {
        let call = Call::new(Method::PUT, of.path(), format!("update {}", of.short()));
        self.answer(&call.writes(false).with(JSON, body.clone())).await
    }

    /// Deletes the object of this uid, with the grace it has by default. One that is gone, or
    /// that has another uid by now, counts as deleted.
    pub async fn delete(&self, of: &ObjectRef, uid: &str, dry: bool) -> Result<Removal, Error> {
        let dry = if dry { json!({"dryRun": ["All"]}) } else { json!({}) };
        self.remove(of, uid, dry).await
    }

    /// As [`Cluster::delete`]; its containers have so many seconds to end by themselves.
    pub async fn delete_within(
        &self,
        of: &ObjectRef,
        uid: &str,
        seconds: Option<u32>,
    ) -> Result<Removal, Error> {
        let grace = seconds.map(|seconds| json!({"gracePeriodSeconds": seconds}));
        self.remove(of, uid, grace.unwrap_or(json!({}))).await
    }

    async fn remove(&self, of: &ObjectRef, uid: &str, more: Value) -> Result<Removal, Error> {
        let mut options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid},
        });
        if let (Some(options), Value::Object(more)) = (options.as_object_mut(), more) {
            options.extend(more);
        }
        let call = Call::new(Method::DELETE, of.path(), format!("delete {}", of.short()));
        let call = call.with(JSON, options);
        let mut again = Again::default();
        loop {
            return match self.answer(&call).await {
                Ok(_) => Ok(Removal::Deleted),
                Err(Error::Refused { status: 404, .. }) => Ok(Removal::Gone),
                // 409 is the failed precondition, but also what a finalizing namespace says: look.
                Err(error @ Error::Refused { status: 409, .. }) => match self.get(of).await? {
                    Some(live) if live.uid() == uid => Err(error),
                    Some(_) | None => Ok(Removal::Gone),
                },
                // By its uid it is deleted once, however often that is asked for.
                Err(error) => {
                    again.after(error).await?;
                    continue;
                }
            };
        }
    }

    /// `GET path` of a pod's port through the API server.
    pub async fn http_get(&self, pod: &ObjectRef, port: u16, path: &str) -> Result<Proxied, Error> {
        let doing = format!("read {path} of {}", pod.short());
        let call = Call::new(Method::GET, format!("{}:{port}/proxy{path}", pod.path()), doing);
        let Ok(raw) = tokio::time::timeout(PATIENCE, self.send(&call)).await else {
            return Ok(Proxied::Unreachable("no answer in time".into()));
        };
        let raw = raw?;
        let body = String::from_utf8_lossy(&raw.body).into_owned();
        // A pod's own answer is passed on as it is; the API server's is a Status object.
        let status = serde_json::from_str::<Value>(&body).ok();
        match status.filter(|value| value.text("/kind") == "Status" && raw.status >= 400) {
            Some(status) => Ok(Proxied::Unreachable(clean(status.text("/message")))),
            None => Ok(Proxied::Http { status: raw.status, body }),
        }
    }

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        let Raw { status, warnings, body } = self.send(call).await?;
        let doing = call.doing.clone();
        if status < 300 {
            return match serde_json::from_slice(&body) {
                Ok(object) => Ok(Answer { object, warnings }),
                Err(source) => Err(Error::Garbled { doing, source }),
            };
        }
        let said = serde_json::from_slice::<Value>(&body).unwrap_or_default();
        let message = match said.text("/message") {
            "" => format!("HTTP {status}"),
            text => clean(text),
        };
        Err(match status {
            403 => Error::Forbidden { doing, message },
            _ => Error::Refused { doing, status, message },
        })
    }

    async fn send(&self, call: &Call) -> Result<Raw, Error> {
        match self.once(call).await {
            // The answer broke off: what only reads is asked for once more.
            Err(Error::Unreachable { .. }) if call.method == Method::GET => self.once(call).await,
            answer => answer,
        }
    }

    async fn once(&self, call: &Call) -> Result<Raw, Error> {
        let request = call.request()?;
        let lost =
            |source| Error::Unreachable { doing: call.doing.clone(), source: Box::new(source) };
        let response = self.client.send(request).await.map_err(lost)?;
        let (parts, body) = response.into_parts();
        let warnings = parts.headers.get_all(http::header::WARNING).iter();
        let warnings = warnings.filter_map(|value| value.to_str().ok()).map(warning).collect();
        let body = body.collect_bytes().await.map_err(lost)?.to_vec();
        Ok(Raw { status: parts.status.as_u16(), warnings, body })
    }
}

impl Call {
    fn new(method: Method, path: String, doing: String) -> Self {
        Call { method, path, query: Vec::new(), content: None, doing }
    }

    /// What every write of an object carries.
    fn writes(mut self, dry: bool) -> Self {
        self.query.push(("fieldManager", MANAGER.into()));
        self.query.push(("fieldValidation", "Strict".into()));
        if dry {
            self.query.push(("dryRun", "All".into()));
        }
        self
    }

    fn with(mut self, media: &'static str, content: Value) -> Self {
        self.content = Some((media, content));
        self
    }

    fn request(&self) -> Result<Request<Body>, Error> {
        let mut uri = self.path.clone();
        for (place, (key, value)) in self.query.iter().enumerate() {
            uri.push(if place == 0 { '?' } else { '&' });
            uri.push_str(key);
            uri.push('=');
            uri.push_str(&encode(value));
        }
        let mut request = Request::builder().method(self.method.clone()).uri(uri);
        let body = match &self.content {
            Some((media, content)) => {
                request = request.header(http::header::CONTENT_TYPE, *media);
                Body::from(content.to_string().into_bytes())
            }
            None => Body::empty(),
        };
        request.body(body).map_err(|source| Error::Request { doing: self.doing.clone(), source })
    }
}

/// Percent-encodes what is not unreserved in a query (RFC 3986, 2.3).
fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The text of a `Warning` header: `299 - "text"` (RFC 7234, 5.5).
fn warning(header: &str) -> String {
    let text = header.split_once('"').map_or(header, |(_, rest)| rest);
    text.strip_suffix('"').unwrap_or(text).replace("\\\"", "\"").replace("\\\\", "\\")
}

/// How much of a refusal is passed on: a validation error may quote whole fields.
const MESSAGE_CHARS: usize = 600;

/// A refusal without the object in it: what comes before a strict decoding error echoes all that
/// was sent.
fn clean(message: &str) -> String {
    const STRICT: &str = "strict decoding error:";
    let said = match message.rfind(STRICT) {
        Some(at) => message.get(at + STRICT.len()..).unwrap_or_default(),
        None => message,
    };
    let mut text: String = said.trim().chars().take(MESSAGE_CHARS).collect();
    if said.trim().chars().nth(MESSAGE_CHARS).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_error_does_not_echo_the_object() {
        let message = "StatefulSet in version \"v1\" cannot be handled as a StatefulSet: \
            {\"spec\":{\"token\":\"s3cret\"}} strict decoding error: unknown field \"spec.tolen\"";
        assert_eq!(clean(message), "unknown field \"spec.tolen\"");
        assert_eq!(clean("quota exceeded"), "quota exceeded");
        assert_eq!(clean(&"x".repeat(700)).chars().count(), MESSAGE_CHARS + 1);
    }

    #[test]
    fn a_warning_is_its_text() {
        let header = r#"299 - "would violate PodSecurity \"restricted:latest\"""#;
        assert_eq!(warning(header), "would violate PodSecurity \"restricted:latest\"");
    }

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(encode("a/b=c,d"), "a%2Fb%3Dc%2Cd");
    }
}
