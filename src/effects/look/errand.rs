//! How far a helper pod is: by its phase, and while it runs by what our agent logs.

use serde_json::Value;

use super::{Look, held_up, not_yet};
use crate::effects::cluster::Cluster;
use crate::effects::errand::{exit, how_far, lacks_image};
use crate::model::object::{ObjectExt, ObjectRef};

pub(super) async fn look(cluster: &Cluster, pod: &ObjectRef, live: &Value) -> Look {
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
