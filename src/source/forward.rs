//! One GET of a pod's loopback: a port-forward, as which the API server hands bytes on over a
//! websocket. It changes nothing, and is asked for only where a look inside was allowed. On
//! Kubernetes 1.34 it is the verb `get` of `pods/portforward` (seen in the audit log; `create` alone
//! is refused).

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::client::UpgradeConnectionError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::failure::{Failure, first_line};
use super::fetch::{Answer, Fetch};
use crate::model::object::ObjectRef;

/// What is read of an answer; the first line tells it all.
const CAP: usize = 64 << 10;

impl Fetch {
    /// What the process answers on its loopback; a failure where nothing does.
    pub async fn forward(&self, pod: &ObjectRef, port: u16, path: &str) -> Result<Answer, Failure> {
        self.count();
        let pods: Api<Pod> = Api::namespaced(self.client(), &pod.namespace);
        let mut forward = pods.portforward(&pod.name, &[port]).await.map_err(|e| refused(&e))?;
        let lost = || Failure::Other("the port-forward was not set up".into());
        let mut stream = forward.take_stream(port).ok_or_else(lost)?;
        let error = forward.take_error(port).ok_or_else(lost)?;
        let asked = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: kubectl-prom_fix\r\n\
             Connection: close\r\n\r\n"
        );
        let talk = async {
            stream.write_all(asked.as_bytes()).await?;
            let mut bytes = Vec::new();
            (&mut stream).take(CAP as u64).read_to_end(&mut bytes).await?;
            Ok::<_, std::io::Error>(bytes)
        };
        tokio::pin!(error);
        let said = tokio::select! {
            biased;
            Some(why) = &mut error => Err(why),
            bytes = talk => Ok(bytes),
        };
        let bytes = match said {
            Err(why) => Err(Failure::Other(first_line(&why))),
            Ok(Ok(bytes)) if !bytes.is_empty() => Ok(bytes),
            // The stream may end before the reason arrives.
            Ok(_) => Err(error.await.map_or_else(lost, |why| Failure::Other(first_line(&why)))),
        };
        forward.abort();
        bytes.map(|bytes| answer(&bytes))
    }
}

/// Without the right the upgrade is refused, with nothing but a number.
fn refused(error: &kube::Error) -> Failure {
    let kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) = error
    else {
        return Failure::of(error);
    };
    match status.as_u16() {
        401 => Failure::Unauthorized,
        403 => Failure::Forbidden("cannot get resource \"pods/portforward\"".into()),
        404 => Failure::NotFound,
        code => Failure::Api { code, message: "no port-forward".into() },
    }
}

/// The status and the body of an answer. Whatever was answered, something listens there: bytes that
/// are no HTTP count as a bad gateway.
fn answer(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut words = head.lines().next().unwrap_or("").split(' ');
    let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/"));
    let status = words.next().and_then(|word| word.parse().ok()).filter(|_| is_http);
    Answer { status: status.unwrap_or(502), body: body.as_bytes().to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_by_its_first_line() {
        let rows: [(&[u8], u16, &[u8]); 3] = [
            (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nReady.\n", 200, b"Ready.\n"),
            (b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent", 400, b"Client sent"),
            (b"\x15\x03\x01\x00\x02\x02F", 502, b""),
        ];
        for (bytes, status, body) in rows {
            let answer = answer(bytes);
            assert_eq!((answer.status, answer.body.as_slice()), (status, body));
        }
    }
}
