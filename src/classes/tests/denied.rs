//! A data directory that may not be written: what is inferred, what a look adds, who else refuses.

use serde_json::{Value, json};

use super::fixture::{World, healthy, put};
use super::states::DENIED;
use crate::model::patch::Op;
use crate::model::plan::Action;
use crate::model::{Blocked, Finding, Kind, Next, ObjectRef};

fn denied() -> World {
    healthy().crashed(2, "Error", DENIED).object(
        Kind::PersistentVolumeClaim,
        "data-p-0",
        json!({"spec": {"accessModes": ["ReadWriteOnce"]}}),
    )
}

fn first(world: &World) -> Finding {
    world.diagnose().1.into_iter().next().expect("a finding")
}

fn evidence(finding: &Finding, field: &str) -> Option<String> {
    finding.evidence.iter().find(|e| e.field == field).map(|e| e.value.clone())
}

fn blocked(world: &World) -> Blocked {
    match world.next() {
        Next::Blocked(blocked) => blocked,
        other => panic!("{other:#?}"),
    }
}

/// What `--inspect` allows.
fn with_consent(mut world: World) -> World {
    world.seen.inside.agents.insert("amd64".into(), "sum".into());
    world
}

fn looked(world: World, report: Value) -> World {
    let mut world = with_consent(world);
    let claim = ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "data-p-0");
    world.seen.inside.owners.insert(claim, report);
    world
}

#[test]
fn what_is_inferred_is_said_until_it_was_looked_at() {
    let inferred = |world: &World| evidence(&first(world), "inferred");
    let no_look = "from its log and the objects; --inspect looks";
    assert_eq!(inferred(&denied()).as_deref(), Some(no_look));
    let scratch = denied().set("/spec/volumes/0", json!({"name": "data", "emptyDir": {}}));
    let no_helper = "from its log and the objects; no helper can mount it";
    assert_eq!(first(&scratch).code.0, "perms/fsgroup-mismatch");
    assert_eq!(inferred(&scratch).as_deref(), Some(no_helper));
    let seen = looked(denied(), json!({"offenders": {"count": 1}}));
    assert_eq!(inferred(&seen), None);
    let scratch = scratch.set("/spec/securityContext", json!({}));
    assert_eq!(first(&scratch).code.0, "perms/fsgroup-unset", "the kubelet gives an emptyDir away");
}

#[test]
fn a_look_that_was_allowed_comes_before_a_plan_and_may_show_that_none_helps() {
    let unset = || denied().set("/spec/securityContext", json!({}));
    assert!(!matches!(unset().next(), Next::Look(_)), "nobody asked for one");
    assert!(matches!(with_consent(unset()).next(), Next::Look(_)));
    let found = looked(unset(), json!({"offenders": {"count": 3}}));
    assert!(!matches!(found.next(), Next::Look(_)), "once is enough");
    // Its claim is for one pod, and the pod is there.
    let alone = json!({"spec": {"accessModes": ["ReadWriteOncePod"]}});
    let alone = unset().object(Kind::PersistentVolumeClaim, "data-p-0", alone);
    assert!(!matches!(with_consent(alone).next(), Next::Look(_)));

    let labelled =
        || unset().set("/spec/securityContext", json!({"seLinuxOptions": {"level": "s0:c1,c2"}}));
    assert_eq!(
        evidence(&first(&labelled()), "seLinuxOptions").as_deref(),
        Some(r#"{"level":"s0:c1,c2"}"#)
    );
    let why = blocked(&looked(labelled(), json!({"offenders": {"count": 0}}))).why;
    assert!(why.starts_with("by owner, group and mode it may write all of it"), "{why}");
    assert!(why.contains(r#"SELinux (it runs with {"level":"s0:c1,c2"})"#), "{why}");
}

/// A new pod would not help: the kubelet makes a sub path after it has given the volume away.
#[test]
fn a_sub_path_of_another_owner_is_looked_at_and_no_pod_restarted_for_it() {
    let mounts = json!([{"name": "data", "mountPath": "/prometheus", "subPath": "db"}]);
    let world = denied().set("/spec/containers/0/volumeMounts", mounts);
    assert_eq!(first(&world).code.0, "perms/owner-mismatch");
    let Next::Look(look) = world.next() else { panic!("a look") };
    assert!(look.why.contains("before its sub path is mounted"), "{}", look.why);
    let body = serde_json::to_string(&look.plan.steps).expect("JSON");
    assert!(body.contains("/data/db") && !body.contains("subPath"), "the volume's root: {body}");
}

/// Up to 2.5x it does not say why it could not make its directory.
#[test]
fn a_directory_that_it_could_not_make_may_be_on_a_mount_that_is_read_only() {
    let log = DENIED.replace("permission denied", "no such file or directory");
    let world = || healthy().crashed(2, "Error", &log);
    assert_eq!(first(&world()).code.0, "perms/fsgroup-mismatch");
    let mounts = json!([{"name": "data", "mountPath": "/prometheus", "readOnly": true}]);
    let world = world().set("/spec/containers/0/volumeMounts", mounts);
    assert_eq!(first(&world).code.0, "perms/read-only");
}

#[test]
fn both_ranges_of_a_namespace_of_openshift_are_named() {
    let openshift = |world: World| {
        let ranges = json!({"metadata": {"name": "mon", "annotations": {
            "openshift.io/sa.scc.uid-range": "1000680000/10000",
            "openshift.io/sa.scc.supplemental-groups": "1000690000/10000",
        }}});
        world.of_cluster(Kind::Namespace, "mon", ranges)
    };
    let takes = "takes users of 1000680000/10000 and groups of 1000690000/10000 only";
    let admitted = denied()
        .set("/spec/securityContext", json!({}))
        .set("/metadata/annotations", json!({"openshift.io/scc": "restricted-v2"}));
    let why = blocked(&openshift(admitted)).why;
    assert!(why.contains(takes), "{why}");

    let event = "create Pod p-0 in StatefulSet p failed error: pods \"p-0\" is forbidden: unable to \
                 validate against any security context constraint: [provider restricted-v2: \
                 .spec.securityContext.fsGroup: Invalid value: []int64{65534}: 65534 is not an allowed \
                 group]";
    let mut refused = openshift(healthy().event("StatefulSet", "p", "FailedCreate", event));
    refused.subject.pods.clear();
    assert_eq!(first(&refused).code.0, "perms/security-context-rejected");
    let why = blocked(&refused).why;
    assert!(why.contains(takes), "{why}");

    // As long as they are, of one constraint after the other; and of something else.
    let others =
        ", provider \"hostaccess\": Forbidden: not usable by user or serviceaccount".repeat(12);
    let refusal = |what: &str| {
        let event = format!(
            "create Pod p-0 in StatefulSet p failed error: pods \"p-0\" is forbidden: unable to \
             validate against any security context constraint: [provider restricted-v2: {what}{others}]"
        );
        let mut world = openshift(healthy().event("StatefulSet", "p", "FailedCreate", &event));
        world.subject.pods.clear();
        blocked(&world).why
    };
    assert!(refusal("65534 is not an allowed group").contains(takes));
    assert!(!refusal("hostPath volumes are not allowed to be used").contains(takes));
}

#[test]
fn what_a_look_counted_is_told_by_kind_and_of_the_offenders_the_first() {
    let counted = |uid: i64, mode: &str, count: i64| json!({"uid": uid, "gid": uid, "mode": mode, "count": count});
    let kinds: Vec<Value> = (1..=8).map(|uid| counted(uid, "0644", uid)).collect();
    let offender = |n: i64| {
        let path = if n == 0 { String::new() } else { format!("wal/{n:08}") };
        json!({"path": path, "uid": 0, "gid": 0, "mode": "0600", "lacks": ["read", "write"]})
    };
    let first: Vec<Value> = (0..10).map(offender).collect();
    let report = |count: i64| {
        json!({
            "user": {"uid": 65534, "gid": 65534},
            "folders": [counted(0, "0755", 3), counted(65534, "0775", 12)], "files": kinds,
            "offenders": {"count": count, "first": first}, "unread": {"count": 1},
        })
    };
    let told = |field: &str| evidence(&first_of(report(12)), field);
    assert_eq!(told("folders").as_deref(), Some("3 of 0:0 0755, 12 of 65534:65534 0775"));
    let files = "1 of 1:1 0644, 2 of 2:2 0644, 3 of 3:3 0644, 4 of 4:4 0644, 5 of 5:5 0644, \
                 6 of 6:6 0644, 2 other kinds";
    assert_eq!(told("files").as_deref(), Some(files));
    let shown: Vec<String> =
        (1..10).map(|n| format!("; wal/{n:08}: 0:0 0600, cannot read, write")).collect();
    let ten = format!(".: 0:0 0600, cannot read, write{}", shown.concat());
    assert_eq!(told("12 not for 65534:65534"), Some(format!("{ten}; 2 more")));
    assert_eq!(told("not looked into").as_deref(), Some("1"));
    assert_eq!(evidence(&first_of(report(10)), "10 not for 65534:65534"), Some(ten));
}

fn first_of(report: Value) -> Finding {
    first(&looked(denied(), report))
}

/// What lies below a root that fits: `OnRootMismatch` would leave it as it is.
#[test]
fn a_group_that_is_set_first_is_given_to_every_file_where_only_the_root_is_looked_at() {
    let log = DENIED.replace("/prometheus/queries.active", "/prometheus/wal/00000001");
    let world = |policy: Value| {
        let mut world =
            healthy().crashed(2, "Error", &log).set("/spec/securityContext", policy.clone());
        for object in [&mut world.subject.root_object, &mut world.subject.workloads[0]] {
            put(object, "/spec/template/spec/securityContext", policy.clone());
        }
        world.object(Kind::PersistentVolumeClaim, "data-p-0", json!({}))
    };
    let plan = |policy: Value| {
        let world = world(policy);
        assert_eq!(first(&world).code.0, "perms/owner-mismatch");
        let Next::Fix(plan) = world.next() else { panic!("{:#?}", world.next()) };
        let Action::Patch { patch, .. } = &plan.steps[0].action else { panic!("{plan:#?}") };
        let added = patch.iter().filter_map(|op| match op {
            Op::Add { path, value } | Op::Replace { path, value } => {
                Some(format!("{path}: {value}"))
            }
            Op::Test { .. } | Op::Remove { .. } => None,
        });
        (added.collect::<Vec<_>>(), plan.steps[0].why.clone(), plan.undo.clone())
    };
    let at = "/spec/template/spec/securityContext";
    let group = format!("{at}/fsGroup: 65534");
    let always = format!("{at}/fsGroupChangePolicy: \"Always\"");
    let title = "set fsGroup to 65534, so that the volume is given to it";
    let (changes, why, undo) = plan(json!({"fsGroupChangePolicy": "OnRootMismatch"}));
    assert_eq!(changes, [group.clone(), always]);
    assert_eq!(
        why,
        format!(
            "{title}; Always is for one start: once it is Ready, OnRootMismatch may come back, by \
             hand: an undo takes fsGroup away, too"
        )
    );
    assert!(undo.ends_with("; files keep the group they were given"), "{undo}");
    let (changes, why, _) = plan(json!({"fsGroupChangePolicy": "Always"}));
    assert_eq!((changes, why.as_str()), (vec![group], title));
}
