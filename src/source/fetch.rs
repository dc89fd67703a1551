//! One request to the API server: bounded in time and memory, counted, and its failure put into
//! a word. Can send a GET and a self review; there is no other method here.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderName, Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use kube::core::Status;

use super::failure::{ConnectError, Failure};
use super::outage::{Outage, is_pods};

/// The most of one answer that is held. Objects are below 1.5 MiB (etcd), and the answers of
/// Prometheus that are asked for are far below this.
pub const ANSWER_CAP: usize = 8 << 20;
/// A page of 500 pods with long specs and managed fields is 10 MiB and more; it is read as it
/// arrives.
pub const PAGE_CAP: usize = 64 << 20;

const JSON: &str = "application/json, */*";
/// The `metadata` of an object and nothing else of it.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// How often a busy server (429, priority and fairness) is asked again, and how long its wish to
/// be left alone is followed.
const BUSY_TRIES: usize = 3;
const BUSY_WAIT_SECONDS: u64 = 5;

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Takes a body as it arrives.
pub type Sink<'a> = &'a mut (dyn FnMut(&[u8]) -> Result<(), Failure> + Send);

#[derive(Clone)]
struct Ask<'a> {
    method: Method,
    path: &'a str,
    accept: &'static str,
    body: Vec<u8>,
    /// The most that the answer may hold.
    cap: usize,
}

impl<'a> Ask<'a> {
    fn get(path: &'a str, cap: usize) -> Ask<'a> {
        Ask { method: Method::GET, path, accept: JSON, body: Vec::new(), cap }
    }
}

pub struct Fetch {
    client: Client,
    timeout: Option<Duration>,
    outage: Arc<Outage>,
    server: String,
    user: String,
    sent: AtomicUsize,
    answered: AtomicBool,
    failure: Mutex<Option<ConnectError>>,
}

impl Fetch {
    pub fn new(
        client: Client,
        timeout: Option<Duration>,
        outage: Arc<Outage>,
        server: &str,
        user: &str,
    ) -> Self {
        Fetch {
            client,
            timeout,
            outage,
            server: server.into(),
            user: user.into(),
            sent: AtomicUsize::new(0),
            answered: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    /// For what is no plain request.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(super) fn count(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// The last failure of a kind that stops everything, while nothing was ever answered.
    pub fn transport_failure(&self) -> Option<ConnectError> {
        if self.answered.load(Ordering::Relaxed) {
            return None;
        }
        self.failure.lock().ok()?.clone()
    }

    /// Whether an answer that broke off is worth asking for again: an outage is waited for.
    pub fn rides(&self, failure: &Failure) -> bool {
        self.outage.is_ridden() && failure.passes()
    }

    /// A body of success; every other answer of the API server is a failure.
    pub async fn get(&self, path: &str, cap: usize) -> Result<Vec<u8>, Failure> {
        success(self.raw(Ask::get(path, cap), None).await?)
    }

    /// An object's metadata alone.
    pub async fn get_metadata(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let ask = Ask { accept: METADATA, ..Ask::get(path, ANSWER_CAP) };
        success(self.raw(ask, None).await?)
    }

    /// A body of success, in the pieces in which it comes. Where that fails half way, what was
    /// handed on is worth nothing.
    pub async fn stream(&self, path: &str, cap: usize, sink: Sink<'_>) -> Result<(), Failure> {
        success(self.raw(Ask::get(path, cap), Some(sink)).await?).map(|_| ())
    }

    /// An answer of any status, where it may come from a pod.
    pub async fn get_any(&self, path: &str, cap: usize) -> Result<Answer, Failure> {
        self.raw(Ask::get(path, cap), None).await
    }

    /// Asks what the person may do: `access` or `rules`. The one POST of this room: the server
    /// answers it and stores nothing.
    pub async fn review(&self, of: &str, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let path = format!("/apis/authorization.k8s.io/v1/selfsubject{of}reviews");
        let ask = Ask { method: Method::POST, body, ..Ask::get(&path, ANSWER_CAP) };
        success(self.raw(ask, None).await?)
    }

    async fn raw(&self, ask: Ask<'_>, mut sink: Option<Sink<'_>>) -> Result<Answer, Failure> {
        let mut tries = 1;
        loop {
            self.count();
            let sending = self.once(ask.clone(), &mut sink);
            // Where an outage is waited for, each try has the time.
            let outcome = match self.timeout.filter(|_| !self.outage.is_ridden()) {
                Some(limit) => {
                    tokio::time::timeout(limit, sending).await.unwrap_or(Err(Failure::TimedOut))
                }
                None => sending.await,
            };
            self.remember(&outcome);
            if let Err(failure) = &outcome
                && sink.is_none()
                && tries < BUSY_TRIES
                && self.rides(failure)
                && !(is_pods(ask.path) && matches!(failure, Failure::TimedOut))
            {
                tries += 1;
                continue;
            }
            let (answer, retry_after) = outcome?;
            if answer.status != 429 || tries == BUSY_TRIES {
                return Ok(answer);
            }
            tries += 1;
            tokio::time::sleep(Duration::from_secs(retry_after.min(BUSY_WAIT_SECONDS))).await;
        }
    }

    async fn once(
        &self,
        ask: Ask<'_>,
        sink: &mut Option<Sink<'_>>,
    ) -> Result<(Answer, u64), Failure> {
        let Ask { method, path, accept, body, cap } = ask;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::ACCEPT, accept)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .map_err(|error| Failure::Other(error.to_string()))?;
        let response = self.client.send(request).await.map_err(|e| Failure::of(&e))?;
        let status = response.status().as_u16();
        let retry_after = number(&response, http::header::RETRY_AFTER).unwrap_or(1);
        let body = match sink {
            Some(sink) if is_success(status) => {
                hand_on(response.into_body(), cap, sink).await?;
                Vec::new()
            }
            _ => collect(response, cap).await?,
        };
        Ok((Answer { status, body }, retry_after))
    }

    fn remember(&self, outcome: &Result<(Answer, u64), Failure>) {
        let failure = match outcome {
            Ok((answer, _)) if answer.status == 401 => Failure::Unauthorized,
            Ok(_) => return self.answered.store(true, Ordering::Relaxed),
            Err(failure) => failure.clone(),
        };
        if let (Some(fatal), Ok(mut last)) =
            (failure.fatal(&self.server, &self.user), self.failure.lock())
        {
            *last = Some(fatal);
        }
    }
}

async fn collect(response: Response<Body>, cap: usize) -> Result<Vec<u8>, Failure> {
    // A body that says how long it is needs no room to grow.
    let told: Option<usize> = number(&response, http::header::CONTENT_LENGTH);
    let mut bytes = Vec::with_capacity(told.unwrap_or(0).min(cap));
    let mut take = |data: &[u8]| {
        bytes.extend_from_slice(data);
        Ok(())
    };
    hand_on(response.into_body(), cap, &mut take).await?;
    Ok(bytes)
}

fn number<N: FromStr>(response: &Response<Body>, header: HeaderName) -> Option<N> {
    response.headers().get(header)?.to_str().ok()?.parse().ok()
}

async fn hand_on(mut body: Body, cap: usize, sink: Sink<'_>) -> Result<(), Failure> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::of(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        length += data.len();
        if length > cap {
            return Err(Failure::Other(format!("the answer is larger than {} MiB", cap >> 20)));
        }
        sink(data)?;
    }
    Ok(())
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn success(answer: Answer) -> Result<Vec<u8>, Failure> {
    if is_success(answer.status) {
        return Ok(answer.body);
    }
    Err(refusal(&answer))
}

/// The failure that an error answer of the API server tells. What stands before it (a load
/// balancer, a login page) may answer with text of its own.
pub fn refusal(answer: &Answer) -> Failure {
    let status = serde_json::from_slice::<Status>(&answer.body).unwrap_or_else(|_| {
        let text: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
        Status::failure(text.trim(), "")
    });
    Failure::of(&kube::Error::Api(status.with_code(answer.status).boxed()))
}

/// Percent-encodes all that is not plain in a query value or a path segment.
pub fn encode(text: &str) -> String {
    encode_but(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// Percent-encodes only what may not stand in a path with its query; what is encoded already
/// stays as it is.
pub fn encode_path(text: &str) -> String {
    encode_but(text, |byte| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte))
}

fn encode_but(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_survive_the_way() {
        assert_eq!(encode("app=x,b in (c)"), "app%3Dx%2Cb%20in%20%28c%29");
        assert_eq!(encode_path("/api?q={a=\"b\"}&x=%20y"), "/api?q=%7Ba=%22b%22%7D&x=%20y");
    }
}
