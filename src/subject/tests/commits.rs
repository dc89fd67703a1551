//! What is to be committed.

use super::*;
use crate::model::patch::Change;
use crate::subject::commit::snippets;

fn texts(subject: &Subject, changes: &[Change]) -> Vec<(String, String)> {
    let all = snippets(subject, &subject.root_object, changes);
    all.into_iter().map(|s| (s.title, s.text)).collect()
}

fn memory(pointer: &str) -> [Change; 2] {
    [
        Change::set(format!("{pointer}/requests/memory"), "6Gi"),
        Change::set(format!("{pointer}/limits/memory"), "8Gi"),
    ]
}

#[test]
fn the_stack_takes_values_of_its_spec() {
    let subject = world(&[KPS]).only("kps");
    let got = texts(&subject, &memory("/spec/resources"));
    assert_eq!(
        got,
        [
            (
                "upgrade of release kps".to_owned(),
                "helm upgrade kps prometheus-community/kube-prometheus-stack -n kps --version 88.5.3 --reset-then-reuse-values --set prometheus.prometheusSpec.resources.requests.memory=6Gi --set prometheus.prometheusSpec.resources.limits.memory=8Gi\n".to_owned(),
            ),
            (
                "values.yaml of release kps (chart kube-prometheus-stack 88.5.3)".to_owned(),
                "prometheus:\n  prometheusSpec:\n    resources:\n      limits:\n        memory: 8Gi\n      requests:\n        memory: 6Gi\n".to_owned(),
            ),
        ]
    );
}

#[test]
fn the_chart_takes_values_of_its_server() {
    let subject = world(&[CHART_DEPLOY]).only("chart-deploy");
    let got = texts(&subject, &memory("/spec/template/spec/containers/1/resources"));
    assert_eq!(got.len(), 2);
    assert!(
        got[0].1.contains("prometheus-community/prometheus -n chart-deploy --version 29.27.0 "),
        "{}",
        got[0].1
    );
    assert!(got[0].1.contains("--set server.resources.limits.memory=8Gi"), "{}", got[0].1);
    let got = texts(&subject, &[Change::set("/spec/template/spec/securityContext/fsGroup", 1000)]);
    assert_eq!(got[1].1, "server:\n  securityContext:\n    fsGroup: 1000\n");
}

#[test]
fn a_changed_argument_is_an_extra_argument_of_the_chart() {
    let subject = world(&[CHART_DEPLOY]).only("chart-deploy");
    let args = "/spec/template/spec/containers/1/args";
    let mut now = subject.root_object.list(args).to_vec();
    now.push(json!("--web.listen-address=:9090"));
    let got = texts(&subject, &[Change::set(args, now)]);
    assert!(
        got[0].1.ends_with("--set 'server.extraArgs.web\\.listen-address=:9090'\n"),
        "{}",
        got[0].1
    );
    assert_eq!(got[1].1, "server:\n  extraArgs:\n    web.listen-address: \":9090\"\n");
}

#[test]
fn another_chart_of_the_same_shape_is_said_to_be_assumed() {
    let mut world = world(&[CHART_STS]);
    for item in &mut world.items {
        if item.text("/kind") == "StatefulSet" {
            item["metadata"]["labels"]["helm.sh/chart"] = json!("promfix-test-prometheus-0.1.0");
        }
    }
    let subject = world.only("chart-sts");
    assert_eq!(subject.install.word(), "helm");
    let got = texts(&subject, &memory("/spec/template/spec/containers/1/resources"));
    assert!(
        got[0].0.contains("put the location of chart promfix-test-prometheus for CHART"),
        "{}",
        got[0].0
    );
    assert!(got[0].0.contains("assumed"), "{}", got[0].0);
    assert!(
        got[0].1.contains("helm upgrade stsdemo CHART -n chart-sts --version 0.1.0"),
        "{}",
        got[0].1
    );
}

#[test]
fn of_an_unknown_chart_the_rendered_part_is_shown() {
    let mut world = world(&[CHART_STS]);
    for item in &mut world.items {
        if item.text("/kind") == "StatefulSet" {
            item["metadata"]["labels"]["helm.sh/chart"] = json!("acme-0.1.0");
        }
    }
    let subject = world.only("chart-sts");
    let got = texts(&subject, &memory("/spec/template/spec/containers/1/resources"));
    assert_eq!(got.len(), 1);
    assert!(
        got[0].0.contains("where the values of chart acme set this is not known"),
        "{}",
        got[0].0
    );
    assert_eq!(
        got[0].1,
        "patches:\n- target:\n    group: apps\n    version: v1\n    kind: StatefulSet\n    name: stsdemo-prometheus-server\n  patch: |-\n    apiVersion: apps/v1\n    kind: StatefulSet\n    metadata:\n      name: stsdemo-prometheus-server\n      namespace: chart-sts\n    spec:\n      template:\n        spec:\n          containers:\n          - name: prometheus-server\n            resources:\n              limits:\n                memory: 8Gi\n              requests:\n                memory: 6Gi\n"
    );
}

#[test]
fn a_plain_resource_takes_a_kustomize_patch_and_its_lists_stand_whole() {
    let mut world = world(&[OP]);
    for item in &mut world.items {
        if item.text("/kind") == "Prometheus" {
            item["spec"]["containers"] = json!([{"name": "prometheus", "resources": {"limits": {"memory": "1Gi"}}, "env": []}]);
        }
    }
    let subject = world.only("op");
    let got = texts(
        &subject,
        &[
            Change::set("/spec/containers/0/resources/limits/memory", "8Gi"),
            Change::unset("/spec/resources"),
        ],
    );
    assert_eq!(got.len(), 1);
    let list: Value = serde_saphyr::from_str(&got[0].1).expect("YAML");
    let patch: Value = serde_saphyr::from_str(list.text("/patches/0/patch")).expect("YAML");
    assert_eq!(
        patch["spec"],
        json!({"containers": [{"name": "prometheus", "resources": {"limits": {"memory": "8Gi"}}, "env": []}], "resources": null})
    );
}

/// `rollingUpdate` beside `type: Recreate` is refused, and a merge would keep it.
#[test]
fn what_a_map_loses_is_taken_away_by_the_patch_too() {
    let mut subject = world(&[OP]).only("op");
    subject.root_object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "p"},
        "spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
    });
    let got = texts(&subject, &[Change::set("/spec/strategy", json!({"type": "Recreate"}))]);
    let list: Value = serde_saphyr::from_str(&got[0].1).expect("YAML");
    let patch: Value = serde_saphyr::from_str(list.text("/patches/0/patch")).expect("YAML");
    let strategy = json!({"type": "Recreate", "rollingUpdate": null});
    assert_eq!(patch["spec"], json!({ "strategy": &strategy }));
    // Likewise in the values of a release, and in the line that sets them.
    let mut subject = world(&[CHART_STS]).only("chart-sts");
    subject.root_object["spec"]["strategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}});
    let got = texts(&subject, &[Change::set("/spec/strategy", json!({"type": "Recreate"}))]);
    let line = "--set server.strategy.rollingUpdate=null --set server.strategy.type=Recreate";
    assert!(got[0].1.contains(line), "{}", got[0].1);
    let values: Value = serde_saphyr::from_str(&got[1].1).expect("YAML");
    assert_eq!(values, json!({"server": { "strategy": strategy }}));
}

#[test]
fn kube_prometheus_takes_jsonnet_too() {
    let subject = world(&[MONITORING]).only("monitoring");
    let got = texts(&subject, &memory("/spec/resources"));
    assert_eq!(
        got[1].1,
        "{ prometheus+:: { prometheus+: { spec+: { \"resources\"+: { \"limits\"+: { \"memory\": \"8Gi\" }, \"requests\"+: { \"memory\": \"6Gi\" } } } } } }\n"
    );
}

#[test]
fn gitops_takes_the_same_values_in_its_own_place() {
    let mut world = world(&[KPS]);
    for item in &mut world.items {
        if item.text("/kind") == "Prometheus" {
            item["metadata"]["labels"]["helm.toolkit.fluxcd.io/name"] = json!("kps");
            item["metadata"]["labels"]["helm.toolkit.fluxcd.io/namespace"] = json!("flux");
        }
    }
    let got =
        texts(&world.only("kps"), &[Change::set("/spec/maximumStartupDurationSeconds", 3600)]);
    assert_eq!(
        got,
        [(
            "HelmRelease flux/kps".to_owned(),
            "spec:\n  values:\n    prometheus:\n      prometheusSpec:\n        maximumStartupDurationSeconds: 3600\n".to_owned(),
        )]
    );
    for item in &mut world.items {
        if item.text("/kind") == "Prometheus" {
            let name = item.name().to_owned();
            item["metadata"]["labels"] = json!({"chart": "kube-prometheus-stack-88.5.3"});
            item["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": format!("mon:monitoring.coreos.com/Prometheus:kps/{name}")});
        }
    }
    let got =
        texts(&world.only("kps"), &[Change::set("/spec/maximumStartupDurationSeconds", 3600)]);
    assert!(
        got[0].1.starts_with("spec:\n  source:\n    helm:\n      valuesObject:\n"),
        "{}",
        got[0].1
    );
    assert!(got[1].1.starts_with("patches:"), "{}", got[1].1);
}

#[test]
fn openshift_takes_its_config_map() {
    let mut world = world(&[OP]);
    for item in &mut world.items {
        item["metadata"]["namespace"] = json!("openshift-monitoring");
        if item.text("/kind") == "Prometheus" {
            item["metadata"]["labels"] =
                json!({"app.kubernetes.io/managed-by": "cluster-monitoring-operator"});
        }
    }
    let got = texts(&world.only("openshift-monitoring"), &memory("/spec/resources"));
    assert_eq!(got.len(), 1);
    let map: Value = serde_saphyr::from_str(&got[0].1).expect("YAML");
    let config: Value =
        serde_saphyr::from_str(map["data"]["config.yaml"].as_str().expect("text")).expect("YAML");
    assert_eq!(
        config,
        json!({"prometheusK8s": {"resources": {"limits": {"memory": "8Gi"}, "requests": {"memory": "6Gi"}}}})
    );
}

#[test]
fn bitnamis_preset_gives_way_to_the_sizes() {
    let mut set = workload(
        Kind::Deployment,
        "p-server",
        "bitnami/prometheus:3.5.0",
        &["--storage.tsdb.path=/bitnami/prometheus/data"],
    );
    set["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/component": "server", "helm.sh/chart": "prometheus-2.1.23"});
    set["metadata"]["annotations"] =
        json!({"meta.helm.sh/release-name": "p", "meta.helm.sh/release-namespace": "mon"});
    let subject = made(&[set]).only("mon");
    assert_eq!(subject.install.word(), "bitnami");
    let got = texts(&subject, &memory("/spec/template/spec/containers/0/resources"));
    assert!(got[0].1.contains("--set server.resourcesPreset=none"), "{}", got[0].1);
}
