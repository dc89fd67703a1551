//! One reading of Prometheus' log lines for all classes: logfmt of every version, JSON, and the
//! plain text of panics, whatever a runtime put before it.
//!
//! The order of keys and the case of levels changed with releases (2.31, 3.0), and the position of
//! `msg` and `err` with them; so keys are searched, never counted, and `caller`/`source` are never
//! matched on by line number. This file cuts and finds; `sign` says what ended a run, `runs` which
//! log tells of which run of a container, `kill` who ended one that has no last words, `place` where
//! a path of a line lies, `pace` and `remaining` how long a replay takes. None knows a code.

mod cut;
pub mod events;
pub mod kill;
pub mod pace;
pub mod place;
pub mod remaining;
pub mod runs;
pub mod sign;
pub mod walreplay;

pub use kill::Kill;
pub use place::{Place, place};
pub use runs::Runs;
pub use sign::{Listen, Sign, ended_by};

use cut::Span;
use jiff::Timestamp;

/// One line, cut into what classes match on. A log of a thousand lines is cut for each question
/// that is put to it, so a line holds its text once, and where in it each part lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The line without terminal escapes; behind it, values whose own escapes were undone.
    own: Box<str>,
    raw: Span,
    text: Span,
    level: Span,
    fields: Box<[(Span, Span)]>,
}

impl Line {
    /// `info`, `warn`, `error`, …, lower case; empty for plain text.
    pub fn level(&self) -> &str {
        self.part(self.level)
    }

    /// Empty for plain text.
    pub fn msg(&self) -> &str {
        self.field("msg").unwrap_or("")
    }

    pub fn err(&self) -> &str {
        self.field("err").unwrap_or("")
    }

    /// The line's own time as it wrote it; empty for plain text.
    pub fn ts(&self) -> &str {
        let of = |key| self.field(key).filter(|time| !time.is_empty());
        of("ts").or_else(|| of("time")).unwrap_or("")
    }

    /// The line as it was, without terminal escapes.
    pub fn raw(&self) -> &str {
        self.part(self.raw)
    }

    /// `raw` without what a runtime put before it.
    pub fn text(&self) -> &str {
        self.part(self.text)
    }

    /// The value of a key, escapes undone: `field("maxSegment")`.
    pub fn field(&self, key: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(name, _)| self.part(*name) == key)
            .map(|(_, value)| self.part(*value))
    }

    fn part(&self, span: Span) -> &str {
        cut::part(&self.own, span)
    }

    /// Whether it is text without keys: a panic, a stack, an error before the logger was made.
    pub fn is_plain(&self) -> bool {
        self.fields.is_empty()
    }

    /// What it says: the error where it has one, else the message, else the text.
    pub fn says(&self) -> &str {
        match (self.err().is_empty(), self.msg().is_empty()) {
            (false, _) => self.err(),
            (true, false) => self.msg(),
            (true, true) => self.text(),
        }
    }

    /// Whether message, error or plain text holds `part`; the case of letters counts.
    pub fn has(&self, part: &str) -> bool {
        self.msg().contains(part)
            || self.err().contains(part)
            || (self.is_plain() && self.text().contains(part))
    }

    /// The line for a report: what it says, without time, level and place in the source. The end
    /// of a wrapped error decides, so a long one is cut in its middle.
    pub fn quote(&self) -> String {
        let text = match (self.is_plain(), self.msg().is_empty(), self.err().is_empty()) {
            (false, false, false) => format!("{}: {}", self.msg(), self.err()),
            (false, true, false) => self.err().to_owned(),
            (false, false, true) if self.msg().contains(' ') => self.msg().to_owned(),
            _ => self.text().to_owned(),
        };
        shorten(&text)
    }
}

/// At most 240 characters, the middle left out: the end says what happened.
pub fn shorten(text: &str) -> String {
    const MOST: usize = 240;
    const HEAD: usize = 90;
    let count = text.chars().count();
    if count <= MOST {
        return text.to_owned();
    }
    let head: String = text.chars().take(HEAD).collect();
    let tail: String = text.chars().skip(count - (MOST - HEAD)).collect();
    format!("{head} … {tail}")
}

/// The lines of a log, empty ones left out.
pub fn lines(text: &str) -> Vec<Line> {
    text.lines().map(cut::line).filter(|line| !line.text().is_empty()).collect()
}

/// The lines since the last `Starting Prometheus …`: a log that a runtime keeps over restarts
/// holds several runs. Where the last run died before that line (bad flags, bad configuration),
/// what it said comes after the run before it.
pub fn last_run(lines: &[Line]) -> &[Line] {
    let start = lines.iter().rposition(is_start).unwrap_or(0);
    lines.get(start..).unwrap_or(&[])
}

/// Whether a log still holds the start of its last run. A long run loses it to rotation, and a level
/// of `warn` never writes it.
pub fn reaches_back(lines: &[Line]) -> bool {
    lines.iter().any(is_start)
}

fn is_start(line: &Line) -> bool {
    line.msg().starts_with("Starting Prometheus")
}

/// Messages that are the last words of a run (prometheus `cmd/prometheus/main.go`, 2.0 to 3.14).
const LAST_WORDS: &[&str] = &[
    "Fatal error",
    "Error running goroutines from run.Group",
    "Opening storage failed",
    "Unable to start web listener",
    "Unable to validate web configuration file",
    "Error loading config",
    "failed to initialize active query tracker",
    "Error allocating query log file",
    "Error opening memory series storage",
];

/// Beginnings of errors that are the last words of a run where there is no message (2.1 to 2.55).
const LAST_ERRORS: &[&str] = &[
    "opening storage failed",
    "Opening storage failed",
    "error starting web server",
    "error loading config from",
    "creating WAL: ",
];

/// Beginnings of plain text that ends a run.
const LAST_TEXTS: &[&str] = &[
    "panic: ",
    "fatal error: ",
    "runtime: out of memory",
    "parse external URL",
    "Error parsing command line arguments",
    "Error loading config",
    "prometheus: error: ",
    "exec /bin/prometheus",
];

/// The line that ended the last run: the last that is known to end one.
pub fn fatal(lines: &[Line]) -> Option<&Line> {
    last_run(lines).iter().rfind(|line| is_fatal(line))
}

fn is_fatal(line: &Line) -> bool {
    let starts = |text: &str, all: &[&str]| all.iter().any(|one| text.starts_with(one));
    if line.is_plain() {
        return starts(line.text(), LAST_TEXTS);
    }
    let failed = matches!(line.level(), "error" | "err" | "fatal" | "crit");
    // From 2.1 to 2.55 whatever stops the run group is logged by main.go without a message.
    let of_main =
        line.msg().is_empty() && line.field("caller").is_some_and(|c| c.starts_with("main.go"));
    failed && (of_main || starts(line.msg(), LAST_WORDS) || starts(line.err(), LAST_ERRORS))
}

/// How far the replay of the write-ahead log came in the last run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    pub started: bool,
    pub done: bool,
    /// The first segment that was loaded, where the log reaches back to it.
    pub first: Option<u64>,
    /// The last that was loaded, and the last there is.
    pub segment: Option<u64>,
    pub max_segment: Option<u64>,
    pub checkpoint_loaded: bool,
    /// `Server is ready to receive web requests.` was logged.
    pub ready: bool,
    /// When, as it was logged.
    pub ready_at: Option<Timestamp>,
    /// The whole replay, as `WAL replay completed` gives it (2.17 and later).
    pub seconds: Option<f64>,
}

impl Replay {
    /// Begun, and not finished.
    pub fn in_progress(&self) -> bool {
        self.started && !self.done && !self.ready
    }
}

/// What the log says of the replay. Wording by release: prometheus `tsdb/head.go`, 2.12 to 3.14.
pub fn replay(lines: &[Line]) -> Replay {
    let mut out = Replay::default();
    let mut begun = false;
    for line in last_run(lines) {
        let number = |key| line.field(key).and_then(|n| n.parse().ok());
        let msg = line.msg().to_ascii_lowercase();
        if msg.starts_with("replaying wal") || msg.starts_with("replaying on-disk memory") {
            out.started = true;
            begun = true;
        } else if msg == "wal checkpoint loaded" {
            out.checkpoint_loaded = true;
        } else if msg == "wal segment loaded" {
            out.started = true;
            out.segment = number("segment");
            out.first = out.first.or(out.segment.filter(|_| begun));
            out.max_segment = number("maxSegment");
        } else if msg == "wal replay completed" {
            out.done = true;
            out.seconds = line.field("total_replay_duration").and_then(cut::seconds);
        } else if msg == "tsdb started" {
            out.done = true;
        } else if msg.starts_with("server is ready to receive") {
            out.done = true;
            out.ready = true;
            out.ready_at = line.ts().parse().ok();
        }
    }
    out
}

/// The release that wrote the log: `2.53.3`.
pub fn version(lines: &[Line]) -> Option<String> {
    let text = lines.iter().rev().find(|line| is_start(line))?.field("version")?;
    let text = text.split_once("version=").map_or(text, |(_, rest)| rest);
    let end = text.find([',', ')', ' ']).unwrap_or(text.len());
    text.get(..end).filter(|v| !v.is_empty()).map(str::to_owned)
}

/// The queries that ran when the run before ended, as the JSON list that is logged at start
/// (prometheus `promql/query_logger.go`).
pub fn unfinished_queries(lines: &[Line]) -> Option<String> {
    let line =
        last_run(lines).iter().find(|l| l.msg().starts_with("These queries didn't finish"))?;
    line.field("queries").filter(|q| !q.is_empty()).map(str::to_owned)
}

/// Bytes of `GOMEMLIMIT` where Prometheus set it from its cgroup. The line comes before
/// `Starting Prometheus`, so all lines are searched.
pub fn gomemlimit(lines: &[Line]) -> Option<u64> {
    lines.iter().rev().find_map(|line| line.field("GOMEMLIMIT")?.parse().ok())
}

/// Whether the run before ended without closing its storage. The loser of a race for the lock
/// logs it as well (prometheus `tsdb/tsdbutil/dir_locker.go`).
pub fn unclean_start(lines: &[Line]) -> bool {
    last_run(lines).iter().any(|l| l.msg().contains("lockfile from a previous execution"))
}

/// Whether it was asked to stop: SIGTERM of the kubelet, or another signal.
pub fn stop_signal(lines: &[Line]) -> bool {
    let asked = |l: &Line| {
        l.msg().starts_with("Received SIGTERM") || l.msg().starts_with("Received an OS signal")
    };
    last_run(lines).iter().any(asked)
}

#[cfg(test)]
mod tests;
