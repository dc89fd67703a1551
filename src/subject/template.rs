//! Changes of the pod template of a workload that nobody renders: where a container stands in it, and
//! what its command line is to say.

use serde_json::{Value, json};

use super::rollout::Wanted;
use super::{Subject, repair};
use crate::model::object::ObjectExt;
use crate::model::patch::Change;
use crate::model::plan::Blocked;

/// The pods' spec in a workload.
pub const SPEC: &str = "/spec/template/spec";

/// The index of the Prometheus container in a pod's spec.
pub fn container(subject: &Subject, spec: &Value) -> Option<usize> {
    spec.list("/containers").iter().position(|c| c.text("/name") == subject.container)
}

/// Changes of the template; an operator's resource has no place of its own for them.
pub fn wanted(subject: &Subject, changes: Vec<Change>, why: &str) -> Result<Wanted, Blocked> {
    if subject.is_operated() {
        return Err(repair::elsewhere(
            subject,
            "its operator renders this, and the resource has no field of its own for it",
            &["look for it in spec.containers, spec.volumes and spec.volumeMounts of the resource"],
        ));
    }
    Ok(Wanted { rendered: changes.clone(), changes, why: why.to_owned(), ..Wanted::default() })
}

/// The list of a container that holds its flags, `args` as a rule. Without one those of the image
/// count, which one more would replace; and what a shell is given is a text of its own.
fn flags(container: &Value) -> Option<&'static str> {
    let program = container.list("/command").first().and_then(Value::as_str).unwrap_or("");
    if program.ends_with("sh") {
        return None;
    }
    ["args", "command"].into_iter().find(|list| {
        let starts = |word: &Value| word.as_str().is_some_and(|word| word.starts_with("--"));
        container.list(&format!("/{list}")).iter().any(starts)
    })
}

/// One value of a flag, in the place of those that are given, in the form of the first; else behind
/// the other arguments.
pub fn set_flag(container: &Value, index: usize, flag: &str, value: &str) -> Option<Vec<Change>> {
    let list = flags(container)?;
    let words: Vec<&str> =
        container.list(&format!("/{list}")).iter().map(|w| w.as_str().unwrap_or("")).collect();
    let at = |place: usize| format!("{SPEC}/containers/{index}/{list}/{place}");
    let given = places(&words, flag);
    let Some((first, others)) = given.split_first() else {
        let argument = json!(format!("--{flag}={value}"));
        return Some(vec![Change::set(at(words.len()), argument)]);
    };
    let change = match first {
        Given::Joined(place, dashes) => (*place, format!("{dashes}{flag}={value}")),
        Given::Apart(place) => (place + 1, value.to_owned()),
    };
    if others.is_empty() {
        return Some(vec![Change::set(at(change.0), json!(change.1))]);
    }
    // The whole list at once: what is left of it tells whether it was done.
    let mut left: Vec<Option<String>> = words.iter().map(|word| Some((*word).to_owned())).collect();
    let mut put = |place: usize, word: Option<String>| {
        if let Some(slot) = left.get_mut(place) {
            *slot = word;
        }
    };
    put(change.0, Some(change.1));
    for other in others {
        match other {
            Given::Joined(place, _) => put(*place, None),
            Given::Apart(place) => {
                put(*place, None);
                put(place + 1, None);
            }
        }
    }
    let left: Vec<String> = left.into_iter().flatten().collect();
    Some(vec![Change::set(format!("{SPEC}/containers/{index}/{list}"), json!(left))])
}

/// A flag among the words of a command line.
enum Given<'a> {
    /// `--flag=value`, with the dashes it has.
    Joined(usize, &'a str),
    /// `--flag` and the value behind it.
    Apart(usize),
}

fn places<'a>(words: &[&'a str], flag: &str) -> Vec<Given<'a>> {
    let of = |(place, word): (usize, &&'a str)| {
        let dashes = word.len() - word.trim_start_matches('-').len();
        let (dashes, rest) = word.split_at_checked(dashes.min(2))?;
        if dashes.is_empty() {
            return None;
        }
        match rest.strip_prefix(flag)? {
            "" => Some(Given::Apart(place)),
            value if value.starts_with('=') => Some(Given::Joined(place, dashes)),
            _ => None,
        }
    };
    words.iter().enumerate().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::patch::guarded;

    fn after(args: Value, flag: &str, value: &str) -> Value {
        let container = json!({"name": "p", "args": args});
        let object = json!({
            "metadata": {"uid": "u", "generation": 1},
            "spec": {"template": {"spec": {"containers": [container.clone()]}}},
        });
        let changes = set_flag(&container, 0, flag, value).expect("arguments");
        let after = guarded(&object, &changes, 0).after;
        after.pointer("/spec/template/spec/containers/0/args").cloned().expect("arguments")
    }

    #[test]
    fn a_flag_is_set_in_the_form_it_has() {
        let set = |args| after(args, "web.listen-address", ":9090");
        assert_eq!(
            set(json!(["--a", "--web.listen-address=127.0.0.1:9090"])),
            json!(["--a", "--web.listen-address=:9090"])
        );
        assert_eq!(
            set(json!(["--web.listen-address", "localhost:9090", "--b=1"])),
            json!(["--web.listen-address", ":9090", "--b=1"])
        );
        assert_eq!(set(json!(["--b=1"])), json!(["--b=1", "--web.listen-address=:9090"]));
    }

    #[test]
    fn of_several_values_one_is_left() {
        let given = json!([
            "--web.listen-address=127.0.0.1:9090",
            "--x",
            "--web.listen-address",
            "[::1]:9090",
            "--web.listen-address=127.0.0.2:9090"
        ]);
        let left = after(given, "web.listen-address", ":9090");
        assert_eq!(left, json!(["--web.listen-address=:9090", "--x"]));
    }
}
