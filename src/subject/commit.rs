//! What to commit so that a change lasts: Helm values, a kustomize patch, an Application's
//! `valuesObject`, a HelmRelease, a ConfigMap; without guards.

mod fragment;
mod helm;
pub mod scrape;
mod values;
mod yaml;

use serde_json::{Value, json};

use super::{Install, Manager, Subject, manager};
use crate::model::object::ObjectExt;
use crate::model::patch::{Change, guarded};
use crate::model::plan::Snippet;
use values::Values;
pub(super) use values::path as value_path;

/// The texts to commit for `changes` to `object`, most specific first.
pub fn snippets(subject: &Subject, object: &Value, changes: &[Change]) -> Vec<Snippet> {
    let after = guarded(object, changes, 0).after;
    if let Some(map) = openshift(subject, object, &after, changes) {
        return vec![map];
    }
    let values = Values::of(subject, object, &after, changes);
    let marks = manager::markers(object);
    let mut out = Vec::new();
    for mark in &marks {
        out.extend(by(mark, subject, object, values.as_ref()));
    }
    let is_released = marks.iter().any(|mark| {
        matches!(mark, Manager::Helm { .. } | Manager::FluxHelmRelease { .. } | Manager::Rancher)
    });
    // A release is changed by its values; an overlay on the rendered object only where these are
    // not known.
    if !is_released || out.is_empty() || values.as_ref().is_none_or(|v| !v.missing.is_empty()) {
        out.push(overlay(subject, object, &after, changes, is_released));
    }
    if subject.install == Install::KubePrometheus {
        out.extend(jsonnet(object, &after, changes));
    }
    out
}

/// A whole object, as it is to be committed.
pub fn manifest(title: &str, object: &Value) -> Snippet {
    Snippet { title: title.into(), language: "yaml".into(), text: yaml::write(object) }
}

/// The texts for one manager.
fn by(mark: &Manager, subject: &Subject, object: &Value, values: Option<&Values>) -> Vec<Snippet> {
    let yaml = |title: String, value: Value| Snippet {
        title,
        language: "yaml".into(),
        text: yaml::write(&value),
    };
    let Some(values) = values else { return Vec::new() };
    match mark {
        Manager::Helm { release, chart, version, .. } => {
            // Flux runs the release from its own values: a helm upgrade would be undone.
            let is_flux = manager::markers(object)
                .iter()
                .any(|m| matches!(m, Manager::FluxHelmRelease { .. }));
            if is_flux {
                return Vec::new();
            }
            let title = format!("values.yaml of release {release} (chart {chart} {version})");
            let title = format!("{}{}", title.replace(" )", ")"), values.caveat());
            let line = helm::upgrade(subject, mark, values);
            line.into_iter().chain([yaml(title, values.tree())]).collect()
        }
        Manager::FluxHelmRelease { namespace, name } => {
            let title = format!("HelmRelease {namespace}/{name}{}", values.caveat());
            vec![yaml(title, json!({"spec": {"values": values.tree()}}))]
        }
        Manager::ArgoCd { app } => {
            let title =
                format!("Application {app}, where its source is the chart{}", values.caveat());
            let helm = json!({"valuesObject": values.tree()});
            vec![yaml(title, json!({"spec": {"source": {"helm": helm}}}))]
        }
        Manager::FluxKustomization { .. }
        | Manager::ClusterMonitoringOperator
        | Manager::Olm { .. }
        | Manager::Rancher
        | Manager::Fleet
        | Manager::ConfigSync
        | Manager::Kapp
        | Manager::Terraform
        | Manager::Apply => Vec::new(),
    }
}

/// The change as a part of the object itself: a patch for kustomize, a post-renderer, or a reader.
fn overlay(
    subject: &Subject,
    object: &Value,
    after: &Value,
    changes: &[Change],
    is_released: bool,
) -> Snippet {
    let part = fragment::of(object, after, changes);
    let text: String = yaml::write(&part).lines().map(|line| format!("    {line}\n")).collect();
    let api_version = object.text("/apiVersion");
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let mut target = format!("    kind: {}\n    name: {}\n", object.text("/kind"), object.name());
    if !group.is_empty() {
        target = format!("    group: {group}\n    version: {version}\n{target}");
    }
    let title = if is_released {
        let (chart, _) = manager::chart(&subject.root_object);
        format!(
            "kustomization.yaml of a post-renderer: where the values of chart {chart} set this is not known"
        )
    } else {
        "kustomization.yaml, or the same in the manifest".into()
    };
    Snippet {
        title,
        language: "yaml".into(),
        text: format!("patches:\n- target:\n{target}  patch: |-\n{}", text.trim_end_matches(' ')),
    }
}

/// The ConfigMap that OpenShift's monitoring is configured by; its value is YAML in a string
/// (openshift/cluster-monitoring-operator pkg/manifests/types.go).
fn openshift(
    subject: &Subject,
    object: &Value,
    after: &Value,
    changes: &[Change],
) -> Option<Snippet> {
    let (namespace, map, key) = match subject.install {
        Install::OpenShift => {
            ("openshift-monitoring", "cluster-monitoring-config", "prometheusK8s")
        }
        Install::OpenShiftUserWorkload => {
            ("openshift-user-workload-monitoring", "user-workload-monitoring-config", "prometheus")
        }
        _ => return None,
    };
    let text = if object.text("/kind") == "ConfigMap" {
        after.text("/data/config.yaml").to_owned()
    } else {
        let spec = fragment::of(object, after, changes);
        yaml::write(&json!({ key: spec.get("spec").cloned().unwrap_or(Value::Null) }))
    };
    let lines: String = text.lines().map(|line| format!("    {line}\n")).collect();
    Some(Snippet {
        title: format!("ConfigMap {namespace}/{map}, key config.yaml"),
        language: "yaml".into(),
        text: format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {map}\n  namespace: {namespace}\ndata:\n  config.yaml: |\n{lines}"
        ),
    })
}

/// The change as kube-prometheus takes it: JSON is jsonnet, and `+:` merges.
fn jsonnet(object: &Value, after: &Value, changes: &[Change]) -> Option<Snippet> {
    let part = fragment::of(object, after, changes);
    let spec = part.get("spec")?;
    Some(Snippet {
        title: "jsonnet of kube-prometheus".into(),
        language: "jsonnet".into(),
        text: format!("{{ prometheus+:: {{ prometheus+: {{ spec+: {} }} }} }}\n", merged(spec)),
    })
}

fn merged(value: &Value) -> String {
    let Some(map) = value.as_object() else { return value.to_string() };
    let fields: Vec<String> = map
        .iter()
        .map(|(key, value)| {
            let plus = if value.is_object() { "+" } else { "" };
            format!("{}{plus}: {}", Value::from(key.as_str()), merged(value))
        })
        .collect();
    format!("{{ {} }}", fields.join(", "))
}
