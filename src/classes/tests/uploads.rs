//! What a Thanos sidecar uploaded is said before a log is mended, as far as it is known.

use serde_json::{Value, json};

use super::fixture::{World, gap_survey, healthy};
use crate::model::plan::Plan;
use crate::model::report::Inventory;
use crate::model::{Finding, Kind, Next, ObjectRef, Severity};
use crate::walfile::map::Log;

const GAP: &str = r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: get segment range: segments are not sequential""#;

/// A gap, and a sidecar beside it.
fn world(args: &[&str]) -> World {
    let mut world = healthy().crashed(1, "Error", GAP);
    let mut sidecar = world.pod()["spec"]["containers"][0].clone();
    sidecar["name"] = json!("thanos-sidecar");
    sidecar["image"] = json!("quay.io/thanos/thanos:v0.37.0");
    sidecar["args"] = json!([&["sidecar"], args].concat());
    let containers = world.pod()["spec"]["containers"].as_array_mut().expect("a list");
    containers.push(sidecar);
    world.set("/spec/securityContext/runAsUser", json!(65534)).set(
        "/metadata/ownerReferences",
        json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "p", "uid": "set",
            "controller": true}]),
    )
}

/// The same once its files were seen.
fn seen(args: &[&str], uploads: &Value) -> World {
    let mut world = world(args);
    let mut survey = gap_survey();
    survey["uploads"] = uploads.clone();
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data-p-0");
    world.seen.inside.surveys.insert(claim, survey);
    world
}

fn evidence(world: &World) -> Vec<String> {
    let (_, findings, _) = world.diagnose();
    let own = |f: &&Finding| f.severity == Severity::Error && f.code.0 == "wal/gap";
    let all = findings.iter().filter(own).flat_map(|f| &f.evidence);
    all.filter(|e| e.field == "Thanos sidecar").map(|e| e.value.clone()).collect()
}

fn plan(world: &World) -> Plan {
    match world.next() {
        Next::Fix(plan) => plan,
        other => panic!("{other:?}"),
    }
}

/// What the plan says of the data, behind what is kept of the log.
fn data(world: &World) -> String {
    let data = plan(world).impact.data;
    data.split_once("in prom-fix-<time>/").expect("what is kept").1.to_owned()
}

const BUCKET: &[&str] = &["--objstore.config-file=/etc/bucket.yaml"];

#[test]
fn without_a_look_it_says_what_the_pod_tells_and_what_it_does_not() {
    let told = evidence(&world(BUCKET));
    let want = "container thanos-sidecar is given a bucket (--objstore.config-file), and is taken to \
                upload blocks, never what is only in the log; which it has uploaded is not known \
                without --inspect";
    assert_eq!(told, [want]);
    let told = evidence(&world(&[]));
    assert_eq!(told, ["container thanos-sidecar is given no bucket, and uploads nothing"]);
    assert!(evidence(&healthy().crashed(1, "Error", GAP)).is_empty());
}

#[test]
fn what_was_seen_stands_in_the_plan_and_in_the_report() {
    let head = json!({"first": 7_200_000, "last": 9_000_000});
    let uploads = json!({
        "unread": null, "listed": 2,
        "newest": {"ulid": "01M827CT0DKCN5KG2K87TH0H4J", "ends": 3_600_000, "made": 1},
        "here": [{"ulid": "01M827CT0DKCN5KG2K87TH0H4K",
            "span": {"first": 3_600_000, "last": 7_200_000}, "level": 1}],
        "hereCount": 1, "head": head,
    });
    let world = seen(BUCKET, &uploads);
    assert!(evidence(&world).is_empty(), "the report has a part of its own for it");
    let want = "; Thanos noted blocks up to 1970-01-01 01:00:00Z as uploaded; only on this volume is \
                the log from 1970-01-01 02:00:00Z to 1970-01-01 02:30:00Z, and 1 block that is not \
                noted";
    assert_eq!(data(&world), want);
    let given = crate::classes::Given::new();
    let directories = crate::classes::ALL
        .iter()
        .flat_map(|class| class.job(&world.subject, &given).directories(&world.seen));
    let told: Vec<_> = directories.map(|one| (one.claim.name, one.uploads.is_some())).collect();
    assert_eq!(told, [("data-p-0".to_owned(), true)]);
}

#[test]
fn what_a_survey_counted_is_of_its_directory() {
    let mut world = healthy();
    let ranks: Vec<Value> = (0..9)
        .map(|n| json!({"name": "__name__", "value": format!("m{n}"), "series": 9 - n}))
        .collect();
    let job = json!({"name": "job", "value": "api", "series": 7});
    let survey = json!({
        "inventory": {
            "series": 1000, "metrics": ranks, "jobs": [job], "pairs": [job],
            "labels": [{"name": "instance", "values": 30}],
        },
    });
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data-p-0");
    world.seen.inside.surveys.insert(claim, survey);
    let told = |world: &World| {
        let given = crate::classes::Given::new();
        let all = crate::classes::ALL.iter();
        let mut all = all.flat_map(|c| c.job(&world.subject, &given).directories(&world.seen));
        all.next().and_then(|directory| directory.inventory).expect("a count")
    };
    let Inventory { series, metrics, jobs, pairs, labels, memory } = told(&world);
    assert_eq!((series, metrics.len()), (1000, 5));
    assert_eq!(metrics[0], ("m0".to_owned(), 9));
    assert_eq!((&jobs[0], &pairs[0]), (&("api".to_owned(), 7), &("job=api".to_owned(), 7)));
    assert_eq!(labels, [("instance".to_owned(), 30)]);
    assert!(memory.is_some_and(|memory| memory.at_ready > 64 << 20 && memory.limit > memory.low));
    // An agent holds no samples of its series: what these cost was not measured.
    world.subject.agent = true;
    assert_eq!(told(&world).memory, None);
}

#[test]
fn a_note_that_is_damaged_empty_or_not_there_is_told_as_that() {
    let uploads = |unread: Value, newest: Value| {
        json!({"unread": unread, "listed": 0, "newest": newest, "here": [], "hereCount": 3,
            "head": null})
    };
    let rows = [
        (
            uploads(json!("not a file"), Value::Null),
            "; what Thanos uploaded is not known (its note is damaged); only on this volume is what \
             is in the log and in no block, at least",
        ),
        (
            uploads(Value::Null, Value::Null),
            "; Thanos noted no block as uploaded; only on this volume is what is in the log and in \
             no block, and 3 blocks that are not noted",
        ),
        (
            uploads(Value::Null, json!({"ulid": "0", "ends": null, "made": i64::MAX})),
            "; the newest block that Thanos noted as uploaded was made 9223372036854775807 ms, and \
             is not here any more; only on this volume is what is in the log and in no block, and \
             3 blocks that are not noted",
        ),
        (
            Value::Null,
            "; what Thanos uploaded is not known: container thanos-sidecar has \
             --objstore.config-file, and no note of it was read (thanos.shipper.json); the log at \
             least is only on this volume",
        ),
    ];
    for (uploads, want) in rows {
        assert_eq!(data(&seen(BUCKET, &uploads)), want);
    }
    assert_eq!(data(&seen(&[], &Value::Null)), "", "nothing uploads");
}

#[test]
fn each_fault_of_a_file_is_told_with_what_it_costs() {
    let mut world = healthy();
    let kept = |samples: u64| json!({"records": 1, "series": 0, "samples": samples});
    let fault = |offset: u64| {
        json!({"kind": "checksum", "offset": offset, "page": 0, "skipped": 9,
            "costs": {"prometheus": kept(700), "page": kept(40)}})
    };
    let file = |number: u64, faults: Vec<Value>| json!({"number": number, "faults": faults});
    let survey = json!({
        "checkpoints": [{"number": 1, "files": [file(0, vec![fault(1)])]},
            {"number": 4, "files": [file(0, vec![fault(2)])]}],
        "segments": [file(5, Vec::new()), file(6, (3..300).map(fault).collect())],
    });
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data-p-0");
    world.seen.inside.surveys.insert(claim, survey);
    let given = crate::classes::Given::new();
    let all = crate::classes::ALL.iter();
    let mut all = all.flat_map(|c| c.job(&world.subject, &given).directories(&world.seen));
    let faults = all.next().expect("it was looked at").faults;
    assert_eq!(faults.len(), 200);
    let told = |at: usize| (faults[at].log, faults[at].number, faults[at].fault.offset);
    assert_eq!((told(0), told(1)), ((Log::Checkpoint(4), 0, 2), (Log::Wal, 6, 3)));
    let costs = faults[1].fault.costs.expect("counted");
    assert_eq!((costs.prometheus.samples, costs.page.samples), (700, 40));
}

#[test]
fn what_is_kept_and_nobody_will_see_is_told_with_what_is_kept() {
    let mut world = seen(&[], &Value::Null);
    assert_eq!(plan(&world).title, "mend the log of pod/p-0, and keep 100 samples");
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data-p-0");
    let survey = world.seen.inside.surveys.get_mut(&claim).expect("seen");
    survey["orphans"] = json!({"samples": 4857, "series": 733, "examples": [7]});
    let told = "4 857 are of 733 series whose record is lost: no way serves them";
    let plan = plan(&world);
    assert_eq!(plan.title, "mend the log of pod/p-0, and keep what can be read");
    assert!(plan.impact.data.contains(&format!("; of these {told}; the old files")), "{plan:?}");
    let (_, findings, _) = world.diagnose();
    let evidence = findings.iter().flat_map(|finding| &finding.evidence);
    let of_these: Vec<&str> =
        evidence.filter(|e| e.field == "of these").map(|e| e.value.as_str()).collect();
    assert_eq!(of_these, [told]);
}
