//! TARGET as people type it.

use crate::classes;
use crate::model::Kind;
use crate::subject::discover::Target;

/// Kinds that may stand before the slash, with kubectl's short and plural names.
const KINDS: &[(Kind, &[&str])] = &[
    (Kind::Pod, &["pod", "pods", "po"]),
    (Kind::StatefulSet, &["sts", "statefulset", "statefulsets", "statefulset.apps"]),
    (Kind::Deployment, &["deploy", "deployment", "deployments", "deployment.apps"]),
    (Kind::DaemonSet, &["ds", "daemonset", "daemonsets", "daemonset.apps"]),
    (Kind::Prometheus, &["prometheus", "prometheuses", "prom", "prometheus.monitoring.coreos.com"]),
    (
        Kind::PrometheusAgent,
        &[
            "prometheusagent",
            "prometheusagents",
            "promagent",
            "prometheusagent.monitoring.coreos.com",
        ],
    ),
    (Kind::Service, &["svc", "service", "services"]),
];

/// Reads TARGET; none means every Prometheus.
pub fn parse(text: Option<&str>, labels: Option<&str>) -> Result<Target, String> {
    let Some(text) = text else {
        return Ok(Target::All { labels: labels.unwrap_or("").to_owned() });
    };
    if labels.is_some() {
        return Err("a selector (-l) chooses among many: leave TARGET away".into());
    }
    let Some((kind, name)) = text.split_once('/') else {
        check_name(text)?;
        return Ok(Target::Bare { name: text.to_owned() });
    };
    check_name(name)?;
    let kind = kind.to_ascii_lowercase();
    let found = KINDS.iter().find(|(_, names)| names.contains(&kind.as_str()));
    match found {
        Some((kind, _)) => Ok(Target::Named { kind: *kind, name: name.to_owned() }),
        None => Err(format!(
            "{kind:?} is no kind that runs a Prometheus: use pod, sts, deploy, ds, prometheus, \
             prometheusagent or svc"
        )),
    }
}

/// A name goes into a request path, so it must be a name.
fn check_name(name: &str) -> Result<(), String> {
    let valid = !name.is_empty()
        && name.len() <= 253
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c));
    if valid { Ok(()) } else { Err(format!("{name:?} is no name of an object")) }
}

/// The sub-command that a word may have been meant to be.
pub fn near_miss(word: &str) -> Option<&'static str> {
    const OTHERS: &[&str] = &[
        "diagnose",
        "apply",
        "wait",
        "resume",
        "undo",
        "cleanup",
        "receipts",
        "explain",
        "completion",
    ];
    let names = classes::ALL.iter().filter(|c| c.command()).map(|c| c.name());
    nearest(word, names.chain(OTHERS.iter().copied()))
}

/// The name that a word with a slip or two in it was meant to be.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .filter(|name| distance(word, name) <= 1 + name.len() / 5)
        .min_by_key(|name| distance(word, name))
}

/// Edit distance of two short words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let change = row.get(j).copied().unwrap_or(0) + usize::from(x != *y);
            let insert = next.last().copied().unwrap_or(0) + 1;
            let delete = row.get(j + 1).copied().unwrap_or(0) + 1;
            next.push(change.min(insert).min(delete));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_go_by_kubectls_names() {
        let named = parse(Some("StatefulSet/a-b.c"), None);
        assert_eq!(named, Ok(Target::Named { kind: Kind::StatefulSet, name: "a-b.c".into() }));
        assert!(parse(Some("sts/../x"), None).is_err());
        assert!(parse(Some("sts/"), None).is_err());
        assert!(parse(Some("secret/x"), None).is_err());
    }

    #[test]
    fn a_slip_is_recognised() {
        assert_eq!(near_miss("ooom"), Some("oom"));
        assert_eq!(near_miss("diagnos"), Some("diagnose"));
        assert_eq!(near_miss("prometheus"), None);
        let codes = || ["oom/replay", "oom/node"].into_iter();
        assert_eq!(nearest("oom/replai", codes()), Some("oom/replay"));
        assert_eq!(nearest("replay", codes()), None);
    }
}
