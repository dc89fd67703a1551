//! How a pod is kept from starting, and where it cannot be.

use serde_json::{Value, json};

use crate::model::object::{Kind, ObjectRef};
use crate::model::patch::{Op, apply};
use crate::model::plan::{Action, Step, Undo, Until};
use crate::model::receipt::HOLD;
use crate::model::{Fact, Need, Seen, Snapshot};
use crate::subject::Subject;
use crate::subject::rollout::impact::tests::{pod, subject};
use crate::subject::{errand, hold};

fn nothing() -> Snapshot {
    Snapshot::new(jiff::Timestamp::UNIX_EPOCH)
}

fn verbs(steps: &[Step]) -> Vec<&'static str> {
    steps.iter().map(|step| step.action.verb()).collect()
}

fn patch(step: &Step) -> &[Op] {
    match &step.action {
        Action::Patch { patch, .. } => patch,
        other => panic!("{other:?}"),
    }
}

fn of_set(ready: bool, finalizers: Value) -> Subject {
    let mut pod = pod("p-0", "s", ready);
    pod["metadata"]["generation"] = json!(1);
    if !finalizers.is_null() {
        pod["metadata"]["finalizers"] = finalizers;
    }
    subject(Kind::StatefulSet, vec![pod])
}

#[test]
fn a_set_s_pod_is_deleted_while_its_name_is_held() {
    let subject = of_set(false, json!(null));
    let pod = &subject.pods[0];
    let hold = hold::of(&subject, &nothing(), pod).expect("held");
    let (down, up) = (hold.down(), hold.up());
    assert_eq!(verbs(&down), ["patch", "delete", "wait"]);
    assert_eq!(verbs(&up), ["patch", "wait"]);
    // A crash loop writes its status all the time, and a deletion raises the generation.
    let counters = |ops: &[Op]| ops.iter().any(|op| op.path().starts_with("/metadata/gen"));
    assert!(!counters(patch(&down[0])) && !counters(patch(&up[0])));

    let mut live = pod.clone();
    apply(&mut live, patch(&down[0]));
    assert_eq!(live.pointer("/metadata/finalizers"), Some(&json!([HOLD])));
    let Undo::Patch(undo) = &down[0].undo else { panic!("it has a way back") };
    assert_eq!(undo, patch(&up[0]), "to let it go is to take the hold back");
    apply(&mut live, undo);
    assert_eq!(live["metadata"].get("finalizers"), None);
}

/// Whoever was killed between the mark and the deletion left the mark.
#[test]
fn a_mark_that_is_there_is_not_made_twice() {
    let subject = of_set(false, json!([HOLD]));
    let hold = hold::of(&subject, &nothing(), &subject.pods[0]).expect("held");
    assert_eq!(verbs(&hold.down()), ["delete", "wait"]);
    let subject = of_set(false, json!(["a/b"]));
    let why =
        hold::of(&subject, &nothing(), &subject.pods[0]).expect_err("it may go at any time").why;
    assert!(why.contains("the finalizer a/b of somebody else"), "{why}");
}

#[test]
fn one_that_does_not_serve_gets_no_time_to_come_to_the_damage() {
    for (ready, wanted) in [(false, Some(1)), (true, None)] {
        let subject = of_set(ready, json!(null));
        let hold = hold::of(&subject, &nothing(), &subject.pods[0]).expect("held");
        let down = hold.down();
        let Action::Delete { grace, .. } = &down[1].action else { panic!("it is deleted") };
        assert_eq!(*grace, wanted);
        assert_eq!(hold.impact().stops_serving, ready);
    }
}

#[test]
fn one_that_is_held_is_only_let_go() {
    let mut subject = of_set(false, json!([HOLD]));
    subject.pods[0]["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let hold = hold::of(&subject, &nothing(), &subject.pods[0]).expect("held");
    assert_eq!(verbs(&hold.down()), ["wait"]);
    let mut live = subject.pods[0].clone();
    apply(&mut live, patch(&hold.up()[0]));
    assert_eq!(live["metadata"].get("finalizers"), None);
}

#[test]
fn a_deployment_is_scaled_to_none_and_back() {
    let mut pod = pod("p-1-x", "s", false);
    pod["metadata"]["ownerReferences"][0] =
        json!({"controller": true, "kind": "ReplicaSet", "name": "p-1", "uid": "r"});
    let mut subject = subject(Kind::Deployment, vec![pod]);
    subject.workloads[0]["spec"]["replicas"] = json!(1);
    let hold = hold::of(&subject, &nothing(), &subject.pods[0]).expect("held");
    let (down, up) = (hold.down(), hold.up());
    assert_eq!((verbs(&down), verbs(&up)), (vec!["patch", "wait"], vec!["patch", "wait"]));
    let mut live = subject.workloads[0].clone();
    apply(&mut live, patch(&down[0]));
    assert_eq!(live["spec"]["replicas"], json!(0));
    live["metadata"]["generation"] = json!(2);
    apply(&mut live, patch(&up[0]));
    assert_eq!(live["spec"]["replicas"], json!(1));
    let gone = Until::Gone { uid: "p-1-x".into() };
    assert!(matches!(&down[1].action, Action::Wait { until, .. } if *until == gone));

    subject.workloads[0]["spec"]["replicas"] = json!(2);
    let why = hold::of(&subject, &nothing(), &subject.pods[0]).expect_err("the other serves").why;
    assert!(why.contains("all 2 of its replicas"), "{why}");
}

#[test]
fn what_ends_with_its_pod_is_not_deleted() {
    let held = |pointer: &str, value: Value| {
        let mut subject = of_set(false, json!(null));
        *subject.pods[0].pointer_mut(pointer).expect("there") = value;
        hold::of(&subject, &nothing(), &subject.pods[0]).expect_err("not held").why
    };
    let volume = "/spec/volumes/0";
    assert!(held(volume, json!({"name": "d", "emptyDir": {}})).contains("ends with the pod"));
    assert!(held(volume, json!({"name": "d", "ephemeral": {}})).contains("deleted with the pod"));
    let owner = "/metadata/ownerReferences/0/kind";
    assert!(held(owner, json!("DaemonSet")).contains("a DaemonSet makes another"));
}

#[test]
fn a_hold_ends_with_whoever_lets_it_go() {
    let subject = of_set(false, json!(null));
    let plan = hold::freeze(&subject, &nothing(), &subject.pods[0]).expect("held");
    assert_eq!(hold::held_by(&plan).map(ObjectRef::short).as_deref(), Some("pod/p-0"));
    let mut live = subject.pods[0].clone();
    live["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    live["metadata"]["finalizers"] = json!([HOLD]);
    assert!(hold::holds(&plan, &live));
    live["metadata"]["uid"] = json!("made anew");
    assert!(!hold::holds(&plan, &live));
}

#[test]
fn an_empty_dir_is_told_with_what_is_lost_and_where_it_is() {
    let mut subject = of_set(false, json!(null));
    subject.pods[0]["spec"]["volumes"] = json!([{"name": "d", "emptyDir": {}}]);
    subject.pods[0]["spec"]["nodeName"] = json!("n1");
    let blocked = errand::volume(&subject, &subject.pods[0]).expect_err("none can mount it");
    assert!(blocked.why.contains("goes when pod/p-0 is deleted or evicted"), "{}", blocked.why);
    let place = "/var/lib/kubelet/pods/p-0/volumes/kubernetes.io~empty-dir/d";
    assert!(blocked.ways.iter().any(|way| way.ends_with(place)), "{:?}", blocked.ways);
}

#[test]
fn a_claim_for_one_pod_is_not_looked_into_beside_it() {
    let mut subject = of_set(false, json!(null));
    let claim = json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOncePod"]}});
    let mut seen = nothing();
    let of = ObjectRef::new(Kind::PersistentVolumeClaim, "mon", "c");
    seen.facts.insert(Need::Object(of), Fact::Known(Seen::Object(claim)));
    let waits = |subject: &Subject, seen: &Snapshot| {
        let volume = errand::volume(subject, &subject.pods[0]).expect("a claim");
        errand::waits_for(seen, &volume).map(|blocked| blocked.ways.join(" "))
    };
    assert!(waits(&subject, &seen).expect("it waits").ends_with("freeze pod/p-0 -n mon"));
    subject.pods[0]["metadata"]["finalizers"] = json!([HOLD]);
    subject.pods[0]["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(waits(&subject, &seen), None);
}
