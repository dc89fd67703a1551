//! A plan for others: as a file, a patch, commands, something to commit, a question.

use super::*;
use crate::model::patch::Op;
use crate::model::plan::{Blocked, BlockedReason};
use crate::render::changes;
use crate::render::{
    Head, PlanFileError, commands, commit, json_of_plan, patch, plan_file, question, read_plan,
};

#[test]
fn a_plan_survives_its_file() {
    let text = plan_file(&plan());
    assert!(text.starts_with("# prometheus/k8s: raise the memory limit"), "{text}");
    assert_eq!(read_plan(&text), Ok(plan()));
    let value: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(read_plan(&value.to_string()), Ok(plan()), "as JSON");
}

#[test]
fn a_changed_plan_is_refused() {
    let changed = plan_file(&plan()).replace("4Gi", "8Gi");
    let error = read_plan(&changed).unwrap_err();
    assert!(matches!(&error, PlanFileError::Changed { said, .. } if *said == plan().digest()));
    for (text, start) in [
        ("a: [", "this is neither YAML nor JSON ("),
        ("", "this is no plan of prom-fix (kind \"\")"),
        ("kind: Pod\napiVersion: v1\n", "this is no plan of prom-fix (kind \"Pod\")"),
        ("kind: Plan\napiVersion: prom-fix/v2\n", "this plan is of version \"prom-fix/v2\""),
        ("kind: Plan\napiVersion: prom-fix/v1\n", "this plan is not whole (missing field"),
    ] {
        let said = read_plan(text).unwrap_err().to_string();
        assert!(said.starts_with(start), "{said}");
        assert!(said.contains("-o plan") && !said.contains('\n'), "{said}");
    }
}

#[test]
fn only_a_plan_of_one_patch_is_a_bare_patch() {
    let ops_back: Vec<Op> = serde_json::from_str(&patch(&small_plan()).unwrap()).unwrap();
    assert_eq!(ops_back, ops(&small_plan()));
    assert_eq!(patch(&plan()), Err("this plan has 6 steps; use -o plan".into()));
}

#[test]
fn what_to_commit_stands_under_its_title() {
    assert_eq!(
        commit(&plan()),
        "\
# values.yaml of release kps (chart kube-prometheus-stack 88.5.3)
prometheus:
  prometheusSpec:
    resources:
      limits: {memory: 4Gi}
"
    );
}

#[test]
fn commands_are_plain_kubectl_with_context() {
    let mut plan = plan();
    plan.steps.truncate(3);
    let json = serde_json::to_string(&serde_json::to_value(ops(&plan)).unwrap()).unwrap();
    let place = "-n monitoring --context prod-eu-1";
    assert_eq!(
        commands(&plan, &context()),
        format!(
            "\
# raise the memory limit from 2Gi to 4Gi
# plan {} for prometheus/k8s; no receipt is written, so undo will not know of it

# step 1: raise the limit
kubectl patch prometheuses.monitoring.coreos.com/k8s {place} --type=json -p '{json}' --field-manager=prom-fix

# step 2: the broken one
# only the one with uid uid-prometheus-k8s-0; if it is gone, go on
[ \"$(kubectl get pod/prometheus-k8s-0 {place} -o 'jsonpath={{.metadata.uid}}')\" = uid-prometheus-k8s-0 ] &&
kubectl delete pod/prometheus-k8s-0 {place}

# step 3: until it is Ready and takes samples
kubectl wait --for=create pod/prometheus-k8s-0 {place} --timeout=15m
kubectl wait --for=condition=Ready pod/prometheus-k8s-0 {place} --timeout=15m
# that it takes samples needs the plugin, or a look at its targets page
",
            plan.digest()
        )
    );
    assert!(commands(&small_plan(), &context()).ends_with(&format!(
        "# this needs the plugin:\nkubectl prom-fix wait prometheus/k8s {place}\n"
    )));
}

#[test]
fn the_question_says_what_where_and_at_what_cost() {
    assert_eq!(
        question(&plan(), &context()),
        format!(
            "\
Plan {}: raise the memory limit from 2Gi to 4Gi
  object    prometheus/k8s -n monitoring
  context   prod-eu-1
  server    https://10.0.0.1:6443
  user      alice
  restarts  prometheus-k8s-0, prometheus-k8s-1
  outage    none: one replica serves throughout
  data      untouched
  undo      yes; it also restarts both pods
Carry out these steps (6)? (y/N) ",
            plan().digest()
        )
    );
}

#[test]
fn a_change_is_told_by_its_smallest_field() {
    let live = json!({
        "metadata": {"uid": "u", "generation": 1, "annotations": {}},
        "spec": {"containers": [
            {"name": "side"},
            {"name": "prometheus", "args": ["--a", "--b"], "resources": {"limits": {"cpu": "1"}}},
        ]},
        "data": {"n": "1"},
    });
    let at = "/spec/containers/1";
    let made = guarded(
        &live,
        &[
            Change::set(format!("{at}/args"), json!(["--a", "--c", "--d"])),
            Change::set(format!("{at}/resources/limits/memory"), "1Gi"),
            Change::set("/metadata/annotations/prom-fix.github.io~1hold", "yes"),
            Change::set("/data/n", "2"),
            Change::set("/spec/security", json!({"fsGroup": 2000, "runAsUser": 1000})),
        ],
        0,
    );
    let told: Vec<String> = changes::of(&made.ops)
        .iter()
        .map(|c| {
            let [old, new] = [&c.old, &c.new].map(|v| changes::show(v.as_ref()));
            format!("{} {old} -> {new}", c.path)
        })
        .collect();
    assert_eq!(
        told,
        [
            "spec.containers[prometheus].args[] --b -> --c",
            "spec.containers[prometheus].args[] unset -> --d",
            "spec.containers[prometheus].resources.limits.memory unset -> 1Gi",
            "metadata.annotations[prom-fix.github.io/hold] unset -> yes",
            "data.n \"1\" -> \"2\"",
            "spec.security.fsGroup unset -> 2000",
            "spec.security.runAsUser unset -> 1000",
        ]
    );
}

#[test]
fn a_refusal_without_a_look_says_why_where_scripts_read_it() {
    let plan = plan();
    let blocked = Blocked { reason: BlockedReason::Stale, why: "it moved".into(), ways: vec![] };
    let message = Some("nothing was changed: it moved");
    let head = Head { command: "apply", exit: 3, context: None, message };
    let value = json_of_plan(&head, &plan, &[], Some(&blocked));
    let report = &value["reports"][0];
    assert_eq!(value["exit"], 3);
    assert_eq!(value["message"], "nothing was changed: it moved");
    assert_eq!(report["blocked"], json!({"reason": "stale", "why": "it moved", "ways": []}));
    assert_eq!(report["plan"]["digest"], plan.digest());
    assert_eq!(report["target"]["name"], "k8s");
    assert!(report["target"].get("ready").is_none(), "nobody looked");
}
