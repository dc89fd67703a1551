//! Why a cluster could not be read, as one line that says what to do next.

use std::error::Error as StdError;
use std::io;

use jiff::Timestamp;

/// A reason for which nothing at all can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("kubeconfig {path} does not exist; give --kubeconfig FILE or set KUBECONFIG")]
    KubeconfigMissing { path: String },
    #[error(
        "no cluster is configured: {tried} does not exist and this is not a pod; \
         give --kubeconfig FILE or set KUBECONFIG"
    )]
    NothingConfigured { tried: String },
    #[error("kubeconfig {path} cannot be read: {why}")]
    KubeconfigInvalid { path: String, why: String },
    #[error("the kubeconfig names no current context; give --context with one of: {known}")]
    NoContext { known: String },
    #[error("context {name:?} is not in the kubeconfig; it has: {known}")]
    UnknownContext { name: String, known: String },
    #[error("cluster {name:?} is not in the kubeconfig; it has: {known}")]
    UnknownCluster { name: String, known: String },
    #[error("user {name:?} is not in the kubeconfig; it has: {known}")]
    UnknownUser { name: String, known: String },
    #[error("--as-group and --as-uid need --as NAME too")]
    GroupWithoutUser,
    #[error("the connection cannot be set up: {why}; check the kubeconfig and the flags given")]
    Setup { why: String },
    #[error("the credentials of {user} cannot be had: {why}; log in again, then repeat")]
    Credentials { user: String, why: String },
    #[error(
        "{server} does not accept the credentials of {user} (401); \
         they may have expired: log in again, then repeat"
    )]
    Unauthorized { server: String, user: String },
    #[error(
        "the client certificate of {user} expired at {at}; get a new one (log in again, or fetch \
         a new kubeconfig), then repeat"
    )]
    Expired { user: String, at: Timestamp },
    #[error("{server} refused the connection; is the cluster up, and is this the right context?")]
    Refused { server: String },
    #[error(
        "{server} does not answer in time; check the network or VPN, or give a longer \
         --request-timeout"
    )]
    TimedOut { server: String },
    #[error("the host of {server} is not known to DNS; check the network or VPN")]
    UnknownHost { server: String },
    #[error(
        "the certificate of {server} is not trusted: {why}; \
         give the right --certificate-authority FILE"
    )]
    Untrusted { server: String, why: String },
    #[error("{server} cannot be reached: {why}")]
    Unreachable { server: String, why: String },
}

impl ConnectError {
    /// The same, where a client certificate that ended before `now` is why: the API server then
    /// answers 401, and what ends TLS before it an alert.
    pub fn of_expired(self, user: &str, ends: Option<Timestamp>, now: Timestamp) -> ConnectError {
        let at = match (&self, ends) {
            (ConnectError::Unauthorized { .. }, Some(at)) if at < now => at,
            (ConnectError::Unreachable { why, .. }, Some(at))
                if at < now && why.contains("CertificateExpired") =>
            {
                at
            }
            _ => return self,
        };
        ConnectError::Expired { user: user.to_owned(), at }
    }
}

/// What kind of failure an error of the client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server's own reason, shortened: `cannot list resource "nodes"`.
    Forbidden(String),
    Unauthorized,
    NotFound,
    /// The listing took longer than the server keeps its state.
    Gone,
    /// The server answered with another error.
    Api {
        code: u16,
        message: String,
    },
    Refused,
    TimedOut,
    UnknownHost,
    Untrusted(String),
    Credentials(String),
    Other(String),
}

impl Failure {
    pub fn of(error: &kube::Error) -> Failure {
        match error {
            kube::Error::Api(status) => from_status(status.code, &status.message),
            kube::Error::Auth(why) => Failure::Credentials(first_line(&why.to_string())),
            _ => from_chain(error),
        }
    }

    /// Whether the API server may only be away for a while.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Failure::Refused | Failure::TimedOut | Failure::UnknownHost | Failure::Other(_)
        )
    }

    /// As the reason of an unreadable fact.
    pub fn text(&self) -> String {
        match self {
            Failure::Forbidden(why) => format!("forbidden: {why}"),
            Failure::Unauthorized => "unauthorized".into(),
            Failure::NotFound => "not found".into(),
            Failure::Gone => "the listing expired while it was read".into(),
            Failure::Api { code, message } => format!("server error {code}: {message}"),
            Failure::Refused => "connection refused".into(),
            Failure::TimedOut => "timed out".into(),
            Failure::UnknownHost => "host unknown".into(),
            Failure::Untrusted(why) => format!("certificate not trusted: {why}"),
            Failure::Credentials(why) => format!("no credentials: {why}"),
            Failure::Other(why) => why.clone(),
        }
    }

    /// The error that ends the run, where no request got through; none where the server did
    /// answer this one.
    pub fn fatal(&self, server: &str, user: &str) -> Option<ConnectError> {
        let (server, user) = (server.to_owned(), user.to_owned());
        Some(match self {
            Failure::Forbidden(_) | Failure::NotFound | Failure::Gone | Failure::Api { .. } => {
                return None;
            }
            Failure::Unauthorized => ConnectError::Unauthorized { server, user },
            Failure::Refused => ConnectError::Refused { server },
            Failure::TimedOut => ConnectError::TimedOut { server },
            Failure::UnknownHost => ConnectError::UnknownHost { server },
            Failure::Untrusted(why) => ConnectError::Untrusted { server, why: why.clone() },
            Failure::Credentials(why) => ConnectError::Credentials { user, why: why.clone() },
            Failure::Other(why) => ConnectError::Unreachable { server, why: why.clone() },
        })
    }
}

fn from_status(code: u16, message: &str) -> Failure {
    match code {
        401 => Failure::Unauthorized,
        403 => Failure::Forbidden(short_refusal(message)),
        // Not that of the API server, which would name the pod: a kubelet that has just started does
        // not know its pods yet (seen on 1.34).
        404 if message.contains("( pods/log ") => {
            Failure::Api { code, message: "the kubelet does not know the pod (yet)".into() }
        }
        404 => Failure::NotFound,
        410 => Failure::Gone,
        _ => Failure::Api { code, message: dial_error(message) },
    }
}

/// `pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace
/// "mon": …` becomes `cannot list resource "pods" in the namespace "mon"`: who asked stands in
/// the report's head, and what an authorizer appends is long.
fn short_refusal(message: &str) -> String {
    let line = first_line(message);
    let Some((_, tail)) = line.split_once(" cannot ") else { return line };
    let (what, rest) = tail.split_once(" in API group ").unwrap_or((tail, ""));
    let place = rest.split_once(" in the namespace ").map_or("", |(_, place)| place);
    let place = place.split(':').next().unwrap_or("");
    if place.is_empty() {
        return format!("cannot {what}");
    }
    format!("cannot {what} in the namespace {place}")
}

/// The last `dial tcp …` of a message, which says what failed; before it stand URLs.
pub fn dial_error(message: &str) -> String {
    let line = first_line(message);
    let from = line.rfind("dial tcp").unwrap_or(0);
    line.get(from..).unwrap_or(&line).trim_matches(['\'', '"', ' ']).to_owned()
}

pub fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given").into()
}

/// Looks through the sources of an error: the client wraps the one that matters several times.
fn from_chain(error: &kube::Error) -> Failure {
    let mut at: Option<&(dyn StdError + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(source) = at {
        if let Some(failure) = from_link(source) {
            return failure;
        }
        last = source.to_string();
        at = source.source();
    }
    Failure::Other(first_line(&last))
}

fn from_link(link: &(dyn StdError + 'static)) -> Option<Failure> {
    if let Some(auth) = link.downcast_ref::<kube::client::AuthError>() {
        return Some(Failure::Credentials(first_line(&auth.to_string())));
    }
    if let Some(failure) = link.downcast_ref::<io::Error>().and_then(from_io) {
        return Some(failure);
    }
    let text = link.to_string();
    // Only what begins with these is the link itself; wrappers repeat their sources' text.
    if text.starts_with("dns error") || text.starts_with("failed to lookup address") {
        return Some(Failure::UnknownHost);
    }
    if text.contains("corrupt message of type InvalidContentType") {
        return Some(Failure::Other("it does not speak TLS; its address may be http://".into()));
    }
    text.strip_prefix("invalid peer certificate: ").map(certificate)
}

/// The words of the TLS library, where they are those of its source code.
fn certificate(why: &str) -> Failure {
    let known = [
        ("UnknownIssuer", "its authority is unknown"),
        ("CaUsedAsEndEntity", "it is signed by itself"),
        ("Expired", "it has expired"),
        ("NotValidForName", "it is for another name"),
    ];
    let plain = known.iter().find(|(word, _)| why.contains(word)).map(|(_, plain)| *plain);
    Failure::Untrusted(plain.map_or_else(|| first_line(why), str::to_owned))
}

fn from_io(error: &io::Error) -> Option<Failure> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => return Some(Failure::Refused),
        io::ErrorKind::TimedOut => return Some(Failure::TimedOut),
        _ => {}
    }
    // `io::Error::source` skips the error it was made of, which is where TLS reports.
    error.get_ref().and_then(|inner| from_link(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn api(code: u16, message: &str) -> kube::Error {
        kube::Error::Api(Status::failure(message, "").with_code(code).boxed())
    }

    #[test]
    fn each_failure_has_its_short_text() {
        let refusal = "nodes is forbidden: User \"eve\" cannot list resource \"nodes\" in API \
                       group \"\" at the cluster scope";
        let inside = "pods is forbidden: User \"eve\" cannot get resource \"pods/log\" in API \
                      group \"\" in the namespace \"mon\": requires one of [\"x\"]";
        let kubelet = "Get \"https://10.0.0.5:10250/containerLogs/a\": dial tcp 10.0.0.5:10250: \
                       connect: no route to host";
        let rows = [
            (api(403, refusal), "forbidden: cannot list resource \"nodes\""),
            (
                api(403, inside),
                "forbidden: cannot get resource \"pods/log\" in the namespace \"mon\"",
            ),
            (api(403, "no"), "forbidden: no"),
            (api(404, "pods \"p\" not found"), "not found"),
            (
                api(404, "the server could not find the requested resource ( pods/log p)"),
                "server error 404: the kubelet does not know the pod (yet)",
            ),
            (api(401, "Unauthorized"), "unauthorized"),
            (
                api(500, kubelet),
                "server error 500: dial tcp 10.0.0.5:10250: connect: no route to host",
            ),
            (service(io::ErrorKind::ConnectionRefused.into()), "connection refused"),
            (service(io::ErrorKind::TimedOut.into()), "timed out"),
            (
                service(io::Error::other("invalid peer certificate: UnknownIssuer")),
                "certificate not trusted: its authority is unknown",
            ),
            (service(io::Error::other("dns error: no")), "host unknown"),
            (service(io::Error::other("odd")), "odd"),
        ];
        for (error, text) in rows {
            assert_eq!(Failure::of(&error).text(), text);
        }
    }

    #[test]
    fn an_expired_certificate_is_named_only_where_it_is_to_blame() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let (old, now) = (at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let refused = || Failure::Unauthorized.fatal("s", "eve").expect("fatal");
        let expired = ConnectError::Expired { user: "eve".into(), at: old };
        assert_eq!(refused().of_expired("eve", Some(old), now), expired);
        assert_eq!(refused().of_expired("eve", Some(now), old), refused());
        assert_eq!(refused().of_expired("eve", None, now), refused());
        let alert = || Failure::Other("received fatal alert: CertificateExpired".into());
        let alert = || alert().fatal("s", "eve").expect("fatal");
        assert_eq!(alert().of_expired("eve", Some(old), now), expired);
        let down = || Failure::Refused.fatal("s", "eve").expect("fatal");
        assert_eq!(down().of_expired("eve", Some(old), now), down());
    }

    fn service(error: io::Error) -> kube::Error {
        kube::Error::Service(Box::new(error))
    }

    #[test]
    fn only_what_never_reached_the_server_is_fatal() {
        assert_eq!(Failure::of(&api(403, "no")).fatal("s", "u"), None);
        let refused = Failure::Refused.fatal("https://a:6443", "eve").expect("fatal");
        let line = refused.to_string();
        assert!(line.starts_with("https://a:6443 refused the connection"), "{line}");
    }
}
