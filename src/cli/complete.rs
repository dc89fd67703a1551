//! What kubectl completes of this plugin's words: sub-commands, flags, kinds of a TARGET, codes.
//! It reads no cluster, so that a key press never waits for one.

use clap::Command;

use super::command;
use crate::classes;

/// kubectl's directive "folders only" (cobra's `ShellCompDirectiveFilterDirs`).
const FOLDERS: &str = ":16";

/// kubectl's directive "no file names" (cobra's `ShellCompDirectiveNoFileComp`).
const NO_FILES: &str = ":4";

const KINDS: &[&str] =
    &["pod/", "sts/", "deploy/", "ds/", "prometheus/", "prometheusagent/", "svc/"];

/// Lines for the words after `kubectl prom-fix`, the last of which is being typed.
pub fn complete(words: &[String]) -> String {
    let root = command();
    let (typed, before) = match words.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", words),
    };
    if before.last().is_some_and(|word| word == "--data") {
        return format!("{FOLDERS}\n");
    }
    let sub = before.iter().find_map(|w| root.find_subcommand(w));
    let mut out: Vec<(String, String)> = if typed.starts_with('-') {
        flags(&root, sub)
    } else if sub.is_some_and(|s| s.get_name() == "explain") {
        let docs = classes::ALL.iter().flat_map(|c| c.docs());
        docs.map(|d| (d.code.0.to_owned(), d.meaning.to_owned())).collect()
    } else if sub.is_some() {
        KINDS.iter().map(|k| ((*k).to_owned(), String::new())).collect()
    } else {
        let about = |c: &Command| c.get_about().map(ToString::to_string).unwrap_or_default();
        let names = root.get_subcommands().map(|c| (c.get_name().to_owned(), about(c)));
        names.chain(KINDS.iter().map(|k| ((*k).to_owned(), String::new()))).collect()
    };
    out.retain(|(word, _)| word.starts_with(typed));
    let lines = out
        .into_iter()
        .map(|(word, about)| if about.is_empty() { word } else { format!("{word}\t{about}") });
    lines.chain([NO_FILES.to_owned()]).collect::<Vec<_>>().join("\n") + "\n"
}

fn flags(root: &Command, sub: Option<&Command>) -> Vec<(String, String)> {
    let own = sub.into_iter().flat_map(Command::get_arguments);
    root.get_arguments()
        .chain(own)
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            Some((format!("--{}", arg.get_long()?), help))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> String {
        complete(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_flags_and_codes_are_offered() {
        assert!(of(&["di"]).starts_with("diagnose\t"));
        assert!(of(&["oom", "--mem"]).starts_with("--memory\t"));
        assert!(of(&["explain", "oom/re"]).starts_with("oom/replay\t"));
        assert_eq!(of(&["oom", "st"]), "sts/\n:4\n");
        assert!(of(&["wal", "--da"]).starts_with("--data\t"));
        assert_eq!(of(&["wal", "--data", "/var"]), ":16\n");
    }
}
