//! Rules of network plugins, administrators and meshes, by definitions that the test makes: seen
//! where they select an end, never taken for permission.

use serde_json::Value;

use super::bind::{CLIENT, SERVICE};
use super::install::{Install, Kind, ROOMY};
use super::scene::{Said, Scene, kubectl, kubectl_in, until};
use super::sight::reader;

/// A definition without a schema, of the version that this program asks for first or, where it asks
/// for several, last.
pub fn definition(plural: &str, kind: &str, group: &str, version: &str, scope: &str) -> String {
    format!(
        r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: {plural}.{group}
  annotations: {{api-approved.kubernetes.io: "unapproved, for a test"}}
spec:
  group: {group}
  names: {{plural: {plural}, kind: {kind}}}
  scope: {scope}
  versions:
  - name: {version}
    served: true
    storage: true
    schema:
      openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}
"#
    )
}

const DEFINITIONS: [[&str; 5]; 5] = [
    [
        "adminnetworkpolicies",
        "AdminNetworkPolicy",
        "policy.networking.k8s.io",
        "v1alpha1",
        "Cluster",
    ],
    [
        "ciliumclusterwidenetworkpolicies",
        "CiliumClusterwideNetworkPolicy",
        "cilium.io",
        "v2",
        "Cluster",
    ],
    ["authorizationpolicies", "AuthorizationPolicy", "security.istio.io", "v1beta1", "Namespaced"],
    ["networkpolicies", "NetworkPolicy", "crd.projectcalico.org", "v1", "Namespaced"],
    ["servers", "Server", "policy.linkerd.io", "v1beta1", "Namespaced"],
];

/// Removes what it made of the cluster's own, also where the test failed.
struct Definitions;

impl Definitions {
    fn new() -> Definitions {
        let made = Definitions;
        for [plural, kind, group, version, scope] in DEFINITIONS {
            let text = definition(plural, kind, group, version, scope);
            kubectl_in(&["apply", "-f", "-"], &text).expect(0);
        }
        for [plural, _, group, _, _] in DEFINITIONS {
            let resource = format!("{plural}.{group}");
            until(&format!("{resource} is served"), 30, || {
                kubectl(&["get", &resource, "-A"]).code == 0
            });
        }
        made
    }
}

impl Drop for Definitions {
    fn drop(&mut self) {
        for [plural, _, group, _, _] in DEFINITIONS {
            kubectl(&["delete", "crd", &format!("{plural}.{group}"), "--ignore-not-found"]);
        }
    }
}

/// Says whether the client is let through: exit, and the whole report.
fn asked(scene: &Scene, config: &str) -> Said {
    let args = ["bind", "deploy/prom", "--client", "deploy/grafana", "-o", "json"];
    match config {
        "" => scene.plugin(&args),
        config => scene.plugin_with(&args, &[("KUBECONFIG", config)]),
    }
}

fn reached(said: &Said) -> bool {
    said.stdout.contains("is reached by")
}

#[track_caller]
fn unjudged(scene: &Scene, rule: &str) {
    let said = asked(scene, "").expect(4);
    assert!(!reached(&said), "{}", said.stdout);
    let unknown = said.json()["reports"][0]["unknown"].to_string();
    assert!(unknown.contains(rule), "{unknown}");
}

/// Calico's own policy selects one end, or neither.
#[track_caller]
fn of_calico(scene: &Scene) {
    let of = |selector: &str| {
        scene.apply(&format!(
            "apiVersion: crd.projectcalico.org/v1\nkind: NetworkPolicy\nmetadata: {{name: default.pick}}\n\
             spec: {{selector: \"{selector}\", types: [Ingress], ingress: []}}\n"
        ));
    };
    of("app == 'somebody'");
    assert!(reached(&asked(scene, "").expect(0)), "a rule for others is none for these");
    of("app == 'prom'");
    unjudged(scene, "caliconetworkpolicy/default.pick");
    let resource = "networkpolicies.crd.projectcalico.org";
    scene.kubectl(&["delete", resource, "default.pick"]).expect(0);
}

/// Linkerd's rule for a port of a server.
fn of_linkerd(scene: &Scene, port: u16) {
    scene.apply(&format!(
        "apiVersion: policy.linkerd.io/v1beta1\nkind: Server\nmetadata: {{name: web}}\n\
         spec: {{podSelector: {{matchLabels: {{app: prom}}}}, port: {port}}}\n"
    ));
}

/// Rules of two meshes: of no say until its pod has their sidecars, which it is left with.
#[track_caller]
fn of_meshes(scene: &Scene) {
    of_linkerd(scene, 9090);
    // No sidecar, so no mesh has a say; that its older version was read is seen by its rights.
    scene.apply(
        "apiVersion: security.istio.io/v1beta1\nkind: AuthorizationPolicy\nmetadata: {name: none}\n\
         spec: {}\n",
    );
    assert!(reached(&asked(scene, "").expect(0)));
    let injected = r#"[{"op": "add", "path": "/spec/template/metadata/annotations",
        "value": {"sidecar.istio.io/status": "{}"}},
        {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "linkerd-proxy",
        "image": "busybox:1", "command": ["probe", "http://localhost", "60s", "0"]}}]"#;
    scene.kubectl(&["patch", "deploy", "prom", "--type=json", "-p", injected]).expect(0);
    until("the pod with the mark of a sidecar serves", 90, || {
        let said = asked(scene, "");
        said.code == 4 && said.stdout.contains("authorizationpolicy/none")
    });
    unjudged(scene, "server/web");
    of_linkerd(scene, 9091);
    assert!(!asked(scene, "").stdout.contains("server/web"), "it is for another port");
    scene.kubectl(&["delete", "authorizationpolicies", "none"]).expect(0);
    scene.kubectl(&["delete", "servers.policy.linkerd.io", "web"]).expect(0);
}

#[test]
#[ignore = "needs the cluster: tests/run"]
fn rules_of_others_that_select_an_end_are_seen_and_nothing_is_called_let_through() {
    let scene = Scene::new("foreign");
    Install { scrapes: false, ..Install::new(Kind::Deployment, "v3.16.0", ROOMY) }.apply(&scene);
    scene.apply(SERVICE);
    scene.apply(&CLIENT.replace("@URL@", "http://front:9090/-/ready"));
    until("it serves, and the client runs", 90, || {
        let said = asked(&scene, "");
        said.code == 0 && reached(&said)
    });

    let _definitions = Definitions::new();
    assert!(reached(&asked(&scene, "").expect(0)), "an API without objects closes nobody out");
    let name = &scene.ns;
    let admin = |space: &str| {
        format!(
            "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\n\
             metadata: {{name: {name}}}\nspec:\n  priority: 5\n  subject: {{namespaces: {{matchLabels: \
             {{kubernetes.io/metadata.name: {space}}}}}}}\n  ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]\n"
        )
    };
    scene.apply(&admin("nobody"));
    assert!(reached(&asked(&scene, "").expect(0)), "a rule for others is none for these");
    scene.apply(&admin(name));
    unjudged(&scene, &format!("adminnetworkpolicy/{name}"));
    kubectl(&["delete", "adminnetworkpolicies", name]).expect(0);

    scene.apply(&format!(
        "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {{name: {name}}}\n\
         spec:\n  endpointSelector: {{matchLabels: {{app: grafana, \"k8s:io.kubernetes.pod.namespace\": \
         {name}}}}}\n  egress: [{{}}]\n"
    ));
    unjudged(&scene, &format!("ciliumclusterwidenetworkpolicy/{name}"));
    kubectl(&["delete", "ciliumclusterwidenetworkpolicies", name]).expect(0);

    of_calico(&scene);
    of_meshes(&scene);
    let alice = reader(&scene, &|_| true);
    until("it is said what a mesh needs beside the documented role", 20, || {
        let said = asked(&scene, &alice);
        !reached(&said) && said.stdout.contains("istio-system")
    });
    let left = r#"[{"op": "remove", "path": "/spec/template/metadata/annotations"},
        {"op": "remove", "path": "/spec/template/spec/containers/1"}]"#;
    scene.kubectl(&["patch", "deploy", "prom", "--type=json", "-p", left]).expect(0);
    until("the documented role is enough", 90, || reached(&asked(&scene, &alice)));
    let alice = reader(&scene, &|right| right != "adminnetworkpolicies");
    let said = asked(&scene, &alice);
    assert!(!reached(&said), "{}", said.stdout);
    let unknown: Value = said.json()["reports"][0]["unknown"].clone();
    assert!(unknown.to_string().contains("verb list on adminnetworkpolicies"), "{unknown:#}");
}
