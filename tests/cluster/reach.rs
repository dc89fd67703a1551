//! Up and not reached, where names lead elsewhere, TLS is spoken, or packets are dropped without a word.

use super::bind::{
    ASKS, CLIENT, CLOSED, SERVICE, WHOLE, answered, client, install, is_answered, is_answered_to,
    lives, states,
};
use super::enforcer::{Enforcer, Silence};
use super::install::{Install, Kind};
use super::life::{carry_out_as, first, text, until_told};
use super::scene::{Scene, until};

/// Its pods' ports have the name that the resource gives them; that of the config-reloader keeps its own.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_port_that_the_resource_renamed_is_what_the_service_sends_to() {
    let scene = Scene::new("renamed");
    let install = install(Kind::Resource, "v2.53.3");
    let renamed = "\n  portName: metrics\n  storage:\n";
    scene.apply(&install.manifest().replace("\n  storage:\n", renamed));
    client(&scene, &install, ASKS);
    let label = install.selector().replace('=', ": ");
    scene.apply(&format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: front}}\nspec:\n  \
         selector: {{{label}}}\n  ports: [{{name: web, port: 9090, targetPort: web}}, \
         {{name: reloader-web, port: 8080, targetPort: reloader-web}}]\n"
    ));
    lives(&scene, &install, "bind/port-mismatch", "svc/front");
}

/// Its name leads to the pods themselves: nothing maps one port to another.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_headless_service_selects_its_pods_and_is_asked_at_their_port() {
    let scene = Scene::new("headless");
    let install = install(Kind::Set, "v2.53.3");
    let own = "selector: {app: prom}\n  ports: [{port: 9090}]";
    let other = "selector: {app: prometheus-server}\n  ports: [{port: 80, targetPort: 9090}]";
    scene.apply(&install.manifest().replacen(own, other, 1));
    client(&scene, &install, "http://prom:9090/-/ready");
    lives(&scene, &install, "bind/service-selector", "svc/prom");
    scene.apply(&install.manifest().replacen(own, &other.replace("ometheus-server", "om"), 1));
    until("the client is answered", 60, || answered(&scene) == Some(true));

    let ask = || scene.plugin(&["bind", "sts/prom", "--client", "pod/client", "-o", "json"]);
    scene.kubectl(&["delete", "pod", "client"]).expect(0);
    client(&scene, &install, "http://prom:80/-/ready");
    until("the client is refused", 60, || answered(&scene) == Some(false));
    let report = ask().expect(2).json();
    assert_eq!(first(&report, "/rootCause"), "bind/client-address", "{report:#}");
    let right = format!("http://prom.{}.svc:9090", scene.ns);
    assert!(report.to_string().contains(&right), "{report:#}");
    scene.kubectl(&["delete", "pod", "client"]).expect(0);
    client(&scene, &install, &format!("{right}/-/ready"));
    until("the client is answered", 60, || answered(&scene) == Some(true));
    assert_eq!(states(&ask().expect(0).json(), 0), format!("{WHOLE} url ok"));
}

/// What the API server hears nothing of may be a policy's doing; the objects tell which it is.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_time_out_of_the_pod_proxy_hints_at_a_policy() {
    let scene = Scene::new("silent");
    let install = install(Kind::Deployment, "v3.16.0");
    let manifest = install.manifest();
    let probe = manifest.lines().find(|line| line.contains("readinessProbe")).expect("one");
    // The kubelet is kept away too: its probe would say it first.
    scene.apply(&manifest.replace(probe, ""));
    scene.apply(SERVICE);
    scene.apply(&CLIENT.replace("@URL@", ASKS));
    let _enforcer = Enforcer::new(&[&scene.ns]);
    until("the client is answered", 90, || is_answered(&scene) == Some(true));
    scene.apply(&CLOSED.replace("@TYPES@", "Ingress"));
    let pods = install.pods(&scene);
    let _silence = Silence::new(&scene.field(&format!("pod/{}", pods[0]), ".status.podIP"));
    until("the client gets no answer", 60, || is_answered(&scene) == Some(false));

    let ask = |more: &[&str]| {
        let all = [&["bind", "deploy/prom", "-o", "json"], more].concat();
        let report = scene.plugin(&all).json();
        let steps = report.pointer("/reports/0/paths/0/steps").expect("a way").clone();
        let steps = steps.as_array().expect("steps").clone();
        let step = steps.iter().find(|step| text(step, "/step") == "policies").expect("that step");
        assert_eq!(text(step, "/state"), "not-known", "{report:#}");
        text(step, "/says")
    };
    let says = ask(&[]);
    assert!(says.contains("no answer in time: it is slow, or something on the way"), "{says}");
    let says = ask(&["--inspect"]);
    assert!(says.contains("its loopback answers: something on the way drops it"), "{says}");

    let bind = ["bind", "deploy/prom", "--client", "deploy/grafana"];
    let report = scene.plugin(&[&bind[..], &["-o", "json"]].concat()).expect(2).json();
    assert_eq!(first(&report, "/rootCause"), "bind/network-policy", "{report:#}");
    scene.plugin(&[&bind[..], &["--apply", "--yes", "--settle", "2s"]].concat()).expect(0);
    until("the client is answered again", 60, || is_answered(&scene) == Some(true));
    scene.plugin(&["undo", "deploy/prom", "--yes"]).expect(0);
    until("the client gets no answer again", 60, || is_answered(&scene) == Some(false));
}

/// The kubelet says the same of a server that is too slow: a look tells one from the other.
#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_node_that_does_not_reach_its_pod_is_no_overload() {
    let scene = Scene::new("unreached");
    let install = install(Kind::Set, "v2.53.3");
    // Late enough that no probe is answered before the packets are dropped.
    let late = "initialDelaySeconds: 15, periodSeconds: 1";
    let manifest = install.manifest();
    assert!(manifest.contains("initialDelaySeconds: 0, periodSeconds: 1"));
    scene.apply(&manifest.replace("initialDelaySeconds: 0, periodSeconds: 1", late));
    let address = || scene.field("pod/prom-0", ".status.podIP");
    until("the pod has an address", 30, || !address().is_empty());
    let silence = Silence::new(&address());
    let ask = |more: &[&str]| {
        let report = scene.plugin(&[&["diagnose", "sts/prom", "-o", "json"], more].concat()).json();
        assert_ne!(first(&report, "/rootCause"), "other/overloaded", "{report:#}");
        report.pointer("/reports/0/unknown").expect("a list").to_string()
    };
    until("its probes time out", 90, || ask(&[]).contains("whether pod/prom-0 is too slow, or "));
    let told = ask(&["--inspect"]);
    let node = scene.field("pod/prom-0", ".spec.nodeName");
    assert!(told.contains(&format!("what keeps {node} from port 9090 of pod/prom-0")), "{told}");
    assert!(told.contains(&format!("on {node}: curl -m 3 http://{}:9090", address())), "{told}");
    drop(silence);
    scene.until_ready("prom-0", 60);
    scene.plugin(&["diagnose", "sts/prom"]).expect(0);
}

/// Who may look for pods, and two policies that let nobody out but for names.
const DISCOVERS: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: prom}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: prom}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: prom}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: prom}
subjects: [{kind: ServiceAccount, name: prom}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}, policyTypes: [Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: names}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress: [{to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}]}]
"#;

/// It serves, and nobody tells it of pods any more.
fn is_kept_from_the_api_server(image: &str, command: &str) {
    let scene = Scene::new("discovers");
    let of_pod = &["serviceAccountName: prom"];
    let install = Install { of_pod, ..install(Kind::Set, image) };
    let role = "kubernetes_sd_configs: [{role: pod, namespaces: {own_namespace: true}}]";
    let jobs = format!("scrape_configs: [{{job_name: pods, {role}}}]");
    scene.apply(DISCOVERS);
    scene.apply(&install.manifest().replace("scrape_configs: []", &jobs));
    scene.until_ready("prom-0", 60);
    let warned = || {
        let report = scene.plugin(&[command, "sts/prom", "-o", "json"]).json();
        let findings = report.pointer("/reports/0/findings").expect("a list").to_string();
        findings.contains("bind/network-policy").then(|| (first(&report, "/verdict"), findings))
    };
    assert_eq!(warned(), None, "nothing enforces them yet");
    let _silence = Silence::of_api_server(&scene.field("pod/prom-0", ".status.podIP"));
    scene.kubectl(&["exec", "prom-0", "--", "kill", "1"]).expect(0);
    until("it is told", 120, || warned().is_some());
    let (verdict, findings) = warned().expect("told");
    assert_eq!(verdict, "healthy");
    assert!(findings.contains("netpol/closed, netpol/names"), "{findings}");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_discovery_that_is_kept_from_the_api_server_is_told_by_its_log() {
    is_kept_from_the_api_server("v2.53.3", "diagnose");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn a_discovery_that_logs_nothing_is_told_by_what_it_counts() {
    is_kept_from_the_api_server("v3.16.0", "bind");
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn probes_ask_with_tls_where_it_speaks_that() {
    let scene = Scene::new("tls");
    let folder = tempfile::tempdir().expect("a folder");
    let (key, certificate) = (folder.path().join("key"), folder.path().join("crt"));
    let mut openssl = std::process::Command::new("openssl");
    openssl.args("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=prom".split(' '));
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    assert!(openssl.output().expect("openssl is there").status.success());
    let block = |path: &std::path::Path| {
        let text = std::fs::read_to_string(path).expect("written");
        text.lines().map(|line| format!("    {line}\n")).collect::<String>()
    };
    let more = format!(
        "data:\n  web.yml: '{{tls_server_config: {{cert_file: tls.crt, key_file: tls.key}}}}'\n  \
         tls.crt: |\n{}  tls.key: |\n{}",
        block(&certificate),
        block(&key)
    );
    let install = install(Kind::Set, "v3.16.0");
    let last = "--storage.tsdb.path=/prometheus]";
    let with = "--storage.tsdb.path=/prometheus, --web.config.file=/etc/prometheus/web.yml]";
    let manifest = install.manifest().replace(last, with).replacen("data:\n", &more, 1);
    scene.apply(&manifest);
    scene.apply(SERVICE);
    scene.apply(&CLIENT.replace("@URL@", ASKS));
    let secure = CLIENT.replace("@URL@", "https://front:9090/-/ready");
    scene.apply(&secure.replace("grafana", "secure"));
    let answers = || is_answered_to(&scene, "secure");
    until_told(&scene, "sts/prom", &["bind/scheme-or-path"]);
    // It runs, and is not ready behind the Service.
    until("who asks with TLS is refused", 60, || answers() == Some(false));
    carry_out_as("bind", &scene, "sts/prom", &[]);
    let at = "/spec/template/spec/containers/0/readinessProbe/httpGet/scheme";
    assert_eq!(text(&scene.get("sts/prom"), at), "HTTPS");
    until("who asks with TLS is answered", 60, || answers() == Some(true));

    // Who asks in plain HTTP is told the address with TLS.
    assert_eq!(is_answered(&scene), Some(false));
    let ask = ["bind", "sts/prom", "--client", "deploy/grafana", "-o", "json"];
    let report = scene.plugin(&ask).expect(2).json();
    assert_eq!(first(&report, "/rootCause"), "bind/client-address", "{report:#}");
    let end = " scheme ok login not-known prefix ok url broken";
    assert!(states(&report, 0).ends_with(end), "{report:#}");
    let told = report.to_string();
    assert!(told.contains("asks in plain HTTP, and it speaks TLS"), "{told}");
    assert!(
        told.contains(&format!("; it should be https://front.{}.svc:9090", scene.ns)),
        "{told}"
    );
    scene.plugin(&["undo", "sts/prom", "--yes"]).expect(0);
    assert_eq!(text(&scene.get("sts/prom"), at), "HTTP");
    until("who asks with TLS is refused again", 60, || answers() == Some(false));
}
