//! A replay under way against the time that its probe still gives it.

use serde_json::{Value, json};

use super::fixture::{World, healthy};
use crate::model::Severity;

/// Since two minutes, with nine of 120 segments after 36 s of it, 4 s each: about 8 min to go.
fn replays(probes: &[(&str, Value)]) -> World {
    let segment = |at: u32| {
        let second = at * 4;
        format!(
            "ts=2026-11-22T17:59:{second:02}Z level=info msg=\"WAL segment loaded\" \
             segment={at} maxSegment=120\n"
        )
    };
    let log: String = (0..10).map(segment).collect();
    let mut world = healthy().running("2026-11-22T17:58:00Z", &log);
    for name in ["startupProbe", "livenessProbe"] {
        let probe =
            probes.iter().find(|(of, _)| *of == name).map_or(Value::Null, |(_, p)| p.clone());
        let container = world.pod().pointer_mut("/spec/containers/0").expect("a container");
        container[name] = probe;
    }
    world
}

fn asks(path: &str, tries: u32) -> Value {
    json!({"httpGet": {"path": path}, "periodSeconds": 15, "failureThreshold": tries})
}

fn warning(world: &World) -> Option<String> {
    let (root, findings, _) = world.diagnose();
    assert_eq!(root, None, "a replay is no fault");
    let found = findings.iter().find(|f| f.code.0 == "wal/probe-kills-replay")?;
    assert_eq!(found.severity, Severity::Warn);
    let of = |e: &crate::model::Evidence| format!("{}: {}", e.field, e.value);
    let told: Vec<String> = found.evidence.iter().take(2).map(of).collect();
    Some(format!("{}; {}", found.says, told.join("; ")))
}

#[test]
fn the_time_of_the_kill_is_told_before_it_comes() {
    let late = |name: &str, given: &str, allows: u32, at: &str| {
        Some(format!(
            "will at this rate be killed by its {name} at about {at}, before its WAL is replayed; it allows: {allows} s \
             from its start, of which is left: {given}; it needs: about 8 min more"
        ))
    };
    let exec = |words: &str| json!({"exec": {"command": ["sh", "-c", words]}, "periodSeconds": 15, "failureThreshold": 20});
    let rows = [
        (
            vec![("startupProbe", asks("/p/-/ready", 20))],
            late("startupProbe", "about 3 min", 300, "18:03:00Z"),
        ),
        (
            vec![("startupProbe", exec("curl http://localhost:9090/-/ready"))],
            late("startupProbe", "about 3 min", 300, "18:03:00Z"),
        ),
        (
            vec![("startupProbe", asks("/-/ready", 4))],
            Some(
                "has used up the time of its startupProbe, and is killed at about 18:09:00Z, before its WAL is replayed; \
                 it allows: 60 s from its start, of which is left: nothing; it needs: about 8 min more"
                    .to_owned(),
            ),
        ),
        (
            vec![("startupProbe", {
                let mut probe = asks("/-/ready", 4);
                probe["terminationGracePeriodSeconds"] = json!(30);
                probe
            })],
            Some(
                "has used up the time of its startupProbe, and is killed now, before its WAL \
                 is replayed; it allows: 60 s from its start, of which is left: nothing; it needs: about 8 \
                 min more"
                    .to_owned(),
            ),
        ),
        (
            vec![("livenessProbe", asks("/-/ready", 20))],
            late("livenessProbe", "about 3 min", 300, "18:03:00Z"),
        ),
        // The first holds the second off.
        (
            vec![("startupProbe", asks("/-/ready", 60)), ("livenessProbe", asks("/-/healthy", 3))],
            None,
        ),
        // Answered well all the while.
        (vec![("startupProbe", asks("/-/healthy", 4))], None),
        (vec![("livenessProbe", asks("/-/healthy", 3))], None),
        (vec![], None),
    ];
    for (probes, wanted) in rows {
        assert_eq!(warning(&replays(&probes)), wanted, "{probes:?}");
    }
    // Nothing in its log tells a rate.
    let begun = replays(&[("startupProbe", asks("/-/ready", 9))]).log(
        false,
        "ts=2026-11-22T17:59:00Z level=info msg=\"Replaying WAL, this may take a while\"",
    );
    assert_eq!(warning(&begun), None);
}
