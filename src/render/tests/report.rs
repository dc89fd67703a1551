//! The report as text and as JSON.

use std::collections::BTreeSet;

use super::*;
use crate::model::finding::Danger;
use crate::model::receipt::{Progress, Receipt, State as ReceiptState, StepState};
use crate::model::report::{Outcome, Rehearsal, StepOutcome};
use crate::model::{Blocked, BlockedReason, Path, PathStep};
use crate::render::{Style, json, short, sweep, text};

pub fn shown(report: &Report) -> String {
    text(report, &context(), &Style::plain())
}

#[test]
fn the_sample_of_the_contract() {
    let digest = plan().digest();
    let want = format!(
        "\
BROKEN  prometheus/k8s -n monitoring   out of memory; a fix is ready
        context prod-eu-1 as alice, v2.53.3, 1 of 2 serving, 01:05:20Z

 x oom/limit-below-need    pod/prometheus-k8s-0 killed 6 times in 40 min
     last kill  01:02:11Z (3 min ago): OOMKilled, at its limit of 2Gi
     it needs   3.4Gi (2.9-3.9) = 812 000 series x 3.0 kB x 1.5
                series counted on prometheus-k8s-1: 1.8Gi of 2Gi, next to go
 ~ bind/no-ready-endpoint  pod/prometheus-k8s-0, explained by the above
 ? node size unread (nodes: forbidden): it is not known that 4Gi fits a node

Plan {digest}   about 10 min; you may do every step; not rehearsed
 1 patch   prometheus/k8s   spec.resources.limits.memory  2Gi -> 4Gi
                            spec.updateStrategy.type  unset -> OnDelete
                              (for now)
 2 delete  pod/prometheus-k8s-0, the broken one; step 3 waits until it ingests
 4 delete  pod/prometheus-k8s-1, the serving one, only after step 3; step 5
           waits until it ingests
 6 patch   prometheus/k8s   spec.updateStrategy.type  OnDelete -> unset
 Outage    none: one replica serves throughout     Data  untouched
 Undo      yes; it also restarts both pods
 Reverts   when Helm release kps next renders this value. To keep it, commit
           what  -o commit  prints (values.yaml, 4 lines)

Nothing was changed. To apply:
  kubectl prom-fix oom prometheus/k8s -n monitoring --context prod-eu-1 \\
    --memory 4Gi --apply --confirm {digest}
May not, or need a review:  the same with  -o plan | -o commit | -o commands
"
    );
    assert_eq!(shown(&sample()), want);
    let applying = Context { applying: true, ..context() };
    let (before, _) = want.split_once("\nNothing was changed").expect("how to apply it");
    assert_eq!(text(&sample(), &applying, &Style::plain()), before);
}

fn all_states() -> Vec<Report> {
    let mut lacking = sample();
    lacking.lacks =
        vec!["patch prometheuses in monitoring".into(), "delete pods in monitoring".into()];
    lacking.rehearsal = vec![Rehearsal::Rejected("admission webhook kyverno said no".into())];
    let mut unknown = healthy();
    unknown.state = State::Unknown;
    unknown.unknown = vec![Unknown {
        need: "log of pod/prometheus-k8s-0".into(),
        why: "forbidden".into(),
        get: "kubectl logs pod/prometheus-k8s-0 --previous -c prometheus".into(),
        vital: true,
    }];
    let mut recovering = sample();
    recovering.state = State::Recovering;
    recovering.root = Some(Code("wal/replaying"));
    recovering.plan = None;
    recovering.waits = Some("replaying segment 12 of 40, about 4 min to go".into());
    let mut other = sample();
    other.plan = None;
    other.root = Some(Code("perms/owner-mismatch"));
    other.asked_class = Some("wal".into());
    other.next = ["kubectl", "prom-fix", "perms", "prometheus/k8s", "-n", "monitoring"]
        .map(str::to_owned)
        .to_vec();
    let mut blocked = sample();
    blocked.plan = None;
    blocked.blocked = Some(Blocked {
        reason: BlockedReason::NoSafePlan,
        why: "the volume is an emptyDir: what a hold would keep dies with the pod".into(),
        ways: vec!["give it a volume".into(), "kubectl get pods".into()],
    });
    let mut failed = sample();
    failed.outcome = Some(Outcome {
        steps: vec![
            StepOutcome { state: "did", error: None },
            StepOutcome { state: "failed", error: Some("the server said 500".into()) },
            StepOutcome { state: "not-tried", error: None },
        ],
        proved: false,
        intake: None,
        receipt: "prom-fix-abc".into(),
    });
    let mut danger = sample();
    danger.danger = Some(Danger {
        pod: pod("prometheus-k8s-1"),
        says: "its next start (in about 2m40s) deletes WAL segments 9-27, 2.1 h".into(),
        serves: false,
        can_hold: true,
    });
    danger.unfinished = Some(left_behind());
    vec![sample(), healthy(), lacking, unknown, recovering, other, blocked, failed, danger]
}

pub(super) fn left_behind() -> Receipt {
    let did = Progress { state: StepState::Did, ..Progress::default() };
    let mut failed = Progress { state: StepState::Failed, ..Progress::default() };
    failed.error = Some("no answer\u{1b}[2J".into());
    failed.ended = Some("2026-11-24T01:02:20Z".into());
    Receipt {
        api_version: "prom-fix/v1".into(),
        digest: plan().digest(),
        plan: plan(),
        state: ReceiptState::Open,
        proved: false,
        who: "bob".into(),
        context: "prod-eu-1".into(),
        server: "https://10.0.0.1:6443".into(),
        version: "0.1.0".into(),
        began: "2026-11-24T01:00:20Z".into(),
        ended: None,
        steps: vec![did, failed],
        undone: vec![],
        held: None,
        freed: None,
    }
}

#[test]
fn first_words_say_the_state() {
    let firsts: Vec<String> = all_states()
        .iter()
        .map(|report| shown(report).lines().next().unwrap().trim_end().to_owned())
        .collect();
    let broken = "BROKEN  prometheus/k8s -n monitoring   out of memory";
    assert_eq!(
        firsts,
        [
            format!("{broken}; a fix is ready").as_str(),
            "HEALTHY  prometheus/k8s -n monitoring   nothing found wrong",
            format!("{broken}; a fix is ready").as_str(),
            "UNKNOWN  prometheus/k8s -n monitoring   a needed fact could not be read",
            "RECOVERING  prometheus/k8s -n monitoring   replaying its WAL; wait",
            "NOT WAL  prometheus/k8s -n monitoring   broken by perms/owner-mismatch",
            format!("{broken}; no safe fix").as_str(),
            format!("{broken}; the repair stopped").as_str(),
            "DANGER  do not restart or delete pod/prometheus-k8s-1: its next start (in about",
        ]
    );
}

#[test]
fn no_line_but_a_command_is_wider_than_asked_for() {
    for report in all_states() {
        for width in [40, 57, 80, 200] {
            let style = Style { color: false, width };
            let text = text(&report, &context(), &style);
            assert_eq!(too_wide(&text, width), [""; 0], "{text}");
        }
    }
}

/// What is held is in a cluster.
#[test]
fn a_danger_read_from_a_bundle_prints_commands_without_it() {
    let mut report = all_states().pop().unwrap();
    report.unfinished = None;
    let flags = vec!["--bundle".to_owned(), "/b".to_owned()];
    let of_bundle = Context { flags, bundle: true, ..context() };
    let text = text(&report, &of_bundle, &Style { color: false, width: 80 });
    let stop = "  kubectl prom-fix freeze pod/prometheus-k8s-1 -n monitoring\n";
    assert!(text.contains(stop), "{text}");
}

#[test]
fn danger_and_an_unfinished_plan_come_first() {
    let text = shown(all_states().last().unwrap());
    let digest = plan().digest();
    let want = format!(
        "\
DANGER  do not restart or delete pod/prometheus-k8s-1: its next start (in about
        2m40s) deletes WAL segments 9-27, 2.1 h. Stop it safely:
  kubectl prom-fix freeze pod/prometheus-k8s-1 -n monitoring --context prod-eu-1

UNFINISHED  plan {digest} of bob: raise the memory limit from 2Gi to 4Gi;
            begun 2026-11-24 01:00:20Z (5 min ago), came to step 2 of 6
            step 2: no answer
To finish it, or to put it back:
  kubectl prom-fix resume prom-fix-{digest} -n monitoring \\
    --context prod-eu-1
  kubectl prom-fix undo prom-fix-{digest} -n monitoring --context prod-eu-1

BROKEN  "
    );
    assert!(text.starts_with(&want), "{text}");
}

#[test]
fn an_unread_fact_comes_with_the_command_that_reads_it() {
    let text = shown(&all_states()[3]);
    let command = "\n  kubectl logs pod/prometheus-k8s-0 --previous -c prometheus -n monitoring --context prod-eu-1\n";
    assert!(text.contains(command), "{text}");
}

#[test]
fn who_may_not_is_told_what_and_whom_to_ask() {
    let text = shown(&all_states()[2]);
    assert!(text.contains("You may not: patch prometheuses in monitoring, delete pods"), "{text}");
    assert!(text.contains("rehearsal: rejected: admission webhook kyverno said no"), "{text}");
}

#[test]
fn after_an_apply_each_step_says_how_it_went() {
    let text = shown(&all_states()[7]);
    for want in [
        "stopped at step 2 of 3\n",
        " 1 did        patch   prometheus/k8s",
        " 2 failed     delete  pod/prometheus-k8s-0, the broken one\n",
        "                      the server said 500\n",
        " 3 not tried  wait    pod/prometheus-k8s-0, until it ingests\n",
        "  kubectl prom-fix resume prom-fix-abc -n monitoring --context prod-eu-1\n",
        "  kubectl prom-fix undo prom-fix-abc -n monitoring --context prod-eu-1\n",
    ] {
        assert!(text.contains(want), "{want:?} in\n{text}");
    }
}

#[test]
fn words_of_others_cannot_drive_the_terminal() {
    let mut report = sample();
    report.findings[0].evidence =
        vec![evidence("log", "err=\"\u{1b}[2Jgone\u{202e}\u{9b}31mred\"\nnext\u{8}")];
    let text = shown(&report);
    assert!(text.contains("     log  \"err=\"gonered\"\"\n          \"next\u{fffd}\"\n"), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn colour_changes_no_word() {
    for report in all_states() {
        let style = Style { color: true, width: 80 };
        let dressed = text(&report, &context(), &style);
        assert!(dressed.contains("\u{1b}["));
        let bare: Vec<String> = dressed.lines().map(crate::render::clean).collect();
        assert_eq!(bare.join("\n") + "\n", shown(&report));
    }
}

fn ways() -> Vec<Path> {
    let listens =
        || PathStep::broken("listens", Some(Code("bind/loopback")), "listens on the loopback only");
    let name =
        PathStep::not_known("name", "prom.mon.svc is 10.0.0.1; whether DNS answers: forbidden");
    let last = || PathStep::ok("probes", "ready");
    vec![
        Path::new("any pod", pod("prometheus-k8s-0"), vec![name, listens(), last()]),
        Path::new("the kubelet", pod("prometheus-k8s-0"), vec![listens(), last()]),
        Path::new("ingress/prom", pod("prometheus-k8s-0"), vec![last()]),
    ]
}

#[test]
fn a_way_has_one_mark_where_it_breaks() {
    let mut report = sample();
    report.plan = None;
    report.paths = ways();
    let text = shown(&report);
    let want = "
Path from any pod to pod/prometheus-k8s-0: broken at listens
 ? name       prom.mon.svc is 10.0.0.1; whether DNS answers: forbidden
 x listens    listens on the loopback only (bind/loopback) <- broken here
 . not reached: probes
Path from the kubelet, the same steps: broken at listens

Path from ingress/prom: every step ok
 + probes     ready
";
    assert!(text.contains(want), "{text}");
    assert_eq!(text.matches("<- broken here").count(), 1);
}

#[test]
fn json_has_the_fields_of_the_contract() {
    let mut report = sample();
    report.rehearsal = vec![Rehearsal::AcceptedAsYou, Rehearsal::Rejected("no".into())];
    report.paths = ways();
    let value = json(
        &crate::render::Head { command: "oom", exit: 2, context: Some(&context()), message: None },
        &[report],
    );
    let mut paths = BTreeSet::new();
    collect("", &value, &mut paths);
    let want = "
        apiVersion kind command exit context.name context.server context.user
        reports.target.namespace reports.target.kind reports.target.name reports.target.version
        reports.target.ready.serving reports.target.ready.wanted reports.target.owner.apiVersion
        reports.target.owner.kind reports.target.owner.namespace reports.target.owner.name
        reports.target.install reports.target.managers reports.verdict reports.rootCause
        reports.danger reports.pods.name reports.pods.uid reports.pods.ready
        reports.pods.revision reports.pods.rootCause reports.findings.code
        reports.findings.object reports.findings.severity reports.findings.says
        reports.findings.evidence reports.findings.evidence.object
        reports.findings.evidence.field reports.findings.evidence.value reports.findings.because
        reports.unknown.need reports.unknown.why reports.unknown.get reports.plan.digest
        reports.plan.title reports.plan.impact.restarts reports.plan.impact.outage
        reports.plan.impact.data reports.plan.steps.action reports.plan.steps.object.apiVersion
        reports.plan.steps.object.kind reports.plan.steps.object.namespace
        reports.plan.steps.object.name reports.plan.steps.why reports.plan.steps.patch
        reports.plan.steps.patch.op reports.plan.steps.patch.path
        reports.plan.steps.patch.value reports.plan.steps.patch.value.type
        reports.plan.steps.argv reports.plan.steps.undo reports.plan.steps.undo.op
        reports.plan.steps.undo.path reports.plan.steps.undo.value
        reports.plan.steps.undo.value.type reports.plan.steps.rehearsal
        reports.plan.forecast.pointer reports.plan.forecast.verdict reports.plan.forecast.by
        reports.plan.forecast.commit reports.blocked reports.outcome
        reports.lacks reports.waits reports.unfinished reports.next
        reports.paths.from reports.paths.to reports.paths.broken reports.paths.steps.step
        reports.paths.steps.state reports.paths.steps.says reports.paths.steps.code
        reports.directories";
    let want: BTreeSet<String> = want.split_whitespace().map(str::to_owned).collect();
    assert_eq!(paths, want);
    assert_eq!(value["reports"][0]["plan"]["steps"][0]["rehearsal"], "accepted-as-you");
    assert_eq!(value["reports"][0]["plan"]["steps"][1]["rehearsal"], "rejected: no");
    assert_eq!(value["reports"][0]["plan"]["steps"][2]["rehearsal"], "not-run");
    let way = &value["reports"][0]["paths"][0];
    assert_eq!(way["broken"], "listens");
    let states = ["not-known", "broken", "not-reached"];
    assert_eq!([0, 1, 2].map(|at| way["steps"][at]["state"].as_str().unwrap()), states);
    assert_eq!(value["reports"][0]["rootCause"], "oom/limit-below-need");
    assert_eq!(value["reports"][0]["findings"][1]["because"], "oom/limit-below-need");
}

/// Paths of every scalar, null and empty list.
fn collect(at: &str, value: &Value, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                collect(&at, value, paths);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().for_each(|item| collect(at, item, paths));
        }
        _ => {
            paths.insert(at.to_owned());
        }
    }
}

#[test]
fn short_is_one_line_per_finding() {
    assert_eq!(
        short(&[sample(), healthy()]),
        "\
monitoring prometheus/k8s error oom/limit-below-need pod/prometheus-k8s-0 killed 6 times in 40 min
monitoring prometheus/k8s error bind/no-ready-endpoint pod/prometheus-k8s-0 is no endpoint (explained by oom/limit-below-need)
monitoring prometheus/k8s unread node size: nodes: forbidden
monitoring prometheus/k8s healthy 2 of 2 serving
"
    );
}

#[test]
fn a_sweep_puts_the_broken_first_and_counts() {
    let unknown = all_states().swap_remove(3);
    assert_eq!(
        sweep(&[healthy(), unknown, sample()], &Style::plain()),
        "\
NAMESPACE   PROMETHEUS      READY  VERDICT  ROOT-CAUSE            FIX
monitoring  prometheus/k8s  1/2    broken   oom/limit-below-need  plan
monitoring  prometheus/k8s  2/2    unknown  -                     -
    log of pod/prometheus-k8s-0: forbidden
monitoring  prometheus/k8s  2/2    healthy  -                     -

3 Prometheus: 1 broken, 1 unknown, 1 healthy
"
    );
}
