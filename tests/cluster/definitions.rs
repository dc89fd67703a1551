//! Kinds of others, as loose as a definition can be; gone again at the end.

use std::path::Path;

use super::api;
use super::scene::{kubectl, kubectl_in, until};

/// Group, version, kind and plural.
pub type Of = (&'static str, &'static str, &'static str, &'static str);

pub struct Definitions(&'static [Of]);

impl Definitions {
    pub fn new(all: &'static [Of]) -> Definitions {
        let definitions = Definitions(all);
        for (group, version, kind, plural) in all {
            let definition = format!(
                r#"{{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition,
  metadata: {{name: {plural}.{group}}}, spec: {{group: {group}, scope: Namespaced,
  names: {{kind: {kind}, plural: {plural}, singular: {}}},
  versions: [{{name: {version}, served: true, storage: true, schema: {{openAPIV3Schema:
    {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}]}}}}"#,
                kind.to_lowercase()
            );
            applied(&definition, &format!("{plural}.{group}"));
        }
        definitions
    }
}

/// One as others have written it, by its name; gone again at the end.
pub struct Written(&'static str);

impl Written {
    pub fn new(name: &'static str, file: &Path) -> Written {
        let written = Written(name);
        applied(&std::fs::read_to_string(file).expect("its definition"), name);
        written
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        remove(self.0);
    }
}

fn applied(definition: &str, name: &str) {
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
    let its = |field: &str| {
        api::get_json(&path).map_or_else(|_| String::new(), |of| api::value(&of, field))
    };
    until("the kind of the test before is gone", 60, || {
        its(".metadata.deletionTimestamp").is_empty()
    });
    kubectl_in(&["apply", "--server-side", "-f", "-"], definition).expect(0);
    // kubectl's own wait fails where it comes before the first condition.
    let established = ".status.conditions[?(@.type==\"Established\")].status";
    until("the kind is served", 30, || its(established) == "True");
}

fn remove(name: &str) {
    let _ = kubectl(&["delete", "crd", name, "--ignore-not-found", "--wait=false"]);
}

impl Drop for Definitions {
    fn drop(&mut self) {
        for (group, .., plural) in self.0 {
            remove(&format!("{plural}.{group}"));
        }
    }
}
