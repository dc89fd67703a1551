//! No Prometheus where one was asked for: what there is instead.

use super::{Ask, Run};
use crate::cli;
use crate::model::Snapshot;
use crate::source;
use crate::subject::discover::{self, NotFound, Target};

/// Whether there is a Prometheus could not be seen: an answer with a number of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unseen(String);

/// Where a TARGET is nearly the name of a command: which.
pub fn meant(word: Option<&str>) -> String {
    let near = word.and_then(cli::near_miss);
    near.map(|name| format!(" (did you mean the command {name}?)")).unwrap_or_default()
}

pub async fn not_found(run: &Run<'_>, ask: &Ask<'_>, why: NotFound) -> anyhow::Error {
    let guess = meant(ask.word);
    match why {
        NotFound::NoSuch { what, namespace } => {
            let there = found_in(run, Some(&namespace)).await;
            let there: Vec<&str> =
                there.iter().filter_map(|place| Some(place.split_once('/')?.1)).collect();
            no_such(&what, &namespace, &guess, &there)
        }
        NotFound::NotPrometheus { what, is } => {
            anyhow::anyhow!("{what} is no Prometheus: it is {is}")
        }
        NotFound::Unreadable { what, why } => {
            Unseen(format!("cannot look for a Prometheus: {what}: {why}{guess}")).into()
        }
        NotFound::None { namespace, elsewhere } => {
            let places = match (&namespace, elsewhere.is_empty()) {
                (Some(_), true) if matches!(ask.target, Target::All { .. }) => {
                    found_in(run, None).await
                }
                _ => elsewhere,
            };
            none_found(namespace.as_deref(), &places)
        }
    }
}

fn none_found(namespace: Option<&str>, places: &[String]) -> anyhow::Error {
    let Some(namespace) = namespace else {
        return anyhow::anyhow!("no Prometheus found in the cluster");
    };
    match places {
        [] => {
            anyhow::anyhow!("none in {namespace:?}, and none found elsewhere (-A looks everywhere)")
        }
        [first, rest @ ..] => {
            let of = first.split('/').next().unwrap_or("");
            let more =
                if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            anyhow::anyhow!("none in {namespace:?}; found {first}{more}: add -n {of}")
        }
    }
}

/// One look at a namespace, or at the whole cluster, for the hint only.
async fn found_in(run: &Run<'_>, namespace: Option<&str>) -> Vec<String> {
    let every = Target::All { labels: String::new() };
    let mut seen = Snapshot::new(run.world.clock());
    let mut asks = |seen: &Snapshot| discover::needs(&every, namespace, seen);
    source::gather(&run.world, &mut seen, &mut asks).await;
    let found = discover::find(&every, namespace, &seen).unwrap_or_default();
    found.iter().map(|s| format!("{}/{}", s.namespace(), s.root.short())).collect()
}

fn no_such(what: &str, namespace: &str, guess: &str, there: &[&str]) -> anyhow::Error {
    let there = match there {
        _ if !guess.is_empty() => String::new(),
        [] => String::new(),
        [last] => format!("; there is {last}"),
        [all @ .., last] => format!("; there are {} and {last}", all.join(", ")),
    };
    anyhow::anyhow!("{what} not found in namespace {namespace:?}{guess}{there}")
}
