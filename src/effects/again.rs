//! A request without an answer, and for how long it is sent again. Reads that the API server misses
//! because it is away are repeated below, by the client; what comes here is a write whose outcome is
//! not known, and an answer that says "later".

use std::time::Duration;

use super::error::Error;

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// For an API server that starts, or changes its leader.
const TRIES: usize = 30;
/// An internal error may be for good: a webhook that is not there.
const FEW: usize = 3;

/// How often one request was sent.
#[derive(Default)]
pub(super) struct Again {
    sent: usize,
}

impl Again {
    /// Waits until it may be sent again; gives the error back where it has been sent often enough, or
    /// sending it again would not help.
    pub(super) async fn after(&mut self, error: Error) -> Result<(), Error> {
        let tries = if error.status() == Some(500) { FEW } else { TRIES };
        self.within(tries, error.is_transient(), error).await
    }

    /// The same of what the kubelet has to answer, for a pod that is there. Where it is away the API
    /// server says 500 or 502, and where it has just started, and has not read yet which pods it has,
    /// 404 (seen on 1.34).
    pub(super) async fn of_kubelet(&mut self, error: Error) -> Result<(), Error> {
        self.within(TRIES, error.is_transient() || error.status() == Some(404), error).await
    }

    async fn within(&mut self, tries: usize, passes: bool, error: Error) -> Result<(), Error> {
        self.sent += 1;
        if !passes || self.sent >= tries {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// Reads again for as long as an API server may be away.
pub(super) async fn patiently<T, F>(read: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut again = Again::default();
    loop {
        match read().await {
            Err(error) => again.after(error).await?,
            known => return known,
        }
    }
}
