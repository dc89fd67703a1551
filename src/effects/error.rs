//! What can go wrong between this program and a cluster.

use crate::model::receipt::Receipt;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("forbidden: {doing}: {message}")]
    Forbidden { doing: String, message: String },
    /// The API server answered, and the answer is no. 422 is also how it answers a patch whose
    /// `test` failed.
    #[error("cannot {doing}: {message}")]
    Refused { doing: String, status: u16, message: String },
    /// No answer: whether a write happened is not known.
    #[error("cannot {doing}: no answer from the API server")]
    Unreachable {
        doing: String,
        #[source]
        source: Box<kube::Error>,
    },
    #[error("cannot {doing}: the request could not be built")]
    Request {
        doing: String,
        #[source]
        source: http::Error,
    },
    #[error("cannot {doing}: the answer is not JSON")]
    Garbled {
        doing: String,
        #[source]
        source: serde_json::Error,
    },
    /// Somebody else changed what the plan was made from.
    #[error("{object} is not as the plan expects: {why}")]
    Moved { object: String, why: String },
    /// What is waited for will not come.
    #[error("{0}")]
    Hopeless(String),
    /// A receipt is open for the same target: a plan is at work, or was left behind.
    #[error("{} began receipt {} at {} and did not finish", .receipt.who, .receipt.digest, .receipt.began)]
    Busy { receipt: Box<Receipt> },
    /// The receipt was written by somebody else while we held it: `resume` or `undo` on another
    /// machine took over.
    #[error("receipt {digest} was taken over by another run")]
    TakenOver { digest: String },
    /// A receipt was begun, and it is not known whether it could be written, or taken back.
    #[error(
        "{why}; nothing was done, but receipt {digest} may be open now: \
         kubectl prom-fix undo {digest} -n {namespace}"
    )]
    LeftBehind { digest: String, namespace: String, why: String },
    #[error("{name} exists and is not a receipt of this program")]
    NotAReceipt { name: String },
    #[error("receipt {digest} no longer exists")]
    NoReceipt { digest: String },
    #[error("the plan was made for cluster {planned}, this is {found}")]
    OtherCluster { planned: String, found: String },
    #[error("step {step} runs a program in a container, which this version cannot do")]
    NoExec { step: usize },
    /// Outside of what a plan of this program may contain.
    #[error("{} is not what a plan does: {why}", place(.step))]
    NotAllowed { step: usize, why: String },
    /// The plan was made with an agent that this program does not carry.
    #[error("{object} is to hold an agent of another build of this program: make the plan again")]
    NoAgent { object: String },
    /// A helper pod ended without doing what it was for.
    #[error("{pod} did not end well: {why}")]
    Helper { pod: String, why: String },
    #[error("receipt {digest} is being undone: finish that with undo")]
    BeingUndone { digest: String },
    #[error("cannot write {path}")]
    Local {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("no folder for receipts: set PROM_FIX_HOME or HOME")]
    NoFolder,
}

impl Error {
    /// Whether asking again may succeed, and a write may have happened unseen.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Unreachable { .. } => true,
            Error::Refused { status, .. } => matches!(status, 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Forbidden { .. } => Some(403),
            Error::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The message with those it was caused by, for a receipt or one line on a screen.
    pub fn whole(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(source) = next {
            text.push_str(": ");
            text.push_str(&source.to_string());
            next = source.source();
        }
        text
    }
}

fn place(step: &usize) -> String {
    if *step == 0 { "the plan".to_owned() } else { format!("step {step}") }
}
