//! One request to the API server: bounded in time and memory, counted, and its failure put into
//! a word. Can send a GET and a self review; there is no other method here.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, Request};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use kube::core::Status;

use super::failure::{ConnectError, Failure};

/// The most of one answer that is held. Objects are below 1.5 MiB (etcd), and the answers of
/// Prometheus that are asked for are far below this.
pub const ANSWER_CAP: usize = 8 << 20;
/// A page of 500 pods with long specs and managed fields is 10 MiB and more.
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

pub struct Fetch {
    client: Client,
    timeout: Option<Duration>,
    server: String,
    user: String,
    sent: AtomicUsize,
    answered: AtomicBool,
    failure: Mutex<Option<ConnectError>>,
}

impl Fetch {
    pub fn new(client: Client, timeout: Option<Duration>, server: &str, user: &str) -> Self {
        Fetch {
            client,
            timeout,
            server: server.into(),
            user: user.into(),
            sent: AtomicUsize::new(0),
            answered: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
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

    /// A body of success; every other answer of the API server is a failure.
    pub async fn get(&self, path: &str, cap: usize) -> Result<Vec<u8>, Failure> {
        success(self.raw(Method::GET, path, JSON, Vec::new(), cap).await?)
    }

    /// An object's metadata alone.
    pub async fn get_metadata(&self, path: &str) -> Result<Vec<u8>, Failure> {
        success(self.raw(Method::GET, path, METADATA, Vec::new(), ANSWER_CAP).await?)
    }

    /// An answer of any status, where it may come from a pod.
    pub async fn get_any(&self, path: &str, cap: usize) -> Result<Answer, Failure> {
        self.raw(Method::GET, path, JSON, Vec::new(), cap).await
    }

    /// Asks what the person may do: `access` or `rules`. The one POST of this room: the server
    /// answers it and stores nothing.
    pub async fn review(&self, of: &str, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let path = format!("/apis/authorization.k8s.io/v1/selfsubject{of}reviews");
        success(self.raw(Method::POST, &path, JSON, body, ANSWER_CAP).await?)
    }

    async fn raw(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Vec<u8>,
        cap: usize,
    ) -> Result<Answer, Failure> {
        let mut tries = 1;
        loop {
            self.sent.fetch_add(1, Ordering::Relaxed);
            let sending = self.once(method.clone(), path, accept, body.clone(), cap);
            let outcome = match self.timeout {
                Some(limit) => {
                    tokio::time::timeout(limit, sending).await.unwrap_or(Err(Failure::TimedOut))
                }
                None => sending.await,
            };
            self.remember(&outcome);
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
        method: Method,
        path: &str,
        accept: &str,
        body: Vec<u8>,
        cap: usize,
    ) -> Result<(Answer, u64), Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::ACCEPT, accept)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .map_err(|error| Failure::Other(error.to_string()))?;
        let response = self.client.send(request).await.map_err(|e| Failure::of(&e))?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or(1);
        let body = collect(response.into_body(), cap).await?;
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

async fn collect(mut body: Body, cap: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::of(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > cap {
            return Err(Failure::Other(format!("the answer is larger than {} MiB", cap >> 20)));
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

fn success(answer: Answer) -> Result<Vec<u8>, Failure> {
    if (200..300).contains(&answer.status) {
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
