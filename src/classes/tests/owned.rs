//! Files that are not for it, of several replicas: each is looked at, and one plan fits all of them.

use serde_json::{Value, json};

use super::fixture::{World, healthy, put};
use crate::model::patch::Op;
use crate::model::plan::{Action, Step};
use crate::model::{Fact, Kind, Need, Next, ObjectRef, Plan, Seen};

const DENIED: &str = r#"time=x level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: lock DB directory: open /prometheus/lock: permission denied""#;

fn claim(name: &str) -> ObjectRef {
    ObjectRef::new(Kind::PersistentVolumeClaim, "mon", name)
}

/// Two replicas that may not write folders of the node; the second serves where that is said.
fn two(serves: bool) -> World {
    let mut world = if serves { healthy() } else { healthy().crashed(1, "Error", DENIED) };
    put(world.pod(), "/spec/securityContext", json!({"runAsUser": 65534}));
    let mut world = world.replica("p-1");
    put(
        &mut world.subject.pods[1],
        "/spec/volumes/0/persistentVolumeClaim/claimName",
        json!("data-p-1"),
    );
    if serves {
        world = world.crashed(1, "Error", DENIED);
    } else {
        for previous in [false, true] {
            let need = Need::log(&world.subject.pods[1], "prometheus", previous);
            world.seen.facts.insert(need, Fact::Known(Seen::Log(DENIED.into())));
        }
    }
    for object in [&mut world.subject.root_object, &mut world.subject.workloads[0]] {
        put(object, "/spec/template/spec/securityContext", json!({"runAsUser": 65534}));
    }
    world
        .object(Kind::PersistentVolumeClaim, "data-p-0", json!({"spec": {"volumeName": "v"}}))
        .of_cluster(Kind::PersistentVolume, "v", json!({"spec": {"hostPath": {"path": "/d"}}}))
}

/// One folder, of a user and a group; not for it where it has offenders.
fn owned(mut world: World, name: &str, user: i64, group: i64, offenders: i64) -> World {
    let mode = if group == 0 { "0755" } else { "0775" };
    let told = json!({
        "folders": [{"uid": user, "gid": group, "mode": mode, "count": 1}], "files": [],
        "offenders": {"count": offenders, "first": []}, "unread": {"count": 0},
    });
    world.seen.inside.owners.insert(claim(name), told);
    world
}

fn plan(world: &World) -> Plan {
    match world.next() {
        Next::Fix(plan) => plan,
        other => panic!("no plan: {other:?}"),
    }
}

/// The words of each helper, behind the program's name.
fn helpers(plan: &Plan) -> Vec<String> {
    let pods = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Create { object, body } if object.kind == Kind::Pod => Some(body),
        _ => None,
    });
    let words = |pod: &Value| {
        let claim = pod.pointer("/spec/volumes/0/persistentVolumeClaim/claimName");
        let words = pod.pointer("/spec/containers/0/command").and_then(Value::as_array);
        let words = words.into_iter().flatten().skip(1).filter_map(Value::as_str);
        let words: Vec<&str> = words.collect();
        format!("{}: {}", claim.and_then(Value::as_str).unwrap_or(""), words.join(" "))
    };
    pods.map(words).collect()
}

#[test]
fn each_volume_is_looked_at_one_after_another() {
    for serves in [false, true] {
        let Next::Look(first) = two(serves).next() else { panic!("no look") };
        let seen = owned(two(serves), &first.claim.name, 0, 0, 1);
        let Next::Look(second) = seen.next() else { panic!("no second look") };
        let mut both = [first.claim.name, second.claim.name];
        both.sort();
        assert_eq!(both, ["data-p-0", "data-p-1"]);
    }
}

#[test]
fn a_change_of_the_template_fits_the_files_of_every_replica() {
    let same = owned(owned(two(false), "data-p-0", 0, 2000, 1), "data-p-1", 0, 2000, 1);
    assert_eq!(plan(&same).title, "make it a member of group 2000, whose its files are");
    // The second would be no better off with the group of the first.
    let other = owned(owned(two(false), "data-p-0", 0, 2000, 1), "data-p-1", 0, 0, 2);
    assert!(plan(&other).title.starts_with("give the files to 65534:65534: 3 files"));
    // The one that serves would lose what it has as the user of the other.
    let serving = owned(owned(two(true), "data-p-0", 1000, 0, 1), "data-p-1", 65534, 65534, 0);
    assert!(plan(&serving).title.starts_with("give the files to"), "{}", plan(&serving).title);
    assert_eq!(
        helpers(&plan(&serving)),
        ["data-p-0: chown /data --uid 65534 --gid 65534 --json"],
        "only of the one that was refused"
    );
}

/// A user of the pod's would be that of the other containers only.
#[test]
fn a_container_that_says_its_user_itself_is_not_passed_over() {
    let world = |own: Value| {
        let mut world = owned(owned(two(false), "data-p-0", 1000, 0, 1), "data-p-1", 1000, 0, 1);
        let containers = json!([{"name": "prometheus", "securityContext": own}]);
        for object in [&mut world.subject.root_object, &mut world.subject.workloads[0]] {
            put(object, "/spec/template/spec/containers", containers.clone());
        }
        world
    };
    assert_eq!(plan(&world(json!({}))).title, "run as user 1000, whose the files are");
    let Next::Blocked(blocked) = world(json!({"runAsUser": 65534})).next() else {
        panic!("a plan")
    };
    assert_eq!(
        blocked.why,
        "the files are of user 1000, and its container says another user itself: say it there"
    );
}

fn is_root(action: &Action) -> bool {
    matches!(action, Action::Create { body, .. } if sets_root(body))
}

/// Whether a value sets the user root, or makes a member of its group, anywhere.
fn sets_root(value: &Value) -> bool {
    let below = |values: Vec<&Value>| values.into_iter().any(sets_root);
    match value {
        Value::Object(all) => {
            let own =
                ["runAsUser", "fsGroup"].into_iter().any(|field| all.get(field) == Some(&json!(0)));
            own || below(all.values().collect())
        }
        Value::Array(all) => below(all.iter().collect()),
        _ => false,
    }
}

/// Why a plan would be a hole: root for what is not a helper that gives files away, or files for all.
fn hole(plan: &Plan) -> Option<String> {
    let whole = serde_json::to_string(plan).expect("JSON");
    if whole.contains("chmod") || whole.contains("777") {
        return Some(whole);
    }
    let is_hole = |step: &&Step| match &step.action {
        Action::Patch { patch, .. } => patch.iter().any(|op| match op {
            Op::Add { path, value } | Op::Replace { path, value } => {
                let field = path.rsplit('/').next().unwrap_or("");
                sets_root(value) || sets_root(&json!({ field: value }))
            }
            Op::Test { .. } | Op::Remove { .. } => false,
        }),
        Action::Create { object, body } => {
            let gives = body.pointer("/spec/containers/0/command/1") == Some(&json!("chown"));
            sets_root(body) && !(object.kind == Kind::Pod && gives)
        }
        Action::Delete { .. } | Action::Exec { .. } | Action::Wait { .. } => false,
    };
    let text = plan.commit.iter().find(|snippet| snippet.text.contains("runAsUser: 0"));
    let step = plan.steps.iter().find(is_hole).map(|step| format!("{step:?}"));
    step.or_else(|| text.map(|snippet| snippet.text.clone()))
}

/// A folder of each kind of owner, that its group may write or not.
fn kinds() -> Vec<(i64, i64, &'static str)> {
    let ids = [0, 1000, 65534];
    let modes = |(user, group)| ["0755", "0775"].map(|mode| (user, group, mode));
    ids.into_iter().flat_map(|user| ids.map(|group| (user, group))).flat_map(modes).collect()
}

#[test]
fn no_plan_after_a_look_makes_prometheus_root_or_opens_its_files_to_all() {
    let mut titles = Vec::new();
    let seen = |world: World, name: &str, (user, group, mode): (i64, i64, &str)| {
        let mut world = owned(world, name, user, group, 1);
        let told = world.seen.inside.owners.get_mut(&claim(name)).expect("a look");
        put(told, "/folders/0/mode", json!(mode));
        world
    };
    for (first, second) in
        kinds().into_iter().flat_map(|one| kinds().into_iter().map(move |two| (one, two)))
    {
        for serves in [false, true] {
            let world = seen(two(serves), "data-p-0", first);
            let Next::Look(look) = world.next() else { panic!("no look: {:?}", world.next()) };
            assert_eq!(look.plan.steps.iter().find(|step| is_root(&step.action)), None);
            let plan = plan(&seen(world, "data-p-1", second));
            assert_eq!(hole(&plan), None, "{first:?} {second:?}");
            titles.push(plan.title);
        }
    }
    for kind in ["give the files to 65534", "make it a member of group 1000", "run as user 1000"] {
        assert!(titles.iter().any(|title| title.starts_with(kind)), "{kind}: {titles:?}");
    }
}

#[test]
fn a_replica_whose_words_are_not_at_hand_is_given_its_files_too() {
    let mut both = owned(owned(two(false), "data-p-0", 0, 0, 1), "data-p-1", 0, 0, 1);
    for previous in [false, true] {
        let need = Need::log(&both.subject.pods[1], "prometheus", previous);
        both.seen.facts.insert(need, Fact::Unreadable("unable to retrieve container logs".into()));
    }
    let plan = plan(&both);
    assert!(plan.title.contains("2 files"), "{}", plan.title);
    assert_eq!(helpers(&plan).len(), 3, "{:?}", helpers(&plan));
}

#[test]
fn it_is_tried_on_every_volume_before_the_first_is_changed() {
    let both = owned(owned(two(false), "data-p-0", 0, 0, 1), "data-p-1", 0, 0, 1);
    let plan = plan(&both);
    assert_eq!(
        helpers(&plan),
        [
            "data-p-1: chown /data --uid 65534 --gid 65534 --prove --json",
            "data-p-0: chown /data --uid 65534 --gid 65534 --json",
            "data-p-1: chown /data --uid 65534 --gid 65534 --json",
        ]
    );
    let delete = |step: &crate::model::plan::Step| matches!(&step.action, Action::Delete { uid, .. } if !uid.is_empty());
    let taken_down = plan.steps.iter().position(delete).expect("the pods are restarted");
    let last = plan.steps.iter().rposition(|step| matches!(&step.action, Action::Create { .. }));
    assert!(last < Some(taken_down), "nothing is taken down before all is given");
}

/// The data directory is a folder of the node, by the pod's own spec; told by a look, with what else
/// is in it.
fn on_the_node(path: &str, strangers: &[&str]) -> World {
    let mut world = healthy().crashed(1, "Error", DENIED);
    let folder = json!([{"name": "data", "hostPath": {"path": path}}]);
    put(world.pod(), "/spec/volumes", folder.clone());
    put(world.pod(), "/spec/securityContext", json!({"runAsUser": 65534}));
    for object in [&mut world.subject.root_object, &mut world.subject.workloads[0]] {
        put(object, "/spec/template/spec/volumes", folder.clone());
    }
    let told = json!({
        "folders": [{"uid": 0, "gid": 0, "mode": "0755", "count": 1}], "files": [], "others": 0,
        "strangers": {"count": strangers.len(), "first": strangers},
        "offenders": {"count": 1, "first": []}, "unread": {"count": 0},
    });
    let folder = ObjectRef::new(Kind::Node, "", &format!("n1:{path}"));
    world.seen.inside.owners.insert(folder, told);
    world
}

fn blocked(world: &World) -> String {
    match world.next() {
        Next::Blocked(blocked) => {
            let by_hand =
                blocked.ways.iter().any(|way| way.contains("on n1, if nothing else uses"));
            assert!(by_hand, "{blocked:?}");
            blocked.why
        }
        other => panic!("not blocked: {other:?}"),
    }
}

#[test]
fn a_folder_of_a_node_is_given_away_where_it_is_of_prometheus_alone() {
    let alone = on_the_node("/srv/p", &[]);
    let given = plan(&alone);
    assert!(given.title.starts_with("give the files to 65534:65534"), "{}", given.title);
    let mounts = given.steps.iter().find_map(|step| match &step.action {
        Action::Create { object, body } if object.kind == Kind::Pod => {
            body.pointer("/spec/volumes/0").cloned()
        }
        _ => None,
    });
    assert_eq!(mounts, Some(json!({"name": "data", "hostPath": {"path": "/srv/p"}})));
    assert!(given.doubts.iter().any(|doubt| doubt.need.contains("comes to n1 again")));
    let mut unseen = on_the_node("/srv/p", &[]);
    unseen.seen.inside.owners.clear();
    let Next::Look(look) = unseen.next() else { panic!("no look") };
    assert_eq!(look.claim.short(), "node/n1:/srv/p");

    assert!(blocked(&on_the_node("/srv/p", &["passwd"])).contains("(passwd)"));
    assert!(blocked(&on_the_node("/etc/p", &[])).contains("of its system or of many"));
    let labels = |level: &str| {
        json!({"metadata": {"name": "mon", "labels": {
            "pod-security.kubernetes.io/enforce": level,
        }}})
    };
    let strict = on_the_node("/srv/p", &[]).of_cluster(Kind::Namespace, "mon", labels("baseline"));
    assert!(blocked(&strict).contains("level baseline lets no new pod mount"));
    let open = on_the_node("/srv/p", &[]).of_cluster(Kind::Namespace, "mon", labels("privileged"));
    assert_eq!(plan(&open).title, given.title);
}

/// The next pod of a Deployment has another name: to wait for the old one would never end.
#[test]
fn after_a_change_of_owner_a_deployment_is_waited_for_not_its_old_pods() {
    let mut both = owned(owned(two(false), "data-p-0", 0, 0, 1), "data-p-1", 0, 0, 1);
    both.subject.root.kind = Kind::Deployment;
    let steps = plan(&both).steps;
    let [.., first, second, waited] = steps.as_slice() else { panic!("{steps:?}") };
    for (step, name) in [(first, "p-0"), (second, "p-1")] {
        assert!(matches!(&step.action, Action::Delete { object, .. } if object.name == name));
    }
    let until = crate::subject::rollout::rolled_out(&both.subject);
    assert_eq!(waited.action, Action::Wait { object: both.subject.root.clone(), until });
}
