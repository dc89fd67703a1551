//! Options besides kubectl's own, and which of them do not go together.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::data::Act;
use super::{Job, Typed};
use crate::model::image::is_reference;

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One line per finding.
    Short,
    Json,
    Yaml,
    /// The plan as a file for `apply -f`.
    Plan,
    /// The RFC 6902 list of a plan whose only change is one patch.
    Patch,
    /// What to commit so that it lasts.
    Commit,
    /// The plan as plain kubectl commands.
    Commands,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Warn,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rehearse {
    /// The patch is computed and shown; nothing is sent.
    Client,
    /// Each write is rehearsed by the server with dryRun=All too.
    Server,
}

/// Where it reads and what it prints.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Reading and printing")]
pub struct ReadFlags {
    /// What to print
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value = "text",
        hide_possible_values = true,
        value_name = "text|short|json|yaml|plan|patch|commit|commands"
    )]
    pub output: Output,
    /// No cluster: read a folder or .tar.gz made with --record, or a file of objects
    #[arg(long, global = true, value_name = "PATH")]
    pub bundle: Option<PathBuf>,
    /// Write all that was read as a bundle, secrets redacted (.tar.gz, or a folder)
    #[arg(long, global = true, value_name = "PATH")]
    pub record: Option<PathBuf>,
    /// Print plain kubectl commands that make such a bundle
    #[arg(long, global = true)]
    pub record_commands: bool,
    /// Colour: auto, always or never (NO_COLOR is respected)
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        hide_possible_values = true,
        value_name = "WHEN"
    )]
    pub color: Color,
    /// Leave out findings of a code, or of a code on one object; may be repeated
    #[arg(long, global = true, value_name = "CODE[=OBJECT]")]
    pub suppress: Vec<String>,
    /// The severity from which a finding makes the exit number 2
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "error",
        value_name = "warn|error",
        hide_possible_values = true
    )]
    pub fail_on: FailOn,
    /// Say on stderr what is read; -v=2 also each request
    #[arg(short, long, global = true, num_args = 0..=1, require_equals = true, default_value = "0", default_missing_value = "1", value_name = "N", hide_default_value = true)]
    pub verbose: u8,
    /// Nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// How to look inside a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Inspect {
    /// One helper pod that mounts the volume read-only.
    Pod,
}

/// What may be changed, and how long to wait.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Changing")]
pub struct ChangeFlags {
    /// Look inside where the verdict or the plan needs it: one helper pod that mounts the volume
    /// read-only, made and removed; of a pod whose address refuses, a port-forward to its loopback
    #[arg(
        long,
        global = true,
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "pod",
        hide_possible_values = true,
        value_name = "pod"
    )]
    pub inspect: Option<Inspect>,
    /// What a helper pod runs in, where Prometheus' own image cannot be had: any image that the node
    /// has or may pull; nothing of it is run but our agent, which comes along
    #[arg(long, global = true, value_name = "REF", value_parser = image)]
    pub helper_image: Option<String>,
    /// Carry the plan out; asks first on a terminal
    #[arg(long, global = true)]
    pub apply: bool,
    /// With --apply: do not ask. With --inspect it covers what is said before the look, and no more
    #[arg(long, global = true)]
    pub yes: bool,
    /// With --apply: carry out this plan and no other; the digest that was shown
    #[arg(long, global = true, value_name = "DIGEST")]
    pub confirm: Option<String>,
    /// client: nothing is sent (the default); server: each write is rehearsed with dryRun=All
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "client|server",
        hide_possible_values = true
    )]
    pub dry_run: Option<Rehearse>,
    /// Consent to stopping a replica that serves, with no other serving
    #[arg(long, global = true)]
    pub allow_downtime: bool,
    /// Pause whoever would start it again while a plan works on its volume, for as long as that
    /// takes: Argo CD, Flux, KEDA
    #[arg(long, global = true)]
    pub pause_gitops: bool,
    /// Consent to an undo over values that were changed since
    #[arg(long, global = true)]
    pub force: bool,
    /// Time without progress before giving up
    #[arg(long, global = true, default_value = "15m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// How long it must stay up and take samples to count as proved
    #[arg(long, global = true, default_value = "2m", value_parser = duration, value_name = "DURATION")]
    pub settle: Duration,
    /// Do not wait for the proof (exit 124: applied, not proved)
    #[arg(long, global = true)]
    pub no_wait: bool,
}

/// A reference to an image, as a container's `image` takes it.
fn image(text: &str) -> Result<String, String> {
    match is_reference(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is no reference to an image: [HOST/]PATH[:TAG][@DIGEST]")),
    }
}

/// Nobody waits longer; sums of two stay far from overflow.
const MOST: Duration = Duration::from_secs(30 * 24 * 3600);

/// A duration as kubectl writes it: `90s`, `15m`, `1h30m`, `500ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_end);
        let number: u64 = number.parse().map_err(|_| bad(text))?;
        total = total.saturating_add(match unit {
            "ms" => Duration::from_millis(number),
            "s" | "" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.saturating_mul(60)),
            "h" => Duration::from_secs(number.saturating_mul(3600)),
            _ => return Err(bad(text)),
        });
        rest = next;
    }
    if text.is_empty() { Err(bad(text)) } else { Ok(total.min(MOST)) }
}

fn bad(text: &str) -> String {
    format!("{text:?} is no duration such as 90s, 15m or 1h30m")
}

/// Options that do not go together.
pub fn check(typed: &Typed) -> Result<(), String> {
    let Typed { job, kube, read, change } = typed;
    if let Some(namespace) = kube.namespace.as_deref().filter(|n| !n.is_empty() && !is_namespace(n))
    {
        return Err(format!(
            "{namespace:?} is no name of a namespace: small letters, digits and '-', at most 63"
        ));
    }
    if change.inspect.is_some() && read.bundle.is_some() {
        return Err("--inspect needs a cluster, and --bundle reads a recording of one".into());
    }
    if change.inspect.is_some() && kube.all_namespaces {
        return Err("--inspect looks inside one Prometheus: name it, with -n".into());
    }
    if change.apply && read.bundle.is_some() {
        return Err("--apply needs a cluster, and --bundle reads a recording of one: \
                    make the plan with -o plan and carry it out with  apply -f"
            .into());
    }
    if change.apply && change.dry_run.is_some() {
        return Err("--apply and --dry-run do not go together".into());
    }
    if change.apply && kube.all_namespaces {
        return Err("--apply works on one Prometheus: name it, with -n".into());
    }
    if (change.yes || change.confirm.is_some()) && !changes(job) && !change.apply {
        return Err("--yes and --confirm go with --apply".into());
    }
    if read.bundle.is_some() && change.dry_run == Some(Rehearse::Server) {
        return Err("--dry-run=server needs a cluster, and --bundle reads a recording".into());
    }
    Ok(())
}

/// A name of a namespace goes into the path of each request.
fn is_namespace(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 63
        && text.starts_with(inner)
        && text.ends_with(inner)
        && text.chars().all(|c| inner(c) || c == '-')
}

fn changes(job: &Job) -> bool {
    match job {
        Job::ApplyFile { .. }
        | Job::Freeze { .. }
        | Job::Resume { .. }
        | Job::Undo { .. }
        | Job::Cleanup { .. } => true,
        Job::Data(asked) => matches!(asked.act, Act::Resume | Act::Undo),
        Job::Examine { .. }
        | Job::Wait { .. }
        | Job::Receipts { .. }
        | Job::Explain { .. }
        | Job::Completion { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_name_and_no_path() {
        let rows = [("mon-1", true), ("a/b", false), ("..", false), ("Mon", false), ("a ", false)];
        for (text, is) in rows {
            assert_eq!(is_namespace(text), is, "{text}");
        }
    }

    #[test]
    fn durations_read_as_kubectl_writes_them() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("45"), Ok(Duration::from_secs(45)));
        assert_eq!(duration("18446744073709551615s1s"), Ok(MOST));
        assert!(duration("").is_err() && duration("2d").is_err() && duration("m").is_err());
    }
}
