//! A folder of the node that the pod's own spec mounts: whether a helper may be made on it, and what a
//! person does there where none may.

use serde_json::Value;

use super::Case;
use crate::classes::perms::honours::on_node;
use crate::model::folder::may_be_own;
use crate::model::object::ObjectExt;
use crate::model::{Blocked, Unknown};
use crate::subject::{errand, identity};

/// Refuses where no helper may be made on it, or none should.
pub(super) fn may_be_changed(case: &Case<'_>, pod: &Value, path: &str) -> Result<(), Blocked> {
    let node = pod.text("/spec/nodeName");
    let refused = |why: String| {
        let why = format!("{path} is a folder of node {node} itself, {why}");
        Err(Blocked { ways: by_hand(case, pod, path), ..case.blocked(why) })
    };
    if let Some(level @ ("baseline" | "restricted")) = case.strictness() {
        return refused(format!(
            "which the namespace's Pod Security level {level} lets no new pod mount, and so no helper"
        ));
    }
    if !case.is_unenforced() && case.range().is_some() {
        return refused("which OpenShift lets no helper mount".into());
    }
    if !may_be_own(path) {
        return refused("of its system or of many: nothing in it is given away".into());
    }
    Ok(())
}

/// Refuses to give away what is not of Prometheus.
pub(super) fn is_its_own(case: &Case<'_>, pod: &Value, seen: &Value) -> Result<(), Blocked> {
    let Some(path) = case.place(pod).volume.and_then(on_node) else { return Ok(()) };
    let strangers = seen.number("/strangers/count").unwrap_or(0);
    let names: Vec<&str> =
        seen.list("/strangers/first").iter().filter_map(Value::as_str).take(3).collect();
    let others = seen.number("/others").unwrap_or(0);
    if strangers == 0 && others == 0 {
        return Ok(());
    }
    let what = match names.as_slice() {
        [] => "links or sockets".to_owned(),
        names => names.join(", "),
    };
    let why = format!(
        "{path} of node {} also holds what no Prometheus puts there ({what}): it is not its alone, \
         and nothing in it is given away",
        pod.text("/spec/nodeName")
    );
    Err(Blocked { ways: by_hand(case, pod, path), ..case.blocked(why) })
}

/// The next pod may come to another node.
pub(super) fn may_be_left(case: &Case<'_>, pod: &Value) -> Option<Unknown> {
    let path = case.place(pod).volume.and_then(on_node)?;
    let spec = case.template();
    let affinity = spec.pointer("/affinity/nodeAffinity").is_some();
    if affinity || spec.get("nodeSelector").is_some() || !spec.text("/nodeName").is_empty() {
        return None;
    }
    let node = pod.text("/spec/nodeName");
    Some(Unknown {
        need: format!("whether its next pod comes to {node} again, where {path} is given to it"),
        why: "nothing in its template keeps it there".into(),
        get: format!("spec.nodeSelector kubernetes.io/hostname: {node}, or a claim"),
        vital: false,
    })
}

/// What a person does on the node.
pub(super) fn by_hand(case: &Case<'_>, pod: &Value, path: &str) -> Vec<String> {
    let node = pod.text("/spec/nodeName");
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let who = identity::of(spec, &case.subject.container);
    let owner = who
        .as_ref()
        .map_or("UID:GID of the container".to_owned(), |who| format!("{}:{}", who.user, who.group));
    // What else the folder holds keeps its owner.
    let volume = errand::volume_or_folder(case.subject, pod).ok();
    let data = volume.map(|volume| volume.directory(path));
    // As a word of a shell it stands for itself.
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+=:,./-".contains(c);
    let change = match data.as_deref().filter(|data| data.chars().all(plain)) {
        Some(data) => {
            format!("on {node}, if nothing else uses it: chown -R {owner} {data}")
        }
        None => format!("on {node}: give the data directory, and nothing beside it, to {owner}"),
    };
    vec![
        format!("on {node}, to see whose it is: ls -ldn {}", data.as_deref().unwrap_or(path)),
        change,
        "on another node it is another folder, and empty: a claim stays with the pod".to_owned(),
    ]
}
