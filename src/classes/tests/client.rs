//! `bind --client`: who asks, and what stands between.

use serde_json::{Value, json};

use super::fixture::{World, healthy};
use crate::classes::bind::Bind;
use crate::classes::{Class, Given};
use crate::model::{Fact, Finding, Kind, Need, Next, ObjectRef, Seen, Severity, Unknown, Verdict};

/// A client in the same namespace, no policies, and every API of others absent.
pub fn asked_by(replicas: i64, pods: Vec<Value>) -> World {
    let grafana = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "grafana", "namespace": "mon"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "grafana"}},
            "template": {"metadata": {"labels": {"app": "grafana"}}, "spec": {"containers": []}}}});
    let mut world = healthy()
        .object(Kind::Deployment, "grafana", grafana)
        .of_cluster(Kind::Namespace, "mon", json!({"metadata": {"name": "mon"}}))
        .list(Kind::NetworkPolicy, vec![])
        .list(Kind::Service, vec![])
        .list(Kind::EndpointSlice, vec![]);
    for need in job(&world, |job| job.needs(&world.seen)) {
        let fact = match &need {
            Need::List { kind: Kind::Pod, .. } => Fact::Known(Seen::List(pods.clone())),
            Need::List { .. } if !world.seen.asked(&need) => Fact::Absent,
            _ => continue,
        };
        world.seen.facts.insert(need, fact);
    }
    world
}

pub fn job<T>(world: &World, act: impl FnOnce(&dyn crate::classes::Job) -> T) -> T {
    let given = Given::from([("client".to_owned(), "mon/deploy/grafana".to_owned())]);
    act(Bind.job(&world.subject, &given).as_ref())
}

pub fn told(world: &World) -> Verdict {
    job(world, |job| job.check(&world.seen))
}

fn pod(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": []},
        "metadata": {"name": name, "namespace": "mon", "labels": labels},
        "status": {"phase": "Running", "podIP": "10.0.0.9"}})
}

pub fn running() -> Vec<Value> {
    vec![pod("grafana-a", json!({"app": "grafana"}))]
}

pub fn says_reached(verdict: &Verdict) -> bool {
    verdict.findings.iter().any(|finding| finding.says.contains("is reached by"))
}

fn with(mut world: World, need: Need, fact: Fact) -> World {
    world.seen.facts.insert(need, fact);
    world
}

#[test]
fn without_any_rule_it_is_reached() {
    let verdict = told(&asked_by(1, running()));
    assert!(says_reached(&verdict) && verdict.unknown.is_empty(), "{verdict:#?}");
}

#[test]
fn a_rule_of_the_cluster_that_selects_an_end_is_not_judged_and_nothing_is_called_reached() {
    let need = || Need::list_all(Kind::CiliumClusterwideNetworkPolicy);
    let rule = |app: &str, direction: &str| {
        json!({"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy",
            "metadata": {"name": "closed"},
            "spec": {"endpointSelector": {"matchLabels": {"app": app}}, (direction): [{}]}})
    };
    let world = |rule| with(asked_by(1, running()), need(), Fact::Known(Seen::List(vec![rule])));
    for (app, direction) in [("p", "ingress"), ("grafana", "egress")] {
        let verdict = told(&world(rule(app, direction)));
        assert!(!says_reached(&verdict));
        let [one] = verdict.unknown.as_slice() else { panic!("{verdict:#?}") };
        assert!(one.vital && one.need.contains("ciliumclusterwidenetworkpolicy/closed"), "{one:?}");
    }
    for (app, direction) in [("p", "egress"), ("grafana", "ingress"), ("other", "ingress")] {
        assert!(says_reached(&told(&world(rule(app, direction)))), "{app} {direction}");
    }
    // Many are one line and the first of them.
    let many = Fact::Known(Seen::List(vec![rule("p", "ingress"); 9]));
    let verdict = told(&with(asked_by(1, running()), need(), many));
    assert_eq!(verdict.unknown.len(), 6, "{verdict:#?}");
}

#[test]
fn rules_that_may_not_be_read_are_one_line() {
    let mut world = asked_by(1, running());
    for (need, fact) in &mut world.seen.facts {
        if matches!((need, &fact), (Need::List { .. }, Fact::Absent)) {
            *fact = Fact::Unreadable("forbidden".into());
        }
    }
    let verdict = told(&world);
    assert!(!says_reached(&verdict));
    let [Unknown { why, get, vital: false, .. }] = verdict.unknown.as_slice() else {
        panic!("{verdict:#?}")
    };
    assert_eq!(why, "forbidden");
    for kind in
        ["adminnetworkpolicies.policy.networking.k8s.io", "peerauthentications.security.istio.io"]
    {
        assert!(get.contains(kind), "{get}");
    }
}

#[test]
fn a_client_that_does_not_run_reaches_nothing() {
    let waiting = || {
        let mut waits = running().remove(0);
        waits["status"] = json!({"phase": "Pending", "containerStatuses": [
            {"name": "grafana", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]});
        vec![waits]
    };
    let rows = [
        (0, vec![], "is scaled to 0: nothing asks", Some("0")),
        (1, vec![], "has no pods: nothing asks", None),
        (1, waiting(), "has no pod that runs: nothing asks", Some("ImagePullBackOff")),
    ];
    for (replicas, pods, says, value) in rows {
        let verdict = told(&asked_by(replicas, pods));
        let [finding] = verdict.findings.as_slice() else { panic!("{verdict:#?}") };
        assert_eq!((finding.code.0, finding.says.as_str()), ("bind/client-down", says));
        assert_eq!(finding.evidence.first().map(|e| e.value.as_str()), value);
    }
}

#[test]
fn pods_of_a_client_that_differ_in_labels_are_judged_one_by_one() {
    let pods = || {
        vec![
            pod("grafana-a", json!({"app": "grafana", "tier": "ui"})),
            pod("grafana-b", json!({"app": "grafana"})),
        ]
    };
    let policy = |spec: Value| {
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "n", "namespace": "mon"}, "spec": spec});
        asked_by(2, pods()).list(Kind::NetworkPolicy, vec![policy])
    };
    let ui = json!({"matchLabels": {"tier": "ui"}});
    let inwards = policy(json!({"podSelector": {"matchLabels": {"app": "p"}},
        "ingress": [{"from": [{"podSelector": ui}]}]}));
    let verdict = told(&inwards);
    let [finding] = verdict.findings.as_slice() else { panic!("{verdict:#?}") };
    assert_eq!(finding.says, "does not let 1 of 2 pods of deploy/grafana -n mon into pod/p-0");
    assert!(finding.evidence.iter().any(|e| e.field == "labels of pod/grafana-b"));
    // A policy for the way out of all would close the one that is open.
    let outwards = policy(json!({"podSelector": ui, "policyTypes": ["Egress"]}));
    let verdict = told(&outwards);
    assert!(verdict.findings[0].says.contains("does not let 1 of 2 pods"), "{verdict:#?}");
    let next = job(&outwards, |job| job.next(&outwards.seen, &verdict.findings));
    let Next::Blocked(blocked) = next else { panic!("{next:#?}") };
    assert!(blocked.why.contains("only some of the client's pods"), "{}", blocked.why);
}

#[test]
fn one_of_two_servers_that_is_closed_is_named_and_no_policy_closes_the_other() {
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "n", "namespace": "mon"},
        "spec": {"podSelector": {"matchLabels": {"old": "1"}}, "policyTypes": ["Ingress"]}});
    let mut world = asked_by(1, running()).list(Kind::NetworkPolicy, vec![policy]).replica("p-1");
    world.subject.pods[1]["metadata"]["labels"]["old"] = json!("1");
    let verdict = told(&world);
    let [finding] = verdict.findings.as_slice() else { panic!("{verdict:#?}") };
    assert_eq!(finding.says, "does not let deploy/grafana -n mon into pod/p-1");
    let next = job(&world, |job| job.next(&world.seen, &verdict.findings));
    let Next::Blocked(blocked) = next else { panic!("{next:#?}") };
    assert!(blocked.why.contains("would close the others"), "{}", blocked.why);
    assert_eq!(finding.object, ObjectRef::new(Kind::NetworkPolicy, "mon", "n"));
}

/// A Grafana whose provisioning is in this volume, and a Service `front` of the server.
fn provisioned(volume: Value) -> World {
    let mut world = asked_by(1, running());
    let mut spec = json!({"volumes": [volume], "containers": [{
        "name": "grafana", "image": "grafana/grafana:12.0.0",
        "env": [{"name": "PROMETHEUS_URL", "valueFrom": {"secretKeyRef": {"name": "s", "key": "u"}}},
            {"name": "PROMETHEUS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}}],
        "volumeMounts": [{"name": "ds", "mountPath": "/etc/grafana/provisioning/datasources"}]}]});
    if volume_is_map(&spec) {
        spec["containers"][0]["env"] = json!([]);
    }
    let need = Need::object(Kind::Deployment, "mon", "grafana");
    let Some(Fact::Known(Seen::Object(client))) = world.seen.facts.get_mut(&need) else { panic!() };
    client["spec"]["template"]["spec"] = spec;
    let front = json!({"metadata": {"name": "front", "namespace": "mon"},
        "spec": {"clusterIP": "10.0.0.2", "selector": {"app": "p"}, "ports": [{"port": 9090}]}});
    let slice = json!({"metadata": {"name": "front-x", "namespace": "mon",
        "labels": {"kubernetes.io/service-name": "front"}},
        "endpoints": [{"addresses": ["10.0.0.1"]}]});
    world.list(Kind::Service, vec![front]).list(Kind::EndpointSlice, vec![slice])
}

fn volume_is_map(spec: &Value) -> bool {
    spec.pointer("/volumes/0/configMap").is_some()
}

fn with_source(url: &str) -> World {
    let file = format!(
        "datasources:\n- {{name: p, type: prometheus, url: '{url}'}}\n\
         - {{name: l, type: loki, url: 'http://loki:3100'}}\n"
    );
    provisioned(json!({"name": "ds", "configMap": {"name": "ds"}})).object(
        Kind::ConfigMap,
        "ds",
        json!({"metadata": {"name": "ds", "namespace": "mon"}, "data": {"ds.yaml": file}}),
    )
}

#[test]
fn a_data_source_that_leads_nowhere_is_told_where_it_should_lead() {
    let rows = [
        ("http://front:9090", None),
        ("http://front.mon.svc.cluster.local:9090/", None),
        ("http://front:9091", Some("asks port 9091 of front, which it does not have")),
        ("http://prom:9090", Some("asks for prom in namespace mon, and there is no such Service")),
        (
            "http://prom.mon:9090",
            Some("asks for prom in namespace mon, and there is no such Service"),
        ),
        ("http://localhost:9090", Some("asks its own pod, in which no Prometheus runs")),
        (
            "http://prom.gone.svc:9090",
            Some("asks for prom in namespace gone, and there is no such Service"),
        ),
        // Of these it is not known.
        ("http://prom.other:9090", None),
        ("http://prom.other.svc:9090", None),
        ("https://prom.example.com", None),
    ];
    for (url, says) in rows {
        let gone = Need::object(Kind::Service, "gone", "prom");
        let verdict = told(&with(with_source(url), gone, Fact::Absent));
        let found = address(&verdict, Severity::Error);
        assert_eq!(found.map(|f| f.says.as_str()), says, "{url}: {verdict:#?}");
        let right = |f: &Finding| {
            f.evidence
                .iter()
                .any(|e| e.field == "it should be" && e.value == "http://front.mon.svc:9090")
        };
        assert!(found.is_none_or(right), "{url}: {found:#?}");
    }
}

fn address(verdict: &Verdict, severity: Severity) -> Option<&Finding> {
    let is = |f: &&Finding| f.code.0 == "bind/client-address" && f.severity == severity;
    verdict.findings.iter().find(is)
}

#[test]
fn a_data_source_of_which_it_is_not_known_where_it_leads_is_shown() {
    let world = with_source("https://prom.example.com/a");
    let verdict = told(&world);
    let found = address(&verdict, Severity::Warn).expect("a finding");
    assert_eq!(found.evidence[0].value, "https://prom.example.com/a");
    let asked = |url: &str| {
        let world = with_source(url);
        job(&world, |job| job.needs(&world.seen)).contains(&Need::object(
            Kind::Service,
            "other",
            "prom",
        ))
    };
    assert!(asked("http://Prom.other.svc:9090") && !asked("http://prom.other:9090"));
}

#[test]
fn names_that_a_client_resolves_by_itself_are_not_judged() {
    let mut world = with_source("http://prom:9090");
    let need = Need::object(Kind::Deployment, "mon", "grafana");
    let Some(Fact::Known(Seen::Object(client))) = world.seen.facts.get_mut(&need) else { panic!() };
    client["spec"]["template"]["spec"]["hostAliases"] =
        json!([{"ip": "10.0.0.7", "hostnames": ["prom"]}]);
    let verdict = told(&world);
    assert!(address(&verdict, Severity::Error).is_none(), "{verdict:#?}");
}

#[test]
fn a_data_source_in_a_secret_is_not_read_unasked() {
    let world = provisioned(json!({"name": "ds", "secret": {"secretName": "ds"}}));
    assert!(
        job(&world, |job| job.needs(&world.seen))
            .iter()
            .all(|n| !matches!(n, Need::Addresses { .. }))
    );
    let verdict = told(&world);
    let unread: Vec<(&str, &str)> =
        verdict.unknown.iter().map(|u| (u.need.as_str(), u.get.as_str())).collect();
    assert_eq!(
        unread,
        [
            (
                "the data source of deploy/grafana in secret/ds",
                "kubectl prom-fix bind sts/p -n mon --client mon/deploy/grafana --read-secrets"
            ),
            (
                "env PROMETHEUS_URL of grafana",
                "kubectl exec deploy/grafana -n mon -- printenv PROMETHEUS_URL"
            ),
        ]
    );
    let given = Given::from([
        ("client".to_owned(), "mon/deploy/grafana".to_owned()),
        ("read-secrets".to_owned(), String::new()),
    ]);
    let need = Need::Addresses { namespace: "mon".into(), secret: "ds".into() };
    assert!(Bind.job(&world.subject, &given).needs(&world.seen).contains(&need));
    let read = with(world, need, Fact::Known(Seen::Addresses(vec!["http://prom:9090".into()])));
    let verdict = told(&read);
    let found = verdict.findings.iter().find(|f| f.code.0 == "bind/client-address");
    assert_eq!(found.expect("a finding").evidence[0].field, "a data source of secret/ds");
}

#[test]
fn what_a_sidecar_collects_by_label_is_read() {
    let mut world = provisioned(json!({"name": "x", "configMap": {"name": "x"}}));
    let need = Need::object(Kind::Deployment, "mon", "grafana");
    let Some(Fact::Known(Seen::Object(client))) = world.seen.facts.get_mut(&need) else { panic!() };
    client["spec"]["template"]["spec"]["initContainers"] = json!([{"name": "grafana-sc-datasources",
        "image": "quay.io/kiwigrid/k8s-sidecar:1.30.0", "env": [
            {"name": "LABEL", "value": "grafana_datasource"}, {"name": "LABEL_VALUE", "value": "1"}]}]);
    let need = Need::List {
        kind: Kind::ConfigMap,
        namespace: Some("mon".into()),
        labels: "grafana_datasource=1".into(),
    };
    assert!(job(&world, |job| job.needs(&world.seen)).contains(&need));
    let map = json!({"metadata": {"name": "kps", "namespace": "mon"},
        "data": {"datasource.yaml": "datasources: [{type: prometheus, url: 'http://old.mon:9090/'}]"}});
    let verdict = told(&with(world, need, Fact::Known(Seen::List(vec![map]))));
    let found = verdict.findings.iter().find(|f| f.code.0 == "bind/client-address");
    assert_eq!(found.expect("a finding").evidence[0].field, "datasource.yaml of cm/kps");
}

#[test]
fn a_variable_in_a_data_source_has_the_value_that_the_client_is_given() {
    let with_env = |env: Value, more: Value| {
        let mut world = with_source("http://$__env{PROM_HOST}:${PROM_PORT}");
        let need = Need::object(Kind::Deployment, "mon", "grafana");
        let Some(Fact::Known(Seen::Object(client))) = world.seen.facts.get_mut(&need) else {
            panic!()
        };
        let container = &mut client["spec"]["template"]["spec"]["containers"][0];
        container["env"] = env;
        container["envFrom"] = more;
        let map = json!({"metadata": {"name": "env", "namespace": "mon"},
            "data": {"host": "prom.mon", "PROM_PORT": "9090"}});
        told(&world.object(Kind::ConfigMap, "env", map))
    };
    let of_map = json!({"configMapKeyRef": {"name": "env", "key": "host"}});
    let of_secret = json!({"secretKeyRef": {"name": "env", "key": "host"}});
    let whole = json!([{"configMapRef": {"name": "env"}}]);
    let port = json!({"name": "PROM_PORT", "value": "9090"});
    for (env, more) in [
        (json!([{"name": "PROM_HOST", "value": "prom.mon"}, port]), json!([])),
        (json!([{"name": "PROM_HOST", "valueFrom": of_map}]), whole.clone()),
    ] {
        let verdict = with_env(env, more);
        let found = address(&verdict, Severity::Error).expect("it leads nowhere");
        assert_eq!(found.evidence[0].value, "http://prom.mon:9090");
    }
    for env in [
        json!([{"name": "PROM_HOST", "valueFrom": of_secret}]),
        json!([{"name": "PROM_HOST", "value": "$(OTHER).mon"}]),
        json!([]),
    ] {
        let verdict = with_env(env, whole.clone());
        assert!(address(&verdict, Severity::Error).is_none(), "{verdict:#?}");
        let unknown = verdict.unknown.iter().find(|u| u.need.contains("ds.yaml of cm/ds"));
        let unknown = unknown.expect("it is told");
        assert_eq!(unknown.why, "the value of $PROM_HOST in it is not known");
        assert!(unknown.get.ends_with("-- printenv PROM_HOST"), "{}", unknown.get);
    }
}
