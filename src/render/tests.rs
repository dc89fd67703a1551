//! Whole texts are compared, from values made here; then what each part promises.

mod directory;
mod parts;
mod plans;
mod report;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::object::Owner;
use crate::model::patch::{Change, Op, guarded};
use crate::model::plan::{Forecast, Impact, Revert, Snippet};
use crate::model::report::{Context, PodLine, Report, State, Target};
use crate::model::{
    Action, Code, Evidence, Finding, Kind, ObjectRef, Plan, Severity, Step, Undo, Unknown, Until,
};

const LIMIT: Code = Code("oom/limit-below-need");
const NO_ENDPOINT: Code = Code("bind/no-ready-endpoint");

fn at() -> Timestamp {
    "2026-11-24T01:05:20Z".parse().unwrap()
}

fn prometheus() -> ObjectRef {
    ObjectRef::new(Kind::Prometheus, "monitoring", "k8s")
}

fn pod(name: &str) -> ObjectRef {
    ObjectRef::new(Kind::Pod, "monitoring", name)
}

fn context() -> Context {
    Context {
        name: "prod-eu-1".into(),
        server: "https://10.0.0.1:6443".into(),
        user: "alice".into(),
        flags: vec!["--context".into(), "prod-eu-1".into()],
        bundle: false,
        applying: false,
    }
}

fn step(why: &str, action: Action, undo: Undo) -> Step {
    Step { why: why.into(), action, undo }
}

fn patch_step(why: &str, live: &Value, changes: &[Change], ahead: i64) -> (Step, Value) {
    let made = guarded(live, changes, ahead);
    let action = Action::Patch { object: prometheus(), patch: made.ops };
    (step(why, action, Undo::Patch(made.undo)), made.after)
}

fn restart(name: &str, why: &str) -> [Step; 2] {
    let words = || Undo::Words("the pod comes back by itself".into());
    let until = Until::Ingests { not_uid: format!("uid-{name}"), port: 9090, prefix: "/".into() };
    [
        step(
            why,
            Action::Delete { object: pod(name), uid: format!("uid-{name}"), grace: None },
            words(),
        ),
        step(
            "until it is Ready and takes samples",
            Action::Wait { object: pod(name), until },
            words(),
        ),
    ]
}

/// Two replicas behind an operator that knows update strategies.
fn plan() -> Plan {
    let live = json!({
        "metadata": {"uid": "cr", "generation": 7},
        "spec": {"resources": {"limits": {"memory": "2Gi"}}},
    });
    let memory = "/spec/resources/limits/memory";
    let raise = [
        Change::set(memory, "4Gi"),
        Change::set("/spec/updateStrategy", json!({"type": "OnDelete"})),
    ];
    let (first, after) = patch_step("raise the limit", &live, &raise, 0);
    let (last, _) = patch_step("as it was", &after, &[Change::unset("/spec/updateStrategy")], 1);
    let mut steps = vec![first];
    steps.extend(restart("prometheus-k8s-0", "the broken one"));
    steps.extend(restart("prometheus-k8s-1", "the serving one, only after step 3"));
    steps.push(last);
    Plan {
        title: "raise the memory limit from 2Gi to 4Gi".into(),
        class: "oom".into(),
        cluster: "cluster".into(),
        target: prometheus(),
        target_uid: "cr".into(),
        steps,
        impact: Impact {
            serving: Vec::new(),
            restarts: vec!["prometheus-k8s-0".into(), "prometheus-k8s-1".into()],
            outage: "none: one replica serves throughout".into(),
            stops_serving: false,
            data: "untouched".into(),
            loses_data: false,
            beyond: Vec::new(),
        },
        forecast: vec![Forecast {
            pointer: memory.into(),
            verdict: Revert::SurvivesUntilUpgrade,
            by: "Helm release kps".into(),
            commit: "prometheus.prometheusSpec.resources".into(),
        }],
        commit: vec![Snippet {
            title: "values.yaml of release kps (chart kube-prometheus-stack 88.5.3)".into(),
            language: "yaml".into(),
            text: "prometheus:\n  prometheusSpec:\n    resources:\n      limits: {memory: 4Gi}\n"
                .into(),
        }],
        inputs: vec!["--memory".into(), "4Gi".into()],
        undo: "yes; it also restarts both pods".into(),
        takes: "about 10 min".into(),
        doubts: vec![],
        undoes: None,
        frees: None,
    }
}

/// Waits and one patch: what `-o patch` takes.
fn small_plan() -> Plan {
    let mut plan = plan();
    plan.steps.truncate(1);
    plan.steps.push(step(
        "until the set agrees",
        Action::Wait { object: prometheus(), until: Until::RolledOut { server: None } },
        Undo::Words("nothing".into()),
    ));
    plan
}

fn killed() -> Finding {
    let about = pod("prometheus-k8s-0");
    Finding::new(LIMIT, &about, Severity::Error, "killed 6 times in 40 min")
        .with("last kill", "01:02:11Z (3 min ago): OOMKilled, at its limit of 2Gi")
        .with("it needs", "3.4Gi (2.9-3.9) = 812 000 series x 3.0 kB x 1.5")
        .with("", "series counted on prometheus-k8s-1: 1.8Gi of 2Gi, next to go")
        .stopping("prometheus-k8s-0")
}

/// The sample of the contract.
fn sample() -> Report {
    let broken = "prometheus-k8s-0";
    let mut follows = Finding::new(NO_ENDPOINT, &pod(broken), Severity::Error, "is no endpoint");
    follows.because = Some(LIMIT);
    Report {
        command: "oom".into(),
        target: Target {
            object: prometheus(),
            uid: "cr".into(),
            version: "v2.53.3".into(),
            serving: 1,
            wanted: 2,
            owner: Owner {
                api_version: "monitoring.coreos.com/v1".into(),
                kind: "Prometheus".into(),
                name: "k8s".into(),
                uid: "cr".into(),
            },
            owner_namespace: "monitoring".into(),
            install: "kube-prometheus-stack".into(),
            managers: vec!["helm:kps".into()],
        },
        at: at(),
        state: State::Broken,
        root: Some(LIMIT),
        danger: None,
        pods: vec![PodLine {
            name: broken.into(),
            uid: "uid-0".into(),
            ready: false,
            revision: "a1".into(),
            root_cause: Some(LIMIT),
        }],
        findings: vec![killed(), follows],
        unknown: vec![Unknown {
            need: "node size".into(),
            why: "nodes: forbidden".into(),
            get: "it is not known that 4Gi fits a node".into(),
            vital: false,
        }],
        paths: Vec::new(),
        directories: Vec::new(),
        plan: Some(plan()),
        rehearsal: vec![],
        lacks: vec![],
        blocked: None,
        waits: None,
        unfinished: None,
        outcome: None,
        next: vec![],
        asked_class: None,
    }
}

fn healthy() -> Report {
    let mut report = sample();
    report.state = State::Healthy;
    report.root = None;
    report.findings.clear();
    report.unknown.clear();
    report.plan = None;
    report.target.serving = 2;
    for pod in &mut report.pods {
        pod.ready = true;
        pod.root_cause = None;
    }
    report
}

/// Lines that are too wide; a command, and what continues it, may be.
fn too_wide(text: &str, width: usize) -> Vec<String> {
    let mut in_command = false;
    let mut out = Vec::new();
    for line in text.lines() {
        let command = in_command || line.starts_with("  kubectl ");
        in_command = command && line.ends_with('\\');
        if !command && line.chars().count() > width {
            out.push(line.to_owned());
        }
    }
    out
}

fn evidence(field: &str, value: &str) -> Evidence {
    Evidence::new(&pod("prometheus-k8s-0"), field, value)
}

fn ops(plan: &Plan) -> &[Op] {
    match &plan.steps[0].action {
        Action::Patch { patch, .. } => patch,
        _ => &[],
    }
}
