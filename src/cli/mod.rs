//! The command line: what was typed, as values. Sub-commands of classes are asked from
//! `classes::ALL`; no class is named here.

pub mod complete;
pub mod data;
mod examples;
mod options;
mod target;

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::classes::{self, Given};
use crate::source::connect::KubeFlags;
use crate::subject::discover::Target;
pub use options::{ChangeFlags, Color, FailOn, Inspect, Output, ReadFlags, Rehearse};
pub use target::{near_miss, nearest};

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Job {
    /// Look at one or more Prometheus, all classes or one; with `--apply`, carry its plan out.
    Examine {
        class: Option<&'static str>,
        target: Target,
        typed: Option<String>,
        given: Given,
    },
    /// Carry out a plan made elsewhere.
    ApplyFile {
        path: PathBuf,
    },
    /// Follow recovery to the proof.
    Wait {
        target: Target,
    },
    /// Keep one broken replica from starting.
    Freeze {
        target: Target,
        typed: Option<String>,
    },
    Resume {
        which: Option<String>,
    },
    Undo {
        which: Option<String>,
    },
    /// Free what a finished plan set aside.
    Cleanup {
        which: Option<String>,
    },
    Receipts {
        id: Option<String>,
    },
    /// `--data`: a data directory on this machine. No cluster is contacted.
    Data(data::Asked),
    Explain {
        code: Option<String>,
    },
    Completion {
        shell: String,
        install: bool,
    },
}

impl Job {
    /// The sub-command, as a report names it.
    pub fn command(&self) -> &'static str {
        match self {
            Job::Examine { class, .. } => class.unwrap_or("diagnose"),
            Job::ApplyFile { .. } => "apply",
            Job::Wait { .. } => "wait",
            Job::Freeze { .. } => "freeze",
            Job::Resume { .. } => "resume",
            Job::Undo { .. } => "undo",
            Job::Cleanup { .. } => "cleanup",
            Job::Receipts { .. } => "receipts",
            Job::Data(asked) => asked.command,
            Job::Explain { .. } => "explain",
            Job::Completion { .. } => "completion",
        }
    }
}

/// Everything typed.
#[derive(Clone, Debug)]
pub struct Typed {
    pub job: Job,
    pub kube: KubeFlags,
    pub read: ReadFlags,
    pub change: ChangeFlags,
}

const ABOUT: &str = "Says why a Prometheus is down, shows the exact fix, applies it only when told";

const LONG: &str = "\
Prometheus is down: killed for memory in a loop, denied on its volume, stuck in
its WAL, or refusing connections. prom-fix says in seconds which single cause it
is, shows the exact patch before anything changes, applies it only with --apply,
proves the recovery, and can undo it. It works while Prometheus cannot answer.

Without --apply nothing is written to the cluster.";

const EXAMPLES: &str = "\
Examples:
  kubectl prom-fix                                 every Prometheus of the namespace
  kubectl prom-fix -A                              of the whole cluster, one line each
  kubectl prom-fix prometheus/k8s -n monitoring    one: its cause, and the plan for it
  kubectl prom-fix oom sts/prometheus-server       one failure class
  kubectl prom-fix oom prometheus/k8s --apply      carry the plan out, after asking
  kubectl prom-fix --bundle ./bundle               no cluster: read a recording
  kubectl prom-fix undo                            put back what the last plan changed

Exit: 0 healthy, or applied and proved · 1 error · 2 fault found · 3 no safe plan,
refused or stale · 4 could not tell · 5 begun and not finished · 124 not proved in time";

/// The whole command line, for parsing, help and completion.
pub fn command() -> Command {
    let mut root = Command::new("kubectl-prom_fix")
        .bin_name("kubectl prom-fix")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(false)
        .args_conflicts_with_subcommands(false)
        .disable_help_subcommand(true)
        .max_term_width(100);
    root = KubeFlags::augment_args(root);
    root = ReadFlags::augment_args(root);
    // Each group of flags would leave its own description behind: ours comes last.
    root = ChangeFlags::augment_args(root).about(ABOUT).long_about(LONG).after_help(EXAMPLES);
    root = root.arg(target_arg()).subcommand(
        Command::new("diagnose")
            .about("Every check, ranked to one root cause, with the plan for it")
            .arg(target_arg()),
    );
    for class in classes::ALL.iter().filter(|class| class.command()) {
        let own = Command::new(class.name()).about(class.about()).arg(target_arg());
        let own = if class.on_disk().is_some() { own.arg(data::arg()) } else { own };
        root = root.subcommand(class.options(own));
    }
    let root = ledger_commands(root)
        .subcommand(
            Command::new("explain")
                .about("Meaning, proof, plan and risk of a code; works without a cluster")
                .arg(Arg::new("code").value_name("CODE").help("e.g. oom/replay; none: list all")),
        )
        .subcommand(
            Command::new("completion")
                .about("Shell completion; 'kubectl' makes kubectl itself complete it")
                .arg(Arg::new("shell").required(true).value_parser([
                    "bash",
                    "zsh",
                    "fish",
                    "powershell",
                    "kubectl",
                ]))
                .arg(
                    Arg::new("install")
                        .long("install")
                        .action(ArgAction::SetTrue)
                        .help("kubectl: write kubectl_complete-prom_fix beside this program"),
                ),
        );
    root.mut_subcommands(|sub| {
        let examples = examples::of(sub.get_name());
        sub.after_help(examples)
    })
}

fn ledger_commands(root: Command) -> Command {
    let which = || {
        Arg::new("which").value_name("RECEIPT|TARGET").help("a digest, or what it was applied to")
    };
    root.subcommand(
        Command::new("apply")
            .about("Carry out a plan that someone made with -o plan; nothing is planned again")
            .arg(
                Arg::new("file")
                    .short('f')
                    .long("filename")
                    .required(true)
                    .value_name("PLAN")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help("the plan; - reads standard input"),
            ),
    )
    .subcommand(
        Command::new("wait")
            .about("Follow replay and recovery until it is healthy; read only")
            .arg(target_arg()),
    )
    .subcommand(
        Command::new("freeze")
            .about("Keep one broken replica from starting before it does harm; undo lets it go")
            .arg(target_arg()),
    )
    .subcommand(
        Command::new("resume").about("Finish what a plan began").arg(which()).arg(data::arg()),
    )
    .subcommand(
        Command::new("undo").about("Put back what a plan changed").arg(which()).arg(data::arg()),
    )
    .subcommand(
        Command::new("cleanup")
            .about("Free what a finished plan set aside; names every path and its bytes, and asks")
            .arg(which()),
    )
    .subcommand(
        Command::new("receipts")
            .about("What was done, by whom, when; one as a timeline")
            .arg(Arg::new("id").value_name("ID").help("a digest, or what it was applied to")),
    )
}

fn target_arg() -> Arg {
    Arg::new("target")
        .value_name("TARGET")
        .help_heading("Arguments")
        .help("pod/NAME sts/NAME deploy/NAME ds/NAME prometheus/NAME prometheusagent/NAME svc/NAME, or a bare name")
}

/// Reads the command line. An error is clap's own: `main` prints it and maps its number.
pub fn parse(argv: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Typed, clap::Error> {
    let matches = command().try_get_matches_from(argv)?;
    let kube = KubeFlags::from_arg_matches(&matches)?;
    let read = ReadFlags::from_arg_matches(&matches)?;
    let change = ChangeFlags::from_arg_matches(&matches)?;
    let job = job(&matches, kube.selector.as_deref())?;
    let typed = Typed { job, kube, read, change };
    options::check(&typed)
        .map_err(|why| command().error(clap::error::ErrorKind::ArgumentConflict, why))?;
    Ok(typed)
}

fn job(matches: &ArgMatches, labels: Option<&str>) -> Result<Job, clap::Error> {
    let text = |m: &ArgMatches, id: &str| m.get_one::<String>(id).cloned();
    let examine = |class: Option<&'static str>, m: &ArgMatches, given: Given| {
        let typed = text(m, "target");
        let target = target::parse(typed.as_deref(), labels)
            .map_err(|why| command().error(clap::error::ErrorKind::ValueValidation, why))?;
        Ok(Job::Examine { class, target, typed, given })
    };
    let Some((name, sub)) = matches.subcommand() else {
        return examine(None, matches, Given::new());
    };
    if let Some(asked) = data::read(matches, name, sub) {
        let asked =
            asked.map_err(|why| command().error(clap::error::ErrorKind::ArgumentConflict, why))?;
        return Ok(Job::Data(asked));
    }
    if let Some(class) = classes::ALL.iter().find(|c| c.command() && c.name() == name) {
        return examine(Some(class.name()), sub, given_of(*class, sub));
    }
    Ok(match name {
        "diagnose" => return examine(None, sub, Given::new()),
        "apply" => {
            Job::ApplyFile { path: sub.get_one::<PathBuf>("file").cloned().unwrap_or_default() }
        }
        "wait" => match examine(None, sub, Given::new())? {
            Job::Examine { target, .. } => Job::Wait { target },
            other => other,
        },
        "freeze" => match examine(None, sub, Given::new())? {
            Job::Examine { target, typed, .. } => Job::Freeze { target, typed },
            other => other,
        },
        "resume" => Job::Resume { which: text(sub, "which") },
        "undo" => Job::Undo { which: text(sub, "which") },
        "cleanup" => Job::Cleanup { which: text(sub, "which") },
        "receipts" => Job::Receipts { id: text(sub, "id") },
        "explain" => Job::Explain { code: text(sub, "code") },
        _ => Job::Completion {
            shell: text(sub, "shell").unwrap_or_default(),
            install: sub.get_flag("install"),
        },
    })
}

/// The values of a class's own options.
fn given_of(class: &dyn classes::Class, matches: &ArgMatches) -> Given {
    let own = class.options(Command::new(class.name()));
    own.get_arguments()
        .filter_map(|arg| {
            let id = arg.get_id().as_str();
            let set = matches.try_get_one::<bool>(id).ok().flatten().copied();
            if let Some(set) = set {
                return set.then(|| (id.to_owned(), String::new()));
            }
            let value = matches.try_get_one::<String>(id).ok()??;
            Some((id.to_owned(), value.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &str) -> Result<Typed, clap::Error> {
        let argv = std::iter::once("kubectl-prom_fix").chain(words.split_whitespace());
        parse(argv.map(std::ffi::OsString::from))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn every_sub_command_shows_examples_that_parse() {
        for sub in command().get_subcommands() {
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines = help.lines().filter_map(|l| l.trim().strip_prefix("kubectl prom-fix "));
            let mut count = 0;
            for line in lines {
                // After two spaces the line says what it is for.
                let words = line.split("  ").next().and_then(|l| l.split(" > ").next());
                let parsed = typed(words.expect("words"));
                assert!(parsed.is_ok(), "{line}: {:?}", parsed.err());
                count += 1;
            }
            assert!(count > 0, "{}", sub.get_name());
        }
    }

    #[test]
    fn without_a_sub_command_it_diagnoses() {
        let job = typed("-n mon prometheus/k8s").expect("valid").job;
        let Job::Examine { class: None, target: Target::Named { name, .. }, .. } = job else {
            panic!("{job:?}")
        };
        assert_eq!(name, "k8s");
    }

    #[test]
    fn flags_may_follow_the_sub_command() {
        let all = typed("oom sts/a -n mon --memory 4Gi -o json --apply --yes").expect("valid");
        assert!(all.change.apply && all.change.yes);
        assert_eq!(all.read.output, Output::Json);
        let Job::Examine { class: Some("oom"), given, .. } = all.job else { panic!() };
        assert_eq!(given.get("memory").map(String::as_str), Some("4Gi"));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for words in ["--bundle x --apply", "--apply --dry-run=server", "-A --apply", "bogus/x"] {
            assert!(typed(words).is_err(), "{words}");
        }
    }
}
