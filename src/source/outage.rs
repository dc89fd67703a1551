//! The API server is away for a while: restarted, upgraded, its leader lost. While something is being
//! changed, whatever can be asked again without harm is asked again until it is back, for a limited
//! time. A write whose answer was lost is nothing of that kind: whoever sent it has to look.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::time::Instant;

use super::failure::Failure;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// An API server that has just started knows no roles for a second (seen on 1.34: 403 to everyone
/// but system:masters, before /readyz is ok).
const NEW: Duration = Duration::from_secs(10);

type Tell = Box<dyn Fn(&str) + Send + Sync>;
type Stop = Box<dyn Fn() -> bool + Send + Sync>;

/// How an outage is ridden out.
pub struct Ride {
    /// How long the API server may be away.
    pub limit: Duration,
    /// Is told what is waited for, and that it is over.
    pub tell: Tell,
    /// Whether the person asked to stop.
    pub stop: Stop,
}

/// What is known of outages; shared by all requests of a run.
pub struct Outage {
    /// Longest wait for one answer.
    timeout: Option<Duration>,
    ride: OnceLock<Ride>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Since when there is no answer; none where the last request had one.
    since: Option<Instant>,
    /// The last time that there was none.
    last: Option<Instant>,
}

impl Outage {
    pub fn new(timeout: Option<Duration>) -> Arc<Outage> {
        Arc::new(Outage { timeout, ride: OnceLock::new(), seen: Mutex::default() })
    }

    /// From here on outages are ridden out; before, each is told at once.
    pub fn ride(&self, ride: Ride) {
        let _ = self.ride.set(ride);
    }

    pub fn is_ridden(&self) -> bool {
        self.ride.get().is_some()
    }

    /// The same client, whose requests ride outages out once that is asked for.
    pub fn over(self: &Arc<Self>, client: Client, namespace: &str) -> Client {
        let outage = Arc::clone(self);
        let service = tower::service_fn(move |request| {
            let (client, outage) = (client.clone(), Arc::clone(&outage));
            async move { outage.send(&client, request).await }
        });
        Client::new(service, namespace)
    }

    async fn send(
        &self,
        client: &Client,
        request: Request<Body>,
    ) -> Result<Response<Body>, kube::Error> {
        let Some(ride) = self.ride.get() else { return client.send(request).await };
        let (parts, body) = request.into_parts();
        let bytes = body.collect_bytes().await?;
        let path = parts.uri.path().to_owned();
        loop {
            let request = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
            let answer = self.once(client, request).await;
            let why = match &answer {
                Ok(answer) => self.not_yet(&parts.method, &path, answer.status().as_u16()),
                Err(error) if is_pods(&path) && is_late(error) => None,
                Err(error) => lost(error),
            };
            let Some(why) = why else {
                if answer.is_ok() {
                    self.answered(ride);
                }
                return answer;
            };
            let unsent = answer.as_ref().is_err_and(is_unsent)
                || answer.as_ref().is_ok_and(|a| a.status() == 403);
            let harmless = unsent || stores_nothing(&parts.method, &path);
            if !self.may_wait(ride, &why, answer.is_err()) || !harmless {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn once(
        &self,
        client: &Client,
        request: Request<Body>,
    ) -> Result<Response<Body>, kube::Error> {
        let sending = client.send(request);
        match self.timeout {
            Some(limit) => tokio::time::timeout(limit, sending).await.unwrap_or_else(|_| {
                Err(kube::Error::Service(Box::new(io::Error::from(io::ErrorKind::TimedOut))))
            }),
            None => sending.await,
        }
    }

    /// Why an answer says that the API server is not there yet. What a pod answers through the proxy
    /// is the pod's; and that it does not answer in time, too: the API server waits as long for a
    /// connection to it as this program does for the API server.
    fn not_yet(&self, method: &Method, path: &str, status: u16) -> Option<String> {
        let last = self.seen.lock().ok()?.last;
        match status {
            403 if last.is_some_and(|last| last.elapsed() < NEW) => {
                Some("it has just started, and answers 403".into())
            }
            429 | 502..=504 if stores_nothing(method, path) && !is_pods(path) => {
                Some(format!("it answers {status}"))
            }
            _ => None,
        }
    }

    fn answered(&self, ride: &Ride) {
        if let Ok(mut seen) = self.seen.lock()
            && seen.since.take().is_some()
        {
            (ride.tell)("the API server answers again");
        }
    }

    /// Notes that there is no answer; whether one may still be waited for.
    fn may_wait(&self, ride: &Ride, why: &str, lost: bool) -> bool {
        let Ok(mut seen) = self.seen.lock() else { return false };
        let now = Instant::now();
        if lost {
            seen.last = Some(now);
        }
        let since = seen.since.unwrap_or_else(|| {
            let most = ride.limit.as_secs();
            (ride.tell)(&format!("waiting for the API server, for {most} s at most: {why}"));
            now
        });
        seen.since = Some(since);
        now - since < ride.limit && !(ride.stop)()
    }
}

/// Why there was no answer, where that may pass.
fn lost(error: &kube::Error) -> Option<String> {
    let failure = Failure::of(error);
    failure.passes().then(|| failure.text())
}

/// Whether a pod answers there, and not the API server.
pub fn is_pods(path: &str) -> bool {
    path.contains("/proxy/")
}

fn is_late(error: &kube::Error) -> bool {
    matches!(Failure::of(error), Failure::TimedOut)
}

/// Whether nothing can have been sent: there was no connection to send it over.
fn is_unsent(error: &kube::Error) -> bool {
    matches!(Failure::of(error), Failure::Refused | Failure::UnknownHost)
}

/// A read, or a question about rights.
fn stores_nothing(method: &Method, path: &str) -> bool {
    *method == Method::GET || path.contains("/selfsubject")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// What a server does with one request after the other, and with all that follow the last.
    #[derive(Clone, Copy)]
    enum Does {
        Refuse,
        Hang,
        Reset,
        Answer(u16),
    }

    struct Told {
        answer: Result<u16, String>,
        sent: usize,
        said: Vec<String>,
    }

    fn ask(method: &str, path: &'static str, script: &'static [Does], limit: u64) -> Told {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let service = tower::service_fn(move |_: Request<Body>| {
            let at = count.fetch_add(1, Ordering::SeqCst).min(script.len() - 1);
            async move {
                let failed = |kind: io::ErrorKind| {
                    Err(kube::Error::Service(Box::new(io::Error::from(kind))))
                };
                match script[at] {
                    Does::Refuse => failed(io::ErrorKind::ConnectionRefused),
                    Does::Reset => failed(io::ErrorKind::ConnectionReset),
                    Does::Hang => std::future::pending().await,
                    Does::Answer(status) => {
                        Ok(Response::builder().status(status).body(Body::empty()).expect("valid"))
                    }
                }
            }
        });
        let said = Arc::new(Mutex::new(Vec::new()));
        let outage = Outage::new(Some(Duration::from_secs(5)));
        let heard = Arc::clone(&said);
        let tell = Box::new(move |line: &str| heard.lock().expect("free").push(line.to_owned()));
        if limit > 0 {
            let limit = Duration::from_secs(limit);
            outage.ride(Ride { limit, tell, stop: Box::new(|| false) });
        }
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
        let answer = runtime.block_on(async {
            let client = outage.over(Client::new(service, "default"), "default");
            let request = Request::builder().method(method).uri(path).body(Body::from(vec![1]));
            client.send(request.expect("valid")).await
        });
        let answer = answer.map(|a| a.status().as_u16()).map_err(|e| Failure::of(&e).text());
        let said = said.lock().expect("free").clone();
        Told { answer, sent: sent.load(Ordering::SeqCst), said }
    }

    const PODS: &str = "/api/v1/pods";

    #[test]
    fn a_read_is_asked_again_until_the_server_is_back() {
        use Does::{Answer, Hang, Refuse, Reset};
        let told = ask("GET", PODS, &[Reset, Refuse, Hang, Answer(503), Answer(200)], 60);
        assert_eq!((told.answer, told.sent), (Ok(200), 5));
        let begins = "waiting for the API server, for 60 s at most: ";
        assert!(told.said[0].starts_with(begins), "{:?}", told.said);
        assert_eq!(told.said[1..], ["the API server answers again"]);
    }

    #[test]
    fn before_something_is_changed_no_answer_is_told_at_once() {
        let told = ask("GET", PODS, &[Does::Refuse], 0);
        assert_eq!((told.answer, told.sent), (Err("connection refused".into()), 1));
    }

    #[test]
    fn it_is_not_waited_for_longer_than_agreed() {
        let told = ask("GET", PODS, &[Does::Refuse], 10);
        assert_eq!((told.answer, told.sent), (Err("connection refused".into()), 21));
    }

    #[test]
    fn a_write_is_sent_again_only_where_it_was_not_sent() {
        use Does::{Answer, Hang, Refuse, Reset};
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let told = ask(method, PODS, &[Refuse, Answer(200)], 60);
            assert_eq!((told.answer, told.sent), (Ok(200), 2), "{method}");
            for lost in [&[Reset, Answer(200)], &[Hang, Answer(200)]] {
                let told = ask(method, PODS, lost, 60);
                assert_eq!((told.answer.is_err(), told.sent), (true, 1), "{method}");
            }
            let told = ask(method, PODS, &[Answer(503), Answer(200)], 60);
            assert_eq!((told.answer, told.sent), (Ok(503), 1), "{method}");
        }
    }

    #[test]
    fn a_server_that_has_just_started_is_not_believed_that_it_is_forbidden() {
        use Does::{Answer, Refuse};
        for method in ["GET", "PATCH"] {
            let told = ask(method, PODS, &[Refuse, Answer(403), Answer(200)], 60);
            assert_eq!((told.answer, told.sent), (Ok(200), 3));
            let told = ask(method, PODS, &[Answer(403), Answer(200)], 60);
            assert_eq!((told.answer, told.sent), (Ok(403), 1));
            let told = ask(method, PODS, &[Refuse, Answer(403)], 60);
            assert_eq!((told.answer, told.sent), (Ok(403), 21));
        }
    }

    #[test]
    fn what_a_pod_answers_is_the_pods() {
        let path = "/api/v1/namespaces/m/pods/p:9090/proxy/-/ready";
        let told = ask("GET", path, &[Does::Answer(503), Does::Answer(200)], 60);
        assert_eq!((told.answer, told.sent), (Ok(503), 1));
    }

    /// A policy that keeps the API server away from a pod is no outage of the API server.
    #[test]
    fn a_pod_that_does_not_answer_in_time_is_not_waited_for() {
        let path = "/api/v1/namespaces/m/pods/p:9090/proxy/metrics";
        let told = ask("GET", path, &[Does::Hang, Does::Answer(200)], 60);
        assert_eq!((told.answer, told.sent), (Err("timed out".into()), 1));
        let told = ask("GET", path, &[Does::Refuse, Does::Answer(200)], 60);
        assert_eq!((told.answer, told.sent), (Ok(200), 2), "an API server that is away");
    }
}
