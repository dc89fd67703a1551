//! Where a memory limit is set so that it lasts: on the object that owns it, at the place that
//! wins there.

use serde_json::{Value, json};

use super::kill::quantity_text;
use super::size::Chosen;
use crate::model::object::{Kind, ObjectExt};
use crate::model::patch::{Change, pointer};
use crate::model::plan::Blocked;
use crate::subject::rollout::Wanted;
use crate::subject::{Subject, repair};

/// The place of a container's resources on the owner, and on the workload rendered from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Pointer of the resources object on the subject's root.
    pub at: String,
    /// The same on the rendered workload.
    pub rendered: String,
    pub old_limit: Option<String>,
    pub old_request: Option<String>,
    /// Set where the element that holds it must be added to this list first.
    pub append: Option<(String, String)>,
}

/// Finds the place for `container`; `whole_pod` where the pod's own limit is the one that binds.
pub fn find(subject: &Subject, container: &str, whole_pod: bool) -> Result<Landing, Blocked> {
    repair::owned_by_vendor(
        subject,
        "set prometheusK8s.resources (user workload: prometheus.resources) in the ConfigMap that  -o \
         commit  of a forecast names: cluster-monitoring-config",
        "set scaling.vpa.enabled in OperatorConfig gmp-public/config",
    )?;
    let rendered = match place(subject, container, whole_pod) {
        Ok(rendered) => rendered,
        Err(why) => {
            return Err(repair::elsewhere(subject, &why, &["set its limit where it comes from"]));
        }
    };
    let of_prometheus = container == subject.container;
    if subject.root.kind == Kind::MonitoringStack {
        if !of_prometheus {
            let why = format!("its resource has no place for the limit of {container}");
            return Err(repair::elsewhere(subject, &why, &["set it on the operator that adds it"]));
        }
        return Ok(read(subject, "/spec/resources".into(), rendered));
    }
    if subject.root.kind.is_operator_resource() {
        return Ok(on_resource(subject, container, rendered));
    }
    if subject.root.kind == Kind::Pod {
        return Err(repair::elsewhere(
            subject,
            "a pod without a controller cannot be given another limit and keep its name",
            &["delete it and create it again with a larger limit, from where it was made"],
        ));
    }
    Ok(read(subject, rendered.clone(), rendered))
}

/// The container's resources in the workload's template. A container that is in the pod and not
/// there was added on the way, by a webhook: its limit is not ours to find.
fn place(subject: &Subject, container: &str, whole_pod: bool) -> Result<String, String> {
    const TEMPLATE: &str = "/spec/template/spec";
    if whole_pod {
        return Ok(format!("{TEMPLATE}/resources"));
    }
    match container_index(subject.workloads.first(), TEMPLATE, container) {
        Some(at) => Ok(format!("{at}/resources")),
        None if subject.workloads.is_empty() => Ok(format!("{TEMPLATE}/containers/0/resources")),
        None => Err(format!("{container} is not in its template: a webhook adds it to the pod")),
    }
}

/// In a custom resource an element of `spec.containers` beats the dedicated field: the operator
/// merges it over what it rendered (prometheus-operator `pkg/k8s/merge.go`).
fn on_resource(subject: &Subject, container: &str, rendered: String) -> Landing {
    let root = &subject.root_object;
    let is_init = rendered.contains("/initContainers/");
    let list = if is_init { "/spec/initContainers" } else { "/spec/containers" };
    let element = root.list(list).iter().position(|c| c.text("/name") == container);
    let of_prometheus = container == subject.container;
    if let Some(index) = element {
        let at = format!("{list}/{index}/resources");
        let sets_memory = root.pointer(&format!("{at}/limits/memory")).is_some()
            || root.pointer(&format!("{at}/requests/memory")).is_some();
        if sets_memory || !of_prometheus {
            return read(subject, at, rendered);
        }
    }
    if of_prometheus {
        return read(subject, "/spec/resources".into(), rendered);
    }
    // The limit of a sidecar comes from the operator's own flags; an element with its name is
    // merged over it.
    let mut landing = read(subject, String::new(), rendered);
    landing.old_limit = None;
    landing.old_request = None;
    landing.append = Some((list.to_owned(), container.to_owned()));
    landing
}

fn read(subject: &Subject, at: String, rendered: String) -> Landing {
    let root = &subject.root_object;
    let text = |tail: &str| root.pointer(&format!("{at}{tail}")).and_then(quantity_text);
    Landing {
        old_limit: text("/limits/memory"),
        old_request: text("/requests/memory"),
        at,
        rendered,
        append: None,
    }
}

fn container_index(workload: Option<&Value>, spec: &str, name: &str) -> Option<String> {
    let workload = workload?;
    for list in ["containers", "initContainers"] {
        let list = format!("{spec}/{list}");
        if let Some(index) = workload.list(&list).iter().position(|c| c.text("/name") == name) {
            return Some(format!("{list}/{index}"));
        }
    }
    None
}

impl Landing {
    /// The changes that bring `chosen` there; without a limit where none is wanted.
    pub fn wanted(
        &self,
        subject: &Subject,
        chosen: &Chosen,
        sets_limit: bool,
        why: &str,
    ) -> Wanted {
        let mut parts = Vec::new();
        if sets_limit {
            parts.push(("limits", chosen.limit.clone()));
        }
        if let Some(request) = &chosen.request {
            parts.push(("requests", request.clone()));
        } else if !sets_limit {
            parts.push(("requests", chosen.limit.clone()));
        }
        let under = |at: &str| -> Vec<Change> {
            parts
                .iter()
                .map(|(kind, value)| Change::set(format!("{at}/{kind}/memory"), value.as_str()))
                .collect()
        };
        let changes = match &self.append {
            None => under(&self.at),
            Some((list, name)) => {
                let resources: serde_json::Map<String, Value> = parts
                    .iter()
                    .map(|(kind, value)| ((*kind).to_owned(), json!({"memory": value})))
                    .collect();
                let element = json!({"name": name, "resources": resources});
                let exists = subject.root_object.pointer(list).is_some();
                if exists {
                    let at = subject.root_object.list(list).len().to_string();
                    vec![Change::set(format!("{list}{}", pointer([at.as_str()])), element)]
                } else {
                    vec![Change::set(list.clone(), json!([element]))]
                }
            }
        };
        Wanted {
            changes,
            rendered: under(&self.rendered),
            why: why.to_owned(),
            ..Wanted::default()
        }
    }
}
