//! Up and not reached: asked by a client before, after the repair, and after its undo.

use serde_json::Value;

use super::api;
use super::audit::{Mark, Rung};
use super::enforcer::Enforcer;
use super::install::{Install, Kind, ROOMY};
use super::life::{carry_out_as, first, text, until_told};
use super::objects::FRONT;
use super::scene::{Scene, essence, until};
use super::sight::reader;

/// Somebody who asks five times a second, through a Service of their own.
pub fn client(scene: &Scene, install: &Install, url: &str) {
    let label = install.selector().replace('=', ": ");
    scene.apply(&FRONT.replace("@LABEL@", &label).replace("@URL@", url));
    scene.until_ready("client", 60);
}

/// Whether the last five requests were answered well; `None` where it is now this, now that.
pub fn answered(scene: &Scene) -> Option<bool> {
    let log = api::log(&scene.ns, "client", 5);
    let well = log.lines().filter(|line| line.contains(" 200 ")).count();
    match well {
        5 => Some(true),
        0 if !log.is_empty() => Some(false),
        _ => None,
    }
}

pub fn install(kind: Kind, image: &str) -> Install {
    Install { scrapes: false, ..Install::new(kind, image, ROOMY) }
}

/// Of a way of a report each step and its state.
pub fn states(report: &Value, way: usize) -> String {
    let steps = report.pointer(&format!("/reports/0/paths/{way}/steps")).and_then(Value::as_array);
    let steps = steps.unwrap_or_else(|| panic!("a way: {report:#}"));
    let one = |step: &Value| format!("{} {}", text(step, "/step"), text(step, "/state"));
    steps.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// From any pod, where nothing is in the way and all may be read.
pub const WHOLE: &str = "name ok listens ok port ok probes ok service ok endpoints ok policies ok \
                     scheme ok login ok prefix ok";

/// Told, repaired, undone: `changed` is the object that the plan changes. Not for a change of a
/// Deployment: what that rolls back to never gets ready, so the pod of before serves on.
#[track_caller]
pub fn lives(scene: &Scene, install: &Install, root: &str, changed: &str) {
    let target = install.target();
    until_told(scene, target, &[root]);
    until("the client is not answered", 60, || answered(scene) == Some(false));
    let before = essence(&scene.get(changed));
    carry_out_as("bind", scene, target, &["--allow-downtime"]);
    until("the client is answered", 60, || answered(scene) == Some(true));
    scene.plugin(&["undo", target, "--yes"]).expect(0);
    assert_eq!(essence(&scene.get(changed)), before, "values and owners are as before");
    until("the client is not answered again", 90, || answered(scene) == Some(false));
}

pub const ASKS: &str = "http://front:9090/-/ready";

/// A workload with one more argument.
pub fn with_argument(scene: &Scene, install: &Install, argument: &str) {
    let last = "--storage.tsdb.path=/prometheus]";
    let manifest = install.manifest();
    assert!(manifest.contains(last));
    scene.apply(&manifest.replace(last, &format!("--storage.tsdb.path=/prometheus, {argument}]")));
    client(scene, install, ASKS);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn an_argument_that_keeps_it_on_the_loopback_is_replaced() {
    let scene = Scene::new("loopback");
    let install = install(Kind::Set, "v2.42.0");
    with_argument(&scene, &install, r#""--web.listen-address=127.0.0.1:9090""#);
    lives(&scene, &install, "bind/loopback", "sts/prom");
}

/// The address comes from a ConfigMap, and the log is silent: no object shows the loopback.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_loopback_that_no_object_shows_answers_a_port_forward() {
    let scene = Scene::new("forward");
    let install = install(Kind::Set, "v3.16.0");
    scene.apply(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: address}\ndata: {at: localhost:9090}\n",
    );
    let env = "env: [{name: POD_NAME,";
    let from = "valueFrom: {configMapKeyRef: {name: address, key: at}}";
    let last = "--storage.tsdb.path=/prometheus]";
    let more =
        "--storage.tsdb.path=/prometheus, --log.level=error, \"--web.listen-address=$(AT)\"]";
    let manifest =
        install.manifest().replace(env, &format!("env: [{{name: AT, {from}}}, {{name: POD_NAME,"));
    scene.apply(&manifest.replace(last, more));
    client(&scene, &install, ASKS);
    let bind = |more: &[&str]| scene.plugin(&[&["bind", "sts/prom", "-o", "json"], more].concat());
    // Without a look it is known that nothing answers, not why; and nothing but reading was done.
    let mark = Mark::now();
    let refuses = || bind(&[]).stdout.contains("why nothing answers at port 9090");
    until("its address refuses", 90, refuses);
    let report = bind(&[]).expect(2).json();
    assert_eq!(first(&report, "/paths/0/broken"), "listens", "{report:#}");
    assert_ne!(first(&report, "/rootCause"), "bind/loopback", "{report:#}");
    assert!(report.pointer("/reports/0/plan").is_some_and(Value::is_null), "{report:#}");
    assert!(report.to_string().contains("--inspect"), "{report:#}");
    let rungs = mark.rungs(&scene.ns);
    assert!(rungs.keys().all(|rung| *rung == Rung::Read), "{rungs:#?}");

    let mark = Mark::now();
    let report = bind(&["--inspect"]).expect(2).json();
    assert_eq!(first(&report, "/rootCause"), "bind/loopback", "{report:#}");
    assert_eq!([0, 1].map(|way| first(&report, &format!("/paths/{way}/broken"))), ["listens"; 2]);
    let rungs = mark.rungs(&scene.ns);
    assert!(rungs.keys().all(|r| matches!(r, Rung::Read | Rung::Inside)), "{rungs:#?}");
    let [forward] = rungs[&Rung::Inside].as_slice() else { panic!("one port-forward: {rungs:#?}") };
    assert!(forward.starts_with("get ") && forward.contains("/portforward"), "{forward}");

    let reader = [("KUBECONFIG", reader(&scene, &|_| true))];
    let reader = reader.each_ref().map(|(name, value)| (*name, value.as_str()));
    let args = ["bind", "sts/prom", "-o", "json", "--inspect"];
    let said = scene.plugin_with(&args, &reader).expect(2).stdout;
    assert!(
        said.contains("create on pods/portforward") && !said.contains("bind/loopback"),
        "{said}"
    );

    let before = essence(&scene.get("sts/prom"));
    carry_out_as("bind", &scene, "sts/prom", &["--allow-downtime", "--inspect"]);
    until("the client is answered", 60, || answered(&scene) == Some(true));
    assert_eq!(states(&bind(&[]).expect(0).json(), 0), WHOLE);
    scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0);
    assert_eq!(essence(&scene.get("sts/prom")), before, "values and owners are as before");
    until("the client is not answered again", 90, || answered(&scene) == Some(false));
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn an_address_of_another_pod_is_replaced() {
    let scene = Scene::new("address");
    let install = install(Kind::Set, "v2.53.3");
    with_argument(&scene, &install, r#"--web.listen-address, "10.1.2.3:9090""#);
    lives(&scene, &install, "bind/address-unusable", "sts/prom");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_resource_that_listens_locally_listens_for_all() {
    let scene = Scene::new("local");
    let install = install(Kind::Resource, "v3.16.0");
    let local = "\n  listenLocal: true\n  storage:\n";
    scene.apply(&install.manifest().replace("\n  storage:\n", local));
    client(&scene, &install, ASKS);
    lives(&scene, &install, "bind/loopback", "prometheus/prom");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn an_argument_of_a_resource_is_taken_away() {
    let scene = Scene::new("extra");
    let install = install(Kind::Resource, "v2.53.3");
    let extra =
        "\n  additionalArgs: [{name: web.listen-address, value: \"localhost:9090\"}]\n  storage:\n";
    scene.apply(&install.manifest().replace("\n  storage:\n", extra));
    client(&scene, &install, ASKS);
    lives(&scene, &install, "bind/loopback", "prometheus/prom");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn the_port_that_is_declared_and_probed_is_listened_on() {
    let scene = Scene::new("declared");
    let install = install(Kind::Set, "v3.16.0");
    with_argument(&scene, &install, r#""--web.listen-address=:9091""#);
    lives(&scene, &install, "bind/port-mismatch", "sts/prom");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_probe_of_another_port_asks_the_right_one() {
    let scene = Scene::new("probed");
    let install = install(Kind::Set, "v3.16.0");
    let right = "path: /-/ready, port: 9090}";
    scene.apply(&install.manifest().replace(right, "path: /-/ready, port: 9099}"));
    client(&scene, &install, ASKS);
    lives(&scene, &install, "bind/port-mismatch", "sts/prom");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_service_that_sends_to_another_port_sends_to_the_right_one() {
    let scene = Scene::new("target");
    let install = install(Kind::Deployment, "v2.42.0");
    install.apply(&scene);
    client(&scene, &install, ASKS);
    scene.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: front}\nspec:\n  \
         selector: {app: prom}\n  ports: [{port: 9090, targetPort: 9091}]\n",
    );
    lives(&scene, &install, "bind/port-mismatch", "svc/front");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_service_of_the_same_name_selects_its_pods() {
    let scene = Scene::new("selector");
    let install = install(Kind::Deployment, "v3.16.0");
    install.apply(&scene);
    client(&scene, &install, "http://prom:9090/-/ready");
    scene.kubectl(&["delete", "service", "prom"]).expect(0);
    scene.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: prom}\nspec:\n  \
         selector: {app: prometheus-server}\n  ports: [{port: 9090}]\n",
    );
    lives(&scene, &install, "bind/service-selector", "svc/prom");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn probes_ask_below_the_route_prefix() {
    let scene = Scene::new("prefix");
    let install = install(Kind::Set, "v2.53.3");
    let last = "--storage.tsdb.path=/prometheus]";
    let prefixed = "--storage.tsdb.path=/prometheus, --web.route-prefix=/prom]";
    scene.apply(&install.manifest().replace(last, prefixed));
    client(&scene, &install, "http://front:9090/prom/-/ready");
    lives(&scene, &install, "bind/scheme-or-path", "sts/prom");
}

/// A workload that asks a Service of the Prometheus five times a second: its environment says where.
pub const CLIENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: grafana}
spec:
  selector: {matchLabels: {app: grafana}}
  template:
    metadata: {labels: {app: grafana, tier: ui}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: grafana
        image: "busybox:1"
        env: [{name: PROM_URL, value: "@URL@"}]
        command: [probe, "$(PROM_URL)", 200ms, "0"]
"#;

pub const SERVICE: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: front}
spec: {selector: {app: prom}, ports: [{port: 9090}]}
"#;

/// No controller is there to give it an address.
const INGRESS: &str = r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: door}
spec: {defaultBackend: {service: {name: front, port: {number: @PORT@}}}}
"#;

/// Nobody gets in, or nobody out.
pub const CLOSED: &str = r#"
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec:
  podSelector: {}
  policyTypes: [@TYPES@]
"#;

/// Whether the last requests of the client in a namespace were answered well.
pub fn is_answered(scene: &Scene) -> Option<bool> {
    is_answered_to(scene, "grafana")
}

pub fn is_answered_to(scene: &Scene, workload: &str) -> Option<bool> {
    let pods = api::pods(&scene.ns, &format!("app={workload}"));
    let log = pods.first().map(|pod| api::log(&scene.ns, pod, 3)).unwrap_or_default();
    let well = log.lines().filter(|line| line.contains(" 200 ")).count();
    match well {
        3 => Some(true),
        0 if !log.is_empty() => Some(false),
        _ => None,
    }
}

/// Kept away by a policy that is enforced, let through by one policy more, kept away after its undo.
#[track_caller]
pub fn let_through(scene: &Scene, of: &Scene, closed: &str, ends: &[&str]) {
    install(Kind::Deployment, "v3.16.0").apply(scene);
    scene.apply(SERVICE);
    let url = format!("http://front.{}.svc.cluster.local:9090/-/ready", scene.ns);
    of.apply(&CLIENT.replace("@URL@", &url));
    of.apply(&CLIENT.replace("@URL@", &url).replace("grafana", "stranger"));
    let _enforcer = Enforcer::new(&[&scene.ns, &of.ns]);
    let stranger = || is_answered_to(of, "stranger");
    until("it serves, and both are answered", 90, || {
        is_answered(of) == Some(true) && stranger() == Some(true)
    });
    scene.apply(closed);
    let (whole, away) = (essence(&scene.get("netpol/closed")), Some(false));
    until("both are kept away", 60, || is_answered(of) == away && stranger() == away);

    let client = format!("{}/deploy/grafana", of.ns);
    let ask = |args: &[&str]| {
        let mut all = vec!["bind", "deploy/prom", "--client", &client, "-o", "json"];
        all.extend(args);
        scene.plugin(&all)
    };
    let report = ask(&[]).expect(2).json();
    assert_eq!(first(&report, "/rootCause"), "bind/network-policy", "{report:#}");
    // Who may not go out may not ask for names either, which comes first.
    let step = if ends.len() == 1 { "policies" } else { "name" };
    assert_eq!(first(&report, "/paths/0/broken"), step, "{report:#}");
    // That the API server is answered proves nothing of the client.
    let says = "answers 200 to the pod proxy";
    assert!(step == "name" || report.to_string().contains(says), "{report:#}");
    ask(&["--apply", "--yes", "--settle", "2s"]).expect(0);
    until("the client is answered again", 60, || is_answered(of) == Some(true));
    assert_eq!(stranger(), away, "it alone");
    assert_eq!(essence(&scene.get("netpol/closed")), whole, "what was there stays as it was");
    let policies = || {
        let path = "jsonpath={.items[*].metadata.name}";
        let said = scene.kubectl(&["get", "networkpolicies", "-o", path]);
        said.stdout.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let made = |end: &&str| format!("prom-fix-allow-{}-grafana-to-prom{end}", of.ns);
    let mut all = vec!["closed".to_owned()];
    all.extend(ends.iter().map(made));
    assert_eq!(policies(), all);
    let told = ask(&[]).expect(0).json();
    assert!(told.to_string().contains("is reached by"), "{told:#}");
    assert_eq!(states(&told, 0), format!("{WHOLE} url ok"), "{told:#}");
    scene.plugin(&["undo", "deploy/prom", "--yes"]).expect(0);
    assert_eq!(policies(), ["closed"]);
    until("the client is kept away again", 60, || is_answered(of) == Some(false));
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_client_in_another_namespace_is_let_in() {
    let scene = Scene::new("letin");
    let other = Scene::new("client");
    let_through(&scene, &other, &CLOSED.replace("@TYPES@", "Ingress"), &[""]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_client_that_may_not_go_out_is_let_out_and_may_ask_for_names() {
    let scene = Scene::new("letout");
    let_through(&scene, &scene, &CLOSED.replace("@TYPES@", "Ingress, Egress"), &["", "-out"]);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_client_that_asks_in_its_own_namespace_is_told_the_right_address() {
    let scene = Scene::new("asked");
    let other = Scene::new("asker");
    install(Kind::Deployment, "v3.16.0").apply(&scene);
    scene.apply(SERVICE);
    other.apply(&CLIENT.replace("@URL@", "http://front:9090/-/ready"));
    until("it serves", 90, || scene.plugin(&["diagnose", "deploy/prom"]).code == 0);
    until("the client asks in vain", 60, || is_answered(&other) == Some(false));
    let client = format!("{}/deploy/grafana", other.ns);
    let said = scene.plugin(&["bind", "deploy/prom", "--client", &client, "-o", "json"]);
    let report = said.expect(2).json();
    assert_eq!(first(&report, "/rootCause"), "bind/client-address", "{report:#}");
    assert_eq!(states(&report, 0), format!("{WHOLE} url broken"), "{report:#}");
    let right = format!("http://front.{}.svc:9090", scene.ns);
    assert!(report.to_string().contains(&right), "{report:#}");
    assert!(report.to_string().contains("env PROM_URL of grafana"), "{report:#}");
    // From an Ingress: to a port that the Service does not have, then to one that it has.
    for (port, code, state) in [(80, 2, "broken"), (9090, 0, "not-known")] {
        scene.apply(&INGRESS.replace("@PORT@", &port.to_string()));
        let report = scene.plugin(&["bind", "deploy/prom", "-o", "json"]).expect(code).json();
        assert!(states(&report, 2).ends_with(&format!(" ingress {state}")), "{report:#}");
    }
    other.apply(&CLIENT.replace("@URL@", &format!("{right}/-/ready")));
    until("the client is answered", 60, || is_answered(&other) == Some(true));
    scene.plugin(&["bind", "deploy/prom", "--client", &client]).expect(0);
}
