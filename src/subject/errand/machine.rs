//! Which of our agents runs on the node of a pod.

use serde_json::Value;

use crate::model::Snapshot;
use crate::model::fact::Got;
use crate::model::object::{Kind, ObjectExt, ObjectRef};

/// The architecture of a pod's node.
fn architecture<'a>(seen: &'a Snapshot, pod: &Value) -> &'a str {
    let node = ObjectRef::new(Kind::Node, "", pod.text("/spec/nodeName"));
    match seen.object(&node) {
        Got::Known(node) => node.text("/status/nodeInfo/architecture"),
        // Most are; on another the helper ends at once and says why.
        Got::Absent | Got::Unreadable(_) | Got::NotAsked => "amd64",
    }
}

/// The sum of the agent for it; empty where there is none.
pub(super) fn agent(seen: &Snapshot, pod: &Value) -> String {
    seen.inside.agents.get(architecture(seen, pod)).cloned().unwrap_or_default()
}

/// Why none of our agents runs there.
pub(super) fn lacks_agent(seen: &Snapshot, pod: &Value) -> Option<String> {
    let (agents, of) = (&seen.inside.agents, architecture(seen, pod));
    if agents.is_empty() || agents.contains_key(of) {
        return None;
    }
    let known: Vec<&str> = agents.keys().map(String::as_str).collect();
    Some(format!(
        "node {} is {}, and our agent is made for {} only",
        pod.text("/spec/nodeName"),
        if of.is_empty() { "of an unknown architecture" } else { of },
        known.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Fact, Need, Seen};

    #[test]
    fn the_agent_is_the_one_for_the_node() {
        let mut seen = Snapshot::new(jiff::Timestamp::UNIX_EPOCH);
        let pod = json!({"spec": {"nodeName": "n1"}});
        assert_eq!(lacks_agent(&seen, &pod), None, "of a build without any that is said elsewhere");
        for arch in ["amd64", "arm64"] {
            seen.inside.agents.insert(arch.into(), format!("sum of {arch}"));
        }
        assert_eq!(agent(&seen, &pod), "sum of amd64", "the node is not known");
        let mut of = |fact: Fact| {
            seen.facts.insert(Need::object(Kind::Node, "", "n1"), fact);
            (agent(&seen, &pod), lacks_agent(&seen, &pod))
        };
        let known = |arch: &str| {
            Fact::Known(Seen::Object(json!({"metadata": {"name": "n1"},
                "status": {"nodeInfo": {"architecture": arch}}})))
        };
        assert_eq!(of(Fact::Unreadable("forbidden".into())), ("sum of amd64".into(), None));
        assert_eq!(of(known("amd64")), ("sum of amd64".into(), None));
        assert_eq!(of(known("arm64")), ("sum of arm64".into(), None));
        let other = "node n1 is s390x, and our agent is made for amd64 and arm64 only";
        assert_eq!(of(known("s390x")), (String::new(), Some(other.into())));
        let (none, why) = of(known(""));
        assert_eq!(none, "");
        assert!(why.expect("a reason").starts_with("node n1 is of an unknown architecture, and"));
    }
}
