//! `--data DIR`: a data directory on this machine in the place of a cluster, and the flags that mean
//! something there.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, ValueHint};

use super::command;
use super::options::{Output, Rehearse};
use crate::classes::{self, OnDisk};

/// What is asked of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The sub-command.
    pub command: &'static str,
    pub dir: PathBuf,
    pub act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Tell(OnDisk),
    /// What would be written to mend it.
    Plan,
    Mend,
    Resume,
    Undo,
}

const ID: &str = "data";

pub fn arg() -> Arg {
    Arg::new(ID)
        .long(ID)
        .value_name("DIR")
        .value_parser(clap::value_parser!(PathBuf))
        .value_hint(ValueHint::DirPath)
        .help("A data directory on this machine, which holds wal/; no cluster is contacted")
}

/// What was asked of a data directory, if one was given.
pub fn read(root: &ArgMatches, name: &str, sub: &ArgMatches) -> Option<Result<Asked, String>> {
    let dir = sub.try_get_one::<PathBuf>(ID).ok()??.clone();
    let class = classes::ALL.iter().find(|c| c.command() && c.name() == name);
    let asked = match class.map(|class| (class.name(), class.on_disk())) {
        Some((command, told)) => told.map(|told| (command, Act::Tell(told))),
        None if name == "undo" => Some(("undo", Act::Undo)),
        None => Some(("resume", Act::Resume)),
    };
    let (command, act) = asked?;
    let act = chosen(command, act, sub);
    let act = act.and_then(|act| strangers(act, [root, sub]).map_or(Ok(act), Err));
    Some(act.map(|act| Asked { command, dir, act }))
}

fn chosen(command: &str, act: Act, given: &ArgMatches) -> Result<Act, String> {
    let output = given.get_one::<Output>("output").copied().unwrap_or(Output::Text);
    if !matches!(output, Output::Text | Output::Json) {
        return Err("--data prints a report: -o text or -o json".into());
    }
    let apply = given.try_get_one::<bool>("apply").ok().flatten().copied().unwrap_or_default();
    let rehearse = given.try_get_one::<Rehearse>("dry_run").ok().flatten().copied();
    match (act, apply, rehearse) {
        (_, false, None) => Ok(act),
        (_, true, Some(_)) => Err("--apply and --dry-run do not go together".into()),
        (_, _, Some(Rehearse::Server)) => {
            Err("--dry-run=server needs a cluster, and --data is a directory on this machine"
                .into())
        }
        (Act::Tell(OnDisk::Damage), true, None) => Ok(Act::Mend),
        (Act::Tell(OnDisk::Damage), false, Some(Rehearse::Client)) => Ok(Act::Plan),
        (Act::Resume | Act::Undo, true, None) => {
            Err(format!("{command} --data asks by itself: leave --apply away"))
        }
        (_, _, _) => Err(format!("{command} --data only looks: there is nothing to apply")),
    }
}

/// The first thing typed that means nothing without a cluster.
fn strangers(act: Act, given: [&ArgMatches; 2]) -> Option<String> {
    let known = |id: &str| match id {
        ID | "output" | "color" | "verbose" | "quiet" => true,
        "apply" | "dry_run" => matches!(act, Act::Mend | Act::Plan),
        "yes" => matches!(act, Act::Mend | Act::Resume | Act::Undo),
        "force" => matches!(act, Act::Undo),
        _ => false,
    };
    let root = command();
    let all = || root.get_subcommands().flat_map(clap::Command::get_arguments);
    let typed = given.iter().flat_map(|matches| {
        let source = |id: &str| matches.value_source(id);
        matches.ids().filter(move |id| source(id.as_str()) == Some(ValueSource::CommandLine))
    });
    let stranger = typed.map(clap::Id::as_str).filter(|id| !known(id)).find_map(|id| {
        let arg = root.get_arguments().chain(all()).find(|arg| arg.get_id() == id)?;
        Some(match (arg.get_long(), arg.get_value_names()) {
            (Some(long), _) => format!("--{long}"),
            (None, Some([name, ..])) => name.to_string(),
            (None, _) => id.to_owned(),
        })
    })?;
    Some(format!("--data is a directory on this machine, without a cluster: leave {stranger} away"))
}

#[cfg(test)]
mod tests {
    use super::super::{Job, parse};
    use super::*;

    fn typed(words: &str) -> Result<Job, String> {
        let argv = std::iter::once("kubectl-prom_fix").chain(words.split_whitespace());
        let typed = parse(argv.map(std::ffi::OsString::from));
        typed.map(|typed| typed.job).map_err(|error| error.to_string())
    }

    #[test]
    fn a_directory_takes_the_place_of_a_cluster() {
        let rows = [
            ("wal --data d", "wal", Act::Tell(OnDisk::Damage)),
            ("-o json wal --data d -q --color never", "wal", Act::Tell(OnDisk::Damage)),
            ("wal --data d --dry-run=client", "wal", Act::Plan),
            ("wal --data d --apply --yes", "wal", Act::Mend),
            ("oom --data d", "oom", Act::Tell(OnDisk::Head)),
            ("perms --data d", "perms", Act::Tell(OnDisk::Owners)),
            ("resume --data d", "resume", Act::Resume),
            ("undo --data d --yes", "undo", Act::Undo),
            ("undo --data d --force", "undo", Act::Undo),
        ];
        for (words, command, act) in rows {
            let Ok(Job::Data(asked)) = typed(words) else { panic!("{words}") };
            assert_eq!(asked, Asked { command, dir: "d".into(), act }, "{words}");
        }
    }

    #[test]
    fn what_needs_a_cluster_is_refused_by_name() {
        let rows = [
            ("wal --data d sts/prometheus", "TARGET"),
            ("-n mon wal --data d", "--namespace"),
            ("wal --data d -A", "--all-namespaces"),
            ("wal --data d --context prod", "--context"),
            ("wal --data d --bundle b", "--bundle"),
            ("wal --data d --timeout 1m", "--timeout"),
            ("oom --data d --memory 4Gi", "--memory"),
            ("undo --data d 7f3a9c04d1e2", "RECEIPT|TARGET"),
            ("undo --data d --confirm 7f3a9c04d1e2", "--confirm"),
            ("wal --data d --yes", "--yes"),
            ("wal --data d -o yaml", "-o json"),
            ("wal --data d --dry-run=server", "--dry-run=server"),
            ("perms --data d --apply", "nothing to apply"),
            ("undo --data d --apply", "--apply"),
            ("bind --data d", "--data"),
        ];
        for (words, names) in rows {
            let why = typed(words).expect_err(words);
            assert!(why.contains(names), "{words}: {why}");
        }
    }
}
