//! What is found, by which requests, and what is told apart.

use super::*;

const SERVER: &str = "prom/prometheus:v2.53.3";
const ARGS: &[&str] =
    &["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"];

fn names(found: &Result<Vec<Subject>, NotFound>) -> Vec<String> {
    let subjects = found.as_ref().expect("found");
    subjects.iter().map(|s| format!("{}/{}", s.root.namespace, s.root.short())).collect()
}

#[test]
fn every_way_to_point_at_it_finds_the_same_with_few_requests() {
    let world = world(&[KPS]);
    let set = "prometheus-kps-kube-prometheus-stack-prometheus";
    let resource = "kps-kube-prometheus-stack-prometheus";
    let bare = |name: &str| Target::Bare { name: name.into() };
    let rows = [
        (target(Kind::Prometheus, resource), 3),
        (target(Kind::StatefulSet, set), 3),
        (target(Kind::Pod, &format!("{set}-0")), 3),
        (target(Kind::Service, resource), 4),
        (bare(set), 7),
        (bare(resource), 7),
        (all(), 8),
    ];
    for (target, most) in rows {
        let (seen, requests) = world.read(&target, Some("kps"));
        let found = find(&target, Some("kps"), &seen);
        assert_eq!(names(&found), [format!("kps/prometheus/{resource}")], "{target:?}");
        let subject = &found.expect("found")[0];
        assert_eq!((subject.workloads.len(), subject.pods.len()), (1, 1), "{target:?}");
        assert!(requests <= most, "{target:?} took {requests}");
    }
}

#[test]
fn a_deployment_needs_no_replica_set() {
    let world = world(&[CHART_DEPLOY]);
    let name = "demo-prometheus-server";
    let (_, requests) = world.read(&target(Kind::Deployment, name), Some("chart-deploy"));
    assert_eq!(requests, 2);
    let pod = target(Kind::Pod, "demo-prometheus-server-78967849c6-5klz7");
    let (seen, requests) = world.read(&pod, Some("chart-deploy"));
    assert_eq!(requests, 3);
    assert!(!seen.facts.keys().any(|need| format!("{need:?}").contains("ReplicaSet")));
    let found = find(&pod, Some("chart-deploy"), &seen);
    assert_eq!(names(&found), ["chart-deploy/deploy/demo-prometheus-server"]);
}

#[test]
fn all_of_the_cluster_lists_pods_only_where_one_was_found() {
    let world = world(&[KPS, OP, CHART_STS]);
    let (seen, _) = world.read(&all(), None);
    assert!(!seen.facts.contains_key(&Need::list_all(Kind::Pod)));
    let found = find(&all(), None, &seen);
    assert_eq!(
        names(&found),
        [
            "chart-sts/sts/stsdemo-prometheus-server",
            "kps/prometheus/kps-kube-prometheus-stack-prometheus",
            "op/prometheus/k8s",
        ]
    );
    assert!(found.expect("found").iter().all(|s| s.pods.len() == 1));
}

#[test]
fn an_empty_namespace_says_what_is_elsewhere() {
    let world = world(&[OP]);
    let here = world.find(&all(), Some("default"));
    let none =
        |elsewhere: Vec<String>| NotFound::None { namespace: Some("default".into()), elsewhere };
    assert_eq!(here.err(), Some(none(Vec::new())));
    let (mut seen, _) = world.read(&all(), Some("default"));
    seen.facts.extend(world.read(&all(), None).0.facts);
    let there = find(&all(), Some("default"), &seen);
    assert_eq!(there.err(), Some(none(vec!["op/prometheus/k8s".into()])));
}

#[test]
fn look_alikes_are_named() {
    let alertmanager = workload(
        Kind::StatefulSet,
        "alertmanager-main",
        "quay.io/prometheus/alertmanager:v0.28.0",
        &["--config.file=/a.yml"],
    );
    let mut ruled = workload(Kind::StatefulSet, "thanos-ruler-x", "custom/image:1", &["rule"]);
    ruled["metadata"]["ownerReferences"] = json!([{"apiVersion": "monitoring.coreos.com/v1", "kind": "ThanosRuler", "name": "x", "uid": "u", "controller": true}]);
    let operator = workload(
        Kind::Deployment,
        "prometheus-operator",
        "quay.io/prometheus-operator/prometheus-operator:v0.85.0",
        &[],
    );
    let grafana = workload(Kind::Deployment, "grafana", "grafana/grafana:11.0.0", &[]);
    let exporter = workload(
        Kind::DaemonSet,
        "node-exporter",
        "quay.io/prometheus/node-exporter:v1.9.0",
        &["--web.listen-address=:9100"],
    );
    let world = made(&[alertmanager, ruled, operator, grafana, exporter]);
    let rows = [
        (Kind::StatefulSet, "alertmanager-main", "alertmanager"),
        (Kind::StatefulSet, "thanos-ruler-x", "thanos"),
        (Kind::Deployment, "prometheus-operator", "prometheus-operator"),
        (Kind::Deployment, "grafana", "Grafana"),
        (Kind::DaemonSet, "node-exporter", "node-exporter"),
    ];
    for (kind, name, is) in rows {
        let what = format!("{}/{name}", kind.short());
        let found = world.find(&target(kind, name), Some("mon"));
        assert_eq!(found.err(), Some(NotFound::NotPrometheus { what, is: is.into() }));
    }
    assert!(matches!(world.find(&all(), Some("mon")), Err(NotFound::None { .. })));
}

#[test]
fn what_is_not_there_is_told_from_what_may_not_be_read() {
    let mut world = world(&[OP]);
    let no = target(Kind::StatefulSet, "nope");
    assert_eq!(
        world.find(&no, Some("op")).err(),
        Some(NotFound::NoSuch { what: "sts/nope".into(), namespace: "op".into() })
    );
    world.forbidden = vec!["statefulsets"];
    assert_eq!(
        world.find(&no, Some("op")).err(),
        Some(NotFound::Unreadable { what: "statefulsets".into(), why: "forbidden".into() })
    );
    assert!(matches!(world.find(&all(), Some("empty")), Err(NotFound::Unreadable { .. })));
    // The other listings still show it, and the pod's name says whose it is.
    let subject = world.only("op");
    assert_eq!((subject.root.short(), subject.pods.len()), ("prometheus/k8s".into(), 1));
}

#[test]
fn a_resource_that_may_not_be_read_is_still_the_root() {
    let mut world = world(&[OP]);
    world.forbidden = vec!["prometheuses"];
    let subject = world.only("op");
    assert_eq!(subject.root.short(), "prometheus/k8s");
    assert_eq!(subject.root_object, Value::Null);
    assert!(subject.managers.is_empty());
}

#[test]
fn shards_are_one_prometheus() {
    let mut world = world(&[OP]);
    let set = world.items.iter().find(|i| i.text("/kind") == "StatefulSet").cloned();
    let mut second = set.expect("a set");
    second["metadata"]["name"] = json!("prometheus-k8s-shard-1");
    second["metadata"]["uid"] = json!("second");
    second["metadata"]["labels"]["operator.prometheus.io/shard"] = json!("1");
    world.items.push(second);
    for target in [
        all(),
        target(Kind::StatefulSet, "prometheus-k8s-shard-1"),
        target(Kind::Pod, "prometheus-k8s-0"),
    ] {
        let found = world.find(&target, Some("op")).expect("found");
        let sets: Vec<&str> = found[0].workloads.iter().map(ObjectExt::name).collect();
        assert_eq!(sets, ["prometheus-k8s", "prometheus-k8s-shard-1"], "{target:?}");
    }
}

#[test]
fn an_orphaned_set_goes_to_the_resource_of_its_name() {
    let mut world = world(&[OP]);
    for item in &mut world.items {
        if item.text("/kind") == "StatefulSet" {
            item["metadata"]["ownerReferences"] = json!([]);
        }
    }
    let subject = world.only("op");
    assert_eq!((subject.root.short(), subject.pods.len()), ("prometheus/k8s".into(), 1));
}

#[test]
fn a_rollout_of_argo_is_the_owner_and_its_replica_set_the_root() {
    let set = workload(Kind::ReplicaSet, "web-abc", SERVER, ARGS);
    let mut set = set;
    set["metadata"]["ownerReferences"] = json!([{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": "r", "controller": true}]);
    let pod = pod("web-abc-1", &set, controlled_by(Kind::ReplicaSet, "web-abc"));
    let subject = made(&[set, pod]).only("mon");
    assert_eq!(subject.root.short(), "rs/web-abc");
    assert_eq!((&*subject.owner.kind, &*subject.owner.name), ("Rollout", "web"));
    assert_eq!(subject.pods.len(), 1);
}

#[test]
fn bare_and_mirror_pods_are_their_own_root() {
    let of = workload(Kind::StatefulSet, "x", SERVER, ARGS);
    let mut bare = pod("bare", &of, json!(null));
    bare["metadata"]["ownerReferences"] = json!([]);
    let mirror = pod("mirror", &of, controlled_by(Kind::Node, "node-1"));
    let found = made(&[bare, mirror]).find(&all(), Some("mon"));
    assert_eq!(names(&found), ["mon/pod/bare", "mon/pod/mirror"]);
    let found = found.expect("found");
    assert_eq!(found[1].owner.kind, "Node");
    assert_eq!(found[0].version.map(|v| v.to_string()), Some("v2.53.3".into()));
}

#[test]
fn a_monitoring_stack_is_the_root_of_what_it_makes() {
    let stack = json!({"apiVersion": "monitoring.rhobs/v1alpha1", "kind": "MonitoringStack",
        "metadata": {"name": "s", "namespace": "mon", "uid": "uid-s"}, "spec": {}});
    let resource = json!({"apiVersion": "monitoring.rhobs/v1", "kind": "Prometheus",
        "metadata": {"name": "s", "namespace": "mon", "uid": "uid-p", "ownerReferences": [controlled_by(Kind::MonitoringStack, "s")]},
        "spec": {"replicas": 2}});
    let mut set = workload(Kind::StatefulSet, "prometheus-s", SERVER, ARGS);
    let mut owner = controlled_by(Kind::RhobsPrometheus, "s");
    owner["uid"] = json!("uid-p");
    set["metadata"]["ownerReferences"] = json!([owner]);
    let world = made(&[stack, resource, set]);
    for target in [
        all(),
        target(Kind::StatefulSet, "prometheus-s"),
        target(Kind::Prometheus, "s"),
        target(Kind::MonitoringStack, "s"),
    ] {
        let found = world.find(&target, Some("mon"));
        assert_eq!(names(&found), ["mon/monitoringstack/s"], "{target:?}");
        let subject = &found.expect("found")[0];
        assert_eq!((subject.install.word(), subject.workloads.len()), ("monitoring-stack", 1));
    }
}

#[test]
fn an_agent_resource_as_a_daemon_set() {
    let resource = json!({"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "PrometheusAgent",
        "metadata": {"name": "a", "namespace": "mon", "uid": "uid-a"}, "spec": {"mode": "DaemonSet"}});
    let mut set = workload(
        Kind::DaemonSet,
        "prom-agent-a",
        SERVER,
        &["--agent", "--storage.agent.path=/prometheus"],
    );
    set["metadata"]["ownerReferences"] = json!([controlled_by(Kind::PrometheusAgent, "a")]);
    set["status"] = json!({"desiredNumberScheduled": 3});
    let controller = || controlled_by(Kind::DaemonSet, "prom-agent-a");
    let pods = ["prom-agent-a-x", "prom-agent-a-y"].map(|name| pod(name, &set, controller()));
    let [first, second] = pods;
    let world = made(&[resource, set, first, second]);
    for target in [
        target(Kind::PrometheusAgent, "a"),
        target(Kind::DaemonSet, "prom-agent-a"),
        target(Kind::Pod, "prom-agent-a-y"),
    ] {
        let found = world.find(&target, Some("mon")).expect("found");
        assert_eq!((found[0].workloads.len(), found[0].pods.len()), (1, 2), "{target:?}");
        assert_eq!((found[0].root.short(), found[0].wanted), ("prometheusagent/a".into(), 3));
        assert!(found[0].agent);
    }
}

#[test]
fn a_service_whose_selector_fits_nothing_still_leads_to_the_only_prometheus() {
    let mut world = world(&[KPS]);
    for item in &mut world.items {
        if item.text("/kind") == "Service" {
            item["spec"]["selector"] = json!({"app": "typo"});
        }
    }
    let service = target(Kind::Service, "kps-kube-prometheus-stack-prometheus");
    let found = world.find(&service, Some("kps"));
    assert_eq!(names(&found), ["kps/prometheus/kps-kube-prometheus-stack-prometheus"]);
}

#[test]
fn labels_choose_among_those_found() {
    let world = world(&[KPS, OP]);
    let labelled = Target::All { labels: "release=kps".into() };
    assert_eq!(
        names(&world.find(&labelled, None)),
        ["kps/prometheus/kps-kube-prometheus-stack-prometheus"]
    );
}

#[test]
fn openshift_is_known_by_namespace_and_label() {
    let mut world = world(&[OP]);
    for item in &mut world.items {
        item["metadata"]["namespace"] = json!("openshift-monitoring");
        if item.text("/kind") == "Prometheus" {
            item["metadata"]["labels"] =
                json!({"app.kubernetes.io/managed-by": "cluster-monitoring-operator"});
        }
    }
    let subject = world.only("openshift-monitoring");
    assert_eq!(subject.install.word(), "openshift");
    assert_eq!(subject.managers[0].word(), "cluster-monitoring-operator");
}
