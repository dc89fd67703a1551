//! A size that is counted in the log of a server that is down: asked for, refused, used.

use serde_json::{Value, json};

use super::fixture::{World, healthy, put};
use crate::classes::{Class, Given, oom::Oom};
use crate::model::plan::{Action, Look, Tells};
use crate::model::{Fact, Finding, Kind, Need, Next, ObjectRef, Plan, Seen};
use crate::subject::Version;

const REPLAYS: &str = r#"time=x level=INFO source=main.go:700 msg="Starting Prometheus Server" mode=server version="(version=3.5.3, branch=HEAD)"
time=x level=INFO source=head.go:752 msg="Replaying WAL, this may take a while" component=tsdb"#;
const SERVED: &str =
    r#"time=x level=INFO source=main.go:1419 msg="Server is ready to receive web requests.""#;
const QUERIES: &str = r#"time=x level=INFO source=query_logger.go:90 msg="These queries didn't finish in prometheus' last run:" component=activeQueryTracker queries="[{\"query\":\"up\",\"timestamp_sec\":1}]""#;

/// Killed in its replay at this limit, and down.
fn killed(limit: &str) -> World {
    killed_with(limit, REPLAYS)
}

fn killed_with(limit: &str, log: &str) -> World {
    let resources = json!({"limits": {"memory": limit}});
    let mut world = healthy().set("/spec/containers/0/resources", resources.clone());
    let containers = json!([{"name": "prometheus", "resources": resources}]);
    for object in [&mut world.subject.root_object, &mut world.subject.workloads[0]] {
        put(object, "/spec/template/spec/containers", containers.clone());
    }
    world.subject.version = Some(Version::new(3, 5, 3));
    world.crashed(137, "OOMKilled", log)
}

fn claim() -> ObjectRef {
    ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data-p-0")
}

fn allowed(mut world: World) -> World {
    world.seen.inside.consented = true;
    world
}

fn counted(world: World, series: u64) -> World {
    let mut world = allowed(world);
    let report = json!({"series": series, "faults": 0});
    world.seen.inside.inventories.insert(claim(), report);
    world
}

/// What the class would do, with its own options.
fn next(world: &World, given: &[(&str, &str)]) -> Next {
    let given: Given = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let (_, findings, _) = world.diagnose();
    Oom.job(&world.subject, &given).next(&world.seen, &findings)
}

fn fix(world: &World) -> Plan {
    match next(world, &[]) {
        Next::Fix(plan) => plan,
        other => panic!("no plan: {other:?}"),
    }
}

fn look(world: &World) -> Option<Look> {
    match next(world, &[]) {
        Next::Look(look) => Some(look),
        _ => None,
    }
}

fn doubts(plan: &Plan) -> Vec<(&str, &str)> {
    let of = plan.doubts.iter().filter(|u| u.need == "the series in its WAL");
    of.map(|u| (u.why.as_str(), u.get.as_str())).collect()
}

fn evidence<'a>(findings: &'a [Finding], field: &str) -> Vec<&'a str> {
    let all = findings.iter().flat_map(|f| &f.evidence);
    all.filter(|e| e.field == field).map(|e| e.value.as_str()).collect()
}

#[test]
fn a_guess_names_the_look_that_would_count() {
    let plan = fix(&killed("44Mi"));
    assert_eq!(plan.title, "raise the memory limit from 44Mi to 88Mi");
    let command = "kubectl prom-fix oom sts/p --inspect";
    assert_eq!(doubts(&plan), [("without them the size is a guess", command)]);
}

#[test]
fn a_look_that_is_allowed_counts_the_log_read_only() {
    let Look { claim: of, plan, tells, .. } = look(&allowed(killed("44Mi"))).expect("a look");
    assert_eq!((of, tells), (claim(), Tells::Inventory));
    let bodies = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Create { object, body } if object.kind == Kind::Pod => Some(body),
        _ => None,
    });
    let bodies: Vec<&Value> = bodies.collect();
    let [pod] = bodies.as_slice() else { panic!("one helper: {bodies:?}") };
    assert_eq!(
        pod.pointer("/spec/containers/0/command"),
        Some(&json!([
            "/agent/prom-fix-agent",
            "inventory",
            "/data",
            "--prometheus-version",
            "v3.5.3",
            "--json"
        ]))
    );
    let data = "/spec/volumes/0/persistentVolumeClaim/readOnly";
    assert_eq!(pod.pointer(data), Some(&json!(true)));
    assert_eq!(pod.pointer("/spec/securityContext/runAsUser"), Some(&json!(65534)));
}

#[test]
fn the_size_is_what_the_counted_series_need() {
    let world = counted(killed("44Mi"), 30_010);
    let (root, findings, _) = world.diagnose();
    assert_eq!(root, Some("oom/replay"));
    assert_eq!(
        evidence(&findings, "it needs"),
        ["192Mi (145Mi-212Mi) = 30 010 series x 3.0 kB x 1.5 + 64Mi"]
    );
    let says = "30 010 series in its WAL, counted by the agent; 118Mi once replayed";
    assert_eq!(evidence(&findings, ""), [says]);
    let plan = fix(&world);
    assert_eq!(plan.title, "raise the memory limit from 44Mi to 256Mi");
    assert_eq!(plan.inputs, ["--memory", "256Mi"]);
    assert_eq!(doubts(&plan), []);
}

#[test]
fn a_sibling_is_told_whose_log_was_counted() {
    let world = counted(killed("44Mi").replica("p-1"), 30_010);
    let (_, findings, _) = world.diagnose();
    let says = evidence(&findings, "");
    // In this world both pods mount one claim.
    assert!(says.iter().any(|s| s.starts_with("30 010 series in the WAL of p-1")), "{says:?}");
    assert!(says.iter().any(|s| s.starts_with("30 010 series in its WAL")), "{says:?}");
}

#[test]
fn a_count_does_not_argue_with_the_kill() {
    let plan = fix(&counted(killed("1Gi"), 30_010));
    assert_eq!(plan.title, "raise the memory limit from 1Gi to 1536Mi");
}

#[test]
fn a_look_that_was_refused_leaves_the_plan_as_it_is() {
    let mut world = allowed(killed("44Mi"));
    world.seen.inside.refused.insert(claim(), "you may not create pods in mon".into());
    let plan = fix(&world);
    assert_eq!(doubts(&plan), [("no look inside: you may not create pods in mon", "")]);
    assert_eq!(plan.digest(), fix(&killed("44Mi")).digest());
    // Nor does a report without a count ask for another.
    let mut world = allowed(killed("44Mi"));
    world.seen.inside.inventories.insert(claim(), json!({}));
    assert_eq!(doubts(&fix(&world)), [("the agent's report has no count of them", "")]);
}

#[test]
fn nothing_is_looked_for_where_more_is_known() {
    assert!(look(&killed("44Mi")).is_none());
    let given = [("memory", "300Mi")];
    assert!(matches!(next(&allowed(killed("44Mi")), &given), Next::Fix(_)));
    let mut sidecar = allowed(killed("44Mi"));
    sidecar.subject.container = "another".into();
    assert!(look(&sidecar).is_none());
    // A sibling serves, and counts its own head.
    let mut sibling = allowed(killed("44Mi"));
    let mut other = healthy().subject.pods.remove(0);
    put(&mut other, "/metadata/name", json!("p-1"));
    put(&mut other, "/metadata/uid", json!("u2"));
    let stats = Need::http(&other, 9090, "/api/v1/status/tsdb?limit=10");
    let body = r#"{"data": {"headStats": {"numSeries": 30010}}}"#.to_owned();
    sibling.seen.facts.insert(stats, Fact::Known(Seen::Http { status: 200, body }));
    sibling.subject.pods.push(other);
    assert!(look(&sibling).is_none());
    let (_, findings, _) = sibling.diagnose();
    assert_eq!(evidence(&findings, ""), ["series counted on p-1"]);
}

#[test]
fn where_no_helper_can_look_only_who_asked_is_told_why() {
    let empty = || {
        let world = killed("44Mi");
        world.set("/spec/volumes/0", json!({"name": "data", "emptyDir": {}}))
    };
    assert_eq!(doubts(&fix(&empty())), []);
    let plan = fix(&allowed(empty()));
    assert!(doubts(&plan)[0].0.contains("on no claim"), "{plan:?}");
    let root = || killed("44Mi").set("/spec/securityContext/runAsUser", json!(0));
    assert_eq!(doubts(&fix(&root())), []);
    assert_eq!(doubts(&fix(&allowed(root()))), [("it runs as root, and no helper does", "")]);
}

#[test]
fn a_head_that_fits_was_not_what_filled_the_limit() {
    let log = format!("{SERVED}\n{QUERIES}");
    let world = || killed_with("2Gi", &log);
    assert_eq!(world().diagnose().0, Some("oom/limit-below-need"));
    let world = counted(world(), 30_010);
    assert_eq!(world.diagnose().0, Some("oom/query"));
    assert!(matches!(next(&world, &[]), Next::Blocked(_)));
}
