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

fn counted_as(world: World, series: u64) -> World {
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
    let world = counted_as(killed("44Mi"), 30_010);
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
    let world = counted_as(killed("44Mi").replica("p-1"), 30_010);
    let (_, findings, _) = world.diagnose();
    let says = evidence(&findings, "");
    // In this world both pods mount one claim.
    assert!(says.iter().any(|s| s.starts_with("30 010 series in the WAL of p-1")), "{says:?}");
    assert!(says.iter().any(|s| s.starts_with("30 010 series in its WAL")), "{says:?}");
}

#[test]
fn a_count_does_not_argue_with_the_kill() {
    let plan = fix(&counted_as(killed("1Gi"), 30_010));
    assert_eq!(plan.title, "raise the memory limit from 1Gi to 1536Mi");
}

#[test]
fn a_look_at_a_node_that_no_agent_runs_on_says_so() {
    let node = |arch: &str| {
        let node = json!({"status": {"nodeInfo": {"architecture": arch}}});
        let mut world = allowed(killed("44Mi")).of_cluster(Kind::Node, "n1", node);
        world.seen.inside.agents.insert("amd64".into(), "a sum".into());
        look(&world).expect("a look").cannot
    };
    assert_eq!(node("amd64"), None);
    assert_eq!(
        node("s390x").as_deref(),
        Some("node n1 is s390x, and our agent is made for amd64 only")
    );
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

/// What the agent reports of a log that one metric fills.
fn filled(mut world: World) -> World {
    let rank = |name: &str, value: &str, series: u64| json!({"name": name, "value": value, "series": series, "error": 0});
    let report = json!({
        "series": 30_010,
        "faults": 1, "tornEnd": true,
        "metrics": [rank("__name__", "synthetic", 30_000), rank("__name__", "up", 1)],
        "jobs": [rank("job", "load", 30_005)],
        "pairs": [rank("job", "load", 30_005), rank("__name__", "synthetic", 30_000)],
        "labels": [{"name": "instance", "values": 30_000}, {"name": "shelf", "values": 16}],
    });
    world.seen.inside.inventories.insert(claim(), report);
    world
}

#[test]
fn who_fills_the_log_is_told_with_the_lines_against_it() {
    let world = filled(killed("44Mi"));
    let (root, findings, _) = world.diagnose();
    assert_eq!(root, Some("oom/replay"));
    let of = |field| evidence(&findings, field);
    let counted = "30 010 series in its WAL, counted by the agent; 118Mi once replayed; past 1 \
                   fault in it";
    assert_eq!(of(""), [counted]);
    let warning = findings.iter().find(|f| f.code.0 == "oom/cardinality").expect("a warning");
    assert_eq!(warning.says, "synthetic holds 99 % of 30 010 series");
    assert_eq!(of("metrics"), ["synthetic 30 000, up 1"]);
    assert_eq!(of("jobs"), ["load 30 005"]);
    assert_eq!(of("labels"), ["instance 30 000, shelf 16"]);
    let plan = fix(&world);
    let [.., lines] = plan.commit.as_slice() else { panic!("nothing to commit") };
    assert!(lines.title.starts_with("scrape config of job load in prometheus.yml"), "{lines:?}");
    assert_eq!(of("to stop it"), [lines.text.trim_end()]);
    // Only what is changed on the cluster is in the digest.
    let bare = fix(&counted_as(killed("44Mi"), 30_010));
    assert_eq!((plan.digest(), plan.commit.len()), (bare.digest(), bare.commit.len() + 1));
}

#[test]
fn where_no_node_has_room_what_loses_least_comes_first() {
    let node = |memory: &str| {
        let node = json!({
            "metadata": {"name": "n1"}, "status": {"allocatable": {"memory": memory}},
        });
        Fact::Known(Seen::List(vec![node]))
    };
    let with = |mut world: World, memory: &str| {
        world.seen.facts.insert(Need::Nodes { labels: Vec::new() }, node(memory));
        world
    };
    let blocked = |world: &World| match next(world, &[]) {
        Next::Blocked(blocked) => blocked,
        other => panic!("not blocked: {other:?}"),
    };
    let guess = blocked(&with(killed("44Mi"), "60Mi"));
    assert_eq!(guess.ways[1], "kubectl prom-fix oom sts/p --inspect -n mon", "{guess:?}");
    let counted = blocked(&with(filled(killed("44Mi")), "200Mi"));
    assert!(counted.why.contains("would ask for 256Mi"), "{counted:?}");
    let begins: Vec<&str> =
        counted.ways.iter().filter_map(|way| way.split([',', ' ']).next()).collect();
    assert_eq!(begins, ["add", "--memory", "--memory", "relabel", "last"], "{counted:?}");
    assert!(counted.ways[1].starts_with("--memory 128Mi  "), "{counted:?}");
    // Killed at more than the replay alone takes, less of it is no way.
    let counted = blocked(&with(filled(killed("160Mi")), "200Mi"));
    assert_eq!(counted.ways.len(), 4, "{counted:?}");
}

#[test]
fn a_name_that_is_not_known_whole_is_in_no_line() {
    let mut world = filled(killed("44Mi"));
    let report = world.seen.inside.inventories.get_mut(&claim()).expect("a report");
    put(report, "/metrics/0/value", json!("x".repeat(512)));
    let (_, findings, _) = world.diagnose();
    // The label is one that tells targets apart: only the job is left.
    let warning = findings.iter().find(|f| f.code.0 == "oom/cardinality").expect("a warning");
    assert_eq!(warning.says, "job=load holds 99 % of 30 010 series");
    let lines = evidence(&findings, "to stop it");
    assert_eq!(lines, ["sample_limit: 15002 # a scrape of more fails whole"]);
}

#[test]
fn a_head_that_fits_was_not_what_filled_the_limit() {
    let log = format!("{SERVED}\n{QUERIES}");
    let world = || killed_with("2Gi", &log);
    assert_eq!(world().diagnose().0, Some("oom/limit-below-need"));
    let world = counted_as(world(), 30_010);
    assert_eq!(world.diagnose().0, Some("oom/query"));
    assert!(matches!(next(&world, &[]), Next::Blocked(_)));
}

/// With memory enough its start comes to the damage, and deletes what is behind it.
#[test]
fn a_log_with_faults_is_mended_before_its_server_gets_memory() {
    let with = |report: Value| {
        let mut world = counted_as(killed("44Mi"), 1);
        world.seen.inside.inventories.insert(claim(), report);
        world
    };
    let torn = with(json!({"series": 812_000, "faults": 1, "tornEnd": true}));
    assert!(fix(&torn).title.starts_with("raise the memory limit from 44Mi"));
    let world = with(json!({"series": 812_000, "faults": 2, "tornEnd": false}));
    let Next::Blocked(blocked) = next(&world, &[]) else { panic!("a plan to restart it") };
    assert!(blocked.why.starts_with("the log on pvc/data-p-0 has 2 faults"), "{}", blocked.why);
    let ways = blocked.ways.join("\n");
    assert!(ways.contains("kubectl prom-fix freeze pod/p-0 -n mon"), "{ways}");
    assert!(ways.contains("kubectl prom-fix wal pod/p-0 -n mon --inspect --apply"), "{ways}");
    assert!(ways.contains("by hand (it needs "), "{ways}");
    // Known is what was looked at: whoever gives a size is asked for no look.
    let given = next(&killed("44Mi"), &[("memory", "4Gi")]);
    assert!(matches!(given, Next::Fix(_)), "{given:?}");
}
