//! Who would scale a Deployment up again while it is held.

use serde_json::{Value, json};

use crate::model::object::{Kind, ObjectRef};
use crate::model::patch::apply;
use crate::model::plan::{Action, BlockedReason, Step, Undo};
use crate::model::{Blocked, Fact, Need, Seen, Snapshot};
use crate::subject::Subject;
use crate::subject::hold;
use crate::subject::rivals;
use crate::subject::rollout::impact::tests::{pod, subject};

fn deployment() -> Subject {
    let mut pod = pod("p-1-x", "s", false);
    pod["metadata"]["ownerReferences"][0] =
        json!({"controller": true, "kind": "ReplicaSet", "name": "p-1", "uid": "r"});
    let mut subject = subject(Kind::Deployment, vec![pod]);
    subject.workloads[0]["spec"]["replicas"] = json!(1);
    subject.root_object = subject.workloads[0].clone();
    subject
}

/// Nobody scales it, as far as can be read.
fn alone() -> Snapshot {
    let seen = Snapshot::new(jiff::Timestamp::UNIX_EPOCH);
    let seen = with(seen, Need::list(Kind::HorizontalPodAutoscaler, "mon"), Vec::new());
    with(seen, Need::list(Kind::ScaledObject, "mon"), Vec::new())
}

fn with(mut seen: Snapshot, need: Need, items: Vec<Value>) -> Snapshot {
    seen.facts.insert(need, Fact::Known(Seen::List(items)));
    seen
}

fn of(kind: Kind, namespace: &str, spec: &Value, annotations: &Value) -> Value {
    json!({"apiVersion": kind.api_version(), "kind": kind.name(), "spec": spec, "metadata": {
        "name": "a", "namespace": namespace, "uid": "a", "generation": 1,
        "annotations": annotations}})
}

fn held(subject: &Subject, seen: &Snapshot) -> Result<(Vec<Step>, Vec<Step>, usize), Blocked> {
    let hold = hold::of(subject, seen, &subject.pods[0])?;
    Ok((hold.down(), hold.up(), hold.doubts().len()))
}

/// Each is refused, paused where that was allowed, and goes on at the end with what it was.
#[track_caller]
fn is_paused(subject: &Subject, mut seen: Snapshot, rival: &Value, who: &str, by_hand: &str) {
    let blocked = held(subject, &seen).expect_err("it acts");
    assert_eq!(blocked.reason, BlockedReason::NeedsConsent);
    assert!(blocked.why.contains(&format!("{who} would scale it up again")), "{}", blocked.why);
    assert!(blocked.ways[1].ends_with(by_hand), "{}", blocked.ways[1]);

    seen.may_pause = true;
    let (down, up, _) = held(subject, &seen).expect("held");
    let verbs = |steps: &[Step]| steps.iter().map(|s| s.action.verb()).collect::<Vec<_>>();
    assert_eq!(
        (verbs(&down), verbs(&up)),
        (vec!["patch", "patch", "wait"], vec!["patch", "wait", "patch"],)
    );
    let mut live = rival.clone();
    for step in [&down[0], &up[2]] {
        let Action::Patch { patch, .. } = &step.action else { panic!("a patch") };
        apply(&mut live, patch);
        if std::ptr::eq(step, &raw const down[0]) {
            assert_ne!(&live, rival);
        }
    }
    assert_eq!(&live, rival);
    assert!(matches!(down[0].undo, Undo::Patch(_)));
    let root = &subject.root;
    assert_eq!(rivals::go_on_after(down[..1].iter(), root)[0].action, up[2].action, "of a receipt");
}

#[test]
fn an_autoscaler_that_starts_from_none_is_paused_and_another_is_left() {
    let kind = Kind::HorizontalPodAutoscaler;
    let hpa = |least: Value, name: &str| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name});
        of(kind, "mon", &json!({"scaleTargetRef": target, "minReplicas": least}), &json!({}))
    };
    let seen = |hpa: &Value| with(alone(), Need::list(kind, "mon"), vec![hpa.clone()]);
    for calm in [hpa(json!(1), "p"), hpa(Value::Null, "p"), hpa(json!(0), "other")] {
        let (down, ..) = held(&deployment(), &seen(&calm)).expect("it does not act on none");
        assert_eq!(down.len(), 2);
    }
    let acts = hpa(json!(0), "p");
    let by_hand = r#"horizontalpodautoscalers.autoscaling/a -n mon --type merge -p '{"spec":{"minReplicas":1}}'"#;
    is_paused(&deployment(), seen(&acts), &acts, "the autoscaler hpa/a", by_hand);
}

#[test]
fn keda_is_paused_at_no_number_of_its_own() {
    let keda = |annotations: Value| {
        of(Kind::ScaledObject, "mon", &json!({"scaleTargetRef": {"name": "p"}}), &annotations)
    };
    let seen = |of: &Value| with(alone(), Need::list(Kind::ScaledObject, "mon"), vec![of.clone()]);
    let calm = keda(json!({"autoscaling.keda.sh/paused": "true"}));
    assert!(held(&deployment(), &seen(&calm)).is_ok());
    let paused = r#""autoscaling.keda.sh/paused":"true""#;
    // It would be brought to its number by the pause itself.
    let without = format!(r#"{paused},"autoscaling.keda.sh/paused-replicas":null"#);
    let at_one = json!({"autoscaling.keda.sh/paused-replicas": "1"});
    for (acts, patch) in [(keda(json!({"x": "y"})), paused), (keda(at_one), &without)] {
        let by_hand = format!(r#"-p '{{"metadata":{{"annotations":{{{patch}}}}}}}'"#);
        is_paused(&deployment(), seen(&acts), &acts, "KEDA's scaledobject/a", &by_hand);
    }
}

fn marked(metadata: &Value) -> Subject {
    let mut subject = deployment();
    let object = subject.workloads[0]["metadata"].as_object_mut().expect("an object");
    object.extend(metadata.as_object().expect("an object").clone());
    subject
}

fn argo() -> Subject {
    marked(&json!({"annotations": {"argocd.argoproj.io/tracking-id": "a:apps/Deployment:mon/p"}}))
}

fn applications(items: &[Value]) -> Snapshot {
    with(alone(), Need::list_all(Kind::Application), items.to_vec())
}

#[test]
fn argo_cd_is_paused_where_it_syncs_by_itself() {
    let app = |policy: Value, annotations: Value| {
        of(Kind::Application, "argo", &json!({"syncPolicy": policy}), &annotations)
    };
    let by_itself = || json!({"automated": {"selfHeal": true}});
    for calm in [
        app(json!({}), json!({})),
        app(json!({"automated": {"enabled": false}}), json!({})),
        app(by_itself(), json!({"argocd.argoproj.io/skip-reconcile": "true"})),
    ] {
        assert!(held(&argo(), &applications(&[calm])).is_ok());
    }
    let who = "Argo CD application a";
    // What says nothing else goes as a whole: Argo CD itself takes an empty policy away.
    let alone = json!({"automated": {"selfHeal": true}, "syncOptions": [], "retry": null});
    let more = json!({"automated": {"selfHeal": true}, "syncOptions": ["Validate=false"]});
    for (policy, patch) in [
        (by_itself(), r#"{"spec":{"syncPolicy":null}}"#),
        (alone, r#"{"spec":{"syncPolicy":null}}"#),
        (more, r#"{"spec":{"syncPolicy":{"automated":null}}}"#),
    ] {
        let acts = app(policy, json!({"x": "y"}));
        let by_hand = format!("applications.argoproj.io/a -n argo --type merge -p '{patch}'");
        is_paused(&argo(), applications(std::slice::from_ref(&acts)), &acts, who, &by_hand);
    }
    let acts = app(by_itself(), json!({"x": "y"}));
    let mut seen = applications(std::slice::from_ref(&acts));
    seen.may_pause = true;
    let (down, ..) = held(&argo(), &seen).expect("held");
    let Action::Patch { patch, .. } = &down[0].action else { panic!("a patch") };
    let of_it = ["/metadata/uid", "/spec/syncPolicy", "/operation"];
    assert!(
        patch.iter().all(|op| of_it.contains(&op.path())),
        "no status is in its way: {patch:?}"
    );

    // What it has begun goes on whatever its policy says.
    for (at, begun) in [
        ("operation", json!({"sync": {}})),
        ("status", json!({"operationState": {"phase": "Running"}})),
    ] {
        let mut syncs = acts.clone();
        syncs[at] = begun;
        let mut seen = applications(&[syncs]);
        seen.may_pause = true;
        let blocked = held(&argo(), &seen).expect_err("it syncs");
        assert!(blocked.why.contains("it syncs just now"), "{}", blocked.why);
        assert!(blocked.ways.concat().contains("terminate-op a"), "{:?}", blocked.ways);
    }

    // One that an ApplicationSet writes comes back.
    let mut written = acts;
    written["metadata"]["ownerReferences"] =
        json!([{"controller": true, "kind": "ApplicationSet", "name": "all", "uid": "s"}]);
    let mut seen = applications(&[written]);
    seen.may_pause = true;
    let why = held(&argo(), &seen).expect_err("the pause is taken back").why;
    assert!(why.contains("the controller of ApplicationSet all would take a pause of"), "{why}");
}

#[test]
fn flux_is_paused_on_the_deployment_or_on_its_release() {
    let flux = |group: &str, manager: &str| {
        let (name, namespace) = (format!("{group}/name"), format!("{group}/namespace"));
        let fields = json!({"f:spec": {"f:replicas": {}}});
        let wrote = json!([{"manager": manager, "operation": "Apply", "fieldsV1": fields}]);
        let labels = json!({name: "a", namespace: "flux"});
        marked(&json!({"labels": labels, "annotations": {"x": "y"}, "managedFields": wrote}))
    };
    let kustomized = flux("kustomize.toolkit.fluxcd.io", "kustomize-controller");
    let by_hand = r#"{"annotations":{"kustomize.toolkit.fluxcd.io/reconcile":"disabled"}}}'"#;
    let rival = kustomized.workloads[0].clone();
    is_paused(&kustomized, alone(), &rival, "Flux Kustomization flux/a", by_hand);

    let released = flux("helm.toolkit.fluxcd.io", "helm-controller");
    let release = of(Kind::HelmRelease, "flux", &json!({}), &json!({}));
    let of_release = Need::Object(ObjectRef::new(Kind::HelmRelease, "flux", "a"));
    let mut seen = alone();
    seen.facts.insert(of_release.clone(), Fact::Known(Seen::Object(release.clone())));
    let by_hand = r#"-p '{"spec":{"suspend":true}}'"#;
    is_paused(&released, seen.clone(), &release, "Flux HelmRelease flux/a", by_hand);
    seen.facts.insert(of_release, Fact::Absent);
    let why = held(&released, &seen).expect_err("of another version").why;
    assert!(why.contains("is not known: none is at helm.toolkit.fluxcd.io/v2"), "{why}");
}

#[test]
fn who_may_not_be_seen_is_not_nobody() {
    let mut seen = alone();
    let refused = || Fact::Unreadable("forbidden".into());
    seen.facts.insert(Need::list(Kind::ScaledObject, "mon"), refused());
    let hold = deployment();
    let hold = hold::of(&hold, &seen, &hold.pods[0]).expect("it is told in the plan");
    let [doubt] = hold.doubts().try_into().expect("one");
    assert_eq!(doubt.need, "whether one of scaledobjects starts it meanwhile");
    assert_eq!(doubt.why, "forbidden");

    let mut seen = alone();
    seen.may_pause = true;
    seen.facts.insert(Need::list_all(Kind::Application), refused());
    let blocked = held(&argo(), &seen).expect_err("it may heal itself");
    assert!(blocked.why.contains("is not known: applications: forbidden"), "{}", blocked.why);
    assert_eq!(blocked.ways, ["suspend it first:  argocd app set a --sync-policy none"]);
    let fleet = marked(&json!({"annotations": {"objectset.rio.cattle.io/id": "x"}}));
    let why = held(&fleet, &seen).expect_err("nothing pauses it").why;
    assert!(why.contains("Rancher Fleet would scale it up again"), "{why}");
}
