//! What is said of real installs.

use super::*;
use crate::model::plan::Revert;
use crate::subject::manager::forecast;
use crate::subject::volume::{Store, claims, store};
use crate::subject::{Install, Manager, Version};

/// Root, install, managers, container, flags, store, in one line each.
fn told(subject: &Subject) -> Vec<String> {
    let managers: Vec<String> = subject.managers.iter().map(Manager::word).collect();
    vec![
        format!("{} of {}", subject.root.short(), subject.install.word()),
        format!("managers {}", managers.join(" ")),
        format!(
            "container {}, {} of {} pods",
            subject.container,
            subject.pods.len(),
            subject.wanted
        ),
        format!("{}", subject.version.expect("a tag")),
        format!(
            "port {} prefix {} data {}",
            subject.flags.port(),
            subject.flags.prefix(),
            subject.flags.data_dir(subject.agent)
        ),
    ]
}

fn verdict(subject: &Subject, object: &Value, pointer: &str) -> (Revert, String, String) {
    let mut out = forecast(subject, object, &[pointer.to_owned()]);
    let one = out.remove(0);
    (one.verdict, one.by, one.commit)
}

#[test]
fn the_chart_as_a_deployment() {
    let subject = world(&[CHART_DEPLOY]).only("chart-deploy");
    assert_eq!(
        told(&subject),
        [
            "deploy/demo-prometheus-server of helm-prometheus",
            "managers helm:demo",
            "container prometheus-server, 1 of 1 pods",
            "v2.42.0",
            "port 9090 prefix / data /data",
        ]
    );
    assert_eq!(
        store(&subject, &subject.pods[0]),
        Store::Claim {
            volume: "storage-volume".into(),
            claim: "demo-prometheus-server".into(),
            sub_path: String::new(),
            read_only: false,
        }
    );
    assert_eq!(claims(&subject), ["demo-prometheus-server"]);
    assert_eq!(
        subject.managers,
        [Manager::Helm {
            release: "demo".into(),
            namespace: "chart-deploy".into(),
            chart: "prometheus".into(),
            version: "29.27.0".into(),
        }]
    );
}

#[test]
fn what_the_chart_renders_goes_at_the_next_upgrade_and_what_is_added_stays() {
    let subject = world(&[CHART_DEPLOY]).only("chart-deploy");
    let root = &subject.root_object;
    let spec = "/spec/template/spec";
    let memory = format!("{spec}/containers/1/resources/limits/memory");
    assert_eq!(verdict(&subject, root, &memory).0, Revert::Survives);
    let group = format!("{spec}/securityContext/fsGroup");
    assert_eq!(
        verdict(&subject, root, &group),
        (
            Revert::SurvivesUntilUpgrade,
            "the next upgrade of Helm release demo".into(),
            "server.securityContext.fsGroup in the values of release demo".into(),
        )
    );
    // A list that is owned whole.
    let args = format!("{spec}/containers/1/args/2");
    assert_eq!(verdict(&subject, root, &args).0, Revert::SurvivesUntilUpgrade);
    let policy = format!("{spec}/securityContext/fsGroupChangePolicy");
    assert_eq!(verdict(&subject, root, &policy).0, Revert::Survives);
}

#[test]
fn the_chart_as_a_stateful_set() {
    let subject = world(&[CHART_STS]).only("chart-sts");
    assert_eq!(
        told(&subject),
        [
            "sts/stsdemo-prometheus-server of helm-prometheus",
            "managers helm:stsdemo",
            "container prometheus-server, 1 of 1 pods",
            "v2.42.0",
            "port 9090 prefix / data /data",
        ]
    );
    assert_eq!(claims(&subject), ["storage-volume-stsdemo-prometheus-server-0"]);
    let from_template = store(&subject, &Value::Null);
    assert_eq!(from_template, store(&subject, &subject.pods[0]));
}

#[test]
fn kube_prometheus_stack() {
    let subject = world(&[KPS]).only("kps");
    assert_eq!(
        told(&subject),
        [
            "prometheus/kps-kube-prometheus-stack-prometheus of kube-prometheus-stack",
            "managers helm:kps",
            "container prometheus, 1 of 1 pods",
            "v2.42.0",
            "port 9090 prefix / data /prometheus",
        ]
    );
    let Store::Claim { sub_path, .. } = store(&subject, &subject.pods[0]) else {
        panic!("a claim");
    };
    assert_eq!(sub_path, "prometheus-db");
    let root = &subject.root_object;
    assert_eq!(verdict(&subject, root, "/spec/resources/limits/memory").0, Revert::Survives);
    assert_eq!(
        verdict(&subject, root, "/spec/listenLocal"),
        (
            Revert::SurvivesUntilUpgrade,
            "an upgrade of Helm release kps that changes this value".into(),
            "prometheus.prometheusSpec.listenLocal in the values of release kps".into(),
        )
    );
    let set = &subject.workloads[0];
    assert_eq!(
        verdict(&subject, set, "/spec/replicas"),
        (
            Revert::RevertsNow,
            "prometheus-operator, from prometheus/kps-kube-prometheus-stack-prometheus".into(),
            "the same in prometheus/kps-kube-prometheus-stack-prometheus".into(),
        )
    );
    let annotation = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt";
    assert_eq!(verdict(&subject, set, annotation).0, Revert::Survives);
}

#[test]
fn kube_prometheus_manifests_applied_server_side() {
    let subject = world(&[MONITORING]).only("monitoring");
    assert_eq!(
        told(&subject),
        [
            "prometheus/k8s of kube-prometheus",
            "managers kubectl-apply",
            "container prometheus, 1 of 1 pods",
            "v2.42.0",
            "port 9090 prefix / data /prometheus",
        ]
    );
    assert_eq!(
        store(&subject, &subject.pods[0]),
        Store::EmptyDir { volume: "prometheus-k8s-db".into(), in_memory: false }
    );
    let root = &subject.root_object;
    assert_eq!(verdict(&subject, root, "/spec/resources/limits/memory").0, Revert::Survives);
    assert_eq!(
        verdict(&subject, root, "/spec/resources/requests/memory").1,
        "the next kubectl apply --server-side, which reports a conflict"
    );
    // The whole of what is owned in part.
    assert_eq!(verdict(&subject, root, "/spec/resources").0, Revert::SurvivesUntilUpgrade);
}

#[test]
fn a_resource_applied_by_hand_and_patched_since() {
    let subject = world(&[OP]).only("op");
    assert_eq!(
        told(&subject),
        [
            "prometheus/k8s of operator",
            "managers kubectl-apply",
            "container prometheus, 1 of 1 pods",
            "v2.42.0",
            "port 9090 prefix / data /prometheus",
        ]
    );
    // kubectl-patch owns it now, but the manifest that is applied again holds it.
    let root = &subject.root_object;
    assert_eq!(
        verdict(&subject, root, "/spec/resources/limits/memory"),
        (
            Revert::SurvivesUntilUpgrade,
            "the next kubectl apply".into(),
            "the manifest that is applied".into(),
        )
    );
    assert_eq!(verdict(&subject, root, "/spec/resources/requests/memory").0, Revert::Survives);
    // The same without the record, as a bundle has it.
    let mut bare = root.clone();
    bare["metadata"]["annotations"] = json!({});
    assert_eq!(verdict(&subject, &bare, "/spec/image").0, Revert::SurvivesUntilUpgrade);
    assert_eq!(verdict(&subject, &bare, "/spec/listenLocal").0, Revert::Survives);
}

#[test]
fn gitops_takes_back_what_it_owns_and_leaves_what_is_added() {
    let subject = world(&[OP]).only("op");
    let mut root = subject.root_object.clone();
    root["metadata"]["annotations"] =
        json!({"argocd.argoproj.io/tracking-id": "mon:monitoring.coreos.com/Prometheus:op/k8s"});
    root["metadata"]["managedFields"] = json!([{"manager": "argocd-controller", "operation": "Update",
        "fieldsV1": {"f:spec": {"f:image": {}, "f:additionalArgs": {}}}}]);
    root["spec"]["additionalArgs"] = json!([{"name": "a"}]);
    let argo = verdict(&subject, &root, "/spec/image");
    assert_eq!(argo.0, Revert::RevertsOnReconcile);
    assert!(argo.1.contains("within seconds"), "{}", argo.1);
    assert_eq!(argo.2, "the source of application mon");
    assert_eq!(verdict(&subject, &root, "/spec/resources").0, Revert::Survives);
    assert_eq!(verdict(&subject, &root, "/spec/additionalArgs/-").0, Revert::RevertsOnReconcile);

    root["metadata"]["annotations"] = json!({});
    root["metadata"]["labels"] = json!({"kustomize.toolkit.fluxcd.io/name": "apps",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
    root["metadata"]["managedFields"][0]["manager"] = json!("kustomize-controller");
    assert_eq!(
        verdict(&subject, &root, "/spec/image").1,
        "Flux Kustomization flux-system/apps, at its next interval"
    );
    // Nobody says who owns what: any value may be taken back.
    root["metadata"]["managedFields"] = json!(null);
    assert_eq!(verdict(&subject, &root, "/spec/resources").0, Revert::RevertsOnReconcile);
}

#[test]
fn a_copied_tracking_id_is_not_this_objects() {
    let subject = world(&[OP]).only("op");
    let mut root = subject.root_object.clone();
    root["metadata"]["annotations"] =
        json!({"argocd.argoproj.io/tracking-id": "mon:monitoring.coreos.com/Prometheus:op/other"});
    root["metadata"]["managedFields"] = json!([]);
    assert_eq!(crate::subject::manager::markers(&root), []);
}

#[test]
fn helm_4_owns_by_apply_and_the_conflict_is_told() {
    let subject = world(&[KPS]).only("kps");
    let mut root = subject.root_object.clone();
    root["metadata"]["managedFields"][1]["operation"] = json!("Apply");
    let (verdict, by, commit) = verdict(&subject, &root, "/spec/listenLocal");
    assert_eq!(verdict, Revert::SurvivesUntilUpgrade);
    assert!(by.contains("server-side"), "{by}");
    assert!(commit.contains("Helm 4 reports a conflict"), "{commit}");
}

#[test]
fn a_resource_without_workloads_is_still_described() {
    let mut only = world(&[KPS]);
    only.items.retain(|i| i.text("/kind") == "Prometheus");
    only.items[0]["spec"]["routePrefix"] = json!("/prom");
    only.items[0]["spec"]["replicas"] = json!(2);
    only.items[0]["spec"]["shards"] = json!(3);
    let subject = only.only("kps");
    assert_eq!((subject.wanted, subject.workloads.len(), subject.pods.len()), (6, 0, 0));
    assert_eq!(subject.version, Some(Version::new(2, 42, 0)));
    assert_eq!(subject.flags.prefix(), "/prom");
    assert_eq!(subject.flags.data_dir(false), "/prometheus");
    assert_eq!(subject.container, "prometheus");
    assert_eq!(subject.install, Install::KubePrometheusStack);
}
