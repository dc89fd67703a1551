//! Where a start is given more time.

use super::operators::{operator, read, set};
use super::*;
use crate::model::log::kill::By;
use crate::model::patch::{Change, guarded};
use crate::subject::startup::{More, more};
use crate::subject::{commit, operator as acting};

const FIELD: &str = "/spec/maximumStartupDurationSeconds";

/// As `pointer = value`, one a line.
fn lines(changes: &[Change]) -> Vec<String> {
    let value = |change: &Change| change.value.clone().unwrap_or(Value::Null);
    changes.iter().map(|change| format!("{} = {}", change.pointer, value(change))).collect()
}

/// What the resource of `op` gets, of an operator with this tag, its definition from this release.
fn of_resource(
    tag: &str,
    release: Option<&str>,
    seconds: i64,
    change: impl FnOnce(&mut World),
) -> (Subject, More) {
    let mut deployment = operator(&[]);
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] =
        json!(format!("quay.io/prometheus-operator/prometheus-operator:{tag}"));
    let (world, subject, mut seen) = read(Some(deployment), |world| {
        world.items.push(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "prometheuses.monitoring.coreos.com", "annotations":
                release.map(|release| json!({"operator.prometheus.io/version": release}))},
        }));
        change(world);
    });
    let need = acting::definition_need(&subject).expect("a resource has a definition");
    let fact = world.answer(&need);
    seen.facts.insert(need, fact);
    let more = more(&subject, &seen, By::StartupProbe, seconds).expect("a place");
    (subject, more)
}

#[test]
fn a_resource_has_a_field_and_the_set_shows_what_is_rendered_from_it() {
    let (_, more) = of_resource("v0.85.0", Some("0.85.0"), 1860, |_| {});
    assert_eq!(lines(&more.changes), [format!("{FIELD} = 1860")]);
    let at = "/spec/template/spec/containers/0/startupProbe";
    assert_eq!(
        lines(&more.rendered),
        [format!("{at}/failureThreshold = 31"), format!("{at}/periodSeconds = 60")]
    );
    assert_eq!(more.shows, Some((format!("{at}/failureThreshold"), json!(31))));
    // By default it is 60 tries already, so the other number tells.
    let (_, more) = of_resource("v0.85.0", Some("0.85.0"), 3600, |_| {});
    assert_eq!(more.shows, Some((format!("{at}/periodSeconds"), json!(60))));
}

#[test]
fn an_operator_or_a_definition_without_the_field_gets_an_element() {
    let element =
        r#"/spec/containers = [{"name":"prometheus","startupProbe":{"failureThreshold":124}}]"#;
    for (tag, release) in [
        ("v0.70.0", Some("0.85.0")),
        ("v0.85.0", Some("0.70.0")),
        ("v0.85.0", None),
        ("latest", Some("0.85.0")),
        ("v4.19", Some("0.85.0")),
    ] {
        let (_, more) = of_resource(tag, release, 1860, |_| {});
        assert_eq!(lines(&more.changes), [element], "{tag} {release:?}");
        assert_eq!(more.shows.map(|(_, value)| value), Some(json!(124)));
    }
    // Who may not read the definition relies on the API server to refuse.
    let forbid = |world: &mut World| world.forbidden = vec!["customresourcedefinitions"];
    let (_, more) = of_resource("v0.85.0", None, 1860, forbid);
    assert_eq!(lines(&more.changes), [format!("{FIELD} = 1860")]);
}

#[test]
fn an_element_that_is_there_is_changed_where_it_wins() {
    let with = |probe: Value| {
        let containers = json!([{"name": "other"}, {"name": "prometheus", "startupProbe": probe}]);
        let change = |world: &mut World| set(world, "/spec", "containers", containers);
        lines(&of_resource("v0.85.0", Some("0.85.0"), 1860, change).1.changes)
    };
    let at = "/spec/containers/1/startupProbe/failureThreshold = 124";
    assert_eq!(with(json!({"failureThreshold": 80})), [at]);
    // A period of its own makes another time of what the field renders.
    assert_eq!(with(json!({"periodSeconds": 15})), [at]);
    assert_eq!(with(json!({"timeoutSeconds": 9})), [format!("{FIELD} = 1860")]);
    let another = |world: &mut World| set(world, "/spec", "containers", json!([{"name": "other"}]));
    assert_eq!(
        lines(&of_resource("v0.70.0", None, 1860, another).1.changes),
        [r#"/spec/containers/1 = {"name":"prometheus","startupProbe":{"failureThreshold":124}}"#]
    );
}

/// The Deployment of chart prometheus, whose liveness probe asks `/-/healthy`.
fn of_chart(change: impl FnOnce(&mut Value), by: By) -> (Subject, Option<More>) {
    let mut subject = world(&[CHART_DEPLOY]).only("chart-deploy");
    let at = "/spec/template/spec/containers/1";
    assert_eq!(subject.workloads[0].pointer(&format!("{at}/startupProbe")), None);
    change(subject.workloads[0].pointer_mut(at).expect("its container"));
    subject.root_object = subject.workloads[0].clone();
    let more = more(&subject, &Snapshot::new(Timestamp::UNIX_EPOCH), by, 200);
    (subject, more)
}

#[test]
fn a_startup_probe_holds_off_a_liveness_probe_that_kills() {
    let (subject, more) = of_chart(|_| {}, By::LivenessProbe);
    let more = more.expect("a place");
    let wanted = json!({
        "httpGet": {"path": "/-/ready", "port": 9090, "scheme": "HTTP"},
        "periodSeconds": 15, "timeoutSeconds": 10, "failureThreshold": 14,
    });
    let at = "/spec/template/spec/containers/1/startupProbe";
    assert_eq!(more.changes, [Change::set(at, wanted)]);
    let liveness = "/spec/template/spec/containers/1/livenessProbe";
    let after = guarded(&subject.root_object, &more.changes, 0).after;
    assert_eq!(after.pointer(liveness), subject.root_object.pointer(liveness), "it stays");
    // The startup probe that its values switch on asks at the path that is answered all the while.
    let said = commit::snippets(&subject, &subject.root_object, &more.changes);
    let values = "server:\n  livenessProbeInitialDelay: 210\n";
    let line = "--set server.livenessProbeInitialDelay=210\n";
    assert!(said.iter().any(|snippet| snippet.text == values), "{said:#?}");
    assert!(said.iter().any(|snippet| snippet.text.ends_with(line)), "{said:#?}");
    assert!(said.iter().all(|snippet| !snippet.text.contains("kustomiz")), "{said:#?}");
}

#[test]
fn a_startup_probe_that_passes_at_once_is_made_to_wait() {
    let healthy = json!({"httpGet": {"path": "/-/healthy", "port": 9090}, "periodSeconds": 5});
    let (_, more) = of_chart(|c| c["startupProbe"] = healthy.clone(), By::LivenessProbe);
    let now = more.expect("a place").changes[0].value.clone().expect("a value");
    assert_eq!(now.text("/httpGet/path"), "/-/ready");
    // It kills itself: only how long it waits is changed.
    let (subject, more) = of_chart(|c| c["startupProbe"] = healthy, By::StartupProbe);
    let more = more.expect("a place");
    let at = "/spec/template/spec/containers/1/startupProbe/failureThreshold";
    assert_eq!(lines(&more.changes), [format!("{at} = 40")]);
    let said = commit::snippets(&subject, &subject.root_object, &more.changes);
    let values = "server:\n  startupProbe:\n    enabled: true\n    failureThreshold: 40\n";
    assert!(said.iter().any(|snippet| snippet.text == values), "{said:#?}");
}
