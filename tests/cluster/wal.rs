//! A log that cannot be replayed: looked at from a helper pod, beside the pod that cannot start.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::damage::{data_of, quit};
use super::install::{Install, Kind, ROOMY, taken};
use super::keeper::Keeper;
use super::left::nothing_is_left;
use super::life::{first, text, until_told};
use super::scene::{Scene, essence, until};

/// What a pod needs of its node and its registry, and so whoever mounts its volume beside it.
const OF_POD: &[&str] = &[
    "tolerations: [{key: lent, operator: Exists, effect: NoSchedule}]",
    "imagePullSecrets: [{name: registry}]",
];
const SECURITY: &str = "{fsGroup: 65534, runAsUser: 65534, runAsNonRoot: true, \
                        seLinuxOptions: {level: \"s0:c7,c11\"}}";

/// A segment in the middle of the log is gone; `itself`: of one that scrapes itself, so that there are
/// samples to be lost. Where its data is.
pub fn with_gap(scene: &Scene, itself: bool) -> PathBuf {
    let security = SECURITY.to_owned();
    let install = Install::new(Kind::Set, "v3.16.0", ROOMY);
    let install = Install { scrapes: false, itself, of_pod: OF_POD, security, ..install };
    install.apply(scene);
    let ready = || {
        until("it has a pod", 60, || !install.pods(scene).is_empty());
        let pod = install.pods(scene).first().cloned().unwrap_or_default();
        scene.until_ready(&pod, 60);
        pod
    };
    // Each start begins a segment.
    for _ in 0..3 {
        let pod = ready();
        until("it has samples", 60, || !itself || taken(&scene.ns, &pod) > 100.0);
        scene.kubectl(&["delete", "pod", &pod]).expect(0);
    }
    let data = data_of(scene, &ready());
    Install { replicas: 0, ..install.clone() }.apply(scene);
    install.until_no_pods(scene);
    std::fs::remove_file(data.join("wal/00000001")).expect("a segment in the middle");
    install.apply(scene);
    data
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_gap_is_looked_at_and_what_can_be_kept_is_said() {
    let scene = Scene::new("gap");
    with_gap(&scene, false);
    let asks = until_told(&scene, "sts/prom", &["wal/gap"]);
    assert_eq!(text(&asks, "/reports/0/blocked/reason"), "needs-inspect", "{asks:#}");
    // What asks the Service is refused, and the way is not to blame.
    let refused = scene.plugin(&["bind", "sts/prom", "-o", "json"]).json();
    assert_eq!(first(&refused, "/rootCause"), "wal/gap", "{refused:#}");
    assert_eq!(refused.pointer("/reports/0/plan"), Some(&Value::Null), "{refused:#}");
    let keeper = Keeper::new(&format!(
        "kubectl get pod prom-fix-survey-data-prom-0 -n {} -o json > $here/helper",
        scene.ns
    ));
    let stop = [("PROM_FIX_FAULT", "step-2-sent"), ("PROM_FIX_FAULT_RUN", &*keeper.program())];
    let args = ["wal", "sts/prom", "--inspect", "-o", "json"];
    let report = scene.plugin_with(&args, &stop).expect(2).json();
    let helper = serde_json::from_str(&keeper.left("helper")).expect("a pod");
    is_beside_its_pod(&helper, false);
    let evidence = report.pointer("/reports/0/findings/0/evidence").expect("evidence").to_string();
    assert!(evidence.contains("wal goes from segment 0 to 2"), "{evidence}");
    assert!(evidence.contains("kept by a salvage"), "{evidence}");
    let series = report.pointer("/reports/0/directories/0/inventory/series");
    assert_eq!(series, Some(&serde_json::json!(0)), "its segments are empty");
    let rows = report.pointer("/reports/0/directories/0/map/rows").expect("a map");
    let rows = rows.as_array().expect("rows").iter();
    let rows: Vec<String> =
        rows.map(|row| format!("{}-{} {}", row["first"], row["last"], row["state"])).collect();
    assert_eq!(rows[1], "1-1 \"missing\"", "{rows:?}");
    assert!(first(&report, "/plan/title").starts_with("mend the log of pod/prom-0"));
    until("nothing of it is left", 20, || {
        let managed = "app.kubernetes.io/managed-by=prom-fix";
        scene.kubectl(&["get", "pods", "-l", managed, "-o", "name"]).stdout.is_empty()
    });
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn what_is_frozen_does_not_start_until_it_is_let_go() {
    let scene = Scene::new("freeze");
    with_gap(&scene, false);
    until_told(&scene, "sts/prom", &["wal/gap"]);
    let before = essence(&scene.get("sts/prom"));
    let uid = || scene.field("pod/prom-0", ".metadata.uid");
    let first = uid();
    scene.plugin(&["freeze", "sts/prom", "--yes"]).expect(0);
    assert_eq!(scene.field("pod/prom-0", ".status.phase"), "Failed");
    std::thread::sleep(std::time::Duration::from_secs(15));
    assert_eq!(uid(), first, "its set made no other");
    assert_eq!(essence(&scene.get("sts/prom")), before, "the set is as it was");
    assert!(scene.plugin(&["receipts"]).expect(0).stdout.contains("held"));
    scene.plugin(&["freeze", "sts/prom", "--yes"]).expect(3);
    scene.plugin(&["undo", "--yes"]).expect(0);
    until("its set makes it again", 30, || uid() != first && !uid().is_empty());
    until_told(&scene, "sts/prom", &["wal/gap"]);
}

/// A helper goes where its pod's volume is, as whom the pod runs, and with no more rights than that.
pub fn is_beside_its_pod(helper: &Value, writes: bool) {
    let at = |pointer: &str| helper.pointer(pointer).cloned().unwrap_or_default();
    let tolerations = at("/spec/tolerations");
    let lent = json!({"key": "lent", "operator": "Exists", "effect": "NoSchedule"});
    assert!(tolerations.as_array().is_some_and(|all| all.contains(&lent)), "{tolerations}");
    assert_eq!(at("/spec/imagePullSecrets"), json!([{"name": "registry"}]));
    let security = json!({
        "runAsUser": 65534, "runAsGroup": 65534, "runAsNonRoot": true,
        "supplementalGroups": [65534], "seLinuxOptions": {"level": "s0:c7,c11"},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    assert_eq!(at("/spec/securityContext"), security, "and no fsGroup, which would change owners");
    let node = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/\
                nodeSelectorTerms/0/matchFields/0/values";
    assert_eq!(at(node), json!([at("/spec/nodeName")]));
    assert_eq!(at("/metadata/annotations/sidecar.istio.io~1inject"), "false");
    assert_eq!(at("/metadata/labels/sidecar.istio.io~1inject"), "false");
    assert_eq!(at("/metadata/annotations/linkerd.io~1inject"), "disabled");
    assert_eq!(at("/spec/automountServiceAccountToken"), json!(false));
    let read_only = |pointer: &str| at(pointer) == json!(true);
    assert_eq!(read_only("/spec/volumes/0/persistentVolumeClaim/readOnly"), !writes);
    assert_eq!(read_only("/spec/containers/0/volumeMounts/0/readOnly"), !writes);
    assert!(read_only("/spec/containers/0/volumeMounts/1/readOnly"), "its agent");
}

/// The volume goes with the pod: nothing can be held, and no other pod can look.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_log_in_an_empty_dir_is_left_where_it_is() {
    let scene = Scene::new("empty");
    let install = Install::new(Kind::Set, "v3.16.0", ROOMY);
    let quits: &[&str] = &["--web.enable-lifecycle"];
    let install = Install { scrapes: false, arguments: quits, ..install };
    let manifest = install.manifest();
    let (manifest, _) = manifest.split_once("  volumeClaimTemplates:").expect("a set");
    let manifest = manifest
        .replace("      volumes:\n", "      volumes:\n      - {name: data, emptyDir: {}}\n");
    scene.apply(&manifest);
    let uid = || scene.field("pod/prom-0", ".metadata.uid");
    let restarts = || scene.field("pod/prom-0", ".status.containerStatuses[0].restartCount");
    for time in 1..=2 {
        scene.until_ready("prom-0", 60);
        quit(&scene, "prom-0");
        until("it is started again", 60, || restarts() == time.to_string());
    }
    scene.until_ready("prom-0", 90);
    let pod = uid();
    let run = PathBuf::from(std::env::var("PROM_FIX_VOLUMES").expect("of tests/cluster/env"));
    let data = format!("../kubelet/pods/{pod}/volumes/kubernetes.io~empty-dir/data");
    std::fs::remove_file(run.join(data).join("wal/00000001")).expect("a segment in the middle");
    quit(&scene, "prom-0");
    until_told(&scene, "sts/prom", &["wal/gap"]);
    let blocked = |args: &[&str], code: i32| {
        let said = scene.plugin(&[args, &["-o", "json"]].concat()).expect(code).json();
        assert_eq!(first(&said, "/blocked/reason"), "no-safe-plan");
        let ways = said.pointer("/reports/0/blocked/ways").expect("ways").to_string();
        (first(&said, "/blocked/why"), ways)
    };
    let (why, ways) = blocked(&["freeze", "sts/prom", "--yes"], 3);
    assert_eq!(why, "pod/prom-0 cannot be held: its data directory ends with the pod");
    assert!(ways.contains("copy it from the node first"), "{ways}");
    for (args, code) in [
        (&["wal", "sts/prom", "--inspect"][..], 2),
        (&["wal", "sts/prom", "--inspect", "--apply", "--yes"], 3),
    ] {
        let (why, ways) = blocked(args, code);
        assert!(why.contains("on the emptyDir data: no other pod can mount that"), "{why}");
        assert!(ways.contains("do not delete the pod"), "{ways}");
        assert!(
            ways.contains(&format!("/pods/{pod}/volumes/kubernetes.io~empty-dir/data")),
            "{ways}"
        );
        assert!(!ways.contains("scale its workload to 0"), "that deletes it: {ways}");
    }
    assert_eq!(uid(), pod, "nobody touched it");
    nothing_is_left(&scene);
}
