//! How far a helper pod is: by its phase, and while it runs by what our agent logs.

use serde_json::Value;

use super::{Look, held_up, not_yet};
use crate::effects::cluster::Cluster;
use crate::effects::errand::{exit, how_far, lacks_image};
use crate::model::inside::STAND_IN;
use crate::model::object::{ObjectExt, ObjectRef};

pub(super) async fn look(cluster: &Cluster, pod: &ObjectRef, live: &Value) -> Look {
    if is_taken_in(live) {
        return Look::Hopeless(format!(
            "{}: somebody put a container of a mesh into it, which takes its connections itself",
            pod.short()
        ));
    }
    let look = completed(&pod.short(), live);
    let Look::NotYet { says, .. } = &look else { return look };
    if live.text("/status/phase") != "Running" {
        return look;
    }
    // A line that changes is progress, however long it reads.
    match how_far(cluster, pod).await {
        Some((line, fraction)) => {
            Look::NotYet { says: format!("{says}, {line}"), fraction: Some(fraction) }
        }
        None => look,
    }
}

/// Whether a pod in a client's stead has more containers than were asked for: what it is told then is not
/// what the server says.
fn is_taken_in(live: &Value) -> bool {
    let more = live.list("/spec/containers").len() + live.list("/spec/initContainers").len() > 1;
    live.name().starts_with(STAND_IN) && more
}

fn completed(name: &str, live: &Value) -> Look {
    match live.text("/status/phase") {
        "Succeeded" => Look::Met(format!("{name} ended well")),
        // The agent says with 2 that it found something.
        "Failed" if exit(live) == Some(2) => {
            Look::Met(format!("{name} ended, and found something"))
        }
        "Failed" => {
            let code = exit(live).map_or(String::new(), |code| format!(", exit {code}"));
            Look::Hopeless(format!("{name} failed{code} {}", live.text("/status/message")))
        }
        "Pending" => match lacks_image(live) {
            Some(why) => Look::Hopeless(why),
            None => not_yet(format!("{name}: {}", held_up(live).unwrap_or("Pending"))),
        },
        phase => not_yet(format!("{name}: {phase}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_stand_in_with_a_container_of_somebody_else_tells_nothing() {
        let pod = |spec: Value| json!({"metadata": {"name": "prom-fix-reach-a"}, "spec": spec});
        let own = || json!({"name": "agent", "command": ["/agent/prom-fix-agent", "reach", "x"]});
        assert!(!is_taken_in(&pod(json!({"containers": [own()]}))));
        assert!(is_taken_in(&pod(json!({"containers": [{"name": "proxy"}, own()]}))));
        assert!(is_taken_in(&pod(json!({"containers": [own()], "initContainers": [{}]}))));
    }
}
